//! `over_seeds = { seeds = 200, "lost > 0" = "40%..=60%" }`: in which share of many runs something holds.

use crate::scenario::expect::{Operand, OverSeeds, Quantity, Share, Test};
use crate::scenario::measure::{Measure, Of, Unit};
use crate::scenario::plan::Plan;

use super::super::diagnostic::Diagnostic;
use super::super::reader::{Reader, shown};
use super::super::tree::{Entry, Node};
use super::{Subject, foregone, one, text_test};

/// Seeds of one claim at most.
const SEEDS_MAX: i64 = 10_000;

static SHARE: Measure =
    Measure { name: "share", unit: Unit::Share, of: Of::Run, meaning: "Runs in which something holds." };

/// Whether a path of `[expect]` is a part of this.
pub(in super::super) fn is_part(path: &str) -> bool {
    path == "over_seeds" || path.starts_with("over_seeds.")
}

/// What is claimed over many seeds; none: nothing.
pub(in super::super) fn read(
    reader: &mut Reader,
    claims: &[(String, Entry)],
    plan: &Plan,
) -> Option<OverSeeds> {
    let mut parts = claims.iter().filter(|(path, _)| is_part(path)).peekable();
    let (_, first) = parts.peek()?;
    let (mut seeds, mut shares) = (None, Vec::new());
    for (path, entry) in parts {
        match (path.strip_prefix("over_seeds."), &entry.node) {
            (Some("seeds"), Node::Int(count)) if (2..=SEEDS_MAX).contains(count) => {
                seeds = Some(*count as u32);
            }
            (Some("seeds"), _) => {
                let label = format!("expected a whole number from 2 to {SEEDS_MAX}");
                reader.report(Diagnostic::at(entry.at, "wrong value for `seeds`", label));
                return None;
            }
            (Some(condition), _) => shares.push((condition.trim(), entry)),
            (None, _) => {
                let label = "expected `{ seeds = 200, \"lost > 0\" = \"40%..=60%\" }`";
                reader.report(Diagnostic::at(entry.at, "wrong value for `over_seeds`", label));
                return None;
            }
        }
    }
    let missing = match (seeds, shares.is_empty()) {
        (Some(seeds), false) => {
            let shares =
                shares.into_iter().filter_map(|(text, entry)| share(reader, text, entry, plan, seeds));
            return Some(OverSeeds { seeds, shares: shares.collect() });
        }
        (None, _) => ("`over_seeds` has no `seeds`", "how many?", "`seeds = 200`"),
        (Some(_), true) => ("`over_seeds` claims nothing", "of what?", "`\"lost > 0\" = \"40%..=60%\"`"),
    };
    let (message, label, help) = missing;
    reader.report(Diagnostic::at(first.key, message, label).help(format!("say {help}")));
    None
}

fn share(reader: &mut Reader, text: &str, entry: &Entry, plan: &Plan, seeds: u32) -> Option<Share> {
    let Some(at) = text.find(['<', '>', '=', '!']) else {
        let message = format!("`{}` is no condition", shown(text));
        let label = "expected a measure and a comparison such as `lost > 0`";
        reader.report(Diagnostic::at(entry.key, message, label));
        return None;
    };
    let (path, comparison) = (text[..at].trim(), text[at..].trim());
    if comparison.contains("variant.") {
        let message = "a condition over seeds reads its own runs alone";
        reader.report(Diagnostic::at(entry.key, message, "of another variant"));
        return None;
    }
    let asked = Entry { key: entry.key, at: entry.key, node: Node::Text(comparison.to_owned()) };
    let condition = one(reader, path, &asked, plan, &|_| None)?;
    let test = match test(&entry.node) {
        Ok(test) => test,
        Err(why) => {
            reader.report(Diagnostic::at(entry.at, format!("wrong value for `{}`", shown(text)), why));
            return None;
        }
    };
    if let Some(verdict) = foregone(&test, &Subject::Measure(&SHARE), "share") {
        let message = format!("this is true of {verdict} value");
        let help = "an expectation that no run can decide claims nothing";
        reader.report(Diagnostic::at(entry.at, message, "claims nothing").help(help));
        return None;
    }
    let wanted = if let Node::Text(wanted) = &entry.node { wanted.trim() } else { "" };
    let text = format!("over {seeds} seeds {} in {wanted}", condition.text);
    Some(Share { text, condition, test })
}

fn test(node: &Node) -> Result<Test, String> {
    let expected = "expected a share of the runs such as `40%..=60%` or `>= 90%`";
    let Node::Text(text) = node else { return Err(expected.to_owned()) };
    let test = text_test(text.trim(), &Subject::Measure(&SHARE))?;
    let is_share = |quantity: &Quantity| matches!(quantity, Quantity::Percent(_));
    let fits = match &test {
        Test::Compare(_, Operand::Quantity(quantity)) => is_share(quantity),
        Test::Within(low, high, _) => is_share(low) && is_share(high),
        Test::Is(_) | Test::Compare(..) => false,
    };
    if fits { Ok(test) } else { Err(expected.to_owned()) }
}
