//! Every key of the language, declared once: checks, suggestions and reference pages derive from these tables.

use super::shape::{Form, Shape};

/// One key of a table.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// As it is written.
    pub name: &'static str,
    /// What it says, in one sentence.
    pub meaning: &'static str,
    /// What may stand behind it.
    pub shape: Shape,
}

impl Key {
    /// With this shape.
    const fn is(mut self, shape: Shape) -> Self {
        self.shape = shape;
        self
    }
}

/// The keys of one table.
#[derive(Clone, Copy, Debug)]
pub struct Keys {
    /// Whose keys: `a producer`.
    pub owner: &'static str,
    /// The keys, in the order in which people write them.
    pub keys: &'static [Key],
}

impl Keys {
    /// The key of that name.
    pub fn find(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }

    /// The names of the keys.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.keys.iter().map(|key| key.name)
    }
}

const fn built(name: &'static str, meaning: &'static str) -> Key {
    Key { name, meaning, shape: Shape::Any }
}

/// The top of a file. The family adds its own named tables, such as `topic`.
pub static FILE: Keys = Keys {
    owner: "a scenario",
    keys: &[
        built("title", "One line that names the story.").is(Shape::Text),
        built("family", "The message queue: `kafka`, `rabbitmq`.").is(Shape::Family),
        built("version", "The release whose rules and defaults hold; left out: the newest that is modelled.")
            .is(Shape::Form(Form::Release)),
        built("facts", "The ids of the facts it reproduces.").is(Shape::Texts),
        built("claims", "The ids of the claims it teaches.").is(Shape::Texts),
        built("sources", "Where to read more: addresses.").is(Shape::Texts),
        built("question", "What is asked before the run.").is(Shape::Text),
        built("story", "What happens.").is(Shape::Text),
        built("lesson", "What to take away.").is(Shape::Text),
        built("text", "Title, question, story and lesson in other languages: `[text.zh]`.")
            .is(Shape::Table(&LANGUAGES)),
        built("seed", "Decides every random draw; left out: 1.").is(Shape::Int(0, i64::MAX)),
        built("run_for", "Producers send and faults start in this window; left out: `30s`.")
            .is(Shape::Form(Form::Time)),
        built("drain_for", "Then consumers get this long; left out: `60s`.").is(Shape::Form(Form::Time)),
        built("cluster", "The nodes and the settings of the cluster.").is(Shape::Cluster(&CLUSTER)),
        built("producer", "Applications that send: `[producer.NAME]`.").is(Shape::Named(&[&PRODUCER])),
        built("consumer", "Applications that read, one subscription each: `[consumer.NAME]`.")
            .is(Shape::Named(&[&CONSUMER])),
        built("network", "The properties of every link.").is(Shape::Table(&NETWORK)),
        built("disk", "The properties of every disk.").is(Shape::Table(&DISK)),
        built("fault", "What goes wrong: `[fault.NAME]`.").is(Shape::Named(&[&OCCASION, &FAULT, &VERBS])),
        built("expect", "What holds at the end of every run.").is(Shape::Claims),
        built("variant", "Changes to the rest of the file, one run each: `[variant.NAME]`.")
            .is(Shape::Variants),
        built("decisive", "For a file of one variant: the setting that decides, as a `--set` line.")
            .is(Shape::Table(&DECISIVE)),
        built("step", "A script: one thing after another.").is(Shape::Steps(&[&STEP, &FAULT, &VERBS])),
        built(
            "service",
            "Services with limited capacity, called directly or by consumers: `[service.NAME]`.",
        )
        .is(Shape::Named(&[&SERVICE])),
    ],
};

/// Keys of the file that describe it as a whole; a variant or a `--set` line cannot change them.
pub static DESCRIPTIONS: &[&str] = &[
    "family", "title", "facts", "claims", "sources", "question", "story", "lesson", "text", "variant",
    "decisive",
];

/// `[text.LANGUAGE]`.
pub static TEXT: Keys = Keys {
    owner: "a translation",
    keys: &[
        built("title", "One line that names the story.").is(Shape::Text),
        built("question", "What is asked before the run.").is(Shape::Text),
        built("story", "What happens.").is(Shape::Text),
        built("lesson", "What to take away.").is(Shape::Text),
    ],
};

