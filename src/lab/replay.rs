//! The one command that does a run again, ready to be copied into a shell.

/// `mqlab run kafka/acks-one --variant 'acks=1' --seed 43`.
pub fn command(
    verb: &str,
    scenario: &str,
    variant: Option<&str>,
    seed: Option<u64>,
    sets: &[String],
) -> String {
    let mut words = vec![format!("mqlab {verb}"), quoted(scenario)];
    if let Some(variant) = variant {
        words.extend(["--variant".to_owned(), quoted(variant)]);
    }
    if let Some(seed) = seed {
        words.push(format!("--seed {seed}"));
    }
    for line in sets {
        words.extend(["--set".to_owned(), quoted(line)]);
    }
    words.join(" ")
}

/// As a shell takes it for one word.
fn quoted(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:".contains(&byte);
    if !word.is_empty() && word.bytes().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_back_what_was_meant() {
        let sets = ["producer.checkout.config.acks = \"all\"".to_owned()];
        assert_eq!(
            command("run", "kafka/acks-one", Some("acks=1"), Some(43), &sets),
            "mqlab run kafka/acks-one --variant 'acks=1' --seed 43 \
             --set 'producer.checkout.config.acks = \"all\"'"
        );
        assert_eq!(
            command("explain", "a b.toml", Some("it's"), None, &[]),
            r"mqlab explain 'a b.toml' --variant 'it'\''s'"
        );
    }
}
