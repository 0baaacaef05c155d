//! The fingerprint of a run: a hash over every dispatched event. Two runs with equal fingerprints did the same things
//! at the same times.

use xxhash_rust::xxh3::xxh3_64_with_seed;

const BUFFER: usize = 8 * 1024;

/// A running hash, buffered: hashing event by event would cost as much as dispatching.
#[derive(Clone, Debug)]
pub struct Digest {
    buffer: Vec<u8>,
    hash: u64,
}

impl Default for Digest {
    fn default() -> Self {
        Self { buffer: Vec::with_capacity(BUFFER), hash: 0 }
    }
}

impl Digest {
    /// Adds three words.
    #[inline]
    pub fn add(&mut self, a: u64, b: u64, c: u64) {
        if self.buffer.len() + 24 > BUFFER {
            self.flush();
        }
        let mut bytes = [0; 24];
        bytes[..8].copy_from_slice(&a.to_le_bytes());
        bytes[8..16].copy_from_slice(&b.to_le_bytes());
        bytes[16..].copy_from_slice(&c.to_le_bytes());
        self.buffer.extend_from_slice(&bytes);
    }

    /// The hash of everything added so far.
    pub fn value(&self) -> u64 {
        xxh3_64_with_seed(&self.buffer, self.hash)
    }

    #[cold]
    fn flush(&mut self) {
        self.hash = xxh3_64_with_seed(&self.buffer, self.hash);
        self.buffer.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clone_goes_on_as_the_original_would() {
        let mut whole = Digest::default();
        let mut restored = Digest::default();
        for i in 0..10_000 {
            whole.add(i, 1, 2);
            restored.add(i, 1, 2);
            if i % 777 == 0 {
                restored = restored.clone();
            }
        }
        assert_eq!(whole.value(), restored.value());
        restored.add(0, 0, 0);
        assert_ne!(whole.value(), restored.value());
    }
}
