//! The terminal view on a run of a million events: how long a frame takes, how soon the first one is there, and what
//! it costs to look at a run that stands still.

use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use mqlab::lab::record::Position;
use mqlab::lab::source::Opened;
use mqlab::scenario::{Scenario, Style};
use mqlab::sim::draw::{self, Purpose};
use mqlab::tui::action::View;
use mqlab::tui::app::App;
use mqlab::tui::jobs::{Desk, Found, Job};
use mqlab::tui::look::Look;
use mqlab::tui::screen;
use mqlab::tui::shelf::{Entry, Shelf};
use mqlab::tui::theme::Theme;
use portable_pty::{CommandBuilder, PtySize, native_pty_system};
use ratatui::layout::Rect;

use crate::cluster;
use crate::contest::{own_time, quantile, wall_time};

/// The screen that frames are measured on.
const SIZE: (u16, u16) = (120, 40);

/// Nothing else can be opened.
struct Empty;

impl Shelf for Empty {
    fn entries(&self) -> Vec<Entry> {
        Vec::new()
    }
    fn open(&self, name: &str) -> Result<Arc<dyn mqlab::lab::Source>, String> {
        Err(name.to_owned())
    }
}

/// Nobody answers: what is measured is the screen.
struct Nobody;

impl Desk for Nobody {
    fn take(&mut self, _: Job) -> Option<Found> {
        None
    }
}

/// Milliseconds, p99 over instants all over the run: to draw a frame, of the slowest view; and to go somewhere, fetch
/// what is near and draw it.
pub(crate) fn frames() -> (f64, f64) {
    let mut app = App::new(Look::new(Theme::Default, false), Arc::new(Empty));
    let text = cluster::text(100_000);
    let scenario = Scenario::read("limits", "limits.toml", text.as_bytes()).expect("the scenario is right");
    app.open(Arc::new(Opened::new(scenario, Style::Plain)), None, Some(1), Vec::new())
        .expect("the run can be looked at");
    let stage = app.stage_mut().expect("a run is shown");
    stage.record_all();
    let events = stage.recording().head().events();
    assert!(events > 1_000_000, "{events} events are no million");
    let area = Rect::new(0, 0, SIZE.0, SIZE.1);
    let mut random = draw::stream(1, Purpose::Test, 0, 0);
    let (mut slowest, mut moves) = (0.0, Vec::new());
    for view in View::ALL {
        let mut frames = Vec::new();
        for _ in 0..100 {
            let to = Position::Event(draw::below(draw::next(&mut random), events) + 1);
            moves.push(own_time(|| {
                let stage = app.stage_mut().expect("a run is shown");
                stage.pick.view = view;
                stage.seek(to);
                app.prepare(&mut Nobody);
                std::hint::black_box(screen::draw(&app, area));
            }));
            frames.push(own_time(|| drop(std::hint::black_box(screen::draw(&app, area)))));
        }
        let p99 = quantile(frames, 0.99);
        println!("a frame of {}: {p99:.2} ms", view.name());
        slowest = f64::max(slowest, p99);
    }
    (slowest, quantile(moves, 0.99))
}

/// The program in a terminal: milliseconds until the first frame of a run is there, and what share of a processor it
/// takes while nothing moves, in percent.
pub(crate) fn in_a_terminal(program: &Path) -> (f64, f64) {
    let size = PtySize { rows: SIZE.1, cols: SIZE.0, pixel_width: 0, pixel_height: 0 };
    let pair = native_pty_system().openpty(size).expect("there is a pseudo-terminal");
    let mut reader = pair.master.try_clone_reader().expect("the terminal can be read");
    let mut command = CommandBuilder::new(program);
    command.args(["tui", "kafka/acks-one"]);
    command.env("TERM", "xterm-256color");
    let mut child = None;
    let first = wall_time(|| {
        child = Some(pair.slave.spawn_command(command).expect("the program starts"));
        let (mut seen, mut bytes) = (Vec::new(), [0; 4096]);
        // The last row of a frame is its footer.
        while !String::from_utf8_lossy(&seen).contains("Space") {
            let Ok(count @ 1..) = reader.read(&mut bytes) else { break };
            seen.extend_from_slice(&bytes[..count]);
        }
    });
    let mut child = child.expect("the program starts");
    let drain = std::thread::spawn(move || while let Ok(1..) = reader.read(&mut [0; 4096]) {});
    // Until the run is recorded and its causes are known, there is something to do.
    std::thread::sleep(Duration::from_secs(20));
    let pid = child.process_id().unwrap_or_default();
    let before = ticks(pid);
    std::thread::sleep(Duration::from_secs(10));
    // A tick of the kernel's account is a hundredth of a second.
    let share = (ticks(pid) - before) / 100.0 / 10.0 * 100.0;
    let _ = child.kill();
    let _ = child.wait();
    drop(pair);
    let _ = drain.join();
    (first, share)
}

/// The processor time of a process so far, in ticks.
fn ticks(pid: u32) -> f64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields: Vec<_> = text.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let field = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok()).unwrap_or(f64::NAN);
    field(11) + field(12)
}
