//! The names of resources: `arn:aws:states:us-east-1:111111111111:stateMachine:Orders`.
//!
//! [`Arn`] is any of the nine kinds, taken apart. [`StateMachineArn`], [`ExecutionArn`],
//! [`MapRunArn`] and [`ActivityArn`] are identities: the text itself, checked, cheap to clone
//! and to compare.

mod identity;
mod parse;
#[cfg(test)]
mod tests;

use std::fmt;

use thiserror::Error;

use crate::json::Text;
use crate::name::NameError;

pub use identity::{ActivityArn, ExecutionArn, MapRunArn, StateMachineArn};

/// The ARN of a resource of the service.
///
/// `Display` and `FromStr` are inverse to one another; stored as text.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Arn {
    /// Where the resource is and whose it is.
    pub home: Home,
    /// What it is.
    pub resource: Resource,
}

/// Partition, Region and account: the part that all ARNs of an account in a Region share.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Home {
    /// `aws`, `aws-cn`, `aws-us-gov`.
    pub partition: Text,
    /// `us-east-1`: lower-case letters, digits and `-`.
    pub region: Text,
    /// Twelve digits.
    pub account: Text,
}

/// The kinds of resources. Names follow [`crate::name::check_name`], labels
/// [`crate::name::check_label`].
///
/// Source: service authorization reference, "Actions, resources, and condition keys for AWS Step
/// Functions"; API reference.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Resource {
    /// `stateMachine:<name>`
    StateMachine {
        /// Name of the state machine.
        name: Text,
    },
    /// `stateMachine:<name>:<version>`
    Version {
        /// Name of the state machine.
        state_machine: Text,
        /// Number of the version, from 1.
        version: u64,
    },
    /// `stateMachine:<name>:<alias>`
    Alias {
        /// Name of the state machine.
        state_machine: Text,
        /// Name of the alias; see [`crate::name::check_alias_name`].
        alias: Text,
    },
    /// `stateMachine:<name>/<label>`: what the children of a distributed Map run.
    MapStateMachine {
        /// Name of the state machine.
        state_machine: Text,
        /// Label of the Map state.
        label: Text,
    },
    /// `execution:<state machine>:<name>`
    Execution {
        /// Name of the state machine.
        state_machine: Text,
        /// Name of the execution.
        name: Text,
    },
    /// `execution:<state machine>/<label>:<name>`: a child of a distributed Map.
    MapExecution {
        /// Name of the state machine.
        state_machine: Text,
        /// Label of the Map state.
        label: Text,
        /// Name of the child execution.
        name: Text,
    },
    /// `express:<state machine>:<name>:<id>`, or `express:<state machine>/<label>:<name>:<id>`
    /// for a child of a distributed Map.
    ExpressExecution {
        /// Name of the state machine.
        state_machine: Text,
        /// Label of the Map state, for a child.
        label: Option<Text>,
        /// Name of the execution; need not be unique.
        name: Text,
        /// What makes the ARN unique.
        id: Text,
    },
    /// `mapRun:<state machine>/<label>:<id>`
    MapRun {
        /// Name of the state machine.
        state_machine: Text,
        /// Label of the Map state.
        label: Text,
        /// What makes the ARN unique.
        id: Text,
    },
    /// `activity:<name>`
    Activity {
        /// Name of the activity.
        name: Text,
    },
}

/// Why a text is not an ARN of the service, or not one of the kind that is needed.
///
/// The words of [`ArnError::Prefix`] and [`ArnError::Kind`] are the service's, from recorded
/// refusals; it puts them between the quotes of `Invalid Arn: '…'`.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ArnError {
    /// Does not begin with `arn:`, a partition and `:states:`.
    #[error("Invalid ARN prefix: {0}")]
    Prefix(String),
    /// An ARN of the service, but of a kind that has no place here. Holds the kind's word, such
    /// as `express`.
    #[error("Resource type not valid in this context: {0}")]
    Kind(String),
    /// The Region is not made of lower-case letters, digits and `-`.
    #[error("invalid Region {region:?} in the ARN {arn:?}")]
    Region {
        /// The whole text.
        arn: String,
        /// Its fourth part.
        region: String,
    },
    /// The account is not twelve digits.
    #[error("invalid account {account:?} in the ARN {arn:?}, must be 12 digits")]
    Account {
        /// The whole text.
        arn: String,
        /// Its fifth part.
        account: String,
    },
    /// The parts after the account are not what the kind has.
    #[error("the ARN {arn:?} does not have the form {form}")]
    Form {
        /// The whole text.
        arn: String,
        /// The form, such as `mapRun:<state machine>/<label>:<id>`.
        form: &'static str,
    },
    /// A part is no valid name.
    #[error("the {part} {name:?} in the ARN {arn:?} {reason}")]
    Name {
        /// The whole text.
        arn: String,
        /// Which part: `name`, `state machine name`, `label`, `alias`, `version` or `id`.
        part: &'static str,
        /// The part.
        name: String,
        /// The rule that it breaks.
        reason: NameError,
    },
    /// A version number beyond 64 bits, or with a leading zero.
    #[error("invalid version {version:?} in the ARN {arn:?}, must be a number from 1 without leading zeros")]
    Version {
        /// The whole text.
        arn: String,
        /// The digits.
        version: String,
    },
    /// More characters than an ARN may have.
    #[error("the ARN has {chars} characters, more than {chars_max}")]
    TooLong {
        /// How many there are.
        chars: usize,
        /// How many there may be.
        chars_max: usize,
    },
}

