//! Executions without the world: the engine alone.

use std::fmt::Write as _;

use asl::machine::Machine;
use engine::{Env, Execution, Input, Snapshot, Status};
use model::json::Value;
use model::limits::Limits;
use model::timestamp::Timestamp;

/// A machine, its input, and how many states an execution of it enters.
pub struct Workload {
    /// The definition.
    pub machine: Machine,
    /// The input.
    pub input: Value,
    /// States entered by one execution.
    pub transitions: usize,
}

/// What an execution made.
pub struct Ran {
    /// Events of its history.
    pub events: usize,
    /// Where it ended.
    pub status: Status,
}

/// How often the loops of the chains go around.
const ROUNDS: usize = 500;

/// Pass and Choice states over a payload of 1 KB, with paths that read, select and place.
pub fn json_path_chain() -> Workload {
    let definition = format!(
        r#"{{
          "StartAt": "Count",
          "States": {{
            "Count": {{"Type": "Pass", "Parameters": {{"round.$": "States.MathAdd($.meta.round, 1)"}},
                       "ResultPath": "$.meta", "Next": "Summarise"}},
            "Summarise": {{"Type": "Pass", "InputPath": "$.order",
                           "Parameters": {{"id.$": "$.id", "first.$": "$.lines[0].sku", "customer.$": "$.customer"}},
                           "ResultPath": "$.summary", "Next": "Route"}},
            "Route": {{"Type": "Choice", "Choices": [
                {{"Variable": "$.order.status", "StringEquals": "CANCELLED", "Next": "Done"}},
                {{"And": [{{"Variable": "$.summary.customer.country", "StringEquals": "DE"}},
                          {{"Variable": "$.meta.round", "NumericLessThan": {ROUNDS}}}], "Next": "Mark"}}],
                "Default": "Done"}},
            "Mark": {{"Type": "Pass", "Result": "checked", "ResultPath": "$.order.mark", "Next": "Count"}},
            "Done": {{"Type": "Pass", "End": true}}
          }}
        }}"#
    );
    let input = format!(r#"{{"meta": {{"round": 0}}, "order": {}}}"#, order());
    // The last round leaves Route for Done instead of Mark.
    workload(&definition, &input, ROUNDS * 4)
}

/// The same shape in JSONata, with variables.
pub fn jsonata_chain() -> Workload {
    let definition = format!(
        r#"{{
          "QueryLanguage": "JSONata",
          "StartAt": "Begin",
          "States": {{
            "Begin": {{"Type": "Pass", "Assign": {{"attempt": 0}}, "Next": "Count"}},
            "Count": {{"Type": "Pass", "Assign": {{"attempt": "{{% $attempt + 1 %}}"}}, "Next": "Summarise"}},
            "Summarise": {{"Type": "Pass",
                "Output": {{"order": "{{% $states.input.order %}}",
                            "total": "{{% $sum($states.input.order.lines.(price * quantity)) %}}",
                            "skus": "{{% $states.input.order.lines[quantity > 1].sku %}}"}},
                "Next": "Route"}},
            "Route": {{"Type": "Choice", "Choices": [
                {{"Condition": "{{% $states.input.order.status = 'CANCELLED' %}}", "Next": "Done"}},
                {{"Condition": "{{% $states.input.total > 10 and $attempt < {ROUNDS} %}}", "Next": "Count"}}],
                "Default": "Done"}},
            "Done": {{"Type": "Pass", "End": true}}
          }}
        }}"#
    );
    let input = format!(r#"{{"order": {}}}"#, order());
    workload(&definition, &input, ROUNDS * 3 + 2)
}

/// An inline Map of 1,000 items over one Pass state.
pub fn inline_map() -> Workload {
    let definition = r#"{
      "StartAt": "Each",
      "States": {"Each": {"Type": "Map", "ItemsPath": "$.items", "End": true,
        "ItemProcessor": {"StartAt": "Item", "States": {"Item": {"Type": "Pass", "End": true}}}}}
    }"#;
    let items: Vec<String> = (0..1000).map(|n| format!(r#"{{"id": {n}, "name": "item {n}"}}"#)).collect();
    workload(definition, &format!(r#"{{"items": [{}]}}"#, items.join(",")), 1001)
}

/// An order of about 1 KB.
fn order() -> String {
    let mut lines = String::new();
    for n in 0..8 {
        let comma = if n == 0 { "" } else { "," };
        let _ = write!(
            lines,
            r#"{comma}{{"sku": "SKU-{n:05}", "title": "Article number {n}", "price": {n}.25, "quantity": {}}}"#,
            n % 3 + 1
        );
    }
    format!(
        r#"{{"id": "8f14e45f-ceea-467f-9575-1f2f7e0c0d11", "status": "PAID",
             "customer": {{"id": 4711, "name": "Ada Lovelace", "country": "DE", "email": "ada@example.com"}},
             "address": {{"street": "Unter den Linden 1", "city": "Berlin", "zip": "10117"}},
             "lines": [{lines}],
             "note": "Please leave the parcel with the neighbour on the second floor if nobody opens the door."}}"#
    )
}

fn workload(definition: &str, input: &str, transitions: usize) -> Workload {
    let parsed = asl::parse(definition, &asl::Options::default());
    let machine =
        parsed.machine.unwrap_or_else(|| panic!("the definition is valid: {:?}", parsed.diagnostics));
    let input = Value::parse(input).unwrap_or_else(|error| panic!("the input is JSON: {error}"));
    Workload { machine, input, transitions }
}

/// Runs one execution to its end, with its history made and dropped as a driver would.
pub fn run(workload: &Workload) -> Ran {
    let now = Timestamp::from_millis(1_700_000_000_000);
    let mut env = Env::new(now, 1);
    env.limits = Limits { history_events_max: None, ..Limits::SERVICE };
    let execution = Execution {
        arn: "arn:aws:states:eu-central-1:123456789012:execution:bench:run".into(),
        name: "run".into(),
        role_arn: "arn:aws:iam::123456789012:role/bench".into(),
        state_machine_arn: "arn:aws:states:eu-central-1:123456789012:stateMachine:bench".into(),
        state_machine_name: "bench".into(),
        state_machine_version_arn: None,
        state_machine_alias_arn: None,
        region: "eu-central-1".into(),
        started_at: now,
        synchronous: false,
    };
    let mut events = 0;
    let mut input = Input::Start { input: workload.input.clone() };
    let mut snapshot = Snapshot::new(execution);
    loop {
        let transition = engine::step(&workload.machine, snapshot, input, &env);
        events += transition.history.len();
        if !transition.more {
            return Ran { events, status: transition.snapshot.status().clone() };
        }
        snapshot = transition.snapshot;
        input = Input::Continue;
    }
}
