//! Checks for other programs: `JUnit` XML, and the annotations of GitHub's workflow commands.

use super::paint::put;
use crate::lab::check::{Report, Status};

/// One run as a test case.
pub fn case(report: &Report) -> String {
    let outcome = &report.outcome;
    let class = escaped(&outcome.plan.scenario);
    let name = escaped(&name(report));
    let mut out = format!("  <testcase classname=\"{class}\" name=\"{name}\"");
    match &report.status {
        Status::Passed => out.push_str("/>\n"),
        Status::Failed => {
            let text = escaped(&format!("{}\n{}", failures(report).join("\n"), report.replay));
            put!(out, ">\n    <failure message=\"a claim does not hold\">{text}</failure>\n  </testcase>\n");
        }
        Status::Nothing(reasons) => {
            let text = escaped(&format!("{}\n{}", reasons.join("\n"), report.replay));
            put!(out, ">\n    <error message=\"establishes nothing\">{text}</error>\n  </testcase>\n");
        }
    }
    out
}

/// A test case that could not be made, and why: a file with mistakes, runs that an interrupt kept from being made.
pub fn error(what: &str, why: &str) -> String {
    let (what, why) = (escaped(what), escaped(why));
    format!(
        "  <testcase classname=\"{what}\" name=\"not run\">\n\
         <error message=\"not run\">{why}</error>\n  </testcase>\n"
    )
}

/// The whole file.
pub fn file(cases: &[String], failed: u64, nothing: u64) -> String {
    let tests = cases.len();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <testsuite name=\"mqlab\" tests=\"{tests}\" failures=\"{failed}\" errors=\"{nothing}\">\n\
         {}</testsuite>\n",
        cases.concat()
    )
}

/// One line for each claim that does not hold, and for each reason why nothing was established.
pub fn annotations(report: &Report) -> String {
    let scenario = &report.outcome.plan.scenario;
    let is_path = scenario.to_lowercase().ends_with(".toml");
    let path = if is_path { scenario.clone() } else { format!("scenarios/{scenario}.toml") };
    let why = match &report.status {
        Status::Passed => Vec::new(),
        Status::Failed => failures(report),
        Status::Nothing(reasons) => {
            reasons.iter().map(|reason| format!("establishes nothing: {reason}")).collect()
        }
    };
    let mut out = String::new();
    for one in why {
        let text = format!("{}: {one}\n{}", name(report), report.replay);
        put!(out, "::error file={}::{}\n", property(&path), data(&text));
    }
    out
}

/// One line for each mistake of a file that could not be read, where it is.
pub fn mistakes(path: &str, text: &str) -> String {
    let mut out = String::new();
    for one in text.split("\n\n").filter(|one| !one.trim().is_empty()) {
        let place = one.lines().find_map(|line| line.trim().strip_prefix("--> "));
        let mut numbers = place.map(|place| place.rsplitn(3, ':')).into_iter().flatten();
        let (column, line) = (numbers.next(), numbers.next());
        let at = match (line, column) {
            (Some(line), Some(column)) => format!(",line={line},col={column}"),
            _ => String::new(),
        };
        put!(out, "::error file={}{at}::{}\n", property(path), data(one.trim()));
    }
    out
}

fn name(report: &Report) -> String {
    let variant = report.outcome.plan.variant.as_deref().map_or_else(String::new, |name| format!("{name}, "));
    format!("{variant}seed {}", report.outcome.seed)
}

fn failures(report: &Report) -> Vec<String> {
    let failed = report.checked.iter().filter(|checked| !checked.holds);
    let text = |observed: Option<String>| observed.unwrap_or_else(|| "nothing".to_owned());
    failed
        .map(|one| {
            let observed = text(one.observed.as_ref().map(ToString::to_string));
            format!("expected {}, observed {observed}", one.text)
        })
        .collect()
}

/// For XML 1.0: its five characters escaped, and a sign instead of what it cannot hold.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\n' | '\t' => out.push(c),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// The text of a workflow command.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A property of a workflow command.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_a_field_is_escaped() {
        assert_eq!(escaped("a<b>&\"'\u{1b}\n"), "a&lt;b&gt;&amp;&quot;&apos;\u{fffd}\n");
        assert_eq!(property("a:b,c%\n"), "a%3Ab%2Cc%25%0A");
    }
}
