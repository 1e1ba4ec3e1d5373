//! The API over HTTP, behind a function URL or an HTTP API that has authorised the caller (payload
//! format 2.0 both): AWS JSON 1.0 at `/`, and what `rest` says elsewhere.

mod rest;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use model::arn::Home;
use serde::{Deserialize, Serialize};
use service::{LONG_POLL, Service, TARGET};

use crate::installation::Installation;

/// A function URL waits as long as the function runs; everything else in front of it gives up after
/// so long. Source: API Gateway quotas, HTTP API integration timeout, less a second.
const GATEWAY_PATIENCE: Duration = Duration::from_secs(29);
/// Before the end of an invocation its answer has to be out.
const MARGIN: Duration = Duration::from_secs(1);

/// A request in payload format 2.0.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    #[serde(default)]
    raw_path: String,
    #[serde(default)]
    query_string_parameters: BTreeMap<String, String>,
    /// Names in lower case.
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: bool,
    request_context: RequestContext,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RequestContext {
    #[serde(default)]
    domain_name: String,
    /// The stage stands in front of the path unless it is `$default`.
    #[serde(default)]
    stage: String,
    http: Http,
}

#[derive(Debug, Deserialize)]
struct Http {
    method: String,
}

/// An answer in payload format 2.0.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Response {
    status_code: u16,
    headers: BTreeMap<&'static str, String>,
    body: String,
    is_base64_encoded: bool,
}

impl Response {
    fn new(status_code: u16, content_type: &str, body: String) -> Response {
        let headers = BTreeMap::from([
            ("content-type", content_type.to_owned()),
            ("cache-control", "no-store".to_owned()),
            ("x-content-type-options", "nosniff".to_owned()),
        ]);
        Response { status_code, headers, body, is_base64_encoded: false }
    }
}

impl Request {
    /// The path behind the stage.
    fn path(&self) -> &str {
        let stage = self.request_context.stage.as_str();
        let behind = self.raw_path.strip_prefix('/').and_then(|path| path.strip_prefix(stage));
        match behind {
            Some(path)
                if stage != "$default" && !stage.is_empty() && (path.is_empty() || path.starts_with('/')) =>
            {
                path
            }
            _ => &self.raw_path,
        }
    }

    /// The bytes of the body; `None` when they are not what they are said to be.
    fn bytes(&self) -> Option<Vec<u8>> {
        let body = self.body.as_deref().unwrap_or_default();
        if self.is_base64_encoded { STANDARD.decode(body).ok() } else { Some(body.as_bytes().to_vec()) }
    }

    /// For how long whoever asked waits for an answer.
    fn patience(&self, left: Duration) -> Duration {
        let left = left.saturating_sub(MARGIN);
        if self.request_context.domain_name.contains(".lambda-url.") {
            left
        } else {
            left.min(GATEWAY_PATIENCE)
        }
    }
}

/// Serves invocations until the process ends.
pub async fn run(installation: Installation) -> Result<(), Error> {
    let (service, home) = (&installation.service, &installation.home);
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Request>| async move {
        let left = event.context.deadline().duration_since(std::time::SystemTime::now()).unwrap_or_default();
        Ok::<_, Error>(answer(service, home, &event.payload, left).await)
    }))
    .await
}

async fn answer(service: &Service, home: &Home, request: &Request, left: Duration) -> Response {
    let patience = request.patience(left);
    let path = request.path().trim_end_matches('/');
    let Some(body) = request.bytes() else {
        return rest::failure(400, "SerializationException", "the body is not what its encoding says");
    };
    if !path.is_empty() {
        return rest::answer(service, home, request, path, &body, patience).await;
    }
    let target = request.headers.get("x-amz-target").and_then(|target| target.strip_prefix(TARGET));
    let Some(operation) = target else {
        let message = format!("the header X-Amz-Target must be `{TARGET}` and the name of an operation");
        return rest::failure(404, "UnknownOperationException", &message);
    };
    let called = service.call(operation, &body);
    let called = match operation == LONG_POLL {
        false => Some(called.await),
        true => tokio::time::timeout(patience, called).await.ok(),
    };
    // Nothing to do so far: what the service says at the end of a poll; the worker asks again.
    let Some(called) = called else { return aws_json(200, "{}".to_owned()) };
    let mut response = aws_json(called.status, called.body);
    response.headers.insert("x-amzn-requestid", called.request_id.to_string());
    response
}

fn aws_json(status: u16, body: String) -> Response {
    Response::new(status, "application/x-amz-json-1.0", body)
}
