//! The cluster: senders on the left, the broker's own nodes in the middle, receivers and services on the right, and
//! what is under way between them.
//!
//! ```text
//! ┌ ● checkout ── up ┐                 ┌ ● broker-1 ───────── up ┐                 ┌ ● billing/1 ─ up ┐
//! │ ○○○○ 4 in hand   ├┬────Produce 3►──┤ leads 2                 ├──Fetch►─────────┤ ■■ 2 in hand     │
//! └──────────────────┘│                │ ████████░░ 412 of 530 B │                 └──────────────────┘
//!                     │                └─────────────────────────┘
//!                     │                ✗┄✗ broker-2 ┄┄┄┄┄┄ down ┄✗
//!                     └┄┄┄┄┄◄╳► cut┄┄┄┄┆ follower                ┆
//! ```
//!
//! Where boxes do not fit, there is one line for each node and one for each link that is in trouble or in use.

mod boxes;
mod node;
mod rows;
mod unit;
mod wire;

#[cfg(test)]
mod tests;

pub(super) use node::{disk_glyphs, health};
use ratatui::layout::Rect;

use crate::broker::picture::{LinkPicture, NodePicture};
use crate::tui::out::Out;
use crate::tui::scene::Scene;
use crate::tui::theme::Role;

/// What is drawn.
struct Cluster<'a> {
    scene: &'a Scene<'a>,
    nodes: Vec<NodePicture>,
    links: Vec<LinkPicture>,
}

impl Cluster<'_> {
    /// The index of a node's picture.
    fn index(&self, node: crate::fact::NodeId) -> Option<usize> {
        let numbered = self.nodes.get(usize::from(node.0)).filter(|one| one.node == node);
        match numbered {
            Some(_) => Some(usize::from(node.0)),
            None => self.nodes.iter().position(|one| one.node == node),
        }
    }

    fn name(&self, node: crate::fact::NodeId) -> &str {
        self.index(node).map_or("", |index| &self.nodes[index].name)
    }

    fn is_selected(&self, node: &NodePicture) -> bool {
        self.scene.pick.node == node.node
    }
}

/// Draws the cluster.
pub fn draw(scene: &Scene<'_>, area: Rect, out: &mut Out) {
    let area = area.intersection(out.area());
    if area.is_empty() {
        return;
    }
    let world = &scene.instant.world;
    let cluster = Cluster { scene, nodes: world.nodes(), links: world.links() };
    if cluster.nodes.is_empty() {
        out.claim(area);
        out.fitted(area, 0, 0, scene.look.word("cluster.nothing"), scene.look, Role::Dim);
        return;
    }
    match boxes::Plan::new(&cluster, area) {
        Some(plan) => plan.draw(&cluster, out),
        None => rows::draw(&cluster, area, out),
    }
}

/// Something keeps packets from going their way.
fn is_troubled(link: &LinkPicture) -> bool {
    link.is_cut != [false; 2] || link.is_spoiled || link.held != [0; 2]
}

/// A link that is worth a line.
fn is_shown(link: &LinkPicture) -> bool {
    link.is_connected || is_troubled(link) || !link.packets.is_empty()
}
