//! What is written about the language, held to what the parser does.
//!
//! `MQLAB_REWRITE=1 cargo test --test language` writes the generated files anew.

mod validate;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{env, fs};

use mqlab::broker::{FAMILIES, family};
use mqlab::scenario::{Scenario, keys, schema};
use serde_json::Value;
use validate::violations;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn fresh(path: &str, wanted: &str) {
    let path = root().join(path);
    if env::var_os("MQLAB_REWRITE").is_some() {
        fs::write(&path, wanted).expect("it can be written");
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(found == wanted, "{} is stale: the top of this test says how to rewrite", path.display());
}

/// The files with this ending below a folder.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path, ending));
        } else if path.extension().is_some_and(|extension| extension == ending) {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn json(toml: &str) -> Value {
    toml::from_str(toml).unwrap_or_else(|error| panic!("{toml}\n{error}"))
}

#[test]
fn the_schema_in_the_repository_is_fresh() {
    fresh("assets/scenario.schema.json", &schema::text());
}

#[test]
fn every_scenario_names_the_schema_and_passes_it() {
    let schema = schema::schema();
    let all = files(&root().join("scenarios"), "toml");
    assert!(all.len() >= 10);
    for path in all {
        let text = fs::read_to_string(&path).expect("it can be read");
        let depth = path.strip_prefix(root()).expect("it is below").components().count() - 1;
        let line = format!("#:schema {}assets/scenario.schema.json", "../".repeat(depth));
        assert_eq!(text.lines().next(), Some(line.as_str()), "{}", path.display());
        let found = violations(&schema, &schema, &json(&text), "");
        assert!(found.is_empty(), "{}\n{}", path.display(), found.join("\n"));
    }
}

/// A file that has everything to hang a key on.
fn base(family: &str, version: &str) -> String {
    format!("family = \"{family}\"\nversion = \"{version}\"\n")
}

/// The lines that open a table; the condition of a fault is read only beside a verb.
fn opening(table: &str) -> String {
    match table.strip_suffix(".when") {
        _ if table.is_empty() => String::new(),
        _ if table == "step" => "[[step]]\n".to_owned(),
        Some(fault) => format!("[{fault}]\nkill = \"each of brokers\"\n[{table}]\n"),
        None if keys::LISTS.iter().any(|list| table.ends_with(list)) => format!("[[{table}]]\n"),
        None => format!("[{table}]\n"),
    }
}

/// Tables in which keys stand: what opens one, and its path.
fn tables(family: &str) -> Vec<String> {
    let mut all = Vec::new();
    for prefix in ["", "variant.v."] {
        let named = ["producer", "consumer", "fault"].into_iter();
        let own = mqlab::broker::family(family).expect("it is one").entities().iter().map(|kind| kind.table);
        for kind in named.chain(own) {
            all.push(format!("{prefix}{kind}.x"));
            if let Some(settings) = settings_of(family, kind) {
                all.push(format!("{prefix}{kind}.x.{settings}"));
            }
        }
        let more = ["cluster.config", "service.x", "consumer.x.if_fails", "fault.x.when"];
        for table in ["cluster", "network", "disk"].iter().chain(&more).chain(keys::LISTS) {
            all.push(format!("{prefix}{table}"));
        }
    }
    all.extend(["", "variant.v", "text", "text.zh", "decisive", "step"].map(str::to_owned));
    all
}

/// What the settings of a named table are called; none: it has none.
fn settings_of(family: &str, kind: &str) -> Option<&'static str> {
    let entities = mqlab::broker::family(family).expect("it is one").entities();
    match entities.iter().find(|entity| entity.table == kind) {
        Some(entity) => Some(entity.settings).filter(|name| !name.is_empty()),
        None => (kind != "fault").then_some("config"),
    }
}

/// The table of settings that this is, and its owner.
fn settings_table<'t>(family: &str, table: &'t str) -> Option<(&'t str, &'t str)> {
    let (owner, name) = table.rsplit_once('.')?;
    let names = mqlab::broker::family(family).expect("it is one").entities().iter().map(|one| one.settings);
    let is_it = name == "config" || names.into_iter().any(|known| known == name);
    is_it.then_some((owner, name))
}

