//! The events of a task: three families of them, by what is called.

use asl::state::Resource;
use model::error::Failure;
use model::history::{
    ActivityScheduled, ActivityStarted, Event, LambdaFunctionScheduled, Output, TaskCredentials, TaskFailed,
    TaskOutput, TaskScheduled, TaskStarted,
};
use model::json::{Text, Value};

use crate::input::Stage;

/// What a task is scheduled with.
pub(crate) struct Scheduled<'s> {
    pub resource: &'s Resource,
    pub region: &'s Text,
    pub parameters: &'s Value,
    pub timeout_seconds: Option<i64>,
    pub heartbeat_seconds: Option<i64>,
    pub role_arn: Option<&'s Text>,
}

pub(crate) fn scheduled(scheduled: &Scheduled<'_>) -> Event {
    let parameters = scheduled.parameters.clone();
    let task_credentials = scheduled.role_arn.map(|role_arn| TaskCredentials { role_arn: role_arn.clone() });
    match scheduled.resource {
        Resource::Lambda { arn } => Event::LambdaFunctionScheduled(LambdaFunctionScheduled {
            resource: arn.clone(),
            input: parameters,
            timeout_in_seconds: scheduled.timeout_seconds,
            task_credentials,
        }),
        Resource::Activity { arn } => Event::ActivityScheduled(ActivityScheduled {
            resource: arn.clone(),
            input: parameters,
            timeout_in_seconds: scheduled.timeout_seconds,
            heartbeat_in_seconds: scheduled.heartbeat_seconds,
        }),
        Resource::Integration { .. } => {
            let (resource_type, resource) = names(scheduled.resource);
            Event::TaskScheduled(TaskScheduled {
                resource_type,
                resource,
                region: scheduled.region.clone(),
                parameters,
                timeout_in_seconds: scheduled.timeout_seconds,
                heartbeat_in_seconds: scheduled.heartbeat_seconds,
                task_credentials,
            })
        }
    }
}

pub(crate) fn started(resource: &Resource, worker: Option<Text>) -> Event {
    match resource {
        Resource::Lambda { .. } => Event::LambdaFunctionStarted,
        Resource::Activity { .. } => Event::ActivityStarted(ActivityStarted { worker_name: worker }),
        Resource::Integration { .. } => {
            let (resource_type, resource) = names(resource);
            Event::TaskStarted(TaskStarted { resource_type, resource })
        }
    }
}

pub(crate) fn submitted(resource: &Resource, output: Value) -> Event {
    let (resource_type, resource) = names(resource);
    Event::TaskSubmitted(TaskOutput { resource_type, resource, output })
}

pub(crate) fn succeeded(resource: &Resource, output: Value) -> Event {
    match resource {
        Resource::Lambda { .. } => Event::LambdaFunctionSucceeded(Output { output }),
        Resource::Activity { .. } => Event::ActivitySucceeded(Output { output }),
        Resource::Integration { .. } => {
            let (resource_type, resource) = names(resource);
            Event::TaskSucceeded(TaskOutput { resource_type, resource, output })
        }
    }
}

pub(crate) fn failed(resource: &Resource, stage: Stage, failure: Failure) -> Event {
    match (resource, stage) {
        (Resource::Lambda { .. }, Stage::Schedule) => Event::LambdaFunctionScheduleFailed(failure),
        (Resource::Lambda { .. }, Stage::Start | Stage::Submit) => Event::LambdaFunctionStartFailed(failure),
        (Resource::Lambda { .. }, Stage::Run) => Event::LambdaFunctionFailed(failure),
        (Resource::Activity { .. }, Stage::Schedule | Stage::Start | Stage::Submit) => {
            Event::ActivityScheduleFailed(failure)
        }
        (Resource::Activity { .. }, Stage::Run) => Event::ActivityFailed(failure),
        (Resource::Integration { .. }, Stage::Schedule | Stage::Start) => {
            Event::TaskStartFailed(task_failed(resource, failure))
        }
        (Resource::Integration { .. }, Stage::Submit) => {
            Event::TaskSubmitFailed(task_failed(resource, failure))
        }
        (Resource::Integration { .. }, Stage::Run) => Event::TaskFailed(task_failed(resource, failure)),
    }
}

pub(crate) fn timed_out(resource: &Resource, failure: Failure) -> Event {
    match resource {
        Resource::Lambda { .. } => Event::LambdaFunctionTimedOut(failure),
        Resource::Activity { .. } => Event::ActivityTimedOut(failure),
        Resource::Integration { .. } => Event::TaskTimedOut(task_failed(resource, failure)),
    }
}

/// What the message about an oversized result calls the task: the function's ARN, or the service.
pub(crate) fn limit_name(resource: &Resource) -> &str {
    match resource {
        Resource::Lambda { arn } | Resource::Activity { arn } => arn,
        Resource::Integration { service, .. } => service,
    }
}

fn task_failed(resource: &Resource, failure: Failure) -> TaskFailed {
    let (resource_type, resource) = names(resource);
    TaskFailed { resource_type, resource, error: failure.error, cause: failure.cause }
}

/// `resourceType` and `resource`: `lambda` and `invoke.waitForTaskToken`.
fn names(resource: &Resource) -> (Text, Text) {
    match resource {
        Resource::Lambda { arn } => (Text::new_static("lambda"), arn.clone()),
        Resource::Activity { arn } => (Text::new_static("activity"), arn.clone()),
        Resource::Integration { service, action, pattern, .. } => {
            let resource = match pattern.suffix() {
                "" => action.clone(),
                suffix => Text::from(format!("{action}{suffix}")),
            };
            (service.clone(), resource)
        }
    }
}
