//! Which partition a message goes to. The hashes are the real ones, so that two client libraries place the same key
//! differently here exactly as they do there.
//!
//! Source: `org.apache.kafka.common.utils.Utils.murmur2`, `BuiltInPartitioner`, librdkafka `rdkafka_partitioner.c`.
//! Not modelled: adaptive partitioning by broker load (KIP-794).

use super::super::config::Partitioner;
use crate::sim::draw::{self, Purpose};

/// The bytes of a key: its number in decimal.
fn key_bytes(key: u32) -> String {
    key.to_string()
}

/// Places messages.
#[derive(Clone, Debug)]
pub(super) struct Placement {
    partitioner: Partitioner,
    partitions: u32,
    /// By key, plus one; zero: not computed yet.
    of_key: Vec<u32>,
    round: u32,
    seed: u64,
}

impl Placement {
    pub(super) fn new(partitioner: Partitioner, partitions: u32, seed: u64) -> Self {
        Self { partitioner, partitions, of_key: Vec::new(), round: 0, seed }
    }

    /// The number of the partition for a message. `identity` is the message's own.
    #[inline]
    pub(super) fn place(&mut self, key: Option<u32>, identity: u64) -> u32 {
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

    /// A batch is full or gone: the sticky partitioner moves on.
    pub(super) fn batch_closed(&mut self) {
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
            let bytes = key_bytes(key);
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
