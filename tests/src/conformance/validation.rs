//! Kind `validation`: definitions that were refused, and diagnostics of definitions.

use asl::{Diagnostic, Severity};
use model::json::Value;
use model::limits;
use model::status::StateMachineType;

use super::compare::{Comparison, Difference};
use super::definition::parsed;
use super::wildcard::Wildcards;

/// Parses the definition and compares; the error is the first difference.
pub fn run(json: &Value) -> Result<(), String> {
    let request = json.get("request").ok_or("the case has no `request`")?;
    let expected = json.get("expected").ok_or("the case has no `expected`")?;
    let text = match (request.get("definitionText"), request.get("definition")) {
        (Some(Value::String(text)), _) => text.to_string(),
        (_, Some(definition)) => definition.to_json(),
        _ => return Err("the request has no definition".to_owned()),
    };
    let machine_type = match request.get("type").and_then(Value::as_str) {
        None | Some("STANDARD") => StateMachineType::Standard,
        Some("EXPRESS") => StateMachineType::Express,
        Some(other) => return Err(format!("unknown type {other}")),
    };
    let wildcards = Wildcards::parse(json.get("placeholders").and_then(Value::as_object))?;
    let comparison = Comparison { wildcards, ..Comparison::default() };
    let parsed = parsed(&text, machine_type);
    let verdict = match json.get("operation").and_then(Value::as_str) {
        Some("CreateStateMachine" | "UpdateStateMachine") => {
            refused(expected.get("error"), parsed.refusal(), comparison)
        }
        Some("ValidateStateMachineDefinition") => {
            diagnosed(request, expected, &parsed.diagnostics, comparison)
        }
        other => return Err(format!("unknown operation {}", other.unwrap_or("(none)"))),
    };
    verdict.map_err(|difference| difference.to_string())
}

/// A refusal of CreateStateMachine or UpdateStateMachine: code and message.
fn refused(
    expected: Option<&Value>,
    refusal: Option<String>,
    mut comparison: Comparison,
) -> Result<(), Difference> {
    let (Some(expected), Some(refusal)) = (expected, &refusal) else {
        let expected = expected.map_or_else(|| "no error".to_owned(), Value::to_json);
        return Err(Difference::new("expected.error", expected, refusal.as_deref().unwrap_or("no error")));
    };
    let got = [("code", "InvalidDefinition"), ("message", refusal.as_str())];
    for (name, got) in got {
        if let Some(expected) = expected.get(name) {
            comparison.value(&format!("expected.error.{name}"), expected, &got.into())?;
        }
    }
    Ok(())
}

/// An answer of ValidateStateMachineDefinition.
fn diagnosed(
    request: &Value,
    expected: &Value,
    diagnostics: &[Diagnostic],
    mut comparison: Comparison,
) -> Result<(), Difference> {
    let warnings = request.get("severity").and_then(Value::as_str) == Some("WARNING");
    let asked = request.get("maxResults").and_then(Value::as_i64).and_then(|n| usize::try_from(n).ok());
    let max_results = asked.filter(|n| *n > 0).unwrap_or(limits::DIAGNOSTICS_MAX);
    let failed = diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error);
    let shown: Vec<Value> = diagnostics
        .iter()
        .filter(|diagnostic| warnings || diagnostic.severity == Severity::Error)
        .map(rendered)
        .collect();
    let response = [
        ("truncated", Value::Bool(shown.len() > max_results)),
        ("diagnostics", shown.into_iter().take(max_results).collect()),
        ("result", Value::from(if failed { "FAIL" } else { "OK" })),
    ];
    comparison.optional("expected.response", expected.get("response"), Some(&response.into_iter().collect()))
}

fn rendered(diagnostic: &Diagnostic) -> Value {
    let location = diagnostic.location.clone().map(|location| ("location", Value::from(location)));
    let members = [
        ("severity", Value::from(diagnostic.severity.as_str())),
        ("code", diagnostic.code.as_str().into()),
        ("message", diagnostic.message.as_str().into()),
    ];
    members.into_iter().chain(location).collect()
}
