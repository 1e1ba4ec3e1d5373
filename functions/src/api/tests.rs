//! The API over ports in memory, in virtual time.

use std::sync::Arc;

use driver::{Config, Door, Driver, Machines, Seeds, World, WorldParts};
use integrations::Nothing;
use journal::Store;
use journal::registry::Registry;
use model::json::Value;
use model::limits::Limits;
use model::timestamp::Timestamp;
use ports::{Clock, Queue, QueueSettings, Queues as _, Virtual, memory};
use service::ServiceParts;

use super::*;

const GATEWAY: &str = "abc.execute-api.us-east-1.amazonaws.com";
const PASS: &str = r#"{"StartAt": "P", "States": {"P": {"Type": "Pass", "End": true}}}"#;
const WAITS: &str = r#"{"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 5, "End": true}}}"#;

/// An installation in memory.
struct Scene {
    service: Service,
    home: Home,
    world: World,
    queue: Arc<dyn Queue>,
}

impl Scene {
    /// With the state machines `pass` and `waits`.
    async fn new() -> Scene {
        let clock: Arc<dyn Clock> = Arc::new(Virtual::new(Timestamp::from_millis(1_700_000_000_000)));
        let queues = Arc::new(memory::Queues::new(clock.clone()));
        let settings = QueueSettings { visibility: Duration::from_secs(30), dead_letters: None };
        let queue = queues.create("driver", settings).await.unwrap();
        let home =
            Home { partition: "aws".into(), region: "us-east-1".into(), account: "123456789012".into() };
        let table = Arc::new(memory::Table::new(clock.clone()));
        let blobs = Arc::new(memory::Blobs::new());
        let store = Store::open(table, blobs, journal::Config::new(home.clone())).await.unwrap();
        let machines = Machines::new(Registry::new(store.clone()));
        let world = World::new(WorldParts {
            store: store.clone(),
            queue: queue.clone(),
            bus: Arc::new(memory::Bus::new()),
            clock: clock.clone(),
            seeds: Seeds::System,
            machines: machines.clone(),
            limits: Limits::SERVICE,
            config: Config::default(),
        });
        let service = Service::new(ServiceParts {
            store,
            door: Door::new(world.clone()),
            queues,
            clock,
            seeds: Seeds::System,
            machines,
            limits: Limits::SERVICE,
            sdk_action: None,
        });
        let scene = Scene { service, home, world, queue };
        for (name, definition) in [("pass", PASS), ("waits", WAITS)] {
            let members =
                [("name", name), ("definition", definition), ("roleArn", "arn:aws:iam::123456789012:role/r")];
            let body: Value = members.into_iter().map(|(name, value)| (name, Value::from(value))).collect();
            let created = scene.aws_json("CreateStateMachine", &body.to_json()).await;
            assert_eq!(created.status_code, 200, "{}", created.body);
        }
        scene
    }

    async fn ask(&self, request: &str) -> Response {
        let request = serde_json::from_str(request).unwrap();
        answer(&self.service, &self.home, &request, Duration::from_secs(900)).await
    }

    async fn aws_json(&self, operation: &str, body: &str) -> Response {
        let request = serde_json::json!({
            "rawPath": "/", "body": STANDARD.encode(body), "isBase64Encoded": true,
            "headers": {"x-amz-target": format!("AWSStepFunctions.{operation}")},
            "requestContext": {"domainName": GATEWAY, "stage": "$default", "http": {"method": "POST"}},
        });
        self.ask(&request.to_string()).await
    }

    async fn rest(&self, method: &str, path: &str, query: &[(&str, &str)], body: &str) -> Response {
        let query: BTreeMap<&str, &str> = query.iter().copied().collect();
        let request = serde_json::json!({
            "rawPath": format!("/prod{path}"), "queryStringParameters": query, "body": body, "headers": {},
            "requestContext": {"domainName": GATEWAY, "stage": "prod", "http": {"method": method}},
        });
        self.ask(&request.to_string()).await
    }

    /// Moves executions until the future is dropped, as the step-driver does.
    async fn drive(&self) {
        let driver = Driver::new(self.world.clone(), Arc::new(Nothing)).unwrap();
        loop {
            let received = self.queue.receive(10, Duration::from_secs(20)).await.unwrap();
            let receipts: Vec<_> = received.iter().map(|received| received.receipt.clone()).collect();
            let again = driver.take(received, self.world.now().plus_seconds(60)).await;
            let done: Vec<_> = receipts.into_iter().filter(|receipt| !again.contains(receipt)).collect();
            self.queue.delete(&done).await.unwrap();
        }
    }
}

