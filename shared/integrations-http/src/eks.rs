//! `eks:call` and `eks:runJob`: the Kubernetes API of a cluster.
//!
//! Source of the rules: developer guide, "Create and manage Amazon EKS clusters with Step Functions".

mod job;
mod token;

use std::sync::{Arc, Mutex, PoisonError};

use aws_client::{Caller, Connections};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use engine::TaskOutcome;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use hyper::{Request, Uri};
use model::error::Failure;
use model::json::{Value, format_text};
use model::limits::PAYLOAD_BYTES_MAX;

use crate::arguments::{Arguments, Pairs};
use crate::exchange::{Answered, NoAnswer, exchange};
use crate::gateway::escaped;
use crate::{Http, encode, reach, too_large};

pub use job::JobState;

const PARAMETERS: [&str; 7] =
    ["CertificateAuthority", "ClusterName", "Endpoint", "Method", "Path", "QueryParameters", "RequestBody"];

const METHODS: [&str; 6] = ["GET", "POST", "PUT", "DELETE", "HEAD", "PATCH"];

/// Authorities whose connections are kept.
const CLUSTERS_MAX: usize = 32;

/// Connections by the certificate authority that they trust.
#[derive(Default)]
pub(crate) struct Clusters(Mutex<Vec<(String, Arc<Connections>)>>);

impl Clusters {
    /// Connections that trust an authority alone: its certificates in PEM, in base64.
    fn trusting(&self, authority: &str, allow_local: bool) -> Result<Arc<Connections>, String> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, connections)) = known.iter().find(|(known, _)| known == authority) {
            return Ok(connections.clone());
        }
        let plain: String = authority.chars().filter(|c| !c.is_ascii_whitespace()).collect();
        let pem = STANDARD.decode(plain).map_err(|_| "it is not in base64".to_owned())?;
        let allowed = if allow_local { reach::or_local } else { reach::not_local };
        let connections = Arc::new(Connections::pinned(&pem, allowed)?);
        if known.len() >= CLUSTERS_MAX {
            known.clear();
        }
        known.push((authority.to_owned(), connections.clone()));
        Ok(connections)
    }
}

/// A cluster, as the parameters of a task name it.
#[derive(Clone, Copy)]
struct Cluster<'a> {
    arguments: Arguments<'a>,
    name: &'a str,
    authority: &'a str,
    endpoint: &'a str,
}

/// A request to a cluster.
struct Question {
    method: &'static str,
    /// Escaped.
    path: String,
    query: Pairs,
    body: String,
}

impl<'a> Cluster<'a> {
    fn of(arguments: Arguments<'a>) -> Result<Cluster<'a>, TaskOutcome> {
        Ok(Cluster {
            arguments,
            name: arguments.required("ClusterName")?,
            authority: arguments.required("CertificateAuthority")?,
            endpoint: arguments.required("Endpoint")?,
        })
    }
}

impl Http {
    pub(crate) async fn call_cluster(
        &self,
        parameters: &Value,
        caller: &Caller,
    ) -> Result<Value, TaskOutcome> {
        let arguments = Arguments::of(parameters, &PARAMETERS)?;
        let cluster = Cluster::of(arguments)?;
        arguments.required("Method")?;
        let path = arguments.required("Path")?;
        let question = Question {
            method: arguments.one_of("Method", &METHODS)?.unwrap_or_default(),
            path: format!("/{}", escaped(path.trim_start_matches('/'))),
            query: arguments.pairs("QueryParameters")?,
            body: arguments.get("RequestBody").map(text_of).unwrap_or_default(),
        };
        let answered = self.ask(cluster, question, caller).await?;
        Ok(answered.output(&answered.text(), spelled))
    }

    /// The answer of a cluster that is a success.
    async fn ask(
        &self,
        cluster: Cluster<'_>,
        question: Question,
        caller: &Caller,
    ) -> Result<Answered, TaskOutcome> {
        let arguments = cluster.arguments;
        if question.body.len() > PAYLOAD_BYTES_MAX {
            return Err(too_large());
        }
        let query = encode::query(question.query.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let separator = if query.is_empty() { "" } else { "?" };
        let endpoint = cluster.endpoint.trim_end_matches('/');
        let uri: Result<Uri, _> = format!("{endpoint}{}{separator}{query}", question.path).parse();
        let uri = uri.map_err(|_| arguments.wrong("Endpoint", "a URL"))?;
        let mut request = Request::builder()
            .method(question.method)
            .uri(uri)
            .body(Bytes::from(question.body))
            .map_err(|_| arguments.wrong("Endpoint", "a URL"))?;
        let headers = request.headers_mut();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json, */*"));
        let content_type = match question.method {
            // The kind of patch that every resource knows.
            "PATCH" => "application/merge-patch+json",
            _ => "application/json",
        };
        if !request.body().is_empty() {
            request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        let is_elsewhere = self.settings.hosts.named.contains_key(&host_of(request.uri()));
        let (mut request, stand_in) =
            self.addressed(request, "Endpoint").map_err(|why| arguments.refuse(why))?;
        let pinned = self.clusters.trusting(cluster.authority, self.settings.allow_local);
        let pinned = pinned.map_err(|why| {
            arguments.refuse(format!(
                "The value for the field 'CertificateAuthority' must be a certificate: {why}"
            ))
        })?;
        let token = token::bearer(cluster.name, caller).await.map_err(|why| client_error(&why))?;
        let token = HeaderValue::try_from(format!("Bearer {}", token.expose()));
        let mut token = token.map_err(|_| client_error("the token of the cluster is no header"))?;
        token.set_sensitive(true);
        request.headers_mut().insert(AUTHORIZATION, token);
        let connections = if is_elsewhere { stand_in } else { &*pinned };
        let answered = exchange(connections, request, self.timeout).await.map_err(|error| match error {
            NoAnswer::Broken(why) => client_error(&why),
            NoAnswer::TooLarge => too_large(),
        })?;
        if answered.is_success() {
            return Ok(answered);
        }
        Err(TaskOutcome::failed(Failure::new(format_text!("EKS.{}", answered.status), answered.cause())))
    }
}

/// A text as it is, what else there is as JSON.
fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_json(), str::to_owned)
}

fn host_of(uri: &Uri) -> String {
    uri.host().unwrap_or_default().to_ascii_lowercase()
}

fn client_error(why: &str) -> TaskOutcome {
    TaskOutcome::failed(Failure::new(
        "EKS.SdkClientException",
        format!("Unable to execute HTTP request: {why}"),
    ))
}

/// How Kubernetes spells headers, which arrive in lower case: each word with a capital.
fn spelled(name: &str) -> String {
    let word = |word: &str| {
        let mut letters = word.chars();
        letters
            .next()
            .map(|first| first.to_uppercase().chain(letters).collect::<String>())
            .unwrap_or_default()
    };
    name.split('-').map(word).collect::<Vec<_>>().join("-")
}
