//! The measures that expectations can name, declared once.

/// What can be measured of a run.
#[derive(Clone, Copy, Debug)]
pub struct Measure {
    /// As it is written: `latency.confirm.p99`.
    pub name: &'static str,
    /// In which unit.
    pub unit: Unit,
    /// What it belongs to: the names that may stand before it.
    pub of: Of,
    /// What it is, in one sentence.
    pub meaning: &'static str,
}

/// The unit of a measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A number of messages out of those addressed or sent: also in percent, at most 100.
    Share,
    /// A number of things: also in percent.
    Count,
    /// A length of time.
    Time,
    /// A number a second.
    Rate,
}

/// What a measure belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    /// A subscription.
    Subscription,
    /// A producer.
    Producer,
    /// The run as a whole.
    Run,
}

const fn measure(name: &'static str, unit: Unit, of: Of, meaning: &'static str) -> Measure {
    Measure { name, unit, of, meaning }
}

/// All of them.
pub static MEASURES: &[Measure] = &[
    measure("processed", Unit::Share, Of::Subscription, "Confirmed, one effect."),
    measure("duplicated", Unit::Share, Of::Subscription, "More than one effect."),
    measure("phantom", Unit::Share, Of::Subscription, "Failed or unknown, one effect."),
    measure("rejected", Unit::Share, Of::Subscription, "Failed, no effect."),
    measure("unsent", Unit::Share, Of::Subscription, "Unknown, no effect."),
    measure(
        "backlogged",
        Unit::Share,
        Of::Subscription,
        "Confirmed, and a copy waits on a node that serves it.",
    ),
    measure("dead_lettered", Unit::Share, Of::Subscription, "Confirmed, and in a dead-letter destination."),
    measure("expired", Unit::Share, Of::Subscription, "Confirmed, and removed by time or by compaction."),
    measure("overflowed", Unit::Share, Of::Subscription, "Confirmed, and removed by a limit."),
    measure("unroutable", Unit::Share, Of::Subscription, "Confirmed, and nothing was bound."),
    measure("discarded", Unit::Share, Of::Subscription, "Confirmed, and given up by the consumer."),
    measure(
        "stranded",
        Unit::Share,
        Of::Subscription,
        "Confirmed, and a copy waits once the world is healed.",
    ),
    measure("lost", Unit::Share, Of::Subscription, "Confirmed, and gone without a trace."),
    measure("addressed", Unit::Share, Of::Subscription, "Messages that the subscription should get."),
    measure("latent", Unit::Share, Of::Subscription, "Rejected or unsent, and a copy still waits."),
    measure("redelivered", Unit::Count, Of::Subscription, "Deliveries beyond the first."),
    measure("reordered", Unit::Share, Of::Subscription, "First effects that overtook an older message's."),
    measure("stale", Unit::Count, Of::Subscription, "Old values applied over newer ones."),
    measure("leftover", Unit::Share, Of::Subscription, "Done, and a copy still waits."),
    measure("backlog.peak", Unit::Count, Of::Subscription, "Copies waiting or held, at most."),
    measure("backlog.end", Unit::Count, Of::Subscription, "Copies waiting or held at the end."),
    measure("backlog.drained_after", Unit::Time, Of::Subscription, "Time until nothing waited any more."),
    measure("latency.end_to_end.p50", Unit::Time, Of::Subscription, "Due to effect, the median."),
    measure(
        "latency.end_to_end.p99",
        Unit::Time,
        Of::Subscription,
        "Due to effect, all but one in a hundred.",
    ),
    measure("latency.end_to_end.max", Unit::Time, Of::Subscription, "Due to effect, the longest."),
    measure("store.expected", Unit::Count, Of::Subscription, "Effects that the store should hold."),
    measure("store.actual", Unit::Count, Of::Subscription, "Effects that the store holds."),
    measure("sent", Unit::Share, Of::Producer, "Messages that were due."),
    measure("confirmed", Unit::Share, Of::Producer, "The client said that the send succeeded."),
    measure("failed", Unit::Share, Of::Producer, "The client said that the send failed."),
    measure("unknown", Unit::Share, Of::Producer, "Neither."),
    measure("latency.confirm.p50", Unit::Time, Of::Producer, "Due to confirmed, the median."),
    measure("latency.confirm.p99", Unit::Time, Of::Producer, "Due to confirmed, all but one in a hundred."),
    measure("latency.confirm.max", Unit::Time, Of::Producer, "Due to confirmed, the longest."),
    measure(
        "unavailable",
        Unit::Time,
        Of::Producer,
        "The longest time in which a message was unanswered and nothing was confirmed; a refusal answers.",
    ),
    measure("throughput", Unit::Rate, Of::Producer, "Confirmed a second, from first due to last confirm."),
    measure(
        "told.wrong",
        Unit::Share,
        Of::Producer,
        "The user heard \"done\" and it was not, or \"failed\" and it was.",
    ),
    measure("inconsistent", Unit::Share, Of::Run, "Applied by some subscriptions and not by all."),
];

/// Names that the language has and that nothing measures yet.
pub static NOT_YET: &[&str] = &["told", "open", "fate"];

/// The measure of that name.
pub fn find(name: &str) -> Option<&'static Measure> {
    MEASURES.iter().find(|measure| measure.name == name)
}
