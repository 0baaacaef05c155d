//! Values as people write them: `30s`, `1ms..3ms`, `exp(2ms)`, `1000/s`, `1 KiB`, `100 MB/s`, `5%`.
//!
//! Each parser says in words what it expected; the caller knows where the text stands.

use crate::scenario::plan::{Keys, Rate, Version};
use crate::sim::{Dist, Span};

use super::tree::Node;

/// Days that a time in a scenario may span at most.
pub(super) const DAYS_MAX: u64 = 7;

/// Keys of one producer at most, and if their frequencies take a table.
const KEYS_MAX: u32 = 10_000_000;
const ZIPF_KEYS_MAX: u32 = 1_000_000;

const DURATION: &str = "expected a time such as `30s`, `1.5ms`, `10us`, `2m` or `1h`";

/// `30s`, `1.5ms`, `10us`, `2m`, `1h`.
pub fn duration(text: &str) -> Result<Span, String> {
    let (number, unit) = split_unit(text).ok_or(DURATION)?;
    let nanos = match unit {
        "ns" => 1.0,
        "us" | "µs" => 1e3,
        "ms" => 1e6,
        "s" => 1e9,
        "m" | "min" => 60e9,
        "h" => 3600e9,
        _ => return Err(DURATION.to_owned()),
    };
    let total = number * nanos;
    let max = (DAYS_MAX * 86_400 * 1_000_000_000) as f64;
    if total > max {
        return Err(format!("longer than the limit of {DAYS_MAX} days"));
    }
    Ok(Span(total.round() as u64))
}

/// `2ms`, `1ms..3ms`, `exp(2ms)`, `lognormal(2ms, 0.5)`.
pub(super) fn dist(text: &str) -> Result<Dist, String> {
    let expected =
        || "expected a time such as `2ms`, `1ms..3ms`, `exp(2ms)` or `lognormal(2ms, 0.5)`".to_owned();
    if let Some(mean) = call(text, "exp") {
        return Ok(Dist::Exponential(duration(mean)?));
    }
    if let Some(both) = call(text, "lognormal") {
        let (median, sigma) = both.split_once(',').ok_or_else(expected)?;
        let sigma: f64 = sigma.trim().parse().map_err(|_| expected())?;
        if !(0.0..=5.0).contains(&sigma) {
            return Err("sigma lies between 0 and 5".to_owned());
        }
        return Ok(Dist::LogNormal(duration(median)?, sigma));
    }
    if let Some((low, high)) = text.split_once("..") {
        let (low, high) = (duration(low)?, duration(high)?);
        if low > high {
            return Err("the lower end is above the upper end".to_owned());
        }
        return Ok(Dist::Uniform(low, high));
    }
    duration(text).map(Dist::Constant).map_err(|why| if why == DURATION { expected() } else { why })
}

/// `1000/s`, `poisson(1000/s)`, `one by one`, `max`.
pub(super) fn rate(text: &str) -> Result<Rate, String> {
    match text.trim() {
        "one by one" => return Ok(Rate::OneByOne),
        "max" => return Ok(Rate::Max),
        _ => {}
    }
    match call(text, "poisson") {
        Some(mean) => gap(mean).map(Rate::Poisson),
        None => gap(text).map(Rate::Every),
    }
}

/// `200/s`, `poisson(200/s)`, `0/s`: a rate that does not wait for answers, and therefore has a place in a phase.
pub(super) fn phase_rate(text: &str) -> Result<Rate, String> {
    if let Some((number, "s" | "m" | "min" | "h")) = text.split_once('/').map(|(a, b)| (a, b.trim()))
        && number_of(number) == Some(0.0)
    {
        return Ok(Rate::Pause);
    }
    match rate(text) {
        Ok(Rate::OneByOne | Rate::Max | Rate::Pause) | Err(_) if !text.contains('/') => {
            Err("expected the rate of a phase: `200/s`, `poisson(200/s)`, or `0/s` for a pause".to_owned())
        }
        other => other,
    }
}

