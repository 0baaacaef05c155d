//! Which partition a message goes to. The hashes are the real ones, so that two client libraries place the same key
//! differently here exactly as they do there.
//!
//! Source: `org.apache.kafka.common.utils.Utils.murmur2`, `BuiltInPartitioner`, librdkafka `rdkafka_partitioner.c`.
//! Not modelled: adaptive partitioning by broker load (KIP-794).

use std::sync::Arc;

use super::super::config::Partitioner;
use crate::app::{KeyNames, Origin};
use crate::scenario::plan::Spread;
use crate::sim::draw::{self, Purpose};

/// Places messages in one topic, or in several.
#[derive(Clone, Debug)]
pub(super) struct Places {
    /// The only topic, or the first.
    one: Placement,
    several: Option<Box<Several>>,
}

/// Several topics: which one a message goes to depends on its key or its number, never on the time.
#[derive(Clone, Debug)]
struct Several {
    spread: Spread,
    /// The number of each topic's first partition among those of all, and its placement.
    topics: Vec<(u32, Placement)>,
}

impl Places {
    /// Topics one after another, each with room for so many partitions, of which it has so many.
    pub(super) fn new(partitioner: Partitioner, counts: &[(u32, u32)], spread: Spread, seed: u64) -> Self {
        let mut first = 0;
        let mut placement = |&(room, count): &(u32, u32)| {
            first += room;
            (first - room, Placement::new(partitioner, count, seed))
        };
        let topics: Vec<_> = counts.iter().map(&mut placement).collect();
        let one = topics.first().map_or_else(|| Placement::new(partitioner, 1, seed), |(_, one)| one.clone());
        let several = (topics.len() > 1).then(|| Box::new(Several { spread, topics }));
        Self { one, several }
    }

    /// The topics have so many partitions now: keys are placed anew.
    pub(super) fn learn(&mut self, counts: impl Iterator<Item = u32>) {
        let Some(several) = &mut self.several else {
            counts.take(1).for_each(|count| self.one.learn(count));
            return;
        };
        for ((_, placement), count) in several.topics.iter_mut().zip(counts) {
            placement.learn(count);
        }
    }

    /// The same, knowing the keys that have names.
    pub(super) fn naming(mut self, names: &Arc<KeyNames>) -> Self {
        let several = self.several.iter_mut().flat_map(|several| &mut several.topics);
        for placement in several.map(|(_, placement)| placement).chain([&mut self.one]) {
            placement.names = Arc::clone(names);
        }
        self
    }

    /// The number of the partition for a message.
    #[inline]
    pub(super) fn place(&mut self, key: Option<u32>, origin: Origin) -> u32 {
        let Some(several) = &mut self.several else { return self.one.place(key, origin.identity()) };
        let at = several.spread.place(origin.number, key, several.topics.len());
        let (first, placement) = &mut several.topics[at];
        *first + placement.place(key, origin.identity())
    }

    /// A batch of that partition is full or gone.
    pub(super) fn batch_closed(&mut self, number: u32) {
        let Some(several) = &mut self.several else { return self.one.batch_closed() };
        let after = several.topics.partition_point(|(first, _)| *first <= number);
        several.topics[after - 1].1.batch_closed();
    }
}

/// Places messages in one topic.
#[derive(Clone, Debug)]
struct Placement {
    partitioner: Partitioner,
    partitions: u32,
    /// By key, plus one; zero: not computed yet.
    of_key: Vec<u32>,
    /// What the bytes of a key are.
    names: Arc<KeyNames>,
    round: u32,
    seed: u64,
}

impl Placement {
    fn new(partitioner: Partitioner, partitions: u32, seed: u64) -> Self {
        Self { partitioner, partitions, of_key: Vec::new(), names: Arc::default(), round: 0, seed }
    }

