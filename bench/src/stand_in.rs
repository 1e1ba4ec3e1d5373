//! AWS as the functions of an installation see it, on loopback: what they ask of DynamoDB, SQS, S3,
//! EventBridge, STS and Lambda, and no more. Whatever else they ask for is refused and noted.
//!
//! The functions reach it by `AWS_ENDPOINT_URL`, without TLS. It checks no signatures.

mod blobs;
pub mod http;
mod queue;
mod table;
mod work;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use hyper::http::request::Parts;
use hyper::{Response, StatusCode};
use serde_json::{Value, json};

use blobs::Blobs;
pub use http::Server;
pub(crate) use http::{Body, answer};
use queue::Queue;
use table::Table;
pub use work::Work;

/// Where the installation is.
pub const REGION: &str = "us-east-1";
/// Whose it is.
pub const ACCOUNT: &str = "123456789012";
/// The role of state machines.
pub const ROLE: &str = "arn:aws:iam::123456789012:role/stepwright/orders";
/// The function that tasks call, which is [`Work`].
pub const FUNCTION: &str = "arn:aws:lambda:us-east-1:123456789012:function:work";
const BUCKET: &str = "payloads";

/// The services.
pub struct StandIn {
    services: Arc<Services>,
    server: Server,
}

struct Services {
    table: Table,
    queue: Queue,
    blobs: Blobs,
    work: Work,
    refused: Mutex<Vec<String>>,
}

/// A request that is not done, as AWS says it.
struct Refused {
    code: &'static str,
    message: String,
}

impl Refused {
    /// What no function should ask for.
    fn unknown(what: impl fmt::Display) -> Refused {
        Refused { code: "UnknownOperationException", message: format!("{what} is not served here") }
    }
}

impl StandIn {
    /// Services that hold nothing, and the function that tasks call.
    pub async fn start(work: Work) -> Result<StandIn, String> {
        let services = Arc::new(Services {
            table: Table::default(),
            queue: Queue::default(),
            blobs: Blobs::default(),
            work,
            refused: Mutex::default(),
        });
        let served = services.clone();
        let server = Server::start(move |request, body| {
            let services = served.clone();
            async move { services.answer(&request, body).await }
        });
        Ok(StandIn { server: server.await?, services })
    }

    /// The environment that the template gives to functions, for this installation.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let url = format!("http://{}", self.server.address());
        let queue = |name: &str| format!("{url}/{ACCOUNT}/{name}");
        let text = str::to_owned;
        vec![
            ("AWS_REGION", text(REGION)),
            ("AWS_ACCESS_KEY_ID", text("ASIAEXAMPLE")),
            ("AWS_SECRET_ACCESS_KEY", text("secret")),
            ("AWS_SESSION_TOKEN", text("token")),
            ("STEPWRIGHT_ACCOUNT", text(ACCOUNT)),
            ("STEPWRIGHT_TABLE", text("stepwright")),
            ("STEPWRIGHT_BUCKET", text(BUCKET)),
            ("STEPWRIGHT_BUS", text("default")),
            ("STEPWRIGHT_TOPIC", format!("arn:aws:sns:{REGION}:{ACCOUNT}:failures")),
            ("STEPWRIGHT_QUEUE_URL", queue(queue::NAME)),
            ("STEPWRIGHT_DEAD_LETTERS_URL", queue("dead-letters")),
            ("STEPWRIGHT_ACTIVITY_QUEUES", text("stepwright-")),
            ("STEPWRIGHT_TASK_ROLES", format!("arn:aws:iam::{ACCOUNT}:role/stepwright/*")),
            ("STEPWRIGHT_EXTERNAL_ID", text("external")),
            ("STEPWRIGHT_LOG", text("warn")),
            ("AWS_ENDPOINT_URL", url),
        ]
    }

    /// The messages that stand in the queue, as records of an event; it is empty afterwards.
    pub fn take_messages(&self) -> Vec<Value> {
        self.services.queue.take()
    }

    /// The function that tasks call.
    pub fn work(&self) -> &Work {
        &self.services.work
    }

    /// Whether everything that was asked for is served here, and the work was what it should be.
    pub fn check(&self) -> Result<(), String> {
        let refused = self.services.refused.lock().unwrap_or_else(PoisonError::into_inner);
        match refused.first() {
            None => Ok(()),
            Some(first) => Err(format!("{} requests were refused, the first: {first}", refused.len())),
        }
    }
}

impl Services {
    async fn answer(&self, request: &Parts, body: Bytes) -> Response<Body> {
        let target = request.headers.get("x-amz-target").and_then(|target| target.to_str().ok());
        if let Some(target) = target {
            return match self.operation(target, &body) {
                Ok(answered) => json_answer(StatusCode::OK, &answered),
                Err(refused) => self.refuse(&refused),
            };
        }
        let path = request.uri.path();
        if let Some(key) = path.strip_prefix('/').and_then(|path| path.strip_prefix(BUCKET)) {
            return match self.blobs.answer(&request.method, key, body) {
                Ok(answered) => answered,
                Err(refused) => self.refuse(&refused),
            };
        }
        if path.starts_with("/2015-03-31/functions/") {
            return match self.work.answer(&body).await {
                Ok(payload) => answer(StatusCode::OK, "application/json", payload),
                Err(refused) => self.refuse(&refused),
            };
        }
        if body.starts_with(b"Action=AssumeRole&") {
            return answer(StatusCode::OK, "text/xml", ASSUMED);
        }
        self.refuse(&Refused::unknown(format_args!("{} {path}", request.method)))
    }

    /// An operation of a service that speaks AWS JSON.
    fn operation(&self, target: &str, body: &[u8]) -> Result<Value, Refused> {
        let request: Value = serde_json::from_slice(body)
            .map_err(|error| Refused { code: "SerializationException", message: error.to_string() })?;
        match target.split_once('.') {
            Some(("DynamoDB_20120810", operation)) => self.table.call(operation, &request),
            Some(("AmazonSQS", operation)) => self.queue.call(operation, &request),
            Some(("AWSEvents", "PutEvents")) => Ok(published(&request)),
            _ => Err(Refused::unknown(target)),
        }
    }

    fn refuse(&self, refused: &Refused) -> Response<Body> {
        // A conditional write that comes too late is a part of the protocol.
        if refused.code != table::CONDITION_FAILED {
            let said = format!("{}: {}", refused.code, refused.message);
            self.refused.lock().unwrap_or_else(PoisonError::into_inner).push(said);
        }
        json_answer(
            StatusCode::BAD_REQUEST,
            &json!({"__type": refused.code, "Type": refused.code, "message": refused.message}),
        )
    }
}

fn json_answer(status: StatusCode, body: &Value) -> Response<Body> {
    answer(status, "application/x-amz-json-1.0", body.to_string())
}

/// All events of a request are taken, and go nowhere.
fn published(request: &Value) -> Value {
    let count = request["Entries"].as_array().map_or(0, Vec::len);
    let entries: Vec<Value> = (0..count).map(|number| json!({"EventId": number.to_string()})).collect();
    json!({"FailedEntryCount": 0, "Entries": entries})
}

/// The answer to AssumeRole.
const ASSUMED: &str = r#"<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
<AssumeRoleResult><Credentials>
<AccessKeyId>ASIAEXAMPLE</AccessKeyId><SecretAccessKey>secret</SecretAccessKey>
<SessionToken>token</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration>
</Credentials></AssumeRoleResult></AssumeRoleResponse>"#;
