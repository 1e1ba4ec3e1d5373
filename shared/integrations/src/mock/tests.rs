use std::sync::Arc;

use asl::state::{Pattern, Resource};
use engine::{Call, EffectId, Execution, TaskOutcome};
use model::error::{Failure, RUNTIME};
use model::json::Value;
use model::timestamp::Timestamp;

use super::{Config, Mocks, split_selection};
use crate::tasks::{Answer, Nothing, Tasks};

const FILE: &str = r#"{
  "StateMachines": {
    "Orders": {
      "TestCases": {
        "Happy": { "Charge": "Paid", "Notify": "Sent" },
        "Retry": { "Charge": "PaidLate" }
      }
    },
    "Refunds": { "TestCases": { "Happy": { "Refund": "Paid" } } }
  },
  "MockedResponses": {
    "Paid": { "0": { "Return": { "ok": true } } },
    "PaidLate": {
      "0": { "Throw": { "Error": "Busy", "Cause": "try again" } },
      "1-2": { "Throw": { "Error": "Busy" } },
      "3": { "Return": "late" }
    },
    "Sent": { "0-9": { "Return": null } },
    "Empty": {}
  }
}"#;

/// The messages of a file with errors, each with its pointer.
fn errors(text: &str) -> Vec<(String, String)> {
    match Config::parse(text) {
        Ok(_) => Vec::new(),
        Err(errors) => errors.into_iter().map(|error| (error.pointer, error.message)).collect(),
    }
}

/// A file with one mocked response.
fn with_response(response: &str) -> String {
    format!(
        r#"{{"StateMachines":{{"M":{{"TestCases":{{"T":{{"S":"R"}}}}}}}},"MockedResponses":{{"R":{response}}}}}"#
    )
}

#[test]
fn selection() {
    let config = Config::parse(FILE).unwrap();
    let check = |machine: Option<&str>, name: &str, expected: Result<&str, &str>| {
        let got = config.select(machine, name);
        let got = got.map(|case| case.state_machine.to_string()).map_err(|error| error.to_string());
        assert_eq!(got.as_deref().map_err(String::as_str), expected, "{machine:?} {name}");
    };
    check(Some("Orders"), "Happy", Ok("Orders"));
    check(Some("Refunds"), "Happy", Ok("Refunds"));
    check(None, "Retry", Ok("Orders"));
    check(
        None,
        "Happy",
        Err("test case `Happy` belongs to several state machines: `Orders`, `Refunds`; say which one"),
    );
    check(
        Some("Refunds"),
        "Retry",
        Err("test case `Retry` is not in the mock configuration, which has `Happy`"),
    );
    check(
        Some("Order"),
        "Happy",
        Err("state machine `Order` is not in the mock configuration, which has `Orders`, `Refunds`"),
    );
}

#[test]
fn selections_are_split_at_the_last_hash() {
    for (text, expected) in [
        ("mocks.json#Happy", Some(("mocks.json", "Happy"))),
        ("a#b/mocks.json#Happy", Some(("a#b/mocks.json", "Happy"))),
        ("mocks.json", None),
        ("#Happy", None),
        ("mocks.json#", None),
    ] {
        assert_eq!(split_selection(text), expected, "{text}");
    }
}

