//! The reference page of the scenario language, from the tables that the parser reads.

use super::paint::put;
use crate::broker::{FAMILIES, Family, Field, Kind};
use crate::scenario::keys::{self, Keys, MOMENTS};
use crate::scenario::measure::{MEASURES, Of, Unit};
use crate::scenario::shape::{Form, Shape};

const TOP: &str = "\
# The scenario language

This page is generated from the tables that the parser reads; `MQLAB_REWRITE=1 cargo test --test
language` writes it anew. `README.md` shows a complete file. Editors that know JSON Schema read
`assets/scenario.schema.json` (`mqlab schema`), which every scenario names in its first line.

";

/// What no table of keys says.
const NAMES: &str = "\
## Names

- **Nodes and clients**: `broker-1`, …; `billing` is all processes of a client, `billing/2` one of them. Sets:
  `brokers`, `clients`, `producers`, `consumers`, or a list. `each of brokers` takes the next one each time a
  fault with `every` and `times` starts. Roles, such as `leader of orders/0`, are looked up when the fault
  starts. `as = \"old leader\"` names the node that was hit, for targets after it.
- **Messages**: `checkout#17`, or `17` when there is one producer; `checkout#long` if it was given a name.
- **Copies**: `[topic.load] copies = 100` makes `load-1` to `load-100`; `send_to = \"load-*\"` leads to all.
- **Variants and `--set`** are laid over the file: tables key by key, values and lists whole.
  `fault.NAME = false` and `step.NAME = false` take a table away; a producer's `rate` displaces its `phases`,
  and the other way round. Without `--variant` the first variant runs.

## Comparisons

What stands on the right side of a claim, or of a state that is waited for:

- a number, a name, `true` or `false`;
- `\">= 1\"`, `\"> 1\"`, `\"<= 1\"`, `\"< 1\"`, `\"!= 1\"`, or a range: `\"3..=5\"`, `\"3..5\"`, `\"..5\"`;
- with `%`: of the messages that could be meant; with a unit of time: `\"< 50ms\"`;
- another path, also of another variant: `\"> 10 * variant.kill.lost\"`.

A comparison that is true of every value is an error.

";

/// The page, as it stands in `docs/language.md`.
pub fn page() -> String {
    let mut out = TOP.to_owned();
    forms(&mut out);
    out.push_str(NAMES);
    for (header, keys, more) in sections() {
        put!(out, "## {header}\n\n{more}");
        table(&mut out, keys);
    }
    for family in FAMILIES {
        of_family(&mut out, *family);
    }
    moments(&mut out);
    measures(&mut out);
    out.truncate(out.trim_end().len());
    out + "\n"
}

/// Header, keys, and a word on them.
fn sections() -> Vec<(&'static str, &'static Keys, &'static str)> {
    vec![
        (
            "The file",
            &keys::FILE,
            "A variant may hold the same, but for what describes the file as a whole.\n\n",
        ),
        ("`[text.LANGUAGE]`", &keys::TEXT, ""),
        ("`[cluster]`", &keys::CLUSTER, "The family adds its own, below.\n\n"),
        ("`[producer.NAME]`", &keys::PRODUCER, ""),
        ("`phases = [{ … }]`", &keys::PHASE, ""),
        (
            "`message = [{ … }]`",
            &keys::MESSAGE,
            "Each table is one message, or `repeat` alike. `checkout#17` is a message by its number, \
             `checkout#long` by its\nname; without the producer when there is one.\n\n",
        ),
        ("`rpc = { … }`", &keys::RPC, ""),
        ("`[consumer.NAME]`", &keys::CONSUMER, ""),
        ("`if_fails = { … }`", &keys::IF_FAILS, ""),
        ("`[service.NAME]`", &keys::SERVICE, ""),
        ("`[network]`", &keys::NETWORK, ""),
        ("`[disk]`", &keys::DISK, ""),
        ("`[fault.NAME]`: when it starts", &keys::OCCASION, "Besides `at`.\n\n"),
        (
            "`[fault.NAME]` and `[[step]]`: verbs",
            &keys::VERBS,
            "A fault has exactly one, a step at most one. Its value names whom it hits.\n\n",
        ),
        ("`[fault.NAME]` and `[[step]]`: what goes with a verb", &keys::FAULT, ""),
        (
            "`[[step]]`",
            &keys::STEP,
            "A step begins when the one above is done. It waits as it says, then acts.\n\n",
        ),
        ("`when = { … }` and `wait_until = { … }`", &keys::WHEN, ""),
        ("`decisive = { … }`", &keys::DECISIVE, ""),
    ]
}

