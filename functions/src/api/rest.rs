//! Three operations for who calls with plain HTTP, such as an API Gateway of the user's own:
//!
//! | request | operation |
//! | --- | --- |
//! | `POST /state-machines/{name}/executions?mode=sync\|async&name=` | StartExecution; the body is the input |
//! | `GET /executions/{id}` | DescribeExecution |
//! | `DELETE /executions/{id}` | StopExecution; the body may have `error` and `cause` |
//!
//! `{id}` is the ARN of an execution, or `state machine:name`. With `mode=sync` the answer waits for
//! the end and is DescribeExecution's; where that takes longer than whoever is in front waits, it
//! says so with 202 and where to look.

use std::time::Duration;

use model::arn::{ExecutionArn, Home, StateMachineArn};
use model::json::{Text, Value};
use percent_encoding::percent_decode_str;
use service::Service;
use tokio::time::Instant;

use super::{Request, Response};

/// Between the first looks at an execution that has not ended, doubled up to the other.
const LOOK: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));

/// Answers a request for `path`, which is not empty.
pub async fn answer(
    service: &Service,
    home: &Home,
    request: &Request,
    path: &str,
    body: &[u8],
    patience: Duration,
) -> Response {
    let until = Instant::now() + patience;
    let method = request.request_context.http.method.as_str();
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    let done = match (method, segments.as_slice()) {
        ("POST", ["state-machines", name, "executions"]) => {
            start(service, home, request, &decoded(name), body, until).await
        }
        ("GET", ["executions", id]) => describe(service, home, &decoded(id)).await,
        ("DELETE", ["executions", id]) => stop(service, home, &decoded(id), body).await,
        (_, ["state-machines", _, "executions"] | ["executions", _]) => {
            Err(failure(405, "MethodNotAllowed", &format!("`{path}` does not take {method}")))
        }
        _ => Err(failure(404, "NotFound", "there is /state-machines/{name}/executions and /executions/{id}")),
    };
    match done {
        Ok(response) | Err(response) => response,
    }
}

async fn start(
    service: &Service,
    home: &Home,
    request: &Request,
    name: &str,
    body: &[u8],
    until: Instant,
) -> Result<Response, Response> {
    let waits = match request.query_string_parameters.get("mode").map(String::as_str) {
        None | Some("async") => false,
        Some("sync") => true,
        Some(mode) => {
            return Err(failure(
                400,
                "ValidationException",
                &format!("mode is `{mode}`; it is sync or async"),
            ));
        }
    };
    let machine = StateMachineArn::new(home, name)
        .map_err(|error| failure(400, "InvalidArn", &format!("`{name}` names no state machine: {error}")))?;
    let input = match std::str::from_utf8(body) {
        Ok(text) if text.trim().is_empty() => "{}",
        Ok(text) => text,
        Err(_) => return Err(failure(400, "InvalidExecutionInput", "the input is not UTF-8")),
    };
    let mut members = vec![("stateMachineArn", machine.as_str()), ("input", input)];
    if let Some(name) = request.query_string_parameters.get("name") {
        members.push(("name", name));
    }
    let started = call(service, "StartExecution", &members).await?;
    let arn = started.get("executionArn").and_then(Value::as_str).unwrap_or_default().to_owned();
    if !waits {
        return Ok(located(json(202, started.to_json()), &arn));
    }
    let mut pause = LOOK.0;
    loop {
        let found = call(service, "DescribeExecution", &[("executionArn", &arn)]).await?;
        if found.get("status").and_then(Value::as_str) != Some("RUNNING") {
            return Ok(json(200, found.to_json()));
        }
        if Instant::now() + pause >= until {
            return Ok(located(json(202, found.to_json()), &arn));
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LOOK.1);
    }
}

async fn describe(service: &Service, home: &Home, id: &str) -> Result<Response, Response> {
    let arn = execution(home, id)?;
    Ok(json(200, call(service, "DescribeExecution", &[("executionArn", &arn)]).await?.to_json()))
}

async fn stop(service: &Service, home: &Home, id: &str, body: &[u8]) -> Result<Response, Response> {
    let arn = execution(home, id)?;
    let unreadable =
        || failure(400, "ValidationException", "the body has to be a JSON object with error and cause");
    let said = match std::str::from_utf8(body) {
        Ok(text) if text.trim().is_empty() => Value::object(),
        Ok(text) => Value::parse(text).map_err(|_| unreadable())?,
        Err(_) => return Err(unreadable()),
    };
    let mut members = vec![("executionArn", arn.as_str())];
    for name in ["error", "cause"] {
        match said.get(name) {
            None => {}
            Some(value) => members.push((name, value.as_str().ok_or_else(unreadable)?)),
        }
    }
    Ok(json(200, call(service, "StopExecution", &members).await?.to_json()))
}

/// The ARN that `id` stands for.
fn execution(home: &Home, id: &str) -> Result<String, Response> {
    if id.starts_with("arn:") {
        return Ok(id.to_owned());
    }
    let named = id.split_once(':').and_then(|(machine, name)| {
        let machine = StateMachineArn::new(home, machine).ok()?;
        let execution: ExecutionArn = machine.execution(name).ok()?;
        Some(execution.as_str().to_owned())
    });
    named.ok_or_else(|| {
        failure(
            400,
            "InvalidArn",
            &format!("`{id}` is neither the ARN of an execution nor `state machine:name`"),
        )
    })
}

/// Calls an operation with members that are texts. What it refuses is the answer.
async fn call(service: &Service, operation: &str, members: &[(&str, &str)]) -> Result<Value, Response> {
    let request: Value =
        members.iter().map(|(name, value)| (Text::from(*name), Value::from(Text::from(*value)))).collect();
    let called = service.call(operation, request.to_json().as_bytes()).await;
    let body = Value::parse(&called.body).unwrap_or(Value::Null);
    if called.status == 200 {
        return Ok(body);
    }
    let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
    let error = text("__type").rsplit('#').next().unwrap_or_default();
    let status = if error.ends_with("DoesNotExist") { 404 } else { called.status };
    Err(failure(status, error, text("message")))
}

/// A refusal: `{"error": …, "message": …}`.
pub fn failure(status: u16, error: &str, message: &str) -> Response {
    let members = [("error", error), ("message", message)];
    let body: Value =
        members.into_iter().map(|(name, value)| (Text::from(name), Value::from(Text::from(value)))).collect();
    json(status, body.to_json())
}

fn json(status: u16, body: String) -> Response {
    Response::new(status, "application/json", body)
}

/// Says where the execution is found later.
fn located(mut response: Response, arn: &str) -> Response {
    response.headers.insert("location", format!("/executions/{arn}"));
    response
}

/// A segment of a path without its `%` escapes.
fn decoded(segment: &str) -> String {
    percent_decode_str(segment).decode_utf8_lossy().into_owned()
}
