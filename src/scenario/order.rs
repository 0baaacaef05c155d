//! A list of messages in the order in which they were handed over, in the only form in which it is written:
//! `6..=10 3R`.

use std::fmt::Write as _;

/// Pieces of a list at most; what is longer is cut short, and equals nothing that can be expected.
pub const RUNS_MAX: usize = 500;

/// Messages in an order.
#[derive(Clone, Debug, Default)]
pub struct Line {
    runs: Vec<Run>,
    /// Pieces that came after the last one that is kept.
    more: u64,
}

/// Messages of one producer whose numbers follow one another.
#[derive(Clone, Copy, Debug)]
struct Run {
    producer: u16,
    first: u32,
    last: u32,
    is_again: bool,
}

impl Line {
    /// These messages come next; whether they came before.
    pub fn push(&mut self, producer: u16, first: u32, last: u32, is_again: bool) {
        if let Some(run) = self.runs.last_mut()
            && (run.producer, run.is_again) == (producer, is_again)
            && run.last.checked_add(1) == Some(first)
            && self.more == 0
        {
            run.last = last;
        } else if self.runs.len() > RUNS_MAX {
            self.more += 1;
        } else {
            self.runs.push(Run { producer, first, last, is_again });
        }
    }

    /// How many pieces it has.
    pub fn runs(&self) -> usize {
        self.runs.len()
    }

    /// As it is written. With several producers each piece names its own.
    pub fn text(&self, producers: &[&str]) -> String {
        let mut text = String::new();
        for run in &self.runs {
            if !text.is_empty() {
                text.push(' ');
            }
            if producers.len() > 1 {
                text += producers.get(run.producer as usize).unwrap_or(&"");
                text.push('#');
            }
            let _ = write!(text, "{}", run.first);
            if run.last > run.first {
                let _ = write!(text, "..={}", run.last);
            }
            if run.is_again {
                text.push('R');
            }
        }
        if self.more > 0 {
            text += " …";
        }
        if text.is_empty() { "nothing".to_owned() } else { text }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_one_form() {
        let mut line = Line::default();
        assert_eq!(line.text(&["a"]), "nothing");
        for number in [6, 7, 8, 3, 4] {
            line.push(0, number, number, number < 5);
        }
        line.push(0, 9, 12, false);
        line.push(0, 13, 13, false);
        assert_eq!(line.text(&["a"]), "6..=8 3..=4R 9..=13");
        line.push(1, 14, 14, false);
        assert_eq!(line.text(&["a", "b"]), "a#6..=8 a#3..=4R a#9..=13 b#14");
    }

    #[test]
    fn a_long_list_is_cut_short() {
        let mut line = Line::default();
        for number in 0..2_000 {
            line.push(0, number * 2, number * 2, false);
        }
        assert!(line.runs() > RUNS_MAX);
        assert!(line.text(&["a"]).ends_with("1000 …"), "{}", line.text(&["a"]));
    }
}
