//! The harness: contests between what mqlab does and what would be possible, and the table they end in.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::{fs, time::Instant};

/// One line of the table: a measure, what it must not exceed (gate) and what we aim for (goal).
pub(crate) struct Contest {
    /// What is measured.
    pub(crate) name: &'static str,
    /// The unit of `ours` and `limit`.
    pub(crate) unit: &'static str,
    /// What mqlab takes.
    pub(crate) ours: f64,
    /// What the yardstick takes; none: the measure stands for itself.
    pub(crate) limit: Option<f64>,
    /// What is judged: the median of the ratios of all rounds, or `ours` where there is no yardstick.
    pub(crate) judged: f64,
    /// What is aimed for.
    pub(crate) goal: f64,
    /// What must hold.
    pub(crate) gate: f64,
}

/// What is aimed for, and what must hold.
#[derive(Clone, Copy)]
pub(crate) struct Target {
    /// Said out loud.
    pub(crate) goal: f64,
    /// Must hold.
    pub(crate) gate: f64,
}

impl Contest {
    /// Runs both in turn, `rounds` times, and judges the median of the ratios. Each returns how many units of work
    /// it did; what is compared is CPU time of the process per unit, in nanoseconds.
    pub(crate) fn in_turn(
        name: &'static str,
        target: Target,
        rounds: usize,
        mut ours: impl FnMut() -> u64,
        mut limit: impl FnMut() -> u64,
    ) -> Self {
        let mut rows: Vec<[f64; 3]> = Vec::new();
        for round in 0..=rounds {
            let (a, b) = (nanoseconds_per_unit(&mut ours), nanoseconds_per_unit(&mut limit));
            // The first round warms caches and allocators up.
            if round > 0 {
                rows.push([a, b, a / b]);
            }
        }
        let [ours, limit, judged] = [0, 1, 2].map(|at| median(rows.iter().map(|row| row[at]).collect()));
        Self { name, unit: "ns", ours, limit: Some(limit), judged, goal: target.goal, gate: target.gate }
    }

    /// A measure that stands for itself.
    pub(crate) fn of(name: &'static str, unit: &'static str, target: Target, ours: f64) -> Self {
        Self { name, unit, ours, limit: None, judged: ours, goal: target.goal, gate: target.gate }
    }

    /// Whether the gate holds. A measure that is not a number holds nothing.
    pub(crate) fn holds(&self) -> bool {
        self.judged <= self.gate
    }

    fn row(&self) -> [String; 7] {
        let verdict = match (self.holds(), self.judged <= self.goal) {
            (true, true) => "PASS, goal met",
            (true, false) => "PASS",
            (false, _) => "over",
        };
        [
            self.name.to_owned(),
            format!("{:.1} {}", self.ours, self.unit),
            self.limit.map_or_else(|| "-".to_owned(), |limit| format!("{limit:.1} {}", self.unit)),
            format!("{:.2}", self.judged),
            format!("{}", self.goal),
            format!("{}", self.gate),
            verdict.to_owned(),
        ]
    }
}

/// All contests in one aligned table.
pub(crate) fn table(contests: &[Contest]) -> String {
    let head = ["measure", "ours", "limit", "judged", "goal", "gate", "verdict"].map(str::to_owned);
    let rows: Vec<_> = std::iter::once(head).chain(contests.iter().map(Contest::row)).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let widths: Vec<_> = (0..7).map(width).collect();
    let mut text = String::new();
    for row in &rows {
        let mut line = format!("{:<1$}", row[0], widths[0]);
        for (cell, width) in row.iter().zip(&widths).skip(1).take(5) {
            let _ = write!(line, "  {cell:>width$}");
        }
        let _ = writeln!(text, "{line}  {}", row[6]);
    }
    text
}

/// The middle one; the upper of the two where there are two.
pub(crate) fn median(values: Vec<f64>) -> f64 {
    quantile(values, 0.5)
}

/// The value that this share of all values lies below.
pub(crate) fn quantile(mut values: Vec<f64>, share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let at = (values.len() as f64 * share) as usize;
    values.get(at.min(values.len().saturating_sub(1))).copied().unwrap_or(f64::NAN)
}

/// CPU time of this process's main thread so far, in nanoseconds. Yielding makes the kernel bring its account up to
/// date, which it otherwise does only at its next tick.
pub(crate) fn cpu_time() -> f64 {
    std::thread::yield_now();
    let text = fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    text.split_whitespace().next().and_then(|field| field.parse().ok()).unwrap_or(f64::NAN)
}

/// The most memory that this process ever had resident, in bytes.
pub(crate) fn peak_memory() -> f64 {
    let text = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib =
        line.and_then(|rest| rest.split_whitespace().next()).and_then(|field| field.parse::<f64>().ok());
    kib.map_or(f64::NAN, |kib| kib * 1024.0)
}

/// Bytes for each further message: the slope of the peak memory between two children of this program, which run
/// `subject` with 100,000 and with 1,000,000 messages.
pub(crate) fn memory_per_message(subject: &str) -> f64 {
    let (few, many) = (100_000, 1_000_000);
    (memory_of_child(subject, many) - memory_of_child(subject, few)) / f64::from(many - few)
}

/// Milliseconds from start to end of `program --version`: the median of 21 starts.
pub(crate) fn start_time(program: &Path) -> f64 {
    median((0..21).map(|_| wall_time(|| drop(run_silently(program)))).collect())
}

/// Milliseconds that something takes by the clock on the wall.
#[expect(clippy::disallowed_methods, reason = "this is about the time that people wait")]
pub(crate) fn wall_time(work: impl FnOnce()) -> f64 {
    let before = Instant::now();
    work();
    before.elapsed().as_secs_f64() * 1e3
}

/// Milliseconds of CPU time that something takes: what one waits when nobody else wants the machine.
pub(crate) fn own_time(work: impl FnOnce()) -> f64 {
    let before = cpu_time();
    work();
    (cpu_time() - before) / 1e6
}

/// The size of a file in MiB.
pub(crate) fn size(path: &Path) -> f64 {
    fs::metadata(path).map_or(f64::NAN, |meta| meta.len() as f64 / f64::from(1 << 20))
}

fn run_silently(program: &Path) -> std::io::Result<std::process::ExitStatus> {
    Command::new(program).arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).status()
}

fn memory_of_child(subject: &str, messages: u32) -> f64 {
    let arguments = ["--measure-memory".to_owned(), messages.to_string(), subject.to_owned()];
    let child = std::env::current_exe().and_then(|path| Command::new(path).args(arguments).output());
    let text = child.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    text.trim().parse().unwrap_or(f64::NAN)
}

fn nanoseconds_per_unit(work: &mut impl FnMut() -> u64) -> f64 {
    let before = cpu_time();
    let units = work();
    (cpu_time() - before) / units as f64
}
