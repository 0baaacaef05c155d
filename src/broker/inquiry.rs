//! What every family's explanation begins with: one message's history, its copies, the faults around it, and the chain
//! that is being made of them.

use std::marker::PhantomData;

use super::{Case, Chain, Link, Remedy};
use crate::fact::{Fact, NodeId, Observation, PlaceId, Rule};
use crate::scenario::plan::{ConsumerPlan, ProducerPlan, Verb};
use crate::sim::Time;

/// A case while it is read, by that family: what it knows besides stands in its own `impl`.
pub(super) struct Inquiry<'a, Family> {
    pub(super) case: &'a Case<'a>,
    pub(super) chain: Chain,
    pub(super) due: Time,
    pub(super) producer: Option<&'a ProducerPlan>,
    pub(super) consumer: Option<&'a ConsumerPlan>,
    /// The copies that the message had, in the order in which they were stored.
    pub(super) copies: Vec<Copy>,
    /// What no node at all is called.
    nobody: &'static str,
    family: PhantomData<Family>,
}

/// One copy of the message in one place of one node.
#[derive(Clone, Copy)]
pub(super) struct Copy {
    pub(super) node: NodeId,
    pub(super) place: PlaceId,
    pub(super) offset: u64,
    pub(super) stored: Time,
    pub(super) removed: Option<(Time, Rule)>,
}

impl Copy {
    pub(super) fn is_there(&self, at: Time) -> bool {
        self.stored <= at && self.removed.is_none_or(|(removed, _)| removed > at)
    }
}

impl<'a, Family> Inquiry<'a, Family> {
    pub(super) fn new(case: &'a Case<'a>, nobody: &'static str) -> Self {
        let producer = case.history.iter().find_map(|seen| match seen.fact {
            Fact::Due { producer, .. } => case.plan.producers.get(producer.0 as usize),
            _ => None,
        });
        Self {
            case,
            chain: Chain { links: Vec::new(), remedies: Vec::new() },
            due: case.history.first().map_or(Time::ZERO, |seen| seen.at),
            producer,
            consumer: case.plan.consumers.get(case.subscription.0 as usize),
            copies: copies(case.history),
            nobody,
            family: PhantomData,
        }
    }

    /// Links and remedies of the faults that were in force at any time from when the message was due.
    pub(super) fn faults_until(&mut self, to: Time) {
        self.faults_between(self.due, to);
    }

    /// Links and remedies of the faults that were in force at any time between the two.
    pub(super) fn faults_between(&mut self, from: Time, to: Time) {
        for (index, fault) in self.case.plan.faults.iter().enumerate() {
            let mine = |fact: &Fact| matches!(*fact, Fact::Fault { fault } if fault as usize == index);
            let hits: Vec<_> = self.case.events.iter().filter(|seen| mine(&seen.fact)).collect();
            let Some(first) = hits.first() else { continue };
            let over = self.case.events.iter().find_map(|seen| match seen.fact {
                Fact::FaultEnded { fault } if fault as usize == index => Some(seen.at),
                _ => None,
            });
            if first.at > to || over.is_some_and(|over| over < from) {
                continue;
            }
            let nodes: Vec<_> = hits.iter().map(|seen| seen.node).collect();
            let text = match &fault.verb {
                Verb::Alter { kind, name, .. } => format!("{kind} {name} changed (fault {})", fault.name),
                verb => format!("{} {} (fault {})", self.names(&nodes), verb.happened(), fault.name),
            };
            self.link(Some(first.at), &format!("fault {}", fault.name), text);
            self.remedy(Remedy::WithoutFault(index as u16));
        }
    }

    pub(super) fn first(&self, is_it: impl Fn(&Fact) -> bool) -> Option<Observation> {
        self.case.history.iter().find(|seen| is_it(&seen.fact)).copied()
    }

    pub(super) fn last(&self, is_it: impl Fn(&Fact) -> bool) -> Option<Observation> {
        self.case.history.iter().rev().find(|seen| is_it(&seen.fact)).copied()
    }

    pub(super) fn names(&self, nodes: &[NodeId]) -> String {
        let mut nodes = nodes.to_vec();
        nodes.sort_unstable();
        nodes.dedup();
        if nodes.is_empty() {
            return self.nobody.to_owned();
        }
        nodes.iter().map(|&node| self.case.names.node(node)).collect::<Vec<_>>().join(", ")
    }

    pub(super) fn link(&mut self, at: Option<Time>, kind: &str, text: impl Into<String>) {
        self.chain.links.push(Link { at, kind: kind.to_owned(), text: text.into() });
    }

    /// A setting, in force all along: before everything that happened.
    pub(super) fn setting(&mut self, kind: &str, text: &str) {
        let at = self.chain.links.iter().take_while(|link| link.at.is_none()).count();
        self.chain.links.insert(at, Link { at: None, kind: kind.to_owned(), text: text.to_owned() });
    }

    pub(super) fn remedy(&mut self, remedy: Remedy) {
        if !self.chain.remedies.contains(&remedy) {
            self.chain.remedies.push(remedy);
        }
    }

    /// The message's producer with another value at this path.
    pub(super) fn remedy_producer(&mut self, path: &str, value: &str) {
        if let Some(producer) = self.producer {
            self.remedy(Remedy::Set(format!("producer.{}.{path} = {value}", key(&producer.name))));
        }
    }

    /// The consumer that the fate is about, with another value at this path.
    pub(super) fn remedy_consumer(&mut self, path: &str, value: &str) {
        if let Some(consumer) = self.consumer {
            self.remedy(Remedy::Set(format!("consumer.{}.{path} = {value}", key(&consumer.name))));
        }
    }
}

/// A name as a TOML key.
pub(super) fn key(name: &str) -> String {
    let is_bare = name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '-' || letter == '_');
    if is_bare { name.to_owned() } else { format!("\"{name}\"") }
}

fn copies(history: &[Observation]) -> Vec<Copy> {
    let mut copies: Vec<Copy> = Vec::new();
    for seen in history {
        match seen.fact {
            Fact::Stored { place, offset, .. } => {
                copies.push(Copy { node: seen.node, place, offset, stored: seen.at, removed: None });
            }
            Fact::Removed { place, offset, rule, .. } => {
                let is_it = |copy: &&mut Copy| {
                    copy.node == seen.node
                        && copy.place == place
                        && copy.offset == offset
                        && copy.removed.is_none()
                };
                if let Some(copy) = copies.iter_mut().rev().find(is_it) {
                    copy.removed = Some((seen.at, rule));
                }
            }
            _ => {}
        }
    }
    copies
}
