//! The pages, in Markdown.

use std::fmt::Write as _;

use mqlab::ledger::measure::Measured;

use super::evidence::{Evidence, Fact, Facts, Row, Runs, SEEDS, Values};

const FIDELITY: &str = "\
# What others found, and what mqlab gives

Written by `cargo run --release --example fidelity`; do not edit. The facts, and the bounds within which
a run is said to agree, stand in `docs/facts`, a file a family; the verdict is computed from them.

**agrees**: with every seed the value lies within the bounds that were drawn around what was published.
**direction only**: it shows the same effect, and its size says nothing. **differs**: it does not, and
the note says why. A row is one measure of one variant; its three numbers are the least, the median and
the greatest of ";

const MEASURED: &str = "
What was measured is the least, the median and the greatest value of so many runs on real nodes. ";

const CLAIMS: &str = "\
# What mqlab shows

Written by `cargo run --release --example fidelity`; do not edit. Each claim stands with the scenarios
that show it and with what each of their variants gave in the run with the file's own seed. `mqlab
explain SCENARIO` says why.
";

/// In which unit a row is shown.
#[derive(Clone, Copy, PartialEq)]
enum Unit {
    Plain,
    Percent,
    Seconds,
    Millis,
}

/// A range with its unit.
#[derive(Clone, Copy)]
struct Bounds {
    low: f64,
    high: f64,
    unit: Unit,
}

impl Bounds {
    /// `0`, `>= 1`, `<= 30%`, `5s..=7s`.
    fn read(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no range");
        let number = |part: &str| {
            let part = part.trim();
            let digits = part.trim_end_matches(|c: char| c.is_alphabetic() || c == '%' || c == ' ');
            let unit = match part[digits.len()..].trim() {
                "" => Unit::Plain,
                "%" => Unit::Percent,
                "s" => Unit::Seconds,
                "ms" => Unit::Millis,
                _ => return Err(wrong()),
            };
            digits.replace('_', "").parse::<f64>().map(|number| (number, unit)).map_err(|_| wrong())
        };
        let (low, high, unit) = if let Some((low, high)) = text.split_once("..=") {
            let ((low, _), (high, unit)) = (number(low)?, number(high)?);
            (low, high, unit)
        } else if let Some(rest) = text.strip_prefix(">=") {
            let (low, unit) = number(rest)?;
            (low, f64::INFINITY, unit)
        } else if let Some(rest) = text.strip_prefix("<=") {
            let (high, unit) = number(rest)?;
            (0.0, high, unit)
        } else {
            let (exactly, unit) = number(text)?;
            (exactly, exactly, unit)
        };
        if low <= high { Ok(Self { low, high, unit }) } else { Err(wrong()) }
    }
}

impl Row {
    fn bounds(&self, text: Option<&String>) -> Result<Option<Bounds>, String> {
        text.map(|text| Bounds::read(text)).transpose().map_err(|why| format!("{}: {why}", self.scenario))
    }

    fn unit(&self) -> Unit {
        let first = self.agrees.as_ref().or(self.direction.as_ref());
        self.bounds(first).ok().flatten().map_or(Unit::Plain, |bounds| bounds.unit)
    }

    /// What the row says of one run, in the row's unit.
    fn shown(&self, values: &Values, base: Option<&Values>) -> (Option<f64>, String) {
        if let Some(base) = base {
            let share = self.number(values).zip(self.number(base)).map(|(own, base)| own / base);
            return (share, share.map_or_else(|| "never".to_owned(), |share| format!("{share:.3}")));
        }
        if self.same.is_some() {
            return (None, values.get(&self.measure).map_or_else(|| "never".to_owned(), ToString::to_string));
        }
        let number = self.number(values);
        let text = number.map_or_else(
            || "never".to_owned(),
            |number| match self.unit() {
                Unit::Plain => format!("{number:.0}"),
                Unit::Percent => format!("{number:.1} %"),
                Unit::Seconds => format!("{number:.2} s"),
                Unit::Millis => format!("{number:.2} ms"),
            },
        );
        (number, text)
    }

    /// Its measure in one run, in its unit.
    fn number(&self, values: &Values) -> Option<f64> {
        match (values.get(&self.measure), self.unit()) {
            (Some(Measured::Count { n, of }), Unit::Percent) => Some(*n as f64 * 100.0 / (*of).max(1) as f64),
            (Some(Measured::Count { n, .. }), _) => Some(*n as f64),
            (Some(Measured::Time(Some(time))), Unit::Millis) => Some(time.as_millis()),
            (Some(Measured::Time(Some(time))), _) => Some(time.as_millis() / 1000.0),
            (Some(Measured::Rate(rate)), _) => *rate,
            (Some(Measured::State(state)), _) => Measured::State(state.clone()).to_string().parse().ok(),
            (Some(Measured::Time(None) | Measured::Share { .. }) | None, _) => None,
        }
    }

    /// The verdict on the least, the median and the greatest value, as they are shown.
    fn verdict(&self, id: &str, spread: &str) -> Result<String, String> {
        let numbers: Vec<Option<f64>> = spread
            .split(" / ")
            .map(|shown| shown.trim_end_matches(['%', 'm', 's', ' ']).parse().ok())
            .collect();
        let within = |bounds: Option<Bounds>| {
            bounds.is_some_and(|Bounds { low, high, .. }| {
                numbers.len() == 3 && numbers.iter().all(|one| one.is_some_and(|n| low <= n && n <= high))
            })
        };
        let is_same = self.same.as_ref().is_some_and(|same| spread.split(" / ").all(|one| one == same));
        let (agrees, direction) = (self.bounds(self.agrees.as_ref())?, self.bounds(self.direction.as_ref())?);
        let verdict = match (is_same || within(agrees), within(direction)) {
            (true, _) => "agrees",
            (false, true) => "direction only",
            (false, false) => "differs",
        };
        match (verdict, &self.why) {
            ("differs", Some(why)) => Ok(format!("differs: {why}")),
            ("differs", None) => Err(format!("{id}: {spread} differs, and docs/facts gives no `why`")),
            (_, Some(_)) => Err(format!("{id}: {verdict}, and docs/facts says why it differs")),
            (_, None) => Ok(verdict.to_owned()),
        }
    }
}

/// What a row says of each run.
fn of_row<'a>(row: &'a Row, runs: &'a Runs) -> impl Iterator<Item = (Option<f64>, String)> + 'a {
    let key = |variant: &str, n| (row.scenario.clone(), variant.to_owned(), n);
    let own = runs.range(key(&row.variant, 0)..=key(&row.variant, u64::MAX));
    own.map(move |((_, _, n), values)| {
        row.shown(values, row.over.as_ref().and_then(|over| runs.get(&key(over, *n))))
    })
}

/// The least, the median and the greatest value of a row.
pub(crate) fn spread(row: &Row, runs: &Runs) -> String {
    let mut all: Vec<_> = of_row(row, runs).collect();
    all.sort_by(|(left, left_text), (right, right_text)| {
        let number = |one: &Option<f64>| one.unwrap_or(f64::INFINITY);
        number(left).total_cmp(&number(right)).then_with(|| left_text.cmp(right_text))
    });
    let at = |index: usize| all.get(index).map_or("nothing", |(_, text)| text.as_str());
    format!("{} / {} / {}", at(0), at(all.len() / 2), at(all.len().saturating_sub(1)))
}

/// Where a family's page is.
pub(crate) fn path(facts: &Facts) -> String {
    format!("docs/fidelity/{}.md", facts.family)
}

/// A family's page below `docs/fidelity`; `spread` gives the three numbers of a row.
pub(crate) fn fidelity(
    evidence: &Evidence,
    facts: &Facts,
    runs: &Runs,
    spread: &dyn Fn(&Row, &str) -> Option<String>,
) -> Result<String, String> {
    let mut page = format!("{FIDELITY}{SEEDS} seeds.\n");
    if let Some(about) = &facts.about {
        page.push_str(MEASURED);
        page.push_str(about.trim());
        page.push('\n');
    }
    let mut mistakes = Vec::new();
    for (id, fact) in &facts.all {
        section(&mut page, evidence, facts, id, fact);
        let known = if fact.rows.iter().any(|row| row.measured.is_some()) { "measured" } else { "published" };
        if !fact.rows.is_empty() {
            write!(page, "\n| row | scenario and variant | measure | {known} | scale |")
                .expect("a string takes any text");
            page.push_str(" least / median / greatest | first two seeds | verdict |\n");
            page.push_str("|---|---|---|---|---|---|---|---|\n");
        }
        for (number, row) in fact.rows.iter().enumerate() {
            let id = format!("{id}.{}", number + 1);
            let spread = spread(row, &id).ok_or_else(|| format!("{id} is not on the page"))?;
            let first: Vec<_> = of_row(row, runs).take(2).map(|(_, text)| text).collect();
            let verdict = row.verdict(&id, &spread).unwrap_or_else(|why| {
                mistakes.push(why);
                String::new()
            });
            let cells = [
                id,
                format!("{}, {}", link("../..", &row.scenario), row.variant),
                match &row.over {
                    None => format!("`{}`", row.measure),
                    Some(over) => format!("`{}` over that of {over}", row.measure),
                },
                row.known(),
                row.scale.clone().unwrap_or_else(|| format!("as {known}")),
                spread,
                first.join(", "),
                row.note
                    .as_ref()
                    .map_or_else(|| format!("**{verdict}**"), |note| format!("**{verdict}**. {note}")),
            ];
            let cells = cells.map(|cell| cell.replace('|', "/"));
            writeln!(page, "| {} |", cells.join(" | ")).expect("a string takes any text");
        }
    }
    if mistakes.is_empty() { Ok(page) } else { Err(mistakes.join("\n")) }
}

fn section(page: &mut String, evidence: &Evidence, facts: &Facts, id: &str, fact: &Fact) {
    let sources: Vec<_> =
        fact.sources.iter().enumerate().map(|(at, url)| format!("[{}]({url})", at + 1)).collect();
    let sources = if sources.is_empty() { String::new() } else { format!(" {}", sources.join(" ")) };
    let how = fact.how.as_ref().map(|how| format!(" ({how})")).unwrap_or_default();
    let (kind, text) = (&fact.kind, &fact.text);
    write!(page, "\n## {id}\n\n*{kind}* {text}{how}{sources}\n").expect("a string takes any text");
    if let Some(releases) = &fact.switch {
        write!(page, "\nThe model has this bug {releases}.\n").expect("a string takes any text");
    }
    if let Some((what, why)) = fact.why_none() {
        write!(page, "\n**{what}**: {why}\n").expect("a string takes any text");
    }
    if !fact.tests.is_empty() {
        let tests: Vec<_> = fact.tests.iter().map(|test| format!("`{test}`")).collect();
        write!(page, "\nHeld by the tests {}.\n", tests.join(", ")).expect("a string takes any text");
    }
    let named = evidence.lessons.iter().map(|lesson| &lesson.scenario);
    let named = named.filter(|one| one.family == facts.family && one.facts.iter().any(|named| named == id));
    let named: Vec<_> = named.map(|scenario| link("../..", &scenario.name)).collect();
    if fact.rows.is_empty() && (!named.is_empty() || fact.why_none().is_none() && fact.tests.is_empty()) {
        let named = if named.is_empty() { "no scenario yet".to_owned() } else { named.join(", ") };
        write!(page, "\nNo number of its own; held by the expectations of: {named}.\n")
            .expect("a string takes any text");
    }
}

/// `root` leads from the page to the project.
fn link(root: &str, scenario: &str) -> String {
    format!("[{scenario}]({root}/scenarios/{scenario}.toml)")
}

/// `docs/claims.md`.
pub(crate) fn claims(evidence: &Evidence, runs: &Runs) -> String {
    let mut page = CLAIMS.to_owned();
    for (id, claim) in &evidence.claims {
        write!(page, "\n## {id}\n\n{} To be seen: {}.\n", claim.text, claim.shown)
            .expect("a string takes any text");
        for lesson in &evidence.lessons {
            let scenario = &lesson.scenario;
            if !scenario.claims.iter().any(|one| one == id) {
                continue;
            }
            let question = scenario.words.question.as_deref().unwrap_or_default();
            write!(page, "\n{}: {question}\n\n", link("..", &scenario.name))
                .expect("a string takes any text");
            for (variant, plan) in &lesson.plans {
                let values = &runs[&(scenario.name.clone(), variant.clone(), 0)];
                let paths = plan.expectations.iter().map(|one| &one.path);
                let gave = paths.filter_map(|path| Some(format!("{path} {}", values.get(path)?)));
                let gave: Vec<_> = gave.collect();
                writeln!(page, "- **{variant}**: {}", gave.join(", ")).expect("a string takes any text");
            }
        }
    }
    page
}