/// Languages of `[text.…]`.
pub static LANGUAGES: Keys =
    Keys { owner: "`text`", keys: &[built("zh", "Chinese.").is(Shape::Table(&TEXT))] };

/// `[cluster]`. The family adds the counts of its roles and its fields.
pub static CLUSTER: Keys = Keys {
    owner: "`cluster`",
    keys: &[built("config", "Settings by the vendor's own names.").is(Shape::Config)],
};

/// The named tables that a family declares. The family adds their fields, and what it calls their settings.
pub static ENTITY: Keys = Keys {
    owner: "this table",
    keys: &[built("copies", "How many alike: `[topic.load] copies = 3` makes `load-1` to `load-3`.")
        .is(Shape::Int(1, 1_000))],
};

/// What `alter` changes of such a table: its fields and settings.
pub static ALTERED: Keys = Keys { owner: "`to`", keys: &[] };

/// What the settings of such a table mean.
pub const SETTINGS_MEANING: &str = "Settings by the vendor's own names.";

/// `[producer.NAME]`. The family adds its fields.
pub static PRODUCER: Keys = Keys {
    owner: "a producer",
    keys: &[
        built("send_to", "Where it sends; `service NAME` calls a service directly.").is(Shape::Text),
        built("messages", "How many in total, shared by its instances; left out: until `run_for`.")
            .is(Shape::Int(0, 20_000_000)),
        built(
            "rate",
            "`1000/s`, `poisson(1000/s)`, `one by one` or `max`, over its instances; left out: `1000/s`.",
        )
        .is(Shape::Form(Form::Rate)),
        built(
            "phases",
            "Rates that follow one another: `[{ for = \"5s\", rate = \"200/s\" }, { rate = \"50/s\" }]`.",
        )
        .is(Shape::Tables(&[&PHASE])),
        built(
            "keys",
            "How many different keys the messages have: `16`, `zipf(16, 1.1)`; left out: they have none.",
        ),
        built("size", "The size of each message; left out: `100 B`.").is(Shape::Size),
        built("instances", "How many processes share the work; left out: 1.").is(Shape::Int(1, 1_000)),
        built("client", "The client library; left out: the vendor's own.").is(Shape::Client),
        built("config", "Client settings by the library's own names.").is(Shape::Config),
        built(
            "if_failed",
            "What the application does when the client reports a failure; left out: it gives up.",
        )
        .is(Shape::Words(&["give up", "send again"])),
        built("if_unknown", "The same, when it stays open whether the message was stored.")
            .is(Shape::Words(&["give up", "send again"])),
        built("attempts", "How often the application hands a message to the client at most; left out: 10.")
            .is(Shape::Int(1, 65_535)),
        built("every", "How long the application waits before it sends a message again; left out: `100ms`.")
            .is(Shape::Form(Form::Time)),
        built(
            "message",
            "Exact messages, one by one, instead of `messages`: `[{ key = \"a\" }, { repeat = 50 }]`.",
        )
        .is(Shape::Tables(&[&MESSAGE])),
        built("connect_to", "The nodes that the client tries first, in order.").is(Shape::Texts),
        built(
            "spread",
            "Over several destinations: `by key` or `round robin`; left out: by key if there are keys.",
        )
        .is(Shape::Words(&["by key", "round robin"])),
        built("starts", "When it starts: `10s` or `by step`.").is(Shape::Text),
        built("stops", "When it is asked to stop.").is(Shape::Form(Form::Time)),
        built("own_write", "A database write of its own that goes with each message, and when it is made.")
            .is(Shape::Words(&["before sending", "after confirm", "outbox"])),
        built("rpc", "It waits for a reply to each message.").is(Shape::Table(&RPC)),
    ],
};

/// `rpc = { … }`.
pub static RPC: Keys = Keys {
    owner: "`rpc`",
    keys: &[
        built("reply_to", "Where the replies go, in the family's words.").is(Shape::Text),
        built("timeout", "How long it waits for one; left out: `10s`.").is(Shape::Form(Form::Time)),
    ],
};

/// An element of `message`.
pub static MESSAGE: Keys = Keys {
    owner: "a message",
    keys: &[
        built("name", "What it is called, in `checkout#long`.").is(Shape::Text),
        built("key", "Its key; left out: drawn if the producer has `keys`, else none.").is(Shape::Text),
        built("size", "Its size: `1 KiB`; left out: the producer's.").is(Shape::Size),
        built("repeat", "How many like it, one after another.").is(Shape::Int(1, 20_000_000)),
        built("properties", "What the protocol lets a message carry, by the vendor's own names.")
            .is(Shape::Config),
    ],
};

