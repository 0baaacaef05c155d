//! What is committed changes a member's copy of the queue; what follows from it is done by the leader alone.

use std::sync::Arc;

use smallvec::SmallVec;

use super::fifo::{Effect, Setup};
use super::member::Quorum;
use super::table::CommandId;
use super::{Handed, QuorumMsg, bugs, look};
use crate::broker::rabbitmq::broker::{Env, dead_letter};
use crate::broker::rabbitmq::message::{Msg, Pid};

/// Commands after which a member keeps a copy of the queue and lets go of them.
const SNAPSHOT_EVERY: u64 = 4_096;

impl Quorum {
    /// Applies what is committed.
    pub(super) fn apply_to(&mut self, commit: u64, env: &mut Env<'_, '_>) {
        let setup = Setup::of(&env.shared.topology, self.queue);
        let is_leader = self.leads();
        let mut effects = std::mem::take(&mut self.effects);
        let mut applied: SmallVec<[(Pid, SmallVec<[u64; 4]>); 2]> = SmallVec::new();
        let mut is_new_term = false;
        let commands = env.shared.commands(self.queue);
        while self.applied < commit {
            self.applied += 1;
            let Some(entry) = self.raft.entry(self.applied) else { break };
            self.bytes_applied += u64::from(CommandId::bytes_of(entry.command));
            match entry.command {
                Some(id) => {
                    let Some(command) = commands.get(id) else { continue };
                    let is_taken = self.fifo.apply(self.applied, command, &setup, &mut effects);
                    if let Some((pid, seq)) = command.from.filter(|_| is_leader && is_taken) {
                        match applied.iter_mut().find(|(known, _)| *known == pid) {
                            Some((_, seqs)) => seqs.push(seq),
                            None => applied.push((pid, SmallVec::from_elem(seq, 1))),
                        }
                    }
                }
                None => is_new_term = entry.term == self.raft.term(),
            }
        }
        applied.sort_unstable_by_key(|(pid, _)| *pid);
        for (pid, seqs) in applied {
            env.send(pid, Msg::Quorum(QuorumMsg::Applied { seqs }));
        }
        self.carry_out(&effects, is_leader, env);
        effects.clear();
        self.effects = effects;
        if is_leader && is_new_term {
            self.take_over(env);
        }
        if is_leader {
            self.look_at_due(env);
            self.look_after_unused(env);
            self.send_dead_letters(env);
        }
        self.keep_snapshot(env);
    }

    fn carry_out(&mut self, effects: &[Effect], is_leader: bool, env: &mut Env<'_, '_>) {
        let mut rest = effects;
        while let [first, others @ ..] = rest {
            rest = others;
            match *first {
                Effect::Stored(index, _) if index <= self.stored => {}
                Effect::Stored(index, envelope) => {
                    self.stored = index;
                    look::observe_stored(self.queue, envelope, index, env);
                }
                _ if !is_leader => {}
                Effect::Deliver(to, tag, handed) => {
                    let mut all: SmallVec<[Handed; 1]> = SmallVec::from_buf([handed]);
                    while let [Effect::Deliver(other, other_tag, handed), others @ ..] = rest
                        && (*other, *other_tag) == (to, tag)
                    {
                        all.push(*handed);
                        rest = others;
                    }
                    self.double((to, tag), &all, env);
                    bugs::send_ahead((to, tag), &mut all, env);
                    env.send(to, Msg::Quorum(QuorumMsg::Deliver { tag, handed: all }));
                }
                Effect::Got(to, handed) => {
                    env.send(to, Msg::Quorum(QuorumMsg::Got { handed }));
                }
                Effect::Died(envelope, reason) => {
                    if !Setup::of(&env.shared.topology, self.queue).keeps_dead {
                        dead_letter::at_most_once(self.queue, envelope, reason, env);
                    }
                }
                Effect::Buried(envelope) => dead_letter::observe_dead_lettered(self.queue, envelope, env),
                Effect::Full(only, is_full) => {
                    let to: Vec<Pid> = only.map_or_else(|| self.fifo.senders().collect(), |pid| vec![pid]);
                    for pid in to {
                        env.send(pid, Msg::Quorum(QuorumMsg::Full { is_full }));
                    }
                }
            }
        }
    }

    /// A copy of the queue takes the place of the commands that led to it.
    fn keep_snapshot(&mut self, env: &mut Env<'_, '_>) {
        let before = self.raft.snapshot().map_or(0, |snapshot| snapshot.index);
        let index = self.applied.min(self.raft.durable());
        if index < self.applied || index - before < SNAPSHOT_EVERY {
            return;
        }
        let last = (before..=index).rev().find_map(|index| self.raft.entry(index)?.command);
        if self.raft.compact(index, Arc::new(self.fifo.clone())) {
            env.core.wal.free(std::mem::take(&mut self.bytes_applied));
            if let Some(last) = last {
                env.shared.commands(self.queue).release(self.raft.me(), last);
            }
        }
    }
}
