//! The language as a JSON Schema (draft-07), from the tables that the parser reads: editors complete and check by it.
//!
//! It is never stricter than the parser, but for one thing: a setting is written with its whole name or with all its
//! dots as tables, not with some of them. Relations (a missing key, a dangling name, two verbs) are the parser's alone.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::broker::{EntityKind, FAMILIES, Family, Field, Kind, Scope, Setting, Status};

use super::keys::{DESCRIPTIONS, ENTITY, FILE, Key, Keys, MOMENTS};
use super::measure::MEASURES;
use super::shape::Shape;

/// Properties by their names.
type Properties = BTreeMap<String, Value>;

/// The schema, as it stands in `assets/scenario.schema.json`.
pub fn text() -> String {
    format!("{:#}\n", schema())
}

/// The schema of scenario files, of every family.
pub fn schema() -> Value {
    let mut definitions = Map::new();
    let files: Vec<Value> =
        FAMILIES.iter().map(|family| Writer { family: *family }.file(Extent::File)).collect();
    for family in FAMILIES {
        let writer = Writer { family: *family };
        definitions.insert(format!("{}-variant", family.name()), writer.file(Extent::Variant));
        for (name, scope) in writer.scopes() {
            definitions.insert(format!("{}-{name}", family.name()), writer.settings(scope));
        }
    }
    let mut schema = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "A scenario of mqlab",
        "definitions": definitions,
    });
    match <[Value; 1]>::try_from(files) {
        Ok([Value::Object(file)]) => schema.as_object_mut().expect("it is one").extend(file),
        Ok([other]) => schema["allOf"] = json!([other]),
        Err(files) => schema["oneOf"] = Value::Array(files),
    }
    schema
}

/// What a table of keys belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Extent {
    File,
    Variant,
}

/// Writes the part of one family.
struct Writer {
    family: &'static dyn Family,
}

impl Writer {
    /// All that a file or a variant may hold.
    fn file(&self, extent: Extent) -> Value {
        let described = |key: &&Key| extent == Extent::File || !DESCRIPTIONS.contains(&key.name);
        let keys = FILE.keys.iter().filter(described);
        let mut properties = self.properties(keys, extent, None);
        for kind in self.family.entities() {
            let table = self.entity(&ENTITY, kind, extent);
            properties.insert(kind.table.to_owned(), tables(table, extent));
        }
        let mut file = closed(&properties);
        if extent == Extent::File {
            file["required"] = json!(["family"]);
        }
        file
    }

    fn entity(&self, keys: &Keys, kind: &EntityKind, extent: Extent) -> Value {
        let mut fields = self.properties(keys.keys.iter(), extent, Some(kind.table));
        fields.extend(kind.fields.iter().map(field));
        if !kind.settings.is_empty() {
            let settings = self.value(Shape::Config, extent, Some(kind.table));
            let settings = described(settings, super::keys::SETTINGS_MEANING);
            fields.insert(kind.settings.to_owned(), settings);
        }
        closed(&fields)
    }

