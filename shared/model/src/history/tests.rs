use std::collections::HashSet;

use proptest::prelude::*;

use super::*;
use crate::error::TIMEOUT;

fn v(text: &str) -> Value {
    Value::parse(text).unwrap()
}

fn entry(event: Event) -> HistoryEvent {
    HistoryEvent { id: 7, previous_event_id: 6, timestamp: Timestamp::from_millis(1_704_164_645_678), event }
}

fn entered() -> StateEntered {
    StateEntered { name: "S".into(), input: v(r#"{"b":1,"a":[null]}"#) }
}

fn exited(assigned: Option<&str>) -> StateExited {
    let assigned_variables = assigned.map(v);
    StateExited { name: "S".into(), output: v("\"x\""), assigned_variables }
}

fn failure() -> Failure {
    Failure::new("E", "why")
}

fn iteration() -> MapIteration {
    MapIteration { name: "M".into(), index: 3 }
}

fn task_failed() -> TaskFailed {
    TaskFailed {
        resource_type: "sqs".into(),
        resource: "sendMessage".into(),
        error: Some("E".into()),
        cause: Some("why".into()),
    }
}

fn task_output() -> TaskOutput {
    TaskOutput { resource_type: "sqs".into(), resource: "sendMessage".into(), output: v("[1]") }
}

/// One event of each type.
fn one_of_each() -> Vec<Event> {
    let output = || Output { output: v("{}") };
    vec![
        Event::ActivityFailed(failure()),
        Event::ActivityScheduled(ActivityScheduled {
            resource: "arn".into(),
            input: v("{}"),
            timeout_in_seconds: Some(60),
            heartbeat_in_seconds: Some(10),
        }),
        Event::ActivityScheduleFailed(failure()),
        Event::ActivityStarted(ActivityStarted { worker_name: Some("w".into()) }),
        Event::ActivitySucceeded(output()),
        Event::ActivityTimedOut(Failure::named(TIMEOUT)),
        Event::ChoiceStateEntered(entered()),
        Event::ChoiceStateExited(exited(None)),
        Event::EvaluationFailed(EvaluationFailed {
            error: "States.QueryEvaluationError".into(),
            cause: "why".into(),
            location: Some("Output".into()),
            state: "S".into(),
        }),
        Event::ExecutionAborted(Failure::default()),
        Event::ExecutionFailed(failure()),
        Event::ExecutionRedriven(ExecutionRedriven { redrive_count: 1 }),
        Event::ExecutionStarted(ExecutionStarted {
            input: v("{}"),
            role_arn: "role".into(),
            state_machine_alias_arn: Some("alias".into()),
            state_machine_version_arn: Some("version".into()),
        }),
        Event::ExecutionSucceeded(output()),
        Event::ExecutionTimedOut(Failure::named(TIMEOUT)),
        Event::FailStateEntered(entered()),
        Event::LambdaFunctionFailed(failure()),
        Event::LambdaFunctionScheduled(LambdaFunctionScheduled {
            resource: "arn".into(),
            input: v("null"),
            timeout_in_seconds: Some(5),
            task_credentials: Some(TaskCredentials { role_arn: "role".into() }),
        }),
        Event::LambdaFunctionScheduleFailed(failure()),
        Event::LambdaFunctionStarted,
        Event::LambdaFunctionStartFailed(failure()),
        Event::LambdaFunctionSucceeded(output()),
        Event::LambdaFunctionTimedOut(Failure::named(TIMEOUT)),
        Event::MapIterationAborted(iteration()),
        Event::MapIterationFailed(iteration()),
        Event::MapIterationStarted(iteration()),
        Event::MapIterationSucceeded(iteration()),
        Event::MapRunAborted,
        Event::MapRunFailed(failure()),
        Event::MapRunRedriven(MapRunRedriven { map_run_arn: "run".into(), redrive_count: 2 }),
        Event::MapRunStarted(MapRunStarted { map_run_arn: "run".into() }),
        Event::MapRunSucceeded,
        Event::MapStateAborted,
        Event::MapStateEntered(entered()),
        Event::MapStateExited(exited(None)),
        Event::MapStateFailed,
        Event::MapStateStarted(MapStateStarted { length: 3 }),
        Event::MapStateSucceeded,
        Event::ParallelStateAborted,
        Event::ParallelStateEntered(entered()),
        Event::ParallelStateExited(exited(None)),
        Event::ParallelStateFailed,
        Event::ParallelStateStarted,
        Event::ParallelStateSucceeded,
        Event::PassStateEntered(entered()),
        Event::PassStateExited(exited(Some(r#"{"x":{"y":1},"z":null}"#))),
        Event::SucceedStateEntered(entered()),
        Event::SucceedStateExited(exited(None)),
        Event::TaskFailed(task_failed()),
        Event::TaskScheduled(TaskScheduled {
            resource_type: "lambda".into(),
            resource: "invoke".into(),
            region: "us-east-1".into(),
            parameters: v(r#"{"Payload":{}}"#),
            timeout_in_seconds: Some(2),
            heartbeat_in_seconds: Some(1),
            task_credentials: Some(TaskCredentials { role_arn: "role".into() }),
        }),
        Event::TaskStarted(TaskStarted { resource_type: "lambda".into(), resource: "invoke".into() }),
        Event::TaskStartFailed(task_failed()),
        Event::TaskStateAborted,
        Event::TaskStateEntered(entered()),
        Event::TaskStateExited(exited(None)),
        Event::TaskSubmitFailed(task_failed()),
        Event::TaskSubmitted(task_output()),
        Event::TaskSucceeded(task_output()),
        Event::TaskTimedOut(task_failed()),
        Event::WaitStateAborted,
        Event::WaitStateEntered(entered()),
        Event::WaitStateExited(exited(None)),
    ]
}

/// The enumeration `HistoryEventType` of the API reference, in its order.
const API_TYPES: &str = "
    ActivityFailed ActivityScheduled ActivityScheduleFailed ActivityStarted ActivitySucceeded ActivityTimedOut
    ChoiceStateEntered ChoiceStateExited
    ExecutionAborted ExecutionFailed ExecutionStarted ExecutionSucceeded ExecutionTimedOut
    FailStateEntered
    LambdaFunctionFailed LambdaFunctionScheduled LambdaFunctionScheduleFailed LambdaFunctionStarted
    LambdaFunctionStartFailed LambdaFunctionSucceeded LambdaFunctionTimedOut
    MapIterationAborted MapIterationFailed MapIterationStarted MapIterationSucceeded
    MapStateAborted MapStateEntered MapStateExited MapStateFailed MapStateStarted MapStateSucceeded
    ParallelStateAborted ParallelStateEntered ParallelStateExited ParallelStateFailed ParallelStateStarted
    ParallelStateSucceeded
    PassStateEntered PassStateExited
    SucceedStateEntered SucceedStateExited
    TaskFailed TaskScheduled TaskStarted TaskStartFailed TaskStateAborted TaskStateEntered TaskStateExited
    TaskSubmitFailed TaskSubmitted TaskSucceeded TaskTimedOut
    WaitStateAborted WaitStateEntered WaitStateExited
    MapRunAborted MapRunFailed MapRunStarted MapRunSucceeded
    ExecutionRedriven MapRunRedriven
    EvaluationFailed";

/// The members of the API's HistoryEvent that hold details.
const API_DETAILS: &str = "
    activityFailed activityScheduleFailed activityScheduled activityStarted activitySucceeded activityTimedOut
    taskFailed taskScheduled taskStartFailed taskStarted taskSubmitFailed taskSubmitted taskSucceeded taskTimedOut
    executionFailed executionStarted executionSucceeded executionAborted executionTimedOut executionRedriven
    mapStateStarted mapIterationStarted mapIterationSucceeded mapIterationFailed mapIterationAborted
    lambdaFunctionFailed lambdaFunctionScheduleFailed lambdaFunctionScheduled lambdaFunctionStartFailed
    lambdaFunctionSucceeded lambdaFunctionTimedOut stateEntered stateExited
    mapRunStarted mapRunFailed mapRunRedriven evaluationFailed";

#[test]
fn types_are_the_apis() {
    let api: HashSet<&str> = API_TYPES.split_whitespace().collect();
    assert_eq!(api.len(), 62);
    assert_eq!(TYPE_NAMES.into_iter().collect::<HashSet<_>>(), api);
    let names: Vec<&str> = one_of_each().iter().map(Event::type_name).collect();
    assert_eq!(names, TYPE_NAMES);
}

#[test]
fn details_keys_are_the_apis() {
    let api: HashSet<String> =
        API_DETAILS.split_whitespace().map(|key| format!("{key}EventDetails")).collect();
    let ours: HashSet<String> =
        one_of_each().iter().filter_map(Event::details_key).map(String::from).collect();
    assert_eq!(ours, api);
    // But for states, the key is the type.
    for event in one_of_each() {
        let (name, Some(key)) = (event.type_name(), event.details_key()) else { continue };
        let (first, rest) = name.split_at(1);
        let of_type = format!("{}{rest}EventDetails", first.to_lowercase());
        let of_state = ["stateEnteredEventDetails", "stateExitedEventDetails"];
        assert!(key == of_type || (of_state.contains(&key) && name.contains("State")), "{name}: {key}");
    }
}

#[test]
fn details_as_the_api_shows_them() {
    let check = |event: Event, expected: &str| {
        assert_eq!(event.details(true).unwrap_or_default().to_json(), expected, "{event:?}");
    };
    check(
        Event::WaitStateEntered(entered()),
        r#"{"name":"S","input":"{\"b\":1,\"a\":[null]}","inputDetails":{"truncated":false}}"#,
    );
    check(
        Event::WaitStateExited(exited(None)),
        r#"{"name":"S","output":"\"x\"","outputDetails":{"truncated":false}}"#,
    );
    check(
        Event::WaitStateExited(exited(Some(r#"{"v":{"y":1},"w":"t"}"#))),
        r#"{"name":"S","output":"\"x\"","outputDetails":{"truncated":false},"assignedVariables":{"v":"{\"y\":1}","w":"\"t\""},"assignedVariablesDetails":{"truncated":false}}"#,
    );
    check(Event::ExecutionFailed(Failure::default()), "{}");
    check(Event::ExecutionFailed(failure()), r#"{"error":"E","cause":"why"}"#);
    check(Event::ActivityStarted(ActivityStarted::default()), "{}");
    check(Event::MapIterationStarted(iteration()), r#"{"name":"M","index":3}"#);
    check(Event::MapStateStarted(MapStateStarted { length: 0 }), r#"{"length":0}"#);
    check(Event::MapStateSucceeded, "null");
    check(
        Event::TaskSubmitted(task_output()),
        r#"{"resourceType":"sqs","resource":"sendMessage","output":"[1]","outputDetails":{"truncated":false}}"#,
    );
    check(
        Event::TaskTimedOut(task_failed()),
        r#"{"resourceType":"sqs","resource":"sendMessage","error":"E","cause":"why"}"#,
    );
    let of_type = |name: &str| one_of_each().into_iter().find(|event| event.type_name() == name).unwrap();
    check(
        of_type("TaskScheduled"),
        r#"{"resourceType":"lambda","resource":"invoke","region":"us-east-1","parameters":"{\"Payload\":{}}","timeoutInSeconds":2,"heartbeatInSeconds":1,"taskCredentials":{"roleArn":"role"}}"#,
    );
    check(
        of_type("LambdaFunctionScheduled"),
        r#"{"resource":"arn","input":"null","inputDetails":{"truncated":false},"timeoutInSeconds":5,"taskCredentials":{"roleArn":"role"}}"#,
    );
    check(
        of_type("ActivityScheduled"),
        r#"{"resource":"arn","input":"{}","inputDetails":{"truncated":false},"timeoutInSeconds":60,"heartbeatInSeconds":10}"#,
    );
    check(of_type("ActivityStarted"), r#"{"workerName":"w"}"#);
    check(
        of_type("ExecutionStarted"),
        r#"{"input":"{}","inputDetails":{"truncated":false},"roleArn":"role","stateMachineAliasArn":"alias","stateMachineVersionArn":"version"}"#,
    );
    check(of_type("ExecutionSucceeded"), r#"{"output":"{}","outputDetails":{"truncated":false}}"#);
    check(of_type("ExecutionRedriven"), r#"{"redriveCount":1}"#);
    check(of_type("MapRunStarted"), r#"{"mapRunArn":"run"}"#);
    check(of_type("MapRunRedriven"), r#"{"mapRunArn":"run","redriveCount":2}"#);
    check(of_type("TaskStarted"), r#"{"resourceType":"lambda","resource":"invoke"}"#);
    check(
        of_type("EvaluationFailed"),
        r#"{"error":"States.QueryEvaluationError","cause":"why","location":"Output","state":"S"}"#,
    );
}

#[test]
fn api_form() {
    let check = |event: Event, include_execution_data: bool, expected: &str| {
        assert_eq!(entry(event).to_api(include_execution_data).to_json(), expected);
    };
    let head =
        |name: &str| format!(r#"{{"timestamp":1704164645.678,"type":"{name}","id":7,"previousEventId":6"#);
    check(Event::MapStateFailed, true, &format!("{}}}", head("MapStateFailed")));
    check(
        Event::ExecutionSucceeded(Output { output: v("1") }),
        true,
        &format!(
            r#"{},"executionSucceededEventDetails":{{"output":"1","outputDetails":{{"truncated":false}}}}}}"#,
            head("ExecutionSucceeded")
        ),
    );
    check(
        Event::ExecutionSucceeded(Output { output: v("1") }),
        false,
        &format!(r#"{},"executionSucceededEventDetails":{{}}}}"#, head("ExecutionSucceeded")),
    );
}

/// Everything that [`without_execution_data_no_payload_is_shown`] leaves out is visited, and
/// nothing else; what was replaced can be put back, also after the event was stored.
#[test]
fn every_payload_is_visited() {
    for event in one_of_each() {
        let name = event.type_name();
        let shown = event.details(true).unwrap_or_default();
        let members = ["input", "output", "parameters", "assignedVariables"];
        let payloads = members.iter().filter(|member| shown.get(member).is_some()).count();
        let whole = entry(event);
        let mut emptied = whole.clone();
        let mut kept = Vec::new();
        emptied.visit_payloads(&mut |payload| {
            kept.push(std::mem::replace(payload, Value::from(format!("payload {}", kept.len()))));
        });
        assert_eq!(kept.len(), payloads, "{name}");
        let stored = serde_json::to_string(&emptied).unwrap();
        let mut restored: HistoryEvent = serde_json::from_str(&stored).unwrap();
        assert_eq!(restored, emptied, "{name}");
        let mut kept = kept.into_iter();
        restored.visit_payloads(&mut |payload| *payload = kept.next().unwrap());
        assert_eq!(restored, whole, "{name}");
    }
}

#[test]
fn without_execution_data_no_payload_is_shown() {
    let payloads = ["input", "output", "parameters", "assignedVariables"];
    let details = |name: &str| format!("{name}Details");
    for event in one_of_each() {
        let (with, without) = (event.details(true), event.details(false));
        assert_eq!(with.is_some(), without.is_some());
        let (Some(Value::Object(with)), Some(Value::Object(without))) = (with, without) else { continue };
        for (name, value) in with.iter() {
            let is_payload = payloads.iter().any(|payload| name == payload || *name == details(payload));
            assert_eq!(without.get(name), (!is_payload).then_some(value), "{} {name}", event.type_name());
        }
        assert!(without.len() <= with.len());
    }
}

#[test]
fn every_type_is_stored_and_loaded() {
    for event in one_of_each() {
        let stored = serde_json::to_string(&entry(event.clone())).unwrap();
        assert_eq!(serde_json::from_str::<HistoryEvent>(&stored).unwrap(), entry(event), "{stored}");
    }
}

#[test]
fn stored_form_is_stable() {
    let check = |event: Event, expected: &str| {
        assert_eq!(serde_json::to_string(&entry(event)).unwrap(), expected);
    };
    check(
        Event::MapRunSucceeded,
        r#"{"id":7,"previous_event_id":6,"timestamp":1704164645678,"event":"MapRunSucceeded"}"#,
    );
    check(
        Event::PassStateExited(exited(Some(r#"{"x":1}"#))),
        r#"{"id":7,"previous_event_id":6,"timestamp":1704164645678,"event":{"PassStateExited":{"name":"S","output":"\"x\"","assigned_variables":"{\"x\":1}"}}}"#,
    );
    check(
        Event::ExecutionFailed(Failure::named("E")),
        r#"{"id":7,"previous_event_id":6,"timestamp":1704164645678,"event":{"ExecutionFailed":{"error":"E","cause":null}}}"#,
    );
}

#[test]
fn broken_records_are_refused() {
    for stored in [
        r#"{"id":1,"previous_event_id":0,"timestamp":0,"event":"Nothing"}"#,
        r#"{"id":-1,"previous_event_id":0,"timestamp":0,"event":"MapRunSucceeded"}"#,
        r#"{"id":1,"previous_event_id":0,"timestamp":0,"event":{"PassStateEntered":{"name":"S","input":"{"}}}"#,
        r#"{"id":1,"previous_event_id":0,"timestamp":0,"event":{"PassStateEntered":{"name":"S"}}}"#,
        r#"{"id":1,"previous_event_id":0,"timestamp":0,"event":{"PassStateExited":{"name":"S","output":"1","assigned_variables":"["}}}"#,
    ] {
        assert!(serde_json::from_str::<HistoryEvent>(stored).is_err(), "{stored}");
    }
}

/// Neither many levels nor long integers are lost on the way through a record.
#[test]
fn any_payload_can_be_stored() {
    let deep = format!("{}{}", "[".repeat(900), "]".repeat(900));
    for text in ["12345678901234567890123", "1.0", "-0.5", "\"\\u0000\\\"\"", "null", &deep] {
        let event = entry(Event::PassStateEntered(StateEntered { name: "S".into(), input: v(text) }));
        let stored = serde_json::to_string(&event).unwrap();
        let loaded: HistoryEvent = serde_json::from_str(&stored).unwrap();
        assert_eq!(loaded.to_api(true).to_json(), event.to_api(true).to_json());
        assert_eq!(loaded, event);
    }
}

#[test]
fn payloads_are_shared_with_the_event() {
    let input = v(r#"{"a":1}"#);
    let event = Event::PassStateEntered(StateEntered { name: "S".into(), input: input.clone() });
    let Event::PassStateEntered(copy) = event.clone() else { unreachable!() };
    assert!(copy.input.as_object().unwrap().ptr_eq(input.as_object().unwrap()));
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[1-9][0-9]{20,30}".prop_map(|digits| Value::Number(crate::json::Number::Big(digits.into()))),
        (-1e9..1e9).prop_map(|n| Value::Number(crate::json::Number::Float(n))),
        "\\PC{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec(("\\PC{0,6}", inner), 0..4)
                .prop_map(|members| members.into_iter().collect()),
        ]
    })
}

proptest! {
    #[test]
    fn storing_then_loading_is_identity(
        id in any::<u64>(),
        previous_event_id in any::<u64>(),
        millis in any::<i64>(),
        name in "\\PC{0,80}",
        input in value(),
        variables in proptest::option::of(proptest::collection::vec(("[a-z]{1,4}", value()), 0..4)),
    ) {
        let assigned_variables = variables.map(|variables| {
            variables.into_iter().collect::<Value>()
        });
        let events = [
            Event::TaskStateExited(StateExited { name: name.as_str().into(), output: input.clone(), assigned_variables }),
            Event::FailStateEntered(StateEntered { name: name.as_str().into(), input: input.clone() }),
            Event::TaskSubmitted(TaskOutput { output: input, ..task_output() }),
        ];
        for event in events {
            let entry = HistoryEvent { id, previous_event_id, timestamp: Timestamp::from_millis(millis), event };
            let stored = serde_json::to_string(&entry).unwrap();
            prop_assert_eq!(serde_json::from_str::<HistoryEvent>(&stored).unwrap(), entry);
        }
    }

    #[test]
    fn payload_text_reads_back(input in value()) {
        let details = Event::PassStateEntered(StateEntered { name: "S".into(), input: input.clone() }).details(true).unwrap();
        prop_assert_eq!(v(details.get("input").unwrap().as_str().unwrap()), input);
    }
}
