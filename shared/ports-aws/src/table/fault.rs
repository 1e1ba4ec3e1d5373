//! What the port calls a fault of DynamoDB.

use ports::TableError;

use crate::fault::{Fault, Kind};

/// A write that failed. It was sent once, so what was not refused and not kept may be applied.
pub(super) fn of_write(fault: &Fault, operation: &str, table: &str, key: &str) -> TableError {
    let reason = || fault.at(operation, "table", table);
    match (fault.kind(), fault) {
        (Kind::Throttled, _) => TableError::Throttled,
        (Kind::NotDone, _) => TableError::Unavailable(reason()),
        (Kind::Unknown, _) => TableError::Unknown(reason()),
        (Kind::Refused, Fault::Answered { code, .. }) if code == "ConditionalCheckFailedException" => {
            TableError::Conflict
        }
        (Kind::Refused, Fault::Answered { code, message, .. }) if is_too_large(code, message) => {
            TableError::TooLarge { key: crate::fault::short(key), reason: message.clone() }
        }
        (Kind::Refused, _) => TableError::Unavailable(reason()),
    }
}

/// A read that failed.
pub(super) fn of_read(fault: &Fault, operation: &str, table: &str) -> TableError {
    match fault.kind() {
        Kind::Throttled => TableError::Throttled,
        Kind::NotDone | Kind::Unknown | Kind::Refused => {
            TableError::Unavailable(fault.at(operation, "table", table))
        }
    }
}

fn is_too_large(code: &str, message: &str) -> bool {
    code == "ItemCollectionSizeLimitExceededException"
        || (code == "ValidationException" && message.contains("size has exceeded the maximum allowed size"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_become_errors_of_the_port() {
        let answered = |status, code: &str, message: &str| Fault::Answered {
            status,
            code: code.to_owned(),
            message: message.to_owned(),
        };
        // Of a write, and of a read.
        let cases = [
            (answered(400, "ConditionalCheckFailedException", ""), "Conflict", "Unavailable"),
            (answered(400, "ProvisionedThroughputExceededException", ""), "Throttled", "Throttled"),
            (answered(400, "ThrottlingException", ""), "Throttled", "Throttled"),
            (answered(400, "RequestLimitExceeded", ""), "Throttled", "Throttled"),
            (answered(400, "TransactionConflictException", ""), "Throttled", "Throttled"),
            (
                answered(400, "ValidationException", "Item size has exceeded the maximum allowed size"),
                "TooLarge",
                "Unavailable",
            ),
            (answered(400, "ValidationException", "Type mismatch for key"), "Unavailable", "Unavailable"),
            (answered(400, "ResourceNotFoundException", ""), "Unavailable", "Unavailable"),
            (answered(400, "AccessDeniedException", ""), "Unavailable", "Unavailable"),
            (answered(403, "ExpiredTokenException", ""), "Unavailable", "Unavailable"),
            (answered(500, "InternalServerError", ""), "Unknown", "Unavailable"),
            (answered(503, "ServiceUnavailable", ""), "Unknown", "Unavailable"),
            (Fault::NotSent("refused".to_owned()), "Unavailable", "Unavailable"),
            (Fault::Lost("timeout".to_owned()), "Unknown", "Unavailable"),
        ];
        for (fault, of_write_expected, of_read_expected) in cases {
            let write = format!("{:?}", of_write(&fault, "PutItem", "t", "k"));
            assert!(write.starts_with(of_write_expected), "{fault:?}: {write}");
            let read = format!("{:?}", of_read(&fault, "GetItem", "t"));
            assert!(read.starts_with(of_read_expected), "{fault:?}: {read}");
        }
    }
}
