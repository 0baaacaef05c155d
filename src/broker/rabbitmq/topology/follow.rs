//! Whose messages are in a queue: who consumes it, and who gets its dead letters if nobody does.

use super::build::Interner;
use super::stamps;
use super::{
    ConsumerSpec, DeadLetter, Destination, Headers, KeyId, QueueId, QueueKind, Stamp, StampId, Topology,
};
use crate::fact::SubscriptionId;
use crate::scenario::plan::{Plan, ProducerPlan};

impl Topology {
    /// Says of each queue who gets its messages in the end. Without any consumer `audit` reads everything.
    pub(super) fn attribute(&mut self, is_audit: bool) {
        let reader = |topology: &Self, id: QueueId| {
            let reads = |consumer: &ConsumerSpec| consumer.queues.contains(&id);
            match topology.consumers.iter().position(reads) {
                Some(at) => Some(SubscriptionId(at as u16)),
                None => is_audit.then_some(SubscriptionId(0)),
            }
        };
        let ids = || (0..self.queues.len() as u16).map(QueueId);
        let readers: Vec<_> = ids().map(|id| reader(self, id)).collect();
        for (queue, subscription) in self.queues.iter_mut().zip(readers) {
            queue.subscription = subscription;
        }
        let direct = self.dead_letters();
        for at in 0..self.queues.len() {
            let id = QueueId(at as u16);
            let is_read = self.consumers.iter().any(|one| one.queues.contains(&id));
            let is_grave = !is_read && direct.iter().any(|targets| targets.contains(&id));
            let leads_to = if self.queues[at].kind == QueueKind::Stream {
                self.readers(id)
            } else {
                self.ends(id, &direct)
            };
            let graves = self.graves(id, &direct);
            let spec = &mut self.queues[at];
            (spec.leads_to, spec.is_graveyard, spec.graves) = (leads_to, is_grave, graves);
        }
    }

    /// The queues that the dead letters of a queue can come to, through others that nobody reads.
    fn graves(&self, id: QueueId, direct: &[Vec<QueueId>]) -> Vec<QueueId> {
        let (mut all, mut open) = (Vec::new(), direct[usize::from(id.0)].clone());
        while let Some(next) = open.pop() {
            if next != id && !all.contains(&next) {
                all.push(next);
                if self.queue(next).subscription.is_none() {
                    open.extend(&direct[usize::from(next.0)]);
                }
            }
        }
        all
    }

    /// By queue: the queues that its dead letters reach.
    fn dead_letters(&self) -> Vec<Vec<QueueId>> {
        let mut direct: Vec<Vec<QueueId>> = vec![Vec::new(); self.queues.len()];
        let mut is_used = vec![false; self.queues.len()];
        for stamp in &self.stamps {
            self.walk(stamp, |queue, next| {
                is_used[usize::from(queue.0)] = true;
                direct[usize::from(queue.0)].extend(next);
                true
            });
        }
        for (at, targets) in direct.iter_mut().enumerate() {
            if !is_used[at] {
                self.guess(QueueId(at as u16), targets);
            }
            targets.sort_unstable();
            targets.dedup();
        }
        direct
    }

    /// Where dead letters of a queue would go that nothing is sent to: by the keys that lead to it.
    fn guess(&self, id: QueueId, targets: &mut Vec<QueueId>) {
        let bound = self.exchanges.iter().flat_map(|one| &one.bindings);
        let bound = bound.filter(|binding| binding.to == Destination::Queue(id)).map(|one| one.key);
        for key in bound.chain([self.queue(id).key]) {
            targets.extend(self.next(id, &[key], &Headers::new()).0);
        }
    }

    /// The consumers of a stream: each of them is a subscription of its own.
    fn readers(&self, id: QueueId) -> Vec<SubscriptionId> {
        if self.consumers.is_empty() {
            return self.queue(id).subscription.into_iter().collect();
        }
        let all = (0..).zip(&self.consumers).filter(|(_, consumer)| consumer.queues.contains(&id));
        all.map(|(number, _)| SubscriptionId(number)).collect()
    }

