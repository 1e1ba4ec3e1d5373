//! The proxy in front of an API that computes every signature again.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::common::{Api, REGION, SECRET, TOKEN, call, credential, send};
use ::proxy::{Proxy, Settings, SignAs, Target, TargetOptions};
use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use bytes::Bytes;
use front::Credential;
use tokio::sync::watch;
use tokio::task::JoinHandle;

struct Running {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    serving: JoinHandle<()>,
}

async fn proxy(url: &str, sign_as: SignAs, secret: &str, credential: Option<Credential>) -> Running {
    let credentials = Credentials::new("AKIDEXAMPLE", secret, Some(TOKEN.to_owned()), None, "test");
    let provider = SharedCredentialsProvider::new(credentials);
    let sdk = SdkConfig::builder().credentials_provider(provider).build();
    let options =
        TargetOptions { url, sign_as: Some(sign_as), region: Some(REGION), ..TargetOptions::default() };
    let settings = Settings {
        target: Target::new(&options).unwrap(),
        host: "127.0.0.1".to_owned(),
        port: 0,
        credential,
        drain_timeout: Duration::from_secs(5),
    };
    let (stop, stopping) = watch::channel(false);
    let proxy = Proxy::open(settings, &sdk, stopping).await.unwrap();
    Running { address: proxy.address, stop, serving: tokio::spawn(proxy.serve()) }
}

#[tokio::test]
async fn requests_are_signed_for_the_front() {
    for (sign_as, service) in [(SignAs::Lambda, "lambda"), (SignAs::ExecuteApi, "execute-api")] {
        let api = Api::start(service).await;
        let running = proxy(&api.url(), sign_as, SECRET, None).await;
        let answer = call(running.address, "ListStateMachines").await;
        assert_eq!(answer, (200, "{\"stateMachines\":[]}".to_owned()), "{service}");
        // The other front refuses the same.
        let other = if service == "lambda" { SignAs::ExecuteApi } else { SignAs::Lambda };
        let other = proxy(&api.url(), other, SECRET, None).await;
        let (status, body) = call(other.address, "ListStateMachines").await;
        assert!(status == 403 && body.contains("InvalidSignatureException"), "{service}: {status} {body}");
    }
}

#[tokio::test]
async fn what_the_client_says_of_itself_is_not_handed_on() {
    let api = Api::start("lambda").await;
    let running = proxy(&api.url(), SignAs::Lambda, SECRET, None).await;
    let headers = [
        (
            "authorization",
            "AWS4-HMAC-SHA256 Credential=local/20250101/us-east-1/states/aws4_request, SignedHeaders=host, Signature=0",
        ),
        ("x-amz-date", "20250101T000000Z"),
        ("x-amz-security-token", "local"),
        ("x-amz-target", "AWSStepFunctions.ListStateMachines"),
        ("te", "trailers"),
        ("x-amzn-trace-id", "Root=1"),
    ];
    let (status, body) = send(running.address, "/", &headers, Bytes::from_static(b"{}")).await;
    assert_eq!(status, 200, "{body}");
    let requests = api.requests();
    let [(path, headers)] = &requests[..] else { panic!("{requests:?}") };
    let is = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    assert_eq!((path.as_str(), is("x-amz-security-token"), is("te")), ("/", Some(TOKEN), None));
    assert_eq!(is("x-amzn-trace-id"), Some("Root=1"));
    assert!(is("authorization").unwrap().contains("/lambda/aws4_request"));
}

#[tokio::test]
async fn paths_and_queries_are_the_clients() {
    let api = Api::start("lambda").await;
    let running = proxy(&format!("{}/prod/", api.url()), SignAs::Lambda, SECRET, None).await;
    for path in
        ["/executions/arn:aws:states:x:1:execution:m:e", "/a%20b/%3A?mode=sync&name=a%2Fb", "/?b=2&a=1"]
    {
        let (status, body) = send(running.address, path, &[], Bytes::new()).await;
        assert_eq!((status, body), (200, format!("{{\"path\":\"/prod{path}\",\"bytes\":0}}")));
    }
}

#[tokio::test]
async fn bodies_are_as_large_as_a_function_url_takes() {
    const MAX: usize = 6 * 1024 * 1024;
    let api = Api::start("lambda").await;
    let running = proxy(&api.url(), SignAs::Lambda, SECRET, None).await;
    let (status, body) = send(running.address, "/", &[], Bytes::from(vec![b'x'; MAX])).await;
    assert_eq!((status, body), (200, format!("{{\"path\":\"/\",\"bytes\":{MAX}}}")));
    let (status, body) = send(running.address, "/", &[], Bytes::from(vec![b'x'; MAX + 1])).await;
    assert!(status == 413 && body.contains("RequestEntityTooLargeException"), "{status} {body}");
}

