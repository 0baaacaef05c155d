//! What can be done: the vocabulary between keys, clicks, the palette and the state.

use crate::fact::{MessageId, NodeId, SubscriptionId};
use crate::sim::Time;

/// One of the panes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum View {
    /// Nodes and what is under way between them.
    Cluster,
    /// Every copy of every place, cell by cell.
    Logs,
    /// Every message, cell by cell.
    Fates,
    /// Measures over time.
    Charts,
    /// What happened, in sentences.
    Events,
    /// All state of one node.
    Inspector,
    /// One message: its journey, and why it has its fate.
    Why,
    /// How it ended.
    Verdict,
}

impl View {
    /// All of them, in the order of their digits.
    pub const ALL: [Self; 8] = [
        Self::Cluster,
        Self::Logs,
        Self::Fates,
        Self::Charts,
        Self::Events,
        Self::Inspector,
        Self::Why,
        Self::Verdict,
    ];

    /// What the command line and the catalogue call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cluster => "cluster",
            Self::Logs => "logs",
            Self::Fates => "fates",
            Self::Charts => "charts",
            Self::Events => "events",
            Self::Inspector => "inspector",
            Self::Why => "why",
            Self::Verdict => "verdict",
        }
    }

    /// The view of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|view| view.name() == name)
    }
}

/// What a jump looks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Landmark {
    /// A fate that is not harmless was sealed.
    Loss,
    /// A fault began or ended.
    Fault,
    /// A message took effect again.
    Duplicate,
    /// A message took effect after one that was sent later.
    Reorder,
    /// A place has a new leader.
    Election,
    /// What the user marked.
    Bookmark,
}

/// Backwards or forwards, in time or in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Backwards, up.
    Back,
    /// Forwards, down.
    On,
}

/// How far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Far {
    /// One.
    One,
    /// A page.
    Page,
    /// As far as it goes.
    All,
}

/// What can be done.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the catalogue describes each under its name, for the help and the palette")]
pub enum Action {
    /// After a question, if something is written nowhere.
    Quit,
    /// Without a question.
    QuitNow,
    Suspend,
    Back,
    Help,
    Palette,
    NextTheme,
    ToggleAscii,
    ToggleMouse,
    /// In a list or a scrolled text.
    Move(Way, Far),
    /// Into what is selected.
    Enter,
    Filter,
    /// To the next or previous match of the filter; among messages, to one that came to harm.
    Match(Way),
    Show(View),
    NextView(Way),
    TogglePlay,
    Speed(Way),
    ToggleStops,
    StepEvent(Way),
    StepTime(Way),
    ToEnd(Way),
    Jump(Landmark, Way),
    Seek,
    SeekTo(Time),
    Bookmark,
    NextPlace(Way),
    NextSubscription,
    Why,
    Inject,
    Settings,
    Load,
    NextVariant(Way),
    NextSeed,
    Leave,
    Branches,
    Write,
    Picker,
    SelectNode(NodeId),
    SelectMessage(MessageId),
    SelectSubscription(SubscriptionId),
    /// A row of the list that is open.
    Pick(usize),
}
