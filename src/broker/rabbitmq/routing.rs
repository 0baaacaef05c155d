//! From exchange, keys and headers to queues.
//!
//! A queue that is matched several ways gets one copy. An exchange that leads nowhere hands the message to its
//! alternate exchange, each for itself along the way; that counts as routed. Bindings to queues that are not there
//! count as not there: they went with the queue.
//!
//! Source: <https://www.rabbitmq.com/docs/exchanges>, `rabbit_exchange:route`, `rabbit_exchange_type_topic`,
//! `rabbit_exchange_type_headers`; <https://www.rabbitmq.com/docs/ae>, <https://www.rabbitmq.com/docs/sender-selected>.

use std::sync::OnceLock;

use smallvec::SmallVec;

use super::topology::{
    Alternate, Binding, Destination, Exchange, ExchangeId, ExchangeKind, Headers, KeyId, Matching, QueueId,
    Stamp, Topology, Word,
};

/// Where a message goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Routed {
    /// Each once, in the order in which they were reached.
    pub(super) queues: SmallVec<[QueueId; 4]>,
    /// An alternate exchange was needed for it.
    pub(super) used_alternate: bool,
}

impl Topology {
    /// Where a message with this stamp goes, if these destinations are there.
    pub(super) fn route_stamp(&self, stamp: &Stamp, is_there: &dyn Fn(Destination) -> bool) -> Routed {
        let mut keys: SmallVec<[KeyId; 4]> = SmallVec::new();
        keys.push(stamp.key);
        keys.extend(stamp.carbon.iter().chain(&stamp.blind).copied());
        self.route(stamp.exchange, &keys, &stamp.headers, is_there)
    }

    /// The usual case: bindings lead a message with this stamp to this queue and to nothing else, if it is there.
    #[inline]
    pub(super) fn only_queue(&self, stamp: &Stamp) -> Option<QueueId> {
        if !stamp.carbon.is_empty() || !stamp.blind.is_empty() {
            return None;
        }
        let exchange = self.exchange(stamp.exchange);
        match exchange.kind {
            ExchangeKind::Default => self.by_name(stamp.exchange, stamp.key),
            ExchangeKind::Headers => None,
            ExchangeKind::Direct | ExchangeKind::Fanout | ExchangeKind::Topic => {
                match self.by_key(exchange, stamp.key) {
                    [Destination::Queue(queue)] => Some(*queue),
                    _ => None,
                }
            }
        }
    }

    /// Where a message goes that is published to this exchange with these keys.
    pub(super) fn route(
        &self,
        exchange: ExchangeId,
        keys: &[KeyId],
        headers: &Headers,
        is_there: &dyn Fn(Destination) -> bool,
    ) -> Routed {
        let mut routed = Routed::default();
        if let (ExchangeKind::Default, [key], None) =
            (self.exchange(exchange).kind, keys, &self.exchange(exchange).alternate)
        {
            // One queue, by its name.
            let queue = self.by_name(exchange, *key).filter(|queue| is_there(Destination::Queue(*queue)));
            routed.queues.extend(queue);
            return routed;
        }
        let mut open: SmallVec<[ExchangeId; 4]> = SmallVec::new();
        let mut seen: SmallVec<[ExchangeId; 4]> = SmallVec::new();
        open.push(exchange);
        seen.push(exchange);
        let mut at = 0;
        while let Some(id) = open.get(at).copied() {
            at += 1;
            let mut is_empty = true;
            let mut reach = |to: Destination| {
                if !is_there(to) {
                    return;
                }
                is_empty = false;
                match to {
                    Destination::Queue(queue) => {
                        if !routed.queues.contains(&queue) {
                            routed.queues.push(queue);
                        }
                    }
                    Destination::Exchange(next) => {
                        if !seen.contains(&next) {
                            seen.push(next);
                            open.push(next);
                        }
                    }
                }
            };
            self.leads(id, keys, headers, &mut reach);
            if let (true, Some(Alternate::Exchange(next))) = (is_empty, self.exchange(id).alternate)
                && is_there(Destination::Exchange(next))
            {
                routed.used_alternate = true;
                if !seen.contains(&next) {
                    seen.push(next);
                    open.push(next);
                }
            }
        }
        routed
    }

    /// What an exchange's own bindings lead to.
    fn leads(&self, id: ExchangeId, keys: &[KeyId], headers: &Headers, reach: &mut dyn FnMut(Destination)) {
        let exchange = self.exchange(id);
        match exchange.kind {
            ExchangeKind::Default => {
                let queues = keys.iter().filter_map(|key| self.by_name(id, *key));
                queues.for_each(|queue| reach(Destination::Queue(queue)));
            }
            ExchangeKind::Headers => {
                let bindings = exchange.bindings.iter().filter(|one| matches_headers(one, headers));
                bindings.for_each(|binding| reach(binding.to));
            }
            ExchangeKind::Direct | ExchangeKind::Fanout | ExchangeKind::Topic => {
                for key in keys {
                    self.by_key(exchange, *key).iter().for_each(|to| reach(*to));
                }
            }
        }
    }

