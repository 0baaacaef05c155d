//! What real brokers refuse of a cluster, of exchanges, queues and policies; and what would mean nothing.

use super::{
    DELAYED_PLUGIN, DELAYED_TYPE, age, broker_number, brokers, clients, is_policy_field, is_predeclared,
    names,
};
use crate::broker::Finding;
use crate::broker::rabbitmq::config::millionths;
use crate::broker::rabbitmq::policy;
use crate::scenario::plan::{Config, EntityPlan, Plan, Trigger, Value, Verb, Version};

/// What is wrong with a plan that reads well.
pub(in crate::broker::rabbitmq) fn check(plan: &Plan) -> Vec<Finding> {
    let mut findings = Vec::new();
    cluster(plan, &mut findings);
    partitions(plan, &mut findings);
    for entity in &plan.entities {
        place(plan, entity, &mut findings);
        match entity.kind {
            "exchange" => exchange(plan, entity, &mut findings),
            "queue" => queue(plan, entity, &mut findings),
            "policy" => apply(plan, entity, &mut findings),
            _ => {}
        }
    }
    clients::check(plan, &mut findings);
    altered(plan, &mut findings);
    findings
}

pub(super) fn finding(path: &[&str], message: impl Into<String>, help: &str) -> Finding {
    let help = (!help.is_empty()).then(|| help.to_owned());
    Finding { path: path.iter().map(|part| (*part).to_owned()).collect(), message: message.into(), help }
}

/// The value of a field as text; empty: it is not written.
pub(super) fn text(fields: &Config, name: &str) -> String {
    fields.get(name).map(Value::shown).unwrap_or_default()
}

pub(super) fn is_on(fields: &Config, name: &str) -> bool {
    fields.get(name) == Some(&Value::Bool(true))
}

fn cluster(plan: &Plan, findings: &mut Vec<Finding>) {
    if brokers(plan) == 0 {
        findings.push(finding(&["cluster", "brokers"], "a cluster needs `brokers`", "at least 1"));
    }
    let metadata = text(&plan.cluster.fields, "metadata");
    let path = &["cluster", "metadata"];
    if metadata == "khepri" && plan.version < Version(4, 0, 0) {
        let message = format!("Khepri is not modelled before 4.0; this scenario runs {}", plan.version);
        findings.push(finding(path, message, "use `metadata = \"mnesia\"`"));
    }
    if metadata == "mnesia" && plan.version >= Version(4, 3, 0) {
        let message = format!("RabbitMQ {} knows no Mnesia; it went with 4.3", plan.version);
        findings.push(finding(path, message, "use `metadata = \"khepri\"`"));
    }
    if let Some(Value::Texts(names)) = plan.cluster.fields.get("ram") {
        if metadata == "khepri" {
            let message = "RAM nodes are Mnesia's: Khepri has none";
            findings.push(finding(&["cluster", "ram"], message, ""));
        }
        known_nodes(plan, &["cluster", "ram"], names, findings);
    }
    if let Some(Value::Texts(names)) = plan.cluster.fields.get("plugins") {
        for name in names.iter().filter(|name| *name != DELAYED_PLUGIN) {
            let message = format!("the plugin `{name}` is not modelled");
            findings.push(finding(&["cluster", "plugins"], message, &format!("`{DELAYED_PLUGIN}` is")));
        }
    }
    numbers(plan, findings);
}