#[test]
fn wrong_files_are_refused_with_their_place() {
    let check = |response: &str, pointer: &str, message: &str| {
        let expected = vec![(pointer.to_owned(), message.to_owned())];
        assert_eq!(errors(&with_response(response)), expected, "{response}");
    };
    let ret = r#"{"Return":1}"#;
    check(
        &format!(r#"{{"1":{ret}}}"#),
        "/MockedResponses/R/1",
        "attempt 0 is missing; attempts are counted from 0",
    );
    check(
        &format!(r#"{{"0":{ret},"4-5":{ret}}}"#),
        "/MockedResponses/R/4-5",
        "attempt 1-3 is missing; attempts are counted from 0",
    );
    check(&format!(r#"{{"2":{ret},"0-2":{ret}}}"#), "/MockedResponses/R/2", "attempt 2 is mocked twice");
    for key in ["", "a", "-1", "1-", "+1", "2-1", "1-2-3", "99999999999", "0 "] {
        check(
            &format!(r#"{{"{key}":{ret}}}"#),
            &format!("/MockedResponses/R/{key}"),
            &format!("`{key}` names no attempts; write a number such as `0`, or a range such as `1-2`"),
        );
    }
    let either = "the response to an attempt has one member, either `Return` or `Throw`";
    check(r#"{"0":{}}"#, "/MockedResponses/R/0", either);
    check(r#"{"0":{"Return":1,"Throw":{"Error":"E"}}}"#, "/MockedResponses/R/0", either);
    check(r#"{"0":[]}"#, "/MockedResponses/R/0", "the response to an attempt must be an object, not array");
    check(r#"{"0":{"Throw":{}}}"#, "/MockedResponses/R/0/Throw", "`Throw` needs an `Error`");
    check(r#"{"0":{"Throw":{"Error":1}}}"#, "/MockedResponses/R/0/Throw/Error", "`Error` must be a string");
    check(
        r#"{"0":{"Throw":{"Error":"E","Why":""}}}"#,
        "/MockedResponses/R/0/Throw/Why",
        "`Throw` has `Error` and `Cause`, not `Why`",
    );
    check(&format!(r#"{{"0":{ret},"0":{ret}}}"#), "/MockedResponses/R/0", "`0` is given twice");
}

#[test]
fn wrong_structures_are_refused() {
    let check = |text: &str, expected: &[(&str, &str)]| {
        let expected: Vec<(String, String)> = expected
            .iter()
            .map(|(pointer, message)| ((*pointer).to_owned(), (*message).to_owned()))
            .collect();
        assert_eq!(errors(text), expected, "{text}");
    };
    check("{}", &[("", "`StateMachines` is missing"), ("", "`MockedResponses` is missing")]);
    check("[]", &[("", "a mock configuration must be an object, not array")]);
    check(
        r#"{"StateMachines":{"M":{}},"MockedResponses":{}}"#,
        &[("/StateMachines/M", "`TestCases` is missing")],
    );
    check(
        r#"{"StateMachines":{"M":{"TestCases":{"T":{"S":"X","a/b":1}}}},"MockedResponses":{"R":{}}}"#,
        &[
            ("/StateMachines/M/TestCases/T/S", "`X` is not in `MockedResponses`, which has `R`"),
            ("/StateMachines/M/TestCases/T/a~1b", "state `a/b` needs the name of a mocked response"),
        ],
    );
    let not_json = Config::parse("{\n  \"a\" 1}").unwrap_err();
    assert_eq!(not_json.len(), 1);
    assert_eq!(not_json[0].location.line, 2);
    assert!(not_json[0].to_string().starts_with("2:"), "{}", not_json[0]);
}

#[test]
fn places_are_lines_and_columns() {
    let text = "{\"StateMachines\":{},\n \"MockedResponses\":{\"R\":{\"x\":{\"Return\":1}}}}";
    let error = Config::parse(text).unwrap_err().remove(0);
    assert_eq!((error.location.line, error.location.column), (2, 26));
}

fn machine(text: &str) -> asl::machine::Machine {
    asl::parse(text, &asl::Options::default()).machine.unwrap()
}

#[test]
fn test_cases_are_checked_against_the_definition() {
    let machine = machine(
        r#"{"StartAt":"Charge","States":{
            "Charge":{"Type":"Task","Resource":"arn:aws:lambda:us-east-1:123456789012:function:f","Next":"Notify"},
            "Notify":{"Type":"Pass","End":true}}}"#,
    );
    let config = Config::parse(FILE).unwrap();
    assert_eq!(config.select(None, "Retry").unwrap().check(&machine), Ok(()));
    let messages = |case: &str, of: &str| -> Vec<String> {
        let errors = config.select(Some(of), case).unwrap().check(&machine).unwrap_err();
        errors.iter().map(ToString::to_string).collect()
    };
    assert_eq!(
        messages("Happy", "Orders"),
        [
            "5:38: state `Notify` is a Pass state; only Task states have mocked responses (at /StateMachines/Orders/TestCases/Happy/Notify)"
        ]
    );
    assert_eq!(
        messages("Happy", "Refunds"),
        [
            "9:44: state `Refund` is not in the definition, whose Task states are `Charge` (at /StateMachines/Refunds/TestCases/Happy/Refund)"
        ]
    );
}

fn resource() -> Resource {
    Resource::Integration {
        arn: "arn:aws:states:::sqs:sendMessage".into(),
        service: "sqs".into(),
        action: "sendMessage".into(),
        pattern: Pattern::RequestResponse,
    }
}

fn call(state: &str) -> Call {
    Call {
        effect: EffectId(1),
        state: state.into(),
        iteration: Vec::new(),
        resource: resource(),
        parameters: Value::Null,
        role_arn: None,
        token: None,
        timeout_seconds: None,
        heartbeat_seconds: None,
        retry_count: 0,
    }
}

fn execution(name: &str) -> Execution {
    Execution {
        arn: format!("arn:aws:states:us-east-1:123456789012:execution:m:{name}").into(),
        name: name.into(),
        role_arn: "".into(),
        state_machine_arn: "".into(),
        state_machine_name: "m".into(),
        state_machine_version_arn: None,
        state_machine_alias_arn: None,
        region: "us-east-1".into(),
        started_at: Timestamp::EPOCH,
        synchronous: false,
    }
}

#[tokio::test]
async fn attempts_are_counted_per_state_and_execution() {
    let config = Config::parse(FILE).unwrap();
    let mocks = Mocks::new(config.select(None, "Retry").unwrap(), Arc::new(Nothing));
    let mut answers = Vec::new();
    for execution_name in ["a", "a", "b", "a", "a", "a"] {
        match mocks.call(&call("Charge"), &execution(execution_name)).await {
            Answer::Settled(outcome) => answers.push(outcome),
            other => panic!("a mock answered {other:?}"),
        }
    }
    let first = TaskOutcome::failed(Failure::new("Busy", "try again"));
    let again = TaskOutcome::failed(Failure::named("Busy"));
    let exhausted = TaskOutcome::failed(Failure::new(
        RUNTIME,
        "mocked response `PaidLate` has 4 attempts; state `Charge` made attempt 4, counted from 0",
    ));
    let late = TaskOutcome::Succeeded("late".into());
    assert_eq!(answers, [first.clone(), again.clone(), first, again, late, exhausted]);
}

#[tokio::test]
async fn states_without_a_mock_are_handed_on() {
    let config = Config::parse(FILE).unwrap();
    let mocks = Mocks::new(config.select(None, "Retry").unwrap(), Arc::new(Nothing));
    assert_eq!(mocks.callable("Charge", &resource()), Ok(()));
    assert!(mocks.callable("Other", &resource()).is_err());
    let answer = mocks.call(&call("Other"), &execution("a")).await;
    let Answer::Settled(TaskOutcome::Failed { failure, .. }) = answer else { panic!("{answer:?}") };
    assert_eq!(failure.error.as_deref(), Some(RUNTIME));
}

#[tokio::test]
async fn a_response_without_attempts_fails_its_state() {
    let text = with_response("{}");
    let config = Config::parse(&text).unwrap();
    let mocks = Mocks::new(config.select(None, "T").unwrap(), Arc::new(Nothing));
    let answer = mocks.call(&call("S"), &execution("a")).await;
    let cause = "mocked response `R` has 0 attempts; state `S` made attempt 0, counted from 0";
    assert_eq!(answer, Answer::Settled(TaskOutcome::failed(Failure::new(RUNTIME, cause))));
}
