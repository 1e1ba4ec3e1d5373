//! An API that computes every signature again, and what is needed to talk to a proxy in front of it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use aws_client::Connections;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use bytes::Bytes;
use front::answer::{Answer, response};
use front::listen::{self, Limits};
use front::signature::{Claim, Verifier};
use front::{Credential, Secret, body};
use http_body_util::{BodyExt, Full};
use hyper::HeaderMap;
use tokio::net::TcpListener;
use tokio::sync::watch;

pub const REGION: &str = "eu-west-1";
pub const SECRET: &str = "hunter2";
pub const TOKEN: &str = "a-session";

/// The credential that the API knows.
pub fn credential() -> Credential {
    Credential {
        access_key_id: "AKIDEXAMPLE".to_owned(),
        secret_access_key: Secret::new(SECRET),
        session_token: Some(Secret::new(TOKEN)),
    }
}

/// An API behind a front that verifies signatures for one service.
pub struct Api {
    pub address: SocketAddr,
    seen: Arc<Seen>,
    _stop: watch::Sender<bool>,
}

struct Seen {
    verifier: Verifier,
    requests: Mutex<Vec<(String, HeaderMap)>>,
}

impl Api {
    pub async fn start(service: &'static str) -> Api {
        let verifier = Verifier { credential: credential(), region: REGION.to_owned(), service };
        let seen = Arc::new(Seen { verifier, requests: Mutex::default() });
        let router = Router::new().fallback(api).with_state(seen.clone());
        let (address, stop) = serve(router).await;
        Api { address, seen, _stop: stop }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Paths and headers of the requests whose signature was good.
    pub fn requests(&self) -> Vec<(String, HeaderMap)> {
        self.seen.requests.lock().unwrap().clone()
    }
}

/// Serves until the sender is dropped.
pub async fn serve(router: Router) -> (SocketAddr, watch::Sender<bool>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopping) = watch::channel(false);
    tokio::spawn(listen::serve(listener, router, Limits::default(), stopping));
    (address, stop)
}

async fn api(State(seen): State<Arc<Seen>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = body::read(&parts.headers, body, 7 << 20, Duration::from_secs(10)).await.unwrap();
    let verified = Claim::read(&parts.headers)
        .and_then(|claim| seen.verifier.verify(&claim, &parts, &body, SystemTime::now()));
    if let Err(refused) = verified {
        let mut response = response(403, "application/json", "{\"message\":\"Wrongly signed.\"}".to_owned());
        let name = refused.error.unwrap().parse().unwrap();
        response.headers_mut().insert("x-amzn-errortype", name);
        return response;
    }
    let path = parts.uri.path_and_query().unwrap().to_string();
    let target = parts.headers.get("x-amz-target").map(|value| value.to_str().unwrap().to_owned());
    seen.requests.lock().unwrap().push((path.clone(), parts.headers));
    let operation = target.as_deref().and_then(|target| target.rsplit('.').next());
    match operation {
        Some("ListStateMachines") => json("{\"stateMachines\":[]}".to_owned()),
        Some("GetActivityTask") => std::future::pending().await,
        Some("DescribeExecution") => {
            Answer::failure(400, "ExecutionDoesNotExist", "Execution Does Not Exist: 'x'").respond()
        }
        Some("StopExecution") => response(502, "text/plain", "Internal Server Error".to_owned()),
        _ => json(format!("{{\"path\":\"{path}\",\"bytes\":{}}}", body.len())),
    }
}

fn json(body: String) -> Response {
    response(200, "application/x-amz-json-1.0", body)
}

/// Sends a request with these headers, and gives status and body.
pub async fn send(address: SocketAddr, path: &str, headers: &[(&str, &str)], body: Bytes) -> (u16, String) {
    let mut request = hyper::Request::post(format!("http://{address}{path}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(body)).unwrap();
    let answer = Connections::new().unwrap().send(request, Some(Duration::from_secs(30))).await.unwrap();
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

/// Sends one operation of the API.
pub async fn call(address: SocketAddr, operation: &str) -> (u16, String) {
    let target = format!("AWSStepFunctions.{operation}");
    let headers = [("x-amz-target", target.as_str()), ("content-type", "application/x-amz-json-1.0")];
    send(address, "/", &headers, Bytes::from_static(b"{}")).await
}

/// An answer without a body.
pub fn empty() -> Response {
    Response::new(Body::empty())
}
