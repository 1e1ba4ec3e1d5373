//! The HTTP front: from a request to a call of the API, and back.
//!
//! Reading order: [`router`], `guard` (who is answered at all), `signature` (who proved to know
//! the credential), [`call`], `listen` (connections).

pub mod guard;
pub mod listen;
pub mod signature;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{get, post};
use bytes::Bytes;
use driver::Seeds;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{HeaderMap, StatusCode};
use service::{LONG_POLL, TARGET};
use tokio::sync::watch;

use super::api::{Answer, Api};
use crate::uuid::uuid;
use guard::Guard;
use signature::{Claim, Verifier};

/// Largest body of a request: the largest request of the API, and some room for the escapes of a
/// definition within it. Source: Step Functions service quotas, API request size.
pub const BODY_BYTES_MAX: usize = 1024 * 1024 + 64 * 1024;

/// The only protocol.
const CONTENT_TYPE: &str = "application/x-amz-json-1.0";

/// What a body may be called. Clients of other services of AWS say 1.1, people say plain JSON.
const CONTENT_TYPES: [&str; 3] = [CONTENT_TYPE, "application/x-amz-json-1.1", "application/json"];

/// What every request needs.
pub struct Front {
    /// The operations.
    pub api: Arc<dyn Api>,
    /// Who is answered.
    pub guard: Guard,
    /// Who may call, when a credential is demanded.
    pub verifier: Option<Verifier>,
    /// What `/health` calls the store.
    pub store: &'static str,
    /// When the server started.
    pub started: Instant,
    /// How long a body may take to arrive.
    pub body_timeout: Duration,
    /// Becomes true when the server ends.
    pub stopping: watch::Receiver<bool>,
    /// Numbers for the ids of requests that never reached the API.
    pub seeds: Mutex<Seeds>,
}

/// `POST /`, `GET /health`, and clean refusals of everything else.
pub fn router(front: Arc<Front>) -> Router {
    let api = post(call)
        .fallback(async || refusal(405, "MethodNotAllowed", "the API is called with POST", Some("POST")));
    let health = get(health)
        .fallback(async || refusal(405, "MethodNotAllowed", "this is read with GET", Some("GET, HEAD")));
    Router::new()
        .route("/", api)
        .route("/health", health)
        .fallback(async || {
            refusal(404, "NotFound", "there is nothing here but the API at / and /health", None)
        })
        .layer(middleware::from_fn_with_state(front.clone(), guarded))
        .with_state(front)
}

async fn guarded(State(front): State<Arc<Front>>, request: Request, next: Next) -> Response {
    let checked = {
        // A value that is no text is no name of this server's.
        let values = |name: HeaderName| -> Vec<&str> {
            request.headers().get_all(name).iter().map(|value| value.to_str().unwrap_or("")).collect()
        };
        let mut hosts = values(header::HOST);
        hosts.extend(request.uri().authority().map(|authority| authority.as_str()));
        front.guard.check(&hosts, &values(header::ORIGIN))
    };
    match checked {
        Ok(()) => next.run(request).await,
        Err(reason) => {
            tracing::warn!(reason, "request refused");
            front.respond(Answer::failure(403, "AccessDeniedException", &reason))
        }
    }
}

async fn health(State(front): State<Arc<Front>>) -> Response {
    let body = format!(
        "{{\"status\":\"ok\",\"version\":\"{}\",\"store\":\"{}\",\"uptimeSeconds\":{}}}",
        env!("CARGO_PKG_VERSION"),
        front.store,
        front.started.elapsed().as_secs()
    );
    response(200, "application/json", body)
}

/// One call of the API.
async fn call(State(front): State<Arc<Front>>, request: Request) -> Response {
    let began = Instant::now();
    let target = request.headers().get("x-amz-target").and_then(|value| value.to_str().ok());
    let operation = target.and_then(|target| target.strip_prefix(TARGET)).map(str::to_owned);
    let name = operation.as_deref().unwrap_or_default();
    let name: String = name.chars().take(64).collect();
    let answer = match front.answer(operation, request).await {
        Ok(answer) | Err(answer) => answer,
    };
    let (status, error) = (answer.status, answer.error.clone());
    let response = front.respond(answer);
    let request_id = response.headers().get("x-amzn-requestid").and_then(|value| value.to_str().ok());
    tracing::debug!(
        operation = name,
        status,
        error,
        request_id,
        duration_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
        "request"
    );
    response
}

