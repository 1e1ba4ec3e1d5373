//! The recorded definitions: those that the service accepted give a machine, those that it
//! refused are refused in its words.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use asl::{Code, Diagnostic, Options, Parsed, Severity, parse, parse_state};
use model::json::{Text, Value};
use model::status::StateMachineType;

/// The recorded cases, or a plain word that they are not there.
fn corpus() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/conformance");
    if path.is_dir() {
        return Some(path);
    }
    println!("SKIPPED: the recorded corpus is not at {}", path.display());
    None
}

/// Every case of a kind, with its name.
fn cases(corpus: &Path, kind: &str) -> Vec<(String, Value)> {
    let mut waiting = vec![corpus.join(kind)];
    let mut cases = Vec::new();
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(&folder).expect("the corpus can be read") {
            let path = entry.expect("the corpus can be read").path();
            if path.is_dir() {
                waiting.push(path);
            } else if path.extension().is_some_and(|extension| extension == "json") {
                let text = fs::read_to_string(&path).expect("the corpus can be read");
                let case = Value::parse(&text).expect("a case is JSON");
                cases.push((path.strip_prefix(corpus).unwrap_or(&path).display().to_string(), case));
            }
        }
    }
    cases.sort_by(|a, b| a.0.cmp(&b.0));
    assert!(!cases.is_empty(), "no cases of {kind}");
    cases
}

/// A definition in a request: a JSON value, or text under `definitionText`.
fn definition_of(request: &Value) -> Option<String> {
    match (request.get("definition"), request.get("definitionText")) {
        (Some(Value::String(text)), _) | (None, Some(Value::String(text))) => Some(text.to_string()),
        (Some(value), _) => Some(value.to_json()),
        _ => None,
    }
}

fn options(machine_type: Option<&Value>) -> Options {
    let express = machine_type.and_then(Value::as_str) == Some("EXPRESS");
    let machine_type = if express { StateMachineType::Express } else { StateMachineType::Standard };
    Options { machine_type, ..Options::default() }
}

/// Why an accepted definition is not a machine.
fn mistake(parsed: &Parsed) -> Option<String> {
    match (&parsed.machine, parsed.refusal()) {
        (Some(_), None) => None,
        (_, refusal) => Some(refusal.unwrap_or_else(|| "neither machine nor refusal".to_owned())),
    }
}

