//! The API over ports in memory, in virtual time.

use model::json::Value;

use super::*;
use crate::scene::{Scene, sample};

const GATEWAY: &str = "abc.execute-api.us-east-1.amazonaws.com";
const PASS: &str = r#"{"StartAt": "P", "States": {"P": {"Type": "Pass", "End": true}}}"#;
const WAITS: &str = r#"{"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 5, "End": true}}}"#;

/// With the state machines `pass` and `waits`.
async fn scene() -> Scene {
    let scene = Scene::new().await;
    scene.create("pass", PASS).await;
    scene.create("waits", WAITS).await;
    scene
}

impl Scene {
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
}

fn member(response: &Response, name: &str) -> String {
    let body = Value::parse(&response.body).unwrap();
    body.get(name)
        .map(|value| value.as_str().map_or_else(|| value.to_json(), str::to_owned))
        .unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn aws_json_is_answered_at_the_root() {
    let scene = scene().await;
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
    let scene = scene().await;
    let created = scene.aws_json("CreateActivity", r#"{"name": "a"}"#).await;
    let begun = tokio::time::Instant::now();
    let request = format!(r#"{{"activityArn": "{}"}}"#, member(&created, "activityArn"));
    let polled = scene.aws_json("GetActivityTask", &request).await;
    assert_eq!((polled.status_code, polled.body.as_str()), (200, "{}"));
    assert_eq!(begun.elapsed().as_secs(), 29);
}

#[tokio::test(start_paused = true)]
async fn executions_are_started_read_and_stopped_by_rest() {
    let scene = scene().await;
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
    let scene = scene().await;
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
    let scene = scene().await;
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

#[tokio::test(start_paused = true)]
async fn samples_are_answered() {
    let scene = Scene::new().await;
    scene.create("orders", WAITS).await;
    for (name, status, expected) in [
        ("function-url", 200, "execution:orders:sample"),
        ("http-api-start", 202, "execution:orders:from-rest"),
        ("http-api-describe", 200, "RUNNING"),
        ("http-api-stop", 200, "stopDate"),
    ] {
        let answered = scene.ask(&sample(&format!("api/{name}")).to_json()).await;
        assert_eq!(answered.status_code, status, "{name}: {}", answered.body);
        assert!(answered.body.contains(expected), "{name}: {}", answered.body);
    }
}