/// Every name that could be a key anywhere, and some that are none.
fn candidates() -> BTreeSet<&'static str> {
    let all = keys::ALL.iter().flat_map(|keys| keys.keys).map(|key| key.name);
    let settings = FAMILIES.iter().flat_map(|family| family.settings());
    let settings =
        settings.flat_map(|setting| std::iter::once(&setting.name).chain(setting.aliases)).copied();
    let roles = FAMILIES.iter().flat_map(|family| family.roles()).map(|role| role.plural);
    let fields = FAMILIES.iter().flat_map(|family| {
        let own = family.entities().iter().flat_map(|kind| kind.fields).chain(family.cluster_fields());
        own.chain(family.producer_fields()).chain(family.consumer_fields())
    });
    let own = FAMILIES.iter().flat_map(|family| family.entities()).map(|kind| kind.settings);
    let tables = FAMILIES.iter().flat_map(|family| family.entities()).map(|kind| kind.table);
    let nonsense = ["nonsense", "Producer", "acks2", "lost"];
    all.chain(settings)
        .chain(roles)
        .chain(fields.map(|field| field.name))
        .chain(tables)
        .chain(own.filter(|name| !name.is_empty()))
        .chain(nonsense)
        .collect()
}

/// What the parser says about this line of a table, by message.
fn parser(family: &str, version: &str, table: &str, line: &str) -> Vec<String> {
    let text = format!("{}{}{line}\n", base(family, version), opening(table));
    match Scenario::read("x", "x.toml", text.as_bytes()) {
        Ok(_) => Vec::new(),
        Err(mistakes) => mistakes.list.into_iter().map(|one| one.message).collect(),
    }
}

/// The releases that between them have every setting of this name.
fn releases(name: &str, key: &str) -> Vec<String> {
    let family = family(name).expect("it is one");
    let mut all: BTreeSet<_> = [family.oldest(), family.newest()].into();
    for setting in family.settings().iter().filter(|one| one.name == key || one.aliases.contains(&key)) {
        all.insert(setting.since.max(family.oldest()));
    }
    all.iter().map(ToString::to_string).collect()
}

fn refuses_key(messages: &[String], key: &str) -> bool {
    let key = format!("`{key}`");
    messages.iter().any(|message| {
        message.contains(&key)
            && ([
                "has no key",
                "has no setting",
                "has no property",
                "is not modelled",
                "is no setting of",
                "cannot be changed here",
            ]
            .iter()
            .any(|phrase| message.contains(phrase)))
    })
}

/// Whether every release refuses the setting, with every client library.
fn every_release(name: &str, (owner, settings): (&str, &str), key: &str) -> bool {
    let clients = family(name).expect("it is one").clients();
    let has_client = owner.contains("producer") || owner.contains("consumer");
    releases(name, key).iter().all(|version| {
        clients.iter().take(if has_client { clients.len() } else { 1 }).all(|client| {
            let client = if has_client { format!("client = {client:?}\n") } else { String::new() };
            let lines = format!("{client}{settings} = {{ {key:?} = {{}} }}");
            refuses_key(&parser(name, version, owner, &lines), key)
        })
    })
}

#[test]
fn schema_and_parser_accept_the_same_keys() {
    let schema = schema::schema();
    let mut differences = Vec::new();
    for family in FAMILIES.iter().map(|family| family.name()) {
        let newest = releases(family, "").pop().expect("there is one");
        for table in tables(family) {
            for key in candidates() {
                if table.is_empty() && ["family", "version"].contains(&key) {
                    continue;
                }
                let dotted = format!("{key}.");
                let settings = settings_table(family, &table);
                if settings.is_some() && candidates().iter().any(|other| other.starts_with(&dotted)) {
                    // A table of settings, not one of them.
                    continue;
                }
                // An empty table: of the wrong type for most keys, but that is another mistake.
                let line = format!("{key:?} = {{}}");
                let text = base(family, &newest) + &opening(&table) + &line + "\n";
                let found = violations(&schema, &schema, &json(&text), "");
                let by_schema = found.iter().any(|one| one.ends_with(&format!(": unknown key {key}")));
                let by_parser = if let Some(of) = settings {
                    every_release(family, of, key)
                } else {
                    refuses_key(&parser(family, &newest, &table, &line), key)
                };
                if by_schema != by_parser {
                    differences.push(format!("[{table}] {key}: schema {by_schema}, parser {by_parser}"));
                }
            }
        }
    }
    assert!(
        differences.is_empty(),
        "{} differences (refused by)\n{}",
        differences.len(),
        differences.join("\n")
    );
}

