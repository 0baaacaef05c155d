//! What packets are called, as in Kafka's protocol. An answer that says no is called by its error.

use super::super::content::{BatchKind, Content};
use super::super::packet::{
    ControllerRequest, ControllerResponse, Error, FetchResponse, GroupAsk, GroupVerb, Packet,
    ZooKeeperRequest, ZooKeeperResponse,
};
use crate::app::Talk;

/// What a packet is, and how many messages it carries.
pub(in super::super) fn label(packet: &Packet, content: &Content) -> (&'static str, u32) {
    match packet {
        Packet::Produce(request) => {
            ("Produce", request.parts.iter().map(|part| part.messages.len() as u32).sum())
        }
        Packet::FetchResponse(response) => {
            let error = response.parts.iter().find_map(|part| part.error);
            (named(error, "Fetch response"), carried(response, content))
        }
        Packet::Service(Talk::Call { .. }) => ("call", 1),
        _ => (bare(packet), 0),
    }
}

/// Of what carries no messages.
fn bare(packet: &Packet) -> &'static str {
    match packet {
        Packet::Produce(_) => "Produce",
        Packet::ProduceResponse(response) => {
            named(response.parts.iter().find_map(|(_, error)| *error), "Produce response")
        }
        Packet::Fetch(_) => "Fetch",
        Packet::FetchResponse(_) => "Fetch response",
        Packet::Metadata => "Metadata",
        Packet::MetadataResponse(_) => "Metadata response",
        Packet::EpochEnds(_) => "OffsetForLeaderEpoch",
        Packet::EpochEndsResponse(answers) => named(
            first_error(answers.iter().map(|(_, answer)| answer.err())),
            "OffsetForLeaderEpoch response",
        ),
        Packet::Ends(_) => "ListOffsets",
        Packet::EndsResponse(answers) => {
            named(first_error(answers.iter().map(|(_, answer)| answer.err())), "ListOffsets response")
        }
        Packet::Group(request) => asked(&request.ask),
        Packet::GroupResponse(response) => {
            let name = match response.to {
                GroupVerb::Join => "JoinGroup response",
                GroupVerb::Sync => "SyncGroup response",
                GroupVerb::Heartbeat => "Heartbeat response",
                GroupVerb::Leave => "LeaveGroup response",
                GroupVerb::Commit => "OffsetCommit response",
                GroupVerb::Offsets => "OffsetFetch response",
            };
            named(response.answer.as_ref().err().copied(), name)
        }
        Packet::ZooKeeper(request) => of_zookeeper(request),
        Packet::ZooKeeperResponse(response) => by_zookeeper(response),
        Packet::Controller(request) => match &**request {
            ControllerRequest::Register { .. } => "BrokerRegistration",
            ControllerRequest::Heartbeat { .. } => "BrokerHeartbeat",
            ControllerRequest::ChangeIsr { .. } => "AlterPartition",
            ControllerRequest::Shutdown { .. } => "ControlledShutdown",
            ControllerRequest::Update(_) => "LeaderAndIsr",
        },
        Packet::ControllerResponse(response) => by_controller(response),
        Packet::Service(Talk::Call { .. }) => "call",
        Packet::Service(Talk::Reply { error: None, .. }) => "reply",
        Packet::Service(Talk::Reply { error: Some(error), .. }) => {
            crate::app::CallError::name_of(error.number()).unwrap_or("reply")
        }
    }
}

fn asked(ask: &GroupAsk) -> &'static str {
    match ask {
        GroupAsk::Join(..) => "JoinGroup",
        GroupAsk::Sync(_) => "SyncGroup",
        GroupAsk::Heartbeat => "Heartbeat",
        GroupAsk::Leave => "LeaveGroup",
        GroupAsk::Commit(_) => "OffsetCommit",
        GroupAsk::Offsets(_) => "OffsetFetch",
    }
}

fn of_zookeeper(request: &ZooKeeperRequest) -> &'static str {
    match request {
        ZooKeeperRequest::Connect { .. } => "createSession",
        ZooKeeperRequest::Ping => "ping",
        ZooKeeperRequest::Register { .. } => "create /brokers/ids",
        ZooKeeperRequest::Campaign => "create /controller",
        ZooKeeperRequest::Read => "getData",
        ZooKeeperRequest::ChangeIsr { .. } => "setData state",
        ZooKeeperRequest::Change { .. } => "multi setData",
        ZooKeeperRequest::Close => "closeSession",
    }
}

fn by_zookeeper(response: &ZooKeeperResponse) -> &'static str {
    match response {
        ZooKeeperResponse::Connected { .. } => "session",
        ZooKeeperResponse::Expired => "session expired",
        ZooKeeperResponse::Pong => "ping reply",
        ZooKeeperResponse::Registered => "created /brokers/ids",
        ZooKeeperResponse::Controller { is_you: true, .. } => "created /controller",
        ZooKeeperResponse::Exists | ZooKeeperResponse::Controller { is_you: false, .. } => "NodeExists",
        ZooKeeperResponse::State(_) => "data",
        ZooKeeperResponse::IsrChanged { result: Ok(_), .. } | ZooKeeperResponse::Changed { all: true } => {
            "setData reply"
        }
        ZooKeeperResponse::IsrChanged { result: Err(_), .. } | ZooKeeperResponse::Changed { all: false } => {
            "BadVersion"
        }
        ZooKeeperResponse::ControllerGone => "watch /controller",
        ZooKeeperResponse::BrokersChanged => "watch /brokers/ids",
        ZooKeeperResponse::IsrsChanged => "watch ISR changes",
    }
}

fn by_controller(response: &ControllerResponse) -> &'static str {
    match response {
        ControllerResponse::Registered => "BrokerRegistration response",
        ControllerResponse::DuplicateRegistration => "DUPLICATE_BROKER_REGISTRATION",
        ControllerResponse::Heartbeat { is_known: true, .. } => "BrokerHeartbeat response",
        ControllerResponse::Heartbeat { is_known: false, .. } => "STALE_BROKER_EPOCH",
        ControllerResponse::IsrChanged { is_accepted: true, .. } => "AlterPartition response",
        ControllerResponse::IsrChanged { is_accepted: false, .. } => "AlterPartition refused",
        ControllerResponse::Shutdown { .. } => "ControlledShutdown response",
        ControllerResponse::Updated => "LeaderAndIsr response",
        ControllerResponse::Metadata(_) => "metadata records",
    }
}

fn first_error(mut errors: impl Iterator<Item = Option<Error>>) -> Option<Error> {
    errors.find_map(|error| error)
}

fn named(error: Option<Error>, otherwise: &'static str) -> &'static str {
    error.map_or(otherwise, |error| Error::name_of(error as u16))
}

fn carried(response: &FetchResponse, content: &Content) -> u32 {
    let batches = response.parts.iter().flat_map(|part| &part.batches).map(|&id| content.batch(id));
    batches.filter(|batch| batch.kind == BatchKind::Messages).map(|batch| batch.count).sum()
}
