//! The engine's promises as short stories. Node 0 most often plays the client and node 1 the server, but to the engine
//! all nodes are alike: what is shown for one holds for brokers and for clients.

use super::*;

mod connections;
mod determinism;
mod links;
mod look;
mod processes;
mod reading;

const CLIENT: NodeId = NodeId(0);
const SERVER: NodeId = NodeId(1);
const OTHER: NodeId = NodeId(2);
const LOG: FileId = FileId(0);

/// What a node was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Heard {
    Start,
    Stop,
    Accepted,
    Connected,
    Closed,
    Packet(u32),
    Writable,
    Timer(u32),
    Synced(u64),
    Lost(Loss),
}

use Heard::{Accepted, Closed, Connected, Lost, Packet, Start, Stop, Synced, Timer, Writable};

/// Nodes that write down what they are given, answer packets below 1,000, and do nothing else by themselves.
#[derive(Clone)]
struct Toy {
    heard: Vec<Vec<(Time, Heard)>>,
    accepted: Option<ConnId>,
    is_echo: bool,
    cancel_on_packet: Option<Ticket>,
    /// It stops to read when this packet comes.
    pause_on: Option<u32>,
}

impl Model for Toy {
    type Packet = u32;
    type Timer = u32;
    type Fact = u32;

    fn handle(&mut self, node: NodeId, input: Input<u32, u32>, ctx: &mut Ctx<'_, Self>) {
        let heard = match input {
            Input::Start => Start,
            Input::Stop => Stop,
            Input::Accepted(conn) => {
                self.accepted = Some(conn);
                Accepted
            }
            Input::Connected(_) => Connected,
            Input::Closed(_) => Closed,
            Input::Packet(conn, number) => {
                if self.is_echo && number < 1_000 {
                    ctx.send(conn, number + 1_000, 100);
                }
                if let Some(ticket) = self.cancel_on_packet.take() {
                    ctx.cancel(ticket);
                }
                if self.pause_on == Some(number) {
                    ctx.pause_reading(conn);
                }
                Packet(number)
            }
            Input::Writable(_) => Writable,
            Input::Timer(number) => Timer(number),
            Input::Synced { mark, .. } => Synced(mark),
        };
        if ctx.has_details() {
            ctx.observe(0);
        }
        self.heard[usize::from(node.0)].push((ctx.now(), heard));
        if heard == Stop {
            ctx.exit();
        }
    }

    fn storage_lost(&mut self, node: NodeId, loss: Loss, ctx: &mut Ctx<'_, Self>) {
        self.heard[usize::from(node.0)].push((ctx.now(), Lost(loss)));
    }

    fn packet_id(packet: &u32) -> u64 {
        u64::from(*packet)
    }

    fn timer_id(timer: &u32) -> u64 {
        u64::from(*timer)
    }
}

#[derive(Clone)]
struct Lab(Engine<Toy>);

impl Lab {
    /// Three nodes; links take 1 ms, a flush takes 2 ms.
    fn new() -> Self {
        Self::with_latency(Dist::Constant(Span::from_millis(1)), 1)
    }

    fn with_latency(latency: Dist, seed: u64) -> Self {
        let heard = vec![Vec::new(); 3];
        let toy = Toy { heard, accepted: None, is_echo: false, cancel_on_packet: None, pause_on: None };
        let link = LinkConfig { latency, bandwidth: None };
        Self(Engine::new(toy, seed, 3, link, Dist::Constant(Span::from_millis(2))))
    }

    /// A world in which the client has been connected to the server since 2 ms.
    fn connected() -> (Self, ConnId) {
        let mut lab = Self::new();
        let conn = lab.connect(CLIENT, SERVER);
        lab.until(10);
        assert_eq!((lab.heard(CLIENT), lab.heard(SERVER)), (vec![Connected], vec![Accepted]));
        (lab, conn)
    }

    fn connect(&mut self, from: NodeId, to: NodeId) -> ConnId {
        self.0.act(from, |_, ctx| ctx.connect(to))
    }

    fn send(&mut self, from: NodeId, conn: ConnId, numbers: impl IntoIterator<Item = u32>) {
        self.0.act(from, |_, ctx| numbers.into_iter().for_each(|number| ctx.send(conn, number, 100)));
    }

    fn write_and_sync(&mut self, node: NodeId, len: u64) {
        self.0.act(node, |_, ctx| {
            ctx.write(LOG, len);
            ctx.sync(LOG);
        });
    }

    /// Lets everything happen up to this many milliseconds after the beginning.
    fn until(&mut self, ms: u64) {
        let until = Time::ZERO + Span::from_millis(ms);
        while self.0.step(until) != Step::Idle {}
        self.0.rest_until(until);
    }

    fn cut(&mut self, from: NodeId, both_ways: bool) -> ConditionId {
        self.0.impose(Condition { from: vec![from], to: None, both_ways, effect: LinkEffect::Cut })
    }

    fn spoil(&mut self, effect: LinkEffect) -> ConditionId {
        self.0.impose(Condition { from: vec![CLIENT], to: Some(vec![SERVER]), both_ways: false, effect })
    }

    /// What the node has heard since it was last asked.
    fn heard(&mut self, node: NodeId) -> Vec<Heard> {
        self.heard_at(node).into_iter().map(|(_, heard)| heard).collect()
    }

    /// The same with the milliseconds at which it came.
    fn heard_at(&mut self, node: NodeId) -> Vec<(u64, Heard)> {
        let heard = std::mem::take(&mut self.0.model.heard[usize::from(node.0)]);
        heard.into_iter().map(|(at, heard)| (at.0 / 1_000_000, heard)).collect()
    }
}

fn packets(numbers: impl IntoIterator<Item = u32>) -> Vec<Heard> {
    numbers.into_iter().map(Packet).collect()
}
