//! A process that starts `by step` is started before a step makes it do something.

use crate::scenario::plan::{Action, FaultPlan, Plan, Starting, Starts, Target, Trigger, Verb};

use super::diagnostic::Diagnostic;
use super::reader::{Reader, shown};
use super::tree::Table;

/// Reports steps that use a producer or a consumer that nothing has started.
pub(super) fn check(reader: &mut Reader, file: &Table, plan: &Plan) {
    let by_step = |starts: &Starting| starts.ways().all(|one| one == Starts::ByStep);
    let producers = plan.producers.iter().map(|one| (&one.name, one.starts == Starts::ByStep, "producers"));
    let consumers = plan.consumers.iter().map(|one| (&one.name, by_step(&one.starts), "consumers"));
    for (name, is_by_step, set) in producers.chain(consumers) {
        if is_by_step {
            check_one(reader, file, plan, &[name, set, "clients"]);
        }
    }
}

/// Its name, then the sets that it is in.
fn check_one(reader: &mut Reader, file: &Table, plan: &Plan, names: &[&str]) {
    let client = names[0];
    if plan.faults.iter().any(|fault| fault.trigger != Trigger::Step && starts(fault, names)) {
        return;
    }
    for step in &plan.steps {
        let (by, does) = match &step.action {
            Some(Action::Start { by }) if is_of(by, client) => return,
            Some(Action::Fault(fault))
                if plan.faults.get(*fault as usize).is_some_and(|it| starts(it, names)) =>
            {
                return;
            }
            Some(Action::Send { by, .. }) => (by, "send"),
            Some(Action::Get { by, .. }) => (by, "get"),
            _ => continue,
        };
        let tables = file.table("step");
        if let (true, Some(entry)) =
            (is_of(by, client), tables.and_then(|all| all.table(&step.name)?.get(does)))
        {
            let name = shown(client);
            let message = format!("no step before `{}` starts `{name}`", shown(&step.name));
            let help = format!("a step above: `start = \"{name}\"`; or leave out `starts = \"by step\"`");
            let label = format!("`{name}` does not run: it `starts = \"by step\"`");
            reader.report_relation(Diagnostic::at(entry.key, message, label).help(help));
            return;
        }
    }
}

fn starts(fault: &FaultPlan, names: &[&str]) -> bool {
    match &fault.verb {
        Verb::Start(target) => means(target, names),
        _ => false,
    }
}

fn means(target: &Target, names: &[&str]) -> bool {
    match target {
        Target::Name(name) => is_of(name, names[0]) || names.contains(&name.as_str()),
        Target::All(all) => all.iter().any(|one| means(one, names)),
    }
}

/// Whether a name means this client or one of its instances.
fn is_of(name: &str, client: &str) -> bool {
    name.strip_prefix(client).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
