//! Transactions: publishes and settlements wait in the channel until they are committed.
//!
//! A commit publishes first and settles then; it is done when every queue has confirmed. It is not atomic: a crash in
//! between leaves a part. What was delivered is not transactional.
//!
//! Source: `rabbit_channel` (`tx.commit`), <https://www.rabbitmq.com/docs/semantics>.
//!
//! Not modelled: `tx.rollback`, which no client here calls.

use smallvec::SmallVec;

use super::consume::Unacked;
use super::{Awaited, Channel, Mode};
use crate::broker::rabbitmq::broker::Env;
use crate::broker::rabbitmq::content::EnvelopeId;
use crate::broker::rabbitmq::error::Error;
use crate::broker::rabbitmq::message::Settled;
use crate::broker::rabbitmq::packet::Frame;

/// What waits for a commit.
#[derive(Clone, Debug, Default)]
pub(super) struct Transaction {
    publishes: Vec<(EnvelopeId, bool)>,
    settlements: Vec<(SmallVec<[Unacked; 4]>, Settled)>,
}

impl Channel {
    pub(super) fn buffer_publish(
        &mut self,
        envelope: EnvelopeId,
        is_mandatory: bool,
        _env: &mut Env<'_, '_>,
    ) {
        self.transaction.publishes.push((envelope, is_mandatory));
    }

    pub(super) fn buffer_settle(&mut self, taken: SmallVec<[Unacked; 4]>, how: Settled) {
        self.transaction.settlements.push((taken, how));
    }

    /// `tx.commit`.
    pub(super) fn commit(&mut self, env: &mut Env<'_, '_>) {
        if self.mode != Mode::Tx {
            return self.fail(Error::PreconditionFailed, env);
        }
        let Transaction { publishes, settlements } = std::mem::take(&mut self.transaction);
        if self.confirms.open() == 0 {
            self.confirms.begin(self.sent + 1);
        }
        for (envelope, is_mandatory) in publishes {
            self.route(envelope, is_mandatory, env);
        }
        for (taken, how) in settlements {
            self.settled(&taken, how, env);
        }
        if self.confirms.open() == 0 {
            self.write(Frame::Ok, env);
        } else {
            self.awaited = Some(Awaited::Committed);
        }
    }
}
