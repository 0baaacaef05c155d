//! A session: looking at runs of one scenario and doing things to them.
//!
//! Whatever is done is a line of TOML laid over the scenario, and what follows is a branch: another run, of the same
//! scenario with that line, with the same seed, and up to the instant at which it was done with the same history. So a
//! session needs no commands of its own, and can always be written as a scenario.
//!
//! Invariant: at most [`RECORDINGS_MAX`] recordings are kept; the least recently used one is made again when somebody
//! goes back to it.

use std::sync::Arc;

use super::deed::{self, FaultDeed, Offer, SettingChoice};
use super::record::{Position, Recording};
use super::run::Outcome;
use super::study::Subject;
use super::{Source, gaps, replay};
use crate::ledger::Fate;
use crate::ledger::expectation::Checked;
use crate::scenario::Heading;
use crate::scenario::plan::Plan;
use crate::sim::{Span, Time};

/// Recordings kept at most.
pub const RECORDINGS_MAX: usize = 12;

/// A tree of runs of one scenario, one of which is looked at.
pub struct Session {
    source: Arc<dyn Source>,
    branches: Vec<Branch>,
    current: BranchId,
    /// Counts the visits to branches.
    visits: u64,
}

/// One of a session's branches; the first is the run that it was opened with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BranchId(pub usize);

/// A run that differs from its parent by what was done.
pub struct Branch {
    /// From which branch it was made; none: it is the first.
    pub parent: Option<BranchId>,
    /// Where the cursor stood when it was made.
    pub at: Time,
    /// What was done, in the words of whoever did it.
    pub words: String,
    /// The lines laid over the variant, in order.
    pub lines: Vec<String>,
    /// The variant; none: the scenario has none.
    pub variant: Option<String>,
    /// The seed.
    pub seed: u64,
    plan: Plan,
    recording: Option<Recording>,
    visited: u64,
}

impl Branch {
    /// What runs.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Its recording; none: it was dropped, and is made again when somebody goes there.
    pub fn recording(&self) -> Option<&Recording> {
        self.recording.as_ref()
    }
}

impl Session {
    /// Opens a scenario under a variant (none: the first) with a seed (none: the file's own), with these lines laid
    /// over it. The cursor stands at the beginning, and nothing is recorded yet.
    pub fn open(
        source: Arc<dyn Source>,
        variant: Option<&str>,
        seed: Option<u64>,
        sets: Vec<String>,
    ) -> Result<Self, String> {
        let mut session = Self { source, branches: Vec::new(), current: BranchId(0), visits: 0 };
        session.add(None, "", variant, seed, sets)?;
        Ok(session)
    }

    /// The scenario.
    pub fn source(&self) -> &Arc<dyn Source> {
        &self.source
    }

    /// All branches, in the order in which they were made.
    pub fn branches(&self) -> impl Iterator<Item = (BranchId, &Branch)> {
        self.branches.iter().enumerate().map(|(number, branch)| (BranchId(number), branch))
    }

    /// The branch that is looked at.
    pub fn current(&self) -> BranchId {
        self.current
    }

    /// A branch.
    pub fn branch(&self, id: BranchId) -> &Branch {
        &self.branches[id.0]
    }

    /// The recording that is looked at.
    pub fn recording(&self) -> &Recording {
        self.branches[self.current.0].recording.as_ref().expect("the current branch keeps its recording")
    }

    /// The recording that is looked at, to record more of it or to move its cursor.
    pub fn recording_mut(&mut self) -> &mut Recording {
        self.branches[self.current.0].recording.as_mut().expect("the current branch keeps its recording")
    }

    /// The run that is looked at, for the laboratory.
    pub fn subject(&self) -> Subject {
        let branch = self.branch(self.current);
        Subject {
            source: Arc::clone(&self.source),
            variant: branch.variant.clone(),
            seed: branch.seed,
            lines: branch.lines.clone(),
        }
    }

    /// The command that does the current run again: `mqlab run …`.
    pub fn command(&self, verb: &str) -> String {
        let branch = self.branch(self.current);
        let name = &self.source.about().name;
        replay::command(verb, name, branch.variant.as_deref(), Some(branch.seed), &branch.lines)
    }

    /// Lays one more line over the current run and looks at what follows, at the same time. An error is for people,
    /// and nothing has changed.
    pub fn perform(&mut self, words: &str, line: &str) -> Result<BranchId, String> {
        let Branch { variant, seed, mut lines, .. } = self.essence();
        lines.push(line.to_owned());
        self.add(Some(self.current), words, variant.as_deref(), Some(seed), lines)
    }

