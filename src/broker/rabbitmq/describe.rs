//! What `RabbitMQ` says about itself: nodes, tables, addresses, roles and state paths, and what it refuses.
//!
//! Source: <https://www.rabbitmq.com/docs>; refusals are worded after the channel and connection errors of real
//! brokers.
//!
//! Not modelled: users and permissions, operator policies, limits of vhosts, plugins besides the delayed-message
//! exchange, queues named by the server, consumers that read only some of the queues that another one reads, changes of
//! anything but policies while it runs.

use crate::broker::{EntityKind, Field, Kind, NodeRole};
use crate::scenario::plan::{Action, Plan, ProducerPlan, Value, Version};
use crate::sim::Span;

pub(super) mod check;
mod clients;
pub(super) mod paths;
pub(super) mod routes;
#[cfg(test)]
mod tests;

/// The client libraries; the first is the vendor's own.
pub(super) const CLIENTS: &[&str] = &["java", "pika", "spring"];

/// The nodes of a cluster.
pub(super) const ROLES: &[NodeRole] = &[NodeRole { plural: "brokers", singular: "broker", count_max: 100 }];

/// The plugin that brings exchanges which keep messages back for a while.
pub(super) const DELAYED_PLUGIN: &str = "rabbitmq_delayed_message_exchange";

/// The type of such an exchange.
pub(super) const DELAYED_TYPE: &str = "x-delayed-message";

/// Fields of `[cluster]`.
pub(super) const CLUSTER_FIELDS: &[Field] = &[
    Field {
        name: "metadata",
        kind: Kind::OneOf(&["mnesia", "khepri"]),
        meaning: "Who keeps the cluster's metadata; left out: Khepri from 4.2 on, Mnesia before.",
    },
    Field { name: "ram", kind: Kind::Texts, meaning: "The nodes that keep their metadata in memory alone." },
    Field {
        name: "plugins",
        kind: Kind::Texts,
        meaning: "Which plugins are enabled: `rabbitmq_delayed_message_exchange`.",
    },
];

const VHOST: Field = Field { name: "vhost", kind: Kind::Text, meaning: "Its vhost; left out: `/`." };

const BINDING: &[Field] = &[
    Field { name: "exchange", kind: Kind::Text, meaning: "From which exchange." },
    Field { name: "routing_key", kind: Kind::Text, meaning: "The binding's key; left out: an empty one." },
    Field { name: "arguments", kind: Kind::Table, meaning: "What a headers exchange compares." },
];

const BIND: Field = Field {
    name: "bind",
    kind: Kind::Tables(BINDING),
    meaning: "Bindings that lead here: `[{ exchange = \"E\", routing_key = \"order.#\" }]`.",
};

const DURABLE: Field =
    Field { name: "durable", kind: Kind::Bool, meaning: "It survives a restart; left out: `true`." };

const DECLARED: Field = Field {
    name: "declared",
    kind: Kind::Bool,
    meaning: "Somebody declared it before the run; `false`: nobody did, so that using it is refused with \
              404.",
};

const DECLARED_AT: Field = Field {
    name: "declared_at",
    kind: Kind::Text,
    meaning: "An administrator declares it then, at this time of the run: `1s`; before, it is not there. \
              Left out: before the run.",
};

/// Named tables.
pub(super) const ENTITIES: &[EntityKind] = &[
    EntityKind { table: "vhost", fields: &[], settings: "limits" },
    EntityKind {
        table: "exchange",
        fields: &[
            Field {
                name: "type",
                kind: Kind::OneOf(&["direct", "fanout", "topic", "headers", DELAYED_TYPE]),
                meaning: "How it chooses; left out: `direct`.",
            },
            VHOST,
            DURABLE,
            Field {
                name: "auto_delete",
                kind: Kind::Bool,
                meaning: "It goes with its last binding; left out: `false`.",
            },
            Field {
                name: "internal",
                kind: Kind::Bool,
                meaning: "Only exchanges lead to it: clients are refused with 403; left out: `false`.",
            },
            BIND,
            DECLARED,
        ],
        settings: "arguments",
    },
    EntityKind {
        table: "queue",
        fields: &[
            VHOST,
            DURABLE,
            Field {
                name: "exclusive",
                kind: Kind::Bool,
                meaning: "Only the connection that declared it, its consumer's, may use it, and takes it \
                          along; left \
                          out: `false`.",
            },
            Field {
                name: "auto_delete",
                kind: Kind::Bool,
                meaning: "It goes with its last consumer; left out: `false`.",
            },
            Field {
                name: "on",
                kind: Kind::Text,
                meaning: "The node on which it is born; left out: by the locator, which is the first node.",
            },
            BIND,
            DECLARED,
            DECLARED_AT,
        ],
        settings: "arguments",
    },
    EntityKind {
        table: "policy",
        fields: &[
            VHOST,
            Field { name: "pattern", kind: Kind::Text, meaning: "Which names it applies to: `^orders`." },
            Field {
                name: "apply-to",
                kind: Kind::OneOf(&[
                    "all",
                    "exchanges",
                    "queues",
                    "classic_queues",
                    "quorum_queues",
                    "streams",
                ]),
                meaning: "What it applies to; left out: `all`.",
            },
            Field {
                name: "priority",
                kind: Kind::Int(-2_147_483_648, 2_147_483_647),
                meaning: "Of several that match, the highest one applies, alone; left out: 0.",
            },
        ],
        settings: "definition",
    },
];

