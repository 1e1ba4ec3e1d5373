//! A call: made into a request, sent until there is an answer that counts, and read.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_wire::catalog::Operation;
use aws_wire::node::Node;
use aws_wire::protocol::{Refusal, Request, Response, Unwritable, refusal, request, result};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};

use crate::address::{Address, Endpoints, address};
use crate::connections::{Connections, SendError};
use crate::identity::{Identity, NoCredentials};
use crate::{s3, secret, sign};

/// Calls services. Connections are shared by all calls.
pub struct Client {
    connections: Connections,
    endpoints: Endpoints,
    user_agent: String,
    /// For the pauses between attempts.
    spread: fn() -> f64,
    timeout: Duration,
}

/// Who calls, and where.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Whose rights the call has.
    pub identity: Arc<Identity>,
    /// The Region.
    pub region: String,
}

/// What a call gave.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The output.
    pub output: Node,
    /// As it came.
    pub response: Response,
}

/// Why a call gave nothing.
#[derive(Clone, Debug)]
pub enum Failed {
    /// The service said no.
    Refused {
        /// What it said.
        refusal: Refusal,
        /// How often it was asked.
        attempts: u32,
    },
    /// It was not sent, because of an argument.
    Unwritable(Unwritable),
    /// It was not sent: what is wrong with it, in a sentence.
    Unsendable(String),
    /// There is no answer; what happened.
    NoAnswer(String),
    /// The answer is larger than any that is read.
    TooLarge(String),
    /// The answer cannot be read; why.
    Unreadable(String),
}

/// How often a call is attempted.
const ATTEMPTS_MAX: u32 = 3;
/// The longest pause before the second attempt; twice that before the third.
const PAUSE: Duration = Duration::from_millis(300);
/// How long an answer may take, its body included.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(65);
/// Operations whose answers take longer, and how long.
const SLOW: [(&str, &str, Duration); 3] = [
    ("lambda", "Invoke", Duration::from_secs(15 * 60 + 30)),
    ("sfn", "GetActivityTask", Duration::from_secs(90)),
    ("sfn", "StartSyncExecution", Duration::from_secs(5 * 60 + 30)),
];
/// Bytes of an answer that is bytes. The largest that are of use are inputs of models, in S3.
const BYTES_MAX: usize = 32 * 1024 * 1024;
/// Bytes of an answer that has to be taken apart, which takes many times that in memory. A task's result
/// may be a thirtieth of it.
const DOCUMENT_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Codes of services that have too much to do. Source: AWS SDKs and Tools Reference Guide, "Retry behavior".
const THROTTLING: [&str; 14] = [
    "BandwidthLimitExceeded",
    "EC2ThrottledException",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "TransactionInProgressException",
    "RequestTimeout",
];

impl Client {
    /// `spread` gives numbers from 0 to 1 that differ, for the pauses between attempts.
    pub fn new(
        connections: Connections,
        endpoints: Endpoints,
        user_agent: String,
        spread: fn() -> f64,
    ) -> Client {
        Client { connections, endpoints, user_agent, spread, timeout: ANSWER_TIMEOUT }
    }

    /// The same with another time that answers may take, but for those of operations that are known to
    /// be slow.
    pub fn with_timeout(self, timeout: Duration) -> Client {
        Client { timeout, ..self }
    }

    /// Calls an operation; again where it was not received, or may succeed in a moment.
    pub async fn call(&self, operation: &Operation, input: &Node, caller: &Caller) -> Result<Answer, Failed> {
        self.attempts(operation, input, caller, ATTEMPTS_MAX).await
    }

    /// Calls an operation, once.
    pub async fn call_once(
        &self,
        operation: &Operation,
        input: &Node,
        caller: &Caller,
    ) -> Result<Answer, Failed> {
        self.attempts(operation, input, caller, 1).await
    }

