//! Servers that nobody means well with, and arguments that try to reach them.

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::{ProptestConfig, any, proptest};

use super::*;

/// The longest that a test waits for an answer; none of them depends on how long it is.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Answers all requests with the same bytes, and `again` for as long as somebody reads.
async fn repeating(answer: Vec<u8>, again: Vec<u8>, pause: Duration) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let received = Arc::new(Mutex::new(Vec::new()));
    let into = received.clone();
    tokio::spawn(async move {
        loop {
            let (mut connection, _) = listener.accept().await.unwrap();
            let (answer, again, into) = (answer.clone(), again.clone(), into.clone());
            tokio::spawn(async move {
                let request = read(&mut connection).await;
                into.lock().unwrap().push(request);
                let mut written = connection.write_all(&answer).await;
                while written.is_ok() && !again.is_empty() {
                    if !pause.is_zero() {
                        tokio::time::sleep(pause).await;
                    }
                    written = connection.write_all(&again).await;
                }
            });
        }
    });
    Server { url, received }
}

async fn always(answer: impl Into<Vec<u8>>) -> Server {
    repeating(answer.into(), Vec::new(), Duration::ZERO).await
}

async fn called(server: &Server, timeout: Duration, service: &str, action: &str) -> Result<Value, Failed> {
    let input = if service == "s3" { r#"{"Bucket":"bucket","Key":"k"}"# } else { "{}" };
    call_with(&client(&server.url).with_timeout(timeout), &operation(service, action), input).await
}

/// What came of a call, in a word and a sentence.
fn told(result: Result<Value, Failed>) -> String {
    match result {
        Ok(value) => format!("result: {:.100}", value.to_json()),
        Err(Failed::Refused { refusal, attempts }) => {
            format!("refused: {} {} after {attempts}", refusal.status, refusal.code)
        }
        Err(Failed::Unwritable(why)) => format!("unwritable: {why}"),
        Err(Failed::Unsendable(why)) => format!("unsendable: {why}"),
        Err(Failed::NoAnswer(why)) => format!("no answer: {why}"),
        Err(Failed::TooLarge(why)) => format!("too large: {why}"),
        Err(Failed::Unreadable(why)) => format!("unreadable: {why}"),
    }
}

#[tokio::test]
async fn answers_have_an_end() {
    let large = |bytes: usize| {
        let mut answer = format!("HTTP/1.1 200 X\r\ncontent-length: {bytes}\r\n\r\n").into_bytes();
        answer.resize(answer.len() + bytes, b'x');
        answer
    };
    const MIB: usize = 1024 * 1024;
    for (service, action, bytes, expected) in [
        ("dynamodb", "listTables", 40 * MIB, "too large: the answer has more than 8388608 bytes"),
        ("sns", "listTopics", 9 * MIB, "too large: the answer has more than 8388608 bytes"),
        ("s3", "getObject", 40 * MIB, "too large: the answer has more than 33554432 bytes"),
        ("s3", "getObject", 20 * MIB, "result: {"),
        ("dynamodb", "listTables", 7 * MIB, "unreadable: the answer is not JSON"),
    ] {
        let server = always(large(bytes)).await;
        let told = told(called(&server, TIMEOUT, service, action).await);
        assert!(told.starts_with(expected), "{service} {bytes}: {told}");
        assert_eq!(server.received.lock().unwrap().len(), 1, "it is asked for once");
    }
    let chunked = b"HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    let server = repeating(chunked, b"8\r\n[[[[[[[[\r\n".repeat(1_000), Duration::ZERO).await;
    let told = told(called(&server, TIMEOUT, "dynamodb", "listTables").await);
    assert!(told.starts_with("too large: "), "{told}");
}

#[tokio::test]
async fn answers_that_take_too_long_are_not_waited_for() {
    let timeout = Duration::from_millis(100);
    for (begin, again) in [
        ("", ""),
        ("HTTP/1.1 200 X\r\n", "a: b\r\n"),
        ("HTTP/1.1 200 X\r\ncontent-length: 100000\r\n\r\n", " "),
        ("HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n", "1\r\n \r\n"),
        ("HTTP/1.1 100 X\r\n\r\n", "HTTP/1.1 103 X\r\n\r\n"),
        // Sent, but never to its end.
        ("HTTP/1.1 200 X\r\ncontent-length: 3\r\n\r\n{}", ""),
    ] {
        let server = if again.is_empty() {
            silent(begin).await
        } else {
            repeating(begin.into(), again.into(), Duration::from_millis(30)).await
        };
        let told = told(called(&server, timeout, "dynamodb", "listTables").await);
        assert_eq!(told, "no answer: no answer in 0.1 seconds", "{begin:?}");
    }
}

/// Says so much, and stays.
async fn silent(begin: &'static str) -> Server {
    repeating(begin.into(), b" ".to_vec(), Duration::from_secs(3_600)).await
}

#[tokio::test]
async fn floods_end_with_the_connection() {
    let headers: String = (0..200).map(|at| format!("a{at}: b\r\n")).collect();
    let long = format!("a: {}\r\n", "b".repeat(1024 * 1024));
    for answer in [format!("HTTP/1.1 200 X\r\n{headers}\r\n"), format!("HTTP/1.1 200 X\r\n{long}\r\n")] {
        let server = always(answer).await;
        let told = told(called(&server, TIMEOUT, "dynamodb", "listTables").await);
        assert!(told.starts_with("no answer: 127.0.0.1:"), "{told}");
    }
    let server = repeating(b"HTTP/1.1 200 X\r\n".to_vec(), b"a: b\r\n".repeat(1_000), Duration::ZERO).await;
    let told = told(called(&server, TIMEOUT, "dynamodb", "listTables").await);
    assert!(told.starts_with("no answer: 127.0.0.1:"), "{told}");
}

#[tokio::test]
async fn nobody_is_followed() {
    for status in [301, 302, 303, 307, 308] {
        let server = always(answer(status, "Location: http://127.0.0.1:1/stolen\r\n", "")).await;
        let told = told(called(&server, TIMEOUT, "dynamodb", "listTables").await);
        assert_eq!(told, format!("refused: {status}  after 1"));
    }
    // From one Region to another, once, however often it is said.
    let answers = |regions: [&str; 3]| {
        regions.map(|region| answer(301, &format!("x-amz-bucket-region: {region}\r\n"), "")).to_vec()
    };
    let first = server(answers(["eu-west-1", "eu-central-1", "eu-west-1"])).await;
    assert_eq!(told(called(&first, TIMEOUT, "s3", "getObject").await), "refused: 301  after 2");
    let second = server(answers(["evil.example.com/", "eu-west-1", "eu-west-1"])).await;
    let told = told(called(&second, TIMEOUT, "s3", "getObject").await);
    assert_eq!(told, "unsendable: \"evil.example.com/\" is no Region");
    assert_eq!(second.received.lock().unwrap().len(), 1);
}

/// An answer that ends at any of its bytes is the same as none, or, at its last one, whole.
#[tokio::test]
async fn connections_may_end_at_any_byte() {
    let whole = answer(200, "x-a: b\r\n", r#"{"TableNames":["a"]}"#);
    let chunked =
        "HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n14\r\n{\"TableNames\":[\"a\"]}\r\n0\r\n\r\n";
    for whole in [whole.as_str(), chunked] {
        let server = server((0..=whole.len()).map(|end| whole[..end].to_owned()).collect()).await;
        let client = client(&server.url);
        for end in 0..=whole.len() {
            let told = told(call_with(&client, &operation("dynamodb", "listTables"), "{}").await);
            let is_whole = end == whole.len();
            let expected = if is_whole { "result: {\"TableNames\":[\"a\"]}" } else { "no answer: " };
            assert!(told.starts_with(expected), "{end}: {told}");
        }
    }
}

#[tokio::test]
async fn contents_are_what_they_are_not_what_they_are_called() {
    for content_type in ["text/html", "application/xml", "", "application/json; charset=utf-16", "\u{e9}"] {
        let headers = format!("content-type: {content_type}\r\n");
        let server = always(answer(200, &headers, r#"{"TableNames":["a"]}"#)).await;
        let told = told(called(&server, TIMEOUT, "dynamodb", "listTables").await);
        assert_eq!(told, r#"result: {"TableNames":["a"]}"#, "{content_type}");
    }
    let server = always(answer(403, "", "<html>Forbidden by a proxy</html>")).await;
    assert_eq!(told(called(&server, TIMEOUT, "dynamodb", "listTables").await), "refused: 403  after 1");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    /// Bytes after a beginning that makes sense to some point.
    #[test]
    fn any_bytes_are_an_answer_or_none(begin in 0..6_usize, bytes in vec(any::<u8>(), 0..300)) {
        let begins = [
            "",
            "HTTP/1.1 ",
            "HTTP/1.1 200 X\r\n",
            "HTTP/1.1 200 X\r\ncontent-length: 200\r\n\r\n",
            "HTTP/1.1 400 X\r\ntransfer-encoding: chunked\r\n\r\n",
            "HTTP/1.1 403 X\r\n\r\n",
        ];
        let answer = [begins[begin].as_bytes(), &bytes].concat();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let told = runtime.block_on(async {
            let server = always(answer).await;
            told(called(&server, TIMEOUT, "sns", "listTopics").await)
        });
        let expected = ["no answer: ", "refused: ", "unreadable: ", "result: "];
        assert!(expected.iter().any(|expected| told.starts_with(expected)), "{told}");
    }
}

/// What would put an argument into a host's name, or take a bucket out of a path that has none.
#[tokio::test]
async fn arguments_are_no_hosts() {
    let endpoints = Endpoints::default().all(Place::Aws);
    let client = Client::new(Connections::new().unwrap(), endpoints, "stepwright/test".to_owned(), || 0.1);
    let in_region = |region: &str| Caller { region: region.to_owned(), ..caller() };
    let invoke = operation("lambda", "invoke");
    let member = invoke.input().unwrap().member("FunctionName").unwrap();
    let name = aws_wire::node::Node::Text("f".into());
    let input = aws_wire::node::Node::Structure(vec![(member, name)]);
    for region in ["evil.example.com/x", "evil.example.com#", "a@evil", "", "a\r\nb", "é", "-"] {
        let Err(Failed::Unsendable(why)) = client.call_once(&invoke, &input, &in_region(region)).await else {
            panic!("{region}")
        };
        assert_eq!(why, format!("{region:?} is no Region"));
    }
    let server = always(answer(200, "", "")).await;
    let input = r#"{"Bucket":"arn:aws:s3:::x","Key":"other-bucket/k"}"#;
    let refused = call(&server.url, &operation("s3", "getObject"), input).await;
    assert!(matches!(refused, Err(Failed::Unsendable(_))), "{refused:?}");
    assert_eq!(server.received.lock().unwrap().len(), 0, "nothing is asked of the other bucket");
}
