//! What went wrong with a request, by what the caller does next.

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};

/// A request that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It was not sent.
    NotSent(String),
    /// It may have been sent; no answer that could be read came back.
    Lost(String),
    /// The service said no.
    Answered {
        /// HTTP status.
        status: u16,
        /// Code of the error, without namespace; empty when there was none.
        code: String,
        /// What the service says of it.
        message: String,
    },
}

/// What a [`Fault`] means, for every service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nothing was done; it cannot be asked now.
    NotDone,
    /// Nothing was done; too many requests.
    Throttled,
    /// It may have been done.
    Unknown,
    /// Nothing was done; the service does not want this request.
    Refused,
}

/// Codes of "too many requests", of all services here; some of them are those of transactions and
/// replicas in each other's way, which pass as well.
const THROTTLES: [&str; 18] = [
    "BandwidthLimitExceeded",
    "EC2ThrottledException",
    "KMSThrottlingException",
    "KmsThrottled",
    "LimitExceededException",
    "OverLimit",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException",
    "ReplicatedWriteConflictException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "Throttled",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TransactionConflictException",
];

impl Fault {
    /// What an error of the SDK says.
    pub fn of<E>(error: SdkError<E, HttpResponse>) -> Fault
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        match &error {
            SdkError::ConstructionFailure(_) => Fault::NotSent(innermost(&error)),
            SdkError::DispatchFailure(_) if before_sending(&error) => Fault::NotSent(innermost(&error)),
            SdkError::ServiceError(answer) => Fault::Answered {
                status: answer.raw().status().as_u16(),
                code: bare(answer.err().code().unwrap_or_default()).to_owned(),
                message: short(answer.err().message().unwrap_or_default()),
            },
            _ => Fault::Lost(innermost(&error)),
        }
    }

    /// The code of an answer.
    pub fn code(&self) -> Option<&str> {
        match self {
            Fault::Answered { code, .. } => Some(code),
            Fault::NotSent(_) | Fault::Lost(_) => None,
        }
    }

    /// What it means.
    pub fn kind(&self) -> Kind {
        match self {
            Fault::NotSent(_) => Kind::NotDone,
            Fault::Lost(_) => Kind::Unknown,
            Fault::Answered { status, code, .. } => match status {
                _ if is_throttle(code) || *status == 429 => Kind::Throttled,
                400..500 => Kind::Refused,
                _ => Kind::Unknown,
            },
        }
    }

    /// What happened, where: `PutItem of the table t: AccessDeniedException: …`.
    pub fn at(&self, operation: &str, what: &str, name: &str) -> String {
        let reason = match self {
            Fault::NotSent(reason) | Fault::Lost(reason) => reason.clone(),
            Fault::Answered { status, code, message } => match (code.as_str(), message.as_str()) {
                ("", "") => format!("HTTP status {status}"),
                ("", message) => format!("HTTP status {status}: {message}"),
                (code, "") => code.to_owned(),
                (code, message) => format!("{code}: {message}"),
            },
        };
        format!("{operation} of the {what} {name}: {reason}")
    }
}

/// Whether a code of an answer, or of an entry of one, says "too many requests".
pub(crate) fn is_throttle(code: &str) -> bool {
    THROTTLES.contains(&bare(code))
}

/// A code without its namespace: SQS has `AWS.SimpleQueueService.`, JSON protocols `prefix#`.
fn bare(code: &str) -> &str {
    code.rsplit(['.', '#']).next().unwrap_or(code)
}

/// A message of a service may quote a large request.
pub fn short(message: &str) -> String {
    const CHARS_MAX: usize = 300;
    match message.char_indices().nth(CHARS_MAX) {
        Some((end, _)) => format!("{}…", &message[..end]),
        None => message.to_owned(),
    }
}

/// Whether the request failed before any of it left: no credentials, or no connection.
fn before_sending(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        // The HTTP client's own type says the same; naming it would tie this crate to its version.
        if error.is::<CredentialsError>() || error.to_string() == "client error (Connect)" {
            return true;
        }
        next = error.source();
    }
    false
}

/// The error at the bottom of a chain: the one that says what happened. Errors of the SDK never
/// quote credentials.
fn innermost<E: Error + 'static>(error: &E) -> String {
    let mut innermost: &(dyn Error + 'static) = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    let text = innermost.to_string();
    if text.is_empty() { short(&DisplayErrorContext(error).to_string()) } else { short(&text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: u16, code: &str) -> Fault {
        Fault::Answered { status, code: bare(code).to_owned(), message: "why".to_owned() }
    }

    #[test]
    fn faults_are_told_apart() {
        let cases = [
            (Fault::NotSent("x".to_owned()), Kind::NotDone),
            (Fault::Lost("x".to_owned()), Kind::Unknown),
            (answered(400, "ProvisionedThroughputExceededException"), Kind::Throttled),
            (answered(400, "com.amazonaws.dynamodb.v20120810#ThrottlingException"), Kind::Throttled),
            (answered(400, "RequestLimitExceeded"), Kind::Throttled),
            (answered(403, "AWS.SimpleQueueService.OverLimit"), Kind::Throttled),
            (answered(403, "RequestThrottled"), Kind::Throttled),
            (answered(503, "SlowDown"), Kind::Throttled),
            (answered(429, ""), Kind::Throttled),
            (answered(400, "ValidationException"), Kind::Refused),
            (answered(400, "ConditionalCheckFailedException"), Kind::Refused),
            (answered(400, "AccessDeniedException"), Kind::Refused),
            (answered(400, "ResourceNotFoundException"), Kind::Refused),
            (answered(404, "NoSuchKey"), Kind::Refused),
            (answered(500, "InternalServerError"), Kind::Unknown),
            (answered(503, "ServiceUnavailable"), Kind::Unknown),
            (answered(502, ""), Kind::Unknown),
            (answered(301, "PermanentRedirect"), Kind::Unknown),
        ];
        for (fault, expected) in cases {
            assert_eq!(fault.kind(), expected, "{fault:?}");
        }
    }

    #[test]
    fn messages_say_what_and_where() {
        let cases = [
            (answered(400, "a#Code"), "Op of the table t: Code: why"),
            (
                Fault::Answered { status: 502, code: String::new(), message: String::new() },
                "Op of the table t: HTTP status 502",
            ),
            (Fault::Lost("it took too long".to_owned()), "Op of the table t: it took too long"),
        ];
        for (fault, expected) in cases {
            assert_eq!(fault.at("Op", "table", "t"), expected);
        }
        assert_eq!(short(&"ü".repeat(301)).chars().count(), 301);
    }
}