    /// The subscriptions that get what is in a queue.
    fn ends(&self, id: QueueId, direct: &[Vec<QueueId>]) -> Vec<SubscriptionId> {
        let (mut seen, mut open, mut all) = (Vec::new(), vec![id], Vec::new());
        while let Some(next) = open.pop() {
            if seen.contains(&next) {
                continue;
            }
            seen.push(next);
            match self.queue(next).subscription {
                Some(_) if self.queue(next).kind == QueueKind::Stream => all.extend(self.readers(next)),
                Some(subscription) => all.push(subscription),
                None => open.extend(&direct[usize::from(next.0)]),
            }
        }
        all.sort_unstable();
        all.dedup();
        all
    }

    /// Where dead letters of a queue go that came with these keys, and with which keys.
    fn next(&self, id: QueueId, keys: &[KeyId], headers: &Headers) -> (Vec<QueueId>, Vec<KeyId>) {
        let Some(DeadLetter { exchange: Some(exchange), key, .. }) = self.queue(id).args.dead_letter else {
            return (Vec::new(), Vec::new());
        };
        let keys = key.map_or_else(|| keys.to_vec(), |key| vec![key]);
        (self.route(exchange, &keys, headers, &|_| true).queues.to_vec(), keys)
    }

    /// The subscriptions that messages with this stamp are addressed to.
    pub(in crate::broker::rabbitmq) fn addressed(&self, stamp: StampId) -> Vec<SubscriptionId> {
        let all = self.trace(self.stamp(stamp), |queue| self.queue(queue).subscription.is_some());
        let readers = |queue: QueueId| match self.queue(queue).kind {
            QueueKind::Stream => self.queue(queue).leads_to.clone(),
            _ => self.queue(queue).subscription.into_iter().collect(),
        };
        let mut all: Vec<_> = all.into_iter().flat_map(readers).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// The queues that anything which is stamped can come to, as dead letters too.
    pub(in crate::broker::rabbitmq) fn reached(&self) -> Vec<QueueId> {
        let mut all: Vec<_> = self.stamps.iter().flat_map(|stamp| self.trace(stamp, |_| false)).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// The queues that messages with this stamp come to; from where they stay, they do not go on.
    fn trace(&self, stamp: &Stamp, stays: impl Fn(QueueId) -> bool) -> Vec<QueueId> {
        let mut all = Vec::new();
        self.walk(stamp, |queue, _| {
            all.push(queue);
            !stays(queue)
        });
        all
    }

    /// Visits every queue that messages with this stamp come to, with those that its dead letters go to; the visitor
    /// says whether they go on.
    fn walk(&self, stamp: &Stamp, mut visit: impl FnMut(QueueId, &[QueueId]) -> bool) {
        let keys = keys_of(stamp);
        let first = self.route_stamp(stamp, &|_| true).queues;
        let mut open: Vec<_> = first.into_iter().map(|queue| (queue, keys.clone())).collect();
        let mut seen = Vec::new();
        while let Some((queue, keys)) = open.pop() {
            if seen.contains(&queue) {
                continue;
            }
            seen.push(queue);
            let (queues, keys) = self.next(queue, &keys, &stamp.headers);
            if visit(queue, &queues) {
                open.extend(queues.into_iter().map(|queue| (queue, keys.clone())));
            }
        }
    }

    /// Forgets what is stamped, and learns what this producer stamps.
    pub(in crate::broker::rabbitmq) fn learn(
        &mut self,
        plan: &Plan,
        producer: &ProducerPlan,
        keys: &mut Interner,
    ) {
        self.stamps.clear();
        stamps::spec(self, plan, producer, keys);
        self.index(keys);
    }
}

/// The keys that stay on a message.
fn keys_of(stamp: &Stamp) -> Vec<KeyId> {
    std::iter::once(stamp.key).chain(stamp.carbon.iter().copied()).collect()
}
