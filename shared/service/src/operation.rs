//! The operations, and which of them there are.

mod activity;
mod alias;
mod create_state_machine;
mod delete_state_machine;
mod describe_execution;
mod describe_state_machine;
mod describe_state_machine_for_execution;
mod get_activity_task;
mod get_execution_history;
mod list_executions;
mod list_state_machines;
mod page;
mod qualified;
mod send_task;
pub(crate) mod start_execution;
mod stop_execution;
mod tag;
mod update_state_machine;
mod validate_state_machine_definition;
mod version;

use model::json::Value;

use crate::error::ApiError;
use crate::service::Inner;

macro_rules! operations {
    ($($name:ident => $($run:path)?,)*) => {
        /// The 37 operations of the API.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Operation {
            $($name,)*
        }

        impl Operation {
            /// Every operation.
            #[cfg(test)]
            pub const ALL: &[Operation] = &[$(Operation::$name),*];

            /// The operation of this name.
            pub fn named(name: &str) -> Option<Operation> {
                match name {
                    $(stringify!($name) => Some(Operation::$name),)*
                    _ => None,
                }
            }

            /// Its name.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Operation::$name => stringify!($name),)*
                }
            }

            /// Does what a request asks for.
            pub async fn run(self, service: &Inner, body: &Value) -> Result<Value, ApiError> {
                match self {
                    $(Operation::$name => operations!(@run self, service, body $(, $run)?),)*
                }
            }
        }
    };
    (@run $operation:ident, $service:ident, $body:ident, $run:path) => {
        $run($service, $body).await
    };
    (@run $operation:ident, $service:ident, $body:ident) => {
        Err(ApiError::not_implemented($operation.as_str()))
    };
}

// Those without a function come later.
operations! {
    CreateActivity => activity::create,
    CreateStateMachine => create_state_machine::run,
    CreateStateMachineAlias => alias::create,
    DeleteActivity => activity::delete,
    DeleteStateMachine => delete_state_machine::run,
    DeleteStateMachineAlias => alias::delete,
    DeleteStateMachineVersion => version::delete,
    DescribeActivity => activity::describe,
    DescribeExecution => describe_execution::run,
    DescribeMapRun => ,
    DescribeStateMachine => describe_state_machine::run,
    DescribeStateMachineAlias => alias::describe,
    DescribeStateMachineForExecution => describe_state_machine_for_execution::run,
    GetActivityTask => get_activity_task::run,
    GetExecutionHistory => get_execution_history::run,
    ListActivities => activity::list,
    ListExecutions => list_executions::run,
    ListMapRuns => ,
    ListStateMachineAliases => alias::list,
    ListStateMachineVersions => version::list,
    ListStateMachines => list_state_machines::run,
    ListTagsForResource => tag::list,
    PublishStateMachineVersion => version::publish,
    RedriveExecution => ,
    SendTaskFailure => send_task::failure,
    SendTaskHeartbeat => send_task::heartbeat,
    SendTaskSuccess => send_task::success,
    StartExecution => start_execution::run,
    StartSyncExecution => start_execution::run_sync,
    StopExecution => stop_execution::run,
    TagResource => tag::tag,
    TestState => ,
    UntagResource => tag::untag,
    UpdateMapRun => ,
    UpdateStateMachine => update_state_machine::run,
    UpdateStateMachineAlias => alias::update,
    ValidateStateMachineDefinition => validate_state_machine_definition::run,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_is_known_by_its_name() {
        assert_eq!(Operation::ALL.len(), 37);
        for operation in Operation::ALL {
            assert_eq!(Operation::named(operation.as_str()), Some(*operation));
        }
        assert_eq!(Operation::named("createActivity"), None);
    }
}
