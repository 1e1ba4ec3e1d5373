//! Tasks: callbacks, heartbeats, retries, cancellation.

use engine::{Input, Stage, Status, TaskOutcome, Verdict};
use model::error::Failure;
use model::json::Value;

use crate::world::{World, json};

const CALLBACK: &str = r#"{"StartAt": "Ask", "States": {"Ask": {
    "Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
    "Parameters": {"QueueUrl": "q", "MessageBody": {"token.$": "$$.Task.Token"}},
    "HeartbeatSeconds": 10, "TimeoutSeconds": 60, "End": true}}}"#;

#[test]
fn a_callback_settles_a_submitted_task() {
    let mut world = World::started(CALLBACK, "{}");
    let call = world.calls[0].clone();
    let token = call.token.clone().expect("a callback task has a token");
    assert_eq!(
        call.parameters.get("MessageBody").unwrap().get("token").unwrap().as_str(),
        Some(token.as_str())
    );
    assert_eq!(token.execution_arn(), &world.snapshot.execution().arn);
    assert_eq!(engine::TaskToken::parse(token.as_str()), Some(token.clone()));

    world.give(Input::TaskSubmitted { effect: call.effect, output: json(r#"{"MessageId": "1"}"#) });
    let verdict =
        world.give(Input::Callback { token: token.clone(), outcome: TaskOutcome::Succeeded(json("7")) });
    assert_eq!(verdict, Verdict::Accepted);
    assert_eq!(world.output(), json("7"));
    assert_eq!(
        world.types()[2..],
        [
            "TaskScheduled",
            "TaskStarted",
            "TaskSubmitted",
            "TaskSucceeded",
            "TaskStateExited",
            "ExecutionSucceeded"
        ]
    );
    let verdict = world.give(Input::Callback { token, outcome: TaskOutcome::Succeeded(json("8")) });
    assert_eq!(verdict, Verdict::Ended);
}

#[test]
fn a_callback_that_overtakes_its_submission_is_kept() {
    let mut world = World::started(CALLBACK, "{}");
    let call = world.calls[0].clone();
    let token = call.token.expect("a callback task has a token");
    let verdict = world.give(Input::Callback { token, outcome: TaskOutcome::Succeeded(json("7")) });
    assert_eq!(verdict, Verdict::Accepted);
    assert_eq!(*world.status(), Status::Running);
    world.give(Input::TaskSubmitted { effect: call.effect, output: Value::Null });
    assert_eq!(world.output(), json("7"));
    world.check_history();
}

#[test]
fn heartbeats_hold_off_the_heartbeat_timeout_but_not_the_timeout() {
    let mut world = World::started(CALLBACK, "{}");
    let call = world.calls[0].clone();
    let token = call.token.expect("a callback task has a token");
    world.give(Input::TaskSubmitted { effect: call.effect, output: Value::Null });
    for _ in 0..6 {
        world.pass_seconds(9);
        assert_eq!(world.give(Input::Heartbeat { token: token.clone(), at: world.now }), Verdict::Accepted);
    }
    world.pass_seconds(6);
    assert_eq!(world.failure(), Failure::named("States.Timeout"));
    assert_eq!(world.cancelled, [call.effect]);
}

#[test]
fn a_missed_heartbeat_is_a_timeout_that_both_names_match() {
    for name in ["States.HeartbeatTimeout", "States.Timeout"] {
        let definition = CALLBACK.replace(
            r#""End": true}"#,
            &format!(r#""End": true, "Catch": [{{"ErrorEquals": ["{name}"], "Next": "Caught"}}]}}, "Caught": {{"Type": "Succeed"}}"#),
        );
        let mut world = World::started(&definition, "{}");
        world.pass_seconds(11);
        assert_eq!(world.output(), json(r#"{"Error": "States.Timeout", "Cause": ""}"#), "{name}");
    }
}

#[test]
fn an_unknown_token_is_no_task() {
    let mut world = World::started(CALLBACK, "{}");
    let token = world.calls[0].token.clone().expect("a callback task has a token");
    let other_secret = engine::TaskToken::new([0; 16], token.execution_arn());
    assert_eq!(world.give(Input::Heartbeat { token: other_secret, at: world.now }), Verdict::NoSuchTask);

    let elsewhere = World::new(CALLBACK);
    let mut execution = elsewhere.snapshot.execution().as_ref().clone();
    execution.arn = format!("{}2", execution.arn).into();
    world.snapshot = engine::Snapshot::new(execution);
    world.give(Input::Start { input: json("{}") });
    assert_eq!(world.give(Input::Heartbeat { token, at: world.now }), Verdict::NoSuchTask);
}

const RETRIED: &str = r#"{"StartAt": "Call", "States": {"Call": {
    "Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:f",
    "Parameters": {"attempt.$": "$$.State.RetryCount"},
    "Retry": [{"ErrorEquals": ["A"], "MaxAttempts": 1, "IntervalSeconds": 3},
              {"ErrorEquals": ["States.ALL"], "MaxAttempts": 2, "IntervalSeconds": 1, "BackoffRate": 2}],
    "Catch": [{"ErrorEquals": ["A"], "ResultPath": "$.error", "Next": "Caught"}], "End": true},
    "Caught": {"Type": "Succeed"}}}"#;

#[test]
fn retriers_count_apart_and_an_exhausted_one_goes_to_catch() {
    let mut world = World::started(RETRIED, r#"{"id": 1}"#);
    world.fail(0, "A");
    assert_eq!(world.calls.len(), 1);
    world.pass_seconds(3);
    world.fail(1, "B");
    world.pass_seconds(1);
    world.fail(2, "A");
    let attempts: Vec<_> = world.calls.iter().map(|call| call.parameters.to_json()).collect();
    assert_eq!(attempts, [r#"{"attempt":0}"#, r#"{"attempt":1}"#, r#"{"attempt":2}"#]);
    assert_eq!(world.output(), json(r#"{"id": 1, "error": {"Error": "A", "Cause": null}}"#));
}

#[test]
fn a_settled_task_cannot_settle_again() {
    let mut world = World::started(RETRIED, "{}");
    world.fail(0, "B");
    assert_eq!(world.succeed(0, "1"), Verdict::NoSuchTask);
    assert_eq!(*world.status(), Status::Running);
}

#[test]
fn the_stage_of_a_failure_decides_its_event() {
    for (stage, events) in [
        (Stage::Schedule, &["LambdaFunctionScheduleFailed"][..]),
        (Stage::Start, &["LambdaFunctionStartFailed"]),
        (Stage::Run, &["LambdaFunctionStarted", "LambdaFunctionFailed"]),
    ] {
        let mut world = World::started(RETRIED, "{}");
        let effect = world.calls[0].effect;
        world.give(Input::TaskSettled {
            effect,
            outcome: TaskOutcome::Failed { stage, failure: Failure::named("X") },
        });
        assert_eq!(world.types()[3..], *events);
    }
}

#[test]
fn an_activity_that_does_not_exist_fails_before_it_is_scheduled() {
    let arn = "arn:aws:states:us-east-1:123456789012:activity:gone";
    let definition = format!(
        r#"{{"StartAt": "Do", "States": {{"Do": {{"Type": "Task", "Resource": "{arn}", "End": true}}}}}}"#
    );
    let machine = crate::world::machine(&definition);
    let world = World::new(&definition);
    let mut env = engine::Env::new(world.now, 1);
    env.missing_activities = [arn.into()].into();
    let transition = engine::step(&machine, world.snapshot, Input::Start { input: json("{}") }, &env);
    assert!(transition.effects.is_empty());
    let cause = format!(
        "An error occurred while executing the state 'Do' (entered at the event id #2). The activity {arn} does not exist."
    );
    assert_eq!(*transition.snapshot.status(), Status::Failed(Failure::new("States.Runtime", cause)));
}

#[test]
fn stopping_cancels_what_runs() {
    let mut world = World::started(RETRIED, "{}");
    let failure = Failure::new("Stopped", "by hand");
    world.give(Input::Stop { failure: failure.clone() });
    assert_eq!(*world.status(), Status::Aborted(failure));
    assert_eq!(world.cancelled, [world.calls[0].effect]);
    assert_eq!(world.history.last().unwrap().previous_event_id, 0);
    assert_eq!(world.succeed(0, "1"), Verdict::Ended);
}
