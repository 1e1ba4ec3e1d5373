//! Parallel and inline Map: order, concurrency, failure, scopes.

use crate::world::{World, json};

const TASK: &str = r#""Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:f""#;

fn map(fields: &str) -> String {
    format!(
        r#"{{"StartAt": "M", "States": {{"M": {{"Type": "Map", {fields} "End": true,
            "ItemProcessor": {{"StartAt": "T", "States": {{"T": {{{TASK}, "End": true}}}}}}}}}}}}"#
    )
}

#[test]
fn results_stand_in_the_order_of_the_items() {
    let mut world = World::started(&map(""), "[1,2,3]");
    assert_eq!(world.calls.len(), 3);
    for (call, output) in [(2, "30"), (0, "10"), (1, "20")] {
        world.succeed(call, output);
    }
    assert_eq!(world.output(), json("[10,20,30]"));
    assert_eq!(world.calls[1].iteration, [engine::Iteration { map: "M".into(), index: 1 }]);
}

#[test]
fn concurrency_is_bounded_by_the_field_and_by_the_engine() {
    let mut world = World::started(&map(r#""MaxConcurrency": 2,"#), "[1,2,3]");
    assert_eq!(world.calls.len(), 2);
    world.succeed(1, "20");
    assert_eq!(world.calls.len(), 3);
    let last_started = world.history.iter().rfind(|e| e.event.type_name() == "MapIterationStarted").unwrap();
    let freed_by = world.history.iter().rfind(|e| e.event.type_name() == "TaskStateExited").unwrap();
    assert_eq!(last_started.previous_event_id, freed_by.id);

    let items: Vec<String> = (0..100).map(|n| n.to_string()).collect();
    let world = World::started(&map(""), &format!("[{}]", items.join(",")));
    assert_eq!(world.calls.len(), 40);
}

#[test]
fn a_failed_iteration_gives_the_others_up() {
    let mut world = World::started(&map(""), "[1,2,3]");
    world.fail(1, "Broken");
    assert_eq!(world.failure().error.as_deref(), Some("Broken"));
    assert_eq!(world.cancelled, [world.calls[0].effect, world.calls[2].effect]);
    let tail: Vec<_> = world.types().into_iter().skip_while(|t| *t != "LambdaFunctionFailed").collect();
    assert_eq!(
        tail,
        [
            "LambdaFunctionFailed",
            "MapIterationFailed",
            "TaskStateAborted",
            "MapIterationAborted",
            "TaskStateAborted",
            "MapIterationAborted",
            "MapStateFailed",
            "ExecutionFailed"
        ]
    );
    world.check_history();
}

#[test]
fn nothing_to_map_over() {
    let world = World::started(&map(""), "[]");
    assert_eq!(world.output(), json("[]"));
    assert_eq!(
        world.types()[2..],
        ["MapStateStarted", "MapStateSucceeded", "MapStateExited", "ExecutionSucceeded"]
    );
}

#[test]
fn a_failed_branch_aborts_the_rest_innermost_first() {
    let definition = format!(
        r#"{{"StartAt": "P", "States": {{"P": {{"Type": "Parallel", "End": true, "Branches": [
            {{"StartAt": "A", "States": {{"A": {{{TASK}, "End": true}}}}}},
            {{"StartAt": "M", "States": {{"M": {{"Type": "Map", "ItemsPath": "$.items", "End": true,
                "ItemProcessor": {{"StartAt": "W", "States": {{"W": {{"Type": "Wait", "Seconds": 9, "End": true}}}}}}}}}}}}
        ]}}}}}}"#
    );
    let mut world = World::started(&definition, r#"{"items": [1]}"#);
    world.fail(0, "Broken");
    let tail: Vec<_> =
        world.types().into_iter().skip_while(|t| *t != "LambdaFunctionFailed").skip(1).collect();
    assert_eq!(
        tail,
        [
            "TaskStateAborted",
            "WaitStateAborted",
            "MapIterationAborted",
            "MapStateAborted",
            "ParallelStateFailed",
            "ExecutionFailed"
        ]
    );
    world.check_history();
}

#[test]
fn a_retried_map_starts_anew() {
    let mut world = World::started(
        &map(r#""Retry": [{"ErrorEquals": ["States.ALL"], "MaxAttempts": 1, "IntervalSeconds": 5}],"#),
        "[1,2]",
    );
    world.fail(0, "Broken");
    assert_eq!(world.calls.len(), 2);
    world.pass_seconds(5);
    assert_eq!(world.calls.len(), 4);
    world.succeed(2, "1");
    world.succeed(3, "2");
    assert_eq!(world.output(), json("[1,2]"));
    assert!(!world.types().contains(&"MapStateFailed"));
    world.check_history();
}

#[test]
fn variables_of_a_branch_stay_in_it_and_outer_ones_are_read() {
    let world = World::started(
        r#"{"StartAt": "Set", "States": {
            "Set": {"Type": "Pass", "Assign": {"outer": 1}, "Next": "P"},
            "P": {"Type": "Parallel", "Next": "Read", "ResultPath": "$.branches", "Branches": [
                {"StartAt": "B", "States": {
                    "B": {"Type": "Pass", "Assign": {"inner.$": "States.MathAdd($outer, 1)"}, "Next": "C"},
                    "C": {"Type": "Pass", "Parameters": {"sum.$": "States.MathAdd($outer, $inner)"}, "End": true}}}]},
            "Read": {"Type": "Pass", "Parameters": {"outer.$": "$outer", "branches.$": "$.branches"}, "End": true}}}"#,
        "{}",
    );
    assert_eq!(world.output(), json(r#"{"outer": 1, "branches": [{"sum": 3}]}"#));
}

#[test]
fn the_item_is_in_the_context_of_all_its_states() {
    let world = World::started(
        r#"{"StartAt": "M", "States": {"M": {"Type": "Map", "ItemsPath": "$.items", "End": true,
            "ItemSelector": {"n.$": "$$.Map.Item.Index", "v.$": "$$.Map.Item.Value", "all.$": "$.items"},
            "ItemProcessor": {"StartAt": "P", "States": {"P": {"Type": "Pass",
                "Parameters": {"in.$": "$.all", "i.$": "$$.Map.Item.Index", "v.$": "$$.Map.Item.Value"}, "End": true}}}}}}"#,
        r#"{"items": ["a", "b"]}"#,
    );
    assert_eq!(
        world.output(),
        json(r#"[{"in": ["a","b"], "i": 0, "v": "a"}, {"in": ["a","b"], "i": 1, "v": "b"}]"#)
    );
}

/// Source: conformance cases `test-state/state_context_object/state_map_context_object`.
#[test]
fn what_is_no_array_is_named_from_its_root() {
    for (path, shown) in [("$", "$"), ("$.a", "$.a"), ("$$.Execution.Input", "$.Execution.Input")] {
        let world = World::started(&map(&format!(r#""ItemsPath": "{path}","#)), r#"{"a": 1}"#);
        let expected = format!("Reference path \"{shown}\" must point to array.");
        assert!(world.failure().cause.unwrap().ends_with(&expected), "{path}");
        assert_eq!(world.failure().error.as_deref(), Some("States.Runtime"));
    }
}
