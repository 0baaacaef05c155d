//! What can be done to a run by hand, each as a line of TOML to be laid over the scenario: faults at an instant,
//! settings, load, processing time, consumer instances.

use crate::broker::{Family, Kind, Scope, Setting, Status, World};
use crate::ledger::Ledger;
use crate::scenario::plan::{
    Config, ConsumerPlan, FaultPlan, Phase, Plan, ProducerPlan, Rate, Starts, Trigger, Value, Version,
};
use crate::scenario::write;
use crate::sim::{Dist, Span, Time};

/// What a fault by hand does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names are the verbs of the scenario language")]
pub enum Act {
    Kill,
    PowerOff,
    Stop,
    Freeze,
    Start,
    Thaw,
    Disconnect,
    Cut,
    Delay,
    SlowDisk,
    LoseDisk,
    Heal,
}

impl Act {
    /// All of them, in the order in which people look for them.
    pub const ALL: [Self; 12] = [
        Self::Kill,
        Self::PowerOff,
        Self::Stop,
        Self::Start,
        Self::Freeze,
        Self::Thaw,
        Self::Cut,
        Self::Delay,
        Self::Disconnect,
        Self::Heal,
        Self::SlowDisk,
        Self::LoseDisk,
    ];

    /// The verb as scenarios write it.
    pub fn verb(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::PowerOff => "power_off",
            Self::Stop => "stop",
            Self::Freeze => "freeze",
            Self::Start => "start",
            Self::Thaw => "thaw",
            Self::Disconnect => "disconnect",
            Self::Cut => "cut",
            Self::Delay => "delay",
            Self::SlowDisk => "slow_disk",
            Self::LoseDisk => "lose_disk",
            Self::Heal => "heal",
        }
    }

    /// The key that ends it after a while; none: it has no end of its own.
    pub fn ends_with(self) -> Option<&'static str> {
        match self {
            Self::Kill | Self::PowerOff | Self::Stop | Self::LoseDisk => Some("restart_after"),
            Self::Freeze => Some("thaw_after"),
            Self::Cut | Self::Delay => Some("heal_after"),
            Self::SlowDisk => Some("for"),
            Self::Start | Self::Thaw | Self::Disconnect | Self::Heal => None,
        }
    }

    /// Whether it may say on the other side of which nodes it acts.
    pub fn takes_from(self) -> bool {
        matches!(self, Self::Cut | Self::Delay)
    }
}

/// A fault by hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultDeed {
    /// What it does.
    pub act: Act,
    /// To whom: nodes, clients, sets, roles; for [`Act::Heal`] also the names of faults.
    pub targets: Vec<String>,
    /// From whom they are cut or delayed; empty: from everybody.
    pub from: Vec<String>,
    /// Only packets from the targets are stopped.
    pub one_way: bool,
    /// How much longer packets take: `200ms`, `1ms..3ms`.
    pub by: Option<String>,
    /// How many times as long an fsync takes.
    pub factor: Option<u32>,
    /// After how long it ends; none: it lasts.
    pub lasts: Option<Span>,
}

impl FaultDeed {
    /// This to one target, until something ends it.
    pub fn new(act: Act, target: &str) -> Self {
        let targets = vec![target.to_owned()];
        Self { act, targets, from: Vec::new(), one_way: false, by: None, factor: None, lasts: None }
    }

    /// The line that makes it happen at this time under this name, or why there is none.
    pub fn line(&self, name: &str, at: Time) -> Result<String, String> {
        let verb = self.act.verb();
        if self.targets.is_empty() {
            return Err(format!("`{verb}` needs somebody to act on"));
        }
        let mut pairs = vec![
            format!("at = {}", write::text(&write::span(at.since(Time::ZERO)))),
            format!("{verb} = {}", write::texts(&self.targets)),
        ];
        if self.act.takes_from() && !self.from.is_empty() {
            pairs.push(format!("from = {}", write::texts(&self.from)));
        }
        if self.act == Act::Cut && self.one_way {
            pairs.push("one_way = true".to_owned());
        }
        if self.act == Act::Delay {
            let by = self.by.as_ref().ok_or("`delay` needs `by`: how much longer packets take")?;
            pairs.push(format!("by = {}", write::text(by)));
        }
        if self.act == Act::SlowDisk {
            let factor = self.factor.ok_or("`slow_disk` needs a factor: how many times as long")?;
            pairs.push(format!("factor = {factor}"));
        }
        if let Some(lasts) = self.lasts {
            let key = self.act.ends_with().ok_or_else(|| format!("`{verb}` has no end of its own"))?;
            pairs.push(format!("{key} = {}", write::text(&write::span(lasts))));
        }
        Ok(format!("fault.{} = {{ {} }}", write::key(name), pairs.join(", ")))
    }
}

