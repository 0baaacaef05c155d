//! Doing something to the world: menus of faults, settings and load, variants, branches, and writing it all down.
//! Whatever is done is a line of the scenario language, laid over the scenario; what follows is another branch.

use super::action::{Action, View, Way};
use super::app::{App, Errand, Overlay, Screen};
use super::look::Look;
use super::menu::{Choice, Draft, Menu, Question, Row};
use super::stage::Stage;
use crate::broker::Kind;
use crate::broker::picture::{Health, Station};
use crate::lab::deed::{Act, Change, FaultDeed, SettingChoice};
use crate::scenario::plan::Value;
use crate::sim::Span;

/// How long faults may last, as a menu offers it.
const LASTING: [&str; 6] = ["100ms", "1s", "5s", "10s", "30s", "60s"];
/// The one that is selected at first: long enough for a cluster to notice.
const LASTING_FIRST: usize = 3;
/// By how much packets may be delayed.
const DELAYS: [&str; 5] = ["10ms", "100ms", "500ms", "1s", "5s"];
/// How many times slower a disk may be.
const FACTORS: [u32; 4] = [10, 100, 1_000, 10_000];

/// The menu of faults for the selected node.
pub(super) fn inject(app: &mut App) {
    let look = app.look;
    let Some(stage) = app.stage() else { return };
    let nodes = stage.recording().cursor().world.nodes();
    let Some(node) = nodes.iter().find(|node| node.node == stage.pick.node) else { return };
    let row = |act: Act| {
        let draft = Draft { deed: FaultDeed::new(act, &node.name), has_from: false, has_end: false };
        Row {
            label: act.verb().to_owned(),
            value: String::new(),
            note: look.words.get(&format!("fault.{}", act.verb())).to_owned(),
            reason: cannot(act, node.health, node.station, &look),
            choice: Choice::Fault(draft),
        }
    };
    let rows = Act::ALL.map(row).to_vec();
    let title = look.with("menu.inject", &[("node", &node.name), ("at", &stage.now())]);
    app.overlays.push(Overlay::Menu(Menu::new(title, rows)));
}

/// Why a fault would do nothing to a node in this state.
fn cannot(act: Act, health: Health, station: Station, look: &Look) -> Option<String> {
    let is_running = matches!(health, Health::Up | Health::Stopping);
    let is_gone = matches!(health, Health::Down | Health::Off);
    let key = match act {
        Act::Kill | Act::Freeze | Act::Stop | Act::Disconnect if is_gone => "reason.is_down",
        Act::PowerOff if health == Health::Off => "reason.is_off",
        Act::Freeze | Act::Stop if health == Health::Frozen => "reason.is_frozen",
        Act::Start if is_running => "reason.runs",
        Act::Thaw if health != Health::Frozen => "reason.not_frozen",
        Act::SlowDisk | Act::LoseDisk if station != Station::Cluster => "reason.no_disk",
        _ => return None,
    };
    Some(look.word(key).to_owned())
}

/// Asks for what a fault still needs, or does it.
fn go_on(app: &mut App, draft: Draft) {
    let look = app.look;
    let act = draft.deed.act;
    let target = draft.deed.targets.first().cloned().unwrap_or_default();
    if act.takes_from() && !draft.has_from {
        return push(app, look.with("menu.from", &[("node", &target)]), from_rows(app, &draft));
    }
    if act == Act::Delay && draft.deed.by.is_none() {
        let rows = DELAYS.map(|by| {
            let mut next = draft.clone();
            next.deed.by = Some(by.to_owned());
            plain_row(by.to_owned(), Choice::Fault(next))
        });
        let mut rows = rows.to_vec();
        rows.push(plain_row(look.word("menu.type").to_owned(), Choice::Ask(Question::By(draft))));
        return push(app, look.word("menu.by").to_owned(), rows);
    }
    if act == Act::SlowDisk && draft.deed.factor.is_none() {
        let rows = FACTORS.map(|factor| {
            let mut next = draft.clone();
            next.deed.factor = Some(factor);
            plain_row(look.with("menu.factor", &[("factor", &factor)]), Choice::Fault(next))
        });
        return push(app, look.word("menu.slower").to_owned(), rows.to_vec());
    }
    if act.ends_with().is_some() && !draft.has_end {
        let rows = lasting_rows(&draft, &look);
        let title = look.with("menu.lasts", &[("verb", &act.verb()), ("node", &target)]);
        app.overlays.push(Overlay::Menu(Menu::new(title, rows).at(LASTING_FIRST)));
        return;
    }
    let Some(stage) = app.stage() else { return };
    match stage.session.fault_line(&draft.deed) {
        Ok(line) => {
            let words = words(&draft.deed, &look);
            perform(app, &words, &line);
        }
        Err(why) => app.complain(&why),
    }
}