/// Settings that are more than a number.
fn numbers(plan: &Plan, findings: &mut Vec<Finding>) {
    let config = &plan.cluster.config;
    let mut say = |name: &str, message: String| {
        findings.push(finding(&["cluster", "config", name], message, ""));
    };
    let credit = "credit_flow_default_credit";
    if let Some(value) = config.get(credit) {
        let parts: Vec<Option<u32>> = value.shown().split(',').map(|one| one.trim().parse().ok()).collect();
        let is_pair = matches!(parts[..], [Some(first), Some(more)] if more > 0 && first >= more);
        if !is_pair {
            say(credit, "expected two numbers such as `\"400, 200\"`, the second one not larger".to_owned());
        }
    }
    for (part, whole) in [
        ("vm_memory_high_watermark.relative", "vm_memory_high_watermark.absolute"),
        ("disk_free_limit.relative", "disk_free_limit.absolute"),
    ] {
        if config.contains_key(part) && config.contains_key(whole) {
            say(part, format!("`{part}` and `{whole}` exclude each other"));
        }
    }
    for name in ["vm_memory_high_watermark.relative", "vm_memory_high_watermark_paging_ratio"] {
        if config
            .get(name)
            .is_some_and(|value| millionths(&value.shown()).is_none_or(|part| part > 1_000_000))
        {
            say(name, format!("`{name}` is a part of the whole: at most `1.0`"));
        }
    }
    if let (Some(Value::Int(free)), Some(Value::Int(all))) =
        (config.get("disk_free_limit.absolute"), config.get("disk_size"))
        && free >= all
    {
        say("disk_free_limit.absolute", "no disk of this `disk_size` ever has so much free".to_owned());
    }
}

fn partitions(plan: &Plan, findings: &mut Vec<Finding>) {
    let config = &plan.cluster.config;
    let mode = "cluster_partition_handling";
    let chosen = text(config, mode);
    if config.contains_key(mode) && text(&plan.cluster.fields, "metadata") == "khepri" {
        let message = "partition handling strategies are Mnesia's: with Khepri a minority changes nothing";
        let help = "`metadata = \"mnesia\"` in `[cluster]`, up to 4.2";
        findings.push(finding(&["cluster", "config", mode], message, help));
    }
    let all_down = "cluster_partition_handling.pause_if_all_down.";
    for part in ["nodes", "recover"] {
        let name = format!("{all_down}{part}");
        match (config.contains_key(&name), chosen == "pause_if_all_down") {
            (true, false) => {
                let message = format!("`{name}` means nothing without `{mode} = \"pause_if_all_down\"`");
                findings.push(finding(&["cluster", "config", &name], message, ""));
            }
            (false, true) => {
                let message = format!("`pause_if_all_down` needs `{name}`");
                findings.push(finding(&["cluster", "config", mode], message, ""));
            }
            _ => {}
        }
        if let Some(Value::Texts(names)) = config.get(&name) {
            known_nodes(plan, &["cluster", "config", &name], names, findings);
        }
    }
}

fn known_nodes(plan: &Plan, path: &[&str], names: &[String], findings: &mut Vec<Finding>) {
    for name in names {
        if broker_number(name).is_none_or(|number| number >= brokers(plan)) {
            let message = format!("`{name}` is no node of this cluster");
            findings.push(finding(
                path,
                message,
                &format!("there are `broker-1` to `broker-{}`", brokers(plan)),
            ));
        }
    }
}

/// What all tables have: a vhost, and a name that is not the broker's own.
fn place(plan: &Plan, entity: &EntityPlan, findings: &mut Vec<Finding>) {
    let EntityPlan { kind, name, fields, .. } = entity;
    vhost(plan, &[kind, name], fields, findings);
    if ["queue", "exchange"].contains(kind) {
        if name.starts_with("amq.") {
            let message = format!("ACCESS_REFUSED - {kind} name '{name}' contains reserved prefix 'amq.*'");
            findings.push(finding(&[kind, name], message, "another name"));
        }
        if name.len() > 255 {
            let message = format!("the name of a {kind} has at most 255 bytes");
            findings.push(finding(&[kind, name], message, ""));
        }
    }
}

/// The vhost that a table names has to be there.
pub(super) fn vhost(plan: &Plan, path: &[&str], fields: &Config, findings: &mut Vec<Finding>) {
    let Some(named) = fields.get("vhost").map(Value::shown) else { return };
    if named != "/" && !names(plan, "vhost").any(|known| known == named) {
        let path: Vec<&str> = path.iter().copied().chain(["vhost"]).collect();
        findings.push(finding(&path, format!("there is no vhost `{named}`"), "declare it as `[vhost.NAME]`"));
    }
}

