//! How a state, a task or an execution fails, and the error names that the language predefines.
//!
//! Source of the names: Amazon States Language, appendix "Predefined Error Codes", and the
//! developer guide, "Handling errors in Step Functions workflows".

use serde::{Deserialize, Serialize};

use crate::json::{Text, Value};

/// What `Retry` and `Catch` match on and what the history shows.
///
/// Both parts may be absent: a worker may call SendTaskFailure without them, a Fail state need
/// not name an error, and a missed heartbeat has no cause. Lengths are limited by
/// [`crate::limits::ERROR_CHARS_MAX`] and [`crate::limits::CAUSE_CHARS_MAX`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Failure {
    /// The error name, compared with `ErrorEquals`.
    #[serde(default)]
    pub error: Option<Text>,
    /// The explanation: free text, often a JSON document.
    #[serde(default)]
    pub cause: Option<Text>,
}

impl Failure {
    /// A failure with a name and a cause.
    pub fn new(error: impl Into<Text>, cause: impl Into<Text>) -> Failure {
        Failure { error: Some(error.into()), cause: Some(cause.into()) }
    }

    /// A failure with a name alone, such as [`TIMEOUT`].
    pub fn named(error: impl Into<Text>) -> Failure {
        Failure { error: Some(error.into()), cause: None }
    }

    /// The Error Output that a Catcher sees: `{"Error": …, "Cause": …}`, both always there.
    ///
    /// A part that a worker left out is `null`, but the cause of a [`TIMEOUT`] is the empty
    /// text, although its event shows none. Source: recorded executions whose Catch saw a
    /// SendTaskFailure without members, and a task that timed out.
    pub fn error_output(&self) -> Value {
        let text = |text: &Option<Text>| text.clone().map_or(Value::Null, Value::from);
        let cause = match (&self.cause, self.error.as_deref()) {
            (None, Some(TIMEOUT)) => Value::from(""),
            (cause, _) => text(cause),
        };
        [("Error", text(&self.error)), ("Cause", cause)].into_iter().collect()
    }
}

/// Every name that belongs to the language starts so; a definition may not invent others.
pub const RESERVED_PREFIX: &str = "States.";

/// Wildcard of `ErrorEquals`, never raised. Must stand alone and last; matches every error but [`RUNTIME`].
pub const ALL: &str = "States.ALL";

/// A Parallel branch failed without a more specific name.
pub const BRANCH_FAILED: &str = "States.BranchFailed";

/// An input, a task result or a state output is longer than
/// [`crate::limits::PAYLOAD_BYTES_MAX`].
pub const DATA_LIMIT_EXCEEDED: &str = "States.DataLimitExceeded";

/// More items of a Map failed than `ToleratedFailureCount` or `ToleratedFailurePercentage` allow.
pub const EXCEED_TOLERATED_FAILURE_THRESHOLD: &str = "States.ExceedToleratedFailureThreshold";

/// In `ErrorEquals`: a task missed its heartbeat. The failure itself is recorded as [`TIMEOUT`].
pub const HEARTBEAT_TIMEOUT: &str = "States.HeartbeatTimeout";

/// An HTTP task found no connection, or no answer within 60 seconds.
pub const HTTP_SOCKET: &str = "States.Http.Socket";

/// An HTTP task was answered with a status other than 2xx; the status follows:
/// `States.Http.StatusCode.404`.
pub const HTTP_STATUS_CODE_PREFIX: &str = "States.Http.StatusCode.";

/// An intrinsic function refused its arguments.
pub const INTRINSIC_FAILURE: &str = "States.IntrinsicFailure";

/// A distributed Map could not read its items.
pub const ITEM_READER_FAILED: &str = "States.ItemReaderFailed";

/// A Choice state matched no rule and has no `Default`.
pub const NO_CHOICE_MATCHED: &str = "States.NoChoiceMatched";

/// A path in a payload template selected nothing.
pub const PARAMETER_PATH_FAILURE: &str = "States.ParameterPathFailure";

/// The role lacks a right that the task needs.
pub const PERMISSIONS: &str = "States.Permissions";

