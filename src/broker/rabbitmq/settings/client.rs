//! What publishers and consumers say to the server, and what their client libraries do by themselves.
//!
//! Defaults are those of the Java client, of pika, and of Spring AMQP, which stands on the Java client. Names of
//! methods and arguments are AMQP's where it has one (`mandatory`, `no_ack`, `exclusive`).

use super::Absent;
use crate::broker::{Kind, Scope, Setting};
use crate::scenario::plan::Version;

const ALWAYS: Version = Version(0, 0, 0);
const PUBLISHER: Scope = Scope::Producer(None);
const CONSUMER: Scope = Scope::Consumer(None);
const COUNT: Kind = Kind::Int(0, 2_147_483_647);
const SECONDS: Kind = Kind::Int(0, 65_535);
const MILLIS: Kind = Kind::Int(0, 604_800_000);
const DELIVERY_MODE: Kind = Kind::OneOf(&["1", "2", "transient", "persistent"]);

const MODE: &str =
    "1: messages are transient; 2: they are persistent, and survive a restart in a durable queue.";
const HEARTBEAT: &str =
    "The heartbeat timeout in seconds that the client asks for; of both, the smaller one that is not 0.";
const RECOVERY: &str = "Whether the client connects again by itself and declares anew what it used; it \
                        does not publish again what was unconfirmed.";
const INTERVAL: &str = "How many milliseconds the client waits before it connects again.";
const PREFETCH: &str = "How many unacknowledged messages the server lets the consumer hold; 0: any number.";

const fn recovery(scope: Scope, default: &'static [(Version, &'static str)]) -> Setting {
    Setting::new(scope, "automatic_recovery", Kind::Bool, RECOVERY).defaults(default)
}

