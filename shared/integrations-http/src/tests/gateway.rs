//! `apigateway:invoke`.

use super::*;

const RESOURCE: &str = "arn:aws:states:::apigateway:invoke";

fn emulated(server: &Server) -> Http {
    let hosts = Hosts::default().with_gateways(server.url.as_str());
    Http::new(Settings { allow_local: false, hosts, connections: connections("") })
}

/// A call of an API with these members beside the endpoint and the method.
async fn call(http: &Http, more: &str) -> Result<Value, (String, String)> {
    let endpoint = "a1.execute-api.eu-west-1.amazonaws.com";
    perform(http, RESOURCE, &format!(r#"{{"ApiEndpoint":"{endpoint}","Method":"POST"{more}}}"#)).await
}

#[tokio::test]
async fn a_call_and_its_result() {
    let headers =
        "Content-Type: application/json\r\nx-amzn-requestid: r\r\nX-AMZN-TRACE-ID: t\r\nX-Custom: 1\r\n";
    let server = Server::replying(vec![Reply::of("202 Accepted", headers, r#"{"ok":true}"#)]).await;
    let more = r#","Headers":{"key":["v1","v2"],"other":"o"},"Stage":"prod","Path":"bills/add it","QueryParameters":{"billId":["1","2"]},"RequestBody":{"a":null,"b":[1]},"AuthType":"NO_AUTH""#;
    assert_eq!(
        call(&emulated(&server), more).await.unwrap().to_json(),
        r#"{"Headers":{"Connection":["close"],"Content-Length":["11"],"Content-Type":["application/json"],"x-amzn-RequestId":["r"],"X-Amzn-Trace-Id":["t"],"x-custom":["1"]},"ResponseBody":{"ok":true},"StatusCode":202,"StatusText":"Accepted"}"#
    );
    let request = server.request();
    assert!(request.starts_with("POST /prod/bills/add%20it?billId=1&billId=2 HTTP/1.1\r\n"), "{request}");
    for part in [
        "host: a1.execute-api.eu-west-1.amazonaws.com\r\n",
        "content-type: application/json\r\n",
        "key: v1\r\nkey: v2\r\n",
        "other: o\r\n",
        "user-agent: Amazon|StepFunctions|ApiGatewayInvoke|eu-central-1\r\n",
        "\r\n\r\n{\"b\":[1]}",
    ] {
        assert!(request.contains(part), "{part} is not in {request}");
    }
    assert!(!request.contains("authorization") && !request.contains("x-amz-"), "{request}");
}

#[tokio::test]
async fn null_values_may_be_wanted() {
    let server = Server::replying(vec![Reply::json("1")]).await;
    let http = emulated(&server);
    call(&http, r#","AllowNullValues":true,"RequestBody":{"a":null}"#).await.unwrap();
    call(&http, r#","AllowNullValues":false,"RequestBody":{"a":null}"#).await.unwrap();
    let received = server.received();
    assert!(
        received[0].ends_with("\r\n\r\n{\"a\":null}") && received[1].ends_with("\r\n\r\n{}"),
        "{received:?}"
    );
}

#[tokio::test]
async fn requests_are_signed_for_the_region_of_the_host() {
    let server = Server::replying(vec![Reply::json("1")]).await;
    for auth_type in ["IAM_ROLE", "RESOURCE_POLICY"] {
        let more = format!(r#","AuthType":"{auth_type}","RequestBody":1"#);
        call(&emulated(&server), &more).await.unwrap();
    }
    for request in server.received() {
        for part in [
            "authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/",
            "/eu-west-1/execute-api/aws4_request, SignedHeaders=",
            "x-amz-security-token: planted-session\r\n",
            "host: a1.execute-api.eu-west-1.amazonaws.com\r\n",
        ] {
            assert!(request.contains(part), "{part} is not in {request}");
        }
        let signed = request.split("SignedHeaders=").nth(1).unwrap().split(',').next().unwrap();
        assert!(signed.contains("host;") && signed.contains("x-amz-date"), "{signed}");
        assert!(!request.contains("planted-secret"), "{request}");
    }
    // Nobody else is shown a session token.
    let parameters = r#"{"ApiEndpoint":"a1.execute-api.eu-west-1.amazonaws.com.example.com","Method":"GET","AuthType":"IAM_ROLE"}"#;
    let plain =
        Http::new(Settings { allow_local: false, hosts: Hosts::default(), connections: connections("") });
    let (error, cause) = perform(&plain, RESOURCE, parameters).await.unwrap_err();
    assert_eq!(error, "Parameters");
    assert!(cause.contains("API Gateway"), "{cause}");
}

#[tokio::test]
async fn failures() {
    for (reply, error, cause) in [
        (
            Reply::of("403 Forbidden", "", r#"{"message":"Missing Authentication Token"}"#),
            "403",
            r#"{"message":"Missing Authentication Token"}"#,
        ),
        (Reply::of("500 Internal Server Error", "", ""), "500", ""),
        (Reply::of("302 Found", "location: http://169.254.169.254/\r\n", ""), "302", ""),
    ] {
        let server = Server::replying(vec![reply]).await;
        let expected = (format!("ApiGateway.{error}"), cause.to_owned());
        assert_eq!(call(&emulated(&server), "").await, Err(expected));
    }
    let server = Server::replying(vec![Reply::Bytes(Vec::new())]).await;
    let (error, cause) = call(&emulated(&server), "").await.unwrap_err();
    assert_eq!(error, "ApiGateway.SdkClientException");
    assert!(cause.starts_with("Unable to execute HTTP request: 127.0.0.1: "), "{cause}");
}

#[tokio::test]
async fn parameters() {
    let http =
        Http::new(Settings { allow_local: false, hosts: Hosts::default(), connections: connections("") });
    let check = async |parameters: &str, why: &str| {
        let found = perform(&http, RESOURCE, parameters).await;
        assert_eq!(found, Err(("Parameters".to_owned(), why.to_owned())), "{parameters}");
    };
    check("null", "The parameters must be an object").await;
    check("{}", "The field \"Method\" is required but was missing").await;
    check(r#"{"Method":"GET"}"#, "The field \"ApiEndpoint\" is required but was missing").await;
    check(r#"{"Method":"GET","ApiEndpoint":7}"#, "The value for the field 'ApiEndpoint' must be a string")
        .await;
    for endpoint in ["a b", "me@example.com", "https://", "[::1"] {
        let why = "The value for the field 'ApiEndpoint' must be the hostname of an API";
        check(&format!(r#"{{"Method":"GET","ApiEndpoint":"{endpoint}"}}"#), why).await;
    }
    check(
        r#"{"Method":"GET","ApiEndpoint":"http://localhost"}"#,
        "ApiEndpoint must be a URL that begins with https://",
    )
    .await;
    let with = |more: &str| format!(r#"{{"Method":"GET","ApiEndpoint":"a.example.com",{more}}}"#);
    check(&with(r#""Url":1"#), "The field \"Url\" is not supported by Step Functions").await;
    check(
        &with(r#""AuthType":"IAM_AUTH""#),
        "The value for the field 'AuthType' must be one of [NO_AUTH, IAM_ROLE, RESOURCE_POLICY]",
    )
    .await;
    check(
        &with(r#""AllowNullValues":"true""#),
        "The value for the field 'AllowNullValues' must be a boolean",
    )
    .await;
    check(&with(r#""QueryParameters":"a=1""#), "The value for the field 'QueryParameters' must be an object")
        .await;
    check(&with(r#""Stage":["s"]"#), "The value for the field 'Stage' must be a string").await;
    for name in [
        "Authorization",
        "connection",
        "Content-md5",
        "Host",
        "X-Forwarded-For",
        "X-Amz-Date",
        "x-amzn-trace-id",
        "Www-Authenticate",
    ] {
        let why = format!("The 'Headers' field contains unsupported values: [{}]", name.to_lowercase());
        check(&with(&format!(r#""Headers":{{"{name}":["v"]}}"#)), &why).await;
    }
}