/// Values of every shape, right and wrong.
const SAMPLES: &[&str] = &[
    "true",
    "false",
    "0",
    "1",
    "2",
    "3",
    "-1",
    "1000",
    "1001",
    "65535",
    "65536",
    "20000000",
    "20000001",
    "10000000",
    "10000001",
    "1000000",
    "1000001",
    "4294967295",
    "4294967296",
    "9223372036854775807",
    "1.5",
    "\"\"",
    "\"x\"",
    "\"orders\"",
    "\"1ms\"",
    "\"1.5 ms\"",
    "\"5s\"",
    "\"1h\"",
    "\"1ms..3ms\"",
    "\"exp(2ms)\"",
    "\"lognormal(2ms, 0.5)\"",
    "\"1000/s\"",
    "\"poisson(10/s)\"",
    "\"one by one\"",
    "\"max\"",
    "\"1%\"",
    "\"5 MB/s\"",
    "\"1 KiB\"",
    "\"2.0\"",
    "\"frames\"",
    "\"give up\"",
    "\"send again\"",
    "\"none\"",
    "\"unique_key\"",
    "\"set_by_key\"",
    "\"java\"",
    "\"librdkafka\"",
    "\"confirmed\"",
    "\"leader_elected\"",
    "\"broker-1\"",
    "\"requests\"",
    "[]",
    "[\"a\"]",
    "[\"broker-1\", \"broker-2\"]",
    "[1]",
    "{}",
    "[{}]",
];

#[test]
fn schema_and_parser_accept_the_same_values() {
    let schema = schema::schema();
    let mut differences = Vec::new();
    let family = FAMILIES[0].name();
    let newest = releases(family, "").pop().expect("there is one");
    for (table, keys) in keys::PLACED {
        for key in keys.names() {
            for sample in SAMPLES {
                let line = format!("{key} = {sample}");
                let text = format!("{}{}{line}\n", base(family, &newest), opening(table));
                let Ok(value) = toml::from_str::<Value>(&text) else { continue };
                let path = format!(".{table}.{key}").replace("..", ".");
                let found = violations(&schema, &schema, &value, "");
                let by_schema = found.iter().any(|one| one.starts_with(&format!("{path}:")));
                let said =
                    company(table, key, &line).flat_map(|lines| parser(family, &newest, table, &lines));
                let said: Vec<String> = said.collect();
                let wrong = [
                    format!("wrong value for `{key}`"),
                    format!("wrong type for `{key}`"),
                    format!("there is no {} `{key}` to remove", table.rsplit('.').next().unwrap_or_default()),
                    format!("wrong element of `{key}`"),
                    format!("`{key} = {sample}` is out of range"),
                    format!("`{key} = {sample}` is not modelled yet"),
                    format!("`{key} = {}` is not modelled yet", sample.trim_matches('"')),
                ];
                let by_parser = said.iter().any(|message| wrong.contains(message));
                if by_schema && !by_parser {
                    differences
                        .push(format!("[{table}] {line}: only the schema refuses it; the parser: {said:?}"));
                }
                let declared = keys.find(key).is_some_and(|key| exact(key.shape));
                if by_parser && !by_schema && declared {
                    differences.push(format!("[{table}] {line}: only the parser refuses it: {said:?}"));
                }
            }
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// The line in every company in which it is read: a fault's keys beside each verb, `requeue` beside `nack`.
fn company(table: &str, key: &str, line: &str) -> impl Iterator<Item = String> {
    if key == "requeue" {
        return vec![format!("nack = \"all\"\n{line}")].into_iter();
    }
    let stands_alone = keys::VERBS.find(key).is_some() || table == "step" && keys::STEP.find(key).is_some();
    let alone = !["fault.x", "step"].contains(&table) || stands_alone;
    let verbs = keys::VERBS.names().filter(move |_| !alone);
    let with = verbs.map(|verb| format!("{verb} = \"each of brokers\"\n")).map(|verb| verb + line);
    let all: Vec<String> = if alone { vec![line.to_owned()] } else { with.collect() };
    all.into_iter()
}

/// Shapes that say all that the parser demands of the value by itself.
fn exact(shape: mqlab::scenario::shape::Shape) -> bool {
    use mqlab::scenario::shape::Shape;
    matches!(
        shape,
        Shape::Flag | Shape::Int(..) | Shape::Words(_) | Shape::Moment | Shape::Client | Shape::Form(_)
    )
}

#[test]
fn the_reference_page_is_fresh() {
    fresh("docs/language.md", &mqlab::report::language::page());
}

/// The tables at this place, `producer.x.message`: `x` stands for any name, and a list for all its elements.
fn at<'v>(value: &'v Value, place: &str) -> Vec<&'v Value> {
    let mut found = vec![value];
    for part in place.split('.').filter(|part| !part.is_empty()) {
        let inner = |one: &'v Value| match (part, one) {
            ("x", Value::Object(all)) => all.values().collect(),
            _ => one.get(part).into_iter().collect::<Vec<_>>(),
        };
        found = found.into_iter().flat_map(inner).collect();
        found = found
            .into_iter()
            .flat_map(|one| one.as_array().map_or_else(|| vec![one], |all| all.iter().collect()))
            .collect();
    }
    found
}