const fn mode(client: &'static str, default: &'static [(Version, &'static str)]) -> Setting {
    Setting::new(Scope::Producer(Some(client)), "delivery_mode", DELIVERY_MODE, MODE).defaults(default)
}

const fn prefetch(client: &'static str, default: &'static [(Version, &'static str)]) -> Setting {
    Setting::new(Scope::Consumer(Some(client)), "prefetch", Kind::Int(0, 65_535), PREFETCH).defaults(default)
}

/// The modelled ones.
pub(super) const SETTINGS: &[Setting] = &[
    Setting::new(
        PUBLISHER,
        "confirm",
        Kind::Bool,
        "Whether the channel is in confirm mode; else a message counts as sent when it is written to the \
         socket.",
    )
    .defaults(&[(ALWAYS, "false")]),
    Setting::new(
        PUBLISHER,
        "window",
        COUNT,
        "How many messages may be unconfirmed before the publisher waits; 1: it waits for each; 0: any \
         number.",
    )
    .defaults(&[(ALWAYS, "0")]),
    Setting::new(
        PUBLISHER,
        "confirm_timeout",
        MILLIS,
        "After how many milliseconds without a confirm the publisher takes a message for failed; 0: it \
         waits for ever.",
    )
    .defaults(&[(ALWAYS, "0")]),
    Setting::new(PUBLISHER, "tx", Kind::Bool, "Whether the channel is transactional.")
        .defaults(&[(ALWAYS, "false")]),
    Setting::new(PUBLISHER, "tx_batch", Kind::Int(1, 1_000_000), "How many messages a transaction has.")
        .defaults(&[(ALWAYS, "1")]),
    Setting::new(
        PUBLISHER,
        "mandatory",
        Kind::Bool,
        "Whether a message that leads to no queue comes back, with 312 NO_ROUTE.",
    )
    .defaults(&[(ALWAYS, "false")]),
    mode("java", &[(ALWAYS, "1")]),
    mode("pika", &[(ALWAYS, "1")]),
    mode("spring", &[(ALWAYS, "2")]),
    Setting::new(
        PUBLISHER,
        "name",
        Kind::Text,
        "The name by which a stream knows the producer: what has a publishing id that is not above its \
         highest is confirmed and not stored; empty: it has none.",
    )
    .since(Version(3, 9, 0)),
    Setting::new(PUBLISHER, "priority", Kind::Int(0, 255), "The priority of the messages."),
    Setting::new(
        PUBLISHER,
        "expiration",
        Kind::Digits(0, 4_294_967_295),
        "After how many milliseconds in a queue the messages die; the smaller one of this and the queue's \
         holds.",
    ),
    Setting::new(PUBLISHER, "heartbeat", SECONDS, HEARTBEAT).defaults(&[(ALWAYS, "60")]),
    recovery(Scope::Producer(Some("java")), &[(ALWAYS, "true")]),
    recovery(Scope::Producer(Some("pika")), &[(ALWAYS, "false")]),
    recovery(Scope::Producer(Some("spring")), &[(ALWAYS, "true")]),
    Setting::new(PUBLISHER, "network_recovery_interval", MILLIS, INTERVAL).defaults(&[(ALWAYS, "5000")]),
    prefetch("java", &[]),
    prefetch("pika", &[]),
    prefetch("spring", &[(ALWAYS, "250")]),
    Setting::new(
        CONSUMER,
        "global",
        Kind::Bool,
        "Whether the prefetch is shared by the whole channel; not with quorum queues and streams.",
    )
    .defaults(&[(ALWAYS, "false")]),
    Setting::new(
        CONSUMER,
        "no_ack",
        Kind::Bool,
        "Whether messages count as acknowledged as soon as the server has sent them; prefetch has no \
         meaning then.",
    )
    .defaults(&[(ALWAYS, "false")]),
    Setting::new(
        CONSUMER,
        "exclusive",
        Kind::Bool,
        "Whether no other consumer may consume the queue; a second one is refused with 403.",
    )
    .defaults(&[(ALWAYS, "false")]),
    Setting::new(
        CONSUMER,
        "x-priority",
        Kind::Int(-2_147_483_648, 2_147_483_647),
        "Consumers of a higher priority are served first, as long as they may take more.",
    )
    .defaults(&[(ALWAYS, "0")]),
    Setting::new(
        CONSUMER,
        "multiple",
        Kind::Int(1, 65_535),
        "After how many messages the consumer acknowledges all of them at once; 1: each by itself.",
    )
    .defaults(&[(ALWAYS, "1")]),
    Setting::new(
        CONSUMER,
        "cancel_notify",
        Kind::Bool,
        "Whether the server tells the consumer that its queue is gone; else it waits for ever.",
    )
    .defaults(&[(ALWAYS, "true")]),
    Setting::new(
        CONSUMER,
        "x-cancel-on-ha-failover",
        Kind::Bool,
        "Whether the consumer is cancelled, and told so, when a mirror takes over its queue; else it is \
         subscribed again without a word.",
    )
    .defaults(&[(ALWAYS, "false")])
    .until(Version(4, 0, 0)),
    Setting::new(
        CONSUMER,
        "confirm",
        Kind::Bool,
        "Whether what it publishes elsewhere (`then = \"send to X\"`) is confirmed before the original is \
         acknowledged, as `RepublishMessageRecovererWithConfirms` does.",
    )
    .defaults(&[(ALWAYS, "false")]),
    Setting::new(CONSUMER, "heartbeat", SECONDS, HEARTBEAT).defaults(&[(ALWAYS, "60")]),
    recovery(Scope::Consumer(Some("java")), &[(ALWAYS, "true")]),
    recovery(Scope::Consumer(Some("pika")), &[(ALWAYS, "false")]),
    recovery(Scope::Consumer(Some("spring")), &[(ALWAYS, "true")]),
    Setting::new(CONSUMER, "network_recovery_interval", MILLIS, INTERVAL).defaults(&[(ALWAYS, "5000")]),
    Setting::new(
        Scope::Consumer(Some("spring")),
        "default_requeue_rejected",
        Kind::Bool,
        "Whether a message whose listener failed goes back into the queue; else it is rejected for good.",
    )
    .defaults(&[(ALWAYS, "true")]),
    Setting::new(
        CONSUMER,
        "x-stream-offset",
        Kind::Text,
        "Where a consumer of a stream begins: `first`, `last`, `next` or a number.",
    )
    .defaults(&[(ALWAYS, "next")])
    .since(Version(3, 9, 0)),
    Setting::new(
        CONSUMER,
        "keep_offset",
        Kind::Bool,
        "Whether the application keeps the offset of what it has processed of a stream, and begins behind it \
         when it connects again.",
    )
    .defaults(&[(ALWAYS, "false")])
    .since(Version(3, 9, 0)),
    Setting::new(
        Scope::Message,
        "delivery_mode",
        DELIVERY_MODE,
        "1: the message is transient; 2: it is persistent; left out: as its publisher says.",
    ),
    Setting::new(
        Scope::Message,
        "priority",
        Kind::Int(0, 255),
        "Its priority; left out: as its publisher \
                                  says.",
    ),
    Setting::new(
        Scope::Message,
        "expiration",
        Kind::Digits(0, 4_294_967_295),
        "After how many milliseconds in a queue it dies; left out: as its publisher says.",
    ),
    Setting::new(
        Scope::Message,
        "routing_key",
        Kind::Text,
        "Its routing key; left out: as its publisher says.",
    ),
    Setting::new(
        Scope::Message,
        "publishing_id",
        Kind::Digits(0, 9_007_199_254_740_991),
        "Its number, by which a stream recognises it; left out: counted from 1, the same for every attempt.",
    )
    .since(Version(3, 9, 0)),
    Setting::new(Scope::Message, "headers", Kind::Table, "Its headers, by which a headers exchange routes."),
    Setting::new(
        Scope::Message,
        "x-delay",
        Kind::Digits(0, 4_294_967_295),
        "How many milliseconds a delayed-message exchange keeps it: the header of that name.",
    ),
    Setting::new(Scope::Message, "CC", Kind::Texts, "More routing keys; they stay on the message."),
    Setting::new(Scope::Message, "BCC", Kind::Texts, "More routing keys; they are taken off the message."),
];

/// Known, and refused.
pub(super) const ABSENT: &[Absent] = &[
    (PUBLISHER, "channel_cache_size", "How many channels Spring keeps open."),
    (PUBLISHER, "connection_timeout", "How long the client waits for a connection to open."),
    (
        PUBLISHER,
        "immediate",
        "Whether a message comes back that no consumer can take at once; refused since 3.0.",
    ),
    (PUBLISHER, "reply_timeout", "How long Spring waits for a reply."),
    (PUBLISHER, "requested_channel_max", "How many channels the client asks for."),
    (PUBLISHER, "requested_frame_max", "The largest frame that the client asks for."),
    (PUBLISHER, "shutdown_timeout", "How long the client waits for a connection to close."),
    (PUBLISHER, "topology_recovery", "Whether recovery declares anew what the client used; here it does."),
    (CONSUMER, "concurrent_consumers", "How many consumers a Spring container has; here `instances`."),
    (CONSUMER, "connection_timeout", "How long the client waits for a connection to open."),
    (CONSUMER, "consumer_tag", "The name of the consumer."),
    (
        CONSUMER,
        "no_local",
        "Whether a consumer gets nothing of its own connection; the server does not do it.",
    ),
    (CONSUMER, "prefetch_size", "How many bytes a consumer may hold; the server refuses it."),
    (CONSUMER, "topology_recovery", "Whether recovery declares anew what the client used; here it does."),
    (CONSUMER, "x-stream-filter", "Which messages of a stream the consumer wants."),
    (Scope::Message, "app_id", "The name of the application that publishes."),
    (Scope::Message, "content_encoding", "How the body is packed."),
    (Scope::Message, "content_type", "What the body is."),
    (Scope::Message, "correlation_id", "The request that a reply belongs to."),
    (Scope::Message, "message_id", "The application's own name for the message."),
    (Scope::Message, "reply_to", "Where a reply goes."),
    (Scope::Message, "timestamp", "When the application made the message."),
    (Scope::Message, "type", "The application's own kind of message."),
    (Scope::Message, "user_id", "The name of the user who publishes."),
];
