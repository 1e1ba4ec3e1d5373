//! One request: from the client, signed, to the API, and back.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_client::{Connections, Identity, NoCredentials, SendError};
use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::get;
use bytes::Bytes;
use front::answer::{no_page, refusal, response};
use front::guard::Guard;
use front::listen::stopped;
use front::signature::{Claim, Verifier};
use front::{Answer, body};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method};
use tokio::sync::{Semaphore, watch};

use crate::outcome::{self, Refusal};
use crate::target::Target;

/// Largest body of a request. Source: Lambda quotas, invocation payload of a function URL.
const BODY_BYTES_MAX: usize = 6 * 1024 * 1024;

/// Bytes of bodies that are held at a time; more requests wait.
const HELD_KILOBYTES_MAX: usize = 64 * 1024;

/// Bytes of a refusal that are looked at.
const REFUSAL_BYTES_MAX: usize = 1024 * 1024;

/// How long the answer to a request may take: as long as a function runs, and some more.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15 * 60 + 30);

/// The operation that waits for up to a minute; nobody waits for its end when the proxy ends.
const LONG_POLL: &str = "AWSStepFunctions.GetActivityTask";

/// Headers that concern one connection. Source: RFC 9110, "Connection", and RFC 2616, 13.5.1.
const HOP_BY_HOP: [&str; 8] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Headers of a request that are not the client's to say to the front: who it is, and how long the
/// body is. What is not asked for compressed can be read when it is a refusal.
const REPLACED: [&str; 9] = [
    "accept-encoding",
    "authorization",
    "content-length",
    "expect",
    "host",
    "x-amz-content-sha256",
    "x-amz-date",
    "x-amz-security-token",
    "origin",
];

/// What every request needs.
pub struct Relay {
    /// Where the API is.
    pub target: Target,
    /// Whose credentials sign.
    pub identity: Identity,
    /// Connections to it.
    pub client: Connections,
    /// Who is answered.
    pub guard: Guard,
    /// Who may call, when a credential is demanded.
    pub verifier: Option<Verifier>,
    /// Kilobytes that bodies may still take.
    held: Semaphore,
    /// Becomes true when the proxy ends.
    stopping: watch::Receiver<bool>,
}

impl Relay {
    /// Puts it together.
    pub fn new(
        target: Target,
        identity: Identity,
        client: Connections,
        guard: Guard,
        verifier: Option<Verifier>,
        stopping: watch::Receiver<bool>,
    ) -> Relay {
        let held = Semaphore::new(HELD_KILOBYTES_MAX);
        Relay { target, identity, client, guard, verifier, held, stopping }
    }
}

/// `GET /health` is the proxy's own; everything else is the API's.
pub fn router(relay: Arc<Relay>) -> Router {
    let health = get(health)
        .fallback(async || refusal(405, "MethodNotAllowed", "this is read with GET", Some("GET, HEAD")));
    Router::new()
        .route("/health", health)
        .fallback(call)
        .layer(middleware::from_fn_with_state(relay.clone(), guarded))
        .with_state(relay)
}

async fn guarded(State(relay): State<Arc<Relay>>, request: Request, next: Next) -> Response {
    match relay.guard.check_request(request.headers(), request.uri()) {
        Ok(()) => next.run(request).await,
        Err(reason) => {
            tracing::warn!(reason, "request refused");
            Answer::failure(403, "AccessDeniedException", &reason).respond()
        }
    }
}

async fn health(State(relay): State<Arc<Relay>>) -> Response {
    let mut body = format!("{{\"status\":\"ok\",\"version\":\"{}\",\"url\":", env!("CARGO_PKG_VERSION"));
    model::json::write_string(&mut body, &relay.target.url());
    body.push_str(",\"signedFor\":");
    model::json::write_string(&mut body, relay.target.sign_as.service());
    body.push('}');
    response(200, "application/json", body)
}

async fn call(State(relay): State<Arc<Relay>>, request: Request) -> Response {
    let began = std::time::Instant::now();
    let target = request.headers().get("x-amz-target").and_then(|value| value.to_str().ok());
    let target: String = target.unwrap_or_default().chars().take(128).collect();
    let answered = relay.answer(request, target == LONG_POLL).await.unwrap_or_else(Answer::respond);
    tracing::debug!(
        target,
        status = answered.status().as_u16(),
        duration_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
        "request"
    );
    answered
}

