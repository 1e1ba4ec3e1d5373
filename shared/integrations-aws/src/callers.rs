//! Whose rights a call has: one's own, or on an installation those of the state machine's role, and from
//! there those of the state's `Credentials`.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use aws_client::{Caller, Client, Failed, Identity, NoCredentials};
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{self, ProvideCredentials, SharedCredentialsProvider, future};
use aws_wire::catalog::catalog;
use aws_wire::convention::{Sdk, arguments};
use aws_wire::node::Node;
use engine::{Call, Execution};
use model::error::{Failure, TASK_FAILED};
use model::json::{Text, Value};
use tokio::sync::OnceCell;

use crate::roles::Roles;

/// Whose rights calls have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Rights {
    /// Those that the environment gives: the user's profile, say. A task's `Credentials` are assumed with
    /// them, where the service is on AWS itself.
    #[default]
    Own,
    /// Those of the state machine's role, which has to be one of these. A task's `Credentials` are
    /// assumed from there.
    StateMachines(Roles),
}

/// How a role's sessions are called in the audit trail.
const SESSION: &str = "stepwright";
/// Identities that are kept.
const IDENTITIES_MAX: usize = 1_024;

/// The future of whoever finds out who one is.
pub type Finding = Pin<Box<dyn Future<Output = Caller> + Send>>;

/// Finds who makes a call. Who one is oneself is found out with the first one.
pub struct Callers {
    rights: Rights,
    find: Box<dyn Fn() -> Finding + Send + Sync>,
    own: OnceCell<Caller>,
    /// By the roles that were assumed one from the other.
    assumed: Mutex<HashMap<Vec<Text>, Arc<Identity>>>,
}

impl Callers {
    /// Nobody is asked yet.
    pub fn new(rights: Rights, find: Box<dyn Fn() -> Finding + Send + Sync>) -> Callers {
        Callers { rights, find, own: OnceCell::new(), assumed: Mutex::default() }
    }

    /// Who makes `call`. `region`: another than the one that is configured. `is_aws`: whether it goes to
    /// AWS itself; roles of one's own are not assumed elsewhere.
    pub async fn of_call(
        &self,
        client: &Arc<Client>,
        call: &Call,
        execution: &Execution,
        region: Option<&str>,
        is_aws: bool,
    ) -> Result<Caller, Failure> {
        let mut roles = Vec::new();
        match &self.rights {
            Rights::StateMachines(allowed) => {
                if !allowed.allow(&execution.role_arn) {
                    return Err(refused(
                        &execution.role_arn,
                        "it is none of the roles that this installation takes on (its parameter TaskRoles)",
                    ));
                }
                roles.push(execution.role_arn.clone());
                roles.extend(call.role_arn.clone());
            }
            Rights::Own if is_aws => roles.extend(call.role_arn.clone()),
            Rights::Own => {}
        }
        let own = self.own.get_or_init(|| (self.find)()).await;
        let identity = self.assume(client, own, roles).await?;
        let region = region.map_or_else(|| own.region.clone(), str::to_owned);
        Ok(Caller { identity, region })
    }

    /// The identity at the end of a chain of roles.
    async fn assume(
        &self,
        client: &Arc<Client>,
        own: &Caller,
        roles: Vec<Text>,
    ) -> Result<Arc<Identity>, Failure> {
        let mut identity = own.identity.clone();
        for count in 1..=roles.len() {
            let chain = &roles[..count];
            if let Some(known) = self.known().get(chain).cloned() {
                identity = known;
                continue;
            }
            let role_arn = chain[count - 1].clone();
            let external_id = match &self.rights {
                Rights::StateMachines(roles) if count == 1 => Some(roles.external_id.clone()),
                _ => None,
            };
            let (who, condition) = match external_id {
                Some(_) => ("the step-driver's role", " with the ExternalId of the installation"),
                None => ("the state machine's role", ""),
            };
            let source = Caller { identity, region: own.region.clone() };
            let role = Role { client: client.clone(), source, role_arn: role_arn.clone(), external_id };
            identity = Arc::new(Identity::new(SharedCredentialsProvider::new(role)));
            // Now, to see whether it can be.
            if let Err(error) = identity.credentials(SystemTime::now()).await {
                let said = match error {
                    NoCredentials::Missing => "there are no credentials to do so with".to_owned(),
                    NoCredentials::Unavailable(said) => said.trim_end_matches('.').to_owned(),
                };
                let advice = format!("{said}. Its trust policy has to let {who} assume it{condition}.");
                return Err(refused(&role_arn, &advice));
            }
            let mut known = self.known();
            if known.len() >= IDENTITIES_MAX {
                known.clear();
            }
            known.insert(chain.to_vec(), identity.clone());
        }
        Ok(identity)
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<Vec<Text>, Arc<Identity>>> {
        self.assumed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The failure of a task whose role cannot be taken on.
fn refused(role_arn: &str, reason: &str) -> Failure {
    Failure::new(TASK_FAILED, format!("The role {role_arn} could not be assumed: {reason}"))
}

/// Gives the credentials of a role that is assumed.
struct Role {
    client: Arc<Client>,
    source: Caller,
    role_arn: Text,
    external_id: Option<Text>,
}

impl std::fmt::Debug for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Role").field("role_arn", &self.role_arn).finish_non_exhaustive()
    }
}

impl ProvideCredentials for Role {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.assume())
    }
}

impl Role {
    async fn assume(&self) -> provider::Result {
        let unexpected = || CredentialsError::unhandled("the answer of STS has no credentials");
        let sts = catalog().service("sts").ok_or_else(unexpected)?;
        let operation = sts.operation("assumeRole").ok_or_else(unexpected)?;
        let parameters = [
            ("RoleArn", Some(Value::from(self.role_arn.clone()))),
            ("RoleSessionName", Some(Value::from(SESSION))),
            ("ExternalId", self.external_id.clone().map(Value::from)),
        ];
        let parameters: Value =
            parameters.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        let input = arguments(&Sdk::of(sts), sts, operation.input(), &parameters, &mut String::new)
            .map_err(|_| unexpected())?;
        let answer = self.client.call(&operation, &input, &self.source).await;
        let answer = answer.map_err(|failed| CredentialsError::provider_error(said(failed)))?;
        let given = answer.output.member("Credentials").ok_or_else(unexpected)?;
        let text = |name: &str| given.member(name).and_then(Node::text).map(str::to_owned);
        let (key_id, secret) = (text("AccessKeyId"), text("SecretAccessKey"));
        let (key_id, secret) = key_id.zip(secret).ok_or_else(unexpected)?;
        let expiry = match given.member("Expiration") {
            Some(Node::Timestamp(at)) => {
                let millis = u64::try_from(at.milliseconds()).unwrap_or_default();
                Some(SystemTime::UNIX_EPOCH + std::time::Duration::from_millis(millis))
            }
            _ => None,
        };
        Ok(Credentials::new(key_id, secret, text("SessionToken"), expiry, "AssumeRole"))
    }
}

/// What STS said, or what happened on the way to it.
fn said(failed: Failed) -> String {
    match failed {
        Failed::Refused { refusal, .. } => refusal.message.unwrap_or(refusal.code),
        Failed::Unwritable(why) => why.to_string(),
        Failed::Unsendable(why) | Failed::NoAnswer(why) | Failed::TooLarge(why) | Failed::Unreadable(why) => {
            why
        }
    }
}
