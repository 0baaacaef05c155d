//! Simulated time: integer nanoseconds, so that two instants are either equal or they are not.

use std::fmt;
use std::ops::{Add, AddAssign, Mul, Sub};

/// An instant, in nanoseconds since the run began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub u64);

/// A length of time, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(pub u64);

impl Time {
    /// The beginning of every run.
    pub const ZERO: Self = Self(0);
    /// Later than anything that happens.
    pub const NEVER: Self = Self(u64::MAX);

    /// The time since `earlier`; zero if `earlier` is later.
    pub fn since(self, earlier: Self) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }

    /// Seconds since the run began, for people and for JSON; never for deciding an order.
    pub fn as_secs(self) -> f64 {
        self.0 as f64 / 1e9
    }
}

impl Span {
    /// No time at all.
    pub const ZERO: Self = Self(0);
    /// Longer than any run.
    pub const FOREVER: Self = Self(u64::MAX);

    /// That many milliseconds; the unit of most vendor settings. Saturates.
    pub const fn from_millis(ms: u64) -> Self {
        Self(ms.saturating_mul(1_000_000))
    }

    /// That many microseconds.
    pub const fn from_micros(us: u64) -> Self {
        Self(us.saturating_mul(1_000))
    }

    /// That many seconds.
    pub const fn from_secs(s: u64) -> Self {
        Self(s.saturating_mul(1_000_000_000))
    }

    /// Half of it.
    #[must_use]
    pub const fn half(self) -> Self {
        Self(self.0 / 2)
    }

    /// Milliseconds with a fraction, for people and for JSON.
    pub fn as_millis(self) -> f64 {
        self.0 as f64 / 1e6
    }

    /// Seconds with a fraction, for people and for JSON.
    pub fn as_secs(self) -> f64 {
        self.0 as f64 / 1e9
    }
}

/// Saturates at [`Time::NEVER`]: "wait for ever" is a vendor setting too.
impl Add<Span> for Time {
    type Output = Self;
    fn add(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

impl AddAssign<Span> for Time {
    fn add_assign(&mut self, span: Span) {
        *self = *self + span;
    }
}

impl Add for Span {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub for Span {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Mul<u64> for Span {
    type Output = Self;
    fn mul(self, times: u64) -> Self {
        Self(self.0.saturating_mul(times))
    }
}

/// Seconds with four decimals: `5.0003s`.
impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tenths = self.0 / 100_000;
        write!(f, "{}.{:04}s", tenths / 10_000, tenths % 10_000)
    }
}

/// The largest unit that keeps the number readable: `350ms`, `9s`, `40us`.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, size, digits) = match self.0 {
            0..1_000 => return write!(f, "{}ns", self.0),
            1_000..1_000_000 => ("us", 1_000, 1),
            1_000_000..1_000_000_000 => ("ms", 1_000_000, 1),
            _ => ("s", 1_000_000_000, 2),
        };
        let shown = format!("{:.digits$}", self.0 as f64 / size as f64);
        let trimmed = shown.trim_end_matches('0').trim_end_matches('.');
        write!(f, "{trimmed}{unit}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_and_lengths_read_as_people_write_them() {
        assert_eq!(Time(5_000_312_345).to_string(), "5.0003s");
        assert_eq!(Span::from_millis(350).to_string(), "350ms");
        assert_eq!(Span::from_millis(1_250).to_string(), "1.25s");
        assert_eq!(Span(40_000).to_string(), "40us");
        assert_eq!(Span::from_secs(100).to_string(), "100s");
    }

    #[test]
    fn waiting_for_ever_saturates() {
        assert_eq!(Time(5) + Span::FOREVER, Time::NEVER);
        assert_eq!(Time(5).since(Time(9)), Span::ZERO);
    }
}