/// `[service.NAME]`.
pub static SERVICE: Keys = Keys {
    owner: "a service",
    keys: &[
        built("workers", "How many requests it works on at once.").is(Shape::Int(1, 1_000)),
        built("process", "How long each request takes: `2ms`, `1ms..3ms`, `exp(2ms)`.")
            .is(Shape::Form(Form::Times)),
        built("queue", "How many requests may wait; the next one is refused.").is(Shape::Int(0, 10_000_000)),
        built(
            "breaks",
            "Being overrun takes it down and fails everything in it: for `30s`, or for good with `true`.",
        ),
    ],
};

/// An element of `phases`.
pub static PHASE: Keys = Keys {
    owner: "a phase",
    keys: &[
        built("for", "How long it lasts; the last one may go on until `run_for`.")
            .is(Shape::Form(Form::Time)),
        built("rate", "`1000/s`, `poisson(1000/s)`, or `0/s` for a pause.").is(Shape::Text),
    ],
};

/// `[consumer.NAME]`. The family adds its fields.
pub static CONSUMER: Keys = Keys {
    owner: "a consumer",
    keys: &[
        built("read_from", "What it reads.").is(Shape::Text),
        built("instances", "How many processes share the work; left out: 1.").is(Shape::Int(1, 1_000)),
        built(
            "process",
            "How long processing one message takes: `2ms`, `1ms..3ms`, `exp(2ms)`; left out: `1ms`.",
        )
        .is(Shape::Form(Form::Times)),
        built(
            "idempotency",
            "How the application protects its store against repeated deliveries; left out: `none`.",
        )
        .is(Shape::Words(&[
            "none",
            "unique_key",
            "processed_table",
            "side_store_before",
            "side_store_after",
            "version",
            "status_machine",
            "set_by_key",
            "select_then_insert",
        ])),
        built("id", "What its protection recognises a message by: the `business` id, or its `position`.")
            .is(Shape::Words(&["business", "position"])),
        built("poison", "Messages whose processing always fails: `[17]`, `[\"checkout#17\"]`."),
        built("fails", "The share of processings that fail: `2%`.").is(Shape::Form(Form::Share)),
        built("if_fails", "What it does when processing fails.").is(Shape::Table(&IF_FAILS)),
        built("workers", "A pool of that many threads; left out: the thread that polls does the work.")
            .is(Shape::Int(1, 1_000)),
        built("order", "Which order the pool keeps.").is(Shape::Words(&["none", "by key"])),
        built("client", "The client library; left out: the vendor's own.").is(Shape::Client),
        built("config", "Client settings by the library's own names.").is(Shape::Config),
        built("connect_to", "The nodes that the client tries first, in order.").is(Shape::Texts),
        built("by_hand", "It does only what steps say.").is(Shape::Flag),
        built("starts", "When it starts: `10s` or `by step`; or one for each instance: `[\"0s\", \"10s\"]`.")
            .is(Shape::Texts),
        built("stops", "When it is asked to stop.").is(Shape::Form(Form::Time)),
        built("calls", "A service that it calls for each message, and waits for.").is(Shape::Text),
    ],
};

/// `if_fails = { … }`.
pub static IF_FAILS: Keys = Keys {
    owner: "`if_fails`",
    keys: &[
        built("retries", "How often it tries again itself; left out: not at all.")
            .is(Shape::Int(0, 1_000_000)),
        built("every", "After how long each time; left out: `100ms`.").is(Shape::Form(Form::Time)),
        built(
            "then",
            "What it does when that did not help: `skip`, `stop`, `requeue`, `reject`, or `send to X`: it \
             goes on when that is confirmed.",
        ),
    ],
};

/// `[network]`.
pub static NETWORK: Keys = Keys {
    owner: "`network`",
    keys: &[
        built("latency", "One-way latency of every link; left out: `0.3ms..0.8ms`.")
            .is(Shape::Form(Form::Times)),
        built("bandwidth", "Of every directed link: `100 MB/s`; left out: unlimited.")
            .is(Shape::Form(Form::Bandwidth)),
    ],
};

