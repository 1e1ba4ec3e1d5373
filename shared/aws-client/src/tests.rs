//! Calls against a server in this process that answers what it is told to.

mod hostile;

use std::sync::{Arc, Mutex};

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_wire::catalog::{Member, Operation, Structure, catalog};
use aws_wire::convention::{Convention, arguments, output};
use aws_wire::timestamp::Timestamp;
use model::json::{Text, Value};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;

/// Names as the models have them, blobs as texts.
struct Plain;

impl Convention for Plain {
    fn member(&self, structure: &Structure, name: &str) -> Option<Member> {
        structure.member(name)
    }

    fn name<'a>(&self, member: &'a Member) -> std::borrow::Cow<'a, str> {
        member.name.into()
    }

    fn bytes(&self, value: &Value) -> Result<Vec<u8>, String> {
        Ok(value.as_str().unwrap_or_default().as_bytes().to_vec())
    }

    fn blob(&self, bytes: Vec<u8>) -> Value {
        String::from_utf8_lossy(&bytes).into_owned().into()
    }

    fn json_text(&self, text: Text) -> Value {
        text.into()
    }

    fn timestamp(&self, timestamp: Timestamp) -> Value {
        timestamp.iso8601().into()
    }
}

/// What was received, as text, and the address of who received it.
struct Server {
    url: String,
    received: Arc<Mutex<Vec<String>>>,
}