/// The vhost of a table.
pub(super) fn vhost_of(fields: &Config) -> String {
    fields.get("vhost").map_or_else(|| "/".to_owned(), Value::shown)
}

/// Whether the vhost has an exchange of that name.
pub(super) fn has_exchange(plan: &Plan, vhost: &str, name: &str) -> bool {
    let is_it =
        |one: &&EntityPlan| one.kind == "exchange" && one.name == name && vhost_of(&one.fields) == vhost;
    is_predeclared(name) || plan.entities.iter().any(|one| is_it(&one))
}

fn exchange(plan: &Plan, exchange: &EntityPlan, findings: &mut Vec<Finding>) {
    let path = |part: &'static str| ["exchange", exchange.name.as_str(), part];
    let is_delayed = text(&exchange.fields, "type") == DELAYED_TYPE;
    let plugins = text(&plan.cluster.fields, "plugins");
    if is_delayed && !plugins.contains(DELAYED_PLUGIN) {
        let message = format!("COMMAND_INVALID - unknown exchange type '{DELAYED_TYPE}'");
        let help = format!("`plugins = [\"{DELAYED_PLUGIN}\"]` in `[cluster]`");
        findings.push(finding(&path("type"), message, &help));
    }
    let inner = exchange.config.contains_key("x-delayed-type");
    if is_delayed != inner {
        let message = if is_delayed {
            "PRECONDITION_FAILED - Invalid argument, 'x-delayed-type' must be an existing exchange type"
                .to_owned()
        } else {
            format!("`x-delayed-type` means nothing without `type = \"{DELAYED_TYPE}\"`")
        };
        let help = "`arguments = { x-delayed-type = \"direct\" }`";
        let part = if is_delayed { "type" } else { "arguments" };
        findings.push(finding(&path(part), message, if is_delayed { help } else { "" }));
    }
    if is_on(&exchange.fields, "auto_delete") {
        let message = "an exchange that goes with its last binding is not modelled";
        findings.push(finding(&path("auto_delete"), message, "left out: it stays"));
    }
    bindings(plan, exchange, findings);
    exchange_is_there(plan, exchange, "arguments", "alternate-exchange", findings);
}

/// Bindings, which stand with what they lead to.
fn bindings(plan: &Plan, entity: &EntityPlan, findings: &mut Vec<Finding>) {
    let Some(Value::Tables(all)) = entity.fields.get("bind") else { return };
    let vhost = vhost_of(&entity.fields);
    for (number, binding) in all.iter().enumerate() {
        let number = number.to_string();
        let path = |part| [entity.kind, entity.name.as_str(), "bind", number.as_str(), part];
        let name = text(binding, "exchange");
        if name.is_empty() || name == "amq.default" {
            let (message, help) = if binding.contains_key("exchange") {
                let message = "ACCESS_REFUSED - operation not permitted on the default exchange";
                (message, "every queue is bound to it by its name, and no other way")
            } else {
                ("a binding needs an `exchange`", "`bind = [{ exchange = \"E\", routing_key = \"k\" }]`")
            };
            findings.push(finding(&path("exchange"), message, help));
            continue;
        }
        if !has_exchange(plan, &vhost, &name) {
            let message = format!("NOT_FOUND - no exchange '{name}' in vhost '{vhost}'");
            findings.push(finding(&path("exchange"), message, "declare it as `[exchange.NAME]`"));
            continue;
        }
        let of = plan.entities.iter().find(|one| one.kind == "exchange" && one.name == name);
        let kind = of.map_or_else(
            || name.clone(),
            |one| text(&one.fields, "type").replace(DELAYED_TYPE, &text(&one.config, "x-delayed-type")),
        );
        let is_by_headers = kind.contains("headers") || kind == "amq.match";
        let Some(Value::Table(arguments)) = binding.get("arguments") else { continue };
        if !is_by_headers {
            let message = format!("`arguments` of a binding mean nothing to `{name}`");
            findings.push(finding(&path("arguments"), message, "headers exchanges compare them"));
        } else if let Some(value) = arguments.get("x-match") {
            let value = value.shown();
            let with_x = ["all-with-x", "any-with-x"].contains(&value.as_str());
            if !with_x && !["all", "any"].contains(&value.as_str()) {
                let message = format!("PRECONDITION_FAILED - Invalid x-match field value '{value}'");
                findings.push(finding(
                    &path("arguments"),
                    message,
                    "`all`, `any`, `all-with-x` or `any-with-x`",
                ));
            } else if with_x && plan.version < Version(3, 10, 0) {
                let message = format!("`x-match = \"{value}\"` exists since 3.10");
                findings.push(finding(&path("arguments"), message, ""));
            }
        }
    }
}