    fn properties<'k>(
        &self,
        keys: impl Iterator<Item = &'k Key>,
        extent: Extent,
        owner: Option<&str>,
    ) -> Properties {
        keys.map(|key| {
            let mut value = self.value(key.shape, extent, owner);
            value["description"] = json!(plain(key.meaning));
            (key.name.to_owned(), value)
        })
        .collect()
    }

    fn table(&self, keys: &[&Keys], extent: Extent, owner: Option<&str>) -> Value {
        let mut properties = self.properties(keys.iter().flat_map(|keys| keys.keys), extent, owner);
        match owner {
            Some("producer") => properties.extend(self.family.producer_fields().iter().map(field)),
            Some("consumer") => properties.extend(self.family.consumer_fields().iter().map(field)),
            _ => {}
        }
        closed(&properties)
    }

    /// What may stand behind a key of the owner.
    fn value(&self, shape: Shape, extent: Extent, owner: Option<&str>) -> Value {
        let texts = || json!([{ "type": "string" }, { "type": "array", "items": { "type": "string" } }]);
        match shape {
            Shape::Any => json!({}),
            Shape::Flag => json!({ "type": "boolean" }),
            Shape::True => json!({ "const": true }),
            Shape::FlagOrTexts => {
                json!({ "anyOf": [{ "type": "string" }, texts()[1], { "type": "boolean" }] })
            }
            Shape::Int(min, max) => whole(min, max),
            Shape::Text => json!({ "type": "string" }),
            Shape::Texts | Shape::FormOrTexts(_) => json!({ "anyOf": texts() }),
            Shape::Words(words) => json!({ "enum": words }),
            Shape::Moment => json!({ "enum": MOMENTS.iter().map(|(name, _)| name).collect::<Vec<_>>() }),
            Shape::Form(form) => {
                json!({ "type": "string", "pattern": form.pattern() })
            }
            Shape::Size => json!({ "anyOf": [{ "type": "integer", "minimum": 0 }, { "type": "string" }] }),
            Shape::Table(keys) => {
                let named = keys.owner == super::keys::LANGUAGES.owner;
                self.table(&[keys], if named { Extent::File } else { extent }, None)
            }
            Shape::Named(keys) => tables(self.table(keys, extent, owner_of(keys)), extent),
            Shape::Tables(keys) => {
                json!({ "type": "array", "items": self.table(keys, extent, owner_of(keys)) })
            }
            Shape::Steps(keys) => {
                let list = json!({ "type": "array", "items": self.table(keys, extent, None) });
                if extent == Extent::File {
                    return list;
                }
                json!({ "anyOf": [tables(self.table(keys, extent, None), extent), list] })
            }
            Shape::Cluster(keys) => {
                let mut properties = self.properties(keys.keys.iter(), extent, Some("cluster"));
                let roles = self
                    .family
                    .roles()
                    .iter()
                    .map(|role| (role.plural.to_owned(), whole(0, i64::from(role.count_max))));
                properties.extend(roles);
                properties.extend(self.family.cluster_fields().iter().map(field));
                closed(&properties)
            }
            Shape::Config => {
                reference(&format!("{}-{}-config", self.family.name(), owner.unwrap_or("cluster")))
            }
            Shape::Entity(keys) => {
                any_of(self.family.entities().iter().map(|kind| self.entity(keys, kind, extent)).collect())
            }
            Shape::Family => json!({ "const": self.family.name() }),
            Shape::Client => json!({ "enum": self.family.clients() }),
            Shape::Claims => claims(),
            Shape::Variants => {
                let one = reference(&format!("{}-variant", self.family.name()));
                json!({ "type": "object", "additionalProperties": one })
            }
        }
    }

    /// Whose settings there are.
    fn scopes(&self) -> Vec<(String, Scope)> {
        let mut scopes = vec![
            ("cluster-config".to_owned(), Scope::Cluster),
            ("producer-config".to_owned(), Scope::Producer(None)),
            ("consumer-config".to_owned(), Scope::Consumer(None)),
            ("message-config".to_owned(), Scope::Message),
        ];
        for kind in self.family.entities() {
            scopes.push((format!("{}-config", kind.table), Scope::Entity(kind.table)));
        }
        scopes
    }

    /// Every modelled setting of the scope, of any release and of any client library.
    fn settings(&self, wanted: Scope) -> Value {
        let covers = |setting: &&Setting| match (setting.scope, wanted) {
            (Scope::Producer(_), Scope::Producer(_)) | (Scope::Consumer(_), Scope::Consumer(_)) => true,
            (scope, wanted) => scope == wanted,
        };
        let modelled = |setting: &&Setting| setting.status == Status::Modelled;
        let mut whole: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
        for setting in self.family.settings().iter().filter(modelled).filter(covers) {
            for name in std::iter::once(&setting.name).chain(setting.aliases) {
                let values = whole.entry(name).or_default();
                let value = described(kind(setting.kind), &about(setting));
                if !values.contains(&value) {
                    values.push(value);
                }
            }
        }
        let whole: Vec<(&str, Value)> =
            whole.into_iter().map(|(name, values)| (name, any_of(values))).collect();
        let mut properties = dotted(&whole);
        for (name, value) in &whole {
            properties.insert((*name).to_owned(), value.clone());
        }
        closed(&properties)
    }
}

/// What stands behind the first part of dotted names: values, and what goes on.
#[derive(Default)]
struct Values<'a> {
    own: Vec<Value>,
    inner: Vec<(&'a str, Value)>,
}

