//! The real program in a pseudo-terminal: two faults and a setting by hand, written down, replayed and held by `check`.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

use crate::kit::{LEADER_DIES, root};

/// How long something may take on a busy machine before a test gives up.
const PATIENCE: Duration = Duration::from_mins(1);

#[expect(clippy::disallowed_methods, reason = "a test that waits for ever tells nobody anything")]
fn clock() -> Instant {
    Instant::now()
}

/// A terminal with the program in it.
struct Terminal {
    screen: Arc<Mutex<vt100::Parser>>,
    raw: Arc<Mutex<Vec<u8>>>,
    keys: Box<dyn std::io::Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    _master: Box<dyn MasterPty + Send>,
}

impl Terminal {
    fn start(arguments: &[&str], folder: &Path, (cols, rows): (u16, u16)) -> Self {
        let size = PtySize { rows, cols, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).expect("there is a pseudo-terminal");
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_mqlab"));
        command.args(arguments);
        command.cwd(folder);
        command.env("TERM", "xterm-256color");
        command.env("LC_ALL", "C.UTF-8");
        let child = pair.slave.spawn_command(command).expect("the program starts");
        drop(pair.slave);
        let screen = Arc::new(Mutex::new(vt100::Parser::new(nonzero(rows), nonzero(cols), 0)));
        let raw = Arc::new(Mutex::new(Vec::new()));
        let mut reader = pair.master.try_clone_reader().expect("the terminal can be read");
        let (shown, kept) = (Arc::clone(&screen), Arc::clone(&raw));
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = reader.read(&mut bytes) {
                shown.lock().expect("nobody panicked").process(&bytes[..count]);
                kept.lock().expect("nobody panicked").extend_from_slice(&bytes[..count]);
            }
        });
        let keys = pair.master.take_writer().expect("the terminal can be written to");
        Self { screen, raw, keys, child, _master: pair.master }
    }

    fn text(&self) -> String {
        self.screen.lock().expect("nobody panicked").screen().contents()
    }

    /// Types, and waits until the screen shows something.
    fn types(&mut self, keys: &str, until: &str) {
        self.keys.write_all(keys.as_bytes()).expect("the terminal takes keys");
        self.keys.flush().expect("the terminal takes keys");
        self.wait_for(until);
    }

    fn wait_for(&self, until: &str) {
        let begun = clock();
        while !self.text().contains(until) {
            assert!(begun.elapsed() < PATIENCE, "no {until:?} on\n{}", self.text());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// How the program ended.
    fn ends(mut self) -> (u32, String) {
        let begun = clock();
        let code = loop {
            if let Some(status) = self.child.try_wait().expect("the program can be waited for") {
                break status.exit_code();
            }
            assert!(begun.elapsed() < PATIENCE, "it does not end\n{}", self.text());
            std::thread::sleep(Duration::from_millis(20));
        };
        std::thread::sleep(Duration::from_millis(200));
        let raw = self.raw.lock().expect("nobody panicked");
        (code, String::from_utf8_lossy(&raw).into_owned())
    }
}

fn nonzero(size: u16) -> std::num::NonZeroU16 {
    std::num::NonZeroU16::new(size).expect("a terminal has a size")
}

/// The terminal is as it was found: the alternate screen is left, the cursor shown.
fn is_restored(output: &str) -> bool {
    let last = |one: &str| output.rfind(one);
    last("\u{1b}[?1049l") > last("\u{1b}[?1049h") && last("\u{1b}[?25h") > last("\u{1b}[?25l")
}

fn scratch(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("a folder can be made");
    folder
}

fn mqlab(arguments: &[&str], folder: &Path) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_mqlab"))
        .args(arguments)
        .current_dir(folder)
        .output()
        .expect("the program runs");
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.code().unwrap_or(-1), text)
}

