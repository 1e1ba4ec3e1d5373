//! The proxy as an external extension of a Lambda function: a layer brings it, Lambda starts it
//! before the function and ends it after.
//!
//! Source: AWS Lambda, "Using the Lambda Extensions API to create extensions".

use std::time::Duration;

use aws_client::Connections;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Method, Request, Response, StatusCode};
use model::json::{Text, Value};

/// The variable that says where the Extensions API is; Lambda sets it.
pub const RUNTIME_API: &str = "AWS_LAMBDA_RUNTIME_API";

/// How long Lambda waits for extensions after it told them to end, less what is left to do then.
/// Source: "Lambda extensions", shutdown phase.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(1);

/// How long registering may take; the init phase has ten seconds.
const REGISTER_TIMEOUT: Duration = Duration::from_secs(5);

/// Bytes of an answer that are read.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// The Extensions API of the function that this process belongs to.
pub struct Extensions {
    client: Connections,
    base: String,
}

/// An extension that Lambda knows.
pub struct Registered<'e> {
    extensions: &'e Extensions,
    identifier: String,
}

impl Extensions {
    /// `api` is what [`RUNTIME_API`] says.
    pub fn new(api: &str) -> Result<Extensions, String> {
        Ok(Extensions { client: Connections::new()?, base: format!("http://{api}/2020-01-01/extension") })
    }

    /// Registers under the name of the process's file, for the end alone: calls of the function are not
    /// waited for, and not delayed.
    pub async fn register(&self, name: &str) -> Result<Registered<'_>, String> {
        let headers = [("lambda-extension-name", name), ("content-type", "application/json")];
        let body = "{\"events\":[\"SHUTDOWN\"]}".to_owned();
        let answer = self.send(Method::POST, "/register", &headers, body, Some(REGISTER_TIMEOUT)).await?;
        let identifier = answer.headers().get("lambda-extension-identifier");
        let identifier = identifier.and_then(|value| value.to_str().ok()).map(str::to_owned);
        let identifier = identifier.ok_or("the Extensions API answered without an identifier")?;
        Ok(Registered { extensions: self, identifier })
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: String,
        timeout: Option<Duration>,
    ) -> Result<Response<Bytes>, String> {
        let failed = |what: &dyn std::fmt::Display| format!("the Extensions API, {path}: {what}");
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(Bytes::from(body))).map_err(|error| failed(&error))?;
        let answer = self.client.send(request, timeout).await.map_err(|error| failed(&error))?;
        let (parts, body) = answer.into_parts();
        let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await.map_err(|error| failed(&error))?;
        let body = body.to_bytes();
        match parts.status {
            StatusCode::OK | StatusCode::ACCEPTED => Ok(Response::from_parts(parts, body)),
            status => Err(failed(&format!("{status} {}", String::from_utf8_lossy(&body)))),
        }
    }
}

impl Registered<'_> {
    /// Says that the extension is ready, and ends when Lambda tells it to end.
    pub async fn shutdown(&self) -> Result<(), String> {
        loop {
            let headers = [("lambda-extension-identifier", self.identifier.as_str())];
            let answer =
                self.extensions.send(Method::GET, "/event/next", &headers, String::new(), None).await?;
            let event = std::str::from_utf8(answer.body()).ok().and_then(|text| Value::parse(text).ok());
            let kind = event.as_ref().and_then(|event| event.get("eventType")).and_then(Value::as_str);
            match kind {
                Some("SHUTDOWN") => return Ok(()),
                // Not asked for; nothing to do.
                Some(_) => {}
                None => return Err("the Extensions API answered with no event".to_owned()),
            }
        }
    }

    /// Says that the extension cannot begin, which fails the start of the function.
    pub async fn init_error(&self, message: &str) -> Result<(), String> {
        const KIND: &str = "Extension.ConfigInvalid";
        let headers = [
            ("lambda-extension-identifier", self.identifier.as_str()),
            ("lambda-extension-function-error-type", KIND),
            ("content-type", "application/json"),
        ];
        let body: Value = [
            ("errorMessage", Value::from(Text::from(message))),
            ("errorType", Value::from(Text::from(KIND))),
        ]
        .into_iter()
        .map(|(name, value)| (Text::from(name), value))
        .collect();
        let sent = self.extensions.send(
            Method::POST,
            "/init/error",
            &headers,
            body.to_json(),
            Some(REGISTER_TIMEOUT),
        );
        sent.await.map(|_| ())
    }
}
