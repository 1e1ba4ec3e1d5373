//! Connections: EventBridge's, those of a file, and tokens.

use std::sync::Mutex;

use aws_client::{Client, Connections, Endpoints};

use super::*;

const SECRET_ARN: &str = "arn:aws:secretsmanager:us-east-1:123456789012:secret:events!connection/Own/1-x";

/// EventBridge and Secrets Manager, of which each says the same every time.
async fn aws(connection: Reply, secret: Reply) -> (Server, AwsConnections) {
    let server = Server::answering(move |request| {
        let is_secret = request.contains("x-amz-target: secretsmanager.GetSecretValue\r\n");
        let is_connection = request.contains("x-amz-target: AWSEvents.DescribeConnection\r\n");
        assert!(is_secret || is_connection, "{request}");
        if is_secret { secret.clone() } else { connection.clone() }
    })
    .await;
    let endpoints = Endpoints::default().all(aws_client::Place::Url(server.url.clone()));
    let client = Client::new(Connections::new().unwrap(), endpoints, "stepwright/test".to_owned(), || 0.1);
    (server, AwsConnections::new(Arc::new(client)))
}

fn described(kind: &str, state: &str, parameters: &str) -> Reply {
    Reply::json(&format!(
        r#"{{"ConnectionArn":"{ARN}","Name":"Own","ConnectionState":"{state}","AuthorizationType":"{kind}","SecretArn":"{SECRET_ARN}","AuthParameters":{parameters}}}"#
    ))
}

fn secret(secret: &str) -> Reply {
    let members: Value = [("SecretString", Value::from(secret))].into_iter().collect();
    Reply::json(&members.to_json())
}

fn secrets(pairs: &[(&str, &str)]) -> Vec<(String, front::Secret)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), front::Secret::new(*value))).collect()
}

