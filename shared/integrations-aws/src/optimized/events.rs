//! What EventBridge's PutEvents needs beside the table.

use engine::Execution;
use model::error::Failure;
use model::json::{Map, Value};

/// Every event names the execution and its state machine among its resources.
pub(crate) fn name_execution(parameters: &mut Map, execution: &Execution) {
    let Some(Value::Array(entries)) = parameters.get("Entries") else { return };
    let named = entries.iter().map(|entry| {
        let Some(entry) = entry.as_object() else { return entry.clone() };
        let mut entry = entry.clone().into_map();
        let mut resources = match entry.get("Resources") {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(resources)) => resources.clone().into_vec(),
            // Wrong, which is said to whoever gave it.
            Some(_) => return Value::from(entry),
        };
        let own = [&execution.arn, &execution.state_machine_arn];
        resources.extend(own.map(|arn| Value::from(arn.clone())));
        entry.insert("Resources".into(), Value::from(resources));
        Value::from(entry)
    });
    let named = Value::from(named.collect::<Vec<_>>());
    parameters.insert("Entries".into(), named);
}

/// An answer that some events were not accepted is a failure. Source: recorded executions.
pub(crate) fn check(output: &Value) -> Result<(), Failure> {
    match output.get("FailedEntryCount").and_then(Value::as_i64) {
        Some(1..) => Err(Failure::new("EventBridge.FailedEntry", output.to_json())),
        _ => Ok(()),
    }
}
