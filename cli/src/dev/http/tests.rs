//! Requests over real connections, in front of an API that is none.

use std::net::SocketAddr;
use std::sync::Mutex;

use async_trait::async_trait;
use front::Secret;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::*;

/// Answers with what it was asked; `GetActivityTask` never does.
struct Echo;

#[async_trait]
impl Api for Echo {
    async fn call(&self, operation: &str, body: &[u8]) -> Answer {
        if operation == LONG_POLL {
            std::future::pending::<()>().await;
        }
        if operation == "Slow" {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let body = format!("{{\"operation\":\"{operation}\",\"bytes\":{}}}", body.len());
        Answer { status: 200, body, error: None, request_id: "from-the-api".to_owned() }
    }
}

struct Server {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    serving: JoinHandle<()>,
}

const LIMITS: listen::Limits = listen::Limits {
    connections: 16,
    head_timeout: Duration::from_millis(100),
    drain_timeout: Duration::from_secs(5),
};

async fn server(credential: Option<Credential>, limits: listen::Limits) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().expect("it has an address");
    let (stop, stopping) = watch::channel(false);
    let front = Arc::new(Front {
        api: Arc::new(Echo),
        guard: Guard { host: "127.0.0.1".to_owned(), signed: credential.is_some() },
        verifier: credential.map(|credential| verifier(credential, "us-east-1")),
        store: "memory",
        started: Instant::now(),
        body_timeout: Duration::from_millis(100),
        stopping: stopping.clone(),
        seeds: Mutex::new(Seeds::From(1)),
    });
    let serving = tokio::spawn(listen::serve(listener, router(front), limits, stopping));
    Server { address, stop, serving }
}

/// What comes back for these bytes, until the server closes or has answered.
async fn exchange(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    // The server may refuse before it has read everything.
    let _ = stream.write_all(request).await;
    read_to_end(&mut stream).await
}

async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut answer)).await;
    String::from_utf8_lossy(&answer).into_owned()
}