/// Fields of producers.
pub(super) const PRODUCER_FIELDS: &[Field] = &[
    VHOST,
    Field {
        name: "routing_key",
        kind: Kind::Text,
        meaning: "The routing key of its messages, with `send_to = \"exchange E\"`; left out: an empty one.",
    },
];

/// Fields of consumers.
pub(super) const CONSUMER_FIELDS: &[Field] = &[
    VHOST,
    Field {
        name: "queues",
        kind: Kind::OneOf(&["all", "one each"]),
        meaning: "With `read_from = \"work-*\"`: whether each instance reads all of them, or one, in turn; \
                  left out: \
                  `all`.",
    },
];

/// Fills in how many nodes there are and who keeps the metadata.
pub(super) fn complete(plan: &mut Plan) {
    plan.cluster.roles.entry("brokers".to_owned()).or_insert(1);
    let metadata = if plan.version >= Version(4, 2, 0) { "khepri" } else { "mnesia" };
    let metadata = Value::Text(metadata.to_owned());
    plan.cluster.fields.entry("metadata".to_owned()).or_insert(metadata);
}

/// The number of a broker, from 0, by its name: `broker-1`.
pub(super) fn broker_number(name: &str) -> Option<u16> {
    name.strip_prefix("broker-")?.parse::<u16>().ok()?.checked_sub(1)
}

/// How many brokers there are.
fn brokers(plan: &Plan) -> u16 {
    plan.cluster.roles.get("brokers").copied().unwrap_or(0)
}

/// The exchange of `exchange E`; none: the address is one of queues.
pub(super) fn exchange_of(address: &str) -> Option<&str> {
    let name = address.strip_prefix("exchange ")?.trim();
    // As the management page calls the one without a name.
    Some(if name == "amq.default" { "" } else { name })
}

/// Whether an address, `Q` or `Q-*`, means the queue of that name.
pub(super) fn leads_to(address: &str, queue: &str) -> bool {
    match address.strip_suffix('*') {
        Some(beginning) => queue.starts_with(beginning),
        None => queue == address,
    }
}

/// The names of the tables of a kind.
fn names<'p>(plan: &'p Plan, kind: &str) -> impl Iterator<Item = &'p str> {
    plan.entities.iter().filter(move |one| one.kind == kind).map(|one| one.name.as_str())
}

/// An address is the name of a queue, the beginning of several (`work-*`), or an exchange: `exchange orders`.
pub(super) fn check_address(plan: &Plan, address: &str) -> Result<(), String> {
    if let Some(exchange) = exchange_of(address) {
        let is_there = is_predeclared(exchange) || names(plan, "exchange").any(|name| name == exchange);
        let known = || listed("exchange", names(plan, "exchange"));
        return if is_there { Ok(()) } else { Err(known()) };
    }
    if names(plan, "queue").any(|queue| leads_to(address, queue)) {
        return Ok(());
    }
    if names(plan, "exchange").any(|name| name == address) {
        return Err(format!("this is an exchange: write `exchange {address}`"));
    }
    Err(listed("queue", names(plan, "queue")))
}

fn listed<'p>(kind: &str, names: impl Iterator<Item = &'p str>) -> String {
    let names: Vec<&str> = names.collect();
    match names.len() {
        0 => format!("there is no {kind}: declare it as `[{kind}.NAME]`"),
        1..=10 => format!("expected a {kind}: {}", names.join(", ")),
        _ => format!("expected a {kind}: {}, …", names[..10].join(", ")),
    }
}

/// Whether every vhost has an exchange of that name.
pub(super) fn is_predeclared(exchange: &str) -> bool {
    ["", "amq.direct", "amq.fanout", "amq.topic", "amq.headers", "amq.match"].contains(&exchange)
}

/// Whether it is a field of a policy, and not a part of its definition.
pub(super) fn is_policy_field(name: &str) -> bool {
    ["vhost", "pattern", "apply-to", "priority"].contains(&name)
}

/// Whether the publisher is told that a message arrived: by a confirm, or by the answer to a commit.
pub(super) fn confirms(producer: &ProducerPlan) -> bool {
    let is_on = |name: &str| producer.config.get(name) == Some(&Value::Bool(true));
    is_on("confirm") || is_on("tx")
}

/// What a step may tell a client: messages are acknowledged one by one, there are no positions to commit.
pub(super) fn check_action(_plan: &Plan, action: &Action) -> Result<(), String> {
    match action {
        Action::Commit { .. } => {
            Err("RabbitMQ's consumers acknowledge messages, and have no position: `ack = \"all\"`".to_owned())
        }
        _ => Ok(()),
    }
}

/// The age `7D`, `1h`, `30s` of a stream's `max-age`: years, months, days, hours, minutes, seconds.
pub(super) fn age(text: &str) -> Option<Span> {
    let at = text.find(|c: char| !c.is_ascii_digit())?;
    let seconds = match &text[at..] {
        "Y" => 365 * 86_400,
        "M" => 30 * 86_400,
        "D" => 86_400,
        "h" => 3_600,
        "m" => 60,
        "s" => 1,
        _ => return None,
    };
    text[..at].parse::<u64>().ok()?.checked_mul(seconds).map(Span::from_secs)
}