    async fn attempts(
        &self,
        operation: &Operation,
        input: &Node,
        caller: &Caller,
        attempts_max: u32,
    ) -> Result<Answer, Failed> {
        let wrong = Failed::Unsendable;
        let mut request = request(operation, input).map_err(Failed::Unwritable)?;
        s3::add_checksum(operation, input, &mut request).map_err(wrong)?;
        let mut region = caller.region.clone();
        let (mut attempts, mut moved) = (0, false);
        loop {
            let address = address(&self.endpoints, operation, input, &request, &region).map_err(wrong)?;
            let mut addressed = request.clone();
            s3::without_bucket(operation, &mut addressed);
            attempts += 1;
            let sent = self.attempt(operation, &address, &addressed, caller).await;
            let last = attempts >= attempts_max;
            match sent {
                Ok(response)
                    if (200..300).contains(&response.status) && !s3::is_late_error(operation, &response) =>
                {
                    let output = result(operation, &response)
                        .map_err(|error| Failed::Unreadable(error.to_string()))?;
                    return Ok(Answer { output, response });
                }
                Ok(response) => {
                    // Once: what is told to be elsewhere there, too, is nowhere.
                    if let Some(other) = s3::elsewhere(operation, &response)
                        && other != region
                        && !std::mem::replace(&mut moved, true)
                    {
                        region = other;
                        continue;
                    }
                    let mut refusal = refusal(operation.service(), &response);
                    s3::name_absence(operation, &mut refusal);
                    if let Ok(credentials) = caller.identity.credentials(SystemTime::now()).await {
                        secret::remove(&mut refusal, &credentials);
                    }
                    if last || !is_passing(&refusal) {
                        return Err(Failed::Refused { refusal, attempts });
                    }
                }
                Err(Unsent::Never(why)) if last => return Err(Failed::NoAnswer(why)),
                Err(Unsent::Never(_)) => {}
                Err(Unsent::Perhaps(why)) => return Err(Failed::NoAnswer(why)),
                Err(Unsent::Impossible(why)) => return Err(Failed::Unsendable(why)),
                Err(Unsent::TooLarge(why)) => return Err(Failed::TooLarge(why)),
            }
            let longest = PAUSE * 2u32.pow(attempts - 1);
            tokio::time::sleep(longest.mul_f64((self.spread)().clamp(0.1, 1.0))).await;
        }
    }

    async fn attempt(
        &self,
        operation: &Operation,
        address: &Address,
        request: &Request,
        caller: &Caller,
    ) -> Result<Response, Unsent> {
        let impossible = |why: String| Unsent::Impossible(why);
        let mut built = hyper::Request::builder()
            .method(request.method)
            .uri(format!("{}{}{}", address.origin, address.base, request.uri))
            .header("User-Agent", &self.user_agent);
        for (name, value) in &request.headers {
            built = built.header(name.as_ref(), value);
        }
        for (name, value) in &address.headers {
            built = built.header(name, value);
        }
        let body = Bytes::from(request.body.clone());
        let mut built = built.body(body).map_err(|error| impossible(error.to_string()))?;
        if !operation.unsigned() {
            let now = SystemTime::now();
            let credentials = caller.identity.credentials(now).await.map_err(|error| match error {
                NoCredentials::Missing => impossible("no credentials are configured".to_owned()),
                NoCredentials::Unavailable(why) => impossible(format!("there are no credentials: {why}")),
            })?;
            sign::sign(operation, address, &mut built, &credentials, now).map_err(impossible)?;
        }
        let slow = SLOW
            .iter()
            .find(|(service, name, _)| *service == operation.service().key && *name == operation.name);
        let timeout = slow.map_or(self.timeout, |(_, _, timeout)| *timeout);
        let bytes_max = if operation.gives_bytes() { BYTES_MAX } else { DOCUMENT_BYTES_MAX };
        let sending = self.connections.send(built.map(Full::new), None);
        let whole = async {
            let answered = sending.await.map_err(|error| match &error {
                SendError::Broken(broken) if broken.is_connect() => Unsent::Never(said(address, &error)),
                SendError::Broken(_) | SendError::Late(_) => Unsent::Perhaps(said(address, &error)),
            })?;
            let (parts, body) = answered.into_parts();
            let body = Limited::new(body, bytes_max).collect().await;
            let body = body.map_err(|error| match error.is::<LengthLimitError>() {
                true => Unsent::TooLarge(format!("the answer has more than {bytes_max} bytes")),
                false => Unsent::Perhaps(format!("the answer breaks off: {error}")),
            })?;
            let text =
                |value: &hyper::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
            Ok(Response {
                status: parts.status.as_u16(),
                headers: parts.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
                body: body.to_bytes().to_vec(),
            })
        };
        let late = |_| Unsent::Perhaps(format!("no answer in {} seconds", timeout.as_secs_f64()));
        tokio::time::timeout(timeout, whole).await.map_err(late)?
    }
}

/// An attempt without an answer.
enum Unsent {
    /// Nothing was sent.
    Never(String),
    /// The service may have done what it was asked.
    Perhaps(String),
    /// It cannot be sent.
    Impossible(String),
    /// There is an answer, which nobody wants whole.
    TooLarge(String),
}

fn said(address: &Address, error: &SendError) -> String {
    // Without a name and a password before it.
    let host = address.origin.rsplit(['/', '@']).next().unwrap_or_default();
    format!("{host}: {error}")
}

/// Whether the same request may succeed in a moment.
fn is_passing(refusal: &Refusal) -> bool {
    matches!(refusal.status, 500 | 502 | 503 | 504) || THROTTLING.contains(&refusal.code.as_str())
}