fn member(response: &Response, name: &str) -> String {
    let body = Value::parse(&response.body).unwrap();
    body.get(name)
        .map(|value| value.as_str().map_or_else(|| value.to_json(), str::to_owned))
        .unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn aws_json_is_answered_at_the_root() {
    let scene = Scene::new().await;
    let listed = scene.aws_json("ListStateMachines", "{}").await;
    assert_eq!(listed.status_code, 200);
    assert!(listed.body.contains("stateMachine:pass") && listed.headers.contains_key("x-amzn-requestid"));
    assert_eq!(listed.headers["content-type"], "application/x-amz-json-1.0");
    let refused = scene.aws_json("StartExecution", r#"{"stateMachineArn": "x"}"#).await;
    assert_eq!((refused.status_code, refused.body.contains("InvalidArn")), (400, true), "{}", refused.body);
    let unnamed = scene.ask(r#"{"rawPath": "/", "requestContext": {"http": {"method": "POST"}}}"#).await;
    assert_eq!((unnamed.status_code, member(&unnamed, "error").as_str()), (404, "UnknownOperationException"));
    let broken = scene
        .ask(r#"{"rawPath": "/", "body": "=", "isBase64Encoded": true, "requestContext": {"http": {"method": "POST"}}}"#)
        .await;
    assert_eq!((broken.status_code, member(&broken, "error").as_str()), (400, "SerializationException"));
}

#[tokio::test(start_paused = true)]
async fn a_poll_ends_before_the_gateway_gives_up() {
    let scene = Scene::new().await;
    let created = scene.aws_json("CreateActivity", r#"{"name": "a"}"#).await;
    let begun = tokio::time::Instant::now();
    let request = format!(r#"{{"activityArn": "{}"}}"#, member(&created, "activityArn"));
    let polled = scene.aws_json("GetActivityTask", &request).await;
    assert_eq!((polled.status_code, polled.body.as_str()), (200, "{}"));
    assert_eq!(begun.elapsed().as_secs(), 29);
}

#[tokio::test(start_paused = true)]
async fn executions_are_started_read_and_stopped_by_rest() {
    let scene = Scene::new().await;
    let started =
        scene.rest("POST", "/state-machines/waits/executions", &[("name", "e")], r#"{"a": 1}"#).await;
    assert_eq!(started.status_code, 202, "{}", started.body);
    let arn = member(&started, "executionArn");
    assert_eq!(started.headers["location"], format!("/executions/{arn}"));
    for id in ["waits:e", "waits%3Ae", &arn, &arn.replace(':', "%3a")] {
        let found = scene.rest("GET", &format!("/executions/{id}"), &[], "").await;
        assert_eq!((found.status_code, member(&found, "status").as_str()), (200, "RUNNING"), "{id}");
        assert_eq!(member(&found, "input"), r#"{"a":1}"#);
    }
    let stopped = scene.rest("DELETE", "/executions/waits:e", &[], r#"{"error": "E", "cause": "c"}"#).await;
    assert_eq!(stopped.status_code, 200, "{}", stopped.body);
    let found = scene.rest("GET", "/executions/waits:e", &[], "").await;
    assert_eq!((member(&found, "status").as_str(), member(&found, "error").as_str()), ("ABORTED", "E"));
}

#[tokio::test(start_paused = true)]
async fn a_synchronous_start_waits_for_the_end_or_says_where_to_look() {
    let scene = Scene::new().await;
    let driving = scene.drive();
    let sync = [("mode", "sync")];
    let asking = async {
        let ended = scene.rest("POST", "/state-machines/pass/executions", &sync, "").await;
        assert_eq!((ended.status_code, member(&ended, "output").as_str()), (200, "{}"), "{}", ended.body);
        let ended = scene.rest("POST", "/state-machines/waits/executions", &sync, "").await;
        assert_eq!((ended.status_code, member(&ended, "status").as_str()), (200, "SUCCEEDED"));
    };
    tokio::select! {
        () = driving => {}
        () = asking => {}
    }
    // Nobody drives: it does not end.
    let begun = tokio::time::Instant::now();
    let left = scene.rest("POST", "/state-machines/waits/executions", &sync, "").await;
    assert_eq!((left.status_code, member(&left, "status").as_str()), (202, "RUNNING"));
    assert!(left.headers.contains_key("location"));
    assert!(begun.elapsed() <= Duration::from_secs(29));
}

#[tokio::test(start_paused = true)]
async fn what_rest_refuses_has_a_status_and_a_reason() {
    let scene = Scene::new().await;
    for (method, path, query, body, status, error) in [
        ("POST", "/state-machines/none/executions", None, "", 404, "StateMachineDoesNotExist"),
        ("POST", "/state-machines/pass/executions", None, "{", 400, "InvalidExecutionInput"),
        ("POST", "/state-machines/pass/executions", Some(("mode", "later")), "", 400, "ValidationException"),
        ("POST", "/state-machines/a%20b/executions", None, "", 400, "InvalidArn"),
        ("GET", "/executions/none:e", None, "", 404, "ExecutionDoesNotExist"),
        ("GET", "/executions/none", None, "", 400, "InvalidArn"),
        ("DELETE", "/executions/pass:e", None, "[", 400, "ValidationException"),
        ("DELETE", "/executions/pass:e", None, r#"{"error": 1}"#, 400, "ValidationException"),
        ("PUT", "/executions/pass:e", None, "", 405, "MethodNotAllowed"),
        ("GET", "/nothing", None, "", 404, "NotFound"),
    ] {
        let query: Vec<_> = query.into_iter().collect();
        let refused = scene.rest(method, path, &query, body).await;
        let found = (refused.status_code, member(&refused, "error"));
        assert_eq!(found, (status, error.to_owned()), "{method} {path}: {}", refused.body);
        assert!(!member(&refused, "message").is_empty());
    }
}
