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
    /// By queue: who led it before the present leader, while that node is taken for running and says nothing. What the
    /// tables say of the queue cannot be changed without it.
    stuck: Vec<Option<u16>>,
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
    /// Its version when the queue was declared.
    pub(in super::super) born: u32,
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
                    born: 0,
                }
            })
            .collect();
        let exchanges = vec![true; topology.exchanges.len()];
        let (running, stuck) = (vec![true; topology.brokers as usize], vec![None; topology.queues.len()]);
        Self { queues, exchanges, running, version: 0, stuck }
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
        let before = record.leader;
        change(record);
        record.version += 1;
        self.version += 1;
        let record = record.clone();
        self.led(queue, before);
        record
    }

    /// Somebody else may lead the queue than before.
    fn led(&mut self, queue: QueueId, before: u16) {
        if self.queue(queue).leader != before {
            self.stuck[queue.0 as usize] = Some(before).filter(|&node| self.runs(node));
        }
    }

    /// The leader that the tables name, where that is not the present one.
    pub(super) fn stuck_leader(&self, queue: QueueId) -> Option<u16> {
        self.stuck[queue.0 as usize].filter(|&node| self.runs(node))
    }

    /// A node speaks again, or is known to be gone: nothing waits for it any more.
    pub(super) fn unstick(&mut self, node: u16) {
        self.stuck.iter_mut().for_each(|stuck| *stuck = stuck.filter(|&other| other != node));
    }

    /// Who leads a quorum queue, as the node's member knows it; others hear it from the leader.
    pub(super) fn note_leader(&mut self, queue: QueueId, leader: Option<u16>) {
        let record = &mut self.queues[queue.0 as usize];
        let before = record.leader;
        record.leader = leader.unwrap_or(record.leader);
        record.is_live = leader.is_some();
        self.led(queue, before);
    }

    /// Takes over a record that another node changed; whether it was news.
    pub(super) fn take_over(&mut self, queue: QueueId, record: QueueRecord) -> bool {
        let own = &mut self.queues[queue.0 as usize];
        let is_news = record.version > own.version;
        if is_news {
            let before = own.leader;
            *own = record;
            self.version += 1;
            self.led(queue, before);
        }
        is_news
    }
}
