//! The only part that knows a terminal and a clock: draws when something changed, waits for keys, does errands.
//!
//! While nothing is played or recorded it sleeps until a key comes, and looks four times a second whether it was asked
//! to end. A panic, SIGTERM and Ctrl-Z leave the terminal as it was found.

use std::io::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use crossterm::event::{
    self, DisableMouseCapture, EnableMouseCapture, Event, KeyEventKind, MouseButton, MouseEvent,
    MouseEventKind,
};
use crossterm::execute;
use ratatui::DefaultTerminal;
use ratatui::layout::Rect;

use super::action::{Action, Far, Way};
use super::app::{App, Errand};
use super::jobs::{Desk, Found, Job};
use super::keymap::Chord;
use super::screen;
use super::shelf::Shelf;

/// Between two frames while something moves.
const FRAME: Duration = Duration::from_millis(33);
/// How long is waited for a key while something is being found out.
const SOON: Duration = Duration::from_millis(50);
/// How long is waited for a key while nothing goes on.
const IDLE: Duration = Duration::from_millis(250);
/// How long the program has to end by itself when it is asked to.
const GRACE: Duration = Duration::from_secs(1);
/// More time than this between two frames does not count: the program was suspended.
const GAP_MAX: Duration = Duration::from_millis(500);

/// The clock on the wall: only how fast a run is played depends on it.
#[expect(clippy::disallowed_methods, reason = "frames follow one another in the user's time")]
fn clock() -> Instant {
    Instant::now()
}

/// Shows the program until the user leaves it.
pub fn run(mut app: App, shelf: Arc<dyn Shelf>) -> io::Result<()> {
    let asked_to_end = Arc::new(AtomicBool::new(false));
    end_on_signals(&asked_to_end)?;
    // Without this a bug of crossterm 0.29 drops bold and reversed text under NO_COLOR; themes heed NO_COLOR.
    crossterm::style::force_color_output(true);
    let mut terminal = ratatui::try_init()?;
    give_mouse_back_on_panics();
    if app.has_mouse {
        execute!(io::stdout(), EnableMouseCapture)?;
    }
    let result = Program { terminal: &mut terminal, desk: Threads::new(shelf), asked_to_end }.run(&mut app);
    let _ = execute!(io::stdout(), DisableMouseCapture);
    ratatui::restore();
    result
}

/// A panic restores the rest of the terminal by what ratatui has put in its way.
fn give_mouse_back_on_panics() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let _ = execute!(io::stdout(), DisableMouseCapture);
        before(panic);
    }));
}

/// SIGTERM and SIGHUP ask the program to end. If it does not hear that, because crossterm 0.29 never returns from
/// reading a terminal that is gone, it is ended.
fn end_on_signals(asked_to_end: &Arc<AtomicBool>) -> io::Result<()> {
    use signal_hook::consts::{SIGHUP, SIGTERM};
    let mut signals = signal_hook::iterator::Signals::new([SIGTERM, SIGHUP])?;
    let asked_to_end = Arc::clone(asked_to_end);
    std::thread::spawn(move || {
        if signals.forever().next().is_some() {
            asked_to_end.store(true, Ordering::Relaxed);
            std::thread::sleep(GRACE);
            ratatui::restore();
            std::process::exit(0);
        }
    });
    Ok(())
}

/// The program at work.
struct Program<'a> {
    terminal: &'a mut DefaultTerminal,
    desk: Threads,
    asked_to_end: Arc<AtomicBool>,
}

