//! `[expect]`: paths, and what must hold of them.
//!
//! A comparison that is true of every value, or of none, is a mistake: it would claim nothing.

use crate::broker::Family;
use crate::scenario::expect::{Comparison, Expectation, Operand, Quantity, Test};
use crate::scenario::plan::{Plan, Value};

use super::diagnostic::{Diagnostic, nearest};
use super::exact::{self, Nameless};
use super::measure::{MEASURES, Measure, NOT_YET, Of, Unit, find};
use super::overlay::leaves;
use super::reader::{Reader, shown};
use super::tree::{Entry, Node, Table};
use super::value::{duration, number_of, split_unit};

pub(super) mod order;
pub(super) mod over_seeds;
mod states;

/// The plans of the other variants, by name; none: there is no such variant, or it could not be read.
pub(super) type Others<'a> = &'a dyn Fn(&str) -> Option<Option<&'a Plan>>;

/// The claims of the file, then those of the variant, then those of `--set` lines, which replace earlier ones.
pub(super) fn join(
    reader: &mut Reader,
    base: &Table,
    variant: Option<&Table>,
    sets: &[Table],
) -> Vec<(String, Entry)> {
    let mut of = |table: &Table| reader.table(table, "expect").map(leaves).unwrap_or_default();
    let mut all = of(base);
    let own = variant.map(&mut of).unwrap_or_default();
    let replacing: Vec<_> = sets.iter().flat_map(&mut of).collect();
    for (path, entry) in own {
        if let Some((_, first)) = all.iter().find(|(other, _)| *other == path) {
            let message = format!("`{}` is expected twice", shown(&path));
            let label = "by the variant";
            let help = "what `[expect]` claims holds in every variant; claim it in the variants alone";
            reader.report(Diagnostic::at(entry.key, message, label).and(first.key, "by the file").help(help));
        } else {
            all.push((path, entry));
        }
    }
    for (path, entry) in replacing {
        match all.iter_mut().find(|(other, _)| *other == path) {
            Some(slot) => slot.1 = entry,
            None => all.push((path, entry)),
        }
    }
    all
}

/// Reads claims about a plan.
pub(super) fn read(
    reader: &mut Reader,
    claims: &[(String, Entry)],
    plan: &Plan,
    others: Others<'_>,
) -> Vec<Expectation> {
    claims.iter().filter_map(|(path, entry)| one(reader, path, entry, plan, others)).collect()
}

/// Reads what must hold of the world's state at once; anything but a state is a mistake.
pub(super) fn states(reader: &mut Reader, table: &Table, plan: &Plan) -> Vec<Expectation> {
    let mut all = Vec::new();
    for (path, entry) in leaves(table) {
        let is_other = match subject(reader.family, plan, &path) {
            // A message's fate is read from the run's ledger.
            Ok(Subject::State) => path.rsplit_once('.').is_some_and(|(_, what)| what == "fate"),
            Ok(Subject::Measure(_) | Subject::Fired | Subject::Order) => true,
            _ => false,
        };
        if is_other {
            let message = format!("`{}` is no state of the world", shown(&path));
            reader.report(Diagnostic::at(entry.key, message, "expected a state such as `orders/0.leader`"));
            continue;
        }
        let Some(claim) = one(reader, &path, &entry, plan, &|_| None) else { continue };
        if let Test::Compare(_, Operand::Path { .. }) = claim.test {
            let message = format!("wrong value for `{}`", shown(&path));
            reader.report(Diagnostic::at(entry.at, message, "expected a number or a name"));
            continue;
        }
        all.push(claim);
    }
    all
}

