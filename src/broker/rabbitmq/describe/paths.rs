//! Roles that targets may name, and states that claims may.

use super::{ROLES, broker_number, brokers, listed, names};
use crate::scenario::plan::{Plan, Value};

/// How roles and states are written, for the page of the language.
pub(in crate::broker::rabbitmq) const PATHS: &[(&str, &str)] = &[
    ("`home of work`", "target: the node of a queue; of one that is down, the node on which it lives"),
    ("`leader of work`", "target: the node of the leader of a mirrored queue, a quorum queue or a stream"),
    (
        "`a mirror of work`, `mirrors of work`",
        "target: one of the other nodes that hold the queue, or all of them",
    ),
    ("`a follower of work`, `followers of work`", "target: the same, as one says of quorum queues"),
    ("`members of work`", "target: all nodes that hold the queue"),
    ("`\"work.ready\" = \">= 10\"`", "state: messages that wait to be delivered"),
    ("`\"work.unacked\" = 0`, `\"work.total\" = 3`", "state: messages that consumers hold; both together"),
    ("`\"work.consumers\" = 1`", "state: how many consumers the queue has"),
    ("`\"work.exists\" = true`", "state: whether the cluster knows the queue"),
    ("`\"work.leader\" = \"broker-2\"`", "state: the node of its leader; `\"none\"`: nobody serves it"),
    ("`\"work.mirrors\" = \"broker-2, broker-3\"`", "state: the other nodes that hold it; also `.followers`"),
    ("`\"work.synchronised\" = \"broker-2\"`", "state: the mirrors that have everything"),
    ("`\"work.members\" = \"broker-1, broker-2\"`", "state: all nodes that hold it, its leader first"),
    (
        "`\"broker-1.running\" = true`",
        "state: whether the node serves clients: not while it starts or pauses",
    ),
    ("`\"broker-1.partitions\" = \"broker-3\"`", "state: the nodes that it saw go and come back without it"),
    ("`\"broker-1.alarm\" = true`", "state: whether its memory or its disk stops the publishers"),
    (
        "`\"broker-1.connections\" = 4`, `\"broker-1.memory\"`",
        "state: clients that it has; bytes that it uses",
    ),
    ("`\"broker-1.up\" = true`, `\"billing/2.up\" = false`", "state: whether a process runs"),
];

const ROLE_NAMES: &[&str] = &["home", "leader", "a mirror", "mirrors", "a follower", "followers", "members"];

/// The roles that a target can name.
pub(in crate::broker::rabbitmq) fn check_role(plan: &Plan, role: &str) -> Result<(), String> {
    let Some((what, queue)) = role.split_once(" of ").filter(|(what, _)| ROLE_NAMES.contains(what)) else {
        return Err(
            "expected a node, a client, a set such as `brokers`, or a role such as `home of QUEUE`, \
                    `leader of QUEUE`, `a mirror of QUEUE`, `a follower of QUEUE`, `members of QUEUE`"
                .to_owned(),
        );
    };
    check_queue(plan, queue).map_err(|why| format!("`{what} of` is said of queues: {why}"))
}

/// The name of one queue.
pub(in crate::broker::rabbitmq) fn check_queue(plan: &Plan, queue: &str) -> Result<(), String> {
    let is_there = names(plan, "queue").any(|name| name == queue);
    if is_there { Ok(()) } else { Err(listed("queue", names(plan, "queue"))) }
}

/// The state that expectations can name.
pub(in crate::broker::rabbitmq) fn check_state(plan: &Plan, path: &str) -> Result<(), String> {
    let expected = "expected a measure such as `lost`, or a state such as `QUEUE.ready`, `.unacked`, \
                    `.total`, \
                    `.consumers`, `.leader`, `.mirrors`, `.synchronised`, `.members`, `.exists`, or \
                    `broker-1.running`, `.partitions`, `.alarm`, `.connections`, `.memory`, `.flushes`, \
                    `.disk_writes`, `.up`";
    let (owner, field) = path.rsplit_once('.').ok_or(expected)?;
    match field {
        "ready" | "unacked" | "total" | "consumers" | "exists" | "leader" | "mirrors" | "followers"
        | "members" | "synchronised" => check_queue(plan, owner),
        "partitions" | "alarm" | "connections" | "running" | "memory" | "flushes" | "disk_writes"
            if is_broker(plan, owner) =>
        {
            Ok(())
        }
        "up" if is_broker(plan, owner) || plan.is_one_process(owner) => Ok(()),
        "up" => Err(format!("there is no node, and no one client, `{owner}`")),
        "partitions" | "alarm" | "connections" | "running" | "memory" | "flushes" | "disk_writes" => {
            Err(format!("there is no node `{owner}`"))
        }
        _ => Err(expected.to_owned()),
    }
}

fn is_broker(plan: &Plan, name: &str) -> bool {
    broker_number(name).is_some_and(|number| number < brokers(plan))
}

/// What these states can be.
pub(in crate::broker::rabbitmq) fn check_state_value(
    plan: &Plan,
    path: &str,
    value: Option<&Value>,
) -> Result<(), String> {
    let text = match value {
        Some(Value::Text(text)) => Some(text.as_str()),
        _ => None,
    };
    let (is_possible, expected) = match path.rsplit('.').next() {
        Some("leader") => (
            text.is_some_and(|text| text == "none" || is_broker(plan, text)),
            format!(
                "expected a broker of `{}-1` to `broker-{}`, or `none`",
                ROLES[0].singular,
                brokers(plan)
            ),
        ),
        Some("mirrors" | "followers" | "members" | "synchronised" | "partitions") => (
            text.is_some_and(|text| text.is_empty() || text.split(", ").all(|name| is_broker(plan, name))),
            "expected brokers such as `broker-1, broker-2`, or an empty text".to_owned(),
        ),
        Some("exists" | "alarm" | "running" | "up") => (
            matches!(value, Some(Value::Bool(_))) || matches!(text, Some("true" | "false")),
            "expected `true` or `false`".to_owned(),
        ),
        _ => (matches!(value, None | Some(Value::Int(_))), "expected a number or a comparison".to_owned()),
    };
    if is_possible { Ok(()) } else { Err(expected) }
}