fn forms(out: &mut String) {
    put!(out, "## Values\n\n| form | written |\n|---|---|\n");
    for form in Form::ALL {
        put!(out, "| {} | {} |\n", form_name(*form), form.examples());
    }
    put!(out, "| size | `100 B`, `1 KiB`, `1 MB`, or a whole number of bytes |\n\n");
}

fn table(out: &mut String, keys: &Keys) {
    put!(out, "| key | value | meaning |\n|---|---|---|\n");
    for key in keys.keys {
        put!(out, "| `{}` | {} | {} |\n", key.name, shape(key.shape), cell(key.meaning));
    }
    out.push('\n');
}

fn of_family(out: &mut String, family: &dyn Family) {
    let name = family.name();
    let (oldest, newest) = (family.oldest(), family.newest());
    put!(out, "## `family = \"{name}\"`\n\nReleases {oldest} to {newest}. Client libraries: ");
    let clients: Vec<String> = family.clients().iter().map(|client| format!("`{client}`")).collect();
    put!(out, "{}. `mqlab list settings {name}` lists every setting.\n\n", clients.join(", "));
    put!(out, "| where | key | value | meaning |\n|---|---|---|---|\n");
    for role in family.roles() {
        let max = role.count_max;
        put!(out, "| `[cluster]` | `{}` | 0 to {max} | How many: `{}-1`, …. |\n", role.plural, role.singular);
    }
    let field = |out: &mut String, table: &str, field: &Field| {
        put!(out, "| `{table}` | `{}` | {} | {} |\n", field.name, kind(field.kind), cell(field.meaning));
    };
    for one in family.cluster_fields() {
        field(out, "[cluster]", one);
    }
    for one in family.producer_fields() {
        field(out, "[producer.NAME]", one);
    }
    for one in family.consumer_fields() {
        field(out, "[consumer.NAME]", one);
    }
    for entity in family.entities() {
        let table = format!("[{}.NAME]", entity.table);
        for key in keys::ENTITY.keys {
            put!(out, "| `{table}` | `{}` | {} | {} |\n", key.name, shape(key.shape), cell(key.meaning));
        }
        for one in entity.fields {
            field(out, &table, one);
        }
        if !entity.settings.is_empty() {
            let (name, meaning) = (entity.settings, keys::SETTINGS_MEANING);
            put!(out, "| `{table}` | `{name}` | settings | {meaning} |\n");
        }
    }
    if !family.paths().is_empty() {
        put!(out, "\n| target or state | what it is |\n|---|---|\n");
        for (written, meaning) in family.paths() {
            put!(out, "| {written} | {meaning} |\n");
        }
    }
    out.push('\n');
}

fn moments(out: &mut String) {
    put!(out, "## Moments\n\nWhat `when = {{ observed = … }}` waits for.\n\n| moment | when |\n|---|---|\n");
    for (name, meaning) in MOMENTS {
        put!(out, "| `{name}` | {meaning} |\n");
    }
    out.push('\n');
}