fn push(app: &mut App, title: String, rows: Vec<Row>) {
    app.overlays.push(Overlay::Menu(Menu::new(title, rows)));
}

fn plain_row(label: String, choice: Choice) -> Row {
    Row { label, value: String::new(), note: String::new(), reason: None, choice }
}

fn from_rows(app: &App, draft: &Draft) -> Vec<Row> {
    let look = &app.look;
    let Some(stage) = app.stage() else { return Vec::new() };
    let with = |from: Vec<String>, one_way: bool| {
        let mut next = draft.clone();
        (next.deed.from, next.deed.one_way, next.has_from) = (from, one_way, true);
        Choice::Fault(next)
    };
    let mut rows = vec![plain_row(look.word("menu.from_all").to_owned(), with(Vec::new(), false))];
    if draft.deed.act == Act::Cut {
        rows.push(plain_row(look.word("menu.one_way").to_owned(), with(Vec::new(), true)));
    }
    for node in stage.recording().cursor().world.nodes() {
        if !draft.deed.targets.contains(&node.name) {
            rows.push(plain_row(node.name.clone(), with(vec![node.name], false)));
        }
    }
    rows
}

fn lasting_rows(draft: &Draft, look: &Look) -> Vec<Row> {
    let with = |lasts: Option<Span>| {
        let mut next = draft.clone();
        (next.deed.lasts, next.has_end) = (lasts, true);
        Choice::Fault(next)
    };
    let span = |text: &str| crate::scenario::duration(text).ok();
    let mut rows: Vec<_> =
        LASTING.iter().map(|text| plain_row((*text).to_owned(), with(span(text)))).collect();
    rows.push(plain_row(look.word("menu.for_good").to_owned(), with(None)));
    rows.push(plain_row(look.word("menu.type").to_owned(), Choice::Ask(Question::Lasts(draft.clone()))));
    rows
}

/// `kill broker-1 for 5s`.
fn words(deed: &FaultDeed, look: &Look) -> String {
    let targets = deed.targets.join(", ");
    let mut text = format!("{} {targets}", deed.act.verb());
    if !deed.from.is_empty() {
        text = look.with("deed.from", &[("deed", &text), ("from", &deed.from.join(", "))]);
    }
    if deed.one_way {
        text = look.with("deed.one_way", &[("deed", &text)]);
    }
    if let Some(by) = &deed.by {
        text = look.with("deed.by", &[("deed", &text), ("by", by)]);
    }
    if let Some(factor) = deed.factor {
        text = look.with("deed.factor", &[("deed", &text), ("factor", &factor)]);
    }
    match deed.lasts {
        Some(lasts) => look.with("deed.lasts", &[("deed", &text), ("lasts", &lasts)]),
        None => text,
    }
}

/// Every setting, those that are written first; typing narrows the list.
pub(super) fn settings(app: &mut App) {
    let look = app.look;
    let Some(stage) = app.stage() else { return };
    let row = |setting: SettingChoice| Row {
        label: format!("{} {}", setting.owner, setting.name),
        value: setting.current.as_ref().map_or_else(|| look.word("menu.unset").to_owned(), Value::shown),
        note: setting.meaning.to_owned(),
        reason: match &setting.refused {
            _ if !setting.is_modelled => Some(look.word("reason.not_modelled").to_owned()),
            refused => refused.clone(),
        },
        choice: Choice::Setting(Box::new(setting)),
    };
    let mut all = stage.session.settings();
    // What cannot be written here comes last.
    all.sort_by_key(|one| one.refused.is_some() || !one.is_modelled);
    let rows = all.into_iter().map(row).collect();
    let title = look.with("menu.settings", &[("version", &stage.recording().plan().version)]);
    app.overlays.push(Overlay::Menu(Menu::new(title, rows).with_input()));
}

/// The values of a setting, or a line to type one.
fn values(app: &mut App, setting: SettingChoice) {
    let texts: Vec<String> = match setting.kind {
        Kind::Bool => vec!["true".to_owned(), "false".to_owned()],
        Kind::OneOf(words) => words.iter().map(|&word| word.to_owned()).collect(),
        _ => {
            let now = setting.current.as_ref().map(Value::shown).unwrap_or_default();
            return app.ask(Question::Value(Box::new(setting)), now);
        }
    };
    let look = app.look;
    let current = setting.current.as_ref().map(Value::shown);
    let row = |text: String| {
        let is_current = current.as_ref() == Some(&text);
        let reason = is_current.then(|| look.word("reason.is_so").to_owned());
        let choice = value_choice(&setting, &text, &look);
        let (reason, choice) = match choice {
            Ok(choice) => (reason, choice),
            Err(why) => (Some(why), Choice::Act(Action::Back)),
        };
        Row { label: text, value: String::new(), note: setting.meaning.to_owned(), reason, choice }
    };
    let at = texts.iter().position(|text| Some(text) == current.as_ref()).unwrap_or(0);
    let rows = texts.into_iter().map(row).collect();
    let title = format!("{} {}", setting.owner, setting.name);
    app.overlays.push(Overlay::Menu(Menu::new(title, rows).with_input().at(at)));
}

