//! W1: 64 nodes pass 64 tokens around. Whoever gets one draws the next node and sends it on; a link takes 1 ms on
//! average. It measures what a world costs that does nothing of its own: agenda, network, dispatch, fingerprint.

use mqlab::sim::draw::{self, Bits, Purpose};
use mqlab::sim::{ConnId, Ctx, Dist, Engine, Input, LinkConfig, Loss, Model, NodeId, Span, Step, Time};

/// How many nodes there are, and how many tokens.
pub(crate) const NODES: u16 = 64;
/// The links' mean latency.
pub(crate) const LATENCY: Span = Span::from_millis(1);

/// The nodes: each knows its connections to all others and has a stream of its own.
#[derive(Clone)]
pub(crate) struct PingPong {
    conns: Vec<Option<ConnId>>,
    choices: Vec<Bits>,
}

impl PingPong {
    /// The world with every connection made and one token at each node.
    pub(crate) fn world(seed: u64) -> Engine<Self> {
        let model = Self {
            conns: vec![None; usize::from(NODES) * usize::from(NODES)],
            choices: (0..u64::from(NODES)).map(|node| draw::stream(seed, Purpose::Test, node, 0)).collect(),
        };
        let latency = Dist::Exponential(LATENCY);
        let link = LinkConfig { latency, bandwidth: None };
        let mut world = Engine::new(model, seed, NODES, link, Dist::Constant(Span::ZERO));
        world.start_all();
        while world.step(Time::NEVER) == Step::Done {}
        for token in 0..NODES {
            world.act(NodeId(token), |model, ctx| model.pass_on(u32::from(token), ctx));
        }
        world
    }

    #[inline]
    fn pass_on(&mut self, token: u32, ctx: &mut Ctx<'_, Self>) {
        let me = ctx.node().0;
        let random = draw::next(&mut self.choices[usize::from(me)]);
        let other = (u64::from(me) + 1 + draw::below(random, u64::from(NODES) - 1)) % u64::from(NODES);
        if let Some(conn) = self.conns[usize::from(me) * usize::from(NODES) + other as usize] {
            ctx.send(conn, token, 100);
        }
    }

    fn know(&mut self, conn: ConnId, ctx: &mut Ctx<'_, Self>) {
        if let Some(peer) = ctx.peer(conn) {
            self.conns[usize::from(ctx.node().0 * NODES + peer.0)] = Some(conn);
        }
    }
}

impl Model for PingPong {
    type Packet = u32;
    type Timer = ();
    type Fact = ();

    #[inline]
    fn handle(&mut self, node: NodeId, input: Input<u32, ()>, ctx: &mut Ctx<'_, Self>) {
        match input {
            Input::Packet(_, token) => self.pass_on(token, ctx),
            Input::Accepted(conn) | Input::Connected(conn) => self.know(conn, ctx),
            Input::Start => {
                for peer in node.0 + 1..NODES {
                    ctx.connect(NodeId(peer));
                }
            }
            Input::Stop | Input::Closed(_) | Input::Writable(_) | Input::Timer(()) | Input::Synced { .. } => {
            }
        }
    }

    fn storage_lost(&mut self, _: NodeId, _: Loss, _: &mut Ctx<'_, Self>) {}

    #[inline]
    fn packet_id(token: &u32) -> u64 {
        u64::from(*token)
    }

    fn timer_id((): &()) -> u64 {
        0
    }
}

/// Dispatches this many events.
pub(crate) fn run(world: &mut Engine<PingPong>, events: u64) {
    for _ in 0..events {
        if world.step(Time::NEVER) != Step::Done {
            break;
        }
    }
}
