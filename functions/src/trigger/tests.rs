//! Events over ports in memory, in virtual time.

use std::collections::BTreeMap;
use std::sync::Mutex;

use super::pipeline::zip::fixture::{Held, zip};
use super::pipeline::zip::{Archive, ReadError};
use super::pipeline::{Failure, FailureKind, PipelineCredentials, Place, Success};
use super::*;
use crate::scene::{Scene, sample};

const PASS: &str = r#"{"StartAt": "P", "States": {"P": {"Type": "Pass", "End": true}}}"#;
const WAITS: &str = r#"{"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 5, "End": true}}}"#;
const FAILS: &str = r#"{"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 5, "Next": "F"},
    "F": {"Type": "Fail", "Error": "E", "Cause": "why"}}}"#;
const ORDERS: &str = "arn:aws:states:us-east-1:123456789012:stateMachine:orders";
const LEFT: Duration = Duration::from_secs(60);

/// What a pipeline was told.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Told {
    Succeeded(Success),
    Failed(Failure),
}

/// Pipelines and their artifacts, in memory.
#[derive(Default)]
struct Pipelines {
    told: Mutex<Vec<(String, Told)>>,
    artifacts: BTreeMap<String, Vec<u8>>,
}

impl Pipelines {
    fn told(&self) -> Told {
        self.told.lock().unwrap().pop().unwrap().1
    }

    fn failed(&self) -> (FailureKind, String) {
        match self.told() {
            Told::Failed(failure) => (failure.kind, failure.message),
            Told::Succeeded(success) => panic!("{success:?}"),
        }
    }
}

#[async_trait::async_trait]
impl Jobs for Pipelines {
    async fn succeeded(&self, job: &str, success: Success) -> Result<(), String> {
        self.told.lock().unwrap().push((job.to_owned(), Told::Succeeded(success)));
        Ok(())
    }

    async fn failed(&self, job: &str, failure: Failure) -> Result<(), String> {
        self.told.lock().unwrap().push((job.to_owned(), Told::Failed(failure)));
        Ok(())
    }
}

impl Artifacts for Pipelines {
    fn archive(&self, place: &Place, _: &PipelineCredentials) -> Box<dyn Archive> {
        match self.artifacts.get(&format!("{}/{}", place.bucket, place.key)) {
            Some(bytes) => Box::new(Held(bytes.clone())),
            None => Box::new(Absent),
        }
    }
}

/// An archive that is not there.
struct Absent;

#[async_trait::async_trait]
impl Archive for Absent {
    async fn tail(&self, _: u64) -> Result<(bytes::Bytes, u64), ReadError> {
        Err(ReadError::Absent("NoSuchKey".to_owned()))
    }

    async fn range(&self, _: std::ops::Range<u64>) -> Result<bytes::Bytes, ReadError> {
        Err(ReadError::Absent("NoSuchKey".to_owned()))
    }
}

async fn send(scene: &Scene, triggers: &str, pipelines: &Pipelines, event: &Value) -> Result<Value, String> {
    let mappings = Mappings::parse(triggers);
    let gate = Ok(Gate { api: &scene.service, home: &scene.home });
    let trigger = Trigger { gate, mappings: &mappings, jobs: pipelines, artifacts: pipelines };
    trigger.answer(event, "0ec6a4d2-request", LEFT).await
}

async fn started(scene: &Scene, triggers: &str, event: &Value) -> Result<Vec<String>, String> {
    let answer = send(scene, triggers, &Pipelines::default(), event).await?;
    let arns = answer.get("executionArns").and_then(Value::as_array).unwrap();
    Ok(arns.iter().map(|arn| arn.as_str().unwrap().rsplit(':').next().unwrap().to_owned()).collect())
}

async fn refused(scene: &Scene, triggers: &str, event: &str, expected: &str) {
    let said = started(scene, triggers, &Value::parse(event).unwrap()).await.unwrap_err();
    assert!(said.contains(expected), "{event}: {said}");
}

async fn input_of(scene: &Scene, name: &str) -> String {
    let arn = format!("{}:{name}", ORDERS.replace("stateMachine", "execution"));
    let found = scene.call("DescribeExecution", &[("executionArn", &arn)]).await.unwrap();
    member(&found, "input").to_owned()
}

