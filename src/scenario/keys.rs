//! Every key of the language, declared once: checks, suggestions and reference pages derive from these tables.

/// One key of a table.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// As it is written.
    pub name: &'static str,
    /// Whether it works.
    pub state: State,
    /// What it says, in one sentence.
    pub meaning: &'static str,
}

/// Whether a key works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It works.
    Built,
    /// It belongs to the language but nothing carries it out yet: refused by name.
    NotYet,
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

    /// The names of the keys that work.
    pub fn built(&self) -> impl Iterator<Item = &'static str> {
        self.keys.iter().filter(|key| key.state == State::Built).map(|key| key.name)
    }
}

const fn built(name: &'static str, meaning: &'static str) -> Key {
    Key { name, state: State::Built, meaning }
}

const fn not_yet(name: &'static str, meaning: &'static str) -> Key {
    Key { name, state: State::NotYet, meaning }
}

/// The top of a file. The family adds its own named tables, such as `topic`.
pub static FILE: Keys = Keys {
    owner: "a scenario",
    keys: &[
        built("title", "One line that names the story."),
        built("family", "The message queue: `kafka`."),
        built("version", "The release whose rules and defaults hold; left out: the newest that is modelled."),
        built("facts", "The ids of the facts it reproduces."),
        built("claims", "The ids of the claims it teaches."),
        built("sources", "Where to read more: addresses."),
        built("question", "What is asked before the run."),
        built("story", "What happens."),
        built("lesson", "What to take away."),
        built("text", "Title, question, story and lesson in other languages: `[text.zh]`."),
        built("seed", "Decides every random draw."),
        built("run_for", "Producers send and faults start in this window."),
        built("drain_for", "Then consumers get this long."),
        built("cluster", "The nodes and the settings of the cluster."),
        built("producer", "Applications that send: `[producer.NAME]`."),
        built("consumer", "Applications that read, one subscription each: `[consumer.NAME]`."),
        built("network", "The properties of every link."),
        built("disk", "The properties of every disk."),
        built("fault", "What goes wrong: `[fault.NAME]`."),
        built("expect", "What holds at the end of every run."),
        built("variant", "Changes to the rest of the file, one run each: `[variant.NAME]`."),
        built("decisive", "For a file of one variant: the setting that decides, as a `--set` line."),
        built("step", "A script: one thing after another."),
        not_yet("service", "A service that is called directly."),
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
        built("title", "One line that names the story."),
        built("question", "What is asked before the run."),
        built("story", "What happens."),
        built("lesson", "What to take away."),
    ],
};

/// Languages of `[text.…]`.
pub static LANGUAGES: Keys = Keys { owner: "`text`", keys: &[built("zh", "Chinese.")] };

/// `[cluster]`. The family adds the counts of its roles and its fields.
pub static CLUSTER: Keys =
    Keys { owner: "`cluster`", keys: &[built("config", "Settings by the vendor's own names.")] };

/// The named tables that a family declares. The family adds their fields.
pub static ENTITY: Keys =
    Keys { owner: "this table", keys: &[built("config", "Settings by the vendor's own names.")] };

/// `[producer.NAME]`.
pub static PRODUCER: Keys = Keys {
    owner: "a producer",
    keys: &[
        built("send_to", "Where it sends."),
        built("messages", "How many in total, shared by its instances; left out: until `run_for`."),
        built("rate", "`1000/s`, `poisson(1000/s)`, `one by one` or `max`, in total over its instances."),
        built("keys", "How many different keys the messages have; left out: they have none."),
        built("size", "The size of each message: `100 B`."),
        built("instances", "How many processes share the work."),
        built("client", "The client library; left out: the vendor's own."),
        built("config", "Client settings by the library's own names."),
        built("if_failed", "What the application does when the client reports a failure."),
        built("if_unknown", "The same, when it stays open whether the message was stored."),
        built("attempts", "How often the application hands a message to the client at most."),
        built("every", "How long the application waits before it sends a message again."),
        not_yet("phases", "Rates that follow one another."),
        not_yet("message", "Exact messages, one by one."),
        not_yet("connect_to", "The nodes that the client tries first."),
        not_yet("spread", "How messages are spread over several destinations."),
        built("starts", "When it starts: `10s` or `by step`."),
        built("stops", "When it is asked to stop."),
        not_yet("own_write", "A database write of its own that goes with each message."),
        not_yet("rpc", "It waits for a reply to each message."),
        not_yet("routing_key", "The routing key of its messages."),
    ],
};

/// `[consumer.NAME]`.
pub static CONSUMER: Keys = Keys {
    owner: "a consumer",
    keys: &[
        built("read_from", "What it reads."),
        built("instances", "How many processes share the work."),
        built("process", "How long processing one message takes: `2ms`, `1ms..3ms`, `exp(2ms)`."),
        built("idempotency", "How the application protects its store against repeated deliveries."),
        built("client", "The client library; left out: the vendor's own."),
        built("config", "Client settings by the library's own names."),
        not_yet("connect_to", "The nodes that the client tries first."),
        built("by_hand", "It does only what steps say."),
        built("starts", "When it starts: `10s` or `by step`."),
        built("stops", "When it is asked to stop."),
        not_yet("poison", "Messages whose processing always fails."),
        not_yet("fails", "The share of processings that fail."),
        not_yet("if_fails", "What it does when processing fails."),
        not_yet("workers", "A pool of threads."),
        not_yet("order", "Which order the pool keeps."),
        not_yet("calls", "A service that it calls for each message."),
    ],
};

