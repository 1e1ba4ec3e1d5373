//! Tasks that are HTTP requests, and no operations that a model of AWS describes: `http:invoke`,
//! `apigateway:invoke`, `eks:call` and `eks:runJob`.
//!
//! Reading order: [`Http::call`]; `invoke`, `gateway` and `eks`, one for each service; `exchange`, which
//! sends; [`ConnectionSource`] and its two implementations, [`AwsConnections`] and [`ConnectionFile`]; `oauth`;
//! `reach`, which says where requests may go.
//!
//! Whoever writes a workflow chooses hosts, paths and headers. So no request goes to where credentials
//! are given to whoever is near, nor to this computer unless that is set; addresses are checked when a
//! connection is opened; no redirect is followed; and what a connection or a token holds is in no error,
//! no output and no `Debug`.
//!
//! What it does not know: executions, retries and polling. Its tests are in `tests`, against servers in
//! the same process.

mod arguments;
mod connection;
mod eks;
mod encode;
mod exchange;
mod gateway;
mod invoke;
mod oauth;
mod reach;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use asl::state::{Pattern, Resource};
use aws_client::{Caller, Connections};
use bytes::Bytes;
use engine::{Call, TaskOutcome};
use front::guard::is_loopback;
use hyper::header::{HOST, HeaderValue};
use hyper::{Request, Uri};
use model::error::{DATA_LIMIT_EXCEEDED, Failure, RUNTIME};
use model::json::Value;

pub use connection::{
    Authorization, AwsConnections, Connection, ConnectionFile, ConnectionFileError, ConnectionSource,
    Finding, HttpParameters, OAuth,
};
pub use eks::JobState;

/// How long a request may take, its answer included.
/// Source: developer guide, "Call HTTPS APIs in Step Functions workflows".
const TIMEOUT: Duration = Duration::from_secs(60);

/// What the settings of whoever runs this are.
#[derive(Clone)]
pub struct Settings {
    /// Whether this computer may be called, by its own names and addresses, without TLS too.
    pub allow_local: bool,
    /// Hosts that are elsewhere.
    pub hosts: Hosts,
    /// Where the connections of HTTP tasks are.
    pub connections: Arc<dyn ConnectionSource>,
}

/// Hosts that are elsewhere: emulators and stand-ins. They may be anywhere, and without TLS; a request
/// keeps the `Host` that it was written for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hosts {
    named: HashMap<String, String>,
    gateways: Option<String>,
}

impl Hosts {
    /// A host, and the URL that stands for `https://<host>`.
    pub fn with(mut self, host: &str, base_url: impl Into<String>) -> Hosts {
        self.named.insert(host.to_ascii_lowercase(), base_url.into());
        self
    }

    /// The URL that stands for every API of API Gateway which has none of its own.
    pub fn with_gateways(mut self, base_url: impl Into<String>) -> Hosts {
        self.gateways = Some(base_url.into());
        self
    }
}

/// Performs tasks that are HTTP requests. Connections are opened with the first one.
pub struct Http {
    settings: Settings,
    timeout: Duration,
    /// To hosts that workflows name.
    outside: OnceLock<Result<Connections, String>>,
    /// To hosts that settings name.
    configured: OnceLock<Result<Connections, String>>,
    clusters: eks::Clusters,
    tokens: oauth::Tokens,
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http").field("allow_local", &self.settings.allow_local).finish_non_exhaustive()
    }
}

impl Http {
    /// Nothing is read or connected yet.
    pub fn new(settings: Settings) -> Http {
        Http {
            settings,
            timeout: TIMEOUT,
            outside: OnceLock::new(),
            configured: OnceLock::new(),
            clusters: eks::Clusters::default(),
            tokens: oauth::Tokens::default(),
        }
    }

    /// Whether a resource is performed here, with its pattern.
    pub fn performs(resource: &Resource) -> bool {
        let Resource::Integration { service, action, pattern, .. } = resource else { return false };
        match (service.as_str(), action.as_str()) {
            ("http", "invoke") | ("eks", "call") => *pattern == Pattern::RequestResponse,
            ("apigateway", "invoke") => {
                matches!(pattern, Pattern::RequestResponse | Pattern::WaitForTaskToken)
            }
            ("eks", "runJob") => matches!(pattern, Pattern::RequestResponse | Pattern::Sync),
            _ => false,
        }
    }

