//! Random draws that are functions, not sequences: the same question gets the same answer, whatever else was asked.
//!
//! What belongs to the workload (keys, gaps, processing times) is drawn here, so that a changed setting leaves the
//! workload as it was. Jitter of links and disks comes from a [`stream`] each instead.

use rand::rngs::Xoshiro256PlusPlus;
use rand::{Rng, SeedableRng};

/// A sequential stream of random bits; the same on every platform.
pub type Bits = Xoshiro256PlusPlus;

/// What a draw is for. Each purpose has its own universe of answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
#[expect(missing_docs, reason = "each name says what is drawn")]
pub enum Purpose {
    Gap = 1,
    Key = 2,
    Process = 3,
    Link = 4,
    Disk = 5,
    Frame = 6,
    Bootstrap = 7,
    Partition = 8,
    Torn = 9,
    Test = 10,
    Election = 11,
    Fail = 20,
}

/// 64 random bits for (seed, purpose, a, b). Neighbouring seeds are unrelated.
pub fn bits(seed: u64, purpose: Purpose, a: u64, b: u64) -> u64 {
    let mut hash = scramble(seed ^ 0x6d71_6c61_6200_0000);
    hash = scramble(hash ^ (purpose as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    hash = scramble(hash ^ a);
    scramble(hash ^ b.wrapping_mul(0xd6e8_feb8_6659_fd93))
}

/// A stream of its own for (seed, purpose, a, b).
pub fn stream(seed: u64, purpose: Purpose, a: u64, b: u64) -> Bits {
    Bits::seed_from_u64(bits(seed, purpose, a, b))
}

/// A number below `n`, without the modulo's bias towards small numbers mattering: 64 bits against small `n`.
#[inline]
pub fn below(bits: u64, n: u64) -> u64 {
    ((u128::from(bits) * u128::from(n)) >> 64) as u64
}

/// The next 64 bits of a stream.
#[inline]
pub fn next(stream: &mut Bits) -> u64 {
    stream.next_u64()
}

/// The finaliser of `SplitMix64`.
fn scramble(mut z: u64) -> u64 {
    z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draw_is_a_function_of_its_question() {
        assert_eq!(bits(1, Purpose::Key, 2, 3), bits(1, Purpose::Key, 2, 3));
        assert_ne!(bits(1, Purpose::Key, 2, 3), bits(1, Purpose::Gap, 2, 3));
        assert_ne!(bits(1, Purpose::Key, 2, 3), bits(2, Purpose::Key, 2, 3));
        assert_ne!(bits(1, Purpose::Key, 2, 3), bits(1, Purpose::Key, 3, 2));
    }

    #[test]
    fn numbers_below_n_are_spread_evenly() {
        let mut counts = [0u32; 8];
        for i in 0..80_000 {
            counts[below(bits(7, Purpose::Test, i, 0), 8) as usize] += 1;
        }
        assert!(counts.iter().all(|&count| (9_500..10_500).contains(&count)), "{counts:?}");
    }
}