/// The first name for a fault by hand that nothing in the plan has.
pub fn free_name(plan: &Plan) -> String {
    let is_taken = |name: &str| {
        plan.faults.iter().any(|fault| fault.name.split('#').next() == Some(name))
            || plan.steps.iter().any(|step| step.name == name)
    };
    let mut names = (1..).map(|number| format!("by-hand-{number}"));
    names.find(|name| !is_taken(name)).unwrap_or_default()
}

/// A setting that could have another value.
#[derive(Clone, Debug, PartialEq)]
pub struct SettingChoice {
    /// Whose it is, as a path: `producer.checkout`, `topic.orders`, `cluster`.
    pub owner: String,
    /// What its owner's table of settings is called: `config`.
    pub table: &'static str,
    /// The vendor's name.
    pub name: &'static str,
    /// What holds now: as it was written, or the default; none: the setting has no default.
    pub current: Option<Value>,
    /// Whether the scenario says so, and not the default.
    pub is_written: bool,
    /// The default of the release.
    pub default: Option<Value>,
    /// Which values it takes.
    pub kind: Kind,
    /// It changes something here; else it is refused.
    pub is_modelled: bool,
    /// Why its owner cannot have it; none: it can.
    pub refused: Option<String>,
    /// What it does, in one sentence.
    pub meaning: &'static str,
}

impl SettingChoice {
    /// The line that gives it another value, typed as people type it, or why there is none.
    pub fn line(&self, typed: &str) -> Result<String, String> {
        let typed = typed.trim();
        let name = self.name;
        if !self.is_modelled {
            return Err(format!("`{name}` is not modelled: it would change nothing here"));
        }
        let value = match self.kind {
            Kind::Bool => Value::Bool(typed.parse().map_err(|_| format!("`{name}` is `true` or `false`"))?),
            Kind::Int(min, max) => {
                let number = typed.replace('_', "").parse().ok().filter(|it| (min..=max).contains(it));
                Value::Int(number.ok_or_else(|| format!("`{name}` is a number from {min} to {max}"))?)
            }
            Kind::OneOf(words) if !words.contains(&typed) => {
                return Err(format!("`{name}` is one of {}", words.join(", ")));
            }
            Kind::Digits(min, max) => {
                let number = typed.parse().ok().filter(|it| (min..=max).contains(it));
                Value::Int(number.ok_or_else(|| format!("`{name}` is a number from {min} to {max}"))?)
            }
            Kind::Bytes if typed.bytes().all(|byte| byte.is_ascii_digit()) => {
                Value::Int(typed.parse().map_err(|_| format!("`{name}` is a number of bytes"))?)
            }
            Kind::Part => {
                let is_number = typed.parse::<f64>().is_ok_and(|it| it.is_finite() && it >= 0.0);
                if !is_number {
                    return Err(format!("`{name}` is a number such as `0.4`"));
                }
                return Ok(format!("{}.{}.{} = {typed}", self.owner, self.table, write::key(name)));
            }
            Kind::CountOrTexts(..) if typed.parse::<i64>().is_ok() => {
                Value::Int(typed.parse().map_err(|_| format!("`{name}` is a number or names"))?)
            }
            Kind::Texts | Kind::CountOrTexts(..) => {
                Value::Texts(typed.split(',').map(|one| one.trim().to_owned()).collect())
            }
            Kind::Table | Kind::Tables(_) => {
                return Err(format!("`{name}` is a table: write it into a file"));
            }
            Kind::OneOf(_) | Kind::Text | Kind::Bytes => Value::Text(typed.to_owned()),
        };
        let value = write::value(&value);
        Ok(format!("{}.{}.{} = {value}", self.owner, self.table, write::key(name)))
    }
}

