//! The types of a definition that went through CloudFormation as an object.
//!
//! CloudFormation hands every number and boolean of a custom resource on as text. The fields of the
//! language have one type each, so that theirs come back; inside of payloads (`Parameters`,
//! `Arguments`, `Result`, …) nothing tells what was meant, and texts stay texts. A definition that
//! needs numbers there is a `DefinitionString` or lies in S3.

use model::json::{Map, Value};

/// Numbers of a state.
const NUMBERS: [&str; 6] = [
    "HeartbeatSeconds",
    "MaxConcurrency",
    "Seconds",
    "TimeoutSeconds",
    "ToleratedFailureCount",
    "ToleratedFailurePercentage",
];
/// Numbers of a Retrier.
const RETRY_NUMBERS: [&str; 4] = ["BackoffRate", "IntervalSeconds", "MaxAttempts", "MaxDelaySeconds"];
/// Numbers of an ItemBatcher.
const BATCH_NUMBERS: [&str; 2] = ["MaxInputBytesPerBatch", "MaxItemsPerBatch"];
/// Booleans of a rule of a Choice; in JSONata, `Condition` may be one.
const RULE_FLAGS: [&str; 8] = [
    "BooleanEquals",
    "Condition",
    "IsBoolean",
    "IsNull",
    "IsNumeric",
    "IsPresent",
    "IsString",
    "IsTimestamp",
];

/// The definition with numbers and booleans where the language has them.
pub fn typed(definition: &Value) -> Value {
    scope(definition)
}

/// The whole, a branch, or what a Map repeats.
fn scope(value: &Value) -> Value {
    members(value, |name, value| match name {
        "TimeoutSeconds" => number(value),
        "States" => members(value, |_, value| state(value)),
        _ => value.clone(),
    })
}

fn state(value: &Value) -> Value {
    members(value, |name, value| match name {
        "End" => flag(value),
        "Retry" => list(value, |retrier| numbers(retrier, &RETRY_NUMBERS)),
        "Choices" => list(value, rule),
        "Branches" => list(value, scope),
        "ItemProcessor" | "Iterator" => scope(value),
        "ItemBatcher" => numbers(value, &BATCH_NUMBERS),
        "ItemReader" => members(value, |name, value| match name {
            "ReaderConfig" => numbers(value, &["MaxItems"]),
            _ => value.clone(),
        }),
        name if NUMBERS.contains(&name) => number(value),
        _ => value.clone(),
    })
}

fn rule(value: &Value) -> Value {
    members(value, |name, value| match name {
        "And" | "Or" => list(value, rule),
        "Not" => rule(value),
        name if RULE_FLAGS.contains(&name) => flag(value),
        name if name.starts_with("Numeric") && !name.ends_with("Path") => number(value),
        _ => value.clone(),
    })
}

fn members(value: &Value, change: impl Fn(&str, &Value) -> Value) -> Value {
    match value {
        Value::Object(object) => {
            let changed: Map =
                object.iter().map(|(name, value)| (name.clone(), change(name, value))).collect();
            Value::from(changed)
        }
        other => other.clone(),
    }
}

fn list(value: &Value, change: impl Fn(&Value) -> Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(change).collect(),
        other => other.clone(),
    }
}

fn numbers(value: &Value, names: &[&str]) -> Value {
    members(value, |name, value| if names.contains(&name) { number(value) } else { value.clone() })
}

/// The number that a text is; an expression stays what it is.
fn number(value: &Value) -> Value {
    let parsed = value.as_str().and_then(|text| Value::parse(text).ok());
    parsed.filter(|parsed| matches!(parsed, Value::Number(_))).unwrap_or_else(|| value.clone())
}

fn flag(value: &Value) -> Value {
    match value.as_str() {
        Some("true") => Value::from(true),
        Some("false") => Value::from(false),
        _ => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(definition: &str, expected: &str) {
        let found = typed(&Value::parse(definition).unwrap());
        assert_eq!(found, Value::parse(expected).unwrap(), "{definition}");
    }

    fn check_state(state: &str, expected: &str) {
        let within = |state: &str| {
            format!(
                r#"{{"States": {{"M": {{"ItemProcessor": {{"States": {{"S": {state}}}}}, "Branches": [{{"States": {{"S": {state}}}}}]}}}}}}"#
            )
        };
        check(&within(state), &within(expected));
    }

    #[test]
    fn fields_of_the_language_have_their_types() {
        check(r#"{"TimeoutSeconds": "30", "Comment": "5"}"#, r#"{"TimeoutSeconds": 30, "Comment": "5"}"#);
        check_state(
            r#"{"End": "true", "TimeoutSeconds": "5", "HeartbeatSeconds": "{% $x %}", "MaxConcurrency": "0",
                "ToleratedFailurePercentage": "12.5", "Next": "5", "TimeoutSecondsPath": "$.t"}"#,
            r#"{"End": true, "TimeoutSeconds": 5, "HeartbeatSeconds": "{% $x %}", "MaxConcurrency": 0,
                "ToleratedFailurePercentage": 12.5, "Next": "5", "TimeoutSecondsPath": "$.t"}"#,
        );
        check_state(
            r#"{"Retry": [{"ErrorEquals": ["5"], "IntervalSeconds": "1", "MaxAttempts": "3", "BackoffRate": "1.5", "MaxDelaySeconds": "9", "JitterStrategy": "FULL"}]}"#,
            r#"{"Retry": [{"ErrorEquals": ["5"], "IntervalSeconds": 1, "MaxAttempts": 3, "BackoffRate": 1.5, "MaxDelaySeconds": 9, "JitterStrategy": "FULL"}]}"#,
        );
        check_state(
            r#"{"Choices": [{"Not": {"Variable": "$.a", "NumericLessThan": "5"}}, {"And": [{"IsPresent": "true"}, {"BooleanEquals": "false"}]},
                {"StringEquals": "5"}, {"NumericEqualsPath": "$.b"}, {"Condition": "true"}]}"#,
            r#"{"Choices": [{"Not": {"Variable": "$.a", "NumericLessThan": 5}}, {"And": [{"IsPresent": true}, {"BooleanEquals": false}]},
                {"StringEquals": "5"}, {"NumericEqualsPath": "$.b"}, {"Condition": true}]}"#,
        );
        check_state(
            r#"{"ItemBatcher": {"MaxItemsPerBatch": "10", "BatchInput": {"n": "1"}}, "ItemReader": {"ReaderConfig": {"MaxItems": "3", "CSVDelimiter": "1"}}}"#,
            r#"{"ItemBatcher": {"MaxItemsPerBatch": 10, "BatchInput": {"n": "1"}}, "ItemReader": {"ReaderConfig": {"MaxItems": 3, "CSVDelimiter": "1"}}}"#,
        );
    }

    #[test]
    fn payloads_stay_as_they_are() {
        let same = r#"{"Parameters": {"TimeoutSeconds": "5", "End": "true"}, "Result": {"Seconds": "1"}, "Arguments": {"States": {"S": {"End": "true"}}}}"#;
        check_state(same, same);
        check(r#"{"States": [], "TimeoutSeconds": {}}"#, r#"{"States": [], "TimeoutSeconds": {}}"#);
        check("5", "5");
    }
}
