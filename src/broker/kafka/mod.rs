//! Apache Kafka.

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
        &[]
    }
    fn roles(&self) -> &'static [NodeRole] {
        &[]
    }
    fn cluster_fields(&self) -> &'static [Field] {
        &[]
    }
    fn entities(&self) -> &'static [EntityKind] {
        &[]
    }
    fn clients(&self) -> &'static [&'static str] {
        &["java", "librdkafka"]
    }
    fn check(&self, _plan: &Plan) -> Vec<Finding> {
        Vec::new()
    }
    fn check_address(&self, _plan: &Plan, _address: &str) -> Result<(), String> {
        Ok(())
    }
    fn check_role(&self, _plan: &Plan, _role: &str) -> Result<(), String> {
        Ok(())
    }
    fn check_state(&self, _plan: &Plan, _path: &str) -> Result<(), String> {
        Ok(())
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
