//! StopExecution.

use driver::Delivered;
use engine::Input;
use model::error::Failure;
use model::json::Value;
use model::limits::{CAUSE_CHARS_MAX, ERROR_CHARS_MAX};

use crate::error::ApiError;
use crate::name;
use crate::service::Inner;
use crate::wire::{ARN, Answer, Members, Rule, read, text};

const ERROR: Rule = text(0, ERROR_CHARS_MAX).sensitive();
const CAUSE: Rule = text(0, CAUSE_CHARS_MAX).sensitive();

/// `error` and `cause`.
pub(super) fn failure(members: &Members<'_>) -> Failure {
    Failure { error: members.text("error", &ERROR), cause: members.text("cause", &CAUSE) }
}

/// Stopping an execution that has ended changes nothing, and answers when it ended.
pub(super) async fn run(service: &Inner, body: &Value) -> Result<Value, ApiError> {
    let (text, failure) =
        read(body, |members| (members.required_text("executionArn", &ARN), failure(members)))?;
    let arn = name::execution(&text)?;
    match service.door.deliver(&arn, Input::Stop { failure }).await? {
        Delivered::Accepted { at } | Delivered::Ended { at } => {
            Ok(Answer::new().with_time("stopDate", at).into())
        }
        Delivered::DoesNotExist => Err(ApiError::execution_does_not_exist(&arn)),
        Delivered::NoSuchTask | Delivered::AlreadyStarted => {
            Err(ApiError::internal("a stop was answered as if it were about a task"))
        }
    }
}
