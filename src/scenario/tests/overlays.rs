//! What lines laid over a file do beyond replacing values.

use super::{ORDERS, read, set};
use crate::scenario::plan::{Rate, Starts};
use crate::sim::Span;

#[test]
fn rate_and_phases_displace_each_other_in_overlays() {
    let phases = "producer.checkout.phases = [{ for = \"5s\", rate = \"10/s\" }, { rate = \"20/s\" }]";
    let plan = set(phases).expect("the base has a rate, which this displaces");
    assert_eq!(plan.producers[0].phases.len(), 2);
    let both = "producer.checkout = { phases = [{ rate = \"1/s\" }], rate = \"2/s\" }";
    assert!(set(both).expect_err("a mistake").contains("exclude each other"));
    let scenario = read(&ORDERS.replace("rate = \"1000/s\"", "phases = [{ rate = \"5/s\" }]"));
    let rate = "producer.checkout.rate = \"7/s\"".to_owned();
    let plan = scenario.expect("no mistakes").plan(None, &[rate]).expect("no mistakes");
    assert_eq!(plan.producers[0].phases.len(), 1);
    assert_eq!(plan.producers[0].rate(), Rate::Every(Span(142_857_143)));
}

#[test]
fn each_instance_of_a_consumer_may_start_in_its_own_time() {
    let line = |starts: &str| format!("consumer.billing = {{ instances = 3, starts = {starts} }}");
    let plan = set(&line("[\"0s\", \"by step\", \"10s\"]")).expect("no mistakes");
    let starts: Vec<Starts> = (0..3).map(|instance| plan.consumers[0].starts.of(instance)).collect();
    assert_eq!(starts, [Starts::AtOnce, Starts::ByStep, Starts::At(Span::from_secs(10))]);
    let plan = set(&line("\"10s\"")).expect("no mistakes");
    assert_eq!(plan.consumers[0].starts.of(2), Starts::At(Span::from_secs(10)));
    for (starts, why) in [
        ("[\"0s\"]", "expected 3, one for each instance, found 1"),
        ("[\"0s\", \"soon\", \"1s\"]", "or `by step`"),
        ("[\"0s\", \"1s\", \"1h\"]", "after the end of the run"),
    ] {
        let mistake = set(&line(starts)).expect_err("a mistake");
        assert!(mistake.contains(why), "{mistake}");
    }
}
