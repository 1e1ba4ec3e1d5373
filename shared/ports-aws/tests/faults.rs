//! What goes wrong on the way to AWS, with a server that answers as it is told: which error the
//! port has for it, and how often it was asked. And the limits that are checked before anything is
//! sent.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic, in its helpers too")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_config::{Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::{
    ProvideCredentials, SharedCredentialsProvider, error::CredentialsError, future,
};
use bytes::Bytes;
use model::json::Value;
use model::timestamp::Timestamp;
use ports::queue::{BATCH_MAX, DELAY_MAX, MESSAGE_BYTES_MAX, VISIBILITY_MAX};
use ports::table::{PARTITION_BYTES_MAX, ROW_BYTES_MAX, SORT_BYTES_MAX};
use ports::{
    BlobError, Blobs, Bus, BusError, Condition, Event, Key, Queue, QueueError, Receipt, Row, SystemClock,
    Table, TableError,
};
use ports_aws::Timeouts;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What the server does with a request.
#[derive(Clone, Debug)]
enum Does {
    Answers(u16, String),
    /// Closes the connection without a word.
    HangsUp,
    /// Says nothing.
    Waits,
}

struct Server {
    port: u16,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Does one thing for each request, and the last one for ever.
    async fn start(script: Vec<Does>) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (seen, script) = (Arc::clone(&requests), Arc::new(script));
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(stream, Arc::clone(&seen), Arc::clone(&script)));
            }
        });
        Server { port, requests }
    }

    fn count(&self) -> usize {
        self.requests.lock().unwrap().len()
    }
}

/// One request per connection.
async fn serve(mut stream: TcpStream, seen: Arc<Mutex<Vec<String>>>, script: Arc<Vec<Does>>) {
    let mut request = Vec::new();
    let mut chunk = [0; 65_536];
    while !is_complete(&request) {
        match stream.read(&mut chunk).await {
            Ok(0) | Err(_) => return,
            Ok(n) => request.extend_from_slice(&chunk[..n]),
        }
    }
    let place = {
        let mut seen = seen.lock().unwrap();
        seen.push(String::from_utf8_lossy(&request).into_owned());
        seen.len() - 1
    };
    match script.get(place).or(script.last()).unwrap() {
        Does::Answers(status, body) => {
            let head =
                format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            // Who asked may have given up.
            let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
        }
        Does::HangsUp => {}
        Does::Waits => std::future::pending().await,
    }
}

fn is_complete(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, _)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().unwrap())
    });
    request.len() >= head.len() + 4 + length.unwrap_or(0)
}

