//! Scenarios as text: values as people write them, and tables as TOML that reads back as what it was.

use std::fmt::Write as _;

use crate::scenario::plan::{Config, Rate, Value};
use crate::sim::{Dist, Span};

/// A string as TOML writes it.
pub fn text(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            c if c.is_control() => {
                let _ = write!(quoted, "\\u{:04X}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// A key as TOML writes it: bare if it may be.
pub fn key(name: &str) -> String {
    let is_bare = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    if !name.is_empty() && name.bytes().all(is_bare) { name.to_owned() } else { text(name) }
}

/// A setting's value.
pub fn value(value: &Value) -> String {
    match value {
        Value::Bool(value) => value.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Text(it) => text(it),
        Value::Texts(all) => format!("[{}]", all.iter().map(|one| text(one)).collect::<Vec<_>>().join(", ")),
        Value::Table(it) => table(it),
        Value::Tables(all) => format!("[{}]", all.iter().map(table).collect::<Vec<_>>().join(", ")),
    }
}

/// A table on one line.
fn table(all: &Config) -> String {
    let pairs: Vec<String> = all.iter().map(|(name, it)| format!("{} = {}", key(name), value(it))).collect();
    if pairs.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", pairs.join(", ")) }
}

/// A list of strings; one alone is written without brackets.
pub fn texts(all: &[String]) -> String {
    match all {
        [one] => text(one),
        all => format!("[{}]", all.iter().map(|one| text(one)).collect::<Vec<_>>().join(", ")),
    }
}

/// A length of time, to the nanosecond: `5s`, `1.5ms`, `5.000123457s`.
pub fn span(span: Span) -> String {
    let (unit, size, digits) = match span.0 {
        0 => return "0s".to_owned(),
        1..1_000 => return format!("{}ns", span.0),
        1_000..1_000_000 => ("us", 1_000, 3),
        1_000_000..1_000_000_000 => ("ms", 1_000_000, 6),
        _ => ("s", 1_000_000_000, 9),
    };
    let fraction = format!("{:0digits$}", span.0 % size);
    let fraction = fraction.trim_end_matches('0');
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{}{point}{fraction}{unit}", span.0 / size)
}

/// A distribution of times: `1ms..3ms`.
pub fn dist(dist: Dist) -> String {
    match dist {
        Dist::Constant(time) => span(time),
        Dist::Uniform(low, high) => format!("{}..{}", span(low), span(high)),
        Dist::Exponential(mean) => format!("exp({})", span(mean)),
        Dist::LogNormal(median, sigma) => format!("lognormal({}, {sigma})", span(median)),
    }
}

/// A rate: `1000/s`, with as many digits as it takes to read back as the same time between two messages.
pub fn rate(rate: Rate) -> String {
    match rate {
        Rate::Every(gap) => per_second(gap),
        Rate::Poisson(mean) => format!("poisson({})", per_second(mean)),
        Rate::OneByOne => "one by one".to_owned(),
        Rate::Max => "max".to_owned(),
        Rate::Pause => "0/s".to_owned(),
    }
}

fn per_second(gap: Span) -> String {
    let exact = 1e9 / gap.0.max(1) as f64;
    let is_right = |text: &String| {
        text.parse::<f64>().is_ok_and(|number| number > 0.0 && (1e9 / number).round() as u64 == gap.0)
    };
    let rounded = (0..16).map(|digits: usize| format!("{exact:.digits$}"));
    format!("{}/s", rounded.into_iter().find(is_right).unwrap_or_else(|| exact.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::value;

    #[test]
    fn times_read_back_to_the_nanosecond() {
        for nanos in [0, 1, 999, 1_500, 5_000_123_457, 60_000_000_000, 604_799_999_999_999, 1_000_001] {
            assert_eq!(value::duration(&span(Span(nanos))), Ok(Span(nanos)), "{}", span(Span(nanos)));
        }
        assert_eq!(span(Span(5_000_123_457)), "5.000123457s");
        assert_eq!(span(Span::from_micros(1_500)), "1.5ms");
        for one in [Dist::Uniform(Span(1), Span(2_500)), Dist::LogNormal(Span::from_millis(2), 0.5)] {
            assert_eq!(value::dist(&dist(one)), Ok(one));
        }
    }

    #[test]
    fn rates_read_back_as_the_same_gap() {
        for gap in [1, 3, 1_000_000, 333_333, 7_777_777_777, 604_800_000_000_000] {
            let written = rate(Rate::Every(Span(gap)));
            assert_eq!(value::rate(&written), Ok(Rate::Every(Span(gap))), "{written}");
        }
        assert_eq!(rate(Rate::Poisson(Span::from_millis(1))), "poisson(1000/s)");
        assert_eq!(value::phase_rate(&rate(Rate::Pause)), Ok(Rate::Pause));
    }

    #[test]
    fn strings_and_keys_survive() {
        assert_eq!(text("a \"b\" \\ \n\u{1}"), r#""a \"b\" \\ \n\u0001""#);
        assert_eq!((key("acks-1").as_str(), key("min.insync").as_str()), ("acks-1", "\"min.insync\""));
        assert_eq!(key(""), "\"\"");
    }
}