/// What a queue has to be made of, by type: the argument, and whose it is.
const BY_TYPE: &[(&str, &[&str])] = &[
    ("message-ttl", &["classic", "quorum"]),
    ("expires", &["classic", "quorum"]),
    ("max-length", &["classic", "quorum"]),
    ("overflow", &["classic", "quorum"]),
    ("dead-letter-exchange", &["classic", "quorum"]),
    ("dead-letter-routing-key", &["classic", "quorum"]),
    ("dead-letter-strategy", &["quorum"]),
    ("max-priority", &["classic"]),
    ("single-active-consumer", &["classic", "quorum"]),
    ("delivery-limit", &["quorum"]),
    ("quorum-initial-group-size", &["quorum"]),
    ("initial-cluster-size", &["stream"]),
    ("queue-mode", &["classic"]),
    ("queue-version", &["classic"]),
    ("queue-master-locator", &["classic"]),
    ("consumer-timeout", &["classic", "quorum"]),
    ("consumer-disconnected-timeout", &["quorum"]),
    ("delayed-retry-min", &["quorum"]),
    ("delayed-retry-max", &["quorum"]),
    ("max-age", &["stream"]),
    ("stream-max-segment-size-bytes", &["stream"]),
];

/// The type of a queue.
pub(super) fn type_of(queue: &EntityPlan) -> String {
    queue.config.get("x-queue-type").map_or_else(|| "classic".to_owned(), Value::shown)
}

/// Why a queue of this type has no such argument; none: it has.
pub(in crate::broker::rabbitmq) fn refuses(queue: &EntityPlan, argument: &str) -> Option<String> {
    let kind = type_of(queue);
    let (_, kinds) = BY_TYPE.iter().find(|(name, _)| argument.strip_prefix("x-") == Some(*name))?;
    let is_refused = queue.kind == "queue" && !kinds.contains(&kind.as_str());
    is_refused.then(|| not_of(&kind, argument, kinds))
}

fn not_of(kind: &str, argument: &str, kinds: &[&str]) -> String {
    format!("a {kind} queue has no `{argument}`: only {} queues do", kinds.join(" and "))
}

fn queue(plan: &Plan, queue: &EntityPlan, findings: &mut Vec<Finding>) {
    let name = queue.name.as_str();
    let (vhost, kind) = (vhost_of(&queue.fields), type_of(queue));
    let mut refuse = |part: &str, message: String, help: &str| {
        findings.push(finding(&["queue", name, part], message, help));
    };
    if kind != "classic" {
        if queue.fields.get("durable") == Some(&Value::Bool(false)) {
            let message = format!(
                "PRECONDITION_FAILED - invalid property 'non-durable' for queue '{name}' in vhost '{vhost}'"
            );
            refuse("durable", message, &format!("a {kind} queue is always durable"));
        }
        for (field, property) in [("exclusive", "exclusive-owner"), ("auto_delete", "auto-delete")] {
            if is_on(&queue.fields, field) {
                let message = format!(
                    "PRECONDITION_FAILED - invalid property '{property}' for queue '{name}' in vhost \
                     '{vhost}'"
                );
                refuse(field, message, &format!("a {kind} queue is shared and stays"));
            }
        }
    }
    if let Some(node) = queue.fields.get("on").map(Value::shown)
        && broker_number(&node).is_none_or(|number| number >= brokers(plan))
    {
        refuse("on", format!("`{node}` is no node of this cluster"), "such as `broker-1`");
    }
    if let Some(at) = queue.fields.get("declared_at").map(Value::shown) {
        if let Err(expected) = crate::scenario::duration(&at) {
            refuse("declared_at", expected, "a time of the run, such as `1s`");
        }
        if queue.fields.contains_key("declared") || is_on(&queue.fields, "exclusive") {
            let help = "an administrator declares it then, for everybody";
            refuse("declared_at", "either `declared_at`, or `declared` or `exclusive`".to_owned(), help);
        }
    }
    arguments(plan, queue, &kind, findings);
    bindings(plan, queue, findings);
    exchange_is_there(plan, queue, "arguments", "x-dead-letter-exchange", findings);
}

