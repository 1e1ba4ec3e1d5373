//! How a state fails, in the service's words, and what Retry makes of it.

use asl::state::{Jitter, Retrier};
use model::error;
use model::error::Failure;
use model::json::Text;

use crate::random::Random;

/// A failure on its way through Retry and Catch.
#[derive(Clone, Debug)]
pub(crate) struct Raised {
    pub failure: Failure,
    /// A missed heartbeat: named `States.Timeout`, and `States.HeartbeatTimeout` matches it too.
    pub heartbeat: bool,
    /// Set for failures of JSONata evaluation, which have an event of their own.
    pub evaluation: Option<Evaluation>,
    /// A branch or iteration failed: the Parallel or Map has a Failed event.
    pub inner: bool,
}

/// What the EvaluationFailed event says beside error and cause.
#[derive(Clone, Debug)]
pub(crate) struct Evaluation {
    /// `Output/result`. None where no field is at fault.
    pub location: Option<Text>,
    /// The check came after the state had begun to act (a Wait's Timestamp): the event's
    /// predecessor is then the state's Entered event, else the one before it.
    pub begun: bool,
}

impl From<Failure> for Raised {
    fn from(failure: Failure) -> Raised {
        Raised { failure, heartbeat: false, evaluation: None, inner: false }
    }
}

impl Raised {
    pub fn new(error: &'static str, cause: impl Into<Text>) -> Raised {
        Failure::new(Text::new_static(error), cause).into()
    }

    pub fn timeout() -> Raised {
        Failure::named(Text::new_static(error::TIMEOUT)).into()
    }

    pub fn heartbeat_timeout() -> Raised {
        Raised { heartbeat: true, ..Raised::timeout() }
    }

    /// A payload beyond the limit. `what` is the state's name, or the task's resource.
    pub fn data_limit_exceeded(what: &str) -> Raised {
        let cause = format!(
            "The state/task '{what}' returned a result with a size exceeding the maximum number of bytes service limit."
        );
        Raised::new(error::DATA_LIMIT_EXCEEDED, cause)
    }

    /// Whether `ErrorEquals` names this failure.
    ///
    /// `States.Runtime` is never matched. `States.ALL` matches everything else, also
    /// `States.DataLimitExceeded` raised by a task (conformance case
    /// `task_lambda_catch_state_all_data_limit_exceeded_on_large_utf8_response`).
    /// `States.TaskFailed` matches everything else but `States.Timeout`.
    pub fn matches(&self, error_equals: &[Text]) -> bool {
        let name = self.failure.error.as_deref().unwrap_or("");
        if name == error::RUNTIME {
            return false;
        }
        error_equals.iter().any(|pattern| match pattern.as_str() {
            error::ALL => true,
            error::TASK_FAILED => name != error::TIMEOUT,
            error::HEARTBEAT_TIMEOUT => self.heartbeat || name == error::HEARTBEAT_TIMEOUT,
            pattern => pattern == name,
        })
    }
}

/// Milliseconds before retry `attempt` (counted from 1):
/// `IntervalSeconds * BackoffRate^(attempt - 1)`, at most `MaxDelaySeconds` when present; with
/// full jitter uniform between nothing and that.
///
/// Source: Amazon States Language, field `Retry`.
pub(crate) fn retry_delay_millis(retrier: &Retrier, attempt: u32, random: &Random) -> i64 {
    let exponent = f64::from(attempt.saturating_sub(1));
    let seconds = retrier.interval_seconds as f64 * retrier.backoff_rate.powf(exponent);
    let seconds = match retrier.max_delay_seconds {
        Some(max) => seconds.min(max as f64),
        None => seconds,
    };
    // A year and more is as good as never; the cast saturates.
    let millis = (seconds * 1000.0) as i64;
    match retrier.jitter {
        Jitter::None => millis,
        Jitter::Full => random.below(millis.unsigned_abs().saturating_add(1)) as i64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn retrier(interval_seconds: i64, backoff_rate: f64, max_delay_seconds: Option<i64>) -> Retrier {
        Retrier {
            error_equals: vec![Text::new_static(error::ALL)],
            interval_seconds,
            max_attempts: 10,
            backoff_rate,
            max_delay_seconds,
            jitter: Jitter::None,
        }
    }

    #[test]
    fn delays_grow_and_are_capped() {
        let random = Random::new(1);
        let delays = |r: &Retrier| (1..=4).map(|k| retry_delay_millis(r, k, &random)).collect::<Vec<_>>();
        assert_eq!(delays(&retrier(1, 2.0, None)), [1000, 2000, 4000, 8000]);
        assert_eq!(delays(&retrier(3, 1.5, None)), [3000, 4500, 6750, 10125]);
        assert_eq!(delays(&retrier(3, 2.0, Some(5))), [3000, 5000, 5000, 5000]);
        assert_eq!(retry_delay_millis(&retrier(99_999_999, 10.0, None), 1000, &random), i64::MAX);
    }

    #[test]
    fn full_jitter_draws_below_the_delay() {
        let random = Random::new(7);
        let retrier = Retrier { jitter: Jitter::Full, ..retrier(10, 2.0, Some(30)) };
        let delays: Vec<_> = (0..200).map(|_| retry_delay_millis(&retrier, 5, &random)).collect();
        assert!(delays.iter().all(|delay| (0..=30_000).contains(delay)));
        assert!(delays.iter().any(|delay| *delay < 5_000) && delays.iter().any(|delay| *delay > 25_000));
    }

    #[test]
    fn wildcards() {
        let raised = |name: &str| Raised::from(Failure::named(name));
        let equals = |names: &[&str]| names.iter().map(|name| Text::from(*name)).collect::<Vec<_>>();
        let table = [
            ("Custom", "Custom", true),
            ("Custom", "States.ALL", true),
            ("Custom", "States.TaskFailed", true),
            ("Custom", "Other", false),
            ("States.Timeout", "States.TaskFailed", false),
            ("States.Timeout", "States.ALL", true),
            ("States.Timeout", "States.HeartbeatTimeout", false),
            ("States.Runtime", "States.ALL", false),
            ("States.Runtime", "States.Runtime", false),
            ("States.Runtime", "States.TaskFailed", false),
            ("States.DataLimitExceeded", "States.ALL", true),
        ];
        for (name, pattern, expected) in table {
            assert_eq!(raised(name).matches(&equals(&[pattern])), expected, "{name} by {pattern}");
        }
        assert!(Raised::heartbeat_timeout().matches(&equals(&["States.HeartbeatTimeout"])));
        assert!(Raised::heartbeat_timeout().matches(&equals(&["States.Timeout"])));
        assert!(Raised::from(Failure::default()).matches(&equals(&["States.ALL"])));
    }
}