    /// The same of another variant of the scenario.
    pub fn switch_variant(&mut self, words: &str, variant: &str) -> Result<BranchId, String> {
        let Branch { seed, lines, .. } = self.essence();
        self.add(Some(self.current), words, Some(variant), Some(seed), lines)
    }

    /// The same with another seed.
    pub fn set_seed(&mut self, words: &str, seed: u64) -> Result<BranchId, String> {
        let Branch { variant, lines, .. } = self.essence();
        self.add(Some(self.current), words, variant.as_deref(), Some(seed), lines)
    }

    /// Back to the branch that this one was made from, at the same time; false: this is the first.
    pub fn leave(&mut self) -> bool {
        let parent = self.branch(self.current).parent;
        parent.is_some_and(|parent| {
            self.go(parent);
            true
        })
    }

    /// Looks at another branch, at the same time or where its run ended before.
    pub fn go(&mut self, id: BranchId) {
        if id != self.current && id.0 < self.branches.len() {
            let at = self.now();
            self.current = id;
            self.look(at);
        }
    }

    /// The line of a fault at the first instant after the cursor, or why there is none.
    pub fn fault_line(&self, deed: &FaultDeed) -> Result<String, String> {
        let plan = self.branch(self.current).plan();
        let at = self.now() + Span(1);
        let line = deed.line(&deed::free_name(plan), at)?;
        let window = deed::longer_window(plan, at, &self.recording().cursor().ledger)?;
        Ok(window.map_or(line.clone(), |window| format!("{window}\n{line}")))
    }

    /// Every setting of the current run.
    pub fn settings(&self) -> Vec<SettingChoice> {
        deed::settings_of(self.branch(self.current).plan(), self.source.family())
    }

    /// What can be done to the clients of the current run at the cursor.
    pub fn offers(&self) -> Vec<Offer> {
        deed::offers(self.branch(self.current).plan(), self.recording().cursor().world.as_ref())
    }

    /// The current run as a scenario file of its own, which claims what came of it; records the run to its end.
    pub fn file(&mut self) -> Result<String, String> {
        while self.recording_mut().record(u64::MAX) {}
        let branch = self.branch(self.current);
        let outcome = self.recording().outcome().ok_or("the run did not come to an end")?;
        let about = self.source.about();
        let deeds = self.deeds();
        let story = if deeds.is_empty() { about.story.clone() } else { deeds.join("\n") };
        let heading = Heading {
            comment: vec![self.command("run"), format!("digest {:016x}", outcome.digest)],
            title: about.title.clone(),
            story,
            seed: branch.seed,
            ..heading_of(outcome)
        };
        let file = self.source.file(branch.variant.as_deref(), &branch.lines, &heading);
        file.map_err(|why| plain(&why))
    }

    /// What was done on the way from the first branch to this one, a sentence each.
    fn deeds(&self) -> Vec<String> {
        let mut deeds = Vec::new();
        let mut branch = self.branch(self.current);
        while let Some(parent) = branch.parent {
            let words = branch.words.trim_end_matches('.');
            // A setting holds from the beginning; only what has a time was done at one.
            let has_time = |line: &&String| {
                line.starts_with("fault.") || line.contains(".phases = ") || line.contains(".starts = ")
            };
            deeds.push(match branch.lines.last().filter(has_time) {
                Some(_) => format!("At {}: {words}.", branch.at),
                None => format!("{words}."),
            });
            branch = self.branch(parent);
        }
        deeds.reverse();
        deeds
    }

    fn now(&self) -> Time {
        self.recording().cursor().now()
    }

    /// What makes the current run: without its recording.
    fn essence(&self) -> Branch {
        let branch = self.branch(self.current);
        Branch {
            parent: branch.parent,
            at: branch.at,
            words: branch.words.clone(),
            lines: branch.lines.clone(),
            variant: branch.variant.clone(),
            seed: branch.seed,
            plan: branch.plan.clone(),
            recording: None,
            visited: 0,
        }
    }

    fn add(
        &mut self,
        parent: Option<BranchId>,
        words: &str,
        variant: Option<&str>,
        seed: Option<u64>,
        lines: Vec<String>,
    ) -> Result<BranchId, String> {
        let plan = self.source.plan(variant, &lines).map_err(|why| plain(&why))?;
        let at = parent.map_or(Time::ZERO, |_| self.now());
        self.branches.push(Branch {
            parent,
            at,
            words: words.to_owned(),
            lines,
            variant: plan.variant.clone(),
            seed: seed.unwrap_or(plan.seed),
            plan,
            recording: None,
            visited: 0,
        });
        self.current = BranchId(self.branches.len() - 1);
        self.look(at);
        Ok(self.current)
    }

