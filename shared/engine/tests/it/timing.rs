//! Waits, back-offs and the execution's own timeout.

use engine::{Input, Status};
use model::json::Value;

use crate::world::{World, json};

#[test]
fn a_wait_waits() {
    let mut world = World::started(
        r#"{"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 10, "Next": "P"}, "P": {"Type": "Pass", "End": true}}}"#,
        "1",
    );
    world.pass_seconds(9);
    assert_eq!(*world.status(), Status::Running);
    assert_eq!(world.give(Input::Wake), engine::Verdict::Accepted);
    assert_eq!(world.types().len(), 2, "a wake too early changes nothing");
    world.pass_seconds(1);
    assert_eq!(world.output(), json("1"));
}

#[test]
fn a_time_in_the_past_does_not_wait() {
    let world = World::started(
        r#"{"StartAt": "W", "States": {"W": {"Type": "Wait", "TimestampPath": "$.at", "End": true}}}"#,
        r#"{"at": "2001-01-01T00:00:00Z"}"#,
    );
    assert_eq!(world.types()[1..], ["WaitStateEntered", "WaitStateExited", "ExecutionSucceeded"]);
}

#[test]
fn the_machine_times_out_in_the_middle_of_a_wait() {
    let mut world = World::started(
        r#"{"StartAt": "W", "TimeoutSeconds": 5, "States": {"W": {"Type": "Wait", "Seconds": 10, "End": true}}}"#,
        "1",
    );
    assert_eq!(world.wake_at, Some(world.now.plus_seconds(5)));
    world.pass_seconds(20);
    assert_eq!(*world.status(), Status::TimedOut);
    assert_eq!(world.types()[2..], ["ExecutionTimedOut"]);
    assert_eq!(world.wake_at, None);
}

#[test]
fn what_is_due_before_the_deadline_happens_before_it() {
    let definition = r#"{"StartAt": "W", "TimeoutSeconds": 5, "States": {
        "W": {"Type": "Wait", "Seconds": 2, "Next": "Done"}, "Done": {"Type": "Succeed"}}}"#;
    let mut world = World::started(definition, "1");
    // Woken late, as after an outage: both are due by now.
    world.now = world.now.plus_seconds(60);
    world.give(Input::Wake);
    assert!(world.types().contains(&"WaitStateExited"));
    assert_eq!(*world.status(), Status::TimedOut);
}

#[test]
fn jsonata_seconds_must_be_a_number() {
    let world = World::started(
        r#"{"QueryLanguage": "JSONata", "StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": "{% $states.input.s %}", "End": true}}}"#,
        r#"{"s": "soon"}"#,
    );
    let failure = world.failure();
    assert_eq!(failure.error.as_deref(), Some("States.QueryEvaluationError"));
    assert!(failure.cause.unwrap().contains("'Seconds' returned an unexpected result type"));
    assert_eq!(world.types()[2..], ["EvaluationFailed", "ExecutionFailed"]);
}

#[test]
fn time_and_randomness_come_from_the_environment() {
    let definition = r#"{"QueryLanguage": "JSONata", "StartAt": "P", "States": {"P": {"Type": "Pass",
        "Output": {"ms": "{% $millis() %}", "id": "{% $uuid() %}", "r": "{% $random() %}"}, "End": true}}}"#;
    let a = World::started(definition, "1").output();
    let b = World::started(definition, "1").output();
    assert_eq!(a, b);
    assert_eq!(a.get("ms").and_then(Value::as_i64), Some(1_700_000_000_000));
}
