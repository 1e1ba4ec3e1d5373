//! The records of a log group, made from a history.
//!
//! Source: recorded log groups; developer guide, "Log levels for Step Functions execution events".

use model::history::HistoryEvent;
use model::json::{Text, Value};

use super::case::Logging;
use super::compare::with_payloads_parsed;

/// The records that are written at the level of `logging`, without their time.
pub fn records(history: &[HistoryEvent], logging: &Logging, execution_arn: &Text) -> Vec<Value> {
    let logged = history.iter().filter(|event| is_logged(&logging.level, event.event.type_name()));
    let record = |event: &HistoryEvent| {
        let details = event.event.details(logging.include_execution_data).unwrap_or_else(Value::object);
        let members = [
            ("id", event.id.to_string().into()),
            ("type", event.event.type_name().into()),
            ("details", with_payloads_parsed(&details)),
            ("previous_event_id", event.previous_event_id.to_string().into()),
            ("execution_arn", execution_arn.clone().into()),
            ("redrive_count", Value::from("0")),
        ];
        members.into_iter().collect()
    };
    logged.map(record).collect()
}

fn is_logged(level: &str, event_type: &str) -> bool {
    match level {
        "ALL" => true,
        "ERROR" => {
            event_type == "FailStateEntered"
                || ["Failed", "Aborted", "TimedOut"].iter().any(|end| event_type.ends_with(end))
        }
        "FATAL" => matches!(event_type, "ExecutionFailed" | "ExecutionAborted" | "ExecutionTimedOut"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels() {
        fn check(event_type: &str, levels: &[&str]) {
            for level in ["ALL", "ERROR", "FATAL", "OFF"] {
                assert_eq!(is_logged(level, event_type), levels.contains(&level), "{event_type} at {level}");
            }
        }
        check("ExecutionStarted", &["ALL"]);
        check("FailStateEntered", &["ALL", "ERROR"]);
        check("TaskFailed", &["ALL", "ERROR"]);
        check("TaskStateAborted", &["ALL", "ERROR"]);
        check("LambdaFunctionTimedOut", &["ALL", "ERROR"]);
        check("ExecutionTimedOut", &["ALL", "ERROR", "FATAL"]);
        check("ExecutionSucceeded", &["ALL"]);
    }
}
