//! `http:invoke`.

use aws_client::Connections;

use super::*;

/// What was sent after the first line, without the `host`, sorted; and the body.
fn sent(request: &str) -> (String, Vec<String>, String) {
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let mut lines = head.lines().map(str::to_owned);
    let first = lines.next().unwrap();
    let mut headers: Vec<String> = lines.filter(|line| !line.starts_with("host: ")).collect();
    headers.sort();
    (first, headers, body.to_owned())
}

#[tokio::test]
async fn a_call_and_its_result() {
    let answer = "content-type: application/json; charset=utf-8\r\nx-a: 1\r\nx-a: 2\r\n";
    let server = Server::replying(vec![Reply::of("201 Made", answer, r#"{"id": 7}"#)]).await;
    let more = r#""Headers":{"Request-Id":"r","x-list":["a","b"],"x-number":1},"RequestBody":{"a":[1,null]},"QueryParameters":{"q":"a b","r":["1","2"],"s":null}"#;
    let result = invoke(&http(CONNECTION), "POST", &format!("{}/p?z=1", server.url), more).await.unwrap();
    assert_eq!(
        result.to_json(),
        r#"{"Headers":{"connection":["close"],"content-length":["9"],"content-type":["application/json; charset=utf-8"],"x-a":["1","2"]},"ResponseBody":{"id":7},"StatusCode":201,"StatusText":"Made"}"#
    );
    let (first, headers, body) = sent(&server.request());
    assert_eq!(first, "POST /p?z=1&q=a%20b&r=1&r=2 HTTP/1.1");
    assert_eq!(
        headers,
        [
            "content-length: 14",
            "content-type: application/json; charset=UTF-8",
            "range: bytes=0-262144",
            "request-id: r",
            "user-agent: Amazon|StepFunctions|HttpInvoke|eu-central-1",
            "x-key: planted-key",
            "x-list: a",
            "x-list: b",
            "x-number: 1",
        ]
    );
    assert_eq!(body, r#"{"a":[1,null]}"#);
}

#[tokio::test]
async fn what_a_connection_has_takes_the_place_of_what_a_task_has() {
    let connection = r#"
        [connections.Own]
        type = "BASIC"
        username = "me"
        password = "planted-password"
        headers = { "Header-Param" = "c", "content-type" = "application/vnd.x+json" }
        query = { QueryParam = "c d" }
        body = { BodyParam = "c", Other = "d" }
    "#;
    let server = Server::replying(vec![Reply::json("1")]).await;
    let http = http(connection);
    let more = r#""Headers":{"header-param":["t","u"],"Content-Type":"text/plain"},"RequestBody":{"Job":"j","BodyParam":"t"},"QueryParameters":{"QueryParam":"t","own":"1"}"#;
    invoke(&http, "PUT", &server.url, more).await.unwrap();
    let (first, headers, body) = sent(&server.request());
    assert_eq!(first, "PUT /?own=1&QueryParam=c%20d HTTP/1.1");
    assert!(headers.contains(&"header-param: c".to_owned()), "{headers:?}");
    assert!(!headers.iter().any(|header| header.starts_with("header-param: t")), "{headers:?}");
    assert!(headers.contains(&"content-type: application/vnd.x+json".to_owned()), "{headers:?}");
    assert!(headers.contains(&"authorization: Basic bWU6cGxhbnRlZC1wYXNzd29yZA==".to_owned()), "{headers:?}");
    assert_eq!(body, r#"{"Job":"j","BodyParam":"c","Other":"d"}"#);

    // Without a body of its own.
    invoke(&http, "GET", &server.url, "").await.unwrap();
    assert_eq!(sent(&server.received()[1]).2, r#"{"BodyParam":"c","Other":"d"}"#);
    for body in [r#""text""#, "[1]", "1"] {
        let (error, cause) =
            invoke(&http, "POST", &server.url, &format!(r#""RequestBody":{body}"#)).await.unwrap_err();
        assert_eq!(error, "States.Runtime");
        assert!(cause.contains("cannot be merged"), "{cause}");
    }
    assert_eq!(server.received().len(), 2);
}

#[tokio::test]
async fn bodies() {
    let server = Server::replying(vec![Reply::json("1")]).await;
    let http = http(CONNECTION);
    let form = |format: &str| {
        format!(
            r#""Transform":{{"RequestBodyEncoding":"URL_ENCODED","RequestEncodingOptions":{{"ArrayFormat":"{format}"}}}},"RequestBody":{{"a":["x y","z"],"b":{{"c":1}}}}"#
        )
    };
    let cases = [
        (r#""RequestBody":"<xml/>""#.to_owned(), "<xml/>"),
        (r#""RequestBody":[1,{"a":null}]"#.to_owned(), r#"[1,{"a":null}]"#),
        (r#""RequestBody":null"#.to_owned(), ""),
        (r#""RequestBody":{},"Transform":{"RequestBodyEncoding":"NONE"}"#.to_owned(), "{}"),
        (r#""RequestBody":"a=1","Transform":{"RequestBodyEncoding":"URL_ENCODED"}"#.to_owned(), "a=1"),
        (
            r#""RequestBody":{"a":["1"]},"Transform":{"RequestBodyEncoding":"URL_ENCODED"}"#.to_owned(),
            "a%5B0%5D=1",
        ),
        (form("INDICES"), "a%5B0%5D=x%20y&a%5B1%5D=z&b%5Bc%5D=1"),
        (form("REPEAT"), "a=x%20y&a=z&b%5Bc%5D=1"),
        (form("COMMAS"), "a=x%20y,z&b%5Bc%5D=1"),
        (form("BRACKETS"), "a%5B%5D=x%20y&a%5B%5D=z&b%5Bc%5D=1"),
    ];
    for (more, expected) in &cases {
        invoke(&http, "POST", &server.url, more).await.unwrap();
        let received = server.received();
        assert_eq!(sent(received.last().unwrap()).2, *expected, "{more}");
    }
    // Beyond the limit once it is encoded.
    let more = format!(
        r#""Transform":{{"RequestBodyEncoding":"URL_ENCODED"}},"RequestBody":{{"a":"{}"}}"#,
        "ü".repeat(60_000)
    );
    let (error, cause) = invoke(&http, "POST", &server.url, &more).await.unwrap_err();
    assert_eq!(error, "States.DataLimitExceeded");
    assert!(cause.starts_with("The state/task 'arn:aws:states:::http:invoke' returned a result"), "{cause}");
    assert_eq!(server.received().len(), cases.len());
}

#[tokio::test]
async fn query_parameters_may_be_texts() {
    let server = Server::replying(vec![Reply::json("1")]).await;
    let http = http(CONNECTION);
    for (query, expected) in [
        (r#""a=1&b=x%20y""#, "GET /?a=1&b=x%20y HTTP/1.1"),
        (r#"["a=1","b=2"]"#, "GET /?a=1&b=2 HTTP/1.1"),
        (r#"{"a":{"b":1},"c":true}"#, "GET /?a=%7B%22b%22%3A1%7D&c=true HTTP/1.1"),
        ("{}", "GET / HTTP/1.1"),
    ] {
        invoke(&http, "GET", &format!("{}#part", server.url), &format!(r#""QueryParameters":{query}"#))
            .await
            .unwrap();
        assert_eq!(sent(server.received().last().unwrap()).0, expected);
    }
}

#[tokio::test]
async fn statuses() {
    let http = http(CONNECTION);
    for (reply, error, cause) in [
        (
            Reply::of("404 Not Found", "", r#"{"message":"no such thing"}"#),
            "404",
            r#"{"message":"no such thing"}"#,
        ),
        (Reply::of("429 Too Many Requests", "", "slow down"), "429", "slow down"),
        (Reply::of("500 Internal Server Error", "", ""), "500", "Internal Server Error"),
        (Reply::of("503 Gone Fishing", "content-type: image/png\r\n", ""), "503", "Gone Fishing"),
        (Reply::of("304 Not Modified", "", ""), "304", "Not Modified"),
        (Reply::of("799 X", "", "?"), "799", "?"),
    ] {
        let server = Server::replying(vec![reply]).await;
        let expected = (format!("States.Http.StatusCode.{error}"), cause.to_owned());
        assert_eq!(invoke(&http, "GET", &server.url, "").await, Err(expected));
    }
    let server = Server::replying(vec![Reply::of("204 No Content", "", "")]).await;
    let result = invoke(&http, "DELETE", &server.url, "").await.unwrap();
    assert_eq!(result.get("ResponseBody"), Some(&Value::from("")));
    assert_eq!(result.get("StatusText"), Some(&Value::from("No Content")));
}

#[tokio::test]
async fn response_bodies() {
    let http = http(CONNECTION);
    let unsupported =
        |kind: &str| Err(format!("The response has the content type {kind}, which is not supported"));
    let bytes = |head: &str, body: &[u8]| {
        let head =
            format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n{head}\r\n", body.len());
        Reply::Bytes([head.as_bytes(), body].concat())
    };
    for (reply, expected) in [
        (bytes("content-type: application/json\r\n", br#"{ "a":1.5}"#), Ok(r#"{"a":1.5}"#)),
        (bytes("content-type: text/plain\r\n", b"plain"), Ok(r#""plain""#)),
        (bytes("", b"[1"), Ok(r#""[1""#)),
        (bytes("content-type: text/plain; charset=ISO-8859-1\r\n", b"\xfc"), Ok("\"ü\"")),
        (bytes("content-type: Image/PNG\r\n", b"x"), unsupported("image/png")),
        (bytes("content-type: video/mp4; a=b\r\n", b"x"), unsupported("video/mp4")),
        (bytes("content-type: audio/ogg\r\n", b"x"), unsupported("audio/ogg")),
        (bytes("content-type: application/octet-stream\r\n", b"x"), unsupported("application/octet-stream")),
        (
            bytes("content-type: text/plain\r\n", b"\xff\xfe"),
            Err("The response could not be read as a valid string".to_owned()),
        ),
        (
            bytes("content-encoding: gzip\r\ncontent-type: text/plain\r\n", b"\x1f\x8b\x08\x00\x00"),
            Err("The response could not be read as a valid string".to_owned()),
        ),
    ] {
        let server = Server::replying(vec![reply]).await;
        let found = invoke(&http, "GET", &server.url, "").await;
        let found = found.map(|result| result.get("ResponseBody").unwrap().to_json());
        assert_eq!(found, expected.map(str::to_owned).map_err(|cause| ("States.Runtime".to_owned(), cause)));
    }
}

#[tokio::test]
async fn forbidden_headers() {
    let http = http(CONNECTION);
    for name in [
        "A-IM",
        "accept-charset",
        "Accept-Encoding",
        "Authorization",
        "Cache-Control",
        "Connection",
        "Content-MD5",
        "Content-Length",
        "Date",
        "Host",
        "HTTP2-Settings",
        "If-Match",
        "If-Range",
        "Origin",
        "Proxy-Authorization",
        "Transfer-Encoding",
        "Warning",
        "X-Forwarded-For",
        "x-amz-date",
        "X-AMZN-Trace-Id",
    ] {
        let more = format!(r#""Headers":{{"a":"b","{name}":"v"}}"#);
        let lower = name.to_lowercase();
        let expected =
            ("Parameters".to_owned(), format!("The 'Headers' field contains unsupported values: [{lower}]"));
        assert_eq!(invoke(&http, "GET", "https://localhost:1", &more).await, Err(expected), "{name}");
    }
}

#[tokio::test]
async fn parameters() {
    let http = http(CONNECTION);
    let check = async |parameters: &str, why: &str| {
        let found = perform(&http, "arn:aws:states:::http:invoke", parameters).await;
        assert_eq!(found, Err(("Parameters".to_owned(), why.to_owned())), "{parameters}");
    };
    check("[]", "The parameters must be an object").await;
    check(r#"{"Url":1}"#, "The field \"Url\" is not supported by Step Functions").await;
    check("{}", "The field \"Method\" is required but was missing").await;
    check(r#"{"Method":"GET"}"#, "The field \"ApiEndpoint\" is required but was missing").await;
    let get = r#""Method":"GET","ApiEndpoint":"https://example.com""#;
    check(&format!("{{{get}}}"), "The field \"InvocationConfig.ConnectionArn\" is required but was missing")
        .await;
    check(
        &format!(r#"{{{get},"Authentication":{{}}}}"#),
        "The field \"ConnectionArn\" is required but was missing",
    )
    .await;
    check(
        &format!(r#"{{{get},"Authentication":"x"}}"#),
        "The value for the field 'Authentication' must be an object",
    )
    .await;
    check(
        &format!(r#"{{{get},"InvocationConfig":{{"ConnectionArn":1}}}}"#),
        "The value for the field 'ConnectionArn' must be a string",
    )
    .await;
    check(
        &format!(r#"{{{get},"InvocationConfig":{{"Arn":"x"}}}}"#),
        "The field \"Arn\" is not supported by Step Functions",
    )
    .await;
    check(
        r#"{"Method":"get"}"#,
        "The value for the field 'Method' must be one of [GET, POST, PUT, DELETE, PATCH, OPTIONS, HEAD]",
    )
    .await;
    let with = |more: &str| format!(r#"{{{get},"Authentication":{{"ConnectionArn":"{ARN}"}},{more}}}"#);
    check(&with(r#""Headers":[]"#), "The value for the field 'Headers' must be an object").await;
    check(
        &with(r#""Headers":{"a":{}}"#),
        "The value for the field 'a' must be a string or a list of strings",
    )
    .await;
    check(
        &with(r#""Headers":{"a":"b\nc"}"#),
        "The header \"a\" has a name or a value that HTTP does not allow",
    )
    .await;
    check(
        &with(r#""Headers":{"a b":"c"}"#),
        "The header \"a b\" has a name or a value that HTTP does not allow",
    )
    .await;
    check(&with(r#""QueryParameters":7"#), "The value for the field 'QueryParameters' must be an object")
        .await;
    check(&with(r#""QueryParameters":[7]"#), "The value for the field 'QueryParameters' must be an object")
        .await;
    check(&with(r#""Transform":"URL_ENCODED""#), "The value for the field 'Transform' must be an object")
        .await;
    check(
        &with(r#""Transform":{"RequestBodyEncoding":"XML"}"#),
        "The value for the field 'RequestBodyEncoding' must be one of [NONE, URL_ENCODED]",
    )
    .await;
    check(
        &with(r#""Transform":{"RequestEncodingOptions":{"ArrayFormat":"X"}}"#),
        "The value for the field 'ArrayFormat' must be one of [INDICES, REPEAT, COMMAS, BRACKETS]",
    )
    .await;
    check(
        &with(r#""RequestBody":[1],"Transform":{"RequestBodyEncoding":"URL_ENCODED"}"#),
        "The value for the field 'RequestBody' must be an object to be URL encoded",
    )
    .await;
}

#[tokio::test]
async fn endpoints() {
    let http = http(CONNECTION);
    for endpoint in [
        "http://example.com",
        "ftp://example.com",
        "example.com",
        "/x",
        "http://localhost.example.com",
        "https://",
    ] {
        let (error, cause) = invoke(&http, "GET", endpoint, "").await.unwrap_err();
        let known = [
            "ApiEndpoint must be a URL that begins with https://",
            "The value for the field 'ApiEndpoint' must be a URL",
        ];
        assert!(error == "Parameters" && known.contains(&cause.as_str()), "{endpoint}: {error} {cause}");
    }
    let expected = ("Parameters".to_owned(), "ApiEndpoint must not name a user".to_owned());
    assert_eq!(invoke(&http, "GET", "https://me:pass@example.com", "").await, Err(expected));
}

/// Odd spellings of addresses are no names that a certificate can be for.
fn is_refused(cause: &str) -> bool {
    cause.contains("is at an address that is not called") || cause.contains("invalid dns name")
}

#[tokio::test]
async fn this_computer_is_called_only_where_that_is_set() {
    let server = Server::replying(vec![Reply::json("1")]).await;
    let settings =
        Settings { allow_local: false, hosts: Hosts::default(), connections: connections(CONNECTION) };
    let strict = Http::new(settings);
    let (error, cause) = invoke(&strict, "GET", &server.url, "").await.unwrap_err();
    assert_eq!(
        (error.as_str(), cause.as_str()),
        ("Parameters", "ApiEndpoint must be a URL that begins with https://")
    );
    let port = server.port;
    for host in [
        "localhost",
        "127.0.0.1",
        "[::1]",
        "0.0.0.0",
        "[::]",
        "[::ffff:127.0.0.1]",
        "a.localhost",
        "127.1",
        "2130706433",
    ] {
        let (error, cause) = invoke(&strict, "GET", &format!("https://{host}:{port}"), "").await.unwrap_err();
        assert_eq!(error, "States.Http.Socket", "{host}: {cause}");
        assert!(is_refused(&cause), "{host}: {cause}");
    }
    assert_eq!(server.received().len(), 0);
}

#[tokio::test]
async fn nobody_is_asked_for_credentials_of_a_computer() {
    for http in [
        http(CONNECTION),
        Http::new(Settings {
            allow_local: false,
            hosts: Hosts::default(),
            connections: connections(CONNECTION),
        }),
    ] {
        for host in [
            "169.254.169.254",
            "169.254.170.2",
            "[fd00:ec2::254]",
            "[fe80::1]",
            "[::ffff:169.254.169.254]",
            "2852039166",
            "0xa9.0xfe.0xa9.0xfe",
        ] {
            let (error, cause) =
                invoke(&http, "GET", &format!("https://{host}/latest/meta-data"), "").await.unwrap_err();
            assert_eq!(error, "States.Http.Socket", "{host}: {cause}");
            assert!(is_refused(&cause), "{host}: {cause}");
            let (error, _) =
                invoke(&http, "GET", &format!("http://{host}/latest/meta-data"), "").await.unwrap_err();
            assert_eq!(error, "Parameters", "{host}");
        }
    }
}

#[tokio::test]
async fn hosts_may_be_elsewhere() {
    let server = Server::replying(vec![Reply::json("1")]).await;
    let hosts = Hosts::default().with("API.example.com", format!("{}/mock/", server.url));
    let settings = Settings { allow_local: false, hosts, connections: connections(CONNECTION) };
    invoke(&Http::new(settings), "GET", "https://api.example.com:8443/p?q=1", "").await.unwrap();
    let request = server.request();
    assert!(request.starts_with("GET /mock/p?q=1 HTTP/1.1\r\n"), "{request}");
    assert!(request.contains("host: api.example.com:8443\r\n"), "{request}");
}

#[tokio::test]
async fn certificates_are_checked() {
    let server = Server::over_tls(|_| Reply::json(r#"{"secure":true}"#)).await;
    let (error, cause) = invoke(&http(CONNECTION), "GET", &server.url, "").await.unwrap_err();
    assert_eq!(error, "States.Http.Socket");
    assert!(cause.contains("certificate"), "{cause}");

    let trusting = http(CONNECTION);
    trusting.outside.get_or_init(|| Connections::pinned(server.authority.as_bytes(), reach::or_local));
    let result = invoke(&trusting, "GET", &server.url, "").await.unwrap();
    assert_eq!(result.get("ResponseBody").unwrap().to_json(), r#"{"secure":true}"#);
    // The name has to be the certificate's.
    let other = format!("https://127.0.0.1:{}", server.port);
    let (_, cause) = invoke(&trusting, "GET", &other, "").await.unwrap_err();
    assert!(cause.contains("certificate"), "{cause}");
    assert_eq!(server.received().len(), 1);
}
