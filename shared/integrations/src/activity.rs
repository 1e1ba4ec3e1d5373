//! Activities: tasks that wait in a queue of their own until a worker takes them.

use std::sync::Arc;
use std::time::Duration;

use asl::state::Resource;
use bytes::Bytes;
use engine::{Call, EffectId, Execution, Stage, TaskOutcome, TaskToken};
use model::arn::ExecutionArn;
use model::error::{Failure, RUNTIME, TASK_FAILED};
use model::json::Value;
use model::timestamp::Timestamp;
use ports::{QueueError, Queues};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::tasks::{Answer, Answering, Cancelling, Job, NotCallable, Polling, Tasks};

/// Version of the stored form of [`ActivityTask`].
const FORMAT: u8 = 1;
/// How often a queue that is busy is tried, with a pause that doubles from [`PAUSE`].
const ATTEMPTS: u32 = 8;
const PAUSE: Duration = Duration::from_millis(50);

/// The queue of the tasks of an activity: named by a hash, since the names of activities may have
/// characters that those of queues may not.
pub fn queue_name(activity_arn: &str) -> String {
    let hash = Sha256::digest(activity_arn.as_bytes());
    hash[..16].iter().fold("activity-".to_owned(), |name, byte| format!("{name}{byte:02x}"))
}

/// A task as it waits for a worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ActivityTask {
    /// Whose it is.
    pub execution: ExecutionArn,
    /// Which call of it.
    pub effect: EffectId,
    /// What the worker answers with.
    pub token: TaskToken,
    /// What the worker gets.
    pub input: Value,
}

impl ActivityTask {
    /// The message.
    pub fn encode(&self) -> Bytes {
        let mut out = vec![FORMAT];
        rmp_serde::encode::write(&mut out, self).expect("a task is what MessagePack can write");
        out.into()
    }

    /// Reads a message; nothing when it is not one of this version.
    pub fn decode(bytes: &[u8]) -> Option<ActivityTask> {
        match bytes {
            [FORMAT, rest @ ..] => rmp_serde::from_slice(rest).ok(),
            _ => None,
        }
    }
}

/// Puts the tasks of activities on their queues, and leaves every other call to another.
pub struct Activities {
    queues: Arc<dyn Queues>,
    otherwise: Arc<dyn Tasks>,
}

impl Activities {
    /// Activities on `queues`; `otherwise` performs what is none.
    pub fn new(queues: Arc<dyn Queues>, otherwise: Arc<dyn Tasks>) -> Activities {
        Activities { queues, otherwise }
    }

    async fn offer(&self, arn: &str, call: &Call, execution: &Execution) -> Answer {
        let (Some(token), Ok(execution)) = (&call.token, ExecutionArn::parse(&execution.arn)) else {
            return failed(
                RUNTIME,
                "the task of an activity needs a token and a stored execution".to_owned(),
            );
        };
        let task = ActivityTask {
            execution,
            effect: call.effect,
            token: token.clone(),
            input: call.parameters.clone(),
        };
        let body = task.encode();
        let mut pause = PAUSE;
        let mut attempt = 1;
        loop {
            let sent = match self.queues.open(&queue_name(arn)).await {
                Ok(queue) => queue.send(body.clone(), Duration::ZERO).await,
                Err(error) => Err(error),
            };
            match sent {
                Ok(()) => return Answer::Queued,
                Err(QueueError::Missing(_)) => {
                    return failed(RUNTIME, format!("The activity {arn} does not exist."));
                }
                Err(error @ QueueError::Refused(_)) => return failed(RUNTIME, error.to_string()),
                Err(error) if attempt == ATTEMPTS => return failed(TASK_FAILED, error.to_string()),
                Err(_) => {}
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
            attempt += 1;
        }
    }
}

fn failed(error: &'static str, cause: String) -> Answer {
    let failure = Failure::new(error, cause);
    Answer::Settled(TaskOutcome::Failed { stage: Stage::Schedule, failure })
}

impl Tasks for Activities {
    fn callable(&self, state: &str, resource: &Resource) -> Result<(), NotCallable> {
        match resource {
            Resource::Activity { .. } => Ok(()),
            _ => self.otherwise.callable(state, resource),
        }
    }

    fn is_repeatable(&self, call: &Call) -> bool {
        match call.resource {
            // A second message about the same task finds it taken.
            Resource::Activity { .. } => true,
            _ => self.otherwise.is_repeatable(call),
        }
    }

    fn call<'a>(&'a self, call: &'a Call, execution: &'a Execution) -> Answering<'a> {
        match &call.resource {
            Resource::Activity { arn } => Box::pin(self.offer(arn, call, execution)),
            _ => self.otherwise.call(call, execution),
        }
    }

    fn poll<'a>(&'a self, job: &'a Job, execution: &'a Execution) -> Polling<'a> {
        self.otherwise.poll(job, execution)
    }

    fn next_poll(&self, job: &Job, after: Timestamp) -> Timestamp {
        self.otherwise.next_poll(job, after)
    }

    fn cancel<'a>(&'a self, job: &'a Job, execution: &'a Execution) -> Cancelling<'a> {
        self.otherwise.cancel(job, execution)
    }
}