    /// Whether a call may be made twice: its method is one that only reads.
    /// Source: RFC 9110, section 9.2.1.
    pub fn is_repeatable(call: &Call) -> bool {
        let method = call.parameters.get("Method").and_then(Value::as_str);
        Http::performs(&call.resource) && matches!(method, Some("GET" | "HEAD" | "OPTIONS"))
    }

    /// Performs a call, with the rights of `caller`: what was answered. For
    /// [`Pattern::WaitForTaskToken`] that is what the task was accepted with; for `eks:runJob.sync` it is
    /// the job, of which [`Http::poll_job`] tells more.
    pub async fn call(&self, call: &Call, caller: &Caller) -> Result<Value, TaskOutcome> {
        let Resource::Integration { arn, service, action, .. } = &call.resource else {
            return Err(runtime(format!("{} is no HTTP request", call.resource.arn())));
        };
        let found = match (service.as_str(), action.as_str()) {
            ("http", "invoke") => self.invoke(&call.parameters, caller).await,
            ("apigateway", "invoke") => self.invoke_gateway(&call.parameters, caller).await,
            ("eks", "call") => self.call_cluster(&call.parameters, caller).await,
            ("eks", "runJob") => self.run_job(&call.parameters, caller).await,
            _ => return Err(runtime(format!("{arn} is no HTTP request"))),
        };
        found.map_err(|outcome| match outcome {
            // The service names what returned too much.
            TaskOutcome::Failed { stage, failure } if failure.error.as_deref() == Some(DATA_LIMIT_EXCEEDED) => {
                let cause = format!(
                    "The state/task '{arn}' returned a result with a size exceeding the maximum number of bytes service limit."
                );
                TaskOutcome::Failed { stage, failure: Failure::new(DATA_LIMIT_EXCEEDED, cause) }
            }
            outcome => outcome,
        })
    }

    /// A request as it is sent, and what it is sent over: to another place where the settings say so, else
    /// with TLS or to this computer. The error says what is wrong with `what`, the URL.
    fn addressed(
        &self,
        request: Request<Bytes>,
        what: &str,
    ) -> Result<(Request<Bytes>, &Connections), String> {
        let uri = request.uri();
        let host = uri.host().unwrap_or_default();
        if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err(format!("{what} must not name a user"));
        }
        if let Some(base) = self.settings.hosts.named.get(&host.to_ascii_lowercase()) {
            return Ok((elsewhere(request, base)?, self.configured()?));
        }
        let is_local = self.settings.allow_local && is_loopback(host);
        match uri.scheme_str() {
            Some("https") if !host.is_empty() => Ok((request, self.outside()?)),
            Some("http") if is_local => Ok((request, self.outside()?)),
            _ => Err(format!("{what} must be a URL that begins with https://")),
        }
    }

    fn outside(&self) -> Result<&Connections, String> {
        let allowed = if self.settings.allow_local { reach::or_local } else { reach::not_local };
        self.outside.get_or_init(|| Connections::filtered(allowed)).as_ref().map_err(Clone::clone)
    }

    fn configured(&self) -> Result<&Connections, String> {
        self.configured.get_or_init(Connections::new).as_ref().map_err(Clone::clone)
    }
}

/// A request to the same path below another URL.
fn elsewhere(mut request: Request<Bytes>, base: &str) -> Result<Request<Bytes>, String> {
    let uri = request.uri();
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let wrong = || format!("{base}, which is set for the host, is no URL");
    let host = uri.authority().map(|authority| authority.as_str().to_owned()).unwrap_or_default();
    let uri: Uri = format!("{}{path}", base.trim_end_matches('/')).parse().map_err(|_| wrong())?;
    if uri.host().is_none() {
        return Err(wrong());
    }
    let host = HeaderValue::try_from(host).map_err(|_| wrong())?;
    request.headers_mut().insert(HOST, host);
    *request.uri_mut() = uri;
    Ok(request)
}

/// A failure that no Retry repeats.
fn runtime(cause: String) -> TaskOutcome {
    TaskOutcome::failed(Failure::new(RUNTIME, cause))
}

/// An answer, or a request, that no payload has room for; [`Http::call`] says whose.
fn too_large() -> TaskOutcome {
    TaskOutcome::failed(Failure::named(DATA_LIMIT_EXCEEDED))
}