fn request(line: &str, headers: &[&str], body: &str) -> Vec<u8> {
    let mut text = format!("{line} HTTP/1.1\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
    if !headers.iter().any(|header| header.to_lowercase().starts_with("host:")) {
        text.push_str("Host: 127.0.0.1:8083\r\n");
    }
    for header in headers {
        text.push_str(header);
        text.push_str("\r\n");
    }
    format!("{text}\r\n{body}").into_bytes()
}

const LIST: &str = "X-Amz-Target: AWSStepFunctions.ListStateMachines";
const JSON: &str = "Content-Type: application/x-amz-json-1.0";

#[tokio::test]
async fn requests_have_their_answers() {
    let server = server(None, LIMITS).await;
    let check = async |line: &str, headers: &[&str], body: &str, status: u16, parts: &[&str]| {
        let answer = exchange(server.address, &request(line, headers, body)).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{line} {headers:?}: {answer}");
        for part in parts {
            assert!(
                answer.to_lowercase().contains(&part.to_lowercase()),
                "{line} {headers:?}: {part}: {answer}"
            );
        }
        assert!(!answer.to_lowercase().contains("access-control"), "{answer}");
    };
    let ok = r#"{"operation":"ListStateMachines","bytes":2}"#;
    check(
        "POST /",
        &[LIST, JSON],
        "{}",
        200,
        &[ok, "content-type: application/x-amz-json-1.0", "x-amzn-requestid: from-the-api"],
    )
    .await;
    check("POST /", &[LIST], "{}", 200, &[ok]).await;
    check("POST /", &[LIST, "Content-Type: application/x-amz-json-1.1; charset=utf-8"], "{}", 200, &[ok])
        .await;
    check("POST /", &[LIST, "Content-Type: APPLICATION/JSON"], "{}", 200, &[ok]).await;
    check("POST /", &[LIST, "Host: sync-localhost:8083"], "{}", 200, &[ok]).await;
    check("POST /", &[LIST, "Origin: http://localhost:3000"], "{}", 200, &[ok]).await;
    check("POST /", &[LIST, "Authorization: nonsense"], "{}", 200, &[ok]).await;
    check("POST http://localhost:8083/", &[LIST], "{}", 200, &[ok]).await;

    let unknown = "\"__type\":\"UnknownOperationException\"";
    check("POST /", &[], "{}", 404, &[unknown, "x-amzn-requestid: "]).await;
    check("POST /", &["X-Amz-Target: DynamoDB_20120810.ListTables"], "{}", 404, &[unknown]).await;
    check("POST /", &[LIST, "Content-Type: text/plain"], "{}", 415, &["UnsupportedMediaTypeException"]).await;
    check("GET /", &[], "", 405, &["allow: POST", "MethodNotAllowed"]).await;
    check("OPTIONS /", &["Origin: http://localhost:3000"], "", 405, &["allow: POST"]).await;
    check("POST /health", &[], "", 405, &["allow: GET"]).await;
    check("GET /elsewhere", &[], "", 404, &["NotFound"]).await;

    let refused = "AccessDeniedException";
    check("POST /", &[LIST, "Host: example.com"], "{}", 403, &[refused, "the Host `example.com`"]).await;
    check("POST /", &[LIST, "Host: localhost", "Host: example.com"], "{}", 403, &[refused]).await;
    check("POST http://example.com/", &[LIST], "{}", 403, &[refused]).await;
    check("POST /", &[LIST, "Origin: https://example.com"], "{}", 403, &[refused, "the Origin"]).await;
    check("POST /", &[LIST, "Origin: null"], "{}", 403, &[refused]).await;
    check("GET /health", &["Host: example.com"], "", 403, &[refused]).await;
}

#[tokio::test]
async fn health_tells_how_it_is() {
    let server = server(None, LIMITS).await;
    let answer = exchange(server.address, &request("GET /health", &[], "")).await;
    let body = answer.split("\r\n\r\n").nth(1).expect("it has a body");
    let body = model::json::Value::parse(body).expect("it is JSON");
    let text = |name: &str| body.get(name).and_then(model::json::Value::as_str);
    assert_eq!((text("status"), text("store")), (Some("ok"), Some("memory")), "{answer}");
    assert_eq!(text("version"), Some(env!("CARGO_PKG_VERSION")));
    assert!(body.get("uptimeSeconds").and_then(model::json::Value::as_i64).is_some(), "{answer}");
}

#[tokio::test]
async fn large_bodies_are_refused() {
    let server = server(None, LIMITS).await;
    let check = async |head: String, sent: usize, expected: &str| {
        let mut request = head.into_bytes();
        request.extend(std::iter::repeat_n(b' ', sent));
        let answer = exchange(server.address, &request).await;
        assert!(answer.contains(expected), "{expected}: {answer}");
    };
    let head = format!("POST / HTTP/1.1\r\nHost: localhost\r\n{LIST}\r\n");
    let fits = BODY_BYTES_MAX;
    check(format!("{head}Connection: close\r\nContent-Length: {fits}\r\n\r\n"), fits, "HTTP/1.1 200").await;
    // Refused for what it announces, before it is read.
    let announced = format!("{head}Content-Length: {}\r\n\r\n", 1_u64 << 40);
    check(announced, 0, "RequestEntityTooLargeException").await;
    let chunk = format!("{head}Transfer-Encoding: chunked\r\n\r\n{:x}\r\n", fits + 1);
    check(chunk, fits + 1, "HTTP/1.1 413").await;
}

#[tokio::test]
async fn slow_clients_are_not_waited_for() {
    let server = server(None, LIMITS).await;
    let head = format!("POST / HTTP/1.1\r\nHost: localhost\r\n{LIST}\r\nContent-Length: 10\r\n\r\n{{");
    let answer = exchange(server.address, head.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("RequestTimeoutException"), "{answer}");
    // A head that never ends has no answer.
    let mut stream = TcpStream::connect(server.address).await.expect("it listens");
    stream.write_all(b"POST / HTTP/1.1\r\nHost: loc").await.expect("it is taken");
    assert_eq!(read_to_end(&mut stream).await.matches("HTTP/1.1 200").count(), 0);
    // Neither has a connection that says nothing.
    let mut stream = TcpStream::connect(server.address).await.expect("it listens");
    assert_eq!(read_to_end(&mut stream).await, "");
}

#[tokio::test]
async fn long_heads_are_refused() {
    let server = server(None, LIMITS).await;
    let many: String = (0..200).map(|number| format!("X-{number}: y\r\n")).collect();
    let long = format!("X-Long: {}\r\n", "y".repeat(300_000));
    for headers in [many, long] {
        let request = format!("POST / HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n");
        let answer = exchange(server.address, request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 431 "), "{} bytes: {answer}", request.len());
    }
}

#[tokio::test]
async fn more_connections_than_there_may_be_wait() {
    let limits = listen::Limits { connections: 1, head_timeout: Duration::from_millis(50), ..LIMITS };
    let server = server(None, limits).await;
    let idle = TcpStream::connect(server.address).await.expect("it listens");
    // Answered once the idle one has been closed.
    let answer = exchange(server.address, &request("GET /health", &[], "")).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    drop(idle);
}

#[tokio::test]
async fn the_end_waits_for_requests_and_not_for_polls() {
    let server = server(None, listen::Limits { head_timeout: Duration::from_secs(60), ..LIMITS }).await;
    let call = |operation: &str| {
        let target = format!("X-Amz-Target: AWSStepFunctions.{operation}");
        let request = String::from_utf8(request("POST /", &[&target], "{}")).expect("it is text");
        // Connections are kept: the server ends them.
        let (address, request) = (server.address, request.replace("Connection: close\r\n", ""));
        tokio::spawn(async move { exchange(address, request.as_bytes()).await })
    };
    let (slow, poll) = (call("Slow"), call(LONG_POLL));
    let idle = TcpStream::connect(server.address).await.expect("it listens");
    tokio::time::sleep(Duration::from_millis(20)).await;
    server.stop.send_replace(true);
    let (slow, poll) = (slow.await.expect("it ends"), poll.await.expect("it ends"));
    assert!(slow.contains("\"operation\":\"Slow\""), "{slow}");
    assert!(poll.starts_with("HTTP/1.1 200 ") && poll.ends_with("{}"), "{poll}");
    drop(idle);
    let ended = tokio::time::timeout(Duration::from_secs(2), server.serving).await;
    ended.expect("it ends soon").expect("without a panic");
    assert!(TcpStream::connect(server.address).await.is_err(), "nothing listens any more");
}

fn credential() -> Credential {
    Credential {
        access_key_id: "AKIDEXAMPLE".to_owned(),
        secret_access_key: Secret::new("hunter2"),
        session_token: None,
    }
}

#[tokio::test]
async fn a_credential_is_demanded_before_the_body_is_read() {
    let server = server(Some(credential()), LIMITS).await;
    let answer = exchange(server.address, &request("POST /", &[LIST], "{}")).await;
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
    assert!(answer.contains(
        r#"{"__type":"MissingAuthenticationTokenException","message":"Missing Authentication Token"}"#
    ));
    let health = exchange(server.address, &request("GET /health", &["Host: anything.test"], "")).await;
    assert!(health.starts_with("HTTP/1.1 200 "), "{health}");
}