#[tokio::test]
async fn failures_are_told_in_the_words_of_the_api() {
    let api = Api::start("lambda").await;
    let running = proxy(&api.url(), SignAs::Lambda, SECRET, None).await;
    let check = async |address: SocketAddr, operation: &str, expected: u16, words: &[&str]| {
        let (status, body) = call(address, operation).await;
        assert_eq!(status, expected, "{operation}: {body}");
        for words in words {
            assert!(body.contains(words), "{operation}: {words}: {body}");
        }
        assert!(!body.contains(SECRET) && !body.contains(TOKEN), "{body}");
    };
    // The API's own pass as they are.
    check(
        running.address,
        "DescribeExecution",
        400,
        &[r#"{"__type":"ExecutionDoesNotExist","message":"Execution Does Not Exist: 'x'"}"#],
    )
    .await;
    check(
        running.address,
        "StopExecution",
        502,
        &[r#""__type":"ServiceUnavailableException""#, "Internal Server Error"],
    )
    .await;
    let wrong = proxy(&api.url(), SignAs::Lambda, "other", None).await;
    let words =
        ["InvalidSignatureException", "Wrongly signed", "lambda:InvokeFunctionUrl and lambda:InvokeFunction"];
    check(wrong.address, "ListStateMachines", 403, &words).await;
    // Nothing listens at port 1.
    let lost = proxy("http://127.0.0.1:1", SignAs::Lambda, SECRET, None).await;
    check(lost.address, "ListStateMachines", 503, &["ServiceUnavailableException", "cannot be reached"])
        .await;
}

#[tokio::test]
async fn names_below_localhost_are_this_computer() {
    let api = Api::start("lambda").await;
    let url = format!("http://abc.lambda-url.{REGION}.localhost:{}", api.address.port());
    let running = proxy(&url, SignAs::Lambda, SECRET, None).await;
    assert_eq!(call(running.address, "ListStateMachines").await.0, 200);
}

#[tokio::test]
async fn only_what_is_meant_for_it_is_taken() {
    let api = Api::start("lambda").await;
    let running = proxy(&api.url(), SignAs::Lambda, SECRET, None).await;
    let check = async |header: (&str, &str), expected: u16| {
        let target = ("x-amz-target", "AWSStepFunctions.ListStateMachines");
        let (status, body) = send(running.address, "/", &[header, target], Bytes::new()).await;
        assert_eq!(status, expected, "{header:?}: {body}");
    };
    check(("host", "sync-127.0.0.1"), 200).await;
    check(("host", "sync-localhost:8083"), 200).await;
    check(("host", "flows.example.com"), 403).await;
    check(("origin", "http://localhost:3000"), 200).await;
    check(("origin", "https://example.com"), 403).await;
}

#[tokio::test]
async fn a_credential_is_demanded_where_there_is_one() {
    let api = Api::start("lambda").await;
    let running = proxy(&api.url(), SignAs::Lambda, SECRET, Some(credential())).await;
    let (status, body) = call(running.address, "ListStateMachines").await;
    assert!(status == 403 && body.contains("MissingAuthenticationTokenException"), "{status} {body}");
    assert!(api.requests().is_empty());
}

#[tokio::test]
async fn polls_end_with_the_proxy() {
    let api = Api::start("lambda").await;
    let running = proxy(&api.url(), SignAs::Lambda, SECRET, None).await;
    let address = running.address;
    let poll = tokio::spawn(async move { call(address, "GetActivityTask").await });
    while api.requests().is_empty() {
        tokio::task::yield_now().await;
    }
    running.stop.send_replace(true);
    assert_eq!(poll.await.unwrap(), (200, "{}".to_owned()));
    tokio::time::timeout(Duration::from_secs(4), running.serving).await.unwrap().unwrap();
}

#[tokio::test]
async fn health_is_the_proxys_own() {
    let running = proxy("http://127.0.0.1:1/prod", SignAs::Lambda, SECRET, None).await;
    let request = hyper::Request::get(format!("http://{}/health", running.address));
    let request = request.body(http_body_util::Full::default()).unwrap();
    let answer = aws_client::Connections::new().unwrap().send(request, None).await.unwrap();
    let body = http_body_util::BodyExt::collect(answer.into_body()).await.unwrap().to_bytes();
    let body = String::from_utf8_lossy(&body);
    assert!(body.contains(r#""url":"http://127.0.0.1:1/prod/","signedFor":"lambda""#), "{body}");
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Runs a program of the clients that tests use; none where they are not installed.
fn client(program: &str, arguments: &[&str], address: SocketAddr) -> Option<std::process::Output> {
    let program = root().join(".tools/clients/python/bin").join(program);
    if !program.exists() {
        let message = format!("{} is not installed: run scripts/clients.sh", program.display());
        assert!(std::env::var_os("CI").is_none(), "{message}");
        println!("skipped: {message}");
        return None;
    }
    let ran = Command::new(program)
        .args(arguments)
        .env("AWS_ENDPOINT_URL_SFN", format!("http://{address}"))
        .env("AWS_ACCESS_KEY_ID", "local")
        .env("AWS_SECRET_ACCESS_KEY", "local")
        .env("AWS_DEFAULT_REGION", "us-east-1")
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env_remove("AWS_PROFILE")
        .env_remove("AWS_SESSION_TOKEN")
        .env_remove("AWS_ENDPOINT_URL")
        .output();
    Some(ran.unwrap())
}

/// What boto3 does with the variable alone, as in a function that has the layer.
const BOTO3: &str = "
import boto3
sfn = boto3.client('stepfunctions')
assert sfn.list_state_machines()['stateMachines'] == []
try:
    sfn.describe_execution(executionArn='arn:aws:states:us-east-1:123456789012:execution:m:e')
except sfn.exceptions.ExecutionDoesNotExist as error:
    print(error)
";

#[tokio::test(flavor = "multi_thread")]
async fn unmodified_clients_work() {
    let api = Api::start("lambda").await;
    let running = proxy(&api.url(), SignAs::Lambda, SECRET, None).await;
    let runs: [(&str, &[&str], &str); 2] = [
        ("python", &["-c", BOTO3], "Execution Does Not Exist: 'x'"),
        ("aws", &["stepfunctions", "list-state-machines"], "\"stateMachines\": []"),
    ];
    for (program, arguments, expected) in runs {
        let address = running.address;
        let ran = tokio::task::block_in_place(|| client(program, arguments, address));
        let Some(ran) = ran else { return };
        let (stdout, stderr) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
        assert!(ran.status.success() && stdout.contains(expected), "{program}: {stdout}\n{stderr}");
    }
    assert_eq!(api.requests().len(), 3);
}