async fn executions(scene: &Scene) -> Vec<String> {
    let mut names = scene.list("ListExecutions", ORDERS, "executions", "name").await;
    names.sort();
    names
}

#[tokio::test(start_paused = true)]
async fn an_event_that_names_its_state_machine_starts_it_once() {
    let scene = Scene::new().await;
    scene.create("orders", WAITS).await;
    let schedule = sample("trigger/schedule");
    let name = "d1f0c8a2-5b7e-4c39-9e6a-2f4b8d0c7e15";
    assert_eq!(started(&scene, "", &schedule).await, Ok(vec![name.to_owned()]));
    assert_eq!(input_of(&scene, name).await, r#"{"order":"standing"}"#);
    // Delivered again, while it runs and after it has ended.
    assert_eq!(started(&scene, "", &schedule).await, Ok(vec![name.to_owned()]));
    scene.drive_for(10).await;
    assert_eq!(started(&scene, "", &schedule).await, Ok(vec![name.to_owned()]));
    // By its bare name, with an input that is a text.
    let rule = sample("trigger/rule");
    assert_eq!(started(&scene, "", &rule).await.unwrap().len(), 1);
    assert_eq!(
        input_of(&scene, "7bf73129-1428-4cd3-a780-95db273d1602").await,
        r#"{"instance":"i-0123456789","state":"running"}"#
    );
    assert_eq!(executions(&scene).await.len(), 2);
    // Without a name and without an input: what Lambda repeats has the same id.
    let bare = Value::parse(r#"{"stateMachineArn": "orders", "name": null, "input": null}"#).unwrap();
    assert_eq!(started(&scene, "", &bare).await, Ok(vec!["0ec6a4d2-request".to_owned()]));
    assert_eq!(started(&scene, "", &bare).await, Ok(vec!["0ec6a4d2-request".to_owned()]));
    assert_eq!(input_of(&scene, "0ec6a4d2-request").await, "{}");
}

#[tokio::test(start_paused = true)]
async fn every_mapping_that_an_event_meets_starts_its_state_machine() {
    let scene = Scene::new().await;
    scene.create("orders", WAITS).await;
    let triggers = r#"[
        {"source": "aws.s3", "detail-type": "Object Created", "stateMachineArn": "orders", "InputPath": "$.detail.object"},
        {"source": "aws.s3", "stateMachineArn": "orders", "name": "<key>-<$.id>",
         "InputTransformer": {"InputPathsMap": {"key": "$.detail.bucket.name"}, "InputTemplate": "{\"bucket\": <key>, \"event\": <aws.events.event.json>}"}},
        {"resource": "arn:aws:s3:::incoming-*", "stateMachineArn": "orders", "Input": {"constant": true}},
        {"source": "aws.events", "stateMachineArn": "orders"}]"#;
    let s3 = sample("trigger/s3");
    let id = "17793124-05d4-b198-2fde-7ededc63b103";
    let expected = vec![id.to_owned(), format!("incoming-orders-{id}"), format!("{id}-3")];
    assert_eq!(started(&scene, triggers, &s3).await, Ok(expected.clone()));
    assert_eq!(input_of(&scene, id).await, s3.get("detail").unwrap().get("object").unwrap().to_json());
    let made = Value::parse(&input_of(&scene, &expected[1]).await).unwrap();
    assert_eq!((member(&made, "bucket"), made.get("event")), ("incoming-orders", Some(&s3)));
    assert_eq!(input_of(&scene, &expected[2]).await, r#"{"constant":true}"#);
    scene.drive_for(10).await;
    assert_eq!(started(&scene, triggers, &s3).await, Ok(expected));
    assert_eq!(executions(&scene).await.len(), 3);
    let nightly = sample("trigger/rule-schedule");
    let id = "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa";
    assert_eq!(started(&scene, triggers, &nightly).await, Ok(vec![id.to_owned()]));
    assert_eq!(Value::parse(&input_of(&scene, id).await).unwrap(), nightly);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_used_fails_with_a_reason() {
    let scene = Scene::new().await;
    scene.create("orders", WAITS).await;
    refused(&scene, "", "{}", "nothing says what to start for this event (source none").await;
    refused(&scene, "", "[1]", "nothing says what to start").await;
    refused(
        &scene,
        r#"[{"source": "a", "stateMachineArn": "orders"}]"#,
        r#"{"source": "b"}"#,
        "(source \"b\", detail-type none)",
    )
    .await;
    refused(&scene, "[{}]", r#"{"source": "b"}"#, "STEPWRIGHT_TRIGGERS: entry 1: stateMachineArn is missing")
        .await;
    refused(
        &scene,
        "",
        r#"{"stateMachineArn": "orders", "Input": {}}"#,
        "the event has `Input`, which is not known",
    )
    .await;
    refused(&scene, "", r#"{"stateMachineArn": 1}"#, "stateMachineArn is a number").await;
    refused(&scene, "", r#"{"stateMachineArn": ""}"#, "stateMachineArn is empty").await;
    refused(&scene, "", r#"{"stateMachineArn": "orders", "input": "hello"}"#, "input is not JSON").await;
    refused(&scene, "", r#"{"stateMachineArn": "none"}"#, "StateMachineDoesNotExist").await;
    refused(&scene, "", r#"{"stateMachineArn": "orders", "name": "a b"}"#, "InvalidName").await;
    // Broken mappings do not stand in the way of what needs none.
    let direct = Value::parse(r#"{"stateMachineArn": "orders", "name": "e", "input": {"a": 1}}"#).unwrap();
    assert_eq!(started(&scene, "[{}]", &direct).await, Ok(vec!["e".to_owned()]));
    // The name is somebody else's.
    refused(
        &scene,
        "",
        r#"{"stateMachineArn": "orders", "name": "e", "input": {"a": 2}}"#,
        "ExecutionAlreadyExists",
    )
    .await;
    // What can be started is, whatever becomes of the rest.
    let triggers = r#"[{"stateMachineArn": "none"}, {"stateMachineArn": "orders", "name": "<$.none>"}, {"stateMachineArn": "orders", "InputPath": "$.none"}, {"stateMachineArn": "orders"}]"#;
    refused(
        &scene,
        triggers,
        r#"{"id": "x"}"#,
        "none cannot be started: StartExecution: StateMachineDoesNotExist",
    )
    .await;
    refused(
        &scene,
        triggers,
        r#"{"id": "x"}"#,
        "orders: name: the event has no <$.none>; orders: InputPath $.none: ",
    )
    .await;
    assert_eq!(executions(&scene).await, ["e", "x-3"]);
}

#[tokio::test(start_paused = true)]
async fn an_action_of_a_pipeline_ends_as_its_execution() {
    let scene = Scene::new().await;
    scene.create("orders", WAITS).await;
    let pipelines = Pipelines::default();
    let arn = format!(
        "{}:release-11111111-abcd-1111-abcd-111111abcdef",
        ORDERS.replace("stateMachine", "execution")
    );
    let running = |told: Told| match told {
        Told::Succeeded(success) => success.continuation,
        Told::Failed(failure) => panic!("{failure:?}"),
    };
    // A job that comes again starts nothing more.
    for _ in 0..2 {
        send(&scene, "", &pipelines, &sample("trigger/codepipeline")).await.unwrap();
        assert_eq!(running(pipelines.told()), Some(arn.clone()));
    }
    let continued = sample("trigger/codepipeline-continued");
    send(&scene, "", &pipelines, &continued).await.unwrap();
    assert_eq!(running(pipelines.told()), Some(arn.clone()));
    scene.drive_for(10).await;
    send(&scene, "", &pipelines, &continued).await.unwrap();
    let Told::Succeeded(success) = pipelines.told() else { panic!("it succeeded") };
    let variables =
        [("ExecutionArn", arn.as_str()), ("StateMachineArn", ORDERS), ("Output", r#"{"order":"pipeline"}"#)];
    assert_eq!(success.variables, variables.map(|(name, value)| (name, value.to_owned())));
    assert_eq!((success.continuation, success.execution), (None, arn));
    assert_eq!(executions(&scene).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_execution_that_fails_fails_its_action() {
    let scene = Scene::new().await;
    scene.create("orders", FAILS).await;
    let pipelines = Pipelines::default();
    send(&scene, "", &pipelines, &sample("trigger/codepipeline")).await.unwrap();
    pipelines.told();
    scene.drive_for(10).await;
    send(&scene, "", &pipelines, &sample("trigger/codepipeline-continued")).await.unwrap();
    assert_eq!(pipelines.failed(), (FailureKind::JobFailed, "the execution is FAILED: E: why".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn an_input_is_read_out_of_an_artifact() {
    let scene = Scene::new().await;
    scene.create("orders", PASS).await;
    let place = "pipeline-artifacts/release/Source/aBcDeFg";
    let job = sample("trigger/codepipeline-file");
    for (files, expected) in [
        (Some(vec![("assets/input.json", br#"{"from": "file"}"#.as_slice())]), Ok(r#"{"from":"file"}"#)),
        (
            Some(vec![("input.json", b"{}".as_slice())]),
            Err((FailureKind::ConfigurationError, "no file `assets/input.json`")),
        ),
        (
            Some(vec![("assets/input.json", b"{".as_slice())]),
            Err((FailureKind::ConfigurationError, "is not JSON")),
        ),
        (None, Err((FailureKind::RevisionUnavailable, "NoSuchKey"))),
    ] {
        let artifacts = files.map(|files| (place.to_owned(), zip(&files))).into_iter().collect();
        let pipelines = Pipelines { artifacts, ..Pipelines::default() };
        send(&scene, "", &pipelines, &job).await.unwrap();
        match expected {
            Ok(input) => {
                let Told::Succeeded(success) = pipelines.told() else { panic!("it succeeded") };
                assert_eq!(
                    (success.continuation, input_of(&scene, "22222222-abcd-2222-abcd-222222abcdef").await),
                    (None, input.to_owned())
                );
            }
            Err((kind, message)) => {
                let failed = pipelines.failed();
                assert!(failed.0 == kind && failed.1.contains(message), "{failed:?}");
            }
        }
    }
}

/// An API that never answers.
struct Silent;

#[async_trait::async_trait]
impl crate::call::Api for Silent {
    async fn call(&self, _: &'static str, _: Value) -> Result<Value, crate::call::Refused> {
        std::future::pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn a_pipeline_hears_of_whatever_goes_wrong() {
    let scene = Scene::new().await;
    scene.create("orders", PASS).await;
    let pipelines = Pipelines::default();
    let job = |parameters: &str| {
        let data =
            format!(r#"{{"actionConfiguration": {{"configuration": {{"UserParameters": {parameters}}}}}}}"#);
        Value::parse(&format!(r#"{{"CodePipeline.job": {{"id": "j", "data": {data}}}}}"#)).unwrap()
    };
    for (parameters, message) in [
        (r#""""#, "UserParameters has to be JSON"),
        (r#""{\"StateMachineArn\": \"none\"}""#, "StateMachineDoesNotExist"),
        (
            r#""{\"StateMachineArn\": \"orders\", \"InputType\": \"FilePath\", \"Input\": \"a\"}""#,
            "needs an input artifact",
        ),
    ] {
        send(&scene, "", &pipelines, &job(parameters)).await.unwrap();
        let failed = pipelines.failed();
        assert!(failed.0 == FailureKind::ConfigurationError && failed.1.contains(message), "{failed:?}");
    }
    // Without an installation, and without time.
    let mappings = Mappings::parse("");
    let event = job(r#""{\"StateMachineArn\": \"orders\"}""#);
    let silent = Gate { api: &Silent, home: &scene.home };
    for (gate, message) in
        [(Err("the table is missing".to_owned()), "the table is missing"), (Ok(silent), "ran out of time")]
    {
        let trigger = Trigger { gate, mappings: &mappings, jobs: &pipelines, artifacts: &pipelines };
        trigger.answer(&event, "r", LEFT).await.unwrap();
        let failed = pipelines.failed();
        assert!(failed.0 == FailureKind::SystemUnavailable && failed.1.contains(message), "{failed:?}");
    }
    // An action that has begun goes on.
    let trigger = Trigger { gate: Ok(silent), mappings: &mappings, jobs: &pipelines, artifacts: &pipelines };
    trigger.answer(&sample("trigger/codepipeline-continued"), "r", LEFT).await.unwrap();
    assert!(matches!(pipelines.told(), Told::Succeeded(success) if success.continuation.is_some()));
    // Nobody to tell.
    let said = send(&scene, "", &pipelines, &Value::parse(r#"{"CodePipeline.job": {}}"#).unwrap()).await;
    assert_eq!(said, Err("the job of CodePipeline has no id".to_owned()));
}
