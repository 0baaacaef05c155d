//! `rpc = { reply_to, timeout }`: a producer that waits for a reply to each of its messages.

use super::diagnostic::Diagnostic;
use super::keys::RPC;
use super::reader::{Reader, shown};
use super::tree::Table;
use crate::scenario::plan::{Plan, Rpc};
use crate::sim::Span;

/// How long a caller waits that says nothing of it.
const TIMEOUT: Span = Span::from_secs(10);

pub(super) fn rpc(reader: &mut Reader, table: &Table, plan: &Plan) -> Option<Rpc> {
    let inner = reader.table(table, "rpc")?;
    reader.check_keys(inner, &[&RPC], &[]);
    let timeout = reader.duration(inner, "timeout").unwrap_or(TIMEOUT);
    let Some(reply_to) = reader.text(inner, "reply_to").map(str::to_owned) else {
        if let (None, Some(owner)) = (inner.get("reply_to"), table.get("rpc")) {
            reader.missing(owner, "rpc", "reply_to");
        }
        return None;
    };
    if let (Err(why), Some(entry)) = (reader.family.check_reply_to(plan, &reply_to), inner.get("reply_to")) {
        let message = format!("no reply comes to `{}`", shown(&reply_to));
        reader.report_relation(Diagnostic::at(entry.at, message, why));
    }
    Some(Rpc { reply_to, timeout })
}