/// Answers one request after the other with these bytes; what is empty is a connection that ends.
async fn server(answers: Vec<String>) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let received = Arc::new(Mutex::new(Vec::new()));
    let into = received.clone();
    tokio::spawn(async move {
        for answer in answers {
            let (mut connection, _) = listener.accept().await.unwrap();
            let request = read(&mut connection).await;
            into.lock().unwrap().push(request);
            connection.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    Server { url, received }
}

/// The text of one request.
async fn read(connection: &mut TcpStream) -> String {
    let mut request = Vec::new();
    let mut part = [0; 65_536];
    loop {
        let count = connection.read(&mut part).await.unwrap();
        request.extend_from_slice(&part[..count]);
        let text = String::from_utf8_lossy(&request).to_lowercase();
        let parts = text.split_once("\r\n\r\n");
        let is_whole = parts.is_some_and(|(head, body)| {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            body.len() >= length.map_or(0, |length| length.parse().unwrap())
        });
        if count == 0 || is_whole {
            return String::from_utf8_lossy(&request).into_owned();
        }
    }
}

fn answer(status: u16, headers: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n{body}",
        body.len()
    )
}

fn operation(service: &str, action: &str) -> Operation {
    catalog().service(service).unwrap().operation(action).unwrap()
}

fn caller() -> Caller {
    let credentials =
        Credentials::new("AKIDEXAMPLE", "planted-secret", Some("planted-token".into()), None, "test");
    let identity = Identity::new(SharedCredentialsProvider::new(credentials));
    Caller { identity: Arc::new(identity), region: "eu-central-1".to_owned() }
}

fn client(url: &str) -> Client {
    let endpoints = Endpoints::default().all(Place::Url(url.to_owned()));
    Client::new(Connections::new().unwrap(), endpoints, "stepwright/test".to_owned(), || 0.1)
}

async fn call(url: &str, operation: &Operation, input: &str) -> Result<Value, Failed> {
    call_with(&client(url), operation, input).await
}

async fn call_with(client: &Client, operation: &Operation, input: &str) -> Result<Value, Failed> {
    let service = operation.service();
    let input = Value::parse(input).unwrap();
    let mut token = || "token".to_owned();
    let input = arguments(&Plain, service, operation.input(), &input, &mut token).unwrap();
    let answer = client.call(operation, &input, &caller()).await?;
    Ok(output(&Plain, service, answer.output))
}

#[tokio::test]
async fn a_call_is_signed_and_read() {
    let body = r#"{"Item":{"id":{"S":"1"}}}"#;
    let server = server(vec![answer(200, "", body)]).await;
    let operation = operation("dynamodb", "getItem");
    let found = call(&server.url, &operation, r#"{"TableName":"t","Key":{"id":{"S":"1"}}}"#).await.unwrap();
    assert_eq!(found.to_json(), body);
    let received = server.received.lock().unwrap().join("");
    assert!(received.starts_with("POST / HTTP/1.1\r\n"), "{received}");
    for part in [
        "x-amz-target: DynamoDB_20120810.GetItem\r\n",
        "content-type: application/x-amz-json-1.0\r\n",
        "user-agent: stepwright/test\r\n",
        "x-amz-security-token: planted-token\r\n",
        "/eu-central-1/dynamodb/aws4_request, SignedHeaders=",
        r#"{"TableName":"t","Key":{"id":{"S":"1"}}}"#,
    ] {
        assert!(received.contains(part), "{part} is not in {received}");
    }
    assert!(!received.contains("planted-secret"));
}

#[tokio::test]
async fn what_passes_is_tried_again() {
    let throttled = answer(400, "", r#"{"__type":"x#ThrottlingException","message":"slow"}"#);
    let down = answer(503, "", "");
    let operation = operation("dynamodb", "listTables");
    let first = server(vec![throttled.clone(), down, answer(200, "", r#"{"TableNames":[]}"#)]).await;
    assert_eq!(call(&first.url, &operation, "{}").await.unwrap().to_json(), r#"{"TableNames":[]}"#);

    let second = server(vec![throttled.clone(), throttled.clone(), throttled.clone(), throttled]).await;
    let Err(Failed::Refused { refusal, attempts }) = call(&second.url, &operation, "{}").await else {
        panic!("it is refused");
    };
    assert_eq!((refusal.code.as_str(), attempts), ("ThrottlingException", 3));
    assert_eq!(second.received.lock().unwrap().len(), 3);
}

#[tokio::test]
async fn a_refusal_is_told_at_once() {
    let headers = "x-amzn-RequestId: r-1\r\n";
    let body =
        r#"{"__type":"com.amazonaws.dynamodb.v20120810#ResourceNotFoundException","message":"no table"}"#;
    let server = server(vec![answer(400, headers, body)]).await;
    let operation = operation("dynamodb", "describeTable");
    let Err(Failed::Refused { refusal, attempts }) =
        call(&server.url, &operation, r#"{"TableName":"t"}"#).await
    else {
        panic!("it is refused");
    };
    assert_eq!(attempts, 1);
    assert_eq!(refusal.modelled.map(|error| error.shape), Some("ResourceNotFoundException"));
    assert_eq!(refusal.message.as_deref(), Some("no table"));
    assert_eq!(refusal.request_id.as_deref(), Some("r-1"));
}

#[tokio::test]
async fn objects_have_their_bucket_in_the_path_and_a_checksum() {
    let server = server(vec![answer(200, "ETag: \"e\"\r\n", "")]).await;
    let operation = operation("s3", "putObject");
    let input = r#"{"Bucket":"photos","Key":"a b/c","Body":"123456789"}"#;
    assert_eq!(call(&server.url, &operation, input).await.unwrap().to_json(), r#"{"ETag":"\"e\""}"#);
    let received = server.received.lock().unwrap().join("");
    assert!(received.starts_with("PUT /photos/a%20b/c HTTP/1.1\r\n"), "{received}");
    // The check value of CRC-32.
    assert!(received.contains("x-amz-checksum-crc32: y/Q5Jg==\r\n"), "{received}");
    assert!(
        received.contains(
            "x-amz-content-sha256: 15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225"
        )
    );
    assert!(received.ends_with("\r\n\r\n123456789"), "{received}");
}

#[tokio::test]
async fn without_an_answer_the_reason_is_told() {
    let operation = operation("sqs", "listQueues");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closed = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    for (url, expected) in [(closed, "refused"), ("http://nothing.invalid".to_owned(), "nothing.invalid: ")] {
        let Err(Failed::NoAnswer(why)) = call(&url, &operation, "{}").await else { panic!("nobody answers") };
        assert!(why.contains(expected) && !why.contains("planted"), "{why}");
    }
}

#[tokio::test]
async fn answers_that_are_wrong_are_no_panic() {
    let operation = operation("sqs", "listQueues");
    let truncated = "HTTP/1.1 200 X\r\ncontent-length: 100\r\n\r\n{".to_owned();
    for (answers, expected) in [
        (truncated, "breaks off"),
        (answer(200, "", "<html>"), "JSON"),
        (answer(200, "", r#"{"QueueUrls":{}}"#), "QueueUrls"),
        (String::new(), "127.0.0.1"),
        ("nonsense\r\n\r\n".to_owned(), "127.0.0.1"),
    ] {
        let server = server(vec![answers]).await;
        let (Err(Failed::NoAnswer(why)) | Err(Failed::Unreadable(why))) =
            call(&server.url, &operation, "{}").await
        else {
            panic!("{expected}")
        };
        assert!(why.contains(expected), "{why}");
    }
}

#[test]
fn addresses_are_configured_by_variables() {
    let variables = [
        ("AWS_ENDPOINT_URL", "http://all"),
        ("AWS_ENDPOINT_URL_CLOUDWATCH_LOGS", "http://logs"),
        ("AWS_ENDPOINT_URL_S3", ""),
        ("OTHER", "x"),
    ];
    let of = |more: &[(&str, &str)]| {
        let all = variables.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Endpoints::from_variables(all)
    };
    let endpoints = of(&[]);
    assert_eq!(endpoints.of("CloudWatch Logs"), Some("http://logs"));
    assert_eq!(endpoints.of("S3"), Some("http://all"));
    assert_eq!(of(&[("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")]).of("S3"), None);
}

#[tokio::test]
async fn addresses_that_are_not_let_through_are_not_called() {
    let server = server(vec![answer(200, "", "")]).await;
    let port = server.url.rsplit(':').next().unwrap();
    let connections =
        Connections::filtered(|host, address| host != "refused.localhost" && !address.is_ipv4()).unwrap();
    // The last is a name that the system resolves to 127.0.0.1.
    for host in ["127.0.0.1", "refused.localhost", "2130706433"] {
        let request = hyper::Request::get(format!("http://{host}:{port}/")).body(Default::default()).unwrap();
        let error = connections.send(request, None).await.unwrap_err().to_string();
        assert_eq!(error, format!("{host} is at an address that is not called"));
    }
    assert_eq!(server.received.lock().unwrap().len(), 0);
    for (authorities, expected) in [("", "no certificate in it"), ("-----BEGIN CERTIFICATE-----\n?", "PEM")] {
        let Err(why) = Connections::pinned(authorities.as_bytes(), |_, _| true) else { panic!("{expected}") };
        assert!(why.contains(expected), "{why}");
    }
}

#[tokio::test]
async fn requests_that_no_model_describes_are_signed() {
    let now = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000);
    let credentials = caller().identity.credentials(now).await.unwrap();
    let scope = Scope { name: "execute-api", region: "eu-west-1" };
    let request = hyper::Request::get("http://127.0.0.1/p").header("Host", "a.example.com");
    let mut request = request.body(bytes::Bytes::new()).unwrap();
    sign_request(&mut request, scope, &credentials, now).unwrap();
    let authorization = request.headers()["authorization"].to_str().unwrap();
    let expected = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20231114/eu-west-1/execute-api/aws4_request, \
                    SignedHeaders=host;x-amz-date;x-amz-security-token, Signature=";
    assert!(authorization.starts_with(expected), "{authorization}");

    let valid = std::time::Duration::from_secs(60);
    let url =
        presigned("https://a.example.com/?b=c", &[("x-d", "e")], valid, scope, &credentials, now).unwrap();
    for part in [
        "https://a.example.com/?b=c&",
        "X-Amz-Expires=60",
        "X-Amz-SignedHeaders=host%3Bx-d",
        "X-Amz-Signature=",
    ] {
        assert!(url.contains(part), "{part} is not in {url}");
    }
    assert!(presigned("no url", &[], valid, scope, &credentials, now).is_err());
}
