//! What happens to a world besides its workload: faults, and the steps of a script.

use crate::scenario::expect::Expectation;
use crate::sim::{Dist, Span};

use super::Config;

/// One fault.
#[derive(Clone, Debug, PartialEq)]
pub struct FaultPlan {
    /// Its name in the file.
    pub name: String,
    /// When it starts.
    pub trigger: Trigger,
    /// What it does.
    pub verb: Verb,
    /// After how long it ends; none: it lasts.
    pub ends_after: Option<Span>,
    /// It may stay unfired without anybody complaining.
    pub optional: bool,
    /// A name for the node that was hit, for later targets: `as = "old leader"`.
    pub known_as: Option<String>,
}

/// When a fault starts.
#[derive(Clone, Debug, PartialEq)]
pub enum Trigger {
    /// At this time.
    At(Span),
    /// A while after a condition is met.
    When {
        /// What is waited for.
        condition: Condition,
        /// How long after it.
        after: Span,
    },
    /// When its step of the script begins.
    Step,
}

/// What a fault or a step waits for.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    /// Something is observed for the nth time.
    Observed {
        /// Which moment: `confirmed`.
        moment: Moment,
        /// Only of this producer, consumer, instance or node.
        by: Option<String>,
        /// Counts from 1: from the start of the run, or of the step that waits.
        nth: u32,
    },
    /// The world is in a state: all of these hold at once.
    State(Vec<Expectation>),
}

/// What a trigger can wait for, in every family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the contract's own words")]
pub enum Moment {
    Sent,
    Confirmed,
    Failed,
    Delivered,
    Effect,
    Acknowledged,
    LeaderElected,
    DetectedDown,
}

impl Moment {
    /// What scenarios call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Confirmed => "confirmed",
            Self::Failed => "failed",
            Self::Delivered => "delivered",
            Self::Effect => "effect",
            Self::Acknowledged => "acknowledged",
            Self::LeaderElected => "leader_elected",
            Self::DetectedDown => "detected_down",
        }
    }
}

/// What a fault does.
#[derive(Clone, Debug, PartialEq)]
pub enum Verb {
    /// The process ends at once; the page cache stays; peers get a reset.
    Kill(Target),
    /// The machine loses power: silence, and what was not flushed is gone.
    PowerOff(Target),
    /// The process is asked to stop.
    Stop(Target),
    /// The process stands still; its kernel goes on.
    Freeze(Target),
    /// A process that is down starts, a frozen one thaws.
    Start(Target),
    /// All connections are reset; the process lives on.
    Disconnect(Target),
    /// No packets between the target and the others.
    Cut {
        /// Who is cut off.
        target: Target,
        /// From whom; none: from everybody.
        from: Option<Target>,
        /// Only packets from the target are stopped.
        one_way: bool,
    },
    /// Packets take longer.
    Delay {
        /// Between these and …
        target: Target,
        /// … these; none: everybody.
        from: Option<Target>,
        /// By how much.
        by: Dist,
    },
    /// Each fsync takes this many times as long.
    SlowDisk {
        /// Whose disk.
        target: Target,
        /// How many times as long.
        factor: u32,
    },
    /// The disk is replaced by an empty one (the node must be down, or goes down).
    LoseDisk(Target),
    /// Raw frames vanish: something TCP would not let happen, named as what it is.
    Drop(FrameFault),
    /// Raw frames arrive twice.
    Duplicate(FrameFault),
    /// The end of a file is torn off, while its node is down.
    TearDisk {
        /// Whose disk.
        target: Target,
        /// Which file, in the family's words: `orders/0`.
        of: String,
        /// How many bytes.
        bytes: u64,
    },
    /// The wall clock jumps; the monotonic one does not.
    ClockJump {
        /// Whose clock.
        target: Target,
        /// By so many nanoseconds; negative: back.
        by_ns: i64,
    },
    /// A frozen process goes on.
    Thaw(Target),
    /// Cuts, delays, drops and duplications end: of one fault by its name, or all that were imposed on these nodes.
    Heal(Target),
    /// An administrator changes a declared table: `alter = "topic orders", to = { partitions = 4 }`.
    Alter {
        /// `topic`.
        kind: &'static str,
        /// `orders`.
        name: String,
        /// The fields with their new values.
        fields: Config,
    },
}

impl Verb {
    /// Whom it hits; none: nobody in particular.
    pub fn target_mut(&mut self) -> Option<&mut Target> {
        match self {
            Self::Kill(target)
            | Self::PowerOff(target)
            | Self::Stop(target)
            | Self::Freeze(target)
            | Self::Start(target)
            | Self::Disconnect(target)
            | Self::LoseDisk(target)
            | Self::Thaw(target)
            | Self::Heal(target)
            | Self::Cut { target, .. }
            | Self::Delay { target, .. }
            | Self::SlowDisk { target, .. }
            | Self::TearDisk { target, .. }
            | Self::ClockJump { target, .. } => Some(target),
            Self::Drop(frames) | Self::Duplicate(frames) => Some(&mut frames.target),
            Self::Alter { .. } => None,
        }
    }

