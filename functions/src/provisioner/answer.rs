//! The answer to CloudFormation, and its way there.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::Full;
use hyper::{Method, Request, StatusCode, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use model::json::{Text, Value};

use super::request::Caller;
use crate::call::{object, text};

/// Bytes of an answer. Source: CloudFormation user guide, "Custom resource response objects".
const BYTES_MAX: usize = 4_096;
/// Characters of a reason to begin with; what does not fit is cut further.
const REASON_CHARS_MAX: usize = 3_000;
/// Bytes of a physical id. Source: as [`BYTES_MAX`].
const PHYSICAL_ID_BYTES_MAX: usize = 1_024;

/// Attempts to deliver an answer: a stack waits for it, for an hour.
const ATTEMPTS_MAX: u32 = 6;
/// Before the second attempt; doubled for each further one.
const PAUSE: Duration = Duration::from_millis(250);
/// For one attempt.
const ATTEMPT: Duration = Duration::from_secs(10);
/// To open a connection.
const CONNECT: Duration = Duration::from_secs(5);

/// Attributes of a resource, which `Fn::GetAtt` gives.
pub type Data = Vec<(&'static str, Text)>;

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// What `Ref` gives, and what later requests name.
    pub physical_id: Text,
    /// The attributes, or why it failed.
    pub outcome: Result<Data, String>,
}

impl Answer {
    /// The body that CloudFormation takes.
    pub fn body(&self, caller: &Caller) -> String {
        let whole = match &self.outcome {
            Ok(_) => String::new(),
            Err(reason) => reason.clone(),
        };
        let mut chars = REASON_CHARS_MAX;
        loop {
            let body = self.body_with(caller, &cut(&whole, chars)).to_json();
            if body.len() <= BYTES_MAX || chars == 0 {
                return body;
            }
            chars = chars.saturating_sub(100);
        }
    }

    fn body_with(&self, caller: &Caller, reason: &str) -> Value {
        let (status, data) = match &self.outcome {
            Ok(data) => ("SUCCESS", data.iter().map(|(name, value)| (*name, text(value))).collect()),
            Err(_) => ("FAILED", Value::object()),
        };
        let end = self.physical_id.floor_char_boundary(PHYSICAL_ID_BYTES_MAX);
        object([
            ("Status", text(status)),
            ("Reason", text(reason)),
            ("PhysicalResourceId", text(&self.physical_id[..end])),
            ("StackId", text(&caller.stack_id)),
            ("RequestId", text(&caller.request_id)),
            ("LogicalResourceId", text(&caller.logical_id)),
            ("NoEcho", Value::from(false)),
            ("Data", data),
        ])
    }
}

fn cut(reason: &str, chars_max: usize) -> String {
    match reason.char_indices().nth(chars_max) {
        None => reason.to_owned(),
        Some((end, _)) => format!("{}…", &reason[..end]),
    }
}

/// Brings answers to CloudFormation.
#[async_trait]
pub trait Replies: Send + Sync {
    /// Puts a body at the address that the request has named.
    async fn put(&self, url: &str, body: String) -> Result<(), String>;
}

/// Over HTTPS; in the clear to this machine only, where emulators are.
pub struct Http(Client<HttpsConnector<HttpConnector>, Full<Bytes>>);

impl Http {
    /// Connects with the first answer.
    pub fn new() -> Result<Http, String> {
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_connect_timeout(Some(CONNECT));
        let https = HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(rustls::crypto::ring::default_provider())
            .map_err(|error| format!("no certificate authorities: {error}"))?
            .https_or_http()
            .enable_http1()
            .wrap_connector(http);
        Ok(Http(Client::builder(TokioExecutor::new()).build(https)))
    }

    async fn attempt(&self, uri: &Uri, body: &str) -> Result<(), Undelivered> {
        // No content type: the address is signed for an empty one.
        let request = Request::builder().method(Method::PUT).uri(uri).body(Full::from(body.to_owned()));
        let request = request.map_err(|_| Undelivered::Refused("the request cannot be made".to_owned()))?;
        let answered = tokio::time::timeout(ATTEMPT, self.0.request(request)).await;
        let status = match answered {
            Ok(Ok(answer)) => answer.status(),
            Ok(Err(error)) => return Err(Undelivered::Lost(innermost(&error))),
            Err(_) => return Err(Undelivered::Lost("no answer came in time".to_owned())),
        };
        let said = format!("HTTP status {}", status.as_u16());
        match status {
            status if status.is_success() => Ok(()),
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => Err(Undelivered::Lost(said)),
            status if status.is_client_error() => Err(Undelivered::Refused(said)),
            _ => Err(Undelivered::Lost(said)),
        }
    }
}

/// Why an answer did not arrive.
enum Undelivered {
    /// Another attempt may help.
    Lost(String),
    /// None will.
    Refused(String),
}

#[async_trait]
impl Replies for Http {
    async fn put(&self, url: &str, body: String) -> Result<(), String> {
        let uri = address(url)?;
        let mut pause = PAUSE;
        for attempt in 1.. {
            match self.attempt(&uri, &body).await {
                Ok(()) => return Ok(()),
                Err(Undelivered::Lost(reason)) if attempt < ATTEMPTS_MAX => {
                    tracing::warn!(attempt, reason, "the answer did not reach CloudFormation");
                }
                Err(Undelivered::Lost(reason) | Undelivered::Refused(reason)) => {
                    return Err(format!("the answer did not reach CloudFormation: {reason}"));
                }
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        Ok(())
    }
}

/// The address of an answer. A message does not repeat it.
fn address(url: &str) -> Result<Uri, String> {
    let uri: Uri = url.parse().map_err(|_| "the ResponseURL is no URL".to_owned())?;
    let host = uri.host().unwrap_or_default();
    let is_here = host == "localhost"
        || host.trim_matches(['[', ']']).parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback());
    match uri.scheme_str() {
        Some("https") => Ok(uri),
        Some("http") if is_here => Ok(uri),
        _ => Err("the ResponseURL is not an https URL".to_owned()),
    }
}

/// What happened, without where: errors of connections name no address at their innermost.
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller() -> Caller {
        Caller {
            response_url: "https://hush.example".into(),
            stack_id: "arn:aws:cloudformation:us-east-1:123456789012:stack/app/6b5a".into(),
            request_id: "r".into(),
            logical_id: "L".into(),
        }
    }

    #[test]
    fn an_answer_repeats_who_asked() {
        let answer = Answer { physical_id: "arn".into(), outcome: Ok(vec![("Arn", "arn".into())]) };
        let body = Value::parse(&answer.body(&caller())).unwrap();
        let expected = r#"{"Status": "SUCCESS", "Reason": "", "PhysicalResourceId": "arn",
            "StackId": "arn:aws:cloudformation:us-east-1:123456789012:stack/app/6b5a", "RequestId": "r",
            "LogicalResourceId": "L", "NoEcho": false, "Data": {"Arn": "arn"}}"#;
        assert_eq!(body, Value::parse(expected).unwrap());
    }

    #[test]
    fn an_answer_is_never_too_long() {
        for reason in ["x".repeat(10_000), "ü".repeat(10_000), "\u{1}".repeat(10_000), "𝄞".repeat(3_000)]
        {
            let answer = Answer { physical_id: "p".repeat(2_000).into(), outcome: Err(reason.clone()) };
            let body = answer.body(&caller());
            assert!(body.len() <= BYTES_MAX, "{}", body.len());
            let body = Value::parse(&body).unwrap();
            let said = body.get("Reason").and_then(Value::as_str).unwrap();
            assert!(said.ends_with('…') && reason.starts_with(said.trim_end_matches('…')));
            assert_eq!(body.get("Status").and_then(Value::as_str), Some("FAILED"));
        }
    }

    #[test]
    fn answers_go_over_https_or_stay_here() {
        for (url, expected) in [
            ("https://cloudformation-custom-resource-response-useast1.s3.amazonaws.com/a%7Cb?X=1", true),
            ("http://localhost:4566/a", true),
            ("http://127.0.0.1:4566/a", true),
            ("http://[::1]/a", true),
            ("http://example.com/a", false),
            ("http://localhost.example.com/a", false),
            ("http://169.254.169.254/a", false),
            ("file:///a", false),
            ("hush", false),
            ("", false),
        ] {
            let found = address(url);
            assert_eq!(found.is_ok(), expected, "{url}");
            assert!(found.err().is_none_or(|said| url.is_empty() || !said.contains(url)));
        }
    }
}
