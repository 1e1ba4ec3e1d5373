//! Connections of EventBridge on AWS, or of an emulator: DescribeConnection, and GetSecretValue for what
//! it does not tell.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_client::{Caller, Client, Failed, Identity};
use aws_wire::catalog::catalog;
use aws_wire::node::Node;
use model::error::Failure;
use model::json::{Text, Value};
use tokio::time::Instant;

use super::{Connection, ConnectionSource, Fault, Finding, name_of, region_of, secret};

/// How long a connection is remembered: a workflow that calls in a loop does not ask with each call, and
/// a password that was changed is used soon.
const KEPT: Duration = Duration::from_secs(60);
/// Connections that are remembered.
const KEPT_MAX: usize = 256;

/// Connections as EventBridge has them, looked up with the rights of whoever calls: they need
/// `events:DescribeConnection` and `secretsmanager:GetSecretValue`.
pub struct AwsConnections {
    client: Arc<Client>,
    known: Mutex<Vec<Known>>,
}

struct Known {
    arn: Text,
    /// Whose rights showed it; nobody else is shown it.
    identity: Arc<Identity>,
    until: Instant,
    connection: Arc<Connection>,
}

impl AwsConnections {
    /// Nothing is looked up yet.
    pub fn new(client: Arc<Client>) -> AwsConnections {
        AwsConnections { client, known: Mutex::default() }
    }

    fn remembered(&self, arn: &str, caller: &Caller) -> Option<Arc<Connection>> {
        let now = Instant::now();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|known| known.until > now);
        let found =
            known.iter().find(|known| known.arn == arn && Arc::ptr_eq(&known.identity, &caller.identity));
        found.map(|known| known.connection.clone())
    }

    fn remember(&self, arn: &str, caller: &Caller, connection: &Arc<Connection>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KEPT_MAX {
            known.clear();
        }
        known.push(Known {
            arn: arn.into(),
            identity: caller.identity.clone(),
            until: Instant::now() + KEPT,
            connection: connection.clone(),
        });
    }

    async fn look_up(&self, arn: &str, caller: &Caller) -> Result<Connection, Failure> {
        let not_found = || Fault::ResourceNotFound.because(format!("Connection '{arn}' does not exist."));
        let name = name_of(arn).ok_or_else(not_found)?;
        let region = region_of(arn).unwrap_or(&caller.region).to_owned();
        let caller = Caller { identity: caller.identity.clone(), region };
        let described = self.ask("eventbridge", "DescribeConnection", "Name", name, &caller).await?;
        let text = |name: &str| described.get(name).and_then(Value::as_str);
        // A name is of one account and Region only; the ARN may be another's, or one of the past.
        if text("ConnectionArn").is_some_and(|own| own != arn) {
            return Err(not_found());
        }
        check_state(arn, text("ConnectionState").unwrap_or_default())?;
        let secret_arn = text("SecretArn").ok_or_else(|| {
            Fault::InvalidConnectionState.because(format!("Connection '{arn}' has no secret."))
        })?;
        let secret = self.ask("secretsmanager", "GetSecretValue", "SecretId", secret_arn, &caller).await?;
        let secret = secret.get("SecretString").and_then(Value::as_str).unwrap_or_default();
        let parameters = described.get("AuthParameters").unwrap_or(&Value::Null);
        let kind = text("AuthorizationType").unwrap_or_default();
        secret::connection(kind, secret, parameters)
            .map_err(|why| Fault::InternalError.because(format!("Connection '{arn}' cannot be used: {why}.")))
    }

    /// Calls an operation with one argument.
    async fn ask(
        &self,
        service: &'static str,
        action: &'static str,
        member: &'static str,
        value: &str,
        caller: &Caller,
    ) -> Result<Value, Failure> {
        let operation = catalog().service(service).and_then(|service| service.operation(action));
        let found = operation.and_then(|operation| Some((operation.input()?.member(member)?, operation)));
        let Some((member, operation)) = found else {
            return Err(Fault::InternalError.because(format!("{service} has no operation {action}.")));
        };
        let input = Node::Structure(vec![(member, Node::Text(value.into()))]);
        match self.client.call(&operation, &input, caller).await {
            Ok(answer) => Ok(plain(&answer.output)),
            Err(failed) => Err(fault(action, &failed)),
        }
    }
}

impl ConnectionSource for AwsConnections {
    fn connection<'a>(&'a self, arn: &'a str, caller: &'a Caller) -> Finding<'a> {
        Box::pin(async move {
            if let Some(known) = self.remembered(arn, caller) {
                return Ok(known);
            }
            let connection = Arc::new(self.look_up(arn, caller).await?);
            self.remember(arn, caller, &connection);
            Ok(connection)
        })
    }
}

/// Whether a connection can be used in this state.
fn check_state(arn: &str, state: &str) -> Result<(), Failure> {
    let fault = match state {
        // `ACTIVE` is a connection without authorization of its own; emulators may leave the state out.
        "AUTHORIZED" | "ACTIVE" | "" => return Ok(()),
        "AUTHORIZING" => Fault::AuthInProgress,
        "UPDATING" => Fault::ConcurrentModification,
        "FAILED_CONNECTIVITY" => Fault::InvalidPrivateConnectionState,
        _ => Fault::InvalidConnectionState,
    };
    Err(fault.because(format!("Connection '{arn}' is in state {state}.")))
}

/// What the refusal of a service means for the task.
fn fault(action: &str, failed: &Failed) -> Failure {
    let refusal = match failed {
        Failed::Refused { refusal, .. } => refusal,
        Failed::Unwritable(why) => return Fault::InternalError.because(format!("{action}: {why}")),
        Failed::NoAnswer(why) | Failed::TooLarge(why) | Failed::Unreadable(why) | Failed::Unsendable(why) => {
            return Fault::InternalError.because(format!("{action}: {why}"));
        }
    };
    let fault = match refusal.code.as_str() {
        "ResourceNotFoundException" => Fault::ResourceNotFound,
        "ConcurrentModificationException" => Fault::ConcurrentModification,
        code if code.starts_with("AccessDenied") || refusal.status == 403 => Fault::AccessDenied,
        _ => Fault::InternalError,
    };
    let message = refusal.message.as_deref().unwrap_or(&refusal.code);
    fault.because(format!("{action}: {message}"))
}

/// A structure of texts as JSON; of other values, what is not needed is left out.
fn plain(node: &Node) -> Value {
    match node {
        Node::Text(text) => Value::String(text.clone()),
        Node::List(elements) => elements.iter().map(plain).collect(),
        Node::Structure(members) => members.iter().map(|(member, node)| (member.name, plain(node))).collect(),
        Node::Map(entries) => entries.iter().map(|(name, node)| (name.clone(), plain(node))).collect(),
        _ => Value::Null,
    }
}
