//! As much of draft-07 as the schema uses; anything else is a failure, so that nothing goes unchecked.

use regex::Regex;
use serde_json::Value;

/// Where a value breaks the schema, in words; empty: nowhere.
pub(crate) fn violations(root: &Value, schema: &Value, value: &Value, path: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut say = |what: String| found.push(format!("{path}: {what}"));
    let rules = schema.as_object().expect("a schema is an object");
    let mut inner = Vec::new();
    for (rule, wanted) in rules {
        match rule.as_str() {
            "type" if !is(value, wanted) => say(format!("no {wanted}")),
            "const" if value != wanted => say(format!("not {wanted}")),
            "enum" if !list(wanted).contains(value) => say(format!("none of {wanted}")),
            "minimum" if value.as_f64() < wanted.as_f64() => say("too small".to_owned()),
            "maximum" if value.as_f64() > wanted.as_f64() => say("too large".to_owned()),
            "pattern" => {
                let pattern = Regex::new(wanted.as_str().expect("text")).expect("it is a pattern");
                if !value.as_str().is_some_and(|text| pattern.is_match(text)) {
                    say(format!("does not match {wanted}"));
                }
            }
            "required" => {
                for name in list(wanted).iter().filter_map(Value::as_str) {
                    if value.get(name).is_none() {
                        say(format!("has no {name}"));
                    }
                }
            }
            "$schema" | "title" | "definitions" | "description" | "properties" | "type" | "const"
            | "enum" | "minimum" | "maximum" => {}
            "additionalProperties" => {
                for (name, one) in value.as_object().into_iter().flatten() {
                    match schema["properties"].get(name).unwrap_or(wanted) {
                        Value::Bool(false) => say(format!("unknown key {name}")),
                        own => inner.extend(violations(root, own, one, &format!("{path}.{name}"))),
                    }
                }
            }
            "items" => {
                for one in value.as_array().into_iter().flatten() {
                    inner.extend(violations(root, wanted, one, path));
                }
            }
            "allOf" => {
                for one in list(wanted) {
                    inner.extend(violations(root, one, value, path));
                }
            }
            "anyOf" => {
                let tries: Vec<_> =
                    list(wanted).iter().map(|one| violations(root, one, value, path)).collect();
                if !tries.iter().any(Vec::is_empty) {
                    inner.extend(tries.into_iter().next().unwrap_or_default());
                }
            }
            "oneOf" => {
                // One for each family, told apart by its name.
                let tries: Vec<_> =
                    list(wanted).iter().map(|one| violations(root, one, value, path)).collect();
                let is_other = |one: &&Vec<String>| one.iter().any(|what| what.starts_with(".family: not"));
                let own = tries.iter().find(|one| !is_other(one)).or(tries.first());
                inner.extend(own.cloned().unwrap_or_default());
            }
            "$ref" => {
                let pointer = wanted.as_str().expect("text").trim_start_matches('#');
                let one = root.pointer(pointer).expect("it leads somewhere");
                inner.extend(violations(root, one, value, path));
            }
            other => panic!("the schema uses {other}"),
        }
    }
    found.extend(inner);
    found
}

fn list(value: &Value) -> &[Value] {
    value.as_array().expect("a list")
}

fn is(value: &Value, wanted: &Value) -> bool {
    if let Some(all) = wanted.as_array() {
        return all.iter().any(|one| is(value, one));
    }
    match wanted.as_str().expect("one type") {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        other => panic!("the schema uses {other}"),
    }
}
