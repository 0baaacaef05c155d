//! What can be seen of a replica from outside.

use super::process::Stream;
use super::readers::Reader;
use super::replica::Role;
use crate::broker::picture::Field;
use crate::broker::rabbitmq::content::EnvelopeId;

impl Stream {
    /// Whether time alone will change something: it looks for a leader.
    pub(in super::super) fn expects(&self) -> bool {
        self.replica.leader().is_none()
    }

    /// How many messages can be read.
    pub(in super::super) fn messages(&self) -> usize {
        self.replica.committed.saturating_sub(self.replica.log.first()) as usize
    }

    /// How many are delivered here and not acknowledged.
    pub(in super::super::super) fn unacked(&self) -> usize {
        self.readers.iter().map(|reader| reader.unacked as usize).sum()
    }

    /// What can be read from this offset on.
    pub(in super::super::super) fn readable(
        &self,
        from: u64,
    ) -> impl Iterator<Item = (u64, EnvelopeId)> + '_ {
        let committed = self.replica.committed;
        let all = self.replica.log.iter_from(from.max(self.replica.log.first()));
        all.take_while(move |(offset, _)| *offset < committed).map(|(offset, entry)| (offset, entry.envelope))
    }

    /// What there is, committed or not.
    pub(in super::super) fn each_numbered(&self, show: &mut dyn FnMut(u64, EnvelopeId)) {
        let log = &self.replica.log;
        log.iter_from(log.first()).for_each(|(offset, entry)| show(offset, entry.envelope));
    }

    /// The first offset, and the next one.
    pub(in super::super::super) fn bounds(&self) -> (u64, u64) {
        (self.replica.log.first(), self.replica.log.end())
    }

    /// Up to where a power loss would leave it.
    pub(in super::super::super) fn durable_to(&self, on_device: u64) -> u64 {
        self.replica.log.end_within(on_device)
    }

    /// Up to where a majority has it.
    pub(in super::super::super) fn committed(&self) -> u64 {
        self.replica.committed
    }

    /// How much of the disk it takes.
    pub(in super::super) fn bytes(&self) -> u64 {
        self.replica.log.bytes()
    }

    /// The consumer of that client here.
    pub(in super::super::super) fn reader_of(&self, client: crate::fact::NodeId) -> Option<&Reader> {
        self.readers.iter().find(|reader| reader.client == client)
    }

    /// For the management page.
    pub(in super::super::super) fn fields(&self, name: impl Fn(crate::fact::NodeId) -> String) -> Vec<Field> {
        let log = &self.replica.log;
        let mut fields = vec![
            Field::new("epoch", self.replica.epoch().round),
            Field::new("first offset", log.first()),
            Field::new("log ends at", log.end()),
            Field::new("committed to", self.replica.committed),
            Field::new("segments", log.segments().len()),
            Field::new("bytes", log.bytes()),
        ];
        if let Role::Leader { peers, .. } = &self.replica.role {
            for peer in peers {
                fields.push(Field::new(
                    format!("replica on broker-{}", peer.node + 1),
                    format!("has {}", peer.acked),
                ));
            }
        }
        for reader in &self.readers {
            let lag = self.replica.committed.saturating_sub(reader.next);
            let text = format!("next {}, lag {lag}, unacked {}", reader.next, reader.unacked);
            fields.push(Field::new(format!("consumer {}", name(reader.client)), text));
        }
        fields
    }
}
