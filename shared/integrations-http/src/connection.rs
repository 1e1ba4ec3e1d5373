//! Connections of EventBridge: how HTTP tasks prove who they are.

mod aws;
mod file;
mod secret;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use aws_client::Caller;
use front::Secret;
use model::error::Failure;
use model::json::format_text;

pub use aws::AwsConnections;
pub use file::{ConnectionFile, ConnectionFileError};

/// Where connections are looked up.
pub trait ConnectionSource: Send + Sync {
    /// The connection of an ARN. The failure is the task's: `Events.ConnectionResource.…`.
    fn connection<'a>(&'a self, arn: &'a str, caller: &'a Caller) -> Finding<'a>;
}

/// The future of [`ConnectionSource::connection`].
pub type Finding<'a> = Pin<Box<dyn Future<Output = Result<Arc<Connection>, Failure>> + Send + 'a>>;

/// A connection. Nothing of it that may be secret is ever shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// How a request is authorized.
    pub authorization: Authorization,
    /// What requests carry besides, whatever their task says.
    pub parameters: HttpParameters,
}

/// How a request is authorized.
#[derive(Clone, PartialEq, Eq)]
pub enum Authorization {
    /// `BASIC`
    Basic {
        /// Who.
        username: String,
        /// What only they know.
        password: Secret,
    },
    /// `API_KEY`
    ApiKey {
        /// The header.
        name: String,
        /// Its value.
        value: Secret,
    },
    /// `OAUTH_CLIENT_CREDENTIALS`
    OAuth(OAuth),
}

/// A grant of client credentials: RFC 6749, section 4.4.
#[derive(Clone, PartialEq, Eq)]
pub struct OAuth {
    /// The URL of the authorization endpoint.
    pub endpoint: String,
    /// `GET`, `POST` or `PUT`.
    pub method: String,
    /// The client.
    pub client_id: String,
    /// What only it knows.
    pub client_secret: Secret,
    /// What the request for a token carries besides.
    pub parameters: HttpParameters,
}

/// Headers, query and body. Any of them may be secret.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct HttpParameters {
    /// Headers.
    pub headers: Vec<(String, Secret)>,
    /// Query parameters.
    pub query: Vec<(String, Secret)>,
    /// Members of the body.
    pub body: Vec<(String, Secret)>,
}

impl fmt::Debug for Authorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Authorization::Basic { .. } => f.write_str("Basic(…)"),
            Authorization::ApiKey { name, .. } => write!(f, "ApiKey({name}: …)"),
            Authorization::OAuth(oauth) => oauth.fmt(f),
        }
    }
}

impl fmt::Debug for OAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OAuth({} …)", self.method)
    }
}

impl fmt::Debug for HttpParameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names =
            |pairs: &[(String, Secret)]| pairs.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
        f.debug_struct("HttpParameters")
            .field("headers", &names(&self.headers))
            .field("query", &names(&self.query))
            .field("body", &names(&self.body))
            .finish()
    }
}

/// Why a connection is of no use.
/// Source: developer guide, "Call HTTPS APIs in Step Functions workflows", "Connection errors".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    AccessDenied,
    AuthInProgress,
    ConcurrentModification,
    InternalError,
    InvalidConnectionState,
    InvalidPrivateConnectionState,
    ResourceNotFound,
}

impl Fault {
    pub fn because(self, cause: impl AsRef<str>) -> Failure {
        Failure::new(format_text!("Events.ConnectionResource.{self:?}"), cause.as_ref())
    }
}

/// The name in the ARN of a connection: `arn:aws:events:REGION:ACCOUNT:connection/NAME/ID`.
fn name_of(arn: &str) -> Option<&str> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let ["arn", _, "events", _, _, resource] = parts[..] else { return None };
    let name = resource.strip_prefix("connection/")?.split('/').next()?;
    (!name.is_empty()).then_some(name)
}

/// The Region in the ARN of a connection.
fn region_of(arn: &str) -> Option<&str> {
    arn.split(':').nth(3).filter(|region| !region.is_empty())
}
