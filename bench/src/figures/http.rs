//! Executions over HTTP: a real `stepwright dev` on its embedded store, and a client that keeps its
//! connections.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bench::load;
use bench::process::{Scratch, Talking, sibling};
use bench::report::{Figure, Report};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Method, Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// Connections that start executions.
const CONNECTIONS: usize = 64;
/// The load: before it counts, and while it does.
const WARM_UP: Duration = Duration::from_secs(3);
const TIME: Duration = Duration::from_secs(12);
/// How long the server may take to come up.
const START_MAX: Duration = Duration::from_secs(60);
/// One of so many executions is described afterwards.
const SAMPLED: usize = 200;

/// What is run: it ends in its first step, and StartExecution answers once that is durable.
const FIVE: &str = r#"{"StartAt": "A", "States": {
    "A": {"Type": "Pass", "Next": "B"}, "B": {"Type": "Pass", "Next": "C"}, "C": {"Type": "Pass", "Next": "D"},
    "D": {"Type": "Pass", "Next": "E"}, "E": {"Type": "Pass", "End": true}}}"#;

/// StartExecution of five Pass states, answered with 200 within the time that counts, per second.
/// Afterwards the listing has to show every execution that was started in the whole load as
/// SUCCEEDED, and DescribeExecution has to say the same of one in two hundred. The server logs
/// warnings only; the client shares the machine with it.
pub fn http(report: &mut Report) {
    let name = "http_executions_per_second";
    report.measure(&[name], || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| error.to_string())?;
        let scratch = Scratch::new("http")?;
        let arguments = ["dev", "--port", "0", "--no-watch", "--log", "warn", "--data", "data"];
        let mut server = Talking::start(&sibling("stepwright")?, &arguments, scratch.path())?;
        let address = server.wait_for("its address", START_MAX, address_in)?;
        let per_second = runtime.block_on(measure(address))?;
        Ok(vec![Figure::at_least(3_000.0, name, per_second, "1/s")])
    });
}

/// What the connections have seen.
#[derive(Default)]
struct Seen {
    started: usize,
    within: usize,
    sample: Vec<Value>,
}

async fn measure(address: SocketAddr) -> Result<f64, String> {
    let mut client = Client::connect(address).await?;
    let created = client
        .call(
            "CreateStateMachine",
            &json!({"name": "five", "definition": FIVE, "roleArn": "arn:aws:iam::123456789012:role/bench"}),
        )
        .await?;
    let machine = created.get("stateMachineArn").ok_or("a state machine without an ARN")?.clone();
    let input = load::input().to_json();
    let start = Bytes::from(json!({"stateMachineArn": machine, "input": input}).to_string());
    let from = Instant::now() + WARM_UP;
    let mut connections = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let (start, mut client) = (start.clone(), Client::connect(address).await?);
        connections.spawn(async move {
            let mut seen = Seen::default();
            while from + TIME > Instant::now() {
                let answer = client.exchange("StartExecution", start.clone()).await?;
                let now = Instant::now();
                seen.started += 1;
                seen.within += usize::from((from..from + TIME).contains(&now));
                if seen.started % SAMPLED == 1 {
                    let answer = parse(&answer)?;
                    seen.sample
                        .push(answer.get("executionArn").ok_or("an execution without an ARN")?.clone());
                }
            }
            Ok::<Seen, String>(seen)
        });
    }
    let mut all = Seen::default();
    while let Some(seen) = connections.join_next().await {
        let seen = seen.map_err(|error| error.to_string())??;
        all.started += seen.started;
        all.within += seen.within;
        all.sample.extend(seen.sample);
    }
    for execution in &all.sample {
        let described = client.call("DescribeExecution", &json!({"executionArn": execution})).await?;
        if described.get("status").and_then(Value::as_str) != Some("SUCCEEDED") {
            return Err(format!("an execution that was started is {}", described));
        }
    }
    let listed = succeeded(&mut client, &machine).await?;
    if listed != all.started {
        return Err(format!("{} executions were started, and {listed} have succeeded", all.started));
    }
    Ok(all.within as f64 / TIME.as_secs_f64())
}

/// How many executions ListExecutions shows as SUCCEEDED.
async fn succeeded(client: &mut Client, machine: &Value) -> Result<usize, String> {
    let mut listed = 0;
    let mut query = json!({"stateMachineArn": machine, "statusFilter": "SUCCEEDED", "maxResults": 1_000});
    loop {
        let page = client.call("ListExecutions", &query).await?;
        listed += page.get("executions").and_then(Value::as_array).map_or(0, Vec::len);
        match page.get("nextToken") {
            Some(next) if next.is_string() => query["nextToken"] = next.clone(),
            _ => return Ok(listed),
        }
    }
}

/// A connection to the server.
struct Client {
    sender: SendRequest<Full<Bytes>>,
    host: String,
}

impl Client {
    async fn connect(address: SocketAddr) -> Result<Client, String> {
        let said = |error: &dyn std::fmt::Display| format!("no connection to {address}: {error}");
        let stream = TcpStream::connect(address).await.map_err(|error| said(&error))?;
        stream.set_nodelay(true).map_err(|error| said(&error))?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(|error| said(&error))?;
        // What breaks it is seen by whoever sends.
        tokio::spawn(connection);
        Ok(Client { sender, host: address.to_string() })
    }

    async fn call(&mut self, operation: &str, body: &Value) -> Result<Value, String> {
        parse(&self.exchange(operation, Bytes::from(body.to_string())).await?)
    }

    /// The body of an answer of 200.
    async fn exchange(&mut self, operation: &str, body: Bytes) -> Result<Bytes, String> {
        let said = |error: &dyn std::fmt::Display| format!("{operation} had no answer: {error}");
        let request = Request::builder()
            .method(Method::POST)
            .uri("/")
            .header(header::HOST, &self.host)
            .header(header::CONTENT_TYPE, "application/x-amz-json-1.0")
            .header("X-Amz-Target", format!("AWSStepFunctions.{operation}"))
            .body(Full::new(body))
            .map_err(|error| said(&error))?;
        self.sender.ready().await.map_err(|error| said(&error))?;
        let answer = self.sender.send_request(request).await.map_err(|error| said(&error))?;
        let status = answer.status();
        let body = answer.into_body().collect().await.map_err(|error| said(&error))?.to_bytes();
        match status {
            StatusCode::OK => Ok(body),
            _ => Err(format!("{operation} was answered with {status}: {}", String::from_utf8_lossy(&body))),
        }
    }
}

fn parse(body: &[u8]) -> Result<Value, String> {
    serde_json::from_slice(body).map_err(|error| format!("an answer is no JSON: {error}"))
}

fn address_in(line: &str) -> Option<SocketAddr> {
    let (_, rest) = line.split_once("http://")?;
    rest.split(|found: char| found.is_whitespace() || found == '/').next()?.parse().ok()
}
