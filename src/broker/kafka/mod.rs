//! Apache Kafka.

pub mod describe;
pub mod settings;

use super::{Case, Chain, EntityKind, Family, Field, Finding, Names, NodeRole, Setting, World};
use crate::fact::FamilyFact;
use crate::scenario::plan::{Plan, Version};

/// The family.
pub struct Kafka;

impl Family for Kafka {
    fn name(&self) -> &'static str {
        "kafka"
    }
    fn newest(&self) -> Version {
        Version(4, 1, 0)
    }
    fn oldest(&self) -> Version {
        Version(0, 9, 0)
    }
    fn settings(&self) -> &'static [Setting] {
        settings::all()
    }
    fn roles(&self) -> &'static [NodeRole] {
        describe::ROLES
    }
    fn cluster_fields(&self) -> &'static [Field] {
        describe::CLUSTER_FIELDS
    }
    fn entities(&self) -> &'static [EntityKind] {
        describe::ENTITIES
    }
    fn clients(&self) -> &'static [&'static str] {
        describe::CLIENTS
    }
    fn complete(&self, plan: &mut Plan) {
        describe::complete(plan);
    }
    fn check(&self, plan: &Plan) -> Vec<Finding> {
        describe::check(plan)
    }
    fn check_address(&self, plan: &Plan, address: &str) -> Result<(), String> {
        describe::check_address(plan, address)
    }
    fn check_role(&self, plan: &Plan, role: &str) -> Result<(), String> {
        describe::check_role(plan, role)
    }
    fn check_state(&self, plan: &Plan, path: &str) -> Result<(), String> {
        describe::check_state(plan, path)
    }
    fn world(&self, _plan: &Plan, _seed: u64) -> Box<dyn World> {
        todo!()
    }
    fn error_name(&self, _error: u16) -> &'static str {
        ""
    }
    fn tell(&self, _fact: &FamilyFact, _names: &dyn Names) -> Option<String> {
        None
    }
    fn explain(&self, _case: &Case<'_>) -> Chain {
        todo!()
    }
}
