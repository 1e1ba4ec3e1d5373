//! The program: as an extension of a Lambda function, in front of a stand-in of the Extensions API,
//! and plain.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::common::{Api, REGION, SECRET, TOKEN, call, empty, serve};
use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use front::answer::response;
use http_body_util::BodyExt;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;

/// What the stand-in was told: method and path, the header that matters, the body.
type Told = (String, String, String);

struct Lambda {
    told: UnboundedSender<Told>,
    ends: watch::Receiver<bool>,
}

/// Answers as the Extensions API does; `/event/next` once the function ends.
async fn extensions(State(lambda): State<Arc<Lambda>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let path = parts.uri.path().strip_prefix("/2020-01-01/extension").unwrap().to_owned();
    let header = if path == "/register" { "lambda-extension-name" } else { "lambda-extension-identifier" };
    let header = parts.headers.get(header).map(|value| value.to_str().unwrap().to_owned());
    let line = format!("{} {path}", parts.method);
    lambda.told.send((line, header.unwrap_or_default(), String::from_utf8(body.to_vec()).unwrap())).unwrap();
    match path.as_str() {
        "/register" => {
            let mut answer = response(200, "application/json", "{\"functionName\":\"f\"}".to_owned());
            answer.headers_mut().insert("lambda-extension-identifier", "an-id".parse().unwrap());
            answer
        }
        "/event/next" => {
            let _ = lambda.ends.clone().wait_for(|ends| *ends).await;
            response(
                200,
                "application/json",
                "{\"eventType\":\"SHUTDOWN\",\"shutdownReason\":\"spindown\"}".to_owned(),
            )
        }
        "/init/error" => {
            let mut answer = empty();
            *answer.status_mut() = hyper::StatusCode::ACCEPTED;
            answer
        }
        _ => response(404, "text/plain", String::new()),
    }
}

async fn lambda() -> (SocketAddr, UnboundedReceiver<Told>, watch::Sender<bool>, watch::Sender<bool>) {
    let (told, hears) = unbounded_channel();
    let (end, ends) = watch::channel(false);
    let router = Router::new().fallback(extensions).with_state(Arc::new(Lambda { told, ends }));
    let (address, stop) = serve(router).await;
    (address, hears, end, stop)
}

fn program(variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stepwright-proxy"));
    command
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
        .env("AWS_SECRET_ACCESS_KEY", SECRET)
        .env("AWS_SESSION_TOKEN", TOKEN)
        .env("AWS_REGION", REGION)
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("STEPWRIGHT_PROXY_SIGN_AS", "lambda")
        .envs(variables.iter().copied())
        .stdin(Stdio::null());
    command
}

/// Waits for the end, which comes soon.
async fn ended(mut child: Child) -> ExitStatus {
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if Instant::now() > until {
            child.kill().unwrap();
            panic!("it does not end");
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A port that nothing listens at.
fn free_address() -> String {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

#[tokio::test]
async fn an_extension_serves_before_it_says_so_and_until_the_end() {
    let api = Api::start("lambda").await;
    let (runtime, mut told, end, _stop) = lambda().await;
    let listen = free_address();
    let child = program(&[
        ("AWS_LAMBDA_RUNTIME_API", &runtime.to_string()),
        ("STEPWRIGHT_URL", &api.url()),
        ("STEPWRIGHT_PROXY_LISTEN", &listen),
    ])
    .stdout(Stdio::null())
    .spawn()
    .unwrap();
    let (line, name, body) = told.recv().await.unwrap();
    assert_eq!((line.as_str(), name.as_str()), ("POST /register", "stepwright-proxy"));
    assert_eq!(body, "{\"events\":[\"SHUTDOWN\"]}");
    // It listens by now: the function may start.
    assert_eq!(call(listen.parse().unwrap(), "ListStateMachines").await.0, 200);
    let (line, identifier, _) = told.recv().await.unwrap();
    assert_eq!((line.as_str(), identifier.as_str()), ("GET /event/next", "an-id"));
    assert_eq!(call(listen.parse().unwrap(), "ListStateMachines").await.0, 200);
    end.send_replace(true);
    assert!(ended(child).await.success());
}

#[tokio::test]
async fn an_extension_that_cannot_begin_says_why() {
    let (runtime, mut told, _end, _stop) = lambda().await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let url = ("STEPWRIGHT_URL", "http://127.0.0.1:1");
    for (variables, words) in [
        (vec![], "--url or STEPWRIGHT_URL"),
        (vec![url, ("STEPWRIGHT_PROXY_LISTEN", "0.0.0.0:1")], "can be reached by others"),
        (vec![url, ("STEPWRIGHT_PROXY_LISTEN", address.as_str())], "is in use"),
        (vec![url, ("STEPWRIGHT_PROXY_SIGN_AS", "states")], "is not one of lambda and execute-api"),
    ] {
        let runtime = runtime.to_string();
        let variables: Vec<_> =
            variables.into_iter().chain([("AWS_LAMBDA_RUNTIME_API", runtime.as_str())]).collect();
        let child = program(&variables).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        assert_eq!(told.recv().await.unwrap().0, "POST /register");
        let (line, identifier, body) = told.recv().await.unwrap();
        assert_eq!((line.as_str(), identifier.as_str()), ("POST /init/error", "an-id"));
        assert!(body.contains("Extension.ConfigInvalid") && body.contains(words), "{body}");
        assert_eq!(ended(child).await.code(), Some(1));
    }
    drop(taken);
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_it_serves_until_it_is_told_to_end() {
    let api = Api::start("lambda").await;
    let mut child = program(&[("STEPWRIGHT_URL", &api.url()), ("STEPWRIGHT_PROXY_LISTEN", "127.0.0.1:0")])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.contains(&format!("leads to {}/, signed for lambda in {REGION}", api.url())), "{line}");
    let address = line.split_whitespace().next().unwrap().strip_prefix("http://").unwrap().parse().unwrap();
    assert_eq!(call(address, "ListStateMachines").await.0, 200);
    let told = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(told.success());
    assert!(ended(child).await.success());
}

#[test]
fn what_cannot_be_used_is_said() {
    let ran = program(&[]).output().unwrap();
    assert_eq!(ran.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&ran.stderr).contains("--url or STEPWRIGHT_URL"));
}
