//! What is executed. What a task does follows from the first word of its state's name:
//!
//! | word | does |
//! | --- | --- |
//! | `Quick` | answers within 50 ms |
//! | `Mid` | answers within 12 s |
//! | `Slow` | answers within 20 to 80 s: longer than a lease, and than a shift |
//! | `Read` | as `Mid` or `Slow`, and may be repeated |
//! | `Flaky` | fails twice, then answers |
//! | `Fails` | fails |
//! | `Token` | is accepted within 3 s; somebody calls back |
//! | `Job` | is accepted within 3 s; a job runs for up to two minutes, where a timeout is set now and then for ever |
//! | `JobNever` | as `Job`, whose job never ends |
//! | `JobCalled` | as `Job`; somebody calls back, too |
//! | `ReadJob` | as `Job`, and may be repeated |

use std::sync::Arc;

use asl::machine::Machine;
use model::json::Value;

use super::dice::Dice;

/// A definition and how often it is chosen.
pub struct Definition {
    /// Its name.
    pub name: &'static str,
    /// The machine.
    pub machine: Arc<Machine>,
    weight: i64,
}

const CALL: &str = r#""Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:f""#;
const TOKEN: &str = r#""Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken", "Parameters": {"QueueUrl": "q", "MessageBody": {"x.$": "$"}}"#;
const JOB: &str = r#""Type": "Task", "Resource": "arn:aws:states:::glue:startJobRun.sync", "Parameters": {"JobName": "j", "Arguments.$": "$"}"#;
const ACTIVITY: &str = r#""Type": "Task", "Resource": "arn:aws:states:us-east-1:123456789012:activity:work""#;
const CATCH: &str =
    r#""Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.caught", "Next": "QuickAfter"}]"#;
const AFTER: &str = r#""QuickAfter": {CALL, "ResultPath": "$.after", "End": true}"#;

