//! DeleteStateMachine. Versions and aliases go with it. Deleting what is not there is no error (conformance case
//! `delete_nonexistent_sm`).

use model::json::Value;

use crate::error::ApiError;
use crate::name::{self, Machine};
use crate::service::Inner;
use crate::wire::{ARN, read};

pub(super) async fn run(service: &Inner, body: &Value) -> Result<Value, ApiError> {
    let text = read(body, |members| members.required_text("stateMachineArn", &ARN))?;
    match name::state_machine(&text)? {
        Machine::Of(arn, None) => {
            service.registry.delete_state_machine(&arn).await?;
        }
        qualified => {
            qualified.unlabelled(&text)?;
        }
    }
    Ok(Value::object())
}