/// `[disk]`.
pub static DISK: Keys = Keys {
    owner: "`disk`",
    keys: &[
        built("fsync", "How long one fsync takes: `exp(2ms)`; left out: `2ms`.").is(Shape::Form(Form::Times))
    ],
};

/// `decisive = { … }`.
pub static DECISIVE: Keys = Keys {
    owner: "`decisive`",
    keys: &[built("set", "The deciding change, as a `--set` line.").is(Shape::Text)],
};

/// The moments that `when` can wait for, in every family.
pub static MOMENTS: &[(&str, &str)] = &[
    ("sent", "an application handed a message to its client"),
    ("confirmed", "a client told its application that a send succeeded"),
    ("failed", "a client told its application that a send failed"),
    ("delivered", "a consumer was handed a message"),
    ("effect", "processing a message changed the store"),
    ("acknowledged", "a consumer told the broker that a message is done"),
    ("leader_elected", "a place has a new leader"),
    ("detected_down", "the cluster noticed that a node is down"),
];

/// `when = { … }`.
pub static WHEN: Keys = Keys {
    owner: "`when`",
    keys: &[
        built("observed", "The moment that is waited for: `confirmed`.").is(Shape::Moment),
        built("by", "Only of this producer, consumer, instance or node.").is(Shape::Text),
        built("nth", "Its how manieth occurrence, from 1.").is(Shape::Int(1, 4_294_967_295)),
        built("state", "A state that is waited for.").is(Shape::Claims),
    ],
};

/// `[[step]]`: everything but the verbs and keys of faults.
pub static STEP: Keys = Keys {
    owner: "a step",
    keys: &[
        built("name", "How variants and reports call it.").is(Shape::Text),
        built("wait", "It waits so long; `false`: `send` does not wait for answers."),
        built("wait_until", "It waits for a moment or a state.").is(Shape::Table(&WHEN)),
        built("send", "A producer sends so many messages.").is(Shape::Int(1, 20_000_000)),
        built("get", "A consumer takes so many messages, or `all`, and processes them."),
        built("ack", "A consumer acknowledges messages: `[3, 4]`, or `\"all\"`."),
        built("nack", "A consumer gives messages back: `[3, 4]`, or `\"all\"`."),
        built("reject", "A consumer gives messages back, one by one: `[3, 4]`, or `\"all\"`."),
        built("requeue", "They are to be delivered again.").is(Shape::Flag),
        built("commit", "A consumer commits its position.").is(Shape::True),
        built("close", "A client is closed.").is(Shape::True),
        built("expect", "What holds now.").is(Shape::Claims),
    ],
};

/// `[fault.NAME]`: the verbs, exactly one of which a fault has.
pub static VERBS: Keys = Keys {
    owner: "a fault",
    keys: &[
        built("kill", "The process ends at once; the page cache stays.").is(Shape::Texts),
        built("power_off", "The machine loses power: what was not flushed is gone.").is(Shape::Texts),
        built("stop", "The process is asked to stop.").is(Shape::Texts),
        built("freeze", "The process stands still.").is(Shape::Texts),
        built("start", "A process that is down starts, a frozen one goes on; in a step, `true`: a client.")
            .is(Shape::FlagOrTexts),
        built("disconnect", "All its connections are reset.").is(Shape::Texts),
        built("cut", "No packets between it and the others.").is(Shape::Texts),
        built("delay", "Packets take longer.").is(Shape::FormOrTexts(Form::Times)),
        built("slow_disk", "Its fsyncs take longer.").is(Shape::Texts),
        built("lose_disk", "Its disk is replaced by an empty one.").is(Shape::Texts),
        built("drop", "Raw frames vanish: all of the `\"frames\"`, or `\"requests\"` alone.")
            .is(Shape::Words(&["frames", "requests"])),
        built("duplicate", "Raw frames arrive twice: all of the `\"frames\"`, or `\"requests\"` alone.")
            .is(Shape::Words(&["frames", "requests"])),
        built("tear_disk", "The end of a file is torn off.").is(Shape::Texts),
        built("clock_jump", "Its wall clock jumps.").is(Shape::Texts),
        built("thaw", "A frozen process goes on.").is(Shape::Texts),
        built("heal", "Cuts, delays, drops and duplications end: of a fault, or on nodes.").is(Shape::Texts),
        built("alter", "An administrator changes a declared table: `topic orders`.").is(Shape::Text),
    ],
};

