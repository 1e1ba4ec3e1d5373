//! Names and ARNs as requests carry them.

use journal::registry::Qualifier;
use model::arn::{ActivityArn, Arn, ArnError, ExecutionArn, Resource, StateMachineArn};
use model::json::Text;

use crate::error::ApiError;

/// A name that a user chose.
pub(crate) fn checked(name: &str) -> Result<(), ApiError> {
    model::name::check_name(name).map_err(|_| ApiError::invalid_name(name))
}

/// What `stateMachineArn` may name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Machine {
    /// A state machine, or a version or an alias of one.
    Of(StateMachineArn, Option<Qualifier>),
    /// A Map state of one.
    Map,
}

impl Machine {
    /// The state machine itself; operations that are about nothing else answer that versions,
    /// aliases and Map states do not exist.
    pub fn itself(self, arn: &str) -> Result<StateMachineArn, ApiError> {
        match self {
            Machine::Of(arn, None) => Ok(arn),
            Machine::Of(_, Some(_)) | Machine::Map => Err(ApiError::state_machine_does_not_exist(&arn)),
        }
    }

    /// As [`Machine::itself`], for operations that refuse the ARNs of Map states.
    pub fn unlabelled(self, arn: &str) -> Result<StateMachineArn, ApiError> {
        match self {
            Machine::Map => Err(ApiError::labelled_arn()),
            other => other.itself(arn),
        }
    }

    /// The state machine with the version or alias; Map states that nobody made do not exist.
    pub fn qualified(self, arn: &str) -> Result<(StateMachineArn, Option<Qualifier>), ApiError> {
        match self {
            Machine::Of(arn, qualifier) => Ok((arn, qualifier)),
            Machine::Map => Err(ApiError::state_machine_does_not_exist(&arn)),
        }
    }

    /// As [`Machine::qualified`], for operations that refuse the ARNs of Map states.
    pub fn qualified_unlabelled(self, arn: &str) -> Result<(StateMachineArn, Option<Qualifier>), ApiError> {
        match self {
            Machine::Map => Err(ApiError::labelled_arn()),
            other => other.qualified(arn),
        }
    }
}

pub(crate) fn state_machine(text: &str) -> Result<Machine, ApiError> {
    let arn = parsed(text)?;
    let (name, qualifier) = match &arn.resource {
        Resource::StateMachine { name } => (name, None),
        Resource::Version { state_machine, version } => (state_machine, Some(Qualifier::Version(*version))),
        Resource::Alias { state_machine, alias } => (state_machine, Some(Qualifier::Alias(alias.clone()))),
        Resource::MapStateMachine { .. } => return Ok(Machine::Map),
        _ => return Err(wrong_kind(&arn)),
    };
    let machine = StateMachineArn::new(&arn.home, name).map_err(|error| ApiError::invalid_arn(&error))?;
    Ok(Machine::Of(machine, qualifier))
}

/// A version: its state machine and its number.
pub(crate) fn version(text: &str) -> Result<(StateMachineArn, u64), ApiError> {
    match state_machine(text)? {
        Machine::Of(arn, Some(Qualifier::Version(number))) => Ok((arn, number)),
        _ => Err(wrong_kind(&parsed(text)?)),
    }
}

/// An alias: its state machine and its name.
pub(crate) fn alias(text: &str) -> Result<(StateMachineArn, Text), ApiError> {
    match state_machine(text)? {
        Machine::Of(arn, Some(Qualifier::Alias(name))) => Ok((arn, name)),
        _ => Err(wrong_kind(&parsed(text)?)),
    }
}

/// A Standard execution: Express executions have no place in the operations that take one.
pub(crate) fn execution(text: &str) -> Result<ExecutionArn, ApiError> {
    let arn = parsed(text)?;
    match arn.resource {
        Resource::Execution { .. } | Resource::MapExecution { .. } => {
            ExecutionArn::parse(text).map_err(|error| ApiError::invalid_arn(&error))
        }
        _ => Err(wrong_kind(&arn)),
    }
}

pub(crate) fn activity(text: &str) -> Result<ActivityArn, ApiError> {
    ActivityArn::parse(text).map_err(|error| ApiError::invalid_arn(&error))
}