fn arguments(plan: &Plan, queue: &EntityPlan, kind: &str, findings: &mut Vec<Finding>) {
    let config = &queue.config;
    let vhost = vhost_of(&queue.fields);
    let name = queue.name.as_str();
    let invalid = |argument: &str| {
        format!("PRECONDITION_FAILED - invalid arg '{argument}' for queue '{name}' in vhost '{vhost}'")
    };
    let mut refuse = |argument: &str, message: String, help: &str| {
        findings.push(finding(&["queue", name, "arguments", argument], message, help));
    };
    for (argument, kinds) in BY_TYPE {
        let argument = format!("x-{argument}");
        if config.contains_key(&argument) && !kinds.contains(&kind) {
            refuse(&argument, invalid(&argument), &not_of(kind, &argument, kinds));
        }
    }
    let written = |argument: &str| config.get(argument).map(Value::shown);
    if kind == "stream" && plan.version < Version(3, 9, 0) {
        refuse("x-queue-type", invalid("x-queue-type"), "streams exist since 3.9");
    }
    if kind == "quorum" && config.contains_key("x-message-ttl") && plan.version < Version(3, 10, 0) {
        refuse("x-message-ttl", invalid("x-message-ttl"), "quorum queues know it since 3.10");
    }
    if kind == "quorum" && written("x-overflow").as_deref() == Some("reject-publish-dlx") {
        refuse("x-overflow", invalid("x-overflow"), "quorum queues know `drop-head` and `reject-publish`");
    }
    if config.contains_key("x-dead-letter-routing-key") && !config.contains_key("x-dead-letter-exchange") {
        let message = format!("{}: routing_key_but_no_dlx_defined", invalid("x-dead-letter-routing-key"));
        refuse("x-dead-letter-routing-key", message, "`x-dead-letter-exchange` is missing");
    }
    if config.contains_key("x-queue-mode") && plan.version >= Version(3, 12, 0) {
        let message =
            "RabbitMQ ignores `x-queue-mode` since 3.12: every classic queue keeps little in memory";
        refuse("x-queue-mode", message.to_owned(), "leave it out");
    }
    if written("x-queue-version").as_deref() == Some("1") && plan.version >= Version(4, 0, 0) {
        let message = "RabbitMQ ignores `x-queue-version = 1` since 4.0: there is only version 2";
        refuse("x-queue-version", message.to_owned(), "leave it out");
    }
    if written("x-max-age").is_some_and(|text| age(&text).is_none()) {
        refuse("x-max-age", invalid("x-max-age"), "a number and one of `Y`, `M`, `D`, `h`, `m`, `s`: `7D`");
    }
    if config.contains_key("x-delayed-retry-max") && !config.contains_key("x-delayed-retry-min") {
        let message = "`x-delayed-retry-max` means nothing without `x-delayed-retry-min`";
        refuse("x-delayed-retry-max", message.to_owned(), "");
    }
    if config.contains_key("x-consumer-timeout") && kind == "classic" && plan.version >= Version(4, 3, 0) {
        let message = "from 4.3 on only quorum queues watch how long their consumers take";
        refuse("x-consumer-timeout", message.to_owned(), "");
    }
}

