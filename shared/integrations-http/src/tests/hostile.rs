//! Answers and arguments that nobody should give.

use proptest::prelude::*;

use super::*;

fn socket(result: Result<Value, (String, String)>) -> String {
    let (error, cause) = result.unwrap_err();
    assert_eq!(error, "States.Http.Socket", "{cause}");
    assert!(cause.starts_with("Unable to execute HTTP request: 127.0.0.1: "), "{cause}");
    cause
}

#[tokio::test]
async fn answers_that_end_too_soon_or_are_none() {
    let http = http(CONNECTION);
    for bytes in [
        "",
        "nonsense\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{",
        "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n{",
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab",
        "HTTP/1.1 99999 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nbad header\r\n\r\n",
        "HTTP/9.9 200 OK\r\n\r\n",
    ] {
        let server = Server::replying(vec![Reply::Bytes(bytes.as_bytes().to_vec())]).await;
        socket(invoke(&http, "GET", &server.url, "").await);
    }
}

#[tokio::test]
async fn answers_that_are_late() {
    let mut http = http(CONNECTION);
    http.timeout = Duration::from_millis(1_200);
    for bytes in ["", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n1"] {
        let server = Server::replying(vec![Reply::Hang(bytes.as_bytes().to_vec())]).await;
        let cause = socket(invoke(&http, "GET", &server.url, "").await);
        assert!(cause.ends_with("no answer in 1 seconds"), "{cause}");
    }
}

#[tokio::test]
async fn answers_that_are_too_large() {
    let http = http(CONNECTION);
    let head = |more: &str| format!("HTTP/1.1 200 OK\r\n{more}\r\n").into_bytes();
    let replies = [
        Reply::of("200 OK", "", &"1".repeat(262_145)),
        Reply::Endless(head(""), b"1".repeat(1_000)),
        Reply::Endless(head("transfer-encoding: chunked\r\n"), b"4\r\n1111\r\n".repeat(100)),
        // Declared, and never sent.
        Reply::Hang(head("content-length: 99999999999\r\n")),
    ];
    for reply in replies {
        let server = Server::replying(vec![reply]).await;
        let (error, _) = invoke(&http, "GET", &server.url, "").await.unwrap_err();
        assert_eq!(error, "States.DataLimitExceeded");
    }
    let largest = Server::replying(vec![Reply::of("200 OK", "", &"x".repeat(262_144))]).await;
    assert!(invoke(&http, "GET", &largest.url, "").await.is_ok());
    // Headers without an end.
    let server =
        Server::replying(vec![Reply::Endless(b"HTTP/1.1 200 OK\r\n".to_vec(), b"a: b\r\n".repeat(100))])
            .await;
    socket(invoke(&http, "GET", &server.url, "").await);
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let http = http(CONNECTION);
    let other = Server::replying(vec![Reply::json("1")]).await;
    for to in [
        other.url.as_str(),
        "http://169.254.169.254/latest/meta-data/iam/security-credentials/",
        "/",
        "//evil.example.com",
        "file:///etc/passwd",
    ] {
        for status in
            ["301 Moved Permanently", "302 Found", "303 See Other", "307 Temporary Redirect", "308 X"]
        {
            let reply = Reply::of(status, &format!("location: {to}\r\n"), "");
            let server = Server::replying(vec![reply]).await;
            let (error, _) = invoke(&http, "POST", &server.url, "").await.unwrap_err();
            assert_eq!(error, format!("States.Http.StatusCode.{}", &status[..3]));
            assert_eq!(server.received().len(), 1, "{to}");
        }
    }
    assert_eq!(other.received().len(), 0);
}

#[tokio::test]
async fn deep_answers_are_texts_and_odd_ones_are_kept() {
    let http = http(CONNECTION);
    let deep = "[".repeat(100_000);
    for (body, expected) in [
        (deep.as_str(), Value::from(deep.as_str())),
        ("NaN", Value::from("NaN")),
        ("\u{feff}{}", Value::from("\u{feff}{}")),
        ("1e999", Value::parse("1e999").unwrap_or_else(|_| Value::from("1e999"))),
    ] {
        let server = Server::replying(vec![Reply::json(body)]).await;
        let result = invoke(&http, "GET", &server.url, "").await.unwrap();
        assert_eq!(result.get("ResponseBody"), Some(&expected));
    }
    let server = Server::replying(vec![Reply::Bytes(
        b"HTTP/1.1 200 \xff\r\nx-a: \xff\r\ncontent-length: 0\r\n\r\n".to_vec(),
    )])
    .await;
    let result = invoke(&http, "GET", &server.url, "").await.unwrap();
    assert_eq!(result.get("Headers").unwrap().get("x-a").unwrap().to_json(), "[\"\u{fffd}\"]");
}

/// Any JSON, with names that mean something here and there.
fn any_json() -> impl Strategy<Value = Value> {
    let name = prop::sample::select(vec![
        "ApiEndpoint",
        "Authentication",
        "InvocationConfig",
        "ConnectionArn",
        "Headers",
        "Method",
        "QueryParameters",
        "RequestBody",
        "Transform",
        "RequestBodyEncoding",
        "RequestEncodingOptions",
        "ArrayFormat",
        "Stage",
        "Path",
        "AuthType",
        "AllowNullValues",
        "ClusterName",
        "CertificateAuthority",
        "Endpoint",
        "Job",
        "LogOptions",
        "x",
        "",
    ]);
    let text = prop_oneof![
        prop::sample::select(vec![
            "GET",
            "POST",
            "NaN",
            "https://localhost:1",
            "http://[::1",
            "https://a b",
            "URL_ENCODED",
            "IAM_ROLE",
            ARN,
            "\u{0}",
            "%",
        ])
        .prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        text
    ];
    leaf.prop_recursive(4, 32, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((name.clone(), inner), 0..8)
                .prop_map(|members| members.into_iter().collect()),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn any_parameters_give_an_outcome(parameters in any_json()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        // Nothing is reachable, so that whatever gets so far ends there.
        let settings = Settings { allow_local: false, hosts: Hosts::default(), connections: connections("") };
        let http = Http { timeout: Duration::from_millis(50), ..Http::new(settings) };
        for resource in ["http:invoke", "apigateway:invoke", "eks:call", "eks:runJob"] {
            let call = call_of(&format!("arn:aws:states:::{resource}"), parameters.clone());
            let outcome = runtime.block_on(http.call(&call, &caller())).unwrap_err();
            let TaskOutcome::Failed { failure, .. } = outcome else { panic!("{outcome:?}") };
            prop_assert!(!failure.error.unwrap().is_empty());
        }
    }
}

#[tokio::test]
async fn deep_parameters() {
    let http = http(CONNECTION);
    let server = Server::replying(vec![Reply::json("1")]).await;
    let deep = format!("{}1{}", r#"{"a":"#.repeat(900), "}".repeat(900));
    for transform in ["NONE", "URL_ENCODED"] {
        let more = format!(r#""RequestBody":{deep},"Transform":{{"RequestBodyEncoding":"{transform}"}}"#);
        invoke(&http, "POST", &server.url, &more).await.unwrap();
    }
    for more in [format!(r#""Headers":{{"a":{deep}}}"#), format!(r#""Transform":{deep}"#)] {
        assert_eq!(invoke(&http, "POST", &server.url, &more).await.unwrap_err().0, "Parameters");
    }
}
