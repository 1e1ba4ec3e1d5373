//! SendTaskSuccess, SendTaskFailure, SendTaskHeartbeat.

use driver::Delivered;
use engine::{Input, TaskOutcome, TaskToken};
use model::arn::ExecutionArn;
use model::json::{Text, Value};
use model::limits::TASK_TOKEN_CHARS_MAX;

use super::stop_execution;
use crate::error::ApiError;
use crate::service::Inner;
use crate::wire::{Members, Rule, payload, read, text};

const TOKEN: Rule = text(1, TASK_TOKEN_CHARS_MAX);
const OUTPUT: Rule = payload();

fn token(members: &Members<'_>) -> Text {
    members.required_text("taskToken", &TOKEN)
}

pub(super) async fn success(service: &Inner, body: &Value) -> Result<Value, ApiError> {
    let (token, output) = read(body, |members| (token(members), members.required_text("output", &OUTPUT)))?;
    if service.limits.payload_bytes_max.is_some_and(|bytes_max| output.len() > bytes_max) {
        return Err(ApiError::invalid_output(
            "The output exceeds the maximum number of bytes service limit.",
        ));
    }
    let output = Value::parse(&output).map_err(|error| ApiError::invalid_output(&error.message))?;
    settle(service, &token, TaskOutcome::Succeeded(output)).await
}

pub(super) async fn failure(service: &Inner, body: &Value) -> Result<Value, ApiError> {
    let (token, failure) = read(body, |members| (token(members), stop_execution::failure(members)))?;
    settle(service, &token, TaskOutcome::failed(failure)).await
}

pub(super) async fn heartbeat(service: &Inner, body: &Value) -> Result<Value, ApiError> {
    let (token, _) = parsed(&read(body, token)?)?;
    answer(service.door.heartbeat(&token).await?)
}

async fn settle(service: &Inner, token: &str, outcome: TaskOutcome) -> Result<Value, ApiError> {
    let (token, execution) = parsed(token)?;
    answer(service.door.deliver(&execution, Input::Callback { token, outcome }).await?)
}

fn parsed(token: &str) -> Result<(TaskToken, ExecutionArn), ApiError> {
    let token = TaskToken::parse(token).ok_or_else(ApiError::invalid_token)?;
    let execution = ExecutionArn::parse(token.execution_arn()).map_err(|_| ApiError::invalid_token())?;
    Ok((token, execution))
}

fn answer(delivered: Delivered) -> Result<Value, ApiError> {
    match delivered {
        Delivered::Accepted { .. } => Ok(Value::object()),
        Delivered::NoSuchTask | Delivered::AlreadyStarted | Delivered::Ended { .. } => {
            Err(ApiError::task_timed_out())
        }
        Delivered::DoesNotExist => Err(ApiError::task_does_not_exist()),
    }
}