impl Front {
    /// The answer to a request; an `Err` is one of the front's own.
    async fn answer(&self, operation: Option<String>, request: Request) -> Result<Answer, Answer> {
        let Some(operation) = operation else {
            let message = format!("the header X-Amz-Target must be `{TARGET}` and the name of an operation");
            return Err(Answer::failure(404, "UnknownOperationException", &message));
        };
        check_content_type(request.headers())?;
        let claim = self.verifier.as_ref().map(|_| Claim::read(request.headers())).transpose()?;
        let (parts, body) = request.into_parts();
        let body = self.body(&parts.headers, body).await?;
        if let (Some(verifier), Some(claim)) = (&self.verifier, &claim) {
            verifier.verify(claim, &parts, &body, SystemTime::now())?;
        }
        if operation == LONG_POLL {
            return Ok(tokio::select! {
                biased;
                answer = self.api.call(&operation, &body) => answer,
                // No task: what the service answers at the end of a poll.
                () = listen::stopped(self.stopping.clone()) => {
                    Answer { status: 200, body: "{}".to_owned(), error: None, request_id: String::new() }
                }
            });
        }
        Ok(self.api.call(&operation, &body).await)
    }

    async fn body(&self, headers: &HeaderMap, body: Body) -> Result<Bytes, Answer> {
        let too_large = || {
            let message = format!("the request is larger than {BODY_BYTES_MAX} bytes");
            Answer::failure(413, "RequestEntityTooLargeException", &message)
        };
        let announced =
            headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        if announced.is_some_and(|bytes: u64| bytes > BODY_BYTES_MAX as u64) {
            return Err(too_large());
        }
        match tokio::time::timeout(self.body_timeout, Limited::new(body, BODY_BYTES_MAX).collect()).await {
            Ok(Ok(collected)) => Ok(collected.to_bytes()),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
            Ok(Err(_)) => Err(Answer::failure(
                400,
                "MalformedHttpRequestException",
                "the body of the request broke off",
            )),
            Err(_) => Err(Answer::failure(
                408,
                "RequestTimeoutException",
                "the body of the request did not arrive in time",
            )),
        }
    }

    fn respond(&self, answer: Answer) -> Response {
        let request_id = match answer.request_id {
            id if id.is_empty() => {
                // Nothing can be half done behind this lock.
                let mut seeds = self.seeds.lock().unwrap_or_else(PoisonError::into_inner);
                uuid(&mut seeds).unwrap_or_else(|_| "00000000-0000-4000-8000-000000000000".to_owned())
            }
            id => id,
        };
        let mut response = response(answer.status, CONTENT_TYPE, answer.body);
        let headers = response.headers_mut();
        if let Ok(id) = HeaderValue::from_str(&request_id) {
            headers.insert("x-amzn-requestid", id);
        }
        let must_close = matches!(answer.status, 408 | 413);
        if must_close {
            // What is left of the body is not waited for.
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

fn check_content_type(headers: &HeaderMap) -> Result<(), Answer> {
    let Some(value) = headers.get(header::CONTENT_TYPE) else { return Ok(()) };
    let media_type = value.to_str().unwrap_or("").split(';').next().unwrap_or("").trim();
    if CONTENT_TYPES.iter().any(|known| known.eq_ignore_ascii_case(media_type)) {
        return Ok(());
    }
    let message = format!("the Content-Type must be `{CONTENT_TYPE}`");
    Err(Answer::failure(415, "UnsupportedMediaTypeException", &message))
}

fn refusal(status: u16, error: &str, message: &str, allow: Option<&'static str>) -> Response {
    let mut response = response(status, "application/json", Answer::failure(status, error, message).body);
    if let Some(allow) = allow {
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allow));
    }
    response
}

fn response(status: u16, content_type: &'static str, body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    // Nothing here is a page: whatever a browser is made to load must not become one.
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
