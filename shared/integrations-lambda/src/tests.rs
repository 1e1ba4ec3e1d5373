use std::sync::{Arc, Mutex};

use asl::state::{Pattern, Resource};
use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use aws_sdk_lambda::config::retry::RetryConfig;
use engine::{Call, EffectId, Execution, TaskOutcome, TaskToken};
use model::error::Failure;
use model::json::{Text, Value};
use model::timestamp::Timestamp;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::OnceCell;

use super::request::Request;
use super::response::{Answered, Refused};
use super::{Endpoint, Functions, Roles};
use integrations::{Answer, Tasks};

fn v(text: &str) -> Value {
    Value::parse(text).unwrap()
}

#[test]
fn payloads() {
    fn check(payload: &str, expected: &str) {
        let request = Request::of_parameters(&v(&format!(r#"{{"FunctionName":"f","Payload":{payload}}}"#)));
        assert_eq!(String::from_utf8(request.unwrap().payload).unwrap(), expected, "{payload}");
    }
    check("null", "{}");
    check(r#"{"a":[1, 2.0]}"#, r#"{"a":[1,2.0]}"#);
    check("0", "0");
    check("true", "true");
    check(r#""true""#, "true");
    check(r#""\"HelloWorld\"""#, "\"HelloWorld\"");
    check(r#""{\"a\": 1}""#, "{\"a\": 1}");
    check(r#""plain text""#, "\"plain text\"");
    check(r#""""#, "\"\"");
    let absent = Request::of_parameters(&v(r#"{"FunctionName":"f"}"#)).unwrap();
    assert_eq!(absent.payload, b"{}");
}

#[test]
fn parameters() {
    let request = Request::of_parameters(&v(
        r#"{"FunctionName":"f","InvocationType":"Event","Qualifier":"7","ClientContext":"e30=","LogType":"Tail"}"#,
    ));
    let expected = Request {
        function_name: "f".to_owned(),
        payload: b"{}".to_vec(),
        invocation_type: Some("Event".to_owned()),
        qualifier: Some("7".to_owned()),
        client_context: Some("e30=".to_owned()),
        log_type: Some("Tail".to_owned()),
    };
    assert_eq!(request, Ok(expected));
    let check = |parameters: &str, why: &str| {
        let expected = format!("The Parameters '{parameters}' could not be used to start the Task: [{why}]");
        assert_eq!(Request::of_parameters(&v(parameters)), Err(expected));
    };
    check(r#"{"Payload":1}"#, "The field \"FunctionName\" is required but was missing");
    check(r#"{"FunctionName":null}"#, "The field \"FunctionName\" is required but was missing");
    check(r#"{"FunctionName":"f","Body":1}"#, "The field \"Body\" is not supported by Step Functions");
    check(r#"{"FunctionName":1}"#, "The value for the field \"FunctionName\" must be a string");
    check("[]", "The parameters must be an object");
}

#[test]
fn regions() {
    let region = |name: &str| Request::of_function(&name.into(), &Value::Null).region().map(str::to_owned);
    assert_eq!(region("arn:aws:lambda:eu-west-1:123456789012:function:f").as_deref(), Some("eu-west-1"));
    assert_eq!(region("123456789012:function:f"), None);
    assert_eq!(region("f"), None);
}

fn answered(payload: &str) -> Answered {
    let headers = [
        ("date", "Wed, 15 Jan 2025 12:00:00 GMT"),
        ("x-amzn-requestid", "00000000-0000-4000-8000-000000000000"),
        ("x-custom", "a"),
        ("x-custom", "b"),
    ];
    Answered {
        status: 200,
        executed_version: Some("$LATEST".to_owned()),
        payload: payload.as_bytes().to_vec(),
        headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
        ..Answered::default()
    }
}

#[test]
fn outputs() {
    assert_eq!(
        answered(r#"{"a":1}"#).into_output().unwrap().to_json(),
        concat!(
            r#"{"ExecutedVersion":"$LATEST","Payload":{"a":1},"SdkHttpMetadata":{"AllHttpHeaders":{"#,
            r#""Date":["Wed, 15 Jan 2025 12:00:00 GMT"],"x-amzn-RequestId":["00000000-0000-4000-8000-000000000000"],"#,
            r#""x-custom":["a","b"]},"HttpHeaders":{"Date":"Wed, 15 Jan 2025 12:00:00 GMT","#,
            r#""x-amzn-RequestId":"00000000-0000-4000-8000-000000000000","x-custom":"b"},"HttpStatusCode":200},"#,
            r#""SdkResponseMetadata":{"RequestId":"00000000-0000-4000-8000-000000000000"},"StatusCode":200}"#
        )
    );
    for (payload, expected) in
        [("null", "null"), ("\"x\"", "\"x\""), ("not json", "\"not json\""), ("", "\"\"")]
    {
        assert_eq!(answered(payload).into_payload().unwrap(), v(expected), "{payload}");
    }
}

#[test]
fn function_errors() {
    let check = |payload: &str, error: &str, cause: &str| {
        let failed = Answered { function_error: Some("Unhandled".to_owned()), ..answered(payload) };
        assert_eq!(failed.clone().into_output(), Err(Failure::new(error, cause)));
        assert_eq!(failed.into_payload(), Err(Failure::new(error, cause)));
    };
    let payload = r#"{"errorMessage": "no", "errorType": "CustomException"}"#;
    check(payload, "CustomException", payload);
    let unknown =
        "The cause could not be determined because Lambda did not return an error type. Returned payload: ";
    for payload in [r#"{"errorMessage":"Task timed out"}"#, "", "oops", r#"{"errorType":""}"#] {
        check(payload, "Lambda.Unknown", &format!("{unknown}{payload}"));
    }
}

#[test]
fn refusals() {
    let check = |code: Option<&str>, message: Option<&str>, error: &str, cause: &str| {
        let refused = Refused {
            code: code.map(str::to_owned),
            message: message.map(str::to_owned),
            status: 404,
            request_id: Some("id".to_owned()),
        };
        assert_eq!(refused.into_failure(), Failure::new(error, cause));
    };
    check(
        Some("ResourceNotFoundException"),
        Some("Function not found: f:$LATEST"),
        "Lambda.ResourceNotFoundException",
        "Function not found: f:$LATEST (Service: AWSLambda; Status Code: 404; Error Code: ResourceNotFoundException; Request ID: id; Proxy: null)",
    );
    check(
        Some("AccessDeniedException"),
        None,
        "Lambda.AWSLambdaException",
        "(Service: AWSLambda; Status Code: 404; Error Code: AccessDeniedException; Request ID: id; Proxy: null)",
    );
    check(
        None,
        None,
        "Lambda.AWSLambdaException",
        "(Service: AWSLambda; Status Code: 404; Error Code: Unknown; Request ID: id; Proxy: null)",
    );
}

fn invoke(pattern: Pattern) -> Resource {
    Resource::Integration {
        arn: format!("arn:aws:states:::lambda:invoke{}", pattern.suffix()).into(),
        service: "lambda".into(),
        action: "invoke".into(),
        pattern,
    }
}

fn function() -> Resource {
    Resource::Lambda { arn: "arn:aws:lambda:us-east-1:123456789012:function:f".into() }
}

fn call(resource: Resource, parameters: &str) -> Call {
    Call {
        effect: EffectId(1),
        state: "Call".into(),
        iteration: Vec::new(),
        resource,
        parameters: v(parameters),
        role_arn: None,
        token: Some(TaskToken::new([7; 16], "arn:aws:states:us-east-1:123456789012:execution:m:e")),
        timeout_seconds: None,
        heartbeat_seconds: None,
        retry_count: 0,
    }
}

fn execution() -> Execution {
    Execution {
        arn: "arn:aws:states:us-east-1:123456789012:execution:m:e".into(),
        name: "e".into(),
        role_arn: "".into(),
        state_machine_arn: "".into(),
        state_machine_name: "m".into(),
        state_machine_version_arn: None,
        state_machine_alias_arn: None,
        region: "us-east-1".into(),
        started_at: Timestamp::EPOCH,
        synchronous: false,
    }
}

#[test]
fn only_functions_are_callable() {
    let functions = Functions::new(Endpoint::Aws);
    let sqs = Resource::Integration {
        arn: "arn:aws:states:::sqs:sendMessage".into(),
        service: "sqs".into(),
        action: "sendMessage".into(),
        pattern: Pattern::RequestResponse,
    };
    let activity = Resource::Activity { arn: "arn:aws:states:us-east-1:123456789012:activity:a".into() };
    for resource in [function(), invoke(Pattern::RequestResponse), invoke(Pattern::WaitForTaskToken)] {
        assert_eq!(functions.callable("S", &resource), Ok(()));
        let refusal = Functions::default().callable("S", &resource).unwrap_err();
        assert!(refusal.advice.contains("--lambda-endpoint"), "nothing real is called unasked");
    }
    for resource in [sqs, activity, invoke(Pattern::Sync)] {
        let refusal = functions.callable("S", &resource).unwrap_err().to_string();
        assert!(refusal.contains("state `S`") && refusal.contains(resource.arn().as_str()), "{refusal}");
    }
}

/// The text of one request.
async fn read(stream: &mut TcpStream) -> String {
    let (mut request, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        let read = stream.read(&mut buffer).await.unwrap();
        request.extend_from_slice(&buffer[..read]);
        let text = String::from_utf8_lossy(&request).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().unwrap())
        });
        if read == 0 || body.len() >= length.unwrap_or(0) {
            return text;
        }
    }
}

/// Answers one request with `response` and hands back the request's text.
async fn serve(response: &'static str) -> (Functions, tokio::task::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = Endpoint::Url(format!("http://{}", listener.local_addr().unwrap()));
    let served = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let text = read(&mut stream).await;
        stream.write_all(response.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        text
    });
    (Functions::new(endpoint), served)
}

#[tokio::test]
async fn a_function_is_called_by_its_arn() {
    let (functions, served) =
        serve("HTTP/1.1 200 OK\r\nX-Amz-Executed-Version: $LATEST\r\nContent-Length: 7\r\n\r\n{\"a\":1}")
            .await;
    let answer = functions.call(&call(function(), r#"{"in":1}"#), &execution()).await;
    assert_eq!(answer, Answer::Settled(TaskOutcome::Succeeded(v(r#"{"a":1}"#))));
    let request = served.await.unwrap();
    assert!(request.starts_with("POST /2015-03-31/functions/arn%3Aaws%3Alambda%3A"), "{request}");
    assert!(request.ends_with("\r\n\r\n{\"in\":1}"), "{request}");
}

#[tokio::test]
async fn invoke_answers_with_metadata() {
    let response = "HTTP/1.1 200 OK\r\nX-Amz-Executed-Version: $LATEST\r\nx-amzn-RequestId: r\r\nContent-Length: 2\r\n\r\n{}";
    for pattern in [Pattern::RequestResponse, Pattern::WaitForTaskToken] {
        let (functions, served) = serve(response).await;
        let answer = functions.call(&call(invoke(pattern), r#"{"FunctionName":"f"}"#), &execution()).await;
        let output = match (pattern, answer) {
            (Pattern::RequestResponse, Answer::Settled(TaskOutcome::Succeeded(output))) => output,
            (Pattern::WaitForTaskToken, Answer::Submitted(output)) => output,
            (_, other) => panic!("{pattern:?} answered {other:?}"),
        };
        assert_eq!(
            output.to_json(),
            concat!(
                r#"{"ExecutedVersion":"$LATEST","Payload":{},"SdkHttpMetadata":{"AllHttpHeaders":{"#,
                r#""X-Amz-Executed-Version":["$LATEST"],"x-amzn-RequestId":["r"],"Content-Length":["2"]},"#,
                r#""HttpHeaders":{"X-Amz-Executed-Version":"$LATEST","x-amzn-RequestId":"r","Content-Length":"2"},"#,
                r#""HttpStatusCode":200},"SdkResponseMetadata":{"RequestId":"r"},"StatusCode":200}"#
            )
        );
        served.await.unwrap();
    }
}

#[tokio::test]
async fn errors_of_the_service_and_of_the_way_to_it() {
    let (functions, _served) = serve(concat!(
        "HTTP/1.1 404 Not Found\r\nx-amzn-RequestId: r\r\nx-amzn-ErrorType: ResourceNotFoundException\r\n",
        "Content-Type: application/json\r\nContent-Length: 41\r\n\r\n{\"Type\":\"User\",\"Message\":\"no function f\"}  "
    ))
    .await;
    let answer = functions.call(&call(function(), "{}"), &execution()).await;
    let cause = "no function f (Service: AWSLambda; Status Code: 404; Error Code: ResourceNotFoundException; Request ID: r; Proxy: null)";
    let failure = Failure::new("Lambda.ResourceNotFoundException", cause);
    assert_eq!(answer, Answer::Settled(TaskOutcome::failed(failure)));

    // Nothing listens on a port that has just been closed.
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = Endpoint::Url(format!("http://{}", closed.local_addr().unwrap()));
    drop(closed);
    let functions = Functions::new(endpoint);
    let answer = functions.call(&call(function(), "{}"), &execution()).await;
    let Answer::Settled(TaskOutcome::Failed { failure, .. }) = answer else { panic!("{answer:?}") };
    assert_eq!(failure.error.as_deref(), Some("Lambda.SdkClientException"));
    assert!(failure.cause.unwrap().starts_with("Unable to execute HTTP request: "));
}

/// Stands in for STS and Lambda: a role called `r` gets the access key `KEY-r`, unless it is called
/// `closed`. Says of each request who signed it and what it was for.
async fn account(allowed: &str) -> (Functions, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let told = seen.clone();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let request = read(&mut stream).await;
            let (head, body) = request.split_once("\r\n\r\n").unwrap();
            let signer = head.split_once("Credential=").unwrap().1.split('/').next().unwrap();
            let role = body.split_once("%3Arole%2F").map(|(_, rest)| rest.split('&').next().unwrap());
            let external_id = body.split_once("ExternalId=").map_or("", |(_, rest)| rest);
            told.lock().unwrap().push(match role {
                Some(role) => format!("{signer} assumes {role} {external_id}").trim_end().to_owned(),
                None => format!("{signer} calls"),
            });
            let (status, body) = match role {
                Some("closed") => (
                    "403 Forbidden",
                    "<ErrorResponse><Error><Code>AccessDenied</Code><Message>not authorized to assume</Message></Error></ErrorResponse>".to_owned(),
                ),
                Some(role) => (
                    "200 OK",
                    format!("<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>KEY-{role}</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>2999-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"),
                ),
                None => ("200 OK", "{}".to_owned()),
            };
            let length = body.len();
            let answer =
                format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}");
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    let roles = Roles { external_id: "mine".into(), allowed: vec![allowed.into()] };
    let config = aws_config::defaults(BehaviorVersion::latest())
        .endpoint_url(url)
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .retry_config(RetryConfig::disabled())
        .region(Region::from_static("us-east-1"))
        .credentials_provider(Credentials::for_tests())
        .load()
        .await;
    let functions = Functions {
        endpoint: Endpoint::AwsAs(roles),
        config: OnceCell::new_with(Some(config)),
        ..Functions::default()
    };
    (functions, seen)
}

fn role(name: &str) -> Text {
    format!("arn:aws:iam::123456789012:role/{name}").into()
}

#[tokio::test]
async fn a_call_has_the_rights_of_the_state_machine() {
    let (functions, seen) = account("arn:aws:iam::123456789012:role/m*").await;
    let performed = async |own: &str, machine: &str| {
        let call =
            Call { role_arn: Some(own).filter(|own| !own.is_empty()).map(role), ..call(function(), "{}") };
        let execution = Execution { role_arn: role(machine), ..execution() };
        let answer = functions.call(&call, &execution).await;
        let requests = std::mem::take(&mut *seen.lock().unwrap());
        match answer {
            Answer::Settled(TaskOutcome::Succeeded(_)) => (requests, String::new()),
            Answer::Settled(TaskOutcome::Failed { failure, .. }) => {
                assert_eq!(failure.error.as_deref(), Some("States.TaskFailed"));
                (requests, failure.cause.unwrap().to_string())
            }
            other => panic!("{other:?}"),
        }
    };
    let done = |requests: &[&str]| (requests.iter().map(|text| (*text).to_owned()).collect(), String::new());
    assert_eq!(performed("", "m").await, done(&["ANOTREAL assumes m mine", "KEY-m calls"]));
    assert_eq!(performed("", "m").await, done(&["KEY-m calls"]), "credentials are kept");
    let chain = ["ANOTREAL assumes m mine", "KEY-m assumes t", "KEY-t calls"];
    assert_eq!(performed("t", "m").await, done(&chain));
    let (requests, cause) = performed("closed", "m").await;
    assert_eq!(requests.last().unwrap(), "KEY-m assumes closed");
    assert_eq!(
        cause,
        "The role arn:aws:iam::123456789012:role/closed could not be assumed: not authorized to assume. Its trust policy has to let the state machine's role assume it."
    );
    let (requests, cause) = performed("", "other").await;
    assert_eq!(requests, Vec::<String>::new(), "what is not allowed is not tried");
    assert!(cause.ends_with("(its parameter TaskRoles)"), "{cause}");
}