/// `[network]`.
pub static NETWORK: Keys = Keys {
    owner: "`network`",
    keys: &[
        built("latency", "One-way latency of every link: `0.3ms..0.8ms`."),
        built("bandwidth", "Of every directed link: `100 MB/s`; left out: unlimited."),
    ],
};

/// `[disk]`.
pub static DISK: Keys =
    Keys { owner: "`disk`", keys: &[built("fsync", "How long one fsync takes: `2ms`, `exp(2ms)`.")] };

/// `decisive = { … }`.
pub static DECISIVE: Keys =
    Keys { owner: "`decisive`", keys: &[built("set", "The deciding change, as a `--set` line.")] };

/// `when = { … }`.
pub static WHEN: Keys = Keys {
    owner: "`when`",
    keys: &[
        built("observed", "The moment that is waited for: `confirmed`."),
        built("by", "Only of this producer, consumer, instance or node."),
        built("nth", "Its how manieth occurrence, from 1."),
        built("state", "A state that is waited for."),
    ],
};

/// `[[step]]`: everything but the verbs and keys of faults.
pub static STEP: Keys = Keys {
    owner: "a step",
    keys: &[
        built("name", "How variants and reports call it."),
        built("at", "Not before this time of the run."),
        built("wait", "It waits so long; `false`: `send` does not wait for answers."),
        built("wait_until", "It waits for a moment or a state."),
        built("by", "Which client does it; left out when only one can."),
        built("send", "A producer sends so many messages."),
        built("get", "A consumer takes so many messages, or `all`, and processes them."),
        built("ack", "A consumer acknowledges messages."),
        built("nack", "A consumer gives messages back."),
        built("reject", "A consumer gives messages back, one by one."),
        built("requeue", "They are to be delivered again."),
        built("commit", "A consumer commits its position."),
        built("close", "A client is closed."),
        built("start", "A client, with `true`, or a node starts."),
        built("expect", "What holds now."),
    ],
};

/// `[fault.NAME]`: the verbs, exactly one of which a fault has.
pub static VERBS: Keys = Keys {
    owner: "a fault",
    keys: &[
        built("kill", "The process ends at once; the page cache stays."),
        built("power_off", "The machine loses power: what was not flushed is gone."),
        built("stop", "The process is asked to stop."),
        built("freeze", "The process stands still."),
        built("start", "A process that is down starts, a frozen one goes on."),
        built("disconnect", "All its connections are reset."),
        built("cut", "No packets between it and the others."),
        built("delay", "Packets take longer."),
        built("slow_disk", "Its fsyncs take longer."),
        built("lose_disk", "Its disk is replaced by an empty one."),
        built("drop", "Raw frames vanish: `\"frames\"`."),
        built("duplicate", "Raw frames arrive twice: `\"frames\"`."),
        built("tear_disk", "The end of a file is torn off."),
        built("clock_jump", "Its wall clock jumps."),
        built("thaw", "A frozen process goes on."),
        built("heal", "Cuts, delays, drops and duplications end: of a fault, or on nodes."),
        not_yet("alter", "An administrator changes a declared table."),
    ],
};

/// `[fault.NAME]`: everything but the verb.
pub static FAULT: Keys = Keys {
    owner: "a fault",
    keys: &[
        built("at", "When it starts, from the start of the run."),
        built("when", "It starts when this is observed."),
        built("after", "How long after what `when` waits for."),
        built("every", "It starts again after this time."),
        built("times", "How often it starts."),
        built("restart_after", "After how long the process starts again."),
        built("thaw_after", "After how long the process goes on."),
        built("heal_after", "After how long packets pass again."),
        built("for", "After how long it ends."),
        built("from", "From whom it is cut, or slowed; left out: from everybody."),
        built("one_way", "Only packets from the target are stopped."),
        built("by", "How much longer packets take, or how far the clock jumps."),
        built("on", "Between whom."),
        built("factor", "How many times as long an fsync takes."),
        built("rate", "The share of frames hit."),
        built("nth", "The how manieth frame is hit."),
        built("as", "A name for the node that is hit, for later targets."),
        built("optional", "It may stay unfired."),
        built("of", "Which file is torn: `orders/0`."),
        not_yet("to", "What `alter` changes."),
        built("last", "How much is torn off."),
    ],
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_is_declared_once_and_in_a_sentence() {
        for keys in [
            &FILE, &TEXT, &CLUSTER, &ENTITY, &PRODUCER, &CONSUMER, &NETWORK, &DISK, &WHEN, &VERBS, &FAULT,
            &STEP,
        ] {
            for (i, key) in keys.keys.iter().enumerate() {
                assert!(key.meaning.ends_with('.'), "{}", key.name);
                assert!(!keys.keys[..i].iter().any(|other| other.name == key.name), "{}", key.name);
            }
        }
    }
}
