//! What the port calls a fault of SQS.

use ports::QueueError;

use crate::fault::{Fault, Kind};

/// A request about the queue `name` that failed.
pub(super) fn of(fault: &Fault, operation: &str, name: &str) -> QueueError {
    let reason = || fault.at(operation, "queue", name);
    match (fault.kind(), fault.code()) {
        (Kind::Throttled, _) => QueueError::Throttled,
        (Kind::Refused, Some("QueueDoesNotExist" | "NonExistentQueue")) => {
            QueueError::Missing(name.to_owned())
        }
        (Kind::Refused, Some(code)) if is_the_requests(code) => QueueError::Refused(reason()),
        (Kind::Refused | Kind::NotDone | Kind::Unknown, _) => QueueError::Unavailable(reason()),
    }
}

/// Trying the same request again will not help.
fn is_the_requests(code: &str) -> bool {
    matches!(
        code,
        "BatchRequestTooLong"
            | "InvalidAttributeName"
            | "InvalidAttributeValue"
            | "InvalidMessageContents"
            | "InvalidParameterValue"
            | "MessageTooLong"
            | "MissingParameter"
            | "UnsupportedOperation"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_become_errors_of_the_port() {
        let answered =
            |status, code: &str| Fault::Answered { status, code: code.to_owned(), message: "why".to_owned() };
        let cases = [
            (answered(400, "QueueDoesNotExist"), "Missing(\"q\")"),
            (answered(400, "NonExistentQueue"), "Missing(\"q\")"),
            (answered(403, "OverLimit"), "Throttled"),
            (answered(400, "RequestThrottled"), "Throttled"),
            (
                answered(400, "InvalidMessageContents"),
                "Refused(\"Op of the queue q: InvalidMessageContents: why\")",
            ),
            (answered(400, "InvalidParameterValue"), "Refused"),
            (answered(403, "AccessDenied"), "Unavailable"),
            (answered(400, "QueueDeletedRecently"), "Unavailable"),
            (answered(400, "KmsAccessDenied"), "Unavailable"),
            (answered(500, "InternalError"), "Unavailable"),
            (Fault::NotSent("refused".to_owned()), "Unavailable(\"Op of the queue q: refused\")"),
            (Fault::Lost("timeout".to_owned()), "Unavailable"),
        ];
        for (fault, expected) in cases {
            let error = format!("{:?}", of(&fault, "Op", "q"));
            assert!(error.starts_with(expected), "{fault:?}: {error}");
        }
    }
}
