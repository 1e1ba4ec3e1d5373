//! A request and its answer: whole, in time, and no larger than a payload may be.

use std::time::Duration;

use aws_client::{Connections, SendError};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Body as _;
use hyper::ext::ReasonPhrase;
use hyper::{HeaderMap, Request, StatusCode};
use model::json::{Text, Value};
use model::limits::PAYLOAD_BYTES_MAX;

/// An answer.
pub(crate) struct Answered {
    pub status: u16,
    /// What stands behind the status in the answer's first line, or is usual there.
    pub status_text: String,
    /// In the order of their names, which are in lower case.
    headers: Vec<(String, Vec<String>)>,
    pub body: Vec<u8>,
}

/// Why there is none.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NoAnswer {
    /// No connection, a broken one, or nothing in time; what happened.
    Broken(String),
    /// There is more of it than a payload may have.
    TooLarge,
}

/// Sends a request and reads its answer. A redirect is an answer like others: whoever follows it shows
/// credentials to whom nobody meant.
pub(crate) async fn exchange(
    connections: &Connections,
    request: Request<Bytes>,
    timeout: Duration,
) -> Result<Answered, NoAnswer> {
    let host = request.uri().host().unwrap_or_default().to_owned();
    let whole = async {
        let sent = connections.send(request.map(Full::new), None).await;
        let (head, body) = sent.map_err(|error| NoAnswer::Broken(said(&host, &error)))?.into_parts();
        if body.size_hint().lower() > PAYLOAD_BYTES_MAX as u64 {
            return Err(NoAnswer::TooLarge);
        }
        let body = Limited::new(body, PAYLOAD_BYTES_MAX).collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() {
                return NoAnswer::TooLarge;
            }
            NoAnswer::Broken(format!("{host}: the answer breaks off"))
        })?;
        let reason = head.extensions.get::<ReasonPhrase>();
        let reason = reason.map(|reason| String::from_utf8_lossy(reason.as_bytes()).into_owned());
        Ok(Answered {
            status: head.status.as_u16(),
            status_text: reason.unwrap_or_else(|| usual_text(head.status)),
            headers: collected(&head.headers),
            body: body.to_bytes().to_vec(),
        })
    };
    let late = |_| NoAnswer::Broken(format!("{host}: no answer in {} seconds", timeout.as_secs()));
    tokio::time::timeout(timeout, whole).await.map_err(late)?
}

fn said(host: &str, error: &SendError) -> String {
    let why = error.to_string();
    if why.starts_with(host) { why } else { format!("{host}: {why}") }
}

fn usual_text(status: StatusCode) -> String {
    status.canonical_reason().unwrap_or_default().to_owned()
}

fn collected(headers: &HeaderMap) -> Vec<(String, Vec<String>)> {
    let text = |name| {
        let values = headers.get_all(name).iter();
        values.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect()
    };
    let mut found: Vec<_> = headers.keys().map(|name| (name.to_string(), text(name))).collect();
    found.sort();
    found
}

impl Answered {
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The first value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, values) = self.headers.iter().find(|(known, _)| known == name)?;
        values.first().map(String::as_str)
    }

    /// The body as text; bytes that are none are replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// What the task's result is, with this body. `spelled` says how headers are written.
    /// Source: recorded outputs.
    pub fn output(&self, text: &str, spelled: fn(&str) -> String) -> Value {
        let headers = self.headers.iter().map(|(name, values)| {
            let values: Value = values.iter().map(|value| Value::from(value.as_str())).collect();
            (spelled(name), values)
        });
        let members: [(&str, Value); 4] = [
            ("Headers", headers.collect()),
            ("ResponseBody", Value::parse(text).unwrap_or_else(|_| Value::from(text))),
            ("StatusCode", Value::from(u32::from(self.status))),
            ("StatusText", Value::from(self.status_text.as_str())),
        ];
        members.into_iter().map(|(name, value)| (Text::new_static(name), value)).collect()
    }

    /// What an answer that is no success is the cause of: its body, or what its status means.
    pub fn cause(&self) -> String {
        if self.body.is_empty() { self.status_text.clone() } else { self.text() }
    }
}