fn sdk(port: u16) -> SdkConfig {
    let credentials = Credentials::new("AKIDEXAMPLE", "very-secret", None, None, "test");
    ports_aws::config::of_environment()
        .to_builder()
        .endpoint_url(format!("http://127.0.0.1:{port}"))
        .region(Region::from_static("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .build()
}

/// A port that nobody listens on.
async fn closed() -> u16 {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port()
}

const TIMEOUTS: Timeouts = Timeouts {
    connect: Duration::from_millis(500),
    attempt: Duration::from_millis(500),
    blob_attempt: Duration::from_millis(500),
};

fn error(status: u16, code: &str) -> Does {
    Does::Answers(
        status,
        format!(r#"{{"__type":"com.amazonaws.dynamodb.v20120810#{code}","message":"why"}}"#),
    )
}

fn row() -> Row {
    Row::new(Key::new("p", "s"), 1, "body")
}

/// The variant of an error.
fn variant(error: &TableError) -> &'static str {
    match error {
        TableError::Conflict => "Conflict",
        TableError::TooLarge { .. } => "TooLarge",
        TableError::Throttled => "Throttled",
        TableError::Unknown(_) => "Unknown",
        TableError::Unavailable(_) => "Unavailable",
        TableError::Damaged(_) => "Damaged",
    }
}

/// A put and a get that meet `does`: their errors, and how often each was sent.
#[tokio::test(flavor = "multi_thread")]
async fn a_write_is_sent_once_and_a_read_again() {
    let size = "Item size has exceeded the maximum allowed size";
    let size = format!(r#"{{"__type":"x#ValidationException","message":"{size}"}}"#);
    let cases = [
        (Does::HangsUp, ("Unknown", 1), ("Unavailable", 4)),
        (Does::Waits, ("Unknown", 1), ("Unavailable", 4)),
        (error(500, "InternalServerError"), ("Unknown", 1), ("Unavailable", 4)),
        (Does::Answers(503, "busy".to_owned()), ("Unknown", 1), ("Unavailable", 4)),
        (Does::Answers(200, "{".to_owned()), ("Unknown", 1), ("Unavailable", 1)),
        (error(400, "ProvisionedThroughputExceededException"), ("Throttled", 1), ("Throttled", 4)),
        (error(400, "ThrottlingException"), ("Throttled", 1), ("Throttled", 4)),
        (error(400, "RequestLimitExceeded"), ("Throttled", 1), ("Throttled", 4)),
        (error(400, "ConditionalCheckFailedException"), ("Conflict", 1), ("Unavailable", 1)),
        (error(400, "ResourceNotFoundException"), ("Unavailable", 1), ("Unavailable", 1)),
        (error(400, "AccessDeniedException"), ("Unavailable", 1), ("Unavailable", 1)),
        (Does::Answers(400, size), ("TooLarge", 1), ("Unavailable", 1)),
    ];
    let checks = cases.map(|(does, write, read)| {
        tokio::spawn(async move {
            let server = Server::start(vec![does.clone()]).await;
            let table = ports_aws::Table::new(&sdk(server.port), "t", TIMEOUTS);
            let put = table.put(row(), Condition::Absent).await.unwrap_err();
            assert_eq!((variant(&put), server.count()), write, "a put that meets {does:?}: {put}");
            let delete = table.delete(&row().key, Condition::Always).await.unwrap_err();
            assert_eq!(
                (variant(&delete), server.count() - 1),
                write,
                "a delete that meets {does:?}: {delete}"
            );
            let get = table.get(&row().key).await.unwrap_err();
            assert_eq!((variant(&get), server.count() - 2), read, "a get that meets {does:?}: {get}");
            for error in [put, delete, get].map(|error| error.to_string()) {
                assert!(!error.contains("very-secret") && error.len() < 400, "{error}");
            }
        })
    });
    for check in checks {
        check.await.unwrap();
    }
}

/// No credentials.
#[derive(Debug)]
struct Nobody;

impl ProvideCredentials for Nobody {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::ready(Err(CredentialsError::not_loaded("nobody is here")))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_sent_was_not_done() {
    let server = Server::start(vec![Does::Waits]).await;
    let nobody = sdk(server.port)
        .to_builder()
        .credentials_provider(aws_credential_types::provider::SharedCredentialsProvider::new(Nobody));
    let elsewhere = sdk(1).to_builder().endpoint_url("http://host.invalid");
    let cases = [
        ("nobody listens", sdk(closed().await)),
        ("no such host", elsewhere.build()),
        ("no credentials", nobody.build()),
    ];
    for (what, sdk) in cases {
        let table = ports_aws::Table::new(&sdk, "t", TIMEOUTS);
        let put = table.put(row(), Condition::Always).await.unwrap_err();
        assert_eq!(variant(&put), "Unavailable", "{what}: {put}");
    }
    assert_eq!(server.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_that_works_the_second_time_works() {
    let item = r#"{"Item":{"p":{"S":"p"},"s":{"S":"s"},"r":{"N":"1"},"b":{"B":"Ym9keQ=="}}}"#;
    let server = Server::start(vec![Does::HangsUp, Does::Answers(200, item.to_owned())]).await;
    let table = ports_aws::Table::new(&sdk(server.port), "t", TIMEOUTS);
    assert_eq!(table.get(&row().key).await, Ok(Some(row())));
    assert_eq!(server.count(), 2);
}

/// A page of a query may be empty and still not be the last.
#[tokio::test(flavor = "multi_thread")]
async fn an_empty_page_is_not_the_end() {
    let none = r#"{"Items":[],"LastEvaluatedKey":{"p":{"S":"p"},"s":{"S":"a"}}}"#;
    let one = r#"{"Items":[{"p":{"S":"p"},"s":{"S":"s"},"r":{"N":"1"},"b":{"B":"Ym9keQ=="}}]}"#;
    let answers = [none, none, one].map(|body| Does::Answers(200, body.to_owned()));
    let server = Server::start(answers.into()).await;
    let table = ports_aws::Table::new(&sdk(server.port), "t", TIMEOUTS);
    let query = ports::Query {
        partition: "p".into(),
        from: "".into(),
        to: "z".into(),
        order: ports::Order::Ascending,
        after: None,
        limit: 5,
    };
    assert_eq!(table.query(&query).await, Ok(ports::Page { rows: vec![row()], more: false }));
    assert_eq!(server.count(), 3);
    assert!(server.requests.lock().unwrap()[1].contains("ExclusiveStartKey"));
}

async fn queue(port: u16) -> ports_aws::Queue {
    let queues = ports_aws::Queues::new(&sdk(port), "", TIMEOUTS, Arc::new(SystemClock));
    queues.at("q", format!("http://127.0.0.1:{port}/1/q"))
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_of_a_batch_that_failed_are_sent_again() {
    let failed = r#"{"Successful":[{"Id":"0"}],"Failed":[
        {"Id":"1","SenderFault":false,"Code":"InternalError"},
        {"Id":"2","SenderFault":true,"Code":"ReceiptHandleIsInvalid"}]}"#;
    let done = r#"{"Successful":[{"Id":"1"}],"Failed":[]}"#;
    let receipts: Vec<Receipt> = ["zero", "one", "two"].map(|receipt| Receipt(receipt.into())).into();
    for is_delete in [true, false] {
        let answers = [failed, done].map(|body| Does::Answers(200, body.to_owned()));
        let server = Server::start(answers.into()).await;
        let queue = queue(server.port).await;
        let result = match is_delete {
            true => queue.delete(&receipts).await,
            false => queue.extend(&receipts, Duration::from_secs(30)).await,
        };
        assert_eq!(result, Ok(()));
        let requests = server.requests.lock().unwrap();
        assert_eq!(requests.len(), 2);
        let names = |n: usize| ["zero", "one", "two"].map(|receipt| requests[n].contains(receipt));
        assert_eq!((names(0), names(1)), ([true; 3], [false, true, false]));
    }

    let server = Server::start(vec![Does::Answers(200, r#"{"Successful":[],"Failed":[]}"#.to_owned())]).await;
    let queue = queue(server.port).await;
    queue.delete(&[]).await.unwrap();
    queue.extend(&[], Duration::ZERO).await.unwrap();
    assert_eq!(server.count(), 0, "nothing is sent for nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_poll_outlasts_the_timeout_of_an_attempt_and_is_made_of_polls() {
    let server = Server::start(vec![Does::Answers(200, "{}".to_owned())]).await;
    let queue = queue(server.port).await;
    assert_eq!(queue.receive(3, Duration::from_millis(20_500)).await, Ok(vec![]));
    let requests = server.requests.lock().unwrap().clone();
    assert_eq!(requests.len(), 2);
    for (request, wait) in requests.iter().zip(["\"WaitTimeSeconds\":20", "\"WaitTimeSeconds\":1"]) {
        assert!(request.contains(wait) && request.contains("\"MaxNumberOfMessages\":3"), "{request}");
    }
}

fn event() -> Event {
    Event {
        time: Timestamp::from_millis(1_893_456_000_000),
        source: "aws.states".into(),
        detail_type: "Step Functions Execution Status Change".into(),
        resources: vec!["arn:aws:states:us-east-1:123456789012:execution:m:n".into()],
        detail: Value::parse("{}").unwrap(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_failed_in_a_request_that_did_not_is_not_published() {
    let failed = |code: &str| {
        let entry = format!(r#"{{"ErrorCode":"{code}","ErrorMessage":"why"}}"#);
        Does::Answers(200, format!(r#"{{"FailedEntryCount":1,"Entries":[{entry}]}}"#))
    };
    let because = |code: &str| format!("PutEvents of the bus b: {code}: why");
    let cases = [
        (failed("ThrottlingException"), Err(BusError::Throttled)),
        (failed("InternalFailure"), Err(BusError::Unavailable(because("InternalFailure")))),
        (failed("MalformedDetail"), Err(BusError::Refused(because("MalformedDetail")))),
        (Does::Answers(200, r#"{"FailedEntryCount":0,"Entries":[{"EventId":"1"}]}"#.to_owned()), Ok(())),
    ];
    for (does, expected) in cases {
        let server = Server::start(vec![does]).await;
        let bus = ports_aws::Bus::new(&sdk(server.port), "b", "our.states", TIMEOUTS);
        assert_eq!(bus.publish(event()).await, expected);
        let requests = server.requests.lock().unwrap();
        assert!(requests[0].contains("\"Source\":\"our.states\""), "{requests:?}");
        assert!(requests[0].contains("\"Time\":1893456000"), "{requests:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_of_blobs_that_is_busy_is_asked_again() {
    let xml = |code: &str| {
        format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>why</Message></Error>")
    };
    let unavailable = |code: &str| BlobError::Unavailable(format!("PutObject of the bucket b: {code}: why"));
    let cases = [
        (Does::Answers(503, xml("SlowDown")), BlobError::Throttled, 4),
        (Does::Answers(500, xml("InternalError")), unavailable("InternalError"), 4),
        (Does::Answers(403, xml("AccessDenied")), unavailable("AccessDenied"), 1),
        (Does::Answers(404, xml("NoSuchBucket")), unavailable("NoSuchBucket"), 1),
    ];
    for (does, expected, count) in cases {
        let server = Server::start(vec![does]).await;
        let blobs = ports_aws::Blobs::new(&sdk(server.port), "b", TIMEOUTS);
        assert_eq!(blobs.put("k", Bytes::from("x")).await, Err(expected));
        assert_eq!(server.count(), count);
    }
    let server = Server::start(vec![Does::Answers(404, xml("NoSuchKey"))]).await;
    let blobs = ports_aws::Blobs::new(&sdk(server.port), "b", TIMEOUTS);
    assert_eq!((blobs.get("k").await, blobs.delete("k").await), (Ok(None), Ok(())));
}

/// Nobody listens: what is refused for a limit was not sent, what is unavailable was to be.
#[tokio::test(flavor = "multi_thread")]
async fn limits_are_checked_before_anything_is_sent() {
    let port = closed().await;
    let sdk = sdk(port);
    let table = ports_aws::Table::new(&sdk, "t", TIMEOUTS);
    let of_key =
        |partition: usize, sort: usize| Row::new(Key::new("p".repeat(partition), "s".repeat(sort)), 1, "");
    let of_bytes = |bytes: usize| Row { body: vec![0; bytes - row().bytes() + 4].into(), ..row() };
    let rows = [
        (of_bytes(ROW_BYTES_MAX), "Unavailable"),
        (of_bytes(ROW_BYTES_MAX + 1), "TooLarge"),
        (of_key(PARTITION_BYTES_MAX, SORT_BYTES_MAX), "Unavailable"),
        (of_key(PARTITION_BYTES_MAX + 1, 1), "TooLarge"),
        (of_key(1, SORT_BYTES_MAX + 1), "TooLarge"),
        (of_key(0, 1), "TooLarge"),
    ];
    for (row, expected) in rows {
        let put = table.put(row, Condition::Always).await.unwrap_err();
        assert_eq!(variant(&put), expected, "{put}");
    }

    let queue = queue(port).await;
    let a_little = Duration::from_millis(1);
    let send = async |bytes: usize, delay| queue.send(vec![0; bytes].into(), delay).await;
    let receipts = |count: usize| vec![Receipt("r".into()); count];
    let requests = [
        (send(MESSAGE_BYTES_MAX, DELAY_MAX).await.err(), false),
        (send(MESSAGE_BYTES_MAX + 1, Duration::ZERO).await.err(), true),
        (send(1, DELAY_MAX + a_little).await.err(), true),
        (queue.receive(BATCH_MAX, Duration::ZERO).await.err(), false),
        (queue.receive(BATCH_MAX + 1, Duration::ZERO).await.err(), true),
        (queue.receive(0, Duration::ZERO).await.err(), true),
        (queue.delete(&receipts(BATCH_MAX)).await.err(), false),
        (queue.delete(&receipts(BATCH_MAX + 1)).await.err(), true),
        (queue.extend(&receipts(BATCH_MAX), VISIBILITY_MAX).await.err(), false),
        (queue.extend(&receipts(BATCH_MAX + 1), Duration::ZERO).await.err(), true),
        (queue.extend(&receipts(1), VISIBILITY_MAX + a_little).await.err(), true),
    ];
    for (place, (error, is_refused)) in requests.into_iter().enumerate() {
        match error.unwrap() {
            QueueError::Refused(_) => assert!(is_refused, "{place}"),
            QueueError::Unavailable(_) => assert!(!is_refused, "{place}"),
            other => panic!("{place}: {other}"),
        }
    }

    let bus = ports_aws::Bus::new(&sdk, "b", "our.states", TIMEOUTS);
    let padding = ports::bus::EVENT_BYTES_MAX - event().bytes() - r#""p":"""#.len();
    for (padding, is_refused) in [(padding, false), (padding + 1, true)] {
        let detail = Value::parse(&format!(r#"{{"p":"{}"}}"#, "p".repeat(padding))).unwrap();
        let error = bus.publish(Event { detail, ..event() }).await.unwrap_err();
        assert_eq!(matches!(error, BusError::Refused(_)), is_refused, "{error}");
    }
    let blobs = ports_aws::Blobs::new(&sdk, "b", TIMEOUTS);
    for (bytes, is_refused) in [(1_024, false), (1_025, true), (0, true)] {
        let error = blobs.put(&"k".repeat(bytes), Bytes::new()).await.unwrap_err();
        assert_eq!(matches!(error, BlobError::Refused(_)), is_refused, "{error}");
    }
}
