//! Whose rights a call has: on an installation, the state machine's role, and from there that of
//! the state's `Credentials`.

use std::error::Error;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use aws_sdk_lambda::config::retry::RetryConfig;
use aws_sdk_lambda::config::timeout::TimeoutConfig;
use aws_sdk_lambda::error::ErrorMetadata;
use model::error::{Failure, TASK_FAILED};
use model::json::Text;

/// The roles of state machines that an installation takes on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roles {
    /// What the trust policy of such a role asks for as `sts:ExternalId`, so that nobody makes the
    /// installation use a role that was not meant for it.
    pub external_id: Text,
    /// ARNs of roles, with `*` for any characters. None: no role.
    pub allowed: Vec<Text>,
}

impl Roles {
    /// Whether a state machine's role may be taken on.
    pub fn allow(&self, role_arn: &str) -> bool {
        self.allowed.iter().any(|pattern| matches(pattern, role_arn))
    }
}

/// Whether `text` is what `pattern` says, `*` being any characters.
fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut last = None;
    for part in parts {
        // The one before was not the last: its first place leaves the most for those that follow.
        if let Some(part) = last.replace(part) {
            let Some(at) = rest.find(part) else { return false };
            rest = &rest[at + part.len()..];
        }
    }
    last.map_or(rest.is_empty(), |last| rest.ends_with(last))
}

/// How a role's sessions are called in the audit trail.
const SESSION: &str = "stepwright";
/// STS answers at once; a role that was created a moment ago is not known everywhere yet.
const ATTEMPT: Duration = Duration::from_secs(5);

/// `config` with the rights of a role, which is assumed now to see whether it can be.
pub(crate) async fn assume(
    config: &SdkConfig,
    role_arn: &Text,
    external_id: Option<&Text>,
) -> Result<SdkConfig, Failure> {
    let timeouts = TimeoutConfig::builder().connect_timeout(ATTEMPT).operation_attempt_timeout(ATTEMPT);
    let sts = config.to_builder().retry_config(RetryConfig::standard()).timeout_config(timeouts.build());
    let mut builder =
        AssumeRoleProvider::builder(role_arn.as_str()).session_name(SESSION).configure(&sts.build());
    if let Some(external_id) = external_id {
        builder = builder.external_id(external_id.as_str());
    }
    let provider = builder.build().await;
    let first = provider.provide_credentials().await.map_err(|error| {
        let (who, condition) = match external_id {
            Some(_) => ("the step-driver's role", " with the ExternalId of the installation"),
            None => ("the state machine's role", ""),
        };
        let said = reason(&error);
        let said = said.trim_end_matches('.');
        refused(role_arn, &format!("{said}. Its trust policy has to let {who} assume it{condition}."))
    })?;
    let provider = Assumed { first: Mutex::new(Some(first)), provider };
    Ok(config.to_builder().credentials_provider(SharedCredentialsProvider::new(provider)).build())
}

/// The failure of a task whose role cannot be taken on.
pub(crate) fn refused(role_arn: &str, reason: &str) -> Failure {
    Failure::new(TASK_FAILED, format!("The role {role_arn} could not be assumed: {reason}"))
}

/// What STS said, or what happened on the way to it.
fn reason(error: &(dyn Error + 'static)) -> String {
    let mut error = error;
    loop {
        if let Some(said) = error.downcast_ref::<ErrorMetadata>().and_then(ErrorMetadata::message) {
            return said.to_owned();
        }
        match error.source() {
            Some(source) => error = source,
            None => return error.to_string(),
        }
    }
}

/// Gives out first what was assumed to see whether that works, and assumes again when that expires.
#[derive(Debug)]
struct Assumed {
    first: Mutex<Option<Credentials>>,
    provider: AssumeRoleProvider,
}

impl ProvideCredentials for Assumed {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        match self.first.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(credentials) => future::ProvideCredentials::ready(Ok(credentials)),
            None => self.provider.provide_credentials(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_allowed_by_pattern() {
        let check = |pattern: &str, allowed: &[&str], others: &[&str]| {
            let roles = Roles { external_id: "x".into(), allowed: vec![pattern.into()] };
            for role in allowed {
                assert!(roles.allow(role), "{pattern} allows {role}");
            }
            for role in others {
                assert!(!roles.allow(role), "{pattern} does not allow {role}");
            }
        };
        check("a:role/x", &["a:role/x"], &["a:role/xy", "ba:role/x", ""]);
        check("a:role/*", &["a:role/x", "a:role/", "a:role/p/x"], &["a:user/x", "a:role"]);
        check("a:*:role/t-*-z", &["a:1:role/t-q-z", "a::role/t--z", "a:1:role/t-z-z"], &["a:1:role/t-z"]);
        check("*ab*b", &["abb", "xabyb", "ababb"], &["ab", "abc", "b"]);
        check("*", &["", "anything"], &[]);
        check("**a", &["a", "ba"], &["ab"]);
        assert!(!Roles::default().allow("a:role/x"));
    }
}