    /// The queue of the exchange's vhost that has this name.
    fn by_name(&self, exchange: ExchangeId, name: KeyId) -> Option<QueueId> {
        *self.named[usize::from(self.exchange(exchange).vhost.0)].get(name.0 as usize)?
    }

    /// What an exchange leads to for a key, which is worked out once.
    fn by_key<'e>(&self, exchange: &'e Exchange, key: KeyId) -> &'e [Destination] {
        let all = exchange.cache.get_or_init(|| (0..self.keys.len()).map(|_| OnceLock::default()).collect());
        let Some(slot) = all.get(key.0 as usize) else { return &[] };
        slot.get_or_init(|| {
            let words: Vec<&str> = split(self.key(key));
            let is_matched = |binding: &&Binding| match exchange.kind {
                ExchangeKind::Fanout => true,
                ExchangeKind::Topic => matches_topic(&binding.pattern, &words),
                _ => binding.key == key,
            };
            exchange.bindings.iter().filter(is_matched).map(|binding| binding.to).collect()
        })
    }
}

/// The words of a routing key; an empty one has none.
fn split(key: &str) -> Vec<&str> {
    if key.is_empty() { Vec::new() } else { key.split('.').collect() }
}

/// Whether a topic binding matches: `*` stands for one word, `#` for any number of them.
fn matches_topic(pattern: &[Word], words: &[&str]) -> bool {
    // What of the pattern so far matches the words so far; `#` matches none, or one more.
    let mut open = vec![false; pattern.len() + 1];
    let skip = |open: &mut Vec<bool>| {
        for at in 0..pattern.len() {
            if open[at] && pattern[at] == Word::Many {
                open[at + 1] = true;
            }
        }
    };
    open[0] = true;
    skip(&mut open);
    for word in words {
        let mut next = vec![false; pattern.len() + 1];
        for (at, one) in pattern.iter().enumerate().filter(|(at, _)| open[*at]) {
            match one {
                Word::Many => next[at] = true,
                Word::One => next[at + 1] = true,
                Word::Is(text) => next[at + 1] |= **text == **word,
            }
        }
        open = next;
        skip(&mut open);
    }
    open[pattern.len()]
}

/// Whether a message's headers match a binding's arguments. Names that begin with `x-` count only if the binding says
/// so; the values have to be equal.
fn matches_headers(binding: &Binding, headers: &Headers) -> bool {
    let with_x = matches!(binding.matching, Matching::AllWithX | Matching::AnyWithX);
    let mut wanted =
        binding.headers.iter().filter(|(name, _)| name != "x-match" && (with_x || !name.starts_with("x-")));
    let is_met = |(name, value): &(String, super::topology::Header)| {
        headers.iter().any(|(other, found)| other == name && found == value)
    };
    match binding.matching {
        Matching::All | Matching::AllWithX => wanted.all(is_met),
        Matching::Any | Matching::AnyWithX => wanted.any(is_met),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pattern(text: &str) -> Vec<Word> {
        let word = |text: &str| match text {
            "*" => Word::One,
            "#" => Word::Many,
            text => Word::Is(text.into()),
        };
        split(text).into_iter().map(word).collect()
    }

    /// As the definition says it.
    fn naive(pattern: &[Word], words: &[&str]) -> bool {
        match (pattern.split_first(), words.split_first()) {
            (None, None) => true,
            (Some((Word::Many, rest)), _) => (0..=words.len()).any(|skipped| naive(rest, &words[skipped..])),
            (None, Some(_)) | (Some(_), None) => false,
            (Some((Word::One, rest)), Some((_, words))) => naive(rest, words),
            (Some((Word::Is(text), rest)), Some((word, words))) => **text == **word && naive(rest, words),
        }
    }

    #[test]
    fn topics_match_as_the_manual_says() {
        let table = [
            ("*.orange.*", "quick.orange.rabbit", true),
            ("*.*.rabbit", "lazy.orange.elephant", false),
            ("lazy.#", "lazy.orange.new.rabbit", true),
            ("lazy.#", "lazy", true),
            ("#", "", true),
            ("*", "", false),
            ("#.b", "b", true),
            ("a.#.b.#.c", "a.b.b.c", true),
            ("a.#.*", "a", false),
        ];
        for (binding, key, expected) in table {
            assert_eq!(matches_topic(&pattern(binding), &split(key)), expected, "{binding} {key}");
        }
    }

    proptest! {
        #[test]
        fn topics_match_as_the_definition(
            binding in prop::collection::vec(prop::sample::select(vec!["a", "b", "*", "#"]), 0..7),
            key in prop::collection::vec(prop::sample::select(vec!["a", "b"]), 0..7),
        ) {
            let pattern = pattern(&binding.join("."));
            prop_assert_eq!(matches_topic(&pattern, &key), naive(&pattern, &key));
        }
    }
}
