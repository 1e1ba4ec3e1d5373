//! The execution history: what GetExecutionHistory returns, one [`HistoryEvent`] per entry.
//!
//! An [`Event`] is one of the 62 types of the API with its details. Payloads are shared values;
//! they become JSON text only when an event is shown ([`HistoryEvent::to_api`]) or stored. The
//! serde form is for storing: the variant's name over its details, payloads as JSON text, so that
//! what the record is written in sets no bounds to them. Every member is written, also an absent
//! one, so that the members may be stored by place instead of by name.

mod details;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::error::Failure;
use crate::json::{Text, Value};
use crate::timestamp::Timestamp;

use details::Details;
pub use details::{
    ActivityScheduled, ActivityStarted, EvaluationFailed, ExecutionRedriven, ExecutionStarted,
    LambdaFunctionScheduled, MapIteration, MapRunRedriven, MapRunStarted, MapStateStarted, Output,
    StateEntered, StateExited, TaskCredentials, TaskFailed, TaskOutput, TaskScheduled, TaskStarted,
};

/// One entry of an execution's history.
///
/// Source: API reference, data type HistoryEvent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HistoryEvent {
    /// Place in the history: from 1, without gaps.
    pub id: u64,
    /// The event that led to this one; 0 for ExecutionStarted, for the first state's entry, and
    /// for an end that came from outside (StopExecution, the execution's own timeout).
    pub previous_event_id: u64,
    /// When it happened.
    pub timestamp: Timestamp,
    /// What happened.
    pub event: Event,
}

impl HistoryEvent {
    /// The element of `events` in the answer of GetExecutionHistory: `timestamp` (epoch
    /// seconds), `type`, `id`, `previousEventId` and the details object, whose payloads are
    /// JSON text. Without `include_execution_data` the payloads are left out.
    pub fn to_api(&self, include_execution_data: bool) -> Value {
        let id = |id: u64| Value::from(i64::try_from(id).unwrap_or(i64::MAX));
        let head = [
            ("timestamp", Value::from(self.timestamp.epoch_seconds())),
            ("type", Value::from(Text::new_static(self.event.type_name()))),
            ("id", id(self.id)),
            ("previousEventId", id(self.previous_event_id)),
        ];
        let details = self.event.details_key().zip(self.event.details(include_execution_data));
        head.into_iter().chain(details).map(|(name, value)| (Text::new_static(name), value)).collect()
    }
}