/// `16`, `zipf(16, 1.1)`.
pub(super) fn keys(node: &Node) -> Result<Keys, String> {
    let expected = "expected a number of keys such as `16`, or `zipf(16, 1.1)`";
    let limited = |count: i64, max: u32| match u32::try_from(count) {
        Ok(count) if (1..=max).contains(&count) => Ok(count),
        Ok(0) | Err(_) if count <= 0 => Err("at least 1".to_owned()),
        _ => Err(format!("the limit is {max}")),
    };
    match node {
        Node::Int(count) => limited(*count, KEYS_MAX).map(|count| Keys { count, zipf: None }),
        Node::Text(text) => {
            let (count, exponent) =
                call(text, "zipf").and_then(|both| both.split_once(',')).ok_or(expected)?;
            let count: i64 = count.trim().replace('_', "").parse().map_err(|_| expected)?;
            let exponent = number_of(exponent).ok_or(expected)?;
            if exponent > 10.0 {
                return Err("the exponent lies between 0 and 10".to_owned());
            }
            limited(count, ZIPF_KEYS_MAX).map(|count| Keys { count, zipf: Some(exponent) })
        }
        _ => Err(expected.to_owned()),
    }
}

/// The time between two messages of `1000/s`.
fn gap(text: &str) -> Result<Span, String> {
    let expected = "expected `1000/s`, `poisson(1000/s)`, `one by one` or `max`";
    let (number, per) = text.split_once('/').ok_or(expected)?;
    let number = number_of(number).ok_or(expected)?;
    let seconds = match per.trim() {
        "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => return Err(expected.to_owned()),
    };
    let nanos = (seconds * 1e9 / number).round();
    if !(1.0..=1e9 * 86_400.0 * DAYS_MAX as f64).contains(&nanos) {
        return Err(format!("a rate lies between one in {DAYS_MAX} days and 1_000_000_000/s"));
    }
    Ok(Span(nanos as u64))
}

/// `100 B`, `1 KiB`, `1 MB`, or a plain number of bytes.
pub(super) fn bytes(node: &Node) -> Result<u64, String> {
    let expected = "expected a size such as `100 B`, `1 KiB` or `1 MB`, or a whole number of bytes";
    match node {
        Node::Int(bytes) => u64::try_from(*bytes).map_err(|_| expected.to_owned()),
        Node::Text(text) => size(text).ok_or_else(|| expected.to_owned()),
        _ => Err(expected.to_owned()),
    }
}

/// `100 MB/s`, in bytes a second.
pub(super) fn bandwidth(text: &str) -> Result<u64, String> {
    let expected = "expected a bandwidth such as `100 MB/s`";
    let size = text.trim().strip_suffix("/s").and_then(size).ok_or(expected)?;
    if size == 0 { Err("a link without bandwidth is a `cut`".to_owned()) } else { Ok(size) }
}

fn size(text: &str) -> Option<u64> {
    let (number, unit) = split_unit(text)?;
    let factor = match unit {
        "B" => 1.0,
        "kB" | "KB" => 1e3,
        "MB" => 1e6,
        "GB" => 1e9,
        "KiB" => 1024.0,
        "MiB" => 1024.0 * 1024.0,
        "GiB" => 1024.0 * 1024.0 * 1024.0,
        _ => return None,
    };
    Some((number * factor).round() as u64)
}

/// `1%`, in parts per million.
pub(super) fn share(text: &str) -> Result<u32, String> {
    let expected = "expected a share above `0%` and up to `100%`";
    let (number, unit) = split_unit(text).ok_or(expected)?;
    let millionths = (number * 10_000.0).round();
    if unit != "%" || !(1.0..=1_000_000.0).contains(&millionths) {
        return Err(expected.to_owned());
    }
    Ok(millionths as u32)
}

/// The same of a value; a number without a unit is led to its text.
pub(super) fn share_of(node: &Node) -> Result<u32, String> {
    let led = |percent: String| Err(format!("a share is a string with its unit: `\"{percent}%\"`"));
    match node {
        Node::Text(text) => share(text),
        Node::Float(part) if *part > 0.0 && *part < 1.0 => led(((part * 1e6).round() / 1e4).to_string()),
        Node::Float(percent) if (1.0..=100.0).contains(percent) => led(percent.to_string()),
        Node::Int(percent) if (1..=100).contains(percent) => led(percent.to_string()),
        _ => share(""),
    }
}

/// The same, where `0%` takes away what another layer says.
pub(super) fn share_or_none(node: &Node) -> Result<u32, String> {
    if matches!(node, Node::Text(text) if text == "0%") { Ok(0) } else { share_of(node) }
}

