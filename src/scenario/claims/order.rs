//! `billing.order = "6..=10 3R"`: the messages that a subscription was handed, in that order; `R` marks those that it
//! had been handed before. A list has one form of writing, so that expected and observed are compared as texts.

use crate::scenario::exact::{self, Nameless};
use crate::scenario::expect::Test;
use crate::scenario::order::{Line, RUNS_MAX};
use crate::scenario::plan::{Plan, Value};

use super::super::diagnostic::nearest;
use super::super::reader::shown;
use super::super::tree::Node;
use super::Refusal;

/// Whose order a path asks for: `billing` in `billing.order`.
pub(in super::super) fn owner(path: &str) -> Option<&str> {
    if path == "order" { Some("") } else { path.strip_suffix(".order") }
}

/// Whether it is a consumer that reads by itself; without a name there has to be one.
pub(super) fn check(plan: &Plan, owner: &str) -> Result<(), Refusal> {
    let names = || plan.consumers.iter().map(|one| one.name.as_str());
    if names().any(|name| name == owner) || (owner.is_empty() && plan.consumers.len() == 1) {
        return Ok(());
    }
    let help = match names().next() {
        Some(name) if owner.is_empty() => Some(format!("name the consumer: `{name}.order`")),
        _ => nearest(owner, names()).map(|near| format!("did you mean `{near}.order`?")),
    };
    let message = if owner.is_empty() {
        "`order` alone belongs to no consumer".to_owned()
    } else {
        format!("`{}` is no consumer", shown(owner))
    };
    Err((message, "messages are handed to consumers".to_owned(), help))
}

/// The list that is expected.
pub(super) fn test(plan: &Plan, node: &Node) -> Result<Test, String> {
    let text = match node {
        Node::Int(number) => number.to_string(),
        Node::Text(text) => text.clone(),
        node => {
            let what = node.what();
            return Err(format!("expected a string such as `\"6..=10 3R\"`, found {what}"));
        }
    };
    let mut line = Line::default();
    let words = text.split([' ', ',', '\t', '\n']).filter(|word| !word.is_empty() && *word != "nothing");
    for word in words {
        let (producer, first, last, is_again) = run(plan, word)?;
        line.push(producer, first, last, is_again);
    }
    if line.runs() > RUNS_MAX {
        return Err(format!("the limit is {RUNS_MAX} pieces"));
    }
    Ok(Test::Is(Value::Text(line.text(&names(plan)))))
}

/// The producers' names, in the order of their numbers.
pub(in super::super) fn names(plan: &Plan) -> Vec<&str> {
    plan.producers.iter().map(|one| one.name.as_str()).collect()
}

/// `6..=10`, `3R`, `checkout#3`, `long`, `6..=10R`.
fn run(plan: &Plan, word: &str) -> Result<(u16, u32, u32, bool), String> {
    if let Some((first, last)) = word.split_once("..=") {
        let (last, is_again) = last.strip_suffix('R').map_or((last, false), |last| (last, true));
        let (producer, first) = message(plan, first)?;
        let owner = format!("{}#{last}", plan.producers[producer as usize].name);
        let (_, last) = message(plan, &owner)?;
        if first > last {
            return Err(format!("`{}` is empty", shown(word)));
        }
        return Ok((producer, first, last, is_again));
    }
    match (message(plan, word), word.strip_suffix('R')) {
        (Ok((producer, number)), _) => Ok((producer, number, number, false)),
        (Err(_), Some(plain)) => {
            message(plan, plain).map(|(producer, number)| (producer, number, number, true))
        }
        (Err(why), None) => Err(range_meant(word).unwrap_or(why)),
    }
}

/// What to write instead of `1..10` and `1-10`.
fn range_meant(word: &str) -> Option<String> {
    let (first, last) = word.split_once("..").or_else(|| word.rsplit_once('-'))?;
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = first.rsplit_once('#').map_or(first, |(_, number)| number);
    let plain = last.strip_suffix('R').unwrap_or(last);
    (is_number(number) && is_number(plain))
        .then(|| format!("messages that follow one another are written `{first}..={last}`"))
}

fn message(plan: &Plan, word: &str) -> Result<(u16, u32), String> {
    match exact::find(plan, word) {
        Ok((producer, number)) => {
            let index = plan.producers.iter().position(|one| one.name == producer.name);
            Ok((index.unwrap_or_default() as u16, number))
        }
        Err(Nameless::NoMessage(why)) => Err(format!("there is no message `{}`: {why}", shown(word))),
        Err(Nameless::NoProducer(name)) => Err(format!("there is no producer `{}`", shown(&name))),
        Err(Nameless::WhichProducer) => {
            Err(format!("whose is `{}`? With several producers, write `checkout#3`", shown(word)))
        }
    }
}
