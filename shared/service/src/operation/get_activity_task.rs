//! GetActivityTask: a long poll.

use std::sync::Arc;
use std::time::Duration;

use driver::Delivered;
use engine::Input;
use integrations::activity::{ActivityTask, queue_name};
use model::arn::ActivityArn;
use model::json::Value;
use model::limits::ACTIVITY_POLL_SECONDS;
use ports::{Queue, QueueError};

use super::activity::queue_settings;
use crate::error::ApiError;
use crate::name;
use crate::service::Inner;
use crate::wire::{ARN, Answer, NAME, read};

/// The worker has a task once the execution knows so; then its message goes. A caller that goes
/// away before leaves the message, which comes back; one that goes away after is a worker that
/// does not answer, and the task's own times decide.
pub(super) async fn run(service: &Inner, body: &Value) -> Result<Value, ApiError> {
    let (text, worker) = read(body, |members| {
        (members.required_text("activityArn", &ARN), members.text("workerName", &NAME))
    })?;
    let arn = name::activity(&text)?;
    if let Some(worker) = &worker {
        name::checked(worker)?;
    }
    if !service.registry.activity_exists(&arn).await? {
        return Err(ApiError::activity_does_not_exist(&arn));
    }
    let Some(_poll) = service.polls.open(&arn) else { return Err(ApiError::activity_workers(&arn)) };
    let queue = queue(service, &arn).await?;
    let until = service.clock.now().plus_seconds(ACTIVITY_POLL_SECONDS);
    loop {
        let left = until.millis_since(service.clock.now()).max(0);
        let wait = Duration::from_millis(left.unsigned_abs());
        for message in queue.receive(1, wait).await? {
            let Some(task) = ActivityTask::decode(&message.body) else {
                tracing::warn!(activity = arn.as_str(), "a message of the activity's queue cannot be read");
                queue.delete(&[message.receipt]).await?;
                continue;
            };
            let input = Input::TaskStarted { effect: task.effect, worker: worker.clone() };
            let delivered = service.door.deliver(&task.execution, input).await?;
            let deleted = queue.delete(&[message.receipt]).await;
            if let Delivered::Accepted { .. } = delivered {
                // The worker has it, also when the message comes once more: it is refused then.
                let answer = Answer::new()
                    .with("taskToken", task.token.text().clone())
                    .with("input", task.input.to_json());
                return Ok(answer.into());
            }
            deleted?;
        }
        if service.clock.now() >= until {
            return Ok(Answer::new().with("taskToken", Value::Null).with("input", Value::Null).into());
        }
    }
}

/// The queue of an activity that exists.
async fn queue(service: &Inner, arn: &ActivityArn) -> Result<Arc<dyn Queue>, ApiError> {
    let name = queue_name(arn.as_str());
    match service.queues.open(&name).await {
        // Lost between a delete and a create that came at once.
        Err(QueueError::Missing(_)) => Ok(service.queues.create(&name, queue_settings()).await?),
        opened => Ok(opened?),
    }
}
