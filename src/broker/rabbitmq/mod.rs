//! `RabbitMQ`.

mod broker;
mod cause;
mod client;
mod config;
mod content;
mod describe;
mod error;
mod message;
mod model;
mod packet;
mod picture;
mod policy;
mod promises;
mod routing;
mod rules;
mod settings;
mod story;
#[cfg(test)]
mod tests;
mod topology;
mod world;

use super::host::{Host, NodeNames};
use super::{
    Addresses, Case, Chain, EntityKind, Family, Field, Finding, Names, NodeRole, Router, Setting, World,
};
use crate::fact::FamilyFact;
use crate::scenario::plan::{Action, ConsumerPlan, EntityPlan, Plan, ProducerPlan, Value, Version};

use self::describe::{check, paths, routes};
use self::model::RabbitModel;

/// The family.
pub struct RabbitMq;

impl Family for RabbitMq {
    fn name(&self) -> &'static str {
        "rabbitmq"
    }
    fn places_word(&self) -> &'static str {
        "Queues"
    }
    fn abbreviations(&self) -> &'static [(&'static str, &'static str)] {
        picture::ABBREVIATIONS
    }
    fn reign_word(&self) -> &'static str {
        "term"
    }
    fn newest(&self) -> Version {
        rules::NEWEST
    }
    fn oldest(&self) -> Version {
        rules::OLDEST
    }
    fn last_minors(&self) -> &'static [(u16, u16)] {
        &[(3, 13)]
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
    fn producer_fields(&self) -> &'static [Field] {
        describe::PRODUCER_FIELDS
    }
    fn consumer_fields(&self) -> &'static [Field] {
        describe::CONSUMER_FIELDS
    }
    fn clients(&self) -> &'static [&'static str] {
        describe::CLIENTS
    }
    fn complete(&self, plan: &mut Plan) {
        describe::complete(plan);
    }
    fn check(&self, plan: &Plan) -> Vec<Finding> {
        check::check(plan)
    }
    fn refuses(&self, _plan: &Plan, entity: &EntityPlan, setting: &str) -> Option<String> {
        check::refuses(entity, setting)
    }
    fn check_address(&self, plan: &Plan, address: &str) -> Result<(), String> {
        describe::check_address(plan, address)
    }
    fn check_reply_to(&self, plan: &Plan, address: &str) -> Result<(), String> {
        topology::replies::check(plan, address)
    }
    fn router<'p>(&self, plan: &'p Plan) -> Box<dyn Router + 'p> {
        Box::new(routes::Routes::new(plan))
    }
    fn addresses(&self, plan: &Plan) -> Vec<Addresses> {
        routes::addresses(plan)
    }
    fn shares(&self, plan: &Plan, consumer: usize) -> usize {
        routes::shares(plan, consumer)
    }
    fn subscribes_later(&self, plan: &Plan, consumer: &ConsumerPlan) -> bool {
        routes::subscribes_later(plan, consumer)
    }
    fn is_needed(&self, plan: &Plan, kind: &str, name: &str) -> bool {
        routes::is_needed(plan, kind, name)
    }
    fn check_role(&self, plan: &Plan, role: &str) -> Result<(), String> {
        paths::check_role(plan, role)
    }
    fn paths(&self) -> &'static [(&'static str, &'static str)] {
        paths::PATHS
    }
    fn check_state(&self, plan: &Plan, path: &str) -> Result<(), String> {
        paths::check_state(plan, path)
    }
    fn check_state_value(&self, plan: &Plan, path: &str, value: Option<&Value>) -> Result<(), String> {
        paths::check_state_value(plan, path, value)
    }
    fn check_file(&self, plan: &Plan, of: &str) -> Result<(), String> {
        paths::check_queue(plan, of)
    }
    fn check_action(&self, plan: &Plan, action: &Action) -> Result<(), String> {
        describe::check_action(plan, action)
    }
    fn confirms(&self, _plan: &Plan, producer: &ProducerPlan) -> bool {
        describe::confirms(producer)
    }
    fn world(&self, plan: &Plan, seed: u64) -> Box<dyn World> {
        let names = NodeNames::new(plan, &[("brokers", "broker")]);
        Box::new(Host::new(RabbitModel::new(plan, seed), plan, seed, names))
    }
    fn error_name(&self, error: u16) -> &'static str {
        error::Error::name_of(error)
    }
    fn tell(&self, fact: &FamilyFact, names: &dyn Names) -> Option<String> {
        story::tell(fact, names)
    }
    fn explain(&self, case: &Case<'_>) -> Chain {
        cause::explain(case)
    }
}
