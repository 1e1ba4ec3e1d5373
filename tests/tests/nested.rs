//! Executions that tasks start, on `stepwright dev`: what is waited for, what is told, what is stopped.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic, in its helpers too")]

use std::thread;
use std::time::{Duration, Instant};

use model::json::Value;
use tests::dev_server::DevServer;
use tests::http::Connection;

/// A server with state machines, and a connection to it.
struct Scene {
    connection: Connection,
    server: DevServer,
    _folder: tempfile::TempDir,
}

const MACHINES: &str = "arn:aws:states:us-east-1:123456789012:stateMachine:";

impl Scene {
    fn new(machines: &[(&str, &str)]) -> Scene {
        let folder = tempfile::tempdir().unwrap();
        let server = DevServer::start(folder.path(), &["--in-memory"]).unwrap();
        let connection = Connection::open(server.address).unwrap();
        let mut scene = Scene { connection, server, _folder: folder };
        for (name, definition) in machines {
            let role = "arn:aws:iam::123456789012:role/r";
            let (status, answer) = scene.call(
                "CreateStateMachine",
                &[("name", (*name).into()), ("definition", (*definition).into()), ("roleArn", role.into())],
            );
            assert_eq!(status, 200, "{answer}");
        }
        scene
    }

    fn call(&mut self, operation: &str, members: &[(&str, Value)]) -> (u16, Value) {
        let request: Value = members.iter().map(|(name, value)| (*name, value.clone())).collect();
        let message = self.connection.call(operation, &request).unwrap();
        (message.status(), message.json().unwrap_or_default())
    }

    fn start(&mut self, machine: &str, name: &str, input: &str) -> String {
        let arn = format!("{MACHINES}{machine}");
        let members =
            [("stateMachineArn", arn.as_str().into()), ("name", name.into()), ("input", input.into())];
        let (status, answer) = self.call("StartExecution", &members);
        assert_eq!(status, 200, "{answer}");
        text(&answer, "executionArn")
    }

    fn describe(&mut self, arn: &str) -> Value {
        self.call("DescribeExecution", &[("executionArn", arn.into())]).1
    }

