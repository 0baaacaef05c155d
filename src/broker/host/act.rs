//! What a fault does when its time has come, and how it is undone.

use super::{ENDINGS, Ending, Host, Hosted, Imposed, Undo};
use crate::broker::Firing;
use crate::fact::{Down, Fact, NodeId};
use crate::scenario::plan::{self, Config, FaultPlan, Target, Verb, Which};
use crate::sim::{Condition, Engine, Frames, Kind, LinkEffect};

impl<M: Hosted> Host<M> {
    /// A fault acts: on every node it means, as far as its verb can act there.
    pub(super) fn fire(&mut self, index: u16) {
        let fault = self.faults[index as usize].clone();
        let (hit, undo) = self.act(&fault.verb);
        if let Some(Undo::Lift(nodes, id)) = &undo {
            self.imposed.push(Imposed { fault: index, nodes: nodes.clone(), id: *id });
        }
        if hit.is_empty() {
            return;
        }
        let at = self.engine.now();
        for &node in &hit {
            self.fired.push(Firing { fault: index, node, at });
            self.observe(node, Fact::Fault { fault: index });
        }
        self.report_down(&fault.verb, &hit);
        if let Some(name) = fault.known_as {
            self.known_as.insert(name, hit);
        }
        if let (Some(after), Some(undo)) = (fault.ends_after, undo) {
            let id = ENDINGS + self.ends.len() as u32;
            self.ends.push(Ending { fault: index, undo });
            self.open_ends += 1;
            self.engine.schedule(at + after, id);
        }
    }

    /// Whom the verb hit, and how to undo it.
    fn act(&mut self, verb: &Verb) -> (Vec<NodeId>, Option<Undo>) {
        match verb {
            Verb::Kill(target) => self.on_each(target, Engine::kill, Undo::Start),
            Verb::PowerOff(target) => self.on_each(target, Engine::power_off, Undo::Start),
            Verb::Stop(target) => {
                let mut hit = self.find(target);
                hit.retain(|&node| self.ask_to_stop(node));
                (hit.clone(), Some(Undo::Start(hit)))
            }
            Verb::LoseDisk(target) => self.on_each(target, lose_disk, Undo::Start),
            Verb::Freeze(target) => self.on_each(target, Engine::freeze, Undo::Thaw),
            Verb::Disconnect(target) => (self.on_each(target, Engine::disconnect, Undo::Thaw).0, None),
            Verb::Start(target) => {
                let go = |engine: &mut Engine<M>, node| engine.start(node) || engine.thaw(node);
                (self.on_each(target, go, Undo::Thaw).0, None)
            }
            Verb::SlowDisk { target, factor } => {
                let nodes = self.find(target);
                for &node in &nodes {
                    self.engine.slow_disk(node, *factor);
                }
                (nodes.clone(), Some(Undo::Speed(nodes)))
            }
            Verb::Cut { target, from, one_way } => {
                self.impose(target, from.as_ref(), !one_way, LinkEffect::Cut)
            }
            Verb::Delay { target, from, by } => {
                self.impose(target, from.as_ref(), true, LinkEffect::Delay(*by))
            }
            Verb::Drop(frames) => {
                let effect = LinkEffect::Drop(frames_of(frames.which), kind_of(frames.of));
                self.impose(&frames.target, frames.from.as_ref(), true, effect)
            }
            Verb::Duplicate(frames) => {
                let effect = LinkEffect::Duplicate(frames_of(frames.which), kind_of(frames.of));
                self.impose(&frames.target, frames.from.as_ref(), true, effect)
            }
            Verb::Thaw(target) => (self.on_each(target, Engine::thaw, Undo::Thaw).0, None),
            Verb::Heal(target) => (self.heal_links(target), None),
            Verb::TearDisk { target, of, bytes } => {
                let tear = |engine: &mut Engine<M>, node| {
                    let Some(file) = M::file(engine, node, of) else { return false };
                    engine.disk(node).len(file) > 0 && engine.tear_disk(node, file, *bytes)
                };
                (self.on_each(target, tear, Undo::Thaw).0, None)
            }
            Verb::ClockJump { target, by_ns } => {
                let nodes = self.find(target);
                for &node in &nodes {
                    self.engine.clock_jump(node, *by_ns);
                }
                (nodes, None)
            }
            Verb::Alter { kind, name, fields } => (self.alter(kind, name, fields), None),
        }
    }