/// Declares [`Event`] and what is known of each variant. A variant is
/// `Name`, or `Name(details: Struct, "key of the details object")`.
macro_rules! events {
    ($($(#[$doc:meta])* $name:ident $(($details:ident: $type:ty, $key:literal))?,)*) => {
        /// What happened, named as the API's `type`. Alphabetical, grouped by what it is about.
        ///
        /// Source: API reference, data type HistoryEvent.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        pub enum Event {
            $($(#[$doc])* $name $(($type))?,)*
        }

        /// The names of all 62 types.
        pub const TYPE_NAMES: [&str; 62] = [$(stringify!($name)),*];

        impl Event {
            /// The API's `type`.
            pub fn type_name(&self) -> &'static str {
                match self {
                    $(Event::$name { .. } => stringify!($name),)*
                }
            }

            /// The member of the API's event that holds the details: `stateEnteredEventDetails`.
            /// `None` for types without details.
            pub fn details_key(&self) -> Option<&'static str> {
                match self {
                    $(Event::$name { .. } => optional!($($key)?),)*
                }
            }

            /// The details object as the API and the logs show it: payloads as JSON text, or
            /// left out without `include_execution_data`. `None` for types without details.
            pub fn details(&self, include_execution_data: bool) -> Option<Value> {
                match self {
                    $(Event::$name $(($details))? => optional!($($details.render(include_execution_data))?),)*
                }
            }
        }
    };
}

macro_rules! optional {
    () => {
        None
    };
    ($value:expr) => {
        Some($value)
    };
}

impl HistoryEvent {
    /// Shows `visit` every payload of the event: input, output, parameters, and the assigned
    /// variables as one object. What it puts in the place of one may be any value; only with the
    /// payloads back is the event itself again.
    pub fn visit_payloads(&mut self, visit: &mut dyn FnMut(&mut Value)) {
        match &mut self.event {
            Event::ActivityScheduled(ActivityScheduled { input, .. })
            | Event::ExecutionStarted(ExecutionStarted { input, .. })
            | Event::LambdaFunctionScheduled(LambdaFunctionScheduled { input, .. })
            | Event::ChoiceStateEntered(StateEntered { input, .. })
            | Event::FailStateEntered(StateEntered { input, .. })
            | Event::MapStateEntered(StateEntered { input, .. })
            | Event::ParallelStateEntered(StateEntered { input, .. })
            | Event::PassStateEntered(StateEntered { input, .. })
            | Event::SucceedStateEntered(StateEntered { input, .. })
            | Event::TaskStateEntered(StateEntered { input, .. })
            | Event::WaitStateEntered(StateEntered { input, .. }) => visit(input),

            Event::ActivitySucceeded(Output { output })
            | Event::ExecutionSucceeded(Output { output })
            | Event::LambdaFunctionSucceeded(Output { output })
            | Event::TaskSubmitted(TaskOutput { output, .. })
            | Event::TaskSucceeded(TaskOutput { output, .. }) => visit(output),

            Event::ChoiceStateExited(exited)
            | Event::MapStateExited(exited)
            | Event::ParallelStateExited(exited)
            | Event::PassStateExited(exited)
            | Event::SucceedStateExited(exited)
            | Event::TaskStateExited(exited)
            | Event::WaitStateExited(exited) => {
                visit(&mut exited.output);
                exited.assigned_variables.iter_mut().for_each(visit);
            }

            Event::TaskScheduled(TaskScheduled { parameters, .. }) => visit(parameters),

            Event::ActivityFailed(_)
            | Event::ActivityScheduleFailed(_)
            | Event::ActivityStarted(_)
            | Event::ActivityTimedOut(_)
            | Event::EvaluationFailed(_)
            | Event::ExecutionAborted(_)
            | Event::ExecutionFailed(_)
            | Event::ExecutionRedriven(_)
            | Event::ExecutionTimedOut(_)
            | Event::LambdaFunctionFailed(_)
            | Event::LambdaFunctionScheduleFailed(_)
            | Event::LambdaFunctionStarted
            | Event::LambdaFunctionStartFailed(_)
            | Event::LambdaFunctionTimedOut(_)
            | Event::MapIterationAborted(_)
            | Event::MapIterationFailed(_)
            | Event::MapIterationStarted(_)
            | Event::MapIterationSucceeded(_)
            | Event::MapRunAborted
            | Event::MapRunFailed(_)
            | Event::MapRunRedriven(_)
            | Event::MapRunStarted(_)
            | Event::MapRunSucceeded
            | Event::MapStateAborted
            | Event::MapStateFailed
            | Event::MapStateStarted(_)
            | Event::MapStateSucceeded
            | Event::ParallelStateAborted
            | Event::ParallelStateFailed
            | Event::ParallelStateStarted
            | Event::ParallelStateSucceeded
            | Event::TaskFailed(_)
            | Event::TaskStarted(_)
            | Event::TaskStartFailed(_)
            | Event::TaskStateAborted
            | Event::TaskSubmitFailed(_)
            | Event::TaskTimedOut(_)
            | Event::WaitStateAborted => {}
        }
    }
}

events! {
    /// The worker reported a failure.
    ActivityFailed(details: Failure, "activityFailedEventDetails"),
    /// A task waits for a worker.
    ActivityScheduled(details: ActivityScheduled, "activityScheduledEventDetails"),
    /// The task could not be scheduled: the activity does not exist.
    ActivityScheduleFailed(details: Failure, "activityScheduleFailedEventDetails"),
    /// A worker took the task.
    ActivityStarted(details: ActivityStarted, "activityStartedEventDetails"),
    /// The worker reported a result.
    ActivitySucceeded(details: Output, "activitySucceededEventDetails"),
    /// The worker took too long or missed a heartbeat.
    ActivityTimedOut(details: Failure, "activityTimedOutEventDetails"),

    /// A Choice state was entered.
    ChoiceStateEntered(details: StateEntered, "stateEnteredEventDetails"),
    /// A Choice state chose.
    ChoiceStateExited(details: StateExited, "stateExitedEventDetails"),

    /// A JSONata expression failed.
    EvaluationFailed(details: EvaluationFailed, "evaluationFailedEventDetails"),

    /// StopExecution ended the execution.
    ExecutionAborted(details: Failure, "executionAbortedEventDetails"),
    /// The execution failed.
    ExecutionFailed(details: Failure, "executionFailedEventDetails"),
    /// RedriveExecution began the execution again.
    ExecutionRedriven(details: ExecutionRedriven, "executionRedrivenEventDetails"),
    /// The execution began.
    ExecutionStarted(details: ExecutionStarted, "executionStartedEventDetails"),
    /// The execution reached an end.
    ExecutionSucceeded(details: Output, "executionSucceededEventDetails"),
    /// The execution used up its `TimeoutSeconds`.
    ExecutionTimedOut(details: Failure, "executionTimedOutEventDetails"),

    /// A Fail state was entered.
    FailStateEntered(details: StateEntered, "stateEnteredEventDetails"),

    /// The function raised an error or could not be run.
    LambdaFunctionFailed(details: Failure, "lambdaFunctionFailedEventDetails"),
    /// A function is about to be called.
    LambdaFunctionScheduled(details: LambdaFunctionScheduled, "lambdaFunctionScheduledEventDetails"),
    /// The call could not be scheduled.
    LambdaFunctionScheduleFailed(details: Failure, "lambdaFunctionScheduleFailedEventDetails"),
    /// The function was called.
    LambdaFunctionStarted,
    /// The function could not be called.
    LambdaFunctionStartFailed(details: Failure, "lambdaFunctionStartFailedEventDetails"),
    /// The function returned.
    LambdaFunctionSucceeded(details: Output, "lambdaFunctionSucceededEventDetails"),
    /// The function took longer than `TimeoutSeconds`.
    LambdaFunctionTimedOut(details: Failure, "lambdaFunctionTimedOutEventDetails"),

    /// Another iteration failed or the execution ended, so this one was given up.
    MapIterationAborted(details: MapIteration, "mapIterationAbortedEventDetails"),
    /// A state of the iteration failed.
    MapIterationFailed(details: MapIteration, "mapIterationFailedEventDetails"),
    /// An iteration of an inline Map began.
    MapIterationStarted(details: MapIteration, "mapIterationStartedEventDetails"),
    /// The iteration reached an end.
    MapIterationSucceeded(details: MapIteration, "mapIterationSucceededEventDetails"),

    /// The Map Run was given up with its execution.
    MapRunAborted,
    /// The Map Run failed.
    MapRunFailed(details: Failure, "mapRunFailedEventDetails"),
    /// The Map Run began again.
    MapRunRedriven(details: MapRunRedriven, "mapRunRedrivenEventDetails"),
    /// A distributed Map began its run.
    MapRunStarted(details: MapRunStarted, "mapRunStartedEventDetails"),
    /// The Map Run ended within its failure thresholds.
    MapRunSucceeded,

    /// A Map state was given up.
    MapStateAborted,
    /// A Map state was entered.
    MapStateEntered(details: StateEntered, "stateEnteredEventDetails"),
    /// A Map state was left.
    MapStateExited(details: StateExited, "stateExitedEventDetails"),
    /// A Map state failed.
    MapStateFailed,
    /// The items of a Map state are known.
    MapStateStarted(details: MapStateStarted, "mapStateStartedEventDetails"),
    /// All iterations have succeeded, or as many as must.
    MapStateSucceeded,

    /// A Parallel state was given up.
    ParallelStateAborted,
    /// A Parallel state was entered.
    ParallelStateEntered(details: StateEntered, "stateEnteredEventDetails"),
    /// A Parallel state was left.
    ParallelStateExited(details: StateExited, "stateExitedEventDetails"),
    /// A branch failed.
    ParallelStateFailed,
    /// The branches begin.
    ParallelStateStarted,
    /// All branches have succeeded.
    ParallelStateSucceeded,

    /// A Pass state was entered.
    PassStateEntered(details: StateEntered, "stateEnteredEventDetails"),
    /// A Pass state was left.
    PassStateExited(details: StateExited, "stateExitedEventDetails"),

    /// A Succeed state was entered.
    SucceedStateEntered(details: StateEntered, "stateEnteredEventDetails"),
    /// A Succeed state was left.
    SucceedStateExited(details: StateExited, "stateExitedEventDetails"),

    /// The service refused the call, or the job failed.
    TaskFailed(details: TaskFailed, "taskFailedEventDetails"),
    /// A service is about to be called.
    TaskScheduled(details: TaskScheduled, "taskScheduledEventDetails"),
    /// The service is being called.
    TaskStarted(details: TaskStarted, "taskStartedEventDetails"),
    /// The call could not begin.
    TaskStartFailed(details: TaskFailed, "taskStartFailedEventDetails"),
    /// A Task state was given up.
    TaskStateAborted,
    /// A Task state was entered.
    TaskStateEntered(details: StateEntered, "stateEnteredEventDetails"),
    /// A Task state was left.
    TaskStateExited(details: StateExited, "stateExitedEventDetails"),
    /// The service refused to begin a job that the task would have waited for.
    TaskSubmitFailed(details: TaskFailed, "taskSubmitFailedEventDetails"),
    /// The service accepted the call; the task now waits for the job or for its token.
    TaskSubmitted(details: TaskOutput, "taskSubmittedEventDetails"),
    /// The task has a result.
    TaskSucceeded(details: TaskOutput, "taskSucceededEventDetails"),
    /// The task took too long or missed a heartbeat.
    TaskTimedOut(details: TaskFailed, "taskTimedOutEventDetails"),

    /// A Wait state was given up.
    WaitStateAborted,
    /// A Wait state was entered.
    WaitStateEntered(details: StateEntered, "stateEnteredEventDetails"),
    /// A Wait state was left.
    WaitStateExited(details: StateExited, "stateExitedEventDetails"),
}