/// Name, weight, and the definition, in which the words above stand for the texts above.
const DEFINITIONS: [(&str, i64, &str); 24] = [
    ("pass", 1, r#"{"StartAt": "P", "States": {"P": {"Type": "Pass", "Result": {"x": 1}, "End": true}}}"#),
    (
        "chain",
        6,
        r#"{"StartAt": "QuickA", "States": {
            "QuickA": {CALL, "ResultPath": "$.a", "Next": "MidB"},
            "MidB": {CALL, "ResultPath": "$.b", "Next": "QuickC"},
            "QuickC": {CALL, "ResultPath": "$.c", "End": true}}}"#,
    ),
    (
        "retry",
        5,
        r#"{"StartAt": "Flaky", "States": {
            "Flaky": {CALL, "ResultPath": "$.f", "Retry": [{"ErrorEquals": ["Flaky"], "IntervalSeconds": 1, "BackoffRate": 15, "MaxAttempts": 3}], CATCH, "Next": "QuickAfter"},
            AFTER}}"#,
    ),
    (
        "retry-all",
        4,
        r#"{"StartAt": "MidRetried", "States": {
            "MidRetried": {CALL, "ResultPath": "$.f", "Retry": [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 3, "BackoffRate": 1, "MaxAttempts": 2}], "Next": "SlowRetried"},
            "SlowRetried": {CALL, "ResultPath": "$.s", "Retry": [{"ErrorEquals": ["States.TaskFailed"], "IntervalSeconds": 40, "MaxAttempts": 1}], "End": true}}}"#,
    ),
    (
        "catch",
        3,
        r#"{"StartAt": "Fails", "States": {"Fails": {CALL, "ResultPath": "$.f", CATCH, "End": true}, AFTER}}"#,
    ),
    (
        "parallel",
        6,
        r#"{"StartAt": "Both", "States": {"Both": {"Type": "Parallel", "End": true, "Branches": [
            {"StartAt": "QuickA", "States": {"QuickA": {CALL, "ResultPath": "$.a", "Next": "MidB"}, "MidB": {CALL, "ResultPath": "$.b", "End": true}}},
            {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 4, "Next": "MidC"}, "MidC": {CALL, "ResultPath": "$.c", "Next": "QuickD"}, "QuickD": {CALL, "ResultPath": "$.d", "End": true}}},
            {"StartAt": "SlowE", "States": {"SlowE": {CALL, "ResultPath": "$.e", "End": true}}}]}}}"#,
    ),
    (
        "parallel-fails",
        3,
        r#"{"StartAt": "Both", "States": {"Both": {"Type": "Parallel", CATCH, "End": true, "Branches": [
            {"StartAt": "MidA", "States": {"MidA": {CALL, "ResultPath": "$.a", "Next": "Fails"}, "Fails": {CALL, "End": true}}},
            {"StartAt": "SlowB", "States": {"SlowB": {CALL, "End": true}}},
            {"StartAt": "Token", "States": {"Token": {TOKEN, "TimeoutSeconds": 60, "End": true}}}]}, AFTER}}"#,
    ),
    (
        "map",
        5,
        r#"{"StartAt": "Items", "States": {"Items": {"Type": "Map", "ItemsPath": "$.items", "MaxConcurrency": 2, "End": true,
            "ItemProcessor": {"StartAt": "MidItem", "States": {
                "MidItem": {CALL, "Next": "QuickItem"}, "QuickItem": {CALL, "End": true}}}}}}"#,
    ),
    (
        "map-waits",
        3,
        r#"{"StartAt": "Items", "States": {"Items": {"Type": "Map", "ItemsPath": "$.items", "End": true,
            "ItemProcessor": {"StartAt": "W", "States": {
                "W": {"Type": "Wait", "Seconds": 7, "Next": "ReadItem"}, "ReadItem": {CALL, "End": true}}}}}}"#,
    ),
    (
        "waits",
        5,
        r#"{"StartAt": "W1", "States": {
            "W1": {"Type": "Wait", "Seconds": 1, "Next": "QuickA"},
            "QuickA": {CALL, "ResultPath": "$.a", "Next": "W12"},
            "W12": {"Type": "Wait", "Seconds": 12, "Next": "W70"},
            "W70": {"Type": "Wait", "Seconds": 70, "Next": "QuickB"},
            "QuickB": {CALL, "ResultPath": "$.b", "End": true}}}"#,
    ),
    ("wait-first", 3, r#"{"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 45, "End": true}}}"#),
    (
        "token",
        6,
        r#"{"StartAt": "Token", "States": {
            "Token": {TOKEN, "TimeoutSeconds": 150, "ResultPath": "$.t", CATCH, "Next": "QuickAfter"}, AFTER}}"#,
    ),
    (
        "heartbeat",
        4,
        r#"{"StartAt": "TokenBeats", "States": {
            "TokenBeats": {TOKEN, "HeartbeatSeconds": 20, "TimeoutSeconds": 200, "ResultPath": "$.t", CATCH, "Next": "QuickAfter"}, AFTER}}"#,
    ),
    (
        "activity",
        5,
        r#"{"StartAt": "Work", "States": {
            "Work": {ACTIVITY, "HeartbeatSeconds": 15, "TimeoutSeconds": 120, "ResultPath": "$.w", "Retry": [{"ErrorEquals": ["States.Timeout"], "IntervalSeconds": 1, "MaxAttempts": 1}], CATCH, "Next": "QuickAfter"}, AFTER}}"#,
    ),
    (
        "deadline",
        3,
        r#"{"StartAt": "MidA", "TimeoutSeconds": 40, "States": {
            "MidA": {CALL, "ResultPath": "$.a", "Next": "SlowB"}, "SlowB": {CALL, "ResultPath": "$.b", "End": true}}}"#,
    ),
    (
        "reads",
        3,
        r#"{"StartAt": "ReadSlow", "States": {
            "ReadSlow": {CALL, "ResultPath": "$.a", "Next": "ReadB"}, "ReadB": {CALL, "ResultPath": "$.b", "End": true}}}"#,
    ),
    (
        "mixed",
        4,
        r#"{"StartAt": "All", "States": {"All": {"Type": "Parallel", CATCH, "ResultPath": "$.all", "Next": "QuickAfter", "Branches": [
            {"StartAt": "Token", "States": {"Token": {TOKEN, "TimeoutSeconds": 90, "End": true}}},
            {"StartAt": "Items", "States": {"Items": {"Type": "Map", "ItemsPath": "$.items", "MaxConcurrency": 3, "End": true,
                "ItemProcessor": {"StartAt": "QuickItem", "States": {"QuickItem": {CALL, "Next": "W"}, "W": {"Type": "Wait", "Seconds": 3, "End": true}}}}}},
            {"StartAt": "W25", "States": {"W25": {"Type": "Wait", "Seconds": 25, "Next": "SlowC"}, "SlowC": {CALL, "End": true}}}]}, AFTER}}"#,
    ),
    (
        "job",
        5,
        r#"{"StartAt": "Job", "States": {"Job": {JOB, "ResultPath": "$.j", CATCH, "Next": "QuickAfter"}, AFTER}}"#,
    ),
    (
        "job-timeout",
        5,
        r#"{"StartAt": "Job", "States": {"Job": {JOB, "TimeoutSeconds": 50, "ResultPath": "$.j",
            "Retry": [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 1}], CATCH, "Next": "QuickAfter"}, AFTER}}"#,
    ),
    (
        "job-called",
        4,
        r#"{"StartAt": "JobCalled", "States": {
            "JobCalled": {JOB, "HeartbeatSeconds": 20, "TimeoutSeconds": 150, "ResultPath": "$.j", CATCH, "Next": "ReadJob"},
            "ReadJob": {JOB, "ResultPath": "$.r", CATCH, "Next": "QuickAfter"}, AFTER}}"#,
    ),
    (
        "job-deadline",
        3,
        r#"{"StartAt": "Job", "TimeoutSeconds": 60, "States": {
            "Job": {JOB, "ResultPath": "$.j", "Next": "JobNever"}, "JobNever": {JOB, "End": true}}}"#,
    ),
    (
        "jobs",
        4,
        r#"{"StartAt": "Items", "States": {"Items": {"Type": "Map", "ItemsPath": "$.items", "MaxConcurrency": 3, "End": true,
            "ItemProcessor": {"StartAt": "JobItem", "States": {"JobItem": {JOB, CATCH, "Next": "QuickItem"},
                "QuickItem": {CALL, "End": true}, "QuickAfter": {CALL, "End": true}}}}}}"#,
    ),
    (
        "jobs-fail",
        5,
        r#"{"StartAt": "Both", "States": {"Both": {"Type": "Parallel", CATCH, "End": true, "Branches": [
            {"StartAt": "Job", "States": {"Job": {JOB, "Next": "SlowA"}, "SlowA": {CALL, "Next": "Fails"}, "Fails": {CALL, "End": true}}},
            {"StartAt": "JobNever", "States": {"JobNever": {JOB, "End": true}}},
            {"StartAt": "Token", "States": {"Token": {TOKEN, "TimeoutSeconds": 60, "End": true}}}]}, AFTER}}"#,
    ),
    (
        "loop",
        1,
        r#"{"StartAt": "Begin", "States": {
            "Begin": {"Type": "Pass", "Result": 0, "ResultPath": "$.n", "Next": "Add"},
            "Add": {"Type": "Pass", "Parameters": {"n.$": "States.MathAdd($.n, 1)"}, "Next": "Enough"},
            "Enough": {"Type": "Choice", "Choices": [{"Variable": "$.n", "NumericGreaterThan": 300, "Next": "QuickA"}], "Default": "Add"},
            "QuickA": {CALL, "End": true}}}"#,
    ),
];