#[test]
fn what_was_done_by_hand_is_written_and_replays_to_the_same_digest() {
    let folder = scratch("by-hand");
    let scenario = root().join(LEADER_DIES);
    let mut terminal =
        Terminal::start(&["tui", &scenario.display().to_string(), "--variant", "acks=1"], &folder, (80, 24));
    terminal.wait_for("1 Cluster");
    // A fault: broker-1, which is selected, is frozen for a second.
    terminal.types("t300ms\r", "0.3000s");
    terminal.types("f", "Do what to broker-1 at 0.3000s?");
    let down = "j".repeat(menu_row(&terminal.text(), "freeze", "kill"));
    terminal.types(&format!("{down}\r"), "freeze broker-1: for how long?");
    terminal.types("kk\r", "done: freeze broker-1 for 1s");
    // Another one, on the broker below it: it loses its power for five seconds.
    terminal.types("t2s\r", "2.0000s");
    terminal.types("jf", "Do what to broker-2 at 2.0000s?");
    terminal.types("j\r", "power_off broker-2: for how long?");
    terminal.types("k\r", "done: power_off broker-2 for 5s");
    // And a setting.
    terminal.types("sproducer acks\r", "producer.checkout acks ");
    terminal.types("all\r", "done: acks = all");
    terminal.types("8G", "digest");
    let digest = digest_on(&terminal.text());
    terminal.types("w", "Write this branch to which file?");
    terminal.types(&format!("{}session\r", "\u{7f}".repeat(40)), "written to session.toml");
    terminal.keys.write_all(b"q").expect("the terminal takes keys");
    let (code, output) = terminal.ends();
    assert_eq!(code, 0);
    assert!(is_restored(&output));

    let text = std::fs::read_to_string(folder.join("session.toml")).expect("the session was written");
    assert!(text.contains("freeze") && text.contains("power_off") && text.contains("acks"), "{text}");
    let (code, said) = mqlab(&["check", "session.toml"], &folder);
    assert_eq!(code, 0, "{said}\n{text}");
    let (_, json) = mqlab(&["run", "session.toml", "--format", "json"], &folder);
    assert!(json.contains(&format!("\"digest\":\"{digest}\"")), "not {digest}: {json}");
}

/// How many rows below the first one that can be chosen a row of the menu is.
fn menu_row(screen: &str, row: &str, first: &str) -> usize {
    let begins = |line: &str, word: &str| {
        let row = line.split('┃').nth(1).unwrap_or_default().trim_start_matches([' ', '›']);
        row.split_whitespace().next() == Some(word)
    };
    let lines: Vec<_> = screen.lines().collect();
    let at = |word: &str| lines.iter().position(|line| begins(line, word));
    let (Some(from), Some(to)) = (at(first), at(row)) else { panic!("no {row} in\n{screen}") };
    to - from
}

/// The digest that the verdict shows.
fn digest_on(screen: &str) -> String {
    let after = screen.split("digest").nth(1).expect("the verdict names the digest");
    let word = after.split_whitespace().find(|word| word.len() >= 16).expect("it is a word");
    word.chars().filter(char::is_ascii_hexdigit).collect()
}

#[test]
fn a_terminal_is_restored_when_the_program_is_told_to_end() {
    let scenario = root().join(LEADER_DIES);
    let terminal = Terminal::start(&["tui", &scenario.display().to_string()], &root(), (60, 18));
    terminal.wait_for("Cluster");
    let pid = terminal.child.process_id().expect("it runs");
    let killed = Command::new("kill").args(["-TERM", &pid.to_string()]).status().expect("kill is there");
    assert!(killed.success());
    let (code, output) = terminal.ends();
    assert_eq!(code, 0);
    assert!(is_restored(&output));
}

#[test]
fn keys_of_a_plain_terminal_find_a_scenario() {
    let mut terminal = Terminal::start(&[], &root(), (80, 24));
    terminal.wait_for("scenarios");
    terminal.types("/acks zero", "acks-zero");
    terminal.types("\r\r", "1 Cluster");
    terminal.types("?", "Symbols of Cluster");
    terminal.keys.write_all(b"\x03").expect("the terminal takes keys");
    let (code, output) = terminal.ends();
    assert_eq!(code, 0);
    assert!(is_restored(&output));
}