/// The exchange that an argument or a policy names. The broker takes any name; here it is a name of the file's.
fn exchange_is_there(
    plan: &Plan,
    entity: &EntityPlan,
    table: &str,
    setting: &str,
    findings: &mut Vec<Finding>,
) {
    let Some(name) = entity.config.get(setting).map(Value::shown) else { return };
    if !has_exchange(plan, &vhost_of(&entity.fields), &name) {
        let message = format!("there is no exchange `{name}` in this vhost");
        let help = format!("one that nobody declared: `[exchange.{name}] declared = false`");
        findings.push(finding(&[entity.kind, &entity.name, table, setting], message, &help));
    }
}

fn apply(plan: &Plan, policy: &EntityPlan, findings: &mut Vec<Finding>) {
    let (name, definition) = (policy.name.as_str(), &policy.config);
    let pattern = policy.fields.get("pattern").map(Value::shown);
    match pattern.as_deref().map(policy::pattern) {
        None => {
            findings.push(finding(&["policy", name], "a policy needs a `pattern`", "such as `\"^orders\"`"));
        }
        Some(Err(why)) => {
            let message = format!("no regular expression: {}", why.lines().last().unwrap_or_default());
            findings.push(finding(&["policy", name, "pattern"], message, ""));
        }
        Some(Ok(pattern)) => {
            let vhost = vhost_of(&policy.fields);
            let mut targets = plan
                .entities
                .iter()
                .filter(|one| ["queue", "exchange"].contains(&one.kind) && vhost_of(&one.fields) == vhost);
            if !targets.any(|one| pattern.is_match(&one.name)) {
                let message = "this policy applies to nothing: the pattern matches no queue and no exchange";
                findings.push(finding(&["policy", name, "pattern"], message, ""));
            }
        }
    }
    if definition.is_empty() {
        findings.push(finding(&["policy", name], "this policy says nothing", "its `definition` is empty"));
    }
    let to = text(&policy.fields, "apply-to");
    if ["classic_queues", "quorum_queues", "streams"].contains(&to.as_str())
        && plan.version < Version(3, 12, 0)
    {
        let message = format!("`apply-to = \"{to}\"` exists since 3.12");
        findings.push(finding(&["policy", name, "apply-to"], message, "`queues`"));
    }
    mirrors(plan, policy, findings);
    exchange_is_there(plan, policy, "definition", "dead-letter-exchange", findings);
    exchange_is_there(plan, policy, "definition", "alternate-exchange", findings);
    if definition.contains_key("queue-mode") && plan.version >= Version(3, 12, 0) {
        let message = "RabbitMQ ignores `queue-mode` since 3.12";
        findings.push(finding(&["policy", name, "definition", "queue-mode"], message, "leave it out"));
    }
    if definition.get("max-age").is_some_and(|value| age(&value.shown()).is_none()) {
        let message = "expected a number and one of `Y`, `M`, `D`, `h`, `m`, `s`: `7D`";
        findings.push(finding(&["policy", name, "definition", "max-age"], message, ""));
    }
}

fn mirrors(plan: &Plan, policy: &EntityPlan, findings: &mut Vec<Finding>) {
    let definition = &policy.config;
    let path = |key: &'static str| ["policy", policy.name.as_str(), "definition", key];
    let parts = [
        "ha-params",
        "ha-sync-mode",
        "ha-sync-batch-size",
        "ha-promote-on-shutdown",
        "ha-promote-on-failure",
    ];
    let mode = text(definition, "ha-mode");
    if mode.is_empty() {
        for part in parts.into_iter().filter(|part| definition.contains_key(*part)) {
            let message = format!("`{part}` means nothing without `ha-mode`");
            findings.push(finding(&path(part), message, ""));
        }
        return;
    }
    match (mode.as_str(), definition.get("ha-params")) {
        ("all", None) | ("exactly", Some(Value::Int(_))) => {}
        ("nodes", Some(Value::Texts(names))) => known_nodes(plan, &path("ha-params"), names, findings),
        ("all", Some(_)) => {
            findings.push(finding(&path("ha-params"), "`ha-mode = \"all\"` takes no `ha-params`", ""));
        }
        ("exactly", _) => {
            let message = "`ha-mode = \"exactly\"` needs a number in `ha-params`";
            findings.push(finding(&path("ha-mode"), message, "`ha-params = 2`"));
        }
        _ => {
            let message = "`ha-mode = \"nodes\"` needs a list in `ha-params`";
            findings.push(finding(&path("ha-mode"), message, "`ha-params = [\"broker-1\", \"broker-2\"]`"));
        }
    }
}