/// The files without mistakes, and each variant of them.
fn working() -> Vec<Value> {
    let mut paths = files(&root().join("scenarios"), "toml");
    paths.extend(files(&root().join("tests/corpus"), "toml"));
    let mut all = Vec::new();
    for path in paths {
        let text = fs::read_to_string(&path).expect("it can be read");
        let read = Scenario::read("x", &path.display().to_string(), text.as_bytes());
        assert!(read.is_ok(), "{}", read.expect_err("a mistake").render(mqlab::scenario::Style::Plain));
        let file = json(&text);
        all.extend(at(&file, "variant.x").into_iter().cloned());
        all.push(file);
    }
    all
}

/// Keys that are read, and that every family refuses so far, with a reason: its consumers acknowledge otherwise, and
/// nobody replies.
const FOR_OTHERS: &[&str] = &["ack", "nack", "reject", "requeue", "properties", "rpc", "reply_to", "timeout"];

/// A key that works stands in a scenario, or in a file of `tests/corpus`, at its own place.
#[test]
fn every_key_that_works_is_used_somewhere() {
    let files = working();
    let entities = FAMILIES.iter().flat_map(|family| family.entities());
    let entities: Vec<String> = entities.map(|kind| format!("{}.x", kind.table)).collect();
    let mut unused = Vec::new();
    for table in keys::ALL {
        let mut places: Vec<&str> = keys::PLACED
            .iter()
            .filter(|(_, keys)| keys.owner == table.owner)
            .map(|(place, _)| *place)
            .collect();
        if table.owner == keys::ENTITY.owner {
            places.extend(entities.iter().map(String::as_str));
        }
        assert!(!places.is_empty(), "{} stands nowhere", table.owner);
        let tables: Vec<&Value> =
            places.iter().flat_map(|place| files.iter().flat_map(|file| at(file, place))).collect();
        let is_unused =
            |key: &&str| !FOR_OTHERS.contains(key) && tables.iter().all(|table| table.get(key).is_none());
        unused.extend(table.names().filter(is_unused).map(|key| format!("{}: {key}", table.owner)));
    }
    assert!(unused.is_empty(), "nothing shows that these keys work:\n{}", unused.join("\n"));
}