impl Relay {
    /// The answer to a request; an `Err` is one of the proxy's own.
    async fn answer(&self, request: Request, polls: bool) -> Result<Response, Answer> {
        let claim = self.verifier.as_ref().map(|_| Claim::read(request.headers())).transpose()?;
        let (parts, body) = request.into_parts();
        // What is not announced may be as large as anything.
        let announced = body::announced(&parts.headers).and_then(|bytes| usize::try_from(bytes).ok());
        let bytes = announced.unwrap_or(BODY_BYTES_MAX).min(BODY_BYTES_MAX);
        let kilobytes = u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX);
        // Nobody closes it.
        let _held = self.held.acquire_many(kilobytes).await.ok();
        let body = body::read(&parts.headers, body, BODY_BYTES_MAX, body::BODY_TIMEOUT).await?;
        let now = SystemTime::now();
        if let (Some(verifier), Some(claim)) = (&self.verifier, &claim) {
            verifier.verify(claim, &parts, &body, now)?;
        }
        let credentials = self.identity.credentials(now).await.map_err(no_credentials)?;
        let request = self.signed(&parts, body, &credentials, now)?;
        let sent = self.client.send(request, Some(ANSWER_TIMEOUT));
        let sent = tokio::select! {
            biased;
            sent = sent => sent,
            // No task: what the API answers at the end of a poll.
            () = stopped(self.stopping.clone()), if polls => {
                return Ok(response(200, front::answer::AWS_JSON, "{}".to_owned()));
            }
        };
        let answer = sent.map_err(|error| self.unreachable(&error))?;
        self.received(answer, now).await
    }

    /// The request as the front wants it.
    fn signed(
        &self,
        parts: &Parts,
        body: Bytes,
        credentials: &Credentials,
        now: SystemTime,
    ) -> Result<Request<Full<Bytes>>, Answer> {
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let (signed, sent) = self.target.uris(path);
        let unusable = |what: &str| Answer::failure(400, "MalformedHttpRequestException", what);
        let headers = forwarded(&parts.headers);
        let mut texts = Vec::new();
        for (name, value) in &headers {
            // What decides about the call is signed; the rest may change on its way.
            if *name == header::CONTENT_TYPE || name.as_str().starts_with("x-amz-") {
                let value =
                    value.to_str().map_err(|_| unusable(&format!("the header {name} is not ASCII")))?;
                texts.push((name.as_str(), value));
            }
        }
        let identity = credentials.clone().into();
        let params = SigningParams::builder()
            .identity(&identity)
            .region(&self.target.region)
            .name(self.target.sign_as.service())
            .time(now)
            .settings(SigningSettings::default())
            .build()
            .map_err(|_| unusable("the request cannot be signed"))?;
        let method: &Method = &parts.method;
        let request =
            SignableRequest::new(method.as_str(), &signed, texts.into_iter(), SignableBody::Bytes(&body));
        let signed = request.and_then(|request| sign(request, &params.into()));
        let (instructions, _) = signed.map_err(|_| unusable("the request cannot be signed"))?.into_parts();
        let mut request = Request::builder()
            .method(method.clone())
            .uri(sent)
            .body(Full::new(body))
            .map_err(|_| unusable("the request cannot be sent"))?;
        *request.headers_mut() = headers;
        if let Some(host) = self.target.host() {
            let host = HeaderValue::from_str(host).map_err(|_| unusable("the host cannot be named"))?;
            request.headers_mut().insert(header::HOST, host);
        }
        instructions.apply_to_request_http1x(&mut request);
        Ok(request)
    }

    /// Hands an answer on; a refusal of the front is put in the API's words.
    async fn received(&self, answer: hyper::Response<Incoming>, now: SystemTime) -> Result<Response, Answer> {
        let (mut parts, body) = answer.into_parts();
        parts.headers = kept(&parts.headers);
        let status = parts.status.as_u16();
        if status < 400 {
            no_page(&mut parts.headers);
            return Ok(Response::from_parts(parts, Body::new(body)));
        }
        let collected = Limited::new(body, REFUSAL_BYTES_MAX).collect();
        let collected = tokio::time::timeout(body::BODY_TIMEOUT, collected).await;
        let body = match collected {
            Ok(Ok(collected)) => collected.to_bytes(),
            _ => Bytes::new(),
        };
        if outcome::is_of_api(&body) {
            no_page(&mut parts.headers);
            return Ok(Response::from_parts(parts, Body::from(body)));
        }
        if matches!(status, 401 | 403) {
            self.identity.doubt(now).await;
        }
        let error_type = parts.headers.get("x-amzn-errortype").and_then(|value| value.to_str().ok());
        let answer = outcome::translate(&Refusal { status, error_type, body: &body }, &self.target);
        tracing::warn!(status, error = answer.error, answer = answer.body, "the front refused a request");
        Err(answer)
    }

    fn unreachable(&self, error: &SendError) -> Answer {
        let message = format!("{} cannot be reached: {error}", self.target.url());
        tracing::warn!("{message}");
        // SDKs send it again.
        Answer::failure(503, "ServiceUnavailableException", &message)
    }
}

/// Headers that are the client's to say.
fn forwarded(headers: &HeaderMap) -> HeaderMap {
    let mut kept = kept(headers);
    for name in REPLACED {
        kept.remove(name);
    }
    kept
}

/// Headers that do not concern the connection that they came by.
fn kept(headers: &HeaderMap) -> HeaderMap {
    let named = headers.get_all(header::CONNECTION).iter().filter_map(|value| value.to_str().ok());
    let named: Vec<HeaderName> =
        named.flat_map(|value| value.split(',')).filter_map(|name| name.trim().parse().ok()).collect();
    let mut kept = headers.clone();
    for name in HOP_BY_HOP {
        kept.remove(name);
    }
    for name in named {
        kept.remove(name);
    }
    kept
}

fn no_credentials(why: NoCredentials) -> Answer {
    let (status, error, message) = match why {
        NoCredentials::Missing => (
            403,
            "UnrecognizedClientException",
            "the proxy finds no AWS credentials to sign with: log in, or set AWS_PROFILE or AWS_ACCESS_KEY_ID \
             and AWS_SECRET_ACCESS_KEY where it runs"
                .to_owned(),
        ),
        NoCredentials::Unavailable(why) => (
            503,
            "ServiceUnavailableException",
            format!("the proxy got no AWS credentials to sign with: {why}"),
        ),
    };
    tracing::warn!("{message}");
    Answer::failure(status, error, &message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_the_clients_to_say_is_handed_on() {
        let check = |name: &'static str, expected: bool| {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONNECTION, HeaderValue::from_static("close, X-Mine"));
            headers.insert(name, HeaderValue::from_static("v"));
            assert_eq!(forwarded(&headers).contains_key(name), expected, "{name}");
        };
        for name in ["x-amz-target", "content-type", "user-agent", "x-amzn-trace-id", "x-amz-user-agent"] {
            check(name, true);
        }
        for name in ["x-mine", "te"].iter().chain(&REPLACED) {
            check(name, false);
        }
    }
}
