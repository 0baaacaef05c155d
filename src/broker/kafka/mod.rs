//! Apache Kafka.

mod alter;
mod broker;
mod cause;
mod client;
mod config;
mod content;
mod control;
pub mod describe;
mod establish;
mod kraft;
mod log;
mod model;
mod packet;
mod picture;
mod promises;
pub mod settings;
mod story;
mod topology;
mod world;
mod zookeeper;

use super::host::{Host, NodeNames};
use super::{Case, Chain, EntityKind, Family, Field, Finding, Names, NodeRole, Router, Setting, World};
use crate::fact::FamilyFact;
use crate::scenario::plan::{Action, ConsumerPlan, Plan, ProducerPlan, Value, Version};

use self::model::KafkaModel;

/// The family.
pub struct Kafka;

impl Family for Kafka {
    fn name(&self) -> &'static str {
        "kafka"
    }
    fn places_word(&self) -> &'static str {
        "Logs"
    }
    fn abbreviations(&self) -> &'static [(&'static str, &'static str)] {
        picture::ABBREVIATIONS
    }
    fn reign_word(&self) -> &'static str {
        "epoch"
    }
    fn newest(&self) -> Version {
        Version(4, 1, 0)
    }
    fn oldest(&self) -> Version {
        Version(0, 9, 0)
    }
    fn last_minors(&self) -> &'static [(u16, u16)] {
        &[(0, 11), (1, 1), (2, 8), (3, 9)]
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
    fn router<'p>(&self, plan: &'p Plan) -> Box<dyn Router + 'p> {
        Box::new(describe::Routes { plan })
    }
    fn check_role(&self, plan: &Plan, role: &str) -> Result<(), String> {
        describe::check_role(plan, role)
    }
    fn paths(&self) -> &'static [(&'static str, &'static str)] {
        describe::PATHS
    }
    fn check_state(&self, plan: &Plan, path: &str) -> Result<(), String> {
        describe::check_state(plan, path)
    }
    fn check_state_value(&self, plan: &Plan, path: &str, value: Option<&Value>) -> Result<(), String> {
        describe::check_state_value(plan, path, value)
    }
    fn subscribes_later(&self, plan: &Plan, consumer: &ConsumerPlan) -> bool {
        establish::subscribes_later(plan, consumer)
    }
    fn check_file(&self, plan: &Plan, of: &str) -> Result<(), String> {
        describe::check_partition(plan, of)
    }
    fn check_action(&self, plan: &Plan, action: &Action) -> Result<(), String> {
        describe::check_action(plan, action)
    }
    fn world(&self, plan: &Plan, seed: u64) -> Box<dyn World> {
        let keeper = match describe::metadata(plan) {
            describe::Metadata::ZooKeeper => ("zookeeper", "zookeeper"),
            describe::Metadata::Kraft => ("controllers", "controller"),
        };
        let names = NodeNames::new(plan, &[("brokers", "broker"), keeper]);
        Box::new(Host::new(KafkaModel::new(plan, seed), plan, seed, names))
    }
    fn error_name(&self, error: u16) -> &'static str {
        packet::Error::name_of(error)
    }
    fn tell(&self, fact: &FamilyFact, names: &dyn Names) -> Option<String> {
        story::tell(fact, names)
    }
    fn confirms(&self, _plan: &Plan, producer: &ProducerPlan) -> bool {
        producer.config.get("acks") != Some(&Value::Text("0".to_owned()))
    }
    fn explain(&self, case: &Case<'_>) -> Chain {
        cause::explain(case)
    }
}