    /// Sees to it that the current branch has a recording and stands at this time.
    fn look(&mut self, at: Time) {
        self.visits += 1;
        let family = self.source.family();
        let branch = &mut self.branches[self.current.0];
        branch.visited = self.visits;
        let recording =
            branch.recording.get_or_insert_with(|| Recording::new(family, &branch.plan, branch.seed));
        if at > Time::ZERO {
            recording.record_to(Position::Time(at));
            recording.seek(Position::Time(at));
        } else {
            recording.seek(Position::Event(0));
        }
        self.make_room();
    }

    fn make_room(&mut self) {
        let kept = self.branches.iter().filter(|branch| branch.recording.is_some()).count();
        if kept > RECORDINGS_MAX {
            let kept = self.branches.iter_mut().filter(|branch| branch.recording.is_some());
            if let Some(oldest) = kept.min_by_key(|branch| branch.visited) {
                oldest.recording = None;
            }
        }
    }
}

/// What a file claims of the run that it was written from, and what it must not claim for that.
fn heading_of(outcome: &Outcome) -> Heading {
    let mut expect = Vec::new();
    for one in &outcome.verdict.subscriptions {
        let is_told = |fate: Fate| {
            one.fates.of(fate) > 0 || one.name != "none" && [Fate::Lost, Fate::Duplicated].contains(&fate)
        };
        let told = Fate::ALL.into_iter().filter(|fate| is_told(*fate));
        expect.extend(told.map(|fate| (format!("{}.{}", one.name, fate.name()), one.fates.of(fate))));
    }
    let failed: Vec<&Checked> = outcome.checked.iter().filter(|one| !one.holds).collect();
    let is_silent = |name: &&String| {
        let title = gaps::title(name);
        failed.iter().any(|one| one.text.strip_prefix(&title).is_some_and(|rest| rest.starts_with(": ")))
    };
    let steps = outcome.plan.steps.iter().map(|step| &step.name);
    let unfired = outcome.never_fired().into_iter().filter_map(|name| name.split('#').next());
    Heading {
        expect,
        silent: steps.filter(is_silent).cloned().collect(),
        optional: unfired.map(str::to_owned).collect(),
        ..Heading::default()
    }
}