impl Arn {
    /// Takes an ARN apart.
    pub fn parse(text: &str) -> Result<Arn, ArnError> {
        parse::arn(text)
    }
}

impl Home {
    /// From the three parts, which are not checked.
    pub fn new(partition: impl Into<Text>, region: impl Into<Text>, account: impl Into<Text>) -> Home {
        Home { partition: partition.into(), region: region.into(), account: account.into() }
    }

    /// The resource of an ARN of this home: what follows the account, as `execution:m:name`.
    pub fn strip<'a>(&self, arn: &'a str) -> Option<&'a str> {
        let Home { partition, region, account } = self;
        let mut rest = arn;
        for part in ["arn:", partition, ":states:", region, ":", account, ":"] {
            rest = rest.strip_prefix(part)?;
        }
        Some(rest)
    }
}

impl Resource {
    /// The word after the account: `stateMachine`, `execution`, `express`, `mapRun`, `activity`.
    pub fn type_name(&self) -> &'static str {
        match self {
            Resource::StateMachine { .. }
            | Resource::Version { .. }
            | Resource::Alias { .. }
            | Resource::MapStateMachine { .. } => "stateMachine",
            Resource::Execution { .. } | Resource::MapExecution { .. } => "execution",
            Resource::ExpressExecution { .. } => "express",
            Resource::MapRun { .. } => "mapRun",
            Resource::Activity { .. } => "activity",
        }
    }

    /// Name of the state machine that this is or belongs to; `None` for an activity.
    pub fn state_machine(&self) -> Option<&Text> {
        match self {
            Resource::StateMachine { name } => Some(name),
            Resource::Version { state_machine, .. }
            | Resource::Alias { state_machine, .. }
            | Resource::MapStateMachine { state_machine, .. }
            | Resource::Execution { state_machine, .. }
            | Resource::MapExecution { state_machine, .. }
            | Resource::ExpressExecution { state_machine, .. }
            | Resource::MapRun { state_machine, .. } => Some(state_machine),
            Resource::Activity { .. } => None,
        }
    }

    /// Label of the distributed Map that this belongs to.
    pub fn label(&self) -> Option<&Text> {
        match self {
            Resource::MapStateMachine { label, .. }
            | Resource::MapExecution { label, .. }
            | Resource::ExpressExecution { label: Some(label), .. }
            | Resource::MapRun { label, .. } => Some(label),
            _ => None,
        }
    }
}

impl fmt::Display for Home {
    /// `arn:aws:states:us-east-1:111111111111`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "arn:{}:states:{}:{}", self.partition, self.region, self.account)
    }
}

impl fmt::Display for Resource {
    /// The part after the account.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.type_name();
        match self {
            Resource::StateMachine { name } | Resource::Activity { name } => write!(f, "{kind}:{name}"),
            Resource::Version { state_machine, version } => write!(f, "{kind}:{state_machine}:{version}"),
            Resource::Alias { state_machine, alias } => write!(f, "{kind}:{state_machine}:{alias}"),
            Resource::MapStateMachine { state_machine, label } => write!(f, "{kind}:{state_machine}/{label}"),
            Resource::Execution { state_machine, name } => write!(f, "{kind}:{state_machine}:{name}"),
            Resource::MapExecution { state_machine, label, name } => {
                write!(f, "{kind}:{state_machine}/{label}:{name}")
            }
            Resource::ExpressExecution { state_machine, label: None, name, id } => {
                write!(f, "{kind}:{state_machine}:{name}:{id}")
            }
            Resource::ExpressExecution { state_machine, label: Some(label), name, id } => {
                write!(f, "{kind}:{state_machine}/{label}:{name}:{id}")
            }
            Resource::MapRun { state_machine, label, id } => write!(f, "{kind}:{state_machine}/{label}:{id}"),
        }
    }
}

impl fmt::Display for Arn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.home, self.resource)
    }
}

impl std::str::FromStr for Arn {
    type Err = ArnError;

    fn from_str(text: &str) -> Result<Arn, ArnError> {
        Arn::parse(text)
    }
}

impl serde::Serialize for Arn {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Arn {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Arn, D::Error> {
        let text = Text::deserialize(deserializer)?;
        Arn::parse(&text).map_err(serde::de::Error::custom)
    }
}
