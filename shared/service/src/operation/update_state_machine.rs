//! UpdateStateMachine. Executions that run keep the revision that they were started with.

use std::sync::Arc;

use journal::registry::{Change, Published, Updated};
use model::json::Value;
use model::status::StateMachineStatus;

use super::create_state_machine::{DEFINITION, publishing};
use super::qualified::version_arn;
use crate::configuration;
use crate::error::{ApiError, ErrorType};
use crate::name;
use crate::service::Inner;
use crate::wire::{ARN, Answer, read};

pub(super) async fn run(service: &Inner, body: &Value) -> Result<Value, ApiError> {
    let request = read(body, |members| {
        (
            members.required_text("stateMachineArn", &ARN),
            members.text("definition", &DEFINITION),
            members.text("roleArn", &ARN),
            configuration::logging(members),
            configuration::tracing(members),
            publishing(members),
            configuration::encryption(members),
        )
    })?;
    let (text, definition, role_arn, logging, tracing_enabled, publishing, encryption) = request;
    let arn = name::state_machine(&text)?.unlabelled(&text)?;
    let publish = publishing.checked()?;
    let nothing = definition.is_none()
        && role_arn.is_none()
        && logging.is_none()
        && tracing_enabled.is_none()
        && encryption.is_none();
    if nothing {
        return Err(ApiError::nothing_to_update());
    }
    let change = Change {
        definition,
        role_arn: role_arn.map(|role_arn| name::role(&role_arn)).transpose()?,
        logging: logging.map(|logging| logging.check()).transpose()?,
        tracing_enabled,
        encryption: encryption.map(|encryption| encryption.check()).transpose()?,
        publish,
    };
    let machine = service.registry.state_machine(&arn).await?;
    let machine = machine.ok_or_else(|| ApiError::state_machine_does_not_exist(&arn))?;
    if machine.status == StateMachineStatus::Deleting {
        return Err(ApiError::state_machine_deleting(&arn));
    }
    let mut parsed = None;
    if let Some(definition) = &change.definition {
        let found = service.parse(definition, machine.machine_type);
        if let Some(refusal) = found.refusal() {
            return Err(ApiError::new(ErrorType::InvalidDefinition, refusal));
        }
        parsed = found.machine;
    }
    let (id, now) = (service.random_uuid()?, service.clock.now());
    let versions_max = service.limits.versions_max;
    let updated = service.registry.update_state_machine(&arn, &change, &id, versions_max, now).await?;
    let Some(Updated { state_machine, changed, published }) = updated else {
        return Err(ApiError::state_machine_does_not_exist(&arn));
    };
    let version = match published {
        None => None,
        Some(Published::Version(version)) => Some(version_arn(&arn, version.number)),
        Some(Published::TooMany) => return Err(ApiError::quota_exceeded("versions", &arn, versions_max)),
        Some(Published::OtherRevision(_) | Published::DoesNotExist) => {
            return Err(ApiError::internal("an update was answered as if it were a publication"));
        }
    };
    // Another type under the same name: deleted and created anew since it was read.
    if let (Some(parsed), true) = (parsed, changed && state_machine.machine_type == machine.machine_type) {
        service.machines.insert(&arn, &state_machine.current.id, Arc::new(parsed));
    }
    // Nothing new is still an answer with the time of the request, as the service gives it.
    let answer = Answer::new()
        .with_time("updateDate", if changed { state_machine.current.created_at } else { now })
        .with_some("revisionId", state_machine.current.shown_id().cloned())
        .with_some("stateMachineVersionArn", version);
    Ok(answer.into())
}