    /// What it did to a node, in words: `broker-1 killed`.
    pub fn happened(&self) -> &'static str {
        match self {
            Self::Kill(_) => "killed",
            Self::PowerOff(_) => "lost power",
            Self::Stop(_) => "stopped",
            Self::Freeze(_) => "frozen",
            Self::Start(_) => "started",
            Self::Disconnect(_) => "disconnected",
            Self::Cut { .. } => "cut off",
            Self::Delay { .. } => "delayed",
            Self::SlowDisk { .. } => "given a slow disk",
            Self::LoseDisk(_) => "lost its disk",
            Self::Drop(_) => "losing frames",
            Self::Duplicate(_) => "receiving frames twice",
            Self::TearDisk { .. } => "lost the end of a file",
            Self::ClockJump { .. } => "given another time",
            Self::Thaw(_) => "thawed",
            Self::Heal(_) => "healed",
            Self::Alter { .. } => "altered",
        }
    }
}

/// What a `drop` or `duplicate` counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frames {
    /// Every frame.
    All,
    /// Only requests of the family's protocol, not their answers.
    Requests,
}

/// Which raw frames a `drop` or `duplicate` hits.
#[derive(Clone, Debug, PartialEq)]
pub struct FrameFault {
    /// Of which frames.
    pub of: Frames,
    /// From these, and back …
    pub target: Target,
    /// … to these; none: everybody.
    pub from: Option<Target>,
    /// Which of the frames.
    pub which: Which,
}

/// Which of a series of frames.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Which {
    /// Each with this chance, in parts per million.
    Rate(u32),
    /// The nth after the fault began, from 1.
    Nth(u32),
}

/// Who is hit.
#[derive(Clone, Debug, PartialEq)]
pub enum Target {
    /// A node, a client, a set, or a role, resolved when the fault fires: `broker-1`, `billing`, `billing/2`,
    /// `brokers`, `leader of orders/0`, or a name given by `as`.
    Name(String),
    /// All of these.
    All(Vec<Target>),
}

/// One step of a script. It waits as it says, then acts; it begins when the step above is done.
#[derive(Clone, Debug, PartialEq)]
pub struct StepPlan {
    /// Its name, or `step 3`.
    pub name: String,
    /// Not before this time of the run.
    pub at: Option<Span>,
    /// Then so long.
    pub wait: Span,
    /// Then until this is met.
    pub wait_until: Option<Condition>,
    /// What it does; none: it only waits.
    pub action: Option<Action>,
}

/// What a step does.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// A fault acts: index into the plan's faults, whose trigger is [`Trigger::Step`].
    Fault(u16),
    /// A producer's application sends.
    Send {
        /// How many messages.
        count: u32,
        /// Which producer or instance.
        by: String,
        /// Done when each is answered; else at once.
        is_awaited: bool,
    },
    /// A consumer that works by hand takes messages and processes them.
    Get {
        /// How many; none: all that it can get now.
        count: Option<u32>,
        /// Which consumer or instance.
        by: String,
    },
    /// A consumer acknowledges what it holds.
    Ack {
        /// Which of its messages.
        which: WhichMessages,
        /// Which consumer or instance.
        by: String,
    },
    /// A consumer gives back what it holds (`nack`, `reject`).
    GiveBack {
        /// Which of its messages.
        which: WhichMessages,
        /// Which consumer or instance.
        by: String,
        /// To be delivered again, else dropped or dead-lettered.
        is_requeued: bool,
        /// The vendor's single-message form (`reject`).
        is_reject: bool,
    },
    /// A consumer commits its position.
    Commit {
        /// Which consumer or instance.
        by: String,
    },
    /// A client is closed, or its process starts.
    Close {
        /// Which client or instance.
        by: String,
    },
    /// A client's process starts.
    Start {
        /// Which client or instance.
        by: String,
    },
    /// These claims hold now.
    Expect(Vec<Expectation>),
}

impl Action {
    /// Which client does it; none: no client.
    pub fn by_mut(&mut self) -> Option<&mut String> {
        match self {
            Self::Send { by, .. }
            | Self::Get { by, .. }
            | Self::Ack { by, .. }
            | Self::GiveBack { by, .. }
            | Self::Commit { by }
            | Self::Close { by }
            | Self::Start { by } => Some(by),
            Self::Fault(_) | Self::Expect(_) => None,
        }
    }
}

/// Which of the messages in its hands a consumer means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WhichMessages {
    /// All of them.
    All,
    /// Those of these numbers within their producer.
    Numbers(Vec<u32>),
}