/// `[fault.NAME]`: when it starts, where a step waits for its turn.
pub static OCCASION: Keys = Keys {
    owner: "a fault",
    keys: &[
        built("when", "It starts when this is observed.").is(Shape::Table(&WHEN)),
        built("after", "How long after what `when` waits for.").is(Shape::Form(Form::Time)),
        built("every", "It starts again after this time.").is(Shape::Form(Form::Time)),
        built("times", "How often it starts.").is(Shape::Int(1, 1_000)),
        built("optional", "It may stay unfired.").is(Shape::Flag),
    ],
};

/// `[fault.NAME]` and `[[step]]`: what goes with a verb.
pub static FAULT: Keys = Keys {
    owner: "a fault",
    keys: &[
        built("at", "When it starts, from the start of the run.").is(Shape::Form(Form::Time)),
        built("restart_after", "After how long the process starts again.").is(Shape::Form(Form::Time)),
        built("thaw_after", "After how long the process goes on.").is(Shape::Form(Form::Time)),
        built("heal_after", "After how long packets pass again.").is(Shape::Form(Form::Time)),
        built("for", "After how long it ends.").is(Shape::Form(Form::Time)),
        built("from", "From whom it is cut, or slowed; left out: from everybody.").is(Shape::Texts),
        built("one_way", "Only packets from the target are stopped.").is(Shape::Flag),
        built("by", "How much longer packets take, or how far the clock jumps; in a step, who.")
            .is(Shape::Text),
        built("on", "Between whom.").is(Shape::Texts),
        built("factor", "How many times as long an fsync takes.").is(Shape::Int(2, 1_000_000)),
        built("rate", "The share of frames, or of requests, hit.").is(Shape::Form(Form::Share)),
        built("nth", "The how manieth frame, or request, is hit.").is(Shape::Int(1, 4_294_967_295)),
        built("as", "A name for the node that is hit, for later targets.").is(Shape::Text),
        built("of", "Which file is torn: `orders/0`.").is(Shape::Text),
        built("last", "How much is torn off.").is(Shape::Size),
        built("to", "What `alter` changes: `{ partitions = 4 }`.").is(Shape::Entity(&ALTERED)),
    ],
};

/// Every table of keys.
pub static ALL: &[&Keys] = &[
    &FILE, &TEXT, &LANGUAGES, &CLUSTER, &ENTITY, &PRODUCER, &PHASE, &MESSAGE, &RPC, &CONSUMER, &IF_FAILS,
    &SERVICE, &NETWORK, &DISK, &DECISIVE, &WHEN, &STEP, &OCCASION, &VERBS, &FAULT,
];

/// Where the tables whose names do not depend on the family stand, with `x` for names that an author chooses;
/// [`LISTS`] says which of them are elements of lists.
pub static PLACED: &[(&str, &Keys)] = &[
    ("", &FILE),
    ("text", &LANGUAGES),
    ("text.zh", &TEXT),
    ("cluster", &CLUSTER),
    ("producer.x", &PRODUCER),
    ("producer.x.phases", &PHASE),
    ("producer.x.message", &MESSAGE),
    ("consumer.x", &CONSUMER),
    ("producer.x.rpc", &RPC),
    ("consumer.x.if_fails", &IF_FAILS),
    ("service.x", &SERVICE),
    ("network", &NETWORK),
    ("disk", &DISK),
    ("fault.x", &OCCASION),
    ("fault.x", &FAULT),
    ("fault.x", &VERBS),
    ("fault.x.when", &WHEN),
    ("step", &STEP),
    ("step", &FAULT),
    ("step", &VERBS),
    ("decisive", &DECISIVE),
];

/// The tables of [`PLACED`] that are elements of lists.
pub static LISTS: &[&str] = &["producer.x.phases", "producer.x.message"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_is_declared_once_and_in_a_sentence() {
        for keys in ALL {
            for (i, key) in keys.keys.iter().enumerate() {
                assert!(key.meaning.ends_with('.'), "{}", key.name);
                assert!(!keys.keys[..i].iter().any(|other| other.name == key.name), "{}", key.name);
            }
        }
    }
}