/// Giving a setting a value.
pub(super) fn value_choice(setting: &SettingChoice, text: &str, look: &Look) -> Result<Choice, String> {
    let line = setting.line(text)?;
    let words = look.with("deed.setting", &[("name", &setting.name), ("value", &text.trim())]);
    Ok(Choice::Deed { words, line })
}

/// Load, processing time and instances of every client.
pub(super) fn load(app: &mut App) {
    let look = app.look;
    let Some(stage) = app.stage() else { return };
    let row = |offer: crate::lab::deed::Offer| {
        let key = match offer.what {
            Change::DoubleLoad => "load.double",
            Change::HalveLoad => "load.halve",
            Change::DoubleProcessing => "load.slower",
            Change::HalveProcessing => "load.quicker",
            Change::OneMore => "load.one_more",
            Change::OneLess => "load.one_less",
        };
        let words = look.with(key, &[("client", &offer.client)]);
        let is_late = matches!(offer.what, Change::DoubleProcessing | Change::HalveProcessing);
        let note = look.word(if is_late { "load.from_start" } else { "load.from_now" });
        let (reason, line) = match offer.line {
            Ok(line) => (None, line),
            Err(why) => (Some(why), String::new()),
        };
        let choice = Choice::Deed { words: words.clone(), line };
        Row { label: words, value: String::new(), note: note.to_owned(), reason, choice }
    };
    let rows = stage.session.offers().into_iter().map(row).collect();
    push(app, look.with("menu.load", &[("at", &stage.now())]), rows);
}

/// All branches, as the tree that they are.
pub(super) fn branches(app: &mut App) {
    let look = app.look;
    let Some(stage) = app.stage() else { return };
    let mut rows = Vec::new();
    let mut at = 0;
    for (id, branch) in stage.session.branches() {
        let mut depth = 0;
        let mut parent = branch.parent;
        while let Some(one) = parent {
            depth += 1;
            parent = stage.session.branch(one).parent;
        }
        if id == stage.session.current() {
            at = rows.len();
        }
        let name = if branch.parent.is_some() { branch.words.as_str() } else { look.word("menu.as_planned") };
        let variant = branch.variant.clone().unwrap_or_default();
        rows.push(Row {
            label: format!("{}{name}", "  ".repeat(depth)),
            value: look
                .with("menu.branch", &[("at", &branch.at), ("variant", &variant), ("seed", &branch.seed)]),
            note: branch.lines.last().cloned().unwrap_or_default(),
            reason: None,
            choice: Choice::Branch(id),
        });
    }
    app.overlays.push(Overlay::Menu(Menu::new(look.word("menu.branches").to_owned(), rows).at(at)));
}

/// Another variant: of the selected scenario, or of the run at the same instant.
pub(super) fn next_variant(app: &mut App, way: Way) {
    let look = app.look;
    let stage = match &mut app.screen {
        Screen::Picker(picker) => return picker.next_variant(way),
        Screen::Stage(stage) => stage,
    };
    let names = stage.session.source().variants();
    let current = stage.recording().plan().variant.clone();
    let at = names.iter().position(|name| Some(name) == current.as_ref()).unwrap_or(0);
    let count = names.len().max(1);
    let next = if way == Way::On { (at + 1) % count } else { (at + count - 1) % count };
    let Some(name) = names.get(next).cloned() else { return };
    let words = look.with("deed.variant", &[("name", &name)]);
    let known = stage.sibling(&name);
    if let Some(known) = known {
        stage.session.go(known);
    } else if let Err(why) = stage.session.switch_variant(&words, &name) {
        return app.complain(&why);
    }
    app.say(look.with("say.variant", &[("name", &name)]));
}

/// The same with the next seed.
pub(super) fn next_seed(app: &mut App) {
    let look = app.look;
    let Some(stage) = app.stage_mut() else { return };
    let seed = stage.recording().seed().wrapping_add(1) & i64::MAX as u64;
    let words = look.with("deed.seed", &[("seed", &seed)]);
    match stage.session.set_seed(&words, seed) {
        Ok(_) => app.say(look.with("say.seed", &[("seed", &seed)])),
        Err(why) => app.complain(&why),
    }
}

