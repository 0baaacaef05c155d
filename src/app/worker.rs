//! The application half of one consumer instance: it processes what it is handed, one message at a time, in order.

use std::collections::VecDeque;

use super::catalogue::Catalogue;
use crate::fact::{MessageId, SubscriptionId};
use crate::sim::draw::{self, Purpose};
use crate::sim::{Dist, Span};

/// A delivered message, with what its family needs to acknowledge it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item {
    /// The message.
    pub message: MessageId,
    /// Where it was read, in the family's numbering.
    pub place: u32,
    /// At which offset or tag.
    pub offset: u64,
}

/// The application half of a consumer instance.
#[derive(Clone, Debug)]
pub struct Worker {
    /// Whose instance.
    pub subscription: SubscriptionId,
    /// Which instance, from 0.
    pub instance: u16,
    process: Dist,
    seed: u64,
    queue: VecDeque<Item>,
    current: Option<Item>,
}

impl Worker {
    /// An instance with nothing to do.
    pub fn new(subscription: SubscriptionId, instance: u16, process: Dist, seed: u64) -> Self {
        Self { subscription, instance, process, seed, queue: VecDeque::new(), current: None }
    }

    /// Hands it a message.
    pub fn offer(&mut self, item: Item) {
        self.queue.push_back(item);
    }

    /// If it is free and has something to do, it starts: the item, and how long it will take.
    pub fn start(&mut self, catalogue: &Catalogue) -> Option<(Item, Span)> {
        if self.current.is_some() {
            return None;
        }
        let item = self.queue.pop_front()?;
        self.current = Some(item);
        let identity = catalogue.origin(item.message).identity();
        Some((item, self.process.sample(draw::bits(self.seed, Purpose::Process, identity, 0))))
    }

    /// It is done with what it was doing.
    pub fn finish(&mut self) -> Option<Item> {
        self.current.take()
    }

    /// Whether it has nothing to do.
    pub fn is_idle(&self) -> bool {
        self.current.is_none() && self.queue.is_empty()
    }

    /// What it holds and has not finished, in order.
    pub fn held(&self) -> impl Iterator<Item = &Item> {
        self.current.iter().chain(&self.queue)
    }

    /// Drops what has not begun and for which `is_dropped` holds.
    pub fn drop_queued(&mut self, is_dropped: impl Fn(&Item) -> bool) {
        self.queue.retain(|item| !is_dropped(item));
    }

    /// The process was restarted: it holds nothing.
    pub fn restart(&mut self) {
        self.queue.clear();
        self.current = None;
    }
}