fn measures(out: &mut String) {
    put!(out, "## Measures\n\nWhat `[expect]` compares, besides state paths and `fault.NAME.fired`.\n\n");
    put!(
        out,
        "- `\"checkout#17\".fate = \"lost\"`: what became of one message; with several consumers, at \
         one of them: \
         `billing.\"checkout#17\".fate`.\n\
         - `billing.order = \"6..=10 3R\"`: every delivery to a consumer in its order; `R` marks a message \
         that it had\n  been handed before. With several producers each piece names its own: \
         `checkout#6..=10`.\n\
         - `over_seeds = {{ seeds = 200, \"lost > 0\" = \"40%..=60%\" }}`: in which share of so many runs, \
         with this seed and\n  those after it, a comparison holds. `check` makes the runs; what came of them \
         stands in the report of the\n  first seed.\n\n"
    );
    put!(out, "| measure | of | in | meaning |\n|---|---|---|---|\n");
    for measure in MEASURES {
        let of = match measure.of {
            Of::Subscription => "a subscription",
            Of::Producer => "a producer",
            Of::Run => "the run",
        };
        let unit = match measure.unit {
            Unit::Share => "messages, percent",
            Unit::Count => "a number, percent",
            Unit::Time => "time",
            Unit::Rate => "a second",
        };
        put!(out, "| `{}` | {of} | {unit} | {} |\n", measure.name, cell(measure.meaning));
    }
    out.push('\n');
}

fn shape(shape: Shape) -> String {
    let listed = |words: &[&str]| words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
    match shape {
        Shape::Any => "see its meaning".to_owned(),
        Shape::Flag => "`true` or `false`".to_owned(),
        Shape::True => "`true`".to_owned(),
        Shape::FlagOrTexts => "`true`; or a string or a list of them".to_owned(),
        Shape::Steps(_) => "a list of tables; in a variant, tables by name".to_owned(),
        Shape::Int(min, i64::MAX) => format!("a whole number from {min}"),
        Shape::Int(min, max) => format!("{min} to {max}"),
        Shape::Text => "a string".to_owned(),
        Shape::Texts => "a string or a list of them".to_owned(),
        Shape::Words(words) => listed(words),
        Shape::Moment => "a moment, below".to_owned(),
        Shape::Form(form) => form_name(form).to_owned(),
        Shape::FormOrTexts(form) => format!("{}; or a string or a list of them", form_name(form)),
        Shape::Size => "size".to_owned(),
        Shape::Table(keys) | Shape::Cluster(keys) => format!("a table: {}", listed(&names(keys))),
        Shape::Named(_) | Shape::Variants => "tables by name".to_owned(),
        Shape::Tables(_) => "a list of tables".to_owned(),
        Shape::Config => "settings".to_owned(),
        Shape::Entity(_) => "a table: what the family declares, and its settings".to_owned(),
        Shape::Family => listed(&FAMILIES.iter().map(|family| family.name()).collect::<Vec<_>>()),
        Shape::Client => "a client library of the family".to_owned(),
        Shape::Claims => "claims by path: `lost = 0`, `billing.lost = \">= 1\"`".to_owned(),
    }
}

fn names(keys: &Keys) -> Vec<&'static str> {
    keys.names().collect()
}

fn form_name(form: Form) -> &'static str {
    match form {
        Form::Time => "time",
        Form::Times => "time or distribution",
        Form::Rate => "rate",
        Form::Bandwidth => "bandwidth",
        Form::Share => "share",
        Form::Release => "release",
    }
}

fn kind(kind: Kind) -> String {
    match kind {
        Kind::Bool => "`true` or `false`".to_owned(),
        Kind::Int(min, max) => format!("{min} to {max}"),
        Kind::OneOf(words) => words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", "),
        Kind::Text => "a string".to_owned(),
        Kind::Digits(min, max) => format!("{min} to {max}, also as a string"),
        Kind::Bytes => "size".to_owned(),
        Kind::Part => "a number such as `0.4`".to_owned(),
        Kind::Texts => "a string or a list of them".to_owned(),
        Kind::CountOrTexts(min, max) => format!("{min} to {max}, or a list of strings"),
        Kind::Table => "a table: any names".to_owned(),
        Kind::Tables(fields) => {
            let names: Vec<String> = fields.iter().map(|field| format!("`{}`", field.name)).collect();
            format!("a list of tables: {}", names.join(", "))
        }
    }
}

/// Within a table, a bar would end the cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}