impl Program<'_> {
    fn run(&mut self, app: &mut App) -> io::Result<()> {
        let mut is_stale = true;
        let mut ticked_at = clock();
        loop {
            if is_stale {
                app.prepare(&mut self.desk);
                self.draw(app)?;
            }
            is_stale = false;
            let wait = if !app.is_idle() {
                FRAME.saturating_sub(ticked_at.elapsed())
            } else if app.is_waiting() {
                SOON
            } else {
                IDLE
            };
            let mut wait = wait;
            while event::poll(wait)? {
                is_stale |= self.take(app, &event::read()?)?;
                wait = Duration::ZERO;
            }
            while let Some(found) = self.desk.found() {
                app.found(found);
                is_stale = true;
            }
            let elapsed = ticked_at.elapsed();
            if app.is_idle() {
                ticked_at = clock();
            } else if elapsed >= FRAME {
                ticked_at = clock();
                is_stale |= app.tick(elapsed.min(GAP_MAX).as_nanos() as u64);
            }
            while let Some(errand) = app.errand() {
                is_stale = true;
                if self.do_errand(app, errand)? {
                    return Ok(());
                }
            }
            if self.asked_to_end.load(Ordering::Relaxed) {
                return Ok(());
            }
        }
    }

    fn draw(&mut self, app: &App) -> io::Result<()> {
        self.terminal.draw(|frame| {
            let out = screen::draw(app, frame.area());
            *frame.buffer_mut() = out.buffer;
        })?;
        Ok(())
    }

    /// An event of the terminal; whether the screen is out of date.
    fn take(&mut self, app: &mut App, event: &Event) -> io::Result<bool> {
        match event {
            Event::Key(key) if key.kind == KeyEventKind::Press => {
                let Some(chord) = Chord::of(*key) else { return Ok(false) };
                app.press(chord);
                Ok(true)
            }
            Event::Mouse(mouse) => {
                let size = self.terminal.size()?;
                Ok(pointed(app, *mouse, Rect::new(0, 0, size.width, size.height)))
            }
            Event::Resize(..) => Ok(true),
            _ => Ok(false),
        }
    }

    /// Does what has to be done outside; true: the program ends.
    fn do_errand(&mut self, app: &mut App, errand: Errand) -> io::Result<bool> {
        match errand {
            Errand::Quit => return Ok(true),
            Errand::Suspend => self.suspend(app)?,
            Errand::Mouse(true) => execute!(io::stdout(), EnableMouseCapture)?,
            Errand::Mouse(false) => execute!(io::stdout(), DisableMouseCapture)?,
            Errand::Write { path, text } => {
                let result =
                    write(&path, &text).map_err(|why| super::words::unwritten(app.look.words, &path, &why));
                app.written(&path, result);
            }
        }
        Ok(false)
    }

    /// Back to the shell until it brings the program back.
    fn suspend(&mut self, app: &App) -> io::Result<()> {
        execute!(io::stdout(), DisableMouseCapture)?;
        ratatui::restore();
        signal_hook::low_level::emulate_default_handler(signal_hook::consts::SIGTSTP)?;
        *self.terminal = ratatui::try_init()?;
        if app.has_mouse {
            execute!(io::stdout(), EnableMouseCapture)?;
        }
        self.terminal.clear()
    }
}

/// A file that is there already is not overwritten.
fn write(path: &str, text: &str) -> io::Result<()> {
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(text.as_bytes())
}

/// The mouse: a click does what is drawn there, the wheel moves the selection.
fn pointed(app: &mut App, mouse: MouseEvent, area: Rect) -> bool {
    let action = match mouse.kind {
        MouseEventKind::Down(MouseButton::Left) => screen::draw(app, area).action_at(mouse.column, mouse.row),
        MouseEventKind::ScrollDown => Some(Action::Move(Way::On, Far::One)),
        MouseEventKind::ScrollUp => Some(Action::Move(Way::Back, Far::One)),
        _ => None,
    };
    let Some(action) = action else { return false };
    app.notice = None;
    app.is_new = false;
    app.act(&action);
    true
}

/// Jobs in threads of their own.
struct Threads {
    shelf: Arc<dyn Shelf>,
    sender: Sender<Found>,
    receiver: Receiver<Found>,
}

impl Threads {
    fn new(shelf: Arc<dyn Shelf>) -> Self {
        let (sender, receiver) = channel();
        Self { shelf, sender, receiver }
    }

    fn found(&self) -> Option<Found> {
        self.receiver.try_recv().ok()
    }
}

impl Desk for Threads {
    fn take(&mut self, job: Job) -> Option<Found> {
        let (shelf, sender) = (Arc::clone(&self.shelf), self.sender.clone());
        // If the program has ended meanwhile, nobody waits for what was found.
        std::thread::spawn(move || drop(sender.send(job.run(shelf.as_ref()))));
        None
    }
}
