//! stub
use super::model::{RabbitCtx, Shared, Timer};
use super::packet::Packet;
use crate::fact::ProducerId;
use crate::scenario::plan::Plan;
use crate::sim::{Input, Time};
#[derive(Clone, Debug)]
pub(super) struct Publisher;
#[derive(Clone, Debug)]
pub(super) struct Consumer;
impl Publisher {
    pub(super) fn new(_: &Plan, _: ProducerId, _: u16, _: u64, _: Time, _: &mut Shared) -> Self {
        Self
    }
    pub(super) fn on(&mut self, _: Input<Packet, Timer>, _: &mut Shared, _: &mut RabbitCtx<'_>) {}
}
impl Consumer {
    pub(super) fn new(_: &Plan, _: u16, _: u16, _: u64, _: &mut Shared) -> Self {
        Self
    }
    pub(super) fn on(&mut self, _: Input<Packet, Timer>, _: &mut Shared, _: &mut RabbitCtx<'_>) {}
}
