//! CreateStateMachine.

use std::sync::Arc;

use journal::registry::{NewStateMachine, Outcome};
use model::arn::StateMachineArn;
use model::json::{Text, Value};
use model::limits::TAGS_MAX;
use model::status::StateMachineStatus;

use crate::configuration::{self, checked_tags};
use crate::error::{ApiError, ErrorType};
use crate::name;
use crate::service::Inner;
use crate::wire::{ARN, Answer, Members, NAME, Rule, read, text};

/// Longer definitions are measured in bytes where they are parsed.
pub(super) const DEFINITION: Rule = text(1, usize::MAX).sensitive();
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
    publishing.check()?;
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
    let answer =
        Answer::new().with("stateMachineArn", created.arn).with_time("creationDate", created.created_at);
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
    pub fn check(&self) -> Result<(), ApiError> {
        match self {
            Publishing { publish: true, .. } => Err(ApiError::not_implemented("Publishing a version")),
            Publishing { description: Some(_), .. } => {
                Err(ApiError::validation("Version description can only be set when publish is true"))
            }
            Publishing { publish: false, description: None } => Ok(()),
        }
    }
}