/// Every setting that the plan's cluster, tables, producers and consumers have in its release: those that are written
/// first, then by name; those that are not modelled last.
pub fn settings_of(plan: &Plan, family: &dyn Family) -> Vec<SettingChoice> {
    let own = family.clients().first().copied();
    let mut choices = Vec::new();
    let mut add = |owner: String, table: &'static str, config: &Config, is_it: &dyn Fn(Scope) -> bool| {
        let mut all: Vec<_> = (family.settings().iter())
            .filter(|setting| is_it(setting.scope) && is_there(setting, plan.version))
            .map(|setting| choice(setting, (&owner, table), config, plan.version))
            .collect();
        all.sort_by_key(|one| (!one.is_modelled, !one.is_written, one.name));
        choices.append(&mut all);
    };
    for producer in plan.producers.iter().filter(|one| one.service().is_none()) {
        let client = producer.client.as_deref().or(own);
        let is_it = |scope| matches!(scope, Scope::Producer(of) if of.is_none() || of == client);
        add(format!("producer.{}", write::key(&producer.name)), "config", &producer.config, &is_it);
    }
    for consumer in &plan.consumers {
        let client = consumer.client.as_deref().or(own);
        let is_it = |scope| matches!(scope, Scope::Consumer(of) if of.is_none() || of == client);
        add(format!("consumer.{}", write::key(&consumer.name)), "config", &consumer.config, &is_it);
    }
    let mut seen = Vec::new();
    let mut entities = Vec::new();
    for entity in &plan.entities {
        let owner =
            format!("{}.{}", entity.kind, write::key(entity.copy_of.as_ref().unwrap_or(&entity.name)));
        if !seen.contains(&owner) {
            seen.push(owner.clone());
            let table = family.entities().iter().find(|kind| kind.table == entity.kind);
            let table = table.map_or("config", |kind| kind.settings);
            entities.push((entity, owner.clone()));
            add(owner, table, &entity.config, &|scope| scope == Scope::Entity(entity.kind));
        }
    }
    add("cluster".to_owned(), "config", &plan.cluster.config, &|scope| scope == Scope::Cluster);
    for one in &mut choices {
        let entity = entities.iter().find(|(_, owner)| *owner == one.owner);
        one.refused = entity.and_then(|(entity, _)| family.refuses(plan, entity, one.name));
    }
    choices
}

fn is_there(setting: &Setting, version: Version) -> bool {
    setting.since <= version && setting.until.is_none_or(|until| version < until)
}

fn choice(
    setting: &Setting,
    (owner, table): (&str, &'static str),
    config: &Config,
    version: Version,
) -> SettingChoice {
    let (written, default) = (config.get(setting.name).cloned(), setting.default_at(version));
    SettingChoice {
        owner: owner.to_owned(),
        table,
        name: setting.name,
        is_written: written.is_some(),
        current: written.or_else(|| default.clone()),
        default,
        kind: setting.kind,
        is_modelled: setting.status == Status::Modelled,
        refused: None,
        meaning: setting.meaning,
    }
}

/// Something that can be done to a client, without any further question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// What.
    pub what: Change,
    /// Which producer or consumer.
    pub client: String,
    /// The line that does it, or why it cannot be done.
    pub line: Result<String, String>,
}

/// What can be done to a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// A producer sends twice as much, from this instant on.
    DoubleLoad,
    /// A producer sends half as much, from this instant on.
    HalveLoad,
    /// A consumer takes twice as long for a message, from the beginning.
    DoubleProcessing,
    /// A consumer takes half as long for a message, from the beginning.
    HalveProcessing,
    /// One instance of a consumer more, from this instant on.
    OneMore,
    /// One instance of a consumer less, from this instant on.
    OneLess,
}

/// Everything that can be done to the clients of a plan when its world has come this far.
pub fn offers(plan: &Plan, world: &dyn World) -> Vec<Offer> {
    let now = world.now() + Span(1);
    let mut offers = Vec::new();
    for producer in &plan.producers {
        let mut add = |what, line| offers.push(Offer { what, client: producer.name.clone(), line });
        add(Change::DoubleLoad, load(plan, producer, now, 2, 1));
        add(Change::HalveLoad, load(plan, producer, now, 1, 2));
    }
    for consumer in &plan.consumers {
        let mut add = |what, line| offers.push(Offer { what, client: consumer.name.clone(), line });
        add(Change::DoubleProcessing, processing(consumer, 2, 1));
        add(Change::HalveProcessing, processing(consumer, 1, 2));
        add(Change::OneMore, one_more(plan, consumer, world, now));
        add(Change::OneLess, one_less(plan, consumer, world, now));
    }
    offers
}

/// Nothing is done after the window in which faults may start.
pub fn in_window(plan: &Plan, at: Time) -> Result<Time, String> {
    let window = plan.run_for;
    if at <= Time::ZERO + window {
        return Ok(at);
    }
    Err(format!("nothing is done after `run_for`, which is {window}; go back before that"))
}