#[tokio::test]
async fn what_a_secret_says() {
    let more = r#""invocation_http_parameters":{"header_parameters":[{"key":"h","value":"1","is_value_secret":true}],"query_string_parameters":[{"key":"q","value":"2"}],"body_parameters":[{"key":"b","value":"3"}]}"#;
    let camel = r#""invocation_http_parameters":{"HeaderParameters":[{"Key":"h","Value":"1","IsValueSecret":true}],"QueryStringParameters":[{"Key":"q","Value":"2"}],"BodyParameters":[{"Key":"b","Value":"3"}]}"#;
    for more in [more, camel] {
        let (_, source) = aws(
            described("BASIC", "AUTHORIZED", "{}"),
            secret(&format!(r#"{{"username":"u","password":"p",{more}}}"#)),
        )
        .await;
        let found = source.connection(ARN, &caller()).await.unwrap();
        let password = front::Secret::new("p");
        assert_eq!(found.authorization, Authorization::Basic { username: "u".to_owned(), password });
        let expected = HttpParameters {
            headers: secrets(&[("h", "1")]),
            query: secrets(&[("q", "2")]),
            body: secrets(&[("b", "3")]),
        };
        assert_eq!(found.parameters, expected);
    }

    let public = r#"{"ApiKeyAuthParameters":{"ApiKeyName":"X-Key"}}"#;
    let (_, source) =
        aws(described("API_KEY", "AUTHORIZED", public), secret(r#"{"api_key_value":"v"}"#)).await;
    let found = source.connection(ARN, &caller()).await.unwrap();
    let expected = Authorization::ApiKey { name: "X-Key".to_owned(), value: front::Secret::new("v") };
    assert_eq!(found.authorization, expected);

    let oauth = r#"{"client_id":"c","client_secret":"s","authorization_endpoint":"https://login.example.com","http_method":"PUT","oauth_http_parameters":{"body_parameters":[{"key":"audience","value":"a"}]}}"#;
    let (_, source) = aws(described("OAUTH_CLIENT_CREDENTIALS", "AUTHORIZED", "{}"), secret(oauth)).await;
    let found = source.connection(ARN, &caller()).await.unwrap();
    let expected = OAuth {
        endpoint: "https://login.example.com".to_owned(),
        method: "PUT".to_owned(),
        client_id: "c".to_owned(),
        client_secret: front::Secret::new("s"),
        parameters: HttpParameters { body: secrets(&[("audience", "a")]), ..HttpParameters::default() },
    };
    assert_eq!(found.authorization, Authorization::OAuth(expected));
}

#[tokio::test]
async fn connections_are_asked_for_with_the_rights_of_the_caller_and_remembered_for_them() {
    let (server, source) =
        aws(described("API_KEY", "AUTHORIZED", "{}"), secret(r#"{"api_key_name":"k","api_key_value":"v"}"#))
            .await;
    let (one, other) = (caller(), caller());
    for caller in [&one, &one, &one.clone(), &other] {
        source.connection(ARN, caller).await.unwrap();
    }
    let received = server.received();
    assert_eq!(received.len(), 4, "{received:#?}");
    assert!(received[0].contains(r#"{"Name":"Own"}"#), "{}", received[0]);
    // In the Region of the connection.
    assert!(received[0].contains("/us-east-1/events/aws4_request"), "{}", received[0]);
    assert!(received[1].contains(SECRET_ARN), "{}", received[1]);
    assert!(received[1].contains("/us-east-1/secretsmanager/aws4_request"), "{}", received[1]);
}

#[tokio::test]
async fn connections_that_are_of_no_use() {
    let good = || secret(r#"{"username":"u","password":"planted"}"#);
    let refused = |status: &str, code: &str| {
        Reply::of(status, "", &format!(r#"{{"__type":"com.amazonaws#{code}","message":"because"}}"#))
    };
    let of_other = Reply::json(
        r#"{"ConnectionArn":"arn:aws:events:us-east-1:210987654321:connection/Own/1","ConnectionState":"AUTHORIZED"}"#,
    );
    for (connection, secret, expected) in [
        (described("BASIC", "AUTHORIZING", "{}"), good(), "AuthInProgress: is in state AUTHORIZING"),
        (
            described("BASIC", "DEAUTHORIZED", "{}"),
            good(),
            "InvalidConnectionState: is in state DEAUTHORIZED",
        ),
        (described("BASIC", "CREATING", "{}"), good(), "InvalidConnectionState: is in state CREATING"),
        (described("BASIC", "UPDATING", "{}"), good(), "ConcurrentModification: is in state UPDATING"),
        (
            described("BASIC", "FAILED_CONNECTIVITY", "{}"),
            good(),
            "InvalidPrivateConnectionState: is in state",
        ),
        (of_other, good(), "ResourceNotFound: does not exist"),
        (
            refused("400 X", "ResourceNotFoundException"),
            good(),
            "ResourceNotFound: DescribeConnection: because",
        ),
        (refused("400 X", "AccessDeniedException"), good(), "AccessDenied: DescribeConnection: because"),
        (refused("400 X", "ConcurrentModificationException"), good(), "ConcurrentModification: because"),
        (refused("400 X", "InternalException"), good(), "InternalError: DescribeConnection: because"),
        (
            described("BASIC", "AUTHORIZED", "{}"),
            refused("400 X", "AccessDeniedException"),
            "AccessDenied: GetSecretValue",
        ),
        (described("BASIC", "AUTHORIZED", "{}"), secret("planted"), "InternalError: its secret is no JSON"),
        (
            described("BASIC", "AUTHORIZED", "{}"),
            secret(r#"{"password":"planted"}"#),
            "InternalError: its secret has no username",
        ),
        (
            described("BASIC", "AUTHORIZED", "{}"),
            secret(r#"{"username":"u","password":7}"#),
            "its secret has no password",
        ),
        (described("MTLS", "AUTHORIZED", "{}"), good(), "InternalError: its authorization type is not known"),
        (Reply::json("[]"), good(), "InternalError"),
        (Reply::json("{}"), good(), "InvalidConnectionState: has no secret"),
    ] {
        let (_, source) = aws(connection, secret).await;
        let failure = source.connection(ARN, &caller()).await.unwrap_err();
        let found = format!("{}: {}", failure.error.unwrap(), failure.cause.unwrap());
        let (name, words) = expected.split_once(": ").unwrap_or(("", expected));
        assert!(
            found.starts_with("Events.ConnectionResource.") && found.contains(name) && found.contains(words),
            "{found} instead of {expected}"
        );
        assert!(!found.contains("planted"), "{found}");
    }
    let (server, source) = aws(described("BASIC", "AUTHORIZED", "{}"), good()).await;
    for arn in ["", "Own", "arn:aws:events:us-east-1:1:rule/Own", "arn:aws:events:us-east-1:1:connection/"] {
        let failure = source.connection(arn, &caller()).await.unwrap_err();
        assert_eq!(failure.error.as_deref(), Some("Events.ConnectionResource.ResourceNotFound"), "{arn}");
    }
    assert_eq!(server.received().len(), 0);
}

#[tokio::test]
async fn a_file_says_what_is_to_be_written_in_it() {
    let (error, cause) = invoke(&http(""), "GET", "https://localhost:1", "").await.unwrap_err();
    assert_eq!(error, "Events.ConnectionResource.ResourceNotFound");
    let expected = "connections.toml has no connection 'Own': write [connections.\"Own\"] there, with a type";
    assert!(cause.starts_with(expected), "{cause}");
}

/// A connection whose tokens come from a server.
fn oauth(server: &Server, more: &str) -> Http {
    http(&format!(
        "[connections.Own]\ntype = \"OAUTH_CLIENT_CREDENTIALS\"\nauthorization-endpoint = \"{}/token?a=1\"\n\
         client-id = \"c d\"\nclient-secret = \"planted-client-secret\"\n{more}",
        server.url
    ))
}

fn token(name: &str, more: &str) -> Reply {
    Reply::json(&format!(r#"{{"access_token":"planted-{name}","token_type":"bearer"{more}}}"#))
}

#[tokio::test]
async fn tokens_are_asked_for_and_kept() {
    let login = Server::replying(vec![token("one", r#","expires_in":3600"#), token("two", "")]).await;
    let api = Server::replying(vec![Reply::json("1")]).await;
    let http =
        oauth(&login, "oauth-body = { audience = \"me\", scope = \"a b\" }\noauth-query = { b = \"2\" }");
    for _ in 0..2 {
        invoke(&http, "GET", &api.url, "").await.unwrap();
    }
    let request = login.request();
    assert!(request.starts_with("POST /token?a=1&b=2 HTTP/1.1\r\n"), "{request}");
    assert!(request.contains("content-type: application/x-www-form-urlencoded\r\n"), "{request}");
    let form = "grant_type=client_credentials&client_id=c%20d&client_secret=planted-client-secret&audience=me&scope=a%20b";
    assert!(request.ends_with(form), "{request}");
    for request in api.received() {
        assert!(request.contains("authorization: Bearer planted-one\r\n"), "{request}");
    }
}

#[tokio::test]
async fn tokens_may_be_asked_for_in_json_or_in_the_query() {
    let api = Server::replying(vec![Reply::json("1")]).await;
    let login = Server::replying(vec![token("one", "")]).await;
    let more = "oauth-headers = { \"Content-Type\" = \"application/json\" }\noauth-body = { grant_type = \"other\" }";
    invoke(&oauth(&login, more), "GET", &api.url, "").await.unwrap();
    let request = login.request();
    assert!(
        request
            .ends_with(r#"{"client_id":"c d","client_secret":"planted-client-secret","grant_type":"other"}"#),
        "{request}"
    );
    let login = Server::replying(vec![token("one", "")]).await;
    invoke(&oauth(&login, "method = \"GET\""), "GET", &api.url, "").await.unwrap();
    let request = login.request();
    let first = "GET /token?a=1&grant_type=client_credentials&client_id=c%20d&client_secret=planted-client-secret HTTP";
    assert!(request.starts_with(first), "{request}");
}

#[tokio::test]
async fn a_refused_token_is_asked_for_again_once() {
    for status in ["401 Unauthorized", "407 Proxy Authentication Required"] {
        let count = Mutex::new(0);
        let login = Server::answering(move |_| {
            *count.lock().unwrap() += 1;
            token(&count.lock().unwrap().to_string(), "")
        })
        .await;
        let api = Server::answering(move |request| {
            if request.contains("Bearer planted-2\r\n") {
                Reply::json("1")
            } else {
                Reply::of(status, "", "no")
            }
        })
        .await;
        let http = oauth(&login, "");
        invoke(&http, "GET", &api.url, "").await.unwrap();
        assert_eq!((login.received().len(), api.received().len()), (2, 2));
        // The second is kept.
        invoke(&http, "GET", &api.url, "").await.unwrap();
        assert_eq!((login.received().len(), api.received().len()), (2, 3));

        let closed = Server::replying(vec![Reply::of(status, "", "no")]).await;
        let (error, cause) = invoke(&http, "GET", &closed.url, "").await.unwrap_err();
        assert_eq!((error, cause.as_str()), (format!("States.Http.StatusCode.{}", &status[..3]), "no"));
        assert_eq!(closed.received().len(), 2);
    }
    // Of other connections nothing is asked for again.
    let closed = Server::replying(vec![Reply::of("401 Unauthorized", "", "no")]).await;
    invoke(&http(CONNECTION), "GET", &closed.url, "").await.unwrap_err();
    assert_eq!(closed.received().len(), 1);
}

#[tokio::test]
async fn tokens_expire() {
    let api = Server::replying(vec![Reply::json("1")]).await;
    for (expires_in, seconds, asked) in [
        (r#","expires_in":3600"#, 3_500, 1),
        (r#","expires_in":3600"#, 3_541, 2),
        (r#","expires_in":"120""#, 59, 1),
        (r#","expires_in":"120""#, 61, 2),
        (r#","expires_in":10"#, 6, 2),
        (r#","expires_in":-1"#, 200, 1),
        (r#","expires_in":1e300"#, 80_000, 1),
        ("", 241, 2),
    ] {
        let login = Server::replying(vec![token("one", expires_in)]).await;
        let http = oauth(&login, "");
        invoke(&http, "GET", &api.url, "").await.unwrap();
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(seconds)).await;
        tokio::time::resume();
        invoke(&http, "GET", &api.url, "").await.unwrap();
        assert_eq!(login.received().len(), asked, "{expires_in} after {seconds} seconds");
    }
}

#[tokio::test]
async fn authorization_endpoints_that_give_nothing() {
    let api = Server::replying(vec![Reply::json("1")]).await;
    for (reply, expected) in [
        (Reply::of("400 X", "", "planted"), "the authorization endpoint answers with status 400"),
        (Reply::of("302 Found", "location: http://169.254.169.254/\r\n", ""), "answers with status 302"),
        (Reply::json("planted"), "has no access_token"),
        (Reply::json(r#"{"access_token":""}"#), "has no access_token"),
        (Reply::json(r#"{"access_token":{"a":"planted"}}"#), "has no access_token"),
        (Reply::of("200 OK", "", &"1".repeat(300_000)), "is too large"),
        (Reply::Bytes(Vec::new()), "127.0.0.1"),
    ] {
        let login = Server::replying(vec![reply]).await;
        let (error, cause) = invoke(&oauth(&login, ""), "GET", &api.url, "").await.unwrap_err();
        assert_eq!(error, "Events.ConnectionResource.InvalidConnectionState");
        assert!(cause.contains(expected) && !cause.contains("planted"), "{cause}");
    }
    // A token that is no header.
    let login = Server::replying(vec![Reply::json(r#"{"access_token":"planted\nx"}"#)]).await;
    let (error, cause) = invoke(&oauth(&login, ""), "GET", &api.url, "").await.unwrap_err();
    assert_eq!(error, "States.Runtime");
    assert!(!cause.contains("planted"), "{cause}");
    // An endpoint that is not to be called.
    for endpoint in
        ["http://example.com", "http://169.254.169.254/x", "nonsense", "https://u:planted@localhost"]
    {
        let text = format!(
            "[connections.Own]\ntype = \"OAUTH_CLIENT_CREDENTIALS\"\nauthorization-endpoint = \"{endpoint}\"\n\
             client-id = \"c\"\nclient-secret = \"planted\"",
        );
        let (error, cause) = invoke(&http(&text), "GET", &api.url, "").await.unwrap_err();
        assert_eq!(error, "Events.ConnectionResource.InvalidConnectionState", "{endpoint}: {cause}");
        assert!(cause.contains("the authorization endpoint must"), "{endpoint}: {cause}");
    }
    assert_eq!(api.received().len(), 0);
}

#[tokio::test]
async fn headers_of_connections_that_http_does_not_allow() {
    let connection = |header: &str| {
        format!(
            "[connections.Own]\ntype = \"API_KEY\"\nheader = \"x\"\nvalue = \"planted\"\nheaders = {{ {header} }}"
        )
    };
    for (header, expected) in [
        (r#""Host" = "planted.example.com""#, "The connection sets the header 'Host'"),
        (r#""transfer-encoding" = "chunked""#, "The connection sets the header 'transfer-encoding'"),
        (r#""a b" = "planted""#, "the header 'a b' has a name or a value that HTTP does not allow"),
        (r#""a" = "planted\nb""#, "the header 'a' has a name or a value that HTTP does not allow"),
    ] {
        let (error, cause) =
            invoke(&http(&connection(header)), "GET", "https://localhost:1", "").await.unwrap_err();
        assert_eq!(error, "States.Runtime");
        assert!(cause.contains(expected) && !cause.contains("planted"), "{cause}");
    }
}