/// `2.0`, `3.7.1`.
pub(super) fn version(text: &str) -> Result<Version, String> {
    let expected = || "expected a release such as `\"2.0\"` or `\"3.7.1\"`".to_owned();
    let parts: Vec<u16> = text
        .split('.')
        .map(|part| {
            let digits = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            digits.then(|| part.parse().ok()).flatten().ok_or_else(expected)
        })
        .collect::<Result<_, _>>()?;
    match parts[..] {
        [major] => Ok(Version(major, 0, 0)),
        [major, minor] => Ok(Version(major, minor, 0)),
        [major, minor, patch] => Ok(Version(major, minor, patch)),
        _ => Err(expected()),
    }
}

/// `10_000`, `0.5`: not negative, finite, without exponents or signs.
pub(super) fn number_of(text: &str) -> Option<f64> {
    let text = text.trim();
    let plain = text.starts_with(|c: char| c.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_digit() || c == '.' || c == '_');
    plain.then(|| text.replace('_', "").parse().ok()).flatten()
}

/// `1.5ms` into its number and its unit.
pub(super) fn split_unit(text: &str) -> Option<(f64, &str)> {
    let text = text.trim();
    let at = text.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == '_'))?;
    Some((number_of(&text[..at])?, text[at..].trim()))
}

/// `2ms` of `exp(2ms)`.
fn call<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.trim().strip_prefix(name)?.trim_start().strip_prefix('(')?.strip_suffix(')')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_distributions() {
        assert_eq!(duration("1.5ms"), Ok(Span::from_micros(1500)));
        assert_eq!(duration(" 2m "), Ok(Span::from_secs(120)));
        assert_eq!(dist("1ms..3ms"), Ok(Dist::Uniform(Span::from_millis(1), Span::from_millis(3))));
        assert_eq!(dist("exp(2ms)"), Ok(Dist::Exponential(Span::from_millis(2))));
        assert_eq!(dist("lognormal(2ms, 0.5)"), Ok(Dist::LogNormal(Span::from_millis(2), 0.5)));
        for bad in ["", "s", "3", "-1s", "1e9s", "8h8", "1..2", "3ms..1ms", "exp(", "exp()", "10000h", "NaNs"]
        {
            assert!(dist(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn rates_sizes_and_shares() {
        assert_eq!(rate("1000/s"), Ok(Rate::Every(Span::from_millis(1))));
        assert_eq!(rate("poisson(10_000/s)"), Ok(Rate::Poisson(Span::from_micros(100))));
        assert_eq!(rate("one by one"), Ok(Rate::OneByOne));
        assert_eq!(phase_rate("0/s"), Ok(Rate::Pause));
        assert_eq!(phase_rate("200/s"), Ok(Rate::Every(Span::from_millis(5))));
        for bad in ["one by one", "max", "0", "-1/s", "fast", "1/y"] {
            assert!(phase_rate(bad).is_err(), "{bad}");
        }
        assert_eq!(keys(&Node::Int(16)), Ok(Keys { count: 16, zipf: None }));
        let text = |text: &str| Node::Text(text.to_owned());
        assert_eq!(keys(&text("zipf(16, 1.1)")), Ok(Keys { count: 16, zipf: Some(1.1) }));
        for bad in ["16", "zipf(16)", "zipf(0, 1)", "zipf(16, -1)", "zipf(16, 11)", "zipf(9999999, 1)"] {
            assert!(keys(&text(bad)).is_err(), "{bad}");
        }
        assert_eq!(bytes(&Node::Text("1 KiB".to_owned())), Ok(1024));
        assert_eq!(bandwidth("100 MB/s"), Ok(100_000_000));
        assert_eq!(share("0.5%"), Ok(5_000));
        assert_eq!(version("3.7.1"), Ok(Version(3, 7, 1)));
        for bad in ["0/s", "1000", "/s", "2e9/s", "9999999999/s", "fast", "poisson(1000)"] {
            assert!(rate(bad).is_err(), "{bad}");
        }
        for bad in ["0%", "101%", "5", "%"] {
            assert!(share(bad).is_err(), "{bad}");
        }
        for bad in ["", "2.", "a.b", "1.2.3.4", "+2.0", "99999"] {
            assert!(version(bad).is_err(), "{bad}");
        }
    }
}
