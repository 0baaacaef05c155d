//! Controlled shutdown: leaderships move first, then everything is flushed, then the process ends.
//!
//! Source: `KafkaServer.controlledShutdown` (three attempts, 5 s apart), `BrokerLifecycleManager` (KRaft, five
//! minutes).

use super::super::control::only;
use super::super::model::{KafkaCtx, Shared, Timer};
use super::super::packet::{ControllerRequest, Packet, ZooKeeperRequest};
use super::super::topology::Metadata;
use super::Broker;
use crate::fact::NodeId;
use crate::sim::{ConnId, FileId, Span, Time};

/// `controlled.shutdown.max.retries`, `controlled.shutdown.retry.backoff.ms`.
const RETRIES_MAX: u32 = 3;
const RETRY: Span = Span::from_secs(5);
/// How long a KRaft broker waits for its leaderships to be moved.
const PATIENCE: Span = Span::from_secs(300);

/// How far a broker that was asked to stop has come.
#[derive(Clone, Debug)]
pub(super) struct Shutdown {
    asked_at: Time,
    attempts: u32,
    conn: Option<ConnId>,
    /// Flushes under way; none: it has not begun to flush.
    flushing: Option<u32>,
}

impl Shutdown {
    /// How far it has come, in words.
    pub(super) fn progress(&self) -> String {
        match self.flushing {
            Some(left) => format!("flushing, {left} logs left"),
            None => format!("moving leaderships, attempt {}", self.attempts + 1),
        }
    }
}

impl Broker {
    pub(super) fn stop(&mut self, shared: &mut Shared, ctx: &mut KafkaCtx<'_>) {
        if self.shutdown.is_some() {
            return;
        }
        self.shutdown = Some(Shutdown { asked_at: ctx.now(), attempts: 0, conn: None, flushing: None });
        if !shared.topology.config.has_controlled_shutdown {
            self.flush_and_exit(ctx);
            return;
        }
        self.ask_to_stop(shared, ctx);
    }

    fn ask_to_stop(&mut self, shared: &mut Shared, ctx: &mut KafkaCtx<'_>) {
        ctx.timer(RETRY, Timer::Shutdown);
        if shared.topology.rules.metadata == Metadata::Kraft {
            self.heartbeat(ctx);
            return;
        }
        if let Some(office) = &mut self.office {
            office.stopping |= 1 << self.id;
            self.office_reads(ctx);
        } else if let Some(controller) = self.view.controller.filter(|&controller| controller != self.id) {
            let conn = ctx.connect(NodeId(controller));
            if let Some(shutdown) = &mut self.shutdown {
                shutdown.conn = Some(conn);
            }
        }
    }

    pub(super) fn shutdown_connected(&mut self, conn: ConnId, ctx: &mut KafkaCtx<'_>) {
        if self.shutdown.as_ref().is_some_and(|shutdown| shutdown.conn == Some(conn)) {
            let request = ControllerRequest::Shutdown { broker: self.id, incarnation: self.incarnation };
            ctx.send(conn, Packet::Controller(Box::new(request)), 60);
        }
    }

    pub(super) fn shutdown_answered(&mut self, remaining: u32, ctx: &mut KafkaCtx<'_>) {
        if remaining == 0 {
            self.flush_and_exit(ctx);
        }
    }

    pub(super) fn shutdown_retry(&mut self, shared: &mut Shared, ctx: &mut KafkaCtx<'_>) {
        let leads = self.view.partitions.iter().any(|state| state.leader == Some(self.id));
        let has_office = self.office.is_some();
        let Some(shutdown) = &mut self.shutdown else { return };
        if shutdown.flushing.is_some() {
            return;
        }
        shutdown.attempts += 1;
        let is_over = match shared.topology.rules.metadata {
            Metadata::ZooKeeper => shutdown.attempts >= RETRIES_MAX || (has_office && !leads),
            Metadata::Kraft => ctx.now().since(shutdown.asked_at) >= PATIENCE,
        };
        if is_over {
            self.flush_and_exit(ctx);
        } else {
            self.ask_to_stop(shared, ctx);
        }
    }

    /// In ZooKeeper mode the controller tells a broker that it took out of the in-sync replicas to fetch no more
    /// (`StopReplica`); else its leader would admit it again.
    pub(super) fn stop_fetching_to_stop(&mut self, shared: &Shared) {
        if self.shutdown.is_none() || shared.topology.rules.metadata != Metadata::ZooKeeper {
            return;
        }
        for partition in 0..self.replicas.len() as u32 {
            if self.view.partitions[partition as usize].isr & only(self.id) == 0 {
                self.stop_following(partition);
            }
        }
    }

    /// Flushes every log; the process ends when the last flush is done.
    pub(super) fn flush_and_exit(&mut self, ctx: &mut KafkaCtx<'_>) {
        let Some(shutdown) = &mut self.shutdown else { return };
        if shutdown.flushing.is_some() {
            return;
        }
        let mut flushing = 0;
        for (partition, replica) in self.replicas.iter_mut().enumerate() {
            if let Some(replica) = replica {
                replica.checkpoint = replica.watermark;
                ctx.sync(FileId(partition as u32));
                flushing += 1;
            }
        }
        shutdown.flushing = Some(flushing);
        if flushing == 0 {
            self.exit(ctx);
        }
    }

    /// Whether the flush was one of these.
    pub(super) fn shutdown_synced(&mut self, ctx: &mut KafkaCtx<'_>) -> bool {
        let Some(flushing) = self.shutdown.as_mut().and_then(|shutdown| shutdown.flushing.as_mut()) else {
            return false;
        };
        *flushing = flushing.saturating_sub(1);
        if *flushing == 0 {
            self.exit(ctx);
        }
        true
    }

    fn exit(&mut self, ctx: &mut KafkaCtx<'_>) {
        self.is_clean = true;
        self.ask_zookeeper(ZooKeeperRequest::Close, ctx);
        ctx.exit();
    }
}