/// What a path leads to.
enum Subject {
    Measure(&'static Measure),
    Fired,
    State,
    /// The order in which a subscription was handed its messages.
    Order,
}

fn one(
    reader: &mut Reader,
    path: &str,
    entry: &Entry,
    plan: &Plan,
    others: Others<'_>,
) -> Option<Expectation> {
    let subject = match subject(reader.family, plan, path) {
        Ok(subject) => subject,
        Err((message, label, help)) => {
            let mut diagnostic = Diagnostic::at(entry.key, message, label);
            diagnostic.help = help;
            reader.report_relation(diagnostic);
            return None;
        }
    };
    let test = match &subject {
        Subject::Order => order::test(plan, &entry.node),
        _ => test(&entry.node, &subject),
    };
    let test = test.and_then(|test| match subject {
        Subject::State => states::check(reader.family, plan, path, &test).map(|()| test),
        _ => Ok(test),
    });
    let test = match test {
        Ok(test) => test,
        Err(why) => {
            let message = format!("wrong value for `{}`", shown(path));
            reader.report(Diagnostic::at(entry.at, message, why));
            return None;
        }
    };
    if let Some(verdict) = foregone(&test, &subject, path) {
        let message = format!("this is true of {verdict} value");
        let help = "an expectation that no run can decide claims nothing";
        reader.report(Diagnostic::at(entry.at, message, "claims nothing").help(help));
        return None;
    }
    if let Test::Compare(_, Operand::Path { variant, path: right, .. }) = &test
        && let Err(why) = right_side(reader.family, plan, others, variant.as_deref(), right)
    {
        let message = format!("`{}` is compared with nothing", shown(path));
        let help =
            "a number, a comparison such as \"<= 3\", or what else is measured: \"> variant.kill.lost\"";
        reader.report_relation(Diagnostic::at(entry.at, message, why).help(help));
        return None;
    }
    let text = format!("{path} {}", written(&entry.node));
    Some(Expectation { text, path: path.to_owned(), test })
}

fn written(node: &Node) -> String {
    match node {
        Node::Bool(value) => format!("= {value}"),
        Node::Int(value) => format!("= {value}"),
        Node::Float(value) => format!("= {value}"),
        Node::Text(text) if text.trim_start().starts_with(['<', '>', '=', '!']) => text.trim().to_owned(),
        Node::Text(text) => format!("= {}", text.trim()),
        _ => String::new(),
    }
}

/// A refusal: message, label, help.
type Refusal = (String, String, Option<String>);

fn subject(family: &dyn Family, plan: &Plan, path: &str) -> Result<Subject, Refusal> {
    if let Some(measure) = find(path) {
        return Ok(Subject::Measure(measure));
    }
    if let Some(fault) = path.strip_prefix("fault.").and_then(|rest| rest.strip_suffix(".fired")) {
        let names = || plan.faults.iter().map(|fault| fault.name.as_str());
        if names().any(|name| name == fault) {
            return Ok(Subject::Fired);
        }
        let help = nearest(fault, names()).map(|near| format!("did you mean `fault.{near}.fired`?"));
        return Err((format!("there is no fault `{}`", shown(fault)), "not declared".to_owned(), help));
    }
    if let Some((owner, rest)) = path.split_once('.') {
        let produces = plan.producers.iter().any(|one| one.name == owner);
        let subscribes = owner == "none" || plan.subscriptions().iter().any(|name| name == owner);
        if let Some(measure) = find(rest).filter(|_| produces || subscribes) {
            shared(family, plan, owner)?;
            let fits = match measure.of {
                Of::Subscription => subscribes,
                Of::Producer => produces,
                Of::Run => false,
            };
            let of = if subscribes { "a subscription" } else { "a producer" };
            let refusal = (format!("`{rest}` is not measured of {of}"), format!("`{owner}` is {of}"), None);
            return if fits { Ok(Subject::Measure(measure)) } else { Err(refusal) };
        }
    }
    if let Some((owner, message)) = message_of(path) {
        if let Some(owner) = owner {
            shared(family, plan, owner)?;
        }
        return one_fate(plan, owner, message).map(|()| Subject::State);
    }
    if let Some(owner) = order::owner(path) {
        return order::check(plan, owner).map(|()| Subject::Order);
    }
    if over_seeds::is_part(path) {
        let message = "`over_seeds` is no claim of one instant".to_owned();
        return Err((message, "it belongs to `[expect]`".to_owned(), None));
    }
    let last = path.rsplit('.').next().unwrap_or(path);
    if NOT_YET.iter().any(|name| *name == path || path.starts_with(&format!("{name}.")) || *name == last) {
        let message = format!("`{}` is not modelled yet", shown(path));
        return Err((message, "refused, not ignored".to_owned(), None));
    }
    match family.check_state(plan, path) {
        Ok(()) => Ok(Subject::State),
        Err(why) => {
            let help = nearest_path(plan, path).map(|near| format!("did you mean `{near}`?"));
            Err((format!("nothing is known as `{}`", shown(path)), why, help))
        }
    }
}

/// The message that a path asks the fate of, and at which subscription: `checkout#17.fate`, `billing.17.fate`, perhaps
/// with quotation marks.
fn message_of(path: &str) -> Option<(Option<&str>, &str)> {
    let rest = path.strip_suffix(".fate")?;
    let (owner, message) = rest.split_once('.').map_or((None, rest), |(owner, rest)| (Some(owner), rest));
    let message = message.trim_matches('"');
    let is_number = !message.is_empty() && message.bytes().all(|byte| byte.is_ascii_digit());
    (is_number || message.contains('#')).then_some((owner, message))
}

/// A consumer that takes from the place of another one has no subscription of its own.
fn shared(family: &dyn Family, plan: &Plan, owner: &str) -> Result<(), Refusal> {
    let Some(number) = plan.consumers.iter().position(|consumer| consumer.name == owner) else {
        return Ok(());
    };
    let first = &plan.consumers[family.shares(plan, number)].name;
    if first == owner {
        return Ok(());
    }
    let (owner, first) = (shown(owner), shown(first));
    let message = format!("`{owner}` shares the subscription of `{first}`");
    Err((message, "nothing is counted here".to_owned(), Some(format!("say it of `{first}`"))))
}

/// A message has one fate at each subscription: where there are several, one has to be named.
fn one_fate(plan: &Plan, owner: Option<&str>, message: &str) -> Result<(), Refusal> {
    let subscriptions = plan.subscriptions();
    match owner {
        Some(owner) if !subscriptions.iter().any(|one| one == owner) => {
            let known = || subscriptions.iter().map(String::as_str);
            let help = nearest(owner, known()).map(|near| format!("did you mean `{near}`?"));
            Err((
                format!("`{}` is no subscription", shown(owner)),
                "nobody of that name reads".to_owned(),
                help,
            ))
        }
        None if subscriptions.len() > 1 => {
            let (message, first) = (shown(message), &subscriptions[0]);
            let label = format!("whose? `{first}.\"{message}\".fate`");
            Err((format!("`{message}` has a fate at each of {}", subscriptions.join(", ")), label, None))
        }
        _ => one_message(plan, message),
    }
}

/// `checkout#17`, `checkout#long`: a producer, and one of its messages.
fn one_message(plan: &Plan, message: &str) -> Result<(), Refusal> {
    let unknown = format!("there is no message `{}`", shown(message));
    match exact::find(plan, message) {
        Ok(_) => Ok(()),
        Err(Nameless::NoMessage(why)) => Err((unknown, why, None)),
        Err(Nameless::WhichProducer) => {
            Err((unknown, "with several producers, name the message's: `checkout#17`".to_owned(), None))
        }
        Err(Nameless::NoProducer(owner)) => {
            let number = message.rsplit_once('#').map_or("", |(_, number)| number);
            let help = nearest(&owner, plan.producers.iter().map(|one| one.name.as_str()))
                .map(|near| format!("did you mean `{near}#{number}`?"));
            Err((unknown, format!("`{}` is no producer", shown(&owner)), help))
        }
    }
}

/// The measure, perhaps of a client, that a mistyped path is nearest to.
fn nearest_path(plan: &Plan, path: &str) -> Option<String> {
    let names = || MEASURES.iter().map(|measure| measure.name);
    if let Some(near) = nearest(path, names()) {
        return Some(near.to_owned());
    }
    let (owner, rest) = path.split_once('.')?;
    let mut owners = plan.subscriptions();
    owners.extend(plan.producers.iter().map(|one| one.name.clone()));
    let near_owner = nearest(owner, owners.iter().map(String::as_str))?;
    Some(format!("{near_owner}.{}", nearest(rest, names())?))
}

fn right_side(
    family: &dyn Family,
    plan: &Plan,
    others: Others<'_>,
    variant: Option<&str>,
    path: &str,
) -> Result<(), String> {
    let check = |plan: &Plan| subject(family, plan, path).map(|_| ()).map_err(|(message, ..)| message);
    match variant {
        None => check(plan),
        Some(name) => match others(name) {
            None => Err(format!("there is no variant `{}`", shown(name))),
            Some(None) => Ok(()),
            Some(Some(other)) => check(other),
        },
    }
}

fn test(node: &Node, subject: &Subject) -> Result<Test, String> {
    match node {
        Node::Bool(value) if matches!(subject, Subject::State) => Ok(Test::Is(Value::Bool(*value))),
        Node::Int(number) => {
            check_unit(Quantity::Number(*number as f64), subject)?;
            Ok(Test::Is(Value::Int(*number)))
        }
        Node::Float(number) => {
            let quantity = check_unit(Quantity::Number(*number), subject)?;
            Ok(Test::Compare(Comparison::Equal, Operand::Quantity(quantity)))
        }
        Node::Text(text) => text_test(text.trim(), subject),
        node => Err(format!("expected a number or a comparison such as `>= 1`, found {}", node.what())),
    }
}

const COMPARISONS: &[(&str, Comparison)] = &[
    ("<=", Comparison::AtMost),
    (">=", Comparison::AtLeast),
    ("!=", Comparison::NotEqual),
    ("==", Comparison::Equal),
    ("<", Comparison::Less),
    (">", Comparison::Greater),
    ("=", Comparison::Equal),
];

/// Signs that are none, and what was meant.
const MEANT: &[(&str, &str)] = &[("=>", ">="), ("=<", "<="), ("<>", "!="), ("=!", "!="), ("~", "==")];

fn text_test(text: &str, subject: &Subject) -> Result<Test, String> {
    if let Some((wrong, right)) = MEANT.iter().find(|(wrong, _)| text.starts_with(wrong)) {
        return Err(format!("`{wrong}` is no comparison: did you mean `{right}`?"));
    }
    for (sign, comparison) in COMPARISONS {
        if let Some(right) = text.strip_prefix(sign) {
            return Ok(Test::Compare(*comparison, operand(right.trim(), subject)?));
        }
    }
    if let Some((low, high)) = text.split_once("..") {
        return range(low.trim(), high.trim(), subject);
    }
    if let Some(quantity) = quantity(text) {
        return Ok(Test::Compare(Comparison::Equal, Operand::Quantity(check_unit(quantity, subject)?)));
    }
    if matches!(subject, Subject::State) && !text.starts_with("variant.") {
        return Ok(Test::Is(Value::Text(text.to_owned())));
    }
    Ok(Test::Compare(Comparison::Equal, operand(text, subject)?))
}

/// `3..=5`, `3..5`, `3..`, `..=5`.
fn range(low: &str, high: &str, subject: &Subject) -> Result<Test, String> {
    let (high, closed) = match high.strip_prefix('=') {
        Some(high) => (high.trim(), true),
        None => (high, false),
    };
    let end = |text: &str| {
        let quantity = quantity(text).ok_or("expected a range such as `3..=5`")?;
        check_unit(quantity, subject)
    };
    match (low, high) {
        ("", "") => Err("a range needs an end".to_owned()),
        (low, "") => Ok(Test::Compare(Comparison::AtLeast, Operand::Quantity(end(low)?))),
        ("", high) => {
            let comparison = if closed { Comparison::AtMost } else { Comparison::Less };
            Ok(Test::Compare(comparison, Operand::Quantity(end(high)?)))
        }
        (low, high) => {
            let (mut low, high) = (end(low)?, end(high)?);
            if let (Quantity::Number(0.0), Quantity::Percent(_)) = (low, high) {
                low = Quantity::Percent(0.0);
            }
            match (amount(low) < amount(high), closed && low == high) {
                (false, false) => Err("the range is empty".to_owned()),
                _ if std::mem::discriminant(&low) != std::mem::discriminant(&high) => {
                    Err("both ends need the same unit".to_owned())
                }
                _ => Ok(Test::Within(low, high, closed)),
            }
        }
    }
}

fn amount(quantity: Quantity) -> f64 {
    match quantity {
        Quantity::Number(amount) | Quantity::Percent(amount) | Quantity::Millis(amount) => amount,
    }
}

/// `10`, `50ms`, `10%`, `lost`, `10 * variant.kill.lost`.
fn operand(text: &str, subject: &Subject) -> Result<Operand, String> {
    if let Some(quantity) = quantity(text) {
        return Ok(Operand::Quantity(check_unit(quantity, subject)?));
    }
    let (factor, path) = match text.split_once('*') {
        Some((factor, path)) => (number_of(factor).ok_or("expected a number before `*`")?, path.trim()),
        None => (1.0, text),
    };
    if path.is_empty() || path.starts_with(|c: char| c.is_ascii_digit() || c == '-') {
        return Err(
            "expected a number, a time such as `50ms`, a share such as `10%`, or another path".to_owned()
        );
    }
    let (variant, path) = match path.strip_prefix("variant.") {
        Some(rest) => {
            let (variant, path) = split_variant(rest).ok_or("expected `variant.NAME.PATH`")?;
            (Some(variant), path)
        }
        None => (None, path),
    };
    Ok(Operand::Path { factor, variant, path: path.to_owned() })
}

/// `kill.lost`, `"acks=1".lost`.
fn split_variant(text: &str) -> Option<(String, &str)> {
    let (name, path) = match text.strip_prefix('"') {
        Some(rest) => {
            let (name, rest) = rest.split_once('"')?;
            (name, rest.strip_prefix('.')?)
        }
        None => text.split_once('.')?,
    };
    (!name.is_empty() && !path.is_empty()).then(|| (name.to_owned(), path))
}

fn quantity(text: &str) -> Option<Quantity> {
    if let Some(rest) = text.strip_prefix('-') {
        return number_of(rest).map(|number| Quantity::Number(-number));
    }
    if let Some(number) = number_of(text) {
        return Some(Quantity::Number(number));
    }
    match split_unit(text)? {
        (number, "%") => Some(Quantity::Percent(number)),
        (number, "/s") => Some(Quantity::Number(number)),
        _ => duration(text).ok().map(|span| Quantity::Millis(span.as_millis())),
    }
}

fn check_unit(quantity: Quantity, subject: &Subject) -> Result<Quantity, String> {
    let unit = match subject {
        Subject::Measure(measure) => measure.unit,
        Subject::Fired => Unit::Rate,
        Subject::State | Subject::Order => return Ok(quantity),
    };
    match (unit, quantity) {
        (Unit::Time, Quantity::Number(0.0)) => Ok(Quantity::Millis(0.0)),
        (Unit::Time, Quantity::Millis(_))
        | (Unit::Share | Unit::Count, Quantity::Number(_) | Quantity::Percent(_))
        | (Unit::Rate, Quantity::Number(_)) => Ok(quantity),
        (Unit::Time, _) => Err("expected a time such as `50ms`".to_owned()),
        (Unit::Share | Unit::Count, _) => Err("expected a number or a share such as `10%`".to_owned()),
        (Unit::Rate, _) => Err("expected a number".to_owned()),
    }
}

/// Whether the test is decided before any run: nothing is negative, and no share is above all.
fn foregone(test: &Test, subject: &Subject, path: &str) -> Option<&'static str> {
    let shared = matches!(subject, Subject::Measure(Measure { unit: Unit::Share, .. }));
    let top = |quantity: Quantity| match quantity {
        Quantity::Percent(_) if shared => 100.0,
        _ => f64::INFINITY,
    };
    let (every, none) = match test {
        Test::Compare(comparison, Operand::Quantity(quantity)) => {
            let (at, top) = (amount(*quantity), top(*quantity));
            match comparison {
                Comparison::AtLeast => (at <= 0.0, at > top),
                Comparison::Greater => (at < 0.0, at >= top),
                Comparison::AtMost => (at >= top, at < 0.0),
                Comparison::Less => (at > top, at <= 0.0),
                Comparison::NotEqual => (at < 0.0 || at > top, false),
                Comparison::Equal => (false, at < 0.0 || at > top),
            }
        }
        Test::Compare(comparison, Operand::Path { factor, variant: None, path: right }) => {
            let same = right == path && (*factor - 1.0).abs() < f64::EPSILON;
            let with_equal =
                matches!(comparison, Comparison::AtLeast | Comparison::AtMost | Comparison::Equal);
            (same && with_equal, same && !with_equal)
        }
        Test::Within(low, high, closed) => {
            let full = amount(*high) > top(*high) || (*closed && amount(*high) >= top(*high));
            (amount(*low) <= 0.0 && full, amount(*low) > top(*low) || amount(*high) < 0.0)
        }
        Test::Is(Value::Int(number)) => (false, *number < 0 && !matches!(subject, Subject::State)),
        _ => (false, false),
    };
    if every { Some("every") } else { none.then_some("no") }
}
