//! Requests that no client would send, against the real server: each gets an error of the API or
//! of HTTP, and the server goes on, in bounded memory.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic, in its helpers too")]

use std::io::{Read, Write};
use std::net::Shutdown;
use std::time::{Duration, Instant};
use std::{iter, thread};

use model::limits::{DEFINITION_BYTES_MAX, REQUEST_BYTES_MAX};
use tests::dev_server::DevServer;
use tests::http::{Connection, api_request, post};

const ROLE: &str = "arn:aws:iam::123456789012:role/r";
const MACHINE: &str = "arn:aws:states:us-east-1:123456789012:stateMachine:m";
const PASS: &str = r#"{"StartAt": "P", "States": {"P": {"Type": "Pass", "End": true}}}"#;
/// Memory that all of it together may add to the server.
const GROWTH_BYTES_MAX: u64 = 256 * 1024 * 1024;

fn server() -> (DevServer, tempfile::TempDir) {
    let at = tempfile::tempdir().unwrap();
    (DevServer::start(at.path(), &["--in-memory"]).unwrap(), at)
}

/// A server with the state machine `m`; what `work` does to it, it survives.
fn survives(work: impl FnOnce(&DevServer)) {
    let (mut server, _at) = server();
    let request = format!(r#"{{"name": "m", "definition": {}, "roleArn": "{ROLE}"}}"#, quoted(PASS));
    expect(&server, &api_request("CreateStateMachine", request.as_bytes()), 200, None);
    let before = server.resident_bytes();
    work(&server);
    assert_eq!(server.ended(), None);
    assert!(server.is_healthy());
    let request = format!(r#"{{"stateMachineArn": "{MACHINE}"}}"#);
    expect(&server, &api_request("StartExecution", request.as_bytes()), 200, None);
    if let (Some(before), Some(after)) = (before, server.resident_bytes()) {
        assert!(after < before + GROWTH_BYTES_MAX, "from {before} to {after} bytes");
    }
}

fn quoted(text: &str) -> String {
    model::json::Value::from(text).to_json()
}

/// Sends a request and checks the status and the exception of the answer.
fn expect(server: &DevServer, request: &[u8], status: u16, code: Option<&str>) {
    let mut connection = Connection::open(server.address).unwrap();
    // The server may answer before it has read everything.
    let _ = connection.send(request);
    let told = || String::from_utf8_lossy(&request[..request.len().min(300)]).into_owned();
    let answer = connection.receive().unwrap_or_else(|error| panic!("{error} for {}", told()));
    let answer = answer.unwrap_or_else(|| panic!("no answer to {}", told()));
    let found = (answer.status(), answer.code());
    assert_eq!(found, (status, code.map(str::to_owned)), "{answer:?} to {}", told());
}

/// The server says anything of HTTP's 4xx, or ends the connection.
fn refused(server: &DevServer, request: &[u8]) {
    let mut connection = Connection::open(server.address).unwrap();
    let _ = connection.send(request);
    let _ = connection.stream().shutdown(Shutdown::Write);
    if let Ok(Some(answer)) = connection.receive() {
        assert!((400..500).contains(&answer.status()), "{answer:?}");
    }
}

#[test]
fn bodies() {
    survives(|server| {
        let check = |operation: &str, body: &[u8], code: &str| {
            expect(server, &api_request(operation, body), 400, Some(code));
        };
        for body in
            [&b"{"[..], b"nonsense", b"\"text\"", b"[]", b"{\"a\":1}x", b"{\"a\":\xff}", b"\xff\xfe", b"\0"]
        {
            check("ListStateMachines", body, "SerializationException");
        }
        check("ListStateMachines", br#"{"maxResults": "ten"}"#, "SerializationException");
        check("ListStateMachines", br#"{"maxResults": 1001}"#, "ValidationException");
        check("ListStateMachines", br#"{"nextToken": "x"}"#, "InvalidToken");
        check("StartExecution", br#"{"stateMachineArn": 7}"#, "SerializationException");
        check("StartExecution", br#"{"stateMachineArn": {"a": [1]}}"#, "SerializationException");
        check("StartExecution", b"{}", "ValidationException");
        check("StartExecution", b"", "ValidationException");
        check("DescribeExecution", br#"{"executionArn": "x"}"#, "InvalidArn");
        let long = "x".repeat(100_000);
        check("CreateActivity", format!(r#"{{"name": "{long}"}}"#).as_bytes(), "ValidationException");
        check(
            "DescribeExecution",
            format!(r#"{{"executionArn": "{long}"}}"#).as_bytes(),
            "ValidationException",
        );
        let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        for depth in [1_000, 100_000, 500_000] {
            check("ListStateMachines", deep(depth).as_bytes(), "SerializationException");
            check(
                "CreateActivity",
                format!(r#"{{"name": {}}}"#, deep(depth)).as_bytes(),
                "SerializationException",
            );
        }
    });
}

#[test]
fn sizes() {
    survives(|server| {
        // The definition is JSON text in JSON text: what it is padded with needs no escapes.
        let create = |request_bytes: usize| {
            let head = format!(r#"{{"name": "large", "roleArn": "{ROLE}", "definition": "{PASS}"#);
            let head = head.replace(PASS, quoted(PASS).trim_matches('"'));
            let padding = " ".repeat(request_bytes - head.len() - 2);
            api_request("CreateStateMachine", format!("{head}{padding}\"}}").as_bytes())
        };
        expect(server, &create(REQUEST_BYTES_MAX), 200, None);
        let over =
            Connection::open(server.address).unwrap().exchange(&create(REQUEST_BYTES_MAX + 1)).unwrap();
        assert_eq!(over.status(), 413, "{over:?}");
        // A definition that is too large is so in every request, also one of another operation.
        let definition = format!(r#"{{"definition": "{}"}}"#, " ".repeat(DEFINITION_BYTES_MAX + 1));
        let request = api_request("ValidateStateMachineDefinition", definition.as_bytes());
        let over = Connection::open(server.address).unwrap().exchange(&request).unwrap();
        assert_eq!(over.status() / 100, 4, "{over:?}");
        let start = |bytes: usize| {
            let input = quoted(&format!("\"{}\"", "x".repeat(bytes - 2)));
            api_request(
                "StartExecution",
                format!(r#"{{"stateMachineArn": "{MACHINE}", "input": {input}}}"#).as_bytes(),
            )
        };
        expect(server, &start(262_144), 200, None);
        let over = Connection::open(server.address).unwrap().exchange(&start(262_145)).unwrap();
        assert_eq!(over.status(), 400, "{over:?}");
        assert!(
            matches!(over.code().as_deref(), Some("ValidationException" | "InvalidExecutionInput")),
            "{over:?}"
        );
        // Said to be huge, and huge.
        for body in [1, 20_000_000] {
            let head =
                "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Amz-Target: AWSStepFunctions.ListActivities\r\n";
            let head =
                format!("{head}Content-Type: application/x-amz-json-1.0\r\nContent-Length: 20000000\r\n\r\n");
            let mut connection = Connection::open(server.address).unwrap();
            let _ = connection.send(head.as_bytes());
            let _ = connection.send(&vec![b' '; body]);
            let _ = connection.stream().shutdown(Shutdown::Write);
            if let Ok(Some(answer)) = connection.receive() {
                assert_eq!(answer.status() / 100, 4, "{answer:?}");
            }
        }
    });
}

#[test]
fn heads() {
    survives(|server| {
        let json = "Content-Type: application/x-amz-json-1.0\r\n";
        let target = "X-Amz-Target: AWSStepFunctions.ListActivities\r\n";
        expect(server, &post(&format!("{json}{target}"), b"{}"), 200, None);
        expect(server, &api_request("Nonsense", b"{}"), 400, Some("UnknownOperationException"));
        let other = "X-Amz-Target: DynamoDB_20120810.ListTables\r\n";
        let answer = Connection::open(server.address)
            .unwrap()
            .exchange(&post(&format!("{json}{other}"), b"{}"))
            .unwrap();
        assert_eq!(answer.code().as_deref(), Some("UnknownOperationException"), "{answer:?}");
        for headers in
            [json.to_owned(), format!("{json}X-Amz-Target: \r\n"), format!("{json}X-Amz-Target: a\r\n")]
        {
            let answer = Connection::open(server.address).unwrap().exchange(&post(&headers, b"{}")).unwrap();
            assert_eq!(answer.status() / 100, 4, "{headers}: {answer:?}");
        }
        let form = format!("Content-Type: application/x-www-form-urlencoded\r\n{target}");
        let answer = Connection::open(server.address).unwrap().exchange(&post(&form, b"a=b")).unwrap();
        assert_eq!(answer.status() / 100, 4, "{answer:?}");
        for method in ["GET", "PUT", "DELETE", "OPTIONS", "PATCH"] {
            let request =
                format!("{method} / HTTP/1.1\r\nHost: 127.0.0.1\r\n{target}Content-Length: 0\r\n\r\n");
            let answer = Connection::open(server.address).unwrap().exchange(request.as_bytes()).unwrap();
            assert_eq!(answer.status() / 100, 4, "{method}: {answer:?}");
        }
        // Ten thousand bytes of headers, then far more than anyone takes.
        let long = format!("{json}{target}X-Long: {}\r\n", "x".repeat(10_000));
        expect(server, &post(&long, b"{}"), 200, None);
        refused(server, &post(&format!("{json}{target}X-Long: {}\r\n", "x".repeat(5_000_000)), b"{}"));
        let many: String = (0..5_000).map(|n| format!("X-{n}: y\r\n")).collect();
        refused(server, &post(&format!("{json}{target}{many}"), b"{}"));
        refused(server, &post(&format!("{json}{target}X-Bad: \u{1}\0\r\n"), b"{}"));
        refused(server, &post(&format!("{json}{target}Content-Length: 1\r\n"), b"{}"));
        refused(server, &post(&format!("{json}{target}Transfer-Encoding: chunked\r\n"), b"zz\r\n"));
        // What a page in a browser would send.
        let rebound =
            format!("POST / HTTP/1.1\r\nHost: example.com\r\n{json}{target}Content-Length: 2\r\n\r\n{{}}");
        let answer = Connection::open(server.address).unwrap().exchange(rebound.as_bytes()).unwrap();
        assert_eq!(answer.status(), 403, "{answer:?}");
        let foreign = post(&format!("{json}{target}Origin: https://example.com\r\n"), b"{}");
        assert_eq!(Connection::open(server.address).unwrap().exchange(&foreign).unwrap().status(), 403);
    });
}

#[test]
fn bytes() {
    survives(|server| {
        let mut seed = 1_u64;
        let noise: Vec<u8> = iter::repeat_with(|| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            seed.to_be_bytes()[0]
        })
        .take(200_000)
        .collect();
        for chunk in noise.chunks(2_000) {
            refused(server, chunk);
        }
        refused(server, b"");
        refused(server, b"\r\n\r\n\r\n");
        refused(server, b"GET");
        refused(server, b"POST / HTTP/9.9\r\n\r\n");
        refused(server, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        // The start of TLS.
        refused(server, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03");
        let request = api_request("ListActivities", b"{}");
        for end in (0..request.len()).step_by(7) {
            refused(server, &request[..end]);
        }
    });
}

#[test]
fn half_closed_and_given_up() {
    survives(|server| {
        // Half closed, which is how a client that has gone looks, too, and a long poll must not
        // give a task to one: the answer comes unless the end was seen before it, and then nothing.
        for _ in 0..20 {
            let mut connection = Connection::open(server.address).unwrap();
            connection.send(&api_request("ListActivities", b"{}")).unwrap();
            connection.stream().shutdown(Shutdown::Write).unwrap();
            if let Some(answer) = connection.receive().unwrap() {
                assert_eq!(answer.status(), 200);
            }
        }
        // Given up in the middle of a long poll, many times.
        expect(server, &api_request("CreateActivity", br#"{"name": "a"}"#), 200, None);
        let poll = br#"{"activityArn": "arn:aws:states:us-east-1:123456789012:activity:a"}"#;
        for _ in 0..200 {
            Connection::open(server.address).unwrap().send(&api_request("GetActivityTask", poll)).unwrap();
        }
        // Pipelined.
        let mut connection = Connection::open(server.address).unwrap();
        let many: Vec<u8> = iter::repeat_n(api_request("ListActivities", b"{}"), 100).flatten().collect();
        connection.send(&many).unwrap();
        for _ in 0..100 {
            assert_eq!(connection.receive().unwrap().unwrap().status(), 200);
        }
    });
}

/// Connections that send a byte now and then do not keep anyone from being served, and the
/// server ends them.
#[test]
fn slow_and_idle_connections() {
    survives(|server| {
        let request = api_request("ListActivities", b"{}");
        let head_end = request.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap() + 4;
        let mut slow: Vec<Connection> = (0..200).map(|_| Connection::open(server.address).unwrap()).collect();
        for (at, connection) in slow.iter_mut().enumerate() {
            // Half of them in the middle of the head, half in the middle of the body.
            let sent = if at % 2 == 0 { &request[..20] } else { &request[..head_end + 1] };
            connection.send(sent).unwrap();
        }
        let mut idle = Vec::new();
        for _ in 0..2_000 {
            idle.push(Connection::open(server.address).unwrap());
        }
        let begun = Instant::now();
        for _ in 0..50 {
            expect(server, &request, 200, None);
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "50 requests took {:?}", begun.elapsed());
        drop(idle);
        // One more byte each, which is no end.
        for (at, connection) in slow.iter_mut().enumerate() {
            let next = if at % 2 == 0 { 20 } else { continue };
            let _ = connection.stream().write_all(&request[next..next + 1]);
        }
        // Those that never finish their head are let go.
        let until = Instant::now() + Duration::from_secs(70);
        let first = &mut slow[0];
        first.stream().set_read_timeout(Some(Duration::from_secs(1))).unwrap();
        let mut bytes = [0; 1_024];
        loop {
            match first.stream().read(&mut bytes) {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => break,
                Err(_) if Instant::now() > until => panic!("a head without an end keeps its connection"),
                Err(_) => thread::sleep(Duration::from_millis(50)),
            }
        }
    });
}