/// The settings with their dots as tables: `linger.ms = 5` in TOML.
fn dotted(settings: &[(&str, Value)]) -> Properties {
    let mut heads: BTreeMap<&str, Values> = BTreeMap::new();
    for (name, value) in settings {
        let (head, rest) = name.split_once('.').map_or((*name, None), |(head, rest)| (head, Some(rest)));
        let values = heads.entry(head).or_default();
        match rest {
            Some(rest) => values.inner.push((rest, value.clone())),
            None => values.own.push(value.clone()),
        }
    }
    let both = |(head, mut values): (&str, Values<'_>)| {
        if !values.inner.is_empty() {
            values.own.push(closed(&dotted(&values.inner)));
        }
        (head.to_owned(), any_of(values.own))
    };
    heads.into_iter().map(both).collect()
}

/// Claims: any path, the known measures with their meaning.
fn claims() -> Value {
    let measures: Map<String, Value> = MEASURES
        .iter()
        .map(|measure| (measure.name.to_owned(), json!({ "description": plain(measure.meaning) })))
        .collect();
    json!({ "type": "object", "properties": measures })
}

/// Whose settings `config` holds in a named table.
fn owner_of(keys: &[&Keys]) -> Option<&'static str> {
    let is = |owner: &Keys| keys.iter().any(|keys| keys.owner == owner.owner);
    if is(&super::keys::PRODUCER) {
        return Some("producer");
    }
    if is(&super::keys::MESSAGE) {
        return Some("message");
    }
    is(&super::keys::CONSUMER).then_some("consumer")
}

fn field(field: &Field) -> (String, Value) {
    (field.name.to_owned(), described(kind(field.kind), field.meaning))
}

fn kind(kind: Kind) -> Value {
    match kind {
        Kind::Bool => json!({ "type": "boolean" }),
        Kind::Int(min, max) => whole(min, max),
        Kind::OneOf(words) => {
            // Numbers and truth values are compared by how they are written.
            let numbers = words.iter().filter_map(|word| word.parse::<i64>().ok()).map(Value::from);
            let flags = words.iter().filter_map(|word| word.parse::<bool>().ok()).map(Value::from);
            let all: Vec<Value> = words.iter().map(|word| json!(word)).chain(numbers).chain(flags).collect();
            json!({ "enum": all })
        }
        Kind::Text => json!({ "type": "string" }),
        Kind::Digits(min, max) => {
            json!({ "anyOf": [whole(min, max), { "type": "string", "pattern": "^[0-9]+$" }] })
        }
        Kind::Bytes => json!({ "anyOf": [{ "type": "integer", "minimum": 0 }, { "type": "string" }] }),
        Kind::Part => json!({ "type": "number", "minimum": 0 }),
        Kind::Texts => {
            let text = json!({ "type": "string" });
            json!({ "anyOf": [text, { "type": "array", "items": text }] })
        }
        Kind::CountOrTexts(min, max) => {
            json!({ "anyOf": [whole(min, max), { "type": "array", "items": { "type": "string" } }] })
        }
        Kind::Table => json!({
            "type": "object",
            "additionalProperties": { "type": ["string", "integer", "boolean"] },
        }),
        Kind::Tables(fields) => {
            json!({ "type": "array", "items": closed(&fields.iter().map(field).collect()) })
        }
    }
}

fn about(setting: &Setting) -> String {
    let mut about = setting.meaning.to_owned();
    if let Some((_, default)) = setting.defaults.last() {
        about = format!("{about} Default of the newest release: {default}.");
    }
    if setting.since > crate::scenario::plan::Version(0, 0, 0) {
        about = format!("{about} Since {}.", setting.since);
    }
    if let Some(until) = setting.until {
        about = format!("{about} Gone in {until}.");
    }
    about
}

fn whole(min: i64, max: i64) -> Value {
    json!({ "type": "integer", "minimum": min, "maximum": max })
}

fn described(mut value: Value, meaning: &str) -> Value {
    value["description"] = json!(plain(meaning));
    value
}

/// Without the marks of code.
fn plain(meaning: &str) -> String {
    meaning.replace('`', "")
}

fn closed(properties: &Properties) -> Value {
    json!({ "type": "object", "properties": properties, "additionalProperties": false })
}

/// Tables by their names; a variant removes one with `false`.
fn tables(one: Value, extent: Extent) -> Value {
    let one = if extent == Extent::File { one } else { json!({ "anyOf": [one, { "const": false }] }) };
    json!({ "type": "object", "additionalProperties": one })
}

fn any_of(mut values: Vec<Value>) -> Value {
    if values.len() == 1 { values.remove(0) } else { json!({ "anyOf": values }) }
}

/// A bare reference: an `allOf` around it, which would let a description stand beside it, sends the language server
/// taplo into a recursion without end when it completes keys.
fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/definitions/{}", name) })
}
