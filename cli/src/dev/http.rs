//! The HTTP front: from a request to a call of the API, and back.
//!
//! Reading order: [`router`], [`call`]; hosts, signatures, sizes and connections are the crate `front`.

#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{get, post};
use driver::Seeds;
use front::answer::{AWS_JSON, refusal, response};
use front::guard::Guard;
use front::signature::{Claim, Verifier};
use front::{Answer, Credential, body, listen};
use hyper::{HeaderMap, header};
use service::{LONG_POLL, TARGET};
use tokio::sync::watch;

use super::api::Api;
use crate::uuid::uuid;

/// Largest body of a request: the largest request of the API, and some room for the escapes of a
/// definition within it. Source: Step Functions service quotas, API request size.
pub const BODY_BYTES_MAX: usize = 1024 * 1024 + 64 * 1024;

/// What a body may be called. Clients of other services of AWS say 1.1, people say plain JSON.
const CONTENT_TYPES: [&str; 3] = [AWS_JSON, "application/x-amz-json-1.1", "application/json"];

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

/// What a credential demands of requests.
pub fn verifier(credential: Credential, region: &str) -> Verifier {
    Verifier { credential, region: region.to_owned(), service: "states" }
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
    match front.guard.check_request(request.headers(), request.uri()) {
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
        let body = body::read(&parts.headers, body, BODY_BYTES_MAX, self.body_timeout).await?;
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

    fn respond(&self, mut answer: Answer) -> Response {
        if answer.request_id.is_empty() {
            // Nothing can be half done behind this lock.
            let mut seeds = self.seeds.lock().unwrap_or_else(PoisonError::into_inner);
            answer.request_id =
                uuid(&mut seeds).unwrap_or_else(|_| "00000000-0000-4000-8000-000000000000".to_owned());
        }
        answer.respond()
    }
}

fn check_content_type(headers: &HeaderMap) -> Result<(), Answer> {
    let Some(value) = headers.get(header::CONTENT_TYPE) else { return Ok(()) };
    let media_type = value.to_str().unwrap_or("").split(';').next().unwrap_or("").trim();
    if CONTENT_TYPES.iter().any(|known| known.eq_ignore_ascii_case(media_type)) {
        return Ok(());
    }
    let message = format!("the Content-Type must be `{AWS_JSON}`");
    Err(Answer::failure(415, "UnsupportedMediaTypeException", &message))
}
