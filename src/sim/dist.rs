//! Distributions of times. The only file where floating point meets time: samples come out as whole nanoseconds and
//! have the same bits on every platform, because logarithms and exponentials come from `libm`, not from the system.

use super::time::Span;

/// A distribution of lengths of time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Dist {
    /// Always this: `2ms`.
    Constant(Span),
    /// Evenly between the two: `1ms..3ms`.
    Uniform(Span, Span),
    /// With this mean: `exp(2ms)`.
    Exponential(Span),
    /// With this median and this sigma of the logarithm: `lognormal(2ms, 0.5)`.
    LogNormal(Span, f64),
}

impl Dist {
    /// The sample that belongs to these random bits.
    #[inline]
    pub fn sample(&self, bits: u64) -> Span {
        match *self {
            Self::Constant(span) => span,
            Self::Uniform(low, high) => {
                low + Span(super::draw::below(bits, (high - low).0.saturating_add(1)))
            }
            Self::Exponential(mean) => exponential(mean, bits),
            Self::LogNormal(median, sigma) => {
                Span((median.0 as f64 * libm::exp(sigma * normal(bits))) as u64)
            }
        }
    }

    /// No sample is longer than this; none: there is no bound.
    pub fn max(&self) -> Option<Span> {
        match *self {
            Self::Constant(span) | Self::Uniform(_, span) => Some(span),
            Self::Exponential(_) | Self::LogNormal(..) => None,
        }
    }
}

impl std::fmt::Display for Dist {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Constant(span) => write!(f, "{span}"),
            Self::Uniform(low, high) => write!(f, "{low}..{high}"),
            Self::Exponential(mean) => write!(f, "exp({mean})"),
            Self::LogNormal(median, sigma) => write!(f, "lognormal({median}, {sigma})"),
        }
    }
}

/// An exponential sample with this mean, at most about 44 times the mean.
#[inline]
pub fn exponential(mean: Span, bits: u64) -> Span {
    Span((mean.0 as f64 * -libm::log(open_unit(bits))) as u64)
}

/// In (0, 1]: the logarithm of it is finite.
#[inline]
fn open_unit(bits: u64) -> f64 {
    ((bits >> 11) + 1) as f64 / (1u64 << 53) as f64
}

/// A standard normal sample by Box and Muller, from the two halves of the bits.
fn normal(bits: u64) -> f64 {
    let radius = libm::sqrt(-2.0 * libm::log(((bits >> 32) + 1) as f64 / (1u64 << 32) as f64));
    radius * libm::cos(std::f64::consts::TAU * (bits & 0xffff_ffff) as f64 / (1u64 << 32) as f64)
}

#[cfg(test)]
mod tests {
    use super::super::draw::{Purpose, bits};
    use super::*;

    fn mean_ms(dist: Dist) -> f64 {
        let samples = 100_000;
        (0..samples).map(|i| dist.sample(bits(3, Purpose::Test, i, 0)).as_millis()).sum::<f64>()
            / samples as f64
    }

    #[test]
    fn means_are_what_the_distributions_promise() {
        let ms = Span::from_millis;
        assert!((mean_ms(Dist::Uniform(ms(1), ms(3))) - 2.0).abs() < 0.02);
        assert!((mean_ms(Dist::Exponential(ms(2))) - 2.0).abs() < 0.02);
        let expected = 2.0 * (0.5f64 * 0.5 / 2.0).exp();
        assert!((mean_ms(Dist::LogNormal(ms(2), 0.5)) - expected).abs() < 0.02);
        assert!((mean_ms(Dist::Constant(ms(2))) - 2.0).abs() < 1e-9);
    }

    #[test]
    fn extreme_bits_give_finite_samples() {
        for bits in [0, u64::MAX] {
            assert!(Dist::Exponential(Span::from_millis(1)).sample(bits) < Span::from_millis(50));
            assert!(Dist::LogNormal(Span::from_millis(1), 1.0).sample(bits) < Span::from_secs(10));
        }
    }
}
