//! A node's copy of the cluster's metadata: which queues exist, where their processes are, and which nodes run.
//!
//! Every node has all of it. What one node decides it tells the others it is connected with; in a partition the copies
//! drift apart, and which copy survives is decided when nodes join again ([`super::node`]).
//!
//! Source: Mnesia tables `rabbit_queue`, `rabbit_durable_queue`; <https://www.rabbitmq.com/docs/clustering>.
//!
//! Not modelled: transactions that wait for locks; exchanges and bindings that clients make while the run goes on, and
//! exchanges that go with their last binding.

use smallvec::SmallVec;

use crate::broker::rabbitmq::message::Pid;
use crate::broker::rabbitmq::topology::{Destination, QueueId, QueueKind, Topology};

/// What a node believes.
#[derive(Clone, Debug)]
pub(in super::super) struct Meta {
    pub(super) queues: Vec<QueueRecord>,
    /// By exchange: it is there. Those that are not durable go when no node is left that knows them.
    pub(super) exchanges: Vec<bool>,
    /// By node: it runs, as far as this one knows.
    pub(super) running: Vec<bool>,
    /// Counts changes, for whoever keeps something derived from it.
    pub(super) version: u64,
}

/// What a node believes of a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct QueueRecord {
    pub(in super::super) exists: bool,
    /// The node of the process that serves it: the only one, the leader; of a quorum queue, whoever led last.
    pub(in super::super) leader: u16,
    /// That process runs.
    pub(in super::super) is_live: bool,
    /// Its mirrors, the oldest first; of a quorum queue, all members.
    pub(in super::super) others: SmallVec<[u16; 4]>,
    /// Those of its mirrors that have everything the leader has.
    pub(in super::super) synchronised: SmallVec<[u16; 4]>,
    /// The channel whose connection alone may use it.
    pub(in super::super) owner: Option<Pid>,
    /// Counts changes of this record: an older one never replaces a newer one.
    pub(in super::super) version: u32,
}

impl Meta {
    /// Everything declared and running.
    pub(super) fn established(topology: &Topology, _id: u16) -> Self {
        let queues = topology
            .queues
            .iter()
            .map(|spec| {
                let mut members: SmallVec<[u16; 4]> = SmallVec::from_slice(&spec.members);
                if matches!(spec.kind, QueueKind::Classic { .. }) {
                    members.retain(|node| *node != spec.home);
                }
                QueueRecord {
                    exists: spec.is_declared,
                    leader: spec.home,
                    is_live: spec.is_declared,
                    synchronised: members.clone(),
                    others: members,
                    owner: None,
                    version: 0,
                }
            })
            .collect();
        let exchanges = vec![true; topology.exchanges.len()];
        Self { queues, exchanges, running: vec![true; topology.brokers as usize], version: 0 }
    }

    pub(in super::super) fn queue(&self, queue: QueueId) -> &QueueRecord {
        &self.queues[queue.0 as usize]
    }

    pub(in super::super) fn exists(&self, queue: QueueId) -> bool {
        self.queue(queue).exists
    }

    /// Whether something that a binding leads to is there.
    pub(super) fn has(&self, to: Destination) -> bool {
        match to {
            Destination::Queue(queue) => self.exists(queue),
            Destination::Exchange(exchange) => self.exchanges[usize::from(exchange.0)],
        }
    }

    /// The node runs, as far as this one knows.
    pub(in super::super) fn runs(&self, node: u16) -> bool {
        self.running.get(node as usize).copied().unwrap_or(false)
    }

    /// Changes a record; whoever has an older one will take it.
    pub(super) fn change(&mut self, queue: QueueId, change: impl FnOnce(&mut QueueRecord)) -> QueueRecord {
        let record = &mut self.queues[queue.0 as usize];
        change(record);
        record.version += 1;
        self.version += 1;
        record.clone()
    }

    /// Who leads a quorum queue, as the node's member knows it; others hear it from the leader.
    pub(super) fn note_leader(&mut self, queue: QueueId, leader: Option<u16>) {
        let record = &mut self.queues[queue.0 as usize];
        record.leader = leader.unwrap_or(record.leader);
        record.is_live = leader.is_some();
    }

    /// Takes over a record that another node changed; whether it was news.
    pub(super) fn take_over(&mut self, queue: QueueId, record: QueueRecord) -> bool {
        let own = &mut self.queues[queue.0 as usize];
        let is_news = record.version > own.version;
        if is_news {
            *own = record;
            self.version += 1;
        }
        is_news
    }
}
