//! `calls = "db"`: the consuming application asks a service for each message, and waits.

use super::super::super::model::{RabbitCtx, Shared, Timer};
use super::super::super::packet::Packet;
use super::Consumer;
use crate::sim::Input;

impl Consumer {
    /// The last part of processing: the service does its part. Whether there is one that was asked.
    #[inline]
    pub(super) fn call(&mut self, thread: u16, ctx: &mut RabbitCtx<'_>) -> bool {
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
        ctx: &mut RabbitCtx<'_>,
    ) -> bool {
        let Some(line) = &mut self.service else { return false };
        let mut is_over = false;
        for called in line.on(input, ctx) {
            let Some(thread) = self.worker.thread_of(called.message) else { continue };
            if called.error.is_some() {
                self.worker.refuse();
            }
            is_over |= self.processed(thread, shared, ctx);
        }
        is_over
    }
}
