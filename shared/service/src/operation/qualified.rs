//! What the ARN of a state machine, a version or an alias leads to.

use journal::registry::{Alias, Qualifier, RevisionSummary, StateMachine, Version};
use model::arn::StateMachineArn;
use model::json::{Text, format_text};
use model::status::StateMachineStatus;

use crate::error::ApiError;
use crate::service::Inner;

/// What runs, or is described.
pub(super) struct Qualified {
    pub machine: StateMachine,
    /// The version, when one was named or an alias led to it.
    pub version: Option<Version>,
    /// The alias, when one was named.
    pub alias: Option<Text>,
}

impl Qualified {
    /// The revision: the version's, else the current one.
    pub fn revision(&self) -> &RevisionSummary {
        self.version.as_ref().map_or(&self.machine.current, |version| &version.revision)
    }

    /// `stateMachineVersionArn`.
    pub fn version_arn(&self) -> Option<Text> {
        self.version.as_ref().map(|version| version_arn(&self.machine.arn, version.number))
    }

    /// `stateMachineAliasArn`.
    pub fn alias_arn(&self) -> Option<Text> {
        self.alias.as_ref().map(|name| alias_arn(&self.machine.arn, name))
    }

    /// Refuses to start or change what is being deleted.
    pub fn check_active(&self) -> Result<(), ApiError> {
        match self.machine.status {
            StateMachineStatus::Deleting => Err(ApiError::state_machine_deleting(&self.machine.arn)),
            StateMachineStatus::Active => Ok(()),
        }
    }
}

pub(super) fn version_arn(machine: &StateMachineArn, number: u64) -> Text {
    format_text!("{}:{number}", machine.as_str())
}

pub(super) fn alias_arn(machine: &StateMachineArn, name: &str) -> Text {
    format_text!("{}:{name}", machine.as_str())
}

/// How often an alias is followed whose version is gone when it is read.
const ATTEMPTS_MAX: usize = 4;

/// Finds what an ARN leads to; `route` says which of its versions an alias is to lead to.
pub(super) async fn find(
    service: &Inner,
    (arn, qualifier): (StateMachineArn, Option<Qualifier>),
    route: impl Fn(&Alias) -> Result<u64, ApiError>,
) -> Result<Qualified, ApiError> {
    for _ in 0..ATTEMPTS_MAX {
        let machine = service.registry.state_machine(&arn).await?;
        let machine = machine.ok_or_else(|| match &qualifier {
            None => ApiError::state_machine_does_not_exist(&arn),
            Some(Qualifier::Version(number)) => {
                ApiError::state_machine_does_not_exist(&version_arn(&arn, *number))
            }
            Some(Qualifier::Alias(name)) => ApiError::state_machine_does_not_exist(&alias_arn(&arn, name)),
        })?;
        match &qualifier {
            None => return Ok(Qualified { machine, version: None, alias: None }),
            Some(Qualifier::Version(number)) => {
                let version = service.registry.version(&machine, *number).await?;
                let missing = || ApiError::state_machine_does_not_exist(&version_arn(&arn, *number));
                return Ok(Qualified { version: Some(version.ok_or_else(missing)?), machine, alias: None });
            }
            Some(Qualifier::Alias(name)) => {
                let missing = || ApiError::state_machine_does_not_exist(&alias_arn(&arn, name));
                let number = route(machine.alias(name).ok_or_else(missing)?)?;
                if let Some(version) = service.registry.version(&machine, number).await? {
                    return Ok(Qualified { machine, version: Some(version), alias: Some(name.clone()) });
                }
                // The alias was led elsewhere and the version deleted since: follow it again.
            }
        }
    }
    Err(journal::StoreError::Conflict.into())
}