/// What has to be laid over a scenario besides, so that something can be done after the window in which faults start:
/// a longer window, and as many messages as were sent in the present one, so that the workload stays what it was.
/// None: the window is long enough. An error: what happens then would depend on how long the window is.
pub fn longer_window(plan: &Plan, at: Time, ledger: &Ledger) -> Result<Option<String>, String> {
    let Err(late) = in_window(plan, at) else { return Ok(None) };
    let is_timed = |fault: &FaultPlan| matches!(fault.trigger, Trigger::At(_));
    if !plan.steps.is_empty() || !plan.faults.iter().all(is_timed) {
        return Err(late);
    }
    let mut lines = vec![format!("run_for = {}", write::text(&write::span(at.since(Time::ZERO))))];
    let sent = ledger.sent_by_producer();
    for (producer, sent) in plan.producers.iter().zip(sent) {
        let is_even = |phase: &Phase| matches!(phase.rate, Rate::Every(_) | Rate::Pause);
        if producer.messages.is_some() || producer.phases.is_empty() {
            continue;
        }
        if sent == 0 || !producer.exact.is_empty() || !producer.phases.iter().all(is_even) {
            return Err(late);
        }
        lines.push(format!("producer.{}.messages = {sent}", write::key(&producer.name)));
    }
    Ok(Some(lines.join("\n")))
}

/// The producer's phases, with those after an instant at a rate so many times as high.
fn load(plan: &Plan, producer: &ProducerPlan, now: Time, times: u64, over: u64) -> Result<String, String> {
    in_window(plan, now)?;
    let starts = match producer.starts {
        Starts::AtOnce => Time::ZERO,
        Starts::At(at) => Time::ZERO + at,
        Starts::ByStep => return Err("a step makes it start: its load has no times".to_owned()),
    };
    let scaled = |rate| match rate {
        Rate::Every(gap) => Ok(Rate::Every(slower(gap, over, times)?)),
        Rate::Poisson(mean) => Ok(Rate::Poisson(slower(mean, over, times)?)),
        Rate::Pause => Ok(Rate::Pause),
        Rate::OneByOne | Rate::Max => Err("it sends as fast as answers come".to_owned()),
    };
    if producer.phases.is_empty() {
        return Err("it sends only what steps say".to_owned());
    }
    let (mut phases, mut left) = (Vec::new(), now.since(starts));
    for phase in &producer.phases {
        let before = phase.lasts.map_or(left, |lasts| lasts.min(left));
        left = left - before;
        if before > Span::ZERO {
            phases.push(Phase { lasts: Some(before), rate: phase.rate });
        }
        let after = phase.lasts.map(|lasts| lasts - before);
        if after != Some(Span::ZERO) {
            phases.push(Phase { lasts: after, rate: scaled(phase.rate)? });
        }
    }
    let phase = |phase: &Phase| {
        let rate = write::text(&write::rate(phase.rate));
        match phase.lasts {
            Some(lasts) => format!("{{ for = {}, rate = {rate} }}", write::text(&write::span(lasts))),
            None => format!("{{ rate = {rate} }}"),
        }
    };
    let phases: Vec<String> = phases.iter().map(phase).collect();
    Ok(format!("producer.{}.phases = [{}]", write::key(&producer.name), phases.join(", ")))
}

fn slower(gap: Span, times: u64, over: u64) -> Result<Span, String> {
    match gap.0.saturating_mul(times) / over {
        0 => Err("it sends as fast as can be told".to_owned()),
        gap => Ok(Span(gap)),
    }
}

/// The consumer's processing time, so many times as long.
fn processing(consumer: &ConsumerPlan, times: u64, over: u64) -> Result<String, String> {
    let scaled = |span: Span| Span(span.0.saturating_mul(times) / over);
    let process = match consumer.process {
        Dist::Constant(time) => Dist::Constant(scaled(time)),
        Dist::Uniform(low, high) => Dist::Uniform(scaled(low), scaled(high)),
        Dist::Exponential(mean) => Dist::Exponential(scaled(mean)),
        Dist::LogNormal(median, sigma) => Dist::LogNormal(scaled(median), sigma),
    };
    if process == consumer.process {
        return Err("it takes no time".to_owned());
    }
    let process = write::text(&write::dist(process));
    Ok(format!("consumer.{}.process = {process}", write::key(&consumer.name)))
}