fn assert_none(what: &str, total: usize, failures: &[String]) {
    println!("{what}: {} of {total} as recorded", total - failures.len());
    assert!(failures.is_empty(), "{what}, {} of {total}:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn executed_definitions_are_machines() {
    let Some(corpus) = corpus() else { return };
    let mut failures = Vec::new();
    let mut total = 0;
    for (name, case) in [cases(&corpus, "execution"), cases(&corpus, "distributed")].concat() {
        total += 1;
        let parsed = parse(&definition_of(&case).unwrap(), &options(case.get("workflowType")));
        failures.extend(mistake(&parsed).map(|why| format!("{name}: {why}")));
    }
    assert_none("executed definitions", total, &failures);
}

#[test]
fn created_definitions_are_machines() {
    let Some(corpus) = corpus() else { return };
    let mut failures = Vec::new();
    let mut total = 0;
    for (name, case) in cases(&corpus, "api") {
        for step in case.get("steps").and_then(Value::as_array).unwrap().iter() {
            let operation = step.get("operation").or_else(|| step.get("action")).and_then(Value::as_str);
            let refused = step.get("expected").is_some_and(|expected| expected.get("error").is_some());
            if refused || !matches!(operation, Some("CreateStateMachine" | "UpdateStateMachine")) {
                continue;
            }
            let Some(request) = step.get("request") else { continue };
            let Some(definition) = definition_of(request) else { continue };
            total += 1;
            let parsed = parse(&definition, &options(request.get("type")));
            failures.extend(mistake(&parsed).map(|why| format!("{name}: {why}")));
        }
    }
    assert!(total > 50, "only {total} definitions in the api cases");
    assert_none("created definitions", total, &failures);
}

#[test]
fn tested_states_are_machines() {
    let Some(corpus) = corpus() else { return };
    let mut failures = Vec::new();
    let mut total = 0;
    for (name, case) in cases(&corpus, "test-state") {
        let expected = case.get("expected").unwrap();
        let refused = expected.get("error").and_then(|error| error.get("message")).and_then(Value::as_str);
        let request = case.get("request").unwrap();
        let Some(definition) = definition_of(request) else { continue };
        let whole = request.get("stateName").is_some();
        let parsed = if whole {
            parse(&definition, &Options::default())
        } else {
            parse_state(&definition, &Options::default())
        };
        let recorded = refused.filter(|message| message.starts_with("Invalid State Machine Definition"));
        total += 1;
        match recorded {
            Some(message) if parsed.refusal().as_deref() == Some(message) => {}
            Some(message) => failures.push(format!("{name}: {:?} instead of {message}", parsed.refusal())),
            None => failures.extend(mistake(&parsed).map(|why| format!("{name}: {why}"))),
        }
    }
    assert_none("tested states", total, &failures);
}

#[test]
fn refused_definitions_are_refused_in_the_recorded_words() {
    let Some(corpus) = corpus() else { return };
    let mut failures = Vec::new();
    let mut total = 0;
    for (name, case) in cases(&corpus, "validation") {
        total += 1;
        let request = case.get("request").unwrap();
        let parsed = parse(&definition_of(request).unwrap(), &options(request.get("type")));
        let expected = case.get("expected").unwrap();
        let why = match (expected.get("response"), expected.get("error")) {
            (Some(response), _) => unlike_response(&parsed, response),
            (None, Some(error)) => unlike_error(&parsed, error),
            (None, None) => Some("a case without expectation".to_owned()),
        };
        failures.extend(why.map(|why| format!("{name}: {why}")));
    }
    assert_none("refused definitions", total, &failures);
}

/// How the answer differs from a recorded one of ValidateStateMachineDefinition.
fn unlike_response(parsed: &Parsed, response: &Value) -> Option<String> {
    let shown = |diagnostic: &Diagnostic| {
        let members = [
            ("code", Some(Value::from(diagnostic.code.as_str()))),
            ("location", diagnostic.location.clone().map(Value::String)),
            ("message", Some(Value::from(diagnostic.message.as_str()))),
            ("severity", Some(Value::from(diagnostic.severity.as_str()))),
        ];
        let members = members.into_iter().filter_map(|(name, value)| Some((Text::new(name), value?)));
        members.collect::<Value>().to_json()
    };
    let errors = parsed.diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error);
    let found: BTreeSet<String> = errors.map(shown).collect();
    let recorded =
        response.get("diagnostics").and_then(Value::as_array).expect("a recorded answer has diagnostics");
    let recorded: BTreeSet<String> = recorded.iter().map(Value::to_json).collect();
    (found != recorded).then(|| format!("{found:?} instead of {recorded:?}"))
}

/// How the answer differs from a recorded InvalidDefinition. A case without words is one of a
/// label, and only its code counts.
fn unlike_error(parsed: &Parsed, error: &Value) -> Option<String> {
    match error.get("message").and_then(Value::as_str) {
        Some(message) => {
            let refusal = parsed.refusal();
            (refusal.as_deref() != Some(message)).then(|| format!("{refusal:?} instead of {message}"))
        }
        None => {
            let labels = |d: &Diagnostic| {
                d.code == Code::InvalidLabelName
                    && d.location.as_deref().is_some_and(|at| at.ends_with("/Label"))
            };
            let found = !parsed.diagnostics.is_empty() && parsed.diagnostics.iter().all(labels);
            (!found).then(|| format!("{:?} instead of INVALID_LABEL_NAME", parsed.diagnostics))
        }
    }
}