pub(crate) fn parsed(text: &str) -> Result<Arn, ApiError> {
    Arn::parse(text).map_err(|error| ApiError::invalid_arn(&error))
}

pub(crate) fn wrong_kind(arn: &Arn) -> ApiError {
    ApiError::invalid_arn(&ArnError::Kind(arn.resource.type_name().into()))
}

/// A role: `arn:<partition>:iam::<account>:role/<path and name>`.
pub(crate) fn role(text: &str) -> Result<Text, ApiError> {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let fine = match parts[..] {
        ["arn", partition, "iam", "", account, resource] => {
            partition.starts_with("aws")
                && account.len() == 12
                && account.bytes().all(|b| b.is_ascii_digit())
                && resource.strip_prefix("role/").is_some_and(|name| {
                    !name.is_empty()
                        && !name.ends_with('/')
                        && !name.contains(|c: char| c.is_whitespace() || c == ':')
                })
        }
        _ => false,
    };
    if fine { Ok(text.into()) } else { Err(ApiError::invalid_role_arn(text)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: &str = "arn:aws:states:us-east-1:123456789012";

    #[test]
    fn arns_in_the_services_words() {
        let message = |result: Result<(), ApiError>| result.map_err(|error| error.message);
        let invalid = |reason: &str| Err(format!("Invalid Arn: '{reason}'"));
        let machine = |text: &str| message(state_machine(text).map(drop));
        let run = |text: &str| message(execution(text).map(drop));
        let work = |text: &str| message(activity(text).map(drop));
        assert_eq!(machine("nonsense"), invalid("Invalid ARN prefix: nonsense"));
        assert_eq!(
            machine(&format!("{HOME}:execution:m:e")),
            invalid("Resource type not valid in this context: execution")
        );
        assert_eq!(
            run(&format!("{HOME}:express:m:e:1")),
            invalid("Resource type not valid in this context: express")
        );
        assert_eq!(
            run(&format!("{HOME}:stateMachine:m")),
            invalid("Resource type not valid in this context: stateMachine")
        );
        assert_eq!(
            work(&format!("{HOME}:stateMachine:m")),
            invalid("Resource type not valid in this context: stateMachine")
        );
        assert_eq!(machine(&format!("{HOME}:stateMachine:m:7")), Ok(()));
        for wrong in ["m", "m:a", "m/label"] {
            assert_eq!(
                message(version(&format!("{HOME}:stateMachine:{wrong}")).map(drop)),
                invalid("Resource type not valid in this context: stateMachine")
            );
        }
        for wrong in ["m", "m:1", "m/label"] {
            assert_eq!(
                message(alias(&format!("{HOME}:stateMachine:{wrong}")).map(drop)),
                invalid("Resource type not valid in this context: stateMachine")
            );
        }
        let arn = StateMachineArn::parse(&format!("{HOME}:stateMachine:m")).unwrap();
        assert_eq!(version(&format!("{HOME}:stateMachine:m:7")), Ok((arn.clone(), 7)));
        assert_eq!(alias(&format!("{HOME}:stateMachine:m:a7")), Ok((arn, "a7".into())));
        assert_eq!(run(&format!("{HOME}:execution:m/label:e")), Ok(()));
        assert_eq!(work(&format!("{HOME}:activity:a")), Ok(()));
    }

    #[test]
    fn roles() {
        for fine in
            ["arn:aws:iam::123456789012:role/r", "arn:aws-cn:iam::123456789012:role/service-role/r+=,.@-_"]
        {
            assert_eq!(role(fine).as_deref(), Ok(fine));
        }
        for refused in [
            "role",
            "arn:aws:iam::123456789012:user/r",
            "arn:aws:iam::123456789012:role/",
            "arn:aws:iam::12345678901:role/r",
            "arn:aws:iam:us-east-1:123456789012:role/r",
            "arn:aws:iam::123456789012:role/a b",
            "arn:aws:states::123456789012:role/r",
        ] {
            let message = format!("Invalid Role Arn: '{refused}'");
            assert_eq!(role(refused), Err(ApiError::new(crate::ErrorType::InvalidArn, message)));
        }
    }
}