/// Which instances of a consumer run.
fn running(consumer: &ConsumerPlan, world: &dyn World) -> Vec<bool> {
    let name = |number: u16| match consumer.instances {
        1 => consumer.name.clone(),
        _ => format!("{}/{number}", consumer.name),
    };
    let is_up = |number| world.state(&format!("{}.up", name(number))) == Some(Value::Bool(true));
    (1..=consumer.instances).map(is_up).collect()
}

fn one_less(plan: &Plan, consumer: &ConsumerPlan, world: &dyn World, now: Time) -> Result<String, String> {
    in_window(plan, now)?;
    let last = running(consumer, world).iter().rposition(|is_up| *is_up);
    let last = last.ok_or("none of its instances runs")? + 1;
    FaultDeed::new(Act::Stop, &format!("{}/{last}", consumer.name)).line(&free_name(plan), now)
}

/// An instance that does not run starts again; if all run, there is a new one.
fn one_more(plan: &Plan, consumer: &ConsumerPlan, world: &dyn World, now: Time) -> Result<String, String> {
    in_window(plan, now)?;
    if let Some(down) = running(consumer, world).iter().position(|is_up| !is_up) {
        let name = format!("{}/{}", consumer.name, down + 1);
        return FaultDeed::new(Act::Start, &name).line(&free_name(plan), now);
    }
    if consumer.is_by_hand {
        return Err("it does only what steps say".to_owned());
    }
    let starts = (0..consumer.instances).map(|instance| match consumer.starts.of(instance) {
        Starts::AtOnce => "0s".to_owned(),
        Starts::At(at) => write::span(at),
        Starts::ByStep => "by step".to_owned(),
    });
    let starts: Vec<String> =
        starts.chain([write::span(now.since(Time::ZERO))]).map(|it| write::text(&it)).collect();
    let (name, instances) = (write::key(&consumer.name), consumer.instances + 1);
    Ok(format!("consumer.{name} = {{ instances = {instances}, starts = [{}] }}", starts.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::fake;

    #[test]
    fn faults_are_written_with_what_their_verbs_need() {
        let at = Time(5_000_123_457);
        let mut deed = FaultDeed::new(Act::Kill, "broker-1");
        deed.lasts = Some(Span::from_secs(5));
        let line = r#"fault.by-hand-1 = { at = "5.000123457s", kill = "broker-1", restart_after = "5s" }"#;
        assert_eq!(deed.line("by-hand-1", at).as_deref(), Ok(line));
        deed.act = Act::Delay;
        assert!(deed.line("by-hand-1", at).unwrap_err().contains("`by`"));
        deed.act = Act::Start;
        assert_eq!(deed.line("by-hand-1", at).unwrap_err(), "`start` has no end of its own");
        let mut cut = FaultDeed::new(Act::Cut, "broker-1");
        cut.from = vec!["broker-2".to_owned(), "broker-3".to_owned()];
        cut.one_way = true;
        let line = "fault.x = { at = \"0s\", cut = \"broker-1\", from = [\"broker-2\", \"broker-3\"], \
                    one_way = true }";
        assert_eq!(cut.line("x", Time::ZERO).as_deref(), Ok(line));
    }

    #[test]
    fn load_changes_from_an_instant_on() {
        let mut plan = fake::plan(&["billing"]);
        let at = Time(500_000_001);
        let line = |plan: &Plan| load(plan, &plan.producers[0], at, 2, 1).unwrap();
        assert_eq!(
            line(&plan),
            "producer.checkout.phases = [{ for = \"500.000001ms\", rate = \"100/s\" }, { rate = \"200/s\" }]"
        );
        let ms = Span::from_millis;
        plan.producers[0].phases = vec![
            Phase { lasts: Some(ms(200)), rate: Rate::Poisson(ms(10)) },
            Phase { lasts: Some(ms(400)), rate: Rate::Pause },
            Phase { lasts: None, rate: Rate::Every(ms(1)) },
        ];
        assert_eq!(
            line(&plan),
            "producer.checkout.phases = [{ for = \"200ms\", rate = \"poisson(100/s)\" }, \
             { for = \"300.000001ms\", rate = \"0/s\" }, { for = \"99.999999ms\", rate = \"0/s\" }, \
             { rate = \"2000/s\" }]"
        );
        plan.producers[0].phases = vec![Phase { lasts: None, rate: Rate::Max }];
        assert!(load(&plan, &plan.producers[0], at, 2, 1).is_err());
        assert!(load(&plan, &plan.producers[0], Time(2_000_000_001), 2, 1).is_err());
    }
}