    /// The number of the partition for a message. `identity` is the message's own.
    #[inline]
    fn place(&mut self, key: Option<u32>, identity: u64) -> u32 {
        if self.partitions == 1 {
            return 0;
        }
        match (self.partitioner, key) {
            (Partitioner::RoundRobin, _) | (Partitioner::MurmurRoundRobin, None) => {
                self.round = self.round.wrapping_add(1);
                (self.round - 1) % self.partitions
            }
            (Partitioner::MurmurSticky, None) => self.round % self.partitions,
            (Partitioner::Random, _) | (Partitioner::MurmurRandom | Partitioner::CrcRandom, None) => {
                draw::below(
                    draw::bits(self.seed, Purpose::Partition, identity, 0),
                    u64::from(self.partitions),
                ) as u32
            }
            (_, Some(key)) => self.by_key(key),
        }
    }

    fn learn(&mut self, partitions: u32) {
        if partitions != self.partitions {
            self.partitions = partitions;
            self.of_key.clear();
        }
    }

    /// A batch is full or gone: the sticky partitioner moves on.
    fn batch_closed(&mut self) {
        if self.partitioner == Partitioner::MurmurSticky {
            self.round = self.round.wrapping_add(1);
        }
    }

    fn by_key(&mut self, key: u32) -> u32 {
        let at = key as usize;
        if at >= self.of_key.len() {
            self.of_key.resize(at + 1, 0);
        }
        if self.of_key[at] == 0 {
            let bytes = self.names.text(key);
            let hash = match self.partitioner {
                Partitioner::CrcRandom => crc32fast::hash(bytes.as_bytes()),
                _ => murmur2(bytes.as_bytes()) & 0x7fff_ffff,
            };
            self.of_key[at] = hash % self.partitions + 1;
        }
        self.of_key[at] - 1
    }
}

/// Kafka's murmur2, with its seed.
fn murmur2(data: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    let mut hash = 0x9747_b28c ^ data.len() as u32;
    let chunks = data.chunks_exact(4);
    let rest = chunks.remainder();
    for chunk in chunks {
        let mut k = u32::from_le_bytes([chunk[0], chunk[1], chunk[2], chunk[3]]).wrapping_mul(M);
        k ^= k >> 24;
        hash = hash.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    if !rest.is_empty() {
        for (at, &byte) in rest.iter().enumerate() {
            hash ^= u32::from(byte) << (8 * at);
        }
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fact::ProducerId;

    /// The vectors of Kafka's own `UtilsTest.testMurmur2`.
    #[test]
    fn murmur2_is_kafkas() {
        let vectors: [(&str, i32); 5] = [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
        ];
        for (text, hash) in vectors {
            assert_eq!(murmur2(text.as_bytes()) as i32, hash, "{text}");
        }
    }

    #[test]
    fn a_key_keeps_its_topic_and_numbers_take_turns() {
        let origin = |number| Origin { producer: ProducerId(0), number };
        let mut by_key = Places::new(Partitioner::MurmurSticky, &[(1, 1), (2, 2), (1, 1)], Spread::ByKey, 1);
        let once: Vec<_> = (0..6).map(|key| by_key.place(Some(key), origin(key + 1))).collect();
        let again: Vec<_> = (0..6).map(|key| by_key.place(Some(key), origin(key + 100))).collect();
        assert_eq!(once, again);
        assert!(once.contains(&0) && once.contains(&3));
        let mut in_turn =
            Places::new(Partitioner::MurmurSticky, &[(1, 1), (1, 1), (1, 1)], Spread::RoundRobin, 1);
        let turns: Vec<_> = (1..=4).map(|number| in_turn.place(None, origin(number))).collect();
        assert_eq!(turns, [0, 1, 2, 0]);
    }

    /// F56: the same key, two client libraries, two partitions.
    #[test]
    fn two_client_libraries_place_keys_differently() {
        let mut java = Placement::new(Partitioner::MurmurSticky, 12, 1);
        let mut librdkafka = Placement::new(Partitioner::CrcRandom, 12, 1);
        let apart =
            (0..100).filter(|&key| java.place(Some(key), 0) != librdkafka.place(Some(key), 0)).count();
        assert!(apart > 80, "{apart} of 100 keys");
    }
}
