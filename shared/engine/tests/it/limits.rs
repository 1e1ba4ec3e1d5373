//! Payload and history limits, long steps.

use engine::{Env, Input, Snapshot, Status};
use model::limits::Limits;

use crate::world::{World, json, machine};

const LOOP: &str = r#"{"StartAt": "A", "States": {
    "A": {"Type": "Pass", "Next": "B"},
    "B": {"Type": "Choice", "Choices": [{"Variable": "$", "IsNull": true, "Next": "End"}], "Default": "A"},
    "End": {"Type": "Succeed"}}}"#;

fn limits(history_events_max: Option<u64>, payload_bytes_max: Option<usize>) -> Limits {
    Limits { history_events_max, payload_bytes_max, ..Limits::SERVICE }
}

/// Source: recorded histories end with the failure as event number 25,000.
#[test]
fn a_full_history_ends_with_the_failure_that_says_so() {
    let mut world = World::new(LOOP);
    world.give(Input::Start { input: json("{}") });
    assert_eq!(world.history.len(), 25_000);
    let failure = world.failure();
    assert_eq!(failure.error.as_deref(), Some("States.Runtime"));
    assert_eq!(
        failure.cause.as_deref(),
        Some("The execution reached the maximum number of history events (25000).")
    );
    assert_eq!(world.types()[24_999], "ExecutionFailed");
    assert_eq!(world.history[24_999].previous_event_id, 24_999);
    world.check_history();
}

#[test]
fn calls_of_the_step_that_fills_the_history_are_not_made() {
    let definition = r#"{"StartAt": "M", "States": {"M": {"Type": "Map", "End": true,
        "ItemProcessor": {"StartAt": "T", "States": {"T": {"Type": "Task",
            "Resource": "arn:aws:lambda:us-east-1:123456789012:function:f", "End": true}}}}}}"#;
    let mut world = World::new(definition);
    world.limits = limits(Some(10), None);
    world.give(Input::Start { input: json("[1,2,3,4,5,6,7,8]") });
    assert_eq!(world.history.len(), 10);
    assert!(world.calls.is_empty());
    assert!(matches!(world.status(), Status::Failed(_)));
}

#[test]
fn an_endless_loop_of_states_never_blocks_its_caller() {
    let machine = machine(LOOP);
    let world = World::new(LOOP);
    let mut env = Env::new(world.now, 1);
    env.limits = limits(None, None);
    let transition = engine::step(&machine, world.snapshot, Input::Start { input: json("{}") }, &env);
    assert!(transition.more);
    assert!((1_000..1_010).contains(&transition.history.len()), "{}", transition.history.len());

    let big = format!("\"{}\"", "x".repeat(100_000));
    let transition = engine::step(
        &machine,
        Snapshot::new(transition.snapshot.execution().clone()),
        Input::Start { input: json(&big) },
        &env,
    );
    assert!(transition.more);
    assert!(transition.history.len() < 20, "{}", transition.history.len());
}

#[test]
fn an_output_over_the_limit_ends_the_execution() {
    let definition = r#"{"StartAt": "P", "States": {"P": {"Type": "Pass", "End": true}}}"#;
    let text = |len: usize| format!("\"{}\"", "x".repeat(len - 2));
    for (len, fits) in [(100, true), (101, false)] {
        let mut world = World::new(definition);
        world.limits = limits(None, Some(100));
        world.give(Input::Start { input: json(&text(len)) });
        assert_eq!(matches!(world.status(), Status::Succeeded(_)), fits, "{len}");
        if !fits {
            assert_eq!(world.failure().error.as_deref(), Some("States.DataLimitExceeded"));
            assert_eq!(
                world.failure().cause.as_deref(),
                Some(
                    "The state/task 'P' returned a result with a size exceeding the maximum number of bytes service limit."
                )
            );
        }
    }
}

/// Source: conformance case `task_lambda_catch_state_all_data_limit_exceeded_on_large_utf8_response`.
#[test]
fn a_result_over_the_limit_is_a_failure_of_the_task_that_catch_sees() {
    let definition = r#"{"StartAt": "T", "States": {
        "T": {"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:f", "End": true,
              "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Caught"}]},
        "Caught": {"Type": "Succeed"}}}"#;
    let mut world = World::started(definition, "{}");
    world.succeed(0, &format!("\"{}\"", "x".repeat(262_144)));
    let output = world.output();
    assert_eq!(output.get("Error").and_then(|e| e.as_str()), Some("States.DataLimitExceeded"));
    assert!(world.types().contains(&"LambdaFunctionFailed"));
}

#[test]
fn a_variable_over_its_limit_is_refused() {
    let definition =
        r#"{"StartAt": "P", "States": {"P": {"Type": "Pass", "Assign": {"v.$": "$"}, "End": true}}}"#;
    let mut world = World::new(definition);
    world.limits = Limits { variable_bytes_max: Some(10), ..Limits::SERVICE };
    world.give(Input::Start { input: json("\"0123456789\"") });
    let failure = world.failure();
    assert_eq!(failure.error.as_deref(), Some("States.DataLimitExceeded"));
    assert!(failure.cause.unwrap().contains("The variable 'v'"));
}