/// A JSONata expression failed, gave nothing, or gave a value that its field does not take.
pub const QUERY_EVALUATION_ERROR: &str = "States.QueryEvaluationError";

/// `ResultPath` cannot be applied to the input.
pub const RESULT_PATH_MATCH_FAILURE: &str = "States.ResultPathMatchFailure";

/// A distributed Map could not write its results.
pub const RESULT_WRITER_FAILED: &str = "States.ResultWriterFailed";

/// The execution cannot go on: a bad path, a bad field value, a missing activity, a full history.
/// Never retried or caught, not even by [`ALL`].
pub const RUNTIME: &str = "States.Runtime";

/// In `ErrorEquals`: every error of a task but [`TIMEOUT`]. Also raised for a task that failed
/// without a name, for a nested execution that failed, and for a role that cannot be assumed.
pub const TASK_FAILED: &str = "States.TaskFailed";

/// A task ran longer than `TimeoutSeconds` or missed a heartbeat, or the execution ran longer
/// than its own `TimeoutSeconds`.
pub const TIMEOUT: &str = "States.Timeout";

/// All predefined names that are complete (not [`HTTP_STATUS_CODE_PREFIX`]), in alphabetical
/// order.
pub const PREDEFINED: [&str; 17] = [
    ALL,
    BRANCH_FAILED,
    DATA_LIMIT_EXCEEDED,
    EXCEED_TOLERATED_FAILURE_THRESHOLD,
    HEARTBEAT_TIMEOUT,
    HTTP_SOCKET,
    INTRINSIC_FAILURE,
    ITEM_READER_FAILED,
    NO_CHOICE_MATCHED,
    PARAMETER_PATH_FAILURE,
    PERMISSIONS,
    QUERY_EVALUATION_ERROR,
    RESULT_PATH_MATCH_FAILURE,
    RESULT_WRITER_FAILED,
    RUNTIME,
    TASK_FAILED,
    TIMEOUT,
];

/// Whether `name` is one of the language's own: a [`PREDEFINED`] one or an HTTP status.
pub fn is_predefined(name: &str) -> bool {
    let is_status = |rest: &str| rest.len() == 3 && rest.bytes().all(|b| b.is_ascii_digit());
    PREDEFINED.contains(&name) || name.strip_prefix(HTTP_STATUS_CODE_PREFIX).is_some_and(is_status)
}

/// Whether `name` has the [`RESERVED_PREFIX`].
pub fn is_reserved(name: &str) -> bool {
    name.starts_with(RESERVED_PREFIX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn predefined_names_are_sorted_and_reserved() {
        assert!(PREDEFINED.is_sorted());
        for name in PREDEFINED {
            assert!(is_reserved(name) && is_predefined(name), "{name}");
        }
    }

    #[test]
    fn other_names_are_not_predefined() {
        for name in
            ["", "States.", "States.Http.StatusCode.", "States.Http.StatusCode.40x", "states.Timeout", "E"]
        {
            assert!(!is_predefined(name), "{name}");
        }
        assert!(is_predefined("States.Http.StatusCode.404"));
        assert!(is_reserved("States.Mine"));
    }

    #[test]
    fn error_output_has_both_members() {
        let check = |failure: Failure, expected: &str| assert_eq!(failure.error_output().to_json(), expected);
        check(Failure::new("E", "because"), r#"{"Error":"E","Cause":"because"}"#);
        check(Failure::named("E"), r#"{"Error":"E","Cause":null}"#);
        check(Failure::named(TIMEOUT), r#"{"Error":"States.Timeout","Cause":""}"#);
        check(Failure::new(TIMEOUT, "slow"), r#"{"Error":"States.Timeout","Cause":"slow"}"#);
        check(Failure::default(), r#"{"Error":null,"Cause":null}"#);
    }

    #[test]
    fn stored_form_round_trips() {
        for failure in [Failure::default(), Failure::named("E"), Failure::new("E", "")] {
            let text = serde_json::to_string(&failure).unwrap();
            assert_eq!(serde_json::from_str::<Failure>(&text).unwrap(), failure, "{text}");
        }
    }
}