/// Without the colours that a terminal would show.
fn plain(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::super::check::claims;
    use super::super::fake::FakeScenario;
    use super::super::run::Run;
    use super::super::source::Opened;
    use super::*;
    use crate::ledger::Fate;
    use crate::scenario::plan::Value;
    use crate::scenario::{Scenario, Style, catalog};

    fn session() -> Session {
        let mut session = Session::open(Arc::new(FakeScenario::new()), None, None, Vec::new()).unwrap();
        session.recording_mut().record(u64::MAX);
        session
    }

    fn lost(session: &Session) -> u64 {
        session.recording().outcome().unwrap().verdict.fate(Fate::Lost)
    }

    #[test]
    fn a_deed_makes_a_branch_at_the_same_time() {
        let mut session = session();
        assert_eq!((lost(&session), session.branch(BranchId(0)).variant.as_deref()), (1, Some("acks=1")));
        let at = Time::ZERO + Span::from_millis(205);
        session.recording_mut().seek(Position::Time(at));
        let events = session.recording().cursor().events();
        let branch = session.perform("acks = all", "acks = all").unwrap();
        assert_eq!((session.current(), branch), (BranchId(1), BranchId(1)));
        assert_eq!((session.recording().cursor().now(), session.recording().cursor().events()), (at, events));
        assert!(!session.recording().is_whole());
        session.recording_mut().record(u64::MAX);
        assert_eq!(lost(&session), 0);
        let made = session.branch(branch);
        assert_eq!((made.parent, made.at, made.lines.len()), (Some(BranchId(0)), at, 1));
        assert!(session.leave() && session.current() == BranchId(0) && !session.leave());
        assert_eq!((session.recording().cursor().now(), lost(&session)), (at, 1));
        assert!(session.command("run").ends_with("--variant 'acks=1' --seed 42"));
    }

    #[test]
    fn what_cannot_be_done_changes_nothing() {
        let mut session = session();
        assert_eq!(session.switch_variant("other", "acks=2").unwrap_err(), "no variant acks=2");
        assert_eq!((session.current(), session.branches().count()), (BranchId(0), 1));
        session.recording_mut().seek(Position::Time(Time::NEVER));
        let late = session.fault_line(&FaultDeed::new(deed::Act::Kill, "broker-1"));
        assert!(late.is_ok(), "the run was over after a second of two");
    }

    #[test]
    fn old_recordings_are_dropped_and_made_again() {
        let mut session = session();
        for seed in 0..20 {
            session.set_seed("another seed", seed).unwrap();
        }
        let kept = session.branches().filter(|(_, branch)| branch.recording().is_some()).count();
        assert_eq!(kept, RECORDINGS_MAX);
        assert!(session.branch(BranchId(0)).recording().is_none());
        session.go(BranchId(0));
        session.recording_mut().record(u64::MAX);
        assert_eq!(lost(&session), 1);
    }

    /// A built-in scenario, at this time of its first variant.
    fn at(name: &str, ms: u64) -> Session {
        let scenario = catalog::find(name).expect("a built-in scenario").read().expect("no mistakes");
        let source = Opened::new(scenario, Style::Plain);
        let mut session = Session::open(Arc::new(source), None, None, Vec::new()).expect("a plan");
        let position = Position::Time(Time::ZERO + Span::from_millis(ms));
        session.recording_mut().record_to(position);
        session.recording_mut().seek(position);
        session
    }

    #[test]
    fn every_deed_leaves_the_past_alone_and_has_a_future() {
        let mut session = at("kafka/consumer-dies", 3_000);
        let (now, events) = (session.now(), session.recording().cursor().events());
        let mut lines: Vec<String> = session
            .offers()
            .into_iter()
            .filter_map(|offer| Some((offer.what, offer.line.ok()?)))
            .filter(|(what, _)| {
                !matches!(what, deed::Change::DoubleProcessing | deed::Change::HalveProcessing)
            })
            .map(|(_, line)| line)
            .collect();
        assert!(lines.len() >= 3, "{lines:?}");
        for act in deed::Act::ALL {
            let mut deed = FaultDeed::new(act, "leader of orders/0");
            deed.by = Some("20ms".to_owned());
            deed.factor = Some(10);
            deed.lasts = act.ends_with().map(|_| Span::from_secs(1));
            lines.push(session.fault_line(&deed).expect("a line"));
        }
        for line in lines {
            let made = session.perform("a deed", &line).unwrap_or_else(|why| panic!("{line}: {why}"));
            let cursor = session.recording().cursor();
            assert_eq!((cursor.now(), cursor.events()), (now, events), "{line}");
            let until = Position::Time(now + Span::from_millis(300));
            session.recording_mut().record_to(until);
            assert_eq!(session.branch(made).parent, Some(BranchId(0)));
            let does_nothing = [" start =", " thaw =", " heal ="].iter().any(|verb| line.contains(verb));
            let fired = session.recording().head().world.fired();
            let fires = line.starts_with("fault.") && !does_nothing;
            assert_eq!(fired.iter().any(|one| one.at == now + Span(1)), fires, "{line}");
            assert!(session.leave());
        }
        let refused = session.perform("nonsense", "producer.checkout.acks = 1").unwrap_err();
        assert!(refused.contains("--set:1:19") && !refused.contains('\u{1b}'), "{refused}");
    }

    #[test]
    fn something_can_be_done_after_the_producers_have_finished() {
        let mut session = at("kafka/acks-one", 6_100);
        let (now, events) = (session.now(), session.recording().cursor().events());
        let line = session.fault_line(&FaultDeed::new(deed::Act::Kill, "broker-2")).expect("a line");
        assert!(
            line.starts_with("run_for = \"6.100000001s\"\nproducer.checkout.messages = 300000\n"),
            "{line}"
        );
        session.perform("kill broker-2", &line).expect("a branch");
        let cursor = session.recording().cursor();
        assert_eq!((cursor.now(), cursor.events()), (now, events), "the past stays what it was");
        session.recording_mut().record_to(Position::Time(now + Span::from_secs(1)));
        let fired = session.recording().head().world.fired();
        assert!(fired.iter().any(|one| one.at == now + Span(1)));
        let again = session.fault_line(&FaultDeed::new(deed::Act::Kill, "broker-3")).expect("a line");
        assert!(again.starts_with("fault.by-hand-2"), "the window is as long as it has to be: {again}");
    }

    #[test]
    fn settings_are_offered_with_what_holds() {
        let mut session = at("kafka/acks-one", 1_000);
        let choices = session.settings();
        let find = |owner: &str, name: &str| {
            choices.iter().find(|one| one.owner == owner && one.name == name).expect("a setting").clone()
        };
        let acks = find("producer.checkout", "acks");
        assert_eq!((acks.current, acks.is_written), (Some(Value::Text("1".to_owned())), true));
        let line = find("producer.checkout", "acks").line("all").expect("a value");
        assert_eq!(line, "producer.checkout.config.acks = \"all\"");
        assert!(find("producer.checkout", "acks").line("2").is_err());
        let in_sync = find("topic.orders", "min.insync.replicas").line("2").expect("a value");
        assert_eq!(in_sync, "topic.orders.config.\"min.insync.replicas\" = 2");
        for line in [line, in_sync] {
            session.perform("a setting", &line).expect("a branch");
        }
        assert_eq!(session.branch(session.current()).lines.len(), 2);
        assert!(
            choices.iter().any(|one| one.owner == "cluster") && choices.iter().any(|one| !one.is_modelled)
        );
    }

    /// Writes the current run as a file, runs that, and finds the same.
    fn survives(session: &mut Session) -> String {
        let text = session.file().expect("it can be written");
        let outcome = session.recording().outcome().expect("it is whole");
        let scenario = Scenario::read("written", "written.toml", text.as_bytes())
            .unwrap_or_else(|mistakes| panic!("{text}\n{}", mistakes.render(Style::Plain)));
        let source = Opened::new(scenario, Style::Plain);
        let plan = source.plan(None, &[]).expect("a plan");
        let again = Run::new(source.family(), &plan, plan.seed).outcome(&[]);
        assert_eq!((again.digest, again.events), (outcome.digest, outcome.events), "{text}");
        assert_eq!(again.shortfalls(), [""; 0], "{text}");
        let checked = claims(&again, &[]);
        assert!(checked.iter().all(|one| one.holds), "{text}\n{checked:?}");
        assert!(checked.len() >= 2, "{text}");
        text
    }

    #[test]
    fn a_session_can_be_written_as_a_scenario() {
        let mut session = at("kafka/consumer-dies", 3_000);
        survives(&mut session);
        let mut deed = FaultDeed::new(deed::Act::Cut, "leader of orders/0");
        deed.from = vec!["brokers".to_owned()];
        deed.lasts = Some(Span::from_secs(3));
        let line = session.fault_line(&deed).expect("a line");
        session.perform("the leader is cut off from the brokers", &line).expect("a branch");
        let line = session.fault_line(&FaultDeed::new(deed::Act::Thaw, "broker-1")).expect("a line");
        session.perform("a fault that finds nothing to do", &line).expect("a branch");
        let text = survives(&mut session);
        assert!(text.contains("optional = true") && text.contains("the leader is cut off"), "{text}");
        let offers: Vec<_> = session.offers().into_iter().filter_map(|offer| offer.line.ok()).collect();
        for line in offers {
            session.perform("an offer", &line).expect("a branch");
        }
        session.perform("acks", "producer.checkout.config.acks = \"1\"").expect("a branch");
        session
            .perform("acks", "cluster.config.\"unclean.leader.election.enable\" = true")
            .expect("a branch");
        survives(&mut session);
        session.switch_variant("another", "unique key").expect("a branch");
        session.set_seed("another", 7).expect("a branch");
        survives(&mut session);
    }

    #[test]
    fn scripts_survive_what_is_done_to_them() {
        for name in ["kafka/redelivered-in-order", "kafka/unclean-election", "kafka/torn-tail"] {
            let mut session = at(name, 10);
            survives(&mut session);
            let all = FaultDeed::new(deed::Act::Kill, "brokers");
            let Ok(line) = session.fault_line(&all) else { continue };
            session.perform("everything dies", &line).expect("a branch");
            session.file().expect("it can be written");
        }
    }

    #[test]
    fn a_whole_recording_ends_as_the_run_does() {
        for (name, variant) in [("kafka/acks-one", "acks=1"), ("kafka/consumer-dies", "")] {
            let Ok(scenario) = catalog::find(name) else { continue };
            let source = Opened::new(scenario.read().expect("no mistakes"), Style::Plain);
            let variant = Some(variant).filter(|name| !name.is_empty());
            let plan = source.plan(variant, &[]).expect("a plan");
            let run = Run::new(source.family(), &plan, plan.seed).outcome(&[]);
            let mut session = Session::open(Arc::new(source), variant, None, Vec::new()).expect("a plan");
            session.recording_mut().record(u64::MAX);
            let outcome = session.recording().outcome().expect("it is whole");
            assert_eq!((outcome.digest, outcome.ended, outcome.events), (run.digest, run.ended, run.events));
            let confirmed: u64 = session.recording().series().samples.iter().map(|one| one.confirmed).sum();
            assert_eq!(confirmed, run.verdict.messages.confirmed);
        }
    }
}
