//! The bare machinery that the limits are made of, written by hand and knowing nothing of mqlab: a 4-ary heap with
//! packed 16-byte keys over a slab, whose removal of the top is fused with the next push, and a buffered fingerprint.

use xxhash_rust::xxh3::xxh3_64_with_seed;

const SLOT_BITS: u32 = 24;
const TIME_SHIFT: u32 = 64;

/// Pending events of a hand-written loop.
pub(crate) struct Heap<E> {
    keys: Vec<u128>,
    slab: Vec<E>,
    free: Vec<u32>,
    sequence: u64,
    is_top_taken: bool,
}

impl<E> Default for Heap<E> {
    fn default() -> Self {
        Self { keys: Vec::new(), slab: Vec::new(), free: Vec::new(), sequence: 0, is_top_taken: false }
    }
}

impl<E: Copy> Heap<E> {
    /// Takes the earliest event; its key stays until the next call.
    #[inline]
    pub(crate) fn pop(&mut self) -> Option<(u64, E)> {
        if self.is_top_taken {
            let last = self.keys.pop()?;
            if !self.keys.is_empty() {
                self.sink(last);
            }
        }
        let key = *self.keys.first()?;
        self.is_top_taken = true;
        let slot = (key & ((1 << SLOT_BITS) - 1)) as u32;
        self.free.push(slot);
        Some(((key >> TIME_SHIFT) as u64, self.slab[slot as usize]))
    }

    /// Schedules an event, in the place of the one just taken if there is one.
    #[inline]
    pub(crate) fn push(&mut self, at: u64, event: E) {
        let slot = if let Some(slot) = self.free.pop() {
            self.slab[slot as usize] = event;
            slot
        } else {
            self.slab.push(event);
            self.slab.len() as u32 - 1
        };
        let key = (u128::from(at) << TIME_SHIFT) | u128::from((self.sequence << SLOT_BITS) | u64::from(slot));
        self.sequence += 1;
        if self.is_top_taken {
            self.is_top_taken = false;
            self.sink(key);
        } else {
            self.keys.push(key);
            self.rise(key);
        }
    }

    #[inline]
    fn sink(&mut self, key: u128) {
        let keys = self.keys.as_mut_slice();
        let mut at = 0;
        loop {
            let first = 4 * at + 1;
            let (child, least) = if let Some(four) = keys.get(first..first + 4) {
                let (a, low) = if four[1] < four[0] { (1, four[1]) } else { (0, four[0]) };
                let (b, high) = if four[3] < four[2] { (3, four[3]) } else { (2, four[2]) };
                if high < low { (first + b, high) } else { (first + a, low) }
            } else {
                let rest = keys.get(first..).unwrap_or_default();
                let Some((nth, &least)) = rest.iter().enumerate().min_by_key(|&(_, key)| *key) else { break };
                (first + nth, least)
            };
            if key <= least {
                break;
            }
            keys[at] = least;
            at = child;
        }
        keys[at] = key;
    }

    #[inline]
    fn rise(&mut self, key: u128) {
        let mut at = self.keys.len() - 1;
        while at > 0 && self.keys[(at - 1) / 4] > key {
            self.keys[at] = self.keys[(at - 1) / 4];
            at = (at - 1) / 4;
        }
        self.keys[at] = key;
    }
}

/// A fingerprint, hashed 8 KiB at a time.
#[derive(Default)]
pub(crate) struct Fingerprint {
    buffer: Vec<u8>,
    hash: u64,
}

impl Fingerprint {
    /// Adds three words.
    #[inline]
    pub(crate) fn add(&mut self, words: [u64; 3]) {
        if self.buffer.len() + 24 > 8 * 1024 {
            self.hash = self.value();
            self.buffer.clear();
        }
        for word in words {
            self.buffer.extend_from_slice(&word.to_le_bytes());
        }
    }

    /// The hash of everything added so far.
    pub(crate) fn value(&self) -> u64 {
        xxh3_64_with_seed(&self.buffer, self.hash)
    }
}

/// An exponential sample with this mean in nanoseconds, by the logarithm that is the same on every platform.
#[inline]
pub(crate) fn exponential(mean: f64, bits: u64) -> u64 {
    (mean * -libm::log(((bits >> 11) + 1) as f64 / (1u64 << 53) as f64)) as u64
}

/// A number below `n`.
#[inline]
pub(crate) fn below(bits: u64, n: u64) -> u64 {
    ((u128::from(bits) * u128::from(n)) >> 64) as u64
}