    /// The execution, once its status is another than `status`.
    fn after(&mut self, arn: &str, status: &str) -> Value {
        let since = Instant::now();
        loop {
            let found = self.describe(arn);
            if text(&found, "status") != status || since.elapsed() > Duration::from_secs(60) {
                return found;
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn ended(&mut self, arn: &str) -> Value {
        self.after(arn, "RUNNING")
    }

    fn children(&mut self, machine: &str) -> Vec<(String, String)> {
        let arn = format!("{MACHINES}{machine}");
        let (_, listed) = self.call("ListExecutions", &[("stateMachineArn", arn.as_str().into())]);
        let listed = listed.get("executions").and_then(Value::as_array).unwrap();
        listed.iter().map(|one| (text(one, "executionArn"), text(one, "status"))).collect()
    }
}

fn text(value: &Value, name: &str) -> String {
    value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn json(value: &Value, name: &str) -> Value {
    Value::parse(&text(value, name)).unwrap_or_default()
}

fn names(value: &Value) -> Vec<&str> {
    value.as_object().map(|object| object.keys().map(|name| name.as_str()).collect()).unwrap_or_default()
}

/// A state machine that starts `child` with its input.
fn starts(child: &str, pattern: &str, more: &str) -> String {
    format!(
        r#"{{"StartAt":"Start","States":{{"Start":{{"Type":"Task","Resource":"arn:aws:states:::states:startExecution{pattern}","Parameters":{{"StateMachineArn":"{MACHINES}{child}","Input.$":"$"}},{more}"End":true}}}}}}"#
    )
}

const ECHO: &str = r#"{"StartAt":"Pass","States":{"Pass":{"Type":"Pass","End":true}}}"#;
const FAIL: &str =
    r#"{"StartAt":"Fail","States":{"Fail":{"Type":"Fail","Error":"Broken","Cause":"it broke"}}}"#;
const WAIT: &str = r#"{"StartAt":"Wait","States":{"Wait":{"Type":"Wait","Seconds":3600,"End":true}}}"#;
/// Takes as long as a timer.
const BRIEF: &str = r#"{"StartAt":"Wait","States":{"Wait":{"Type":"Wait","Seconds":1,"End":true}}}"#;

#[test]
fn the_patterns_give_what_the_service_records() {
    let mut scene = Scene::new(&[
        ("echo", ECHO),
        ("plain", &starts("echo", "", "")),
        ("sync", &starts("echo", ".sync", "")),
        ("sync2", &starts("echo", ".sync:2", "")),
    ]);
    let plain = scene.start("plain", "p", "{}");
    let output = json(&scene.ended(&plain), "output");
    assert_eq!(names(&output), ["ExecutionArn", "SdkHttpMetadata", "SdkResponseMetadata", "StartDate"]);
    assert!(output.get("StartDate").unwrap().as_i64().is_some_and(|millis| millis > 1_600_000_000_000));
    let described = [
        "ExecutionArn",
        "Input",
        "InputDetails",
        "Name",
        "Output",
        "OutputDetails",
        "StartDate",
        "StateMachineArn",
        "Status",
        "StopDate",
    ];
    for (machine, given) in [("sync", r#""{\"a\":1}""#), ("sync2", r#"{"a":1}"#)] {
        let parent = scene.start(machine, "p", r#"{"a":1}"#);
        let output = json(&scene.ended(&parent), "output");
        assert_eq!(names(&output), described, "{machine}");
        for name in ["Input", "Output"] {
            assert_eq!(output.get(name).unwrap().to_json(), given, "{machine}");
        }
    }
    assert!(scene.server.is_healthy());
}

#[test]
fn a_parent_hears_at_once_of_the_end() {
    let mut scene = Scene::new(&[("brief", BRIEF), ("parent", &starts("brief", ".sync:2", ""))]);
    let began = Instant::now();
    let parent = scene.start("parent", "p", "{}");
    let found = scene.ended(&parent);
    assert_eq!(text(&found, "status"), "SUCCEEDED", "{found}");
    // It is told, and does not wait for its next look; the bound is far from both on a busy machine.
    let (_, history) = scene.call("GetExecutionHistory", &[("executionArn", parent.as_str().into())]);
    let types: Vec<String> = history
        .get("events")
        .and_then(Value::as_array)
        .unwrap()
        .iter()
        .map(|event| text(event, "type"))
        .collect();
    let expected = [
        "ExecutionStarted",
        "TaskStateEntered",
        "TaskScheduled",
        "TaskStarted",
        "TaskSubmitted",
        "TaskSucceeded",
        "TaskStateExited",
        "ExecutionSucceeded",
    ];
    assert_eq!(types, expected, "{found}");
    println!("the parent ended after {:?}", began.elapsed());
}

#[test]
fn a_child_that_fails_fails_its_task() {
    let caught = r#""Catch":[{"ErrorEquals":["States.TaskFailed"],"ResultPath":"$.caught","Next":"End"}],"Next":"End"},"End":{"Type":"Pass","#;
    let mut scene = Scene::new(&[
        ("fail", FAIL),
        ("caught", &starts("fail", ".sync", caught)),
        ("absent", &starts("nothing", ".sync", "")),
    ]);
    let parent = scene.start("caught", "p", "{}");
    let output = json(&scene.ended(&parent), "output");
    let caught = output.get("caught").unwrap();
    assert_eq!(text(caught, "Error"), "States.TaskFailed");
    let cause = json(caught, "Cause");
    assert_eq!((text(&cause, "Error"), text(&cause, "Cause")), ("Broken".to_owned(), "it broke".to_owned()));
    assert_eq!(text(&cause, "Status"), "FAILED");
    let parent = scene.start("absent", "p", "{}");
    let found = scene.ended(&parent);
    assert_eq!(text(&found, "error"), "StepFunctions.StateMachineDoesNotExistException");
    assert!(
        text(&found, "cause")
            .contains("(Service: AWSStepFunctions; Status Code: 400; Error Code: StateMachineDoesNotExist")
    );
}

#[test]
fn a_child_ends_with_the_task_that_waits_for_it() {
    let mut scene = Scene::new(&[
        ("wait", WAIT),
        ("stopped", &starts("wait", ".sync", "")),
        ("late", &starts("wait", ".sync", r#""TimeoutSeconds":1,"#)),
        ("left", &starts("wait", "", "")),
    ]);
    let mut expected = 0;
    for machine in ["stopped", "late"] {
        let parent = scene.start(machine, "p", "{}");
        expected += 1;
        let since = Instant::now();
        while scene.children("wait").len() < expected && since.elapsed() < Duration::from_secs(60) {
            thread::sleep(Duration::from_millis(5));
        }
        if machine == "stopped" {
            let (status, answer) = scene.call("StopExecution", &[("executionArn", parent.as_str().into())]);
            assert_eq!(status, 200, "{answer}");
        }
        let (child, _) = scene.children("wait").into_iter().next().unwrap();
        assert_eq!(text(&scene.ended(&child), "status"), "ABORTED", "{machine}");
        let status = text(&scene.ended(&parent), "status");
        assert_eq!(status, if machine == "stopped" { "ABORTED" } else { "FAILED" });
    }
    // Nobody waits for this one.
    let parent = scene.start("left", "p", "{}");
    let child = text(&json(&scene.ended(&parent), "output"), "ExecutionArn");
    assert_eq!(text(&scene.describe(&child), "status"), "RUNNING");
}

#[test]
fn tasks_call_the_api_they_belong_to() {
    let listing = r#"{"StartAt":"List","States":{"List":{"Type":"Task","Resource":"arn:aws:states:::aws-sdk:sfn:listStateMachines","ResultSelector":{"Names.$":"$.StateMachines[*].Name"},"End":true}}}"#;
    let answering = format!(
        r#"{{"StartAt":"Ask","States":{{"Ask":{{"Type":"Task","Resource":"arn:aws:states:::states:startExecution.waitForTaskToken","Parameters":{{"StateMachineArn":"{MACHINES}answer","Input":{{"token.$":"$$.Task.Token"}}}},"End":true}}}}}}"#
    );
    let answer = r#"{"StartAt":"Answer","States":{"Answer":{"Type":"Task","Resource":"arn:aws:states:::aws-sdk:sfn:sendTaskSuccess","Parameters":{"TaskToken.$":"$.token","Output":{"answered":true}},"End":true}}}"#;
    let mut scene = Scene::new(&[("listing", listing), ("asking", &answering), ("answer", answer)]);
    let listing = scene.start("listing", "p", "{}");
    let found = scene.ended(&listing);
    let mut listed = text(&json(&found, "output"), "Names");
    if listed.is_empty() {
        listed = json(&found, "output").get("Names").unwrap().to_json();
    }
    assert!(["answer", "asking", "listing"].iter().all(|name| listed.contains(name)), "{listed}");
    let asking = scene.start("asking", "p", "{}");
    assert_eq!(json(&scene.ended(&asking), "output").to_json(), r#"{"answered":true}"#);
}