/// Every definition, parsed.
pub fn definitions() -> Vec<Definition> {
    let parsed = |(name, weight, text): &(&'static str, i64, &str)| {
        let text = text
            .replace("AFTER", AFTER)
            .replace("CATCH", CATCH)
            .replace("CALL", CALL)
            .replace("TOKEN,", &format!("{TOKEN},"))
            .replace("ACTIVITY", ACTIVITY)
            .replace("{JOB,", &format!("{{{JOB},"));
        let parsed = asl::parse(&text, &asl::Options::default());
        assert!(parsed.diagnostics.is_empty(), "{name}: {:?}", parsed.diagnostics);
        let machine = parsed.machine.expect("a definition without diagnostics is a machine");
        Definition { name, machine: Arc::new(machine), weight: *weight }
    };
    DEFINITIONS.iter().map(parsed).collect()
}

/// The place of one of them.
pub fn chosen(definitions: &[Definition], dice: &mut Dice) -> usize {
    let total: i64 = definitions.iter().map(|definition| definition.weight).sum();
    let mut at = dice.between(0, total - 1);
    for (place, definition) in definitions.iter().enumerate() {
        if at < definition.weight {
            return place;
        }
        at -= definition.weight;
    }
    0
}

/// An input: items for the Maps, and now and then a text above the thresholds for blobs.
pub fn input(dice: &mut Dice) -> Value {
    let items: Vec<String> = (0..dice.between(0, 4)).map(|item| format!(r#"{{"item": {item}}}"#)).collect();
    let text = match dice.between(0, 3) {
        0 => "large ".repeat(usize::try_from(dice.between(40, 700)).unwrap_or(40)),
        _ => "small".to_owned(),
    };
    let text =
        format!(r#"{{"items": [{}], "text": "{text}", "n": {}}}"#, items.join(","), dice.between(0, 9));
    Value::parse(&text).expect("the text is JSON")
}
