//! CreateStateMachine.

use std::sync::Arc;

use journal::registry::{NewStateMachine, Outcome, Publish};
use model::arn::StateMachineArn;
use model::json::{Text, Value};
use model::limits::TAGS_MAX;
use model::status::StateMachineStatus;

use super::qualified::version_arn;
use crate::configuration::{self, checked_tags};
use crate::error::{ApiError, ErrorType};
use crate::name;
use crate::service::Inner;
use crate::wire::{ARN, Answer, Members, NAME, Rule, read, text};

/// Longer definitions are measured in bytes where they are parsed.
pub(super) const DEFINITION: Rule = text(1, usize::MAX).sensitive();
/// The number of the version that a state machine is created with.
const FIRST_VERSION: u64 = 1;
pub(super) const DESCRIPTION: Rule = text(0, model::limits::DESCRIPTION_CHARS_MAX).sensitive();

pub(super) async fn run(service: &Inner, body: &Value) -> Result<Value, ApiError> {
    let request = read(body, |members| {
        (
            members.required_text("name", &NAME),
            members.required_text("definition", &DEFINITION),
            members.required_text("roleArn", &ARN),
            configuration::machine_type(members),
            configuration::logging(members),
            configuration::tags(members),
            configuration::tracing(members),
            publishing(members),
            configuration::encryption(members),
        )
    })?;
    let (name, definition, role_arn, machine_type, logging, tags, tracing, publishing, encryption) = request;
    name::checked(&name)?;
    let role_arn = name::role(&role_arn)?;
    let publish = publishing.checked()?;
    let logging = logging.map(|logging| logging.check()).transpose()?.unwrap_or_default();
    let encryption = encryption.map(|encryption| encryption.check()).transpose()?;
    let tags = checked_tags(tags.unwrap_or_default())?;
    let arn = StateMachineArn::new(service.home(), &name).map_err(|error| ApiError::invalid_arn(&error))?;
    if tags.len() > TAGS_MAX {
        return Err(ApiError::too_many_tags(&arn, TAGS_MAX));
    }
    let parsed = service.parse(&definition, machine_type);
    let machine = match (parsed.refusal(), parsed.machine) {
        (Some(refusal), _) => return Err(ApiError::new(ErrorType::InvalidDefinition, refusal)),
        (None, Some(machine)) => machine,
        (None, None) => return Err(ApiError::internal("a definition without errors is no machine")),
    };
    let new = NewStateMachine {
        arn,
        machine_type,
        definition,
        role_arn,
        logging,
        tracing_enabled: tracing.unwrap_or(false),
        encryption,
        tags,
        publish,
        revision_id: service.random_uuid()?,
        now: service.clock.now(),
    };
    let created = match service.registry.create_state_machine(new.clone()).await? {
        Outcome::Created(created) => {
            service.machines.insert(&created.arn, &created.current.id, Arc::new(machine));
            created
        }
        Outcome::Exists(existing) if existing.status == StateMachineStatus::Deleting => {
            return Err(ApiError::state_machine_deleting(&existing.arn));
        }
        Outcome::Exists(existing) if new.is_again(&existing) => existing,
        Outcome::Exists(existing) => return Err(ApiError::state_machine_already_exists(&existing.arn)),
    };
    let version = created.created_with.is_some().then(|| version_arn(&created.arn, FIRST_VERSION));
    let answer = Answer::new()
        .with("stateMachineArn", created.arn)
        .with_time("creationDate", created.created_at)
        .with_some("stateMachineVersionArn", version);
    Ok(answer.into())
}

/// `publish` and `versionDescription`.
pub(super) struct Publishing {
    publish: bool,
    description: Option<Text>,
}

pub(super) fn publishing(members: &Members<'_>) -> Publishing {
    Publishing {
        publish: members.boolean("publish").unwrap_or(false),
        description: members.text("versionDescription", &DESCRIPTION),
    }
}

impl Publishing {
    /// The version that is wanted, if one is.
    pub fn checked(self) -> Result<Option<Publish>, ApiError> {
        match self {
            Publishing { publish: true, description } => Ok(Some(Publish { description })),
            Publishing { publish: false, description: None } => Ok(None),
            Publishing { publish: false, description: Some(_) } => {
                Err(ApiError::validation("Version description can only be set when publish is true"))
            }
        }
    }
}
