//! A function of the installation in a process of its own, as Lambda runs it: this process is its
//! Runtime API.
//!
//! Source: AWS Lambda developer guide, "Using the Lambda runtime API for custom runtimes".

use std::path::Path;
use std::process::{Child, Command};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use hyper::http::request::Parts;
use hyper::{HeaderMap, Response, StatusCode, header::HeaderValue};
use tokio::sync::{Mutex, mpsc};

use crate::process::{Memory, memory};
use crate::stand_in::{self, Body, Server, StandIn, answer};

/// How long a function may take to start, and to say what came of an event.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often it is looked whether the process has ended.
const LOOK: Duration = Duration::from_millis(100);
/// The timeout of invocations, as the template has it for the step-driver.
const TIMEOUT: Duration = Duration::from_secs(15 * 60);
/// What every path of the Runtime API begins with.
const VERSION: &str = "/2018-06-01/runtime/";

/// Where systems have the roots of trust in one file. Lambda's has the first, and nothing beside it, so
/// that functions read one file; other systems have a directory of single ones, too, which takes longer
/// to read than everything else at a start. Source: Amazon Linux 2023, `/etc/pki/tls/certs`.
const ROOTS: [&str; 3] =
    ["/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/certs/ca-certificates.crt", "/etc/ssl/cert.pem"];

/// A function that has started. It is killed with its value.
pub struct Container {
    process: Child,
    handler: &'static str,
    events: mpsc::UnboundedSender<Event>,
    heard: mpsc::UnboundedReceiver<Heard>,
    invocations: u64,
    ready: Duration,
    _runtime: Server,
}

struct Event {
    id: String,
    body: Bytes,
}

/// What the function said.
enum Heard {
    /// It waits for an event.
    Next(Instant),
    /// What came of an event.
    Answer(Bytes),
    /// It could not start, or did not handle an event.
    Error(String),
}

impl Container {
    /// Starts the function of this handler and waits until it asks for its first event.
    pub async fn start(
        binary: &Path,
        handler: &'static str,
        services: &StandIn,
    ) -> Result<Container, String> {
        let (events, taken) = mpsc::unbounded_channel();
        let (said, heard) = mpsc::unbounded_channel();
        let taken = Arc::new(Mutex::new(taken));
        let runtime = Server::start(move |request, body| {
            let (said, taken) = (said.clone(), taken.clone());
            async move { respond(&request, body, &said, &taken).await }
        })
        .await?;
        let mut command = Command::new(binary);
        // Nothing of the environment of this process: no proxies, no profiles of somebody's.
        command.env_clear().envs(services.environment()).env("_HANDLER", handler);
        command.envs(ROOTS.iter().find(|path| Path::new(path).exists()).map(|path| ("SSL_CERT_FILE", path)));
        command.env("AWS_LAMBDA_RUNTIME_API", runtime.address().to_string());
        let own = [("NAME", handler), ("VERSION", "$LATEST"), ("MEMORY_SIZE", "128")];
        command.envs(own.map(|(name, value)| (format!("AWS_LAMBDA_FUNCTION_{name}"), value)));
        let began = Instant::now();
        let process =
            command.spawn().map_err(|error| format!("{} cannot be run: {error}", binary.display()))?;
        let (invocations, ready) = (0, Duration::ZERO);
        let mut container =
            Container { process, handler, events, heard, invocations, ready, _runtime: runtime };
        container.ready = container.at_rest().await?.saturating_duration_since(began);
        Ok(container)
    }

    /// From the start of the process to its first question for an event.
    pub fn ready(&self) -> Duration {
        self.ready
    }

    /// What it takes now, and what it has taken at most.
    pub fn memory(&self) -> Result<Memory, String> {
        memory(&self.process.id().to_string())
    }

    /// Hands over an event; gives what the function answered, once it waits for another.
    pub async fn invoke(&mut self, event: impl Into<Bytes>) -> Result<Bytes, String> {
        self.invocations += 1;
        let event = Event { id: format!("{}-{}", self.handler, self.invocations), body: event.into() };
        self.events.send(event).map_err(|_| "the Runtime API has ended".to_owned())?;
        let answered = match self.next_heard().await? {
            Heard::Answer(answered) => answered,
            Heard::Error(error) => return Err(format!("`{}` answered an error: {error}", self.handler)),
            Heard::Next(_) => return Err(format!("`{}` asks for two events at once", self.handler)),
        };
        self.at_rest().await?;
        Ok(answered)
    }

    /// Waits until it asks for an event, and says when it did.
    async fn at_rest(&mut self) -> Result<Instant, String> {
        match self.next_heard().await? {
            Heard::Next(at) => Ok(at),
            Heard::Error(error) => Err(format!("`{}` does not start: {error}", self.handler)),
            Heard::Answer(_) => Err(format!("`{}` answered what it was not asked", self.handler)),
        }
    }

    async fn next_heard(&mut self) -> Result<Heard, String> {
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            match tokio::time::timeout(LOOK, self.heard.recv()).await {
                Ok(Some(heard)) => return Ok(heard),
                Ok(None) => return Err("the Runtime API has ended".to_owned()),
                Err(_) => {}
            }
            if let Some(status) = self.process.try_wait().map_err(|error| error.to_string())? {
                return Err(format!("`{}` ended with {status}", self.handler));
            }
        }
        Err(format!("nothing was heard of `{}` in {PATIENCE:?}", self.handler))
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

async fn respond(
    request: &Parts,
    body: Bytes,
    said: &mpsc::UnboundedSender<Heard>,
    events: &Mutex<mpsc::UnboundedReceiver<Event>>,
) -> Response<Body> {
    let path = request.uri.path().strip_prefix(VERSION).unwrap_or_default();
    // Nobody hears it any more while a container goes.
    let say = |heard| drop(said.send(heard));
    let taken = || answer(StatusCode::ACCEPTED, "application/json", r#"{"status":"OK"}"#);
    match path.split('/').collect::<Vec<_>>().as_slice() {
        ["invocation", "next"] => {
            say(Heard::Next(Instant::now()));
            let Some(event) = events.lock().await.recv().await else {
                return answer(StatusCode::INTERNAL_SERVER_ERROR, "text/plain", "no events any more");
            };
            let mut next = answer(StatusCode::OK, "application/json", event.body.clone());
            next.headers_mut().extend(headers(&event));
            next
        }
        ["invocation", _, "response"] => {
            say(Heard::Answer(body));
            taken()
        }
        ["invocation", _, "error"] | ["init", "error"] => {
            say(Heard::Error(String::from_utf8_lossy(&body).into_owned()));
            taken()
        }
        _ => answer(StatusCode::NOT_FOUND, "text/plain", "not of the Runtime API"),
    }
}

/// What the function is told of an invocation beside the event.
fn headers(event: &Event) -> HeaderMap {
    let deadline = SystemTime::now() + TIMEOUT;
    let deadline = deadline.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let arn = format!("arn:aws:lambda:{}:{}:function:stepwright", stand_in::REGION, stand_in::ACCOUNT);
    let all = [
        ("lambda-runtime-aws-request-id", event.id.clone()),
        ("lambda-runtime-deadline-ms", deadline.as_millis().to_string()),
        ("lambda-runtime-invoked-function-arn", arn),
        ("lambda-runtime-trace-id", "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=0".to_owned()),
    ];
    let header = |(name, value): (&'static str, String)| {
        Some((hyper::header::HeaderName::from_static(name), HeaderValue::try_from(value).ok()?))
    };
    all.into_iter().filter_map(header).collect()
}