/// What cannot be changed while it runs: all but policies.
fn altered(plan: &Plan, findings: &mut Vec<Finding>) {
    for fault in &plan.faults {
        let Verb::Alter { kind, name, fields } = &fault.verb else { continue };
        let table = if fault.trigger == Trigger::Step { "step" } else { "fault" };
        if *kind != "policy" {
            let message = format!("a {kind} cannot be changed: PRECONDITION_FAILED - inequivalent arg");
            let help = "a policy can: `alter = \"policy NAME\", to = { definition = { … } }`";
            findings.push(finding(&[table, &fault.name, "alter"], message, help));
        }
        if *kind == "policy" {
            unchangeable(plan, &[table, &fault.name, "to"], (name, fields), findings);
        }
        if let Some(Err(why)) = fields.get("pattern").map(|text| policy::pattern(&text.shown())) {
            let message = format!("no regular expression: {}", why.lines().last().unwrap_or_default());
            findings.push(finding(&[table, &fault.name, "to", "pattern"], message, ""));
        }
        for name in ["dead-letter-exchange", "alternate-exchange"] {
            let named = fields.get(name).map(Value::shown);
            if let Some(exchange) = named.filter(|exchange| !has_exchange(plan, "/", exchange))
                && !names(plan, "exchange").any(|known| known == exchange)
            {
                let message = format!("there is no exchange `{exchange}`");
                findings.push(finding(&[table, &fault.name, "to", "definition", name], message, ""));
            }
        }
    }
}

/// What a change of a policy cannot reach while it runs: how a queue is stored, and mirrors that it has already.
fn unchangeable(plan: &Plan, path: &[&str], (name, fields): (&str, &Config), findings: &mut Vec<Finding>) {
    let policy = plan.entities.iter().find(|one| one.kind == "policy" && one.name == name);
    let before = |key: &str| policy.and_then(|policy| policy.config.get(key));
    let is_fixed = |key: &str| key.starts_with("queue-") || key == "stream-max-segment-size-bytes";
    let is_mirroring = |key: &str| key == "ha-mode" || key == "ha-params";
    let holds_fixed =
        policy.is_some_and(|policy| policy.config.keys().any(|key| is_fixed(key) || is_mirroring(key)));
    let adds_mirrors = |key: &str, value: &Value| match (key, value, before(key)) {
        ("ha-mode", Value::Text(mode), _) if mode == "all" => true,
        (_, Value::Int(more), Some(Value::Int(less))) => more >= less,
        (_, _, None) => before("ha-mode").is_none(),
        _ => false,
    };
    for (field, value) in fields {
        let is_of_policy = is_policy_field(field);
        let why = match field.as_str() {
            "vhost" => "a policy stays in its vhost",
            key if is_fixed(key) => "how a queue is stored does not change while it runs: not modelled",
            key if is_mirroring(key) && !adds_mirrors(key, value) => {
                "mirrors can be added while it runs; that one is taken away is not modelled"
            }
            _ if is_of_policy && holds_fixed => {
                "this policy says who mirrors a queue, or how it is stored: what it applies to does not \
                 change"
            }
            _ => continue,
        };
        let inside = if is_of_policy { None } else { Some("definition") };
        let path: Vec<&str> = path.iter().copied().chain(inside).chain([field.as_str()]).collect();
        findings.push(finding(&path, why, ""));
    }
}