    /// An administrator changes a table; it counts as the controller's doing.
    fn alter(&mut self, kind: &str, name: &str, fields: &Config) -> Vec<NodeId> {
        if !M::alter(&mut self.engine, kind, name, fields) {
            return Vec::new();
        }
        let by = M::resolve(&self.engine, "controller");
        if by.is_empty() { vec![NodeId(0)] } else { by }
    }

    fn on_each(
        &mut self,
        target: &Target,
        act: impl Fn(&mut Engine<M>, NodeId) -> bool,
        undo: impl Fn(Vec<NodeId>) -> Undo,
    ) -> (Vec<NodeId>, Option<Undo>) {
        let mut hit = self.find(target);
        hit.retain(|&node| act(&mut self.engine, node));
        (hit.clone(), Some(undo(hit)))
    }

    fn impose(
        &mut self,
        target: &Target,
        other: Option<&Target>,
        both_ways: bool,
        effect: LinkEffect,
    ) -> (Vec<NodeId>, Option<Undo>) {
        let nodes = self.find(target);
        if nodes.is_empty() {
            return (nodes, None);
        }
        let to = other.map(|other| self.find(other));
        let id = self.engine.impose(Condition { from: nodes.clone(), to, both_ways, effect });
        (nodes.clone(), Some(Undo::Lift(nodes, id)))
    }

    fn report_down(&mut self, verb: &Verb, hit: &[NodeId]) {
        let fact = match verb {
            Verb::Kill(_) | Verb::LoseDisk(_) => Fact::NodeDown { how: Down::Killed },
            Verb::PowerOff(_) => Fact::NodeDown { how: Down::PowerLost },
            Verb::Start(_) => Fact::NodeUp,
            _ => return,
        };
        for &node in hit {
            self.observe(node, fact);
        }
    }

    pub(super) fn undo(&mut self, ending: &Ending) {
        let nodes = match &ending.undo {
            Undo::Start(nodes) => {
                for &node in nodes {
                    if let Some(stopping) = self.stopping.iter_mut().find(|(stopping, _)| *stopping == node) {
                        stopping.1 = true;
                    } else if self.engine.start(node) {
                        self.observe(node, Fact::NodeUp);
                    }
                }
                nodes
            }
            Undo::Thaw(nodes) => {
                for &node in nodes {
                    self.engine.thaw(node);
                }
                nodes
            }
            Undo::Lift(nodes, id) => {
                let Some(at) = self.imposed.iter().position(|one| one.id == *id) else { return };
                self.imposed.remove(at);
                self.engine.lift(*id);
                nodes
            }
            Undo::Speed(nodes) => {
                for &node in nodes {
                    self.engine.slow_disk(node, 1);
                }
                nodes
            }
        };
        for &node in nodes {
            self.observe(node, Fact::FaultEnded { fault: ending.fault });
        }
    }

    /// What was imposed on links ends: by the fault of that name, or on the nodes that are meant.
    fn heal_links(&mut self, target: &Target) -> Vec<NodeId> {
        let is_named = |name: &str, fault: &FaultPlan| {
            let rest = fault.name.strip_prefix(name);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('#'))
        };
        let names: Vec<&str> = match target {
            Target::Name(name) => vec![name],
            Target::All(all) => all
                .iter()
                .filter_map(|one| if let Target::Name(name) = one { Some(name.as_str()) } else { None })
                .collect(),
        };
        let nodes = self.find(target);
        let faults = &self.faults;
        let is_meant = |one: &Imposed| {
            names.iter().any(|name| is_named(name, &faults[one.fault as usize]))
                || one.nodes.iter().any(|node| nodes.contains(node))
        };
        let (ended, rest) = std::mem::take(&mut self.imposed).into_iter().partition(is_meant);
        self.imposed = rest;
        let mut hit = Vec::new();
        for one in ended {
            self.engine.lift(one.id);
            for node in one.nodes {
                self.observe(node, Fact::FaultEnded { fault: one.fault });
                if !hit.contains(&node) {
                    hit.push(node);
                }
            }
        }
        hit
    }
}

fn lose_disk<M: Hosted>(engine: &mut Engine<M>, node: NodeId) -> bool {
    engine.lose_disk(node);
    true
}

fn kind_of(of: plan::Frames) -> Kind {
    match of {
        plan::Frames::All => Kind::All,
        plan::Frames::Requests => Kind::Requests,
    }
}

fn frames_of(which: Which) -> Frames {
    match which {
        Which::Rate(ppm) => Frames::Rate(ppm),
        Which::Nth(nth) => Frames::Nth(nth),
    }
}