/// Back to the run that this branch was made from.
pub(super) fn leave(app: &mut App) {
    let look = app.look;
    let Some(stage) = app.stage_mut() else { return };
    let left = stage.session.branch(stage.session.current()).words.clone();
    if stage.session.leave() {
        app.say(look.with("say.left", &[("deed", &left)]));
    }
}

/// Lays a line over the scenario and looks at what follows.
fn perform(app: &mut App, words: &str, line: &str) {
    let look = app.look;
    let Some(stage) = app.stage_mut() else { return };
    stage.play.is_playing = false;
    match stage.session.perform(words, line) {
        Ok(_) => {
            stage.is_unwritten = true;
            app.overlays.clear();
            app.say(look.with("say.done", &[("deed", &words)]));
        }
        Err(why) => app.complain(&why),
    }
}

/// The row of a menu is chosen.
pub(super) fn choose(app: &mut App) {
    let Some(Overlay::Menu(menu)) = app.overlays.last() else { return };
    let Some(row) = menu.row().cloned() else { return };
    if let Some(why) = &row.reason {
        return app.complain(why);
    }
    match row.choice {
        Choice::Act(action) => {
            app.overlays.pop();
            app.act(&action);
        }
        Choice::Fault(draft) => go_on(app, draft),
        Choice::Setting(setting) => values(app, *setting),
        Choice::Deed { words, line } => perform(app, &words, &line),
        Choice::Branch(id) => {
            if let Some(stage) = app.stage_mut() {
                stage.session.go(id);
            }
            app.overlays.pop();
        }
        Choice::Ask(question) => app.ask(question, String::new()),
        Choice::Quit => app.errands.push_back(Errand::Quit),
        Choice::Picker => app.leave_for_picker(),
    }
}

/// Where the branch is to be written.
pub(super) fn ask_file(app: &mut App) {
    let Some(stage) = app.stage() else { return };
    let name = &stage.session.source().about().name;
    let stem = name.rsplit('/').next().unwrap_or(name).trim_end_matches(".toml");
    let name = app.look.with("write.name", &[("stem", &stem)]);
    app.ask(Question::File, name);
}

/// Writes the branch as a scenario of its own.
pub(super) fn write(app: &mut App, path: String) {
    let Some(stage) = app.stage_mut() else { return };
    match stage.session.file() {
        Ok(text) => app.errands.push_back(Errand::Write { path, text }),
        Err(why) => app.complain(&why),
    }
}

impl App {
    /// Leaves a run; what was done by hand and is written nowhere is asked about first, once.
    pub(super) fn leave(&mut self, leave: Choice) {
        let look = self.look;
        let is_unwritten = self.stage_mut().is_some_and(|stage| std::mem::take(&mut stage.is_unwritten));
        if is_unwritten {
            let write = plain_row(look.word("menu.write").to_owned(), Choice::Act(Action::Write));
            let leave = plain_row(look.word("menu.leave").to_owned(), leave);
            push(self, look.word("menu.unwritten").to_owned(), vec![write, leave]);
        } else if matches!(leave, Choice::Picker) {
            self.leave_for_picker();
        } else {
            self.errands.push_back(Errand::Quit);
        }
    }

    /// What came of writing a file.
    pub fn written(&mut self, path: &str, result: Result<(), String>) {
        match result {
            Ok(()) => {
                if let Some(stage) = self.stage_mut() {
                    stage.is_unwritten = false;
                }
                let text = self.look.with("say.written", &[("path", &path)]);
                self.say(text);
            }
            // The name can be corrected.
            Err(why) => self.overlays.push(Overlay::Prompt {
                question: Question::File,
                input: tui_input::Input::new(path.to_owned()),
                mistake: Some(why),
            }),
        }
    }

    /// A typed answer completes a fault.
    pub(super) fn go_on(&mut self, draft: Draft) {
        go_on(self, draft);
    }

    /// A typed answer is a deed.
    pub(super) fn deed(&mut self, choice: Choice) {
        if let Choice::Deed { words, line } = choice {
            perform(self, &words, &line);
        }
    }
}

impl Stage {
    /// A branch that differs from this one by its variant alone.
    fn sibling(&self, variant: &str) -> Option<crate::lab::session::BranchId> {
        let here = self.session.branch(self.session.current());
        let mut all = self.session.branches();
        let is_it = |branch: &crate::lab::session::Branch| {
            branch.variant.as_deref() == Some(variant)
                && branch.lines == here.lines
                && branch.seed == here.seed
        };
        all.find(|(_, branch)| is_it(branch)).map(|(id, _)| id)
    }

    /// Records the run to its end.
    pub fn record_all(&mut self) {
        while !self.recording().is_whole() {
            self.session.recording_mut().record(u64::MAX);
        }
    }

    /// Whether the view is one in which something can be looked for.
    pub fn is_log(&self) -> bool {
        self.pick.view == View::Events
    }
}
