//! What RabbitMQ says about itself.

use crate::sim::Span;

/// The plugin that brings exchanges which keep messages back for a while.
pub(super) const DELAYED_PLUGIN: &str = "rabbitmq_delayed_message_exchange";

/// The type of such an exchange.
pub(super) const DELAYED_TYPE: &str = "x-delayed-message";

/// The number of a broker, from 0, by its name: `broker-1`.
pub(super) fn broker_number(name: &str) -> Option<u16> {
    name.strip_prefix("broker-")?.parse::<u16>().ok()?.checked_sub(1)
}

/// The exchange of `exchange E`; none: the address is one of queues.
pub(super) fn exchange_of(address: &str) -> Option<&str> {
    let name = address.strip_prefix("exchange ")?.trim();
    // As the management page calls the one without a name.
    Some(if name == "amq.default" { "" } else { name })
}

/// Whether an address, `Q` or `Q-*`, means the queue of that name.
pub(super) fn leads_to(address: &str, queue: &str) -> bool {
    match address.strip_suffix('*') {
        Some(beginning) => queue.starts_with(beginning),
        None => queue == address,
    }
}

/// Whether it is a field of a policy, and not a part of its definition.
pub(super) fn is_policy_field(name: &str) -> bool {
    ["vhost", "pattern", "apply-to", "priority"].contains(&name)
}

/// The age `7D`, `1h`, `30s` of a stream's `max-age`: years, months, days, hours, minutes, seconds.
pub(super) fn age(text: &str) -> Option<Span> {
    let at = text.find(|c: char| !c.is_ascii_digit())?;
    let seconds = match &text[at..] {
        "Y" => 365 * 86_400,
        "M" => 30 * 86_400,
        "D" => 86_400,
        "h" => 3_600,
        "m" => 60,
        "s" => 1,
        _ => return None,
    };
    text[..at].parse::<u64>().ok()?.checked_mul(seconds).map(Span::from_secs)
}
