//! `calls = "db"`: the consuming application asks a service for each message, and waits.

use super::Consumer;
use crate::broker::kafka::model::{KafkaCtx, Shared, Timer};
use crate::broker::kafka::packet::Packet;
use crate::sim::Input;

impl Consumer {
    /// The last part of processing: the service does its part. Whether there is one that was asked.
    #[inline]
    pub(super) fn call(&mut self, thread: u16, ctx: &mut KafkaCtx<'_>) -> bool {
        let Some(line) = &mut self.service else { return false };
        let Some(message) = self.worker.working(thread) else { return false };
        line.call(message, None, ctx);
        true
    }

    /// What the service answered, if it did: whether the process ends because of it.
    pub(super) fn service_said(
        &mut self,
        input: &Input<Packet, Timer>,
        shared: &mut Shared,
        ctx: &mut KafkaCtx<'_>,
    ) -> Option<bool> {
        let answers = self.service.as_mut()?.on(input, ctx);
        let mut said = None;
        for called in answers {
            let Some(thread) = self.worker.thread_of(called.message) else { continue };
            if called.error.is_some() {
                self.worker.refuse();
            }
            let is_over = self.processed(thread, shared, ctx);
            said = Some(is_over || said == Some(true));
        }
        said
    }
}
