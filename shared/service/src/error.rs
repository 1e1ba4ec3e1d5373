//! The exceptions of the API: their names on the wire, their status, and their words.

use journal::StoreError;
use model::arn::ArnError;
use model::json::{Text, Value};
use model::status::ValidationExceptionReason;

macro_rules! error_types {
    ($($(#[$doc:meta])* $name:ident = $status:literal $namespace:literal,)*) => {
        /// The exceptions of the API. The name of a variant is its name on the wire.
        ///
        /// Source: API reference, the errors of each operation and "Common Errors".
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ErrorType {
            $($(#[$doc])* $name,)*
        }

        impl ErrorType {
            /// Every exception.
            pub const ALL: &[ErrorType] = &[$(ErrorType::$name),*];

            /// The name, as SDKs compare it.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(ErrorType::$name => stringify!($name),)*
                }
            }

            /// The HTTP status.
            pub fn status(self) -> u16 {
                match self {
                    $(ErrorType::$name => $status,)*
                }
            }

            /// `__type` of the answer: the name behind its namespace, which SDKs drop.
            pub fn wire_type(self) -> &'static str {
                match self {
                    $(ErrorType::$name => concat!($namespace, "#", stringify!($name)),)*
                }
            }
        }
    };
}

error_types! {
    /// The name of the activity is taken, by one that is encrypted otherwise.
    ActivityAlreadyExists = 400 "com.amazonaws.swf.service.v2.model",
    /// There is no such activity.
    ActivityDoesNotExist = 400 "com.amazonaws.swf.service.v2.model",
    /// As many activities as there may be.
    ActivityLimitExceeded = 400 "com.amazonaws.swf.service.v2.model",
    /// As many workers poll the activity as may.
    ActivityWorkerLimitExceeded = 400 "com.amazonaws.swf.service.v2.model",
    /// Another request changes the same resource.
    ConflictException = 409 "com.amazonaws.swf.service.v2.model",
    /// The name of the execution is taken.
    ExecutionAlreadyExists = 400 "com.amazonaws.swf.service.v2.model",
    /// There is no such execution.
    ExecutionDoesNotExist = 400 "com.amazonaws.swf.service.v2.model",
    /// As many executions are open as may be.
    ExecutionLimitExceeded = 400 "com.amazonaws.swf.service.v2.model",
    /// The execution cannot be redriven.
    ExecutionNotRedrivable = 400 "com.amazonaws.swf.service.v2.model",
    /// A defect of this program, or damaged data.
    InternalFailure = 500 "com.amazon.coral.service",
    /// No ARN, or of a kind that has no place here.
    InvalidArn = 400 "com.amazonaws.swf.service.v2.model",
    /// The definition is refused.
    InvalidDefinition = 400 "com.amazonaws.swf.service.v2.model",
    /// `encryptionConfiguration` does not fit together.
    InvalidEncryptionConfiguration = 400 "com.amazonaws.swf.service.v2.model",
    /// The input is no JSON, or too large.
    InvalidExecutionInput = 400 "com.amazonaws.swf.service.v2.model",
    /// `loggingConfiguration` does not fit together.
    InvalidLoggingConfiguration = 400 "com.amazonaws.swf.service.v2.model",
    /// A name has characters that it cannot have.
    InvalidName = 400 "com.amazonaws.swf.service.v2.model",
    /// The output is no JSON, or too large.
    InvalidOutput = 400 "com.amazonaws.swf.service.v2.model",
    /// No token that was handed out, or too old.
    InvalidToken = 400 "com.amazonaws.swf.service.v2.model",
    /// `tracingConfiguration` has no `enabled`.
    InvalidTracingConfiguration = 400 "com.amazonaws.swf.service.v2.model",
    /// The key may not be used.
    KmsAccessDeniedException = 400 "com.amazonaws.swf.service.v2.model",
    /// The key is disabled or being deleted.
    KmsInvalidStateException = 400 "com.amazonaws.swf.service.v2.model",
    /// Too many requests to the key service.
    KmsThrottlingException = 400 "com.amazonaws.swf.service.v2.model",
    /// A change that changes nothing.
    MissingRequiredParameter = 400 "com.amazonaws.swf.service.v2.model",
    /// An operation, or a part of one, that this version does not have yet.
    NotImplemented = 501 "com.amazon.coral.service",
    /// The request has more bytes than one may have.
    RequestEntityTooLargeException = 413 "com.amazon.coral.service",
    /// There is no such resource.
    ResourceNotFound = 400 "com.amazonaws.swf.service.v2.model",
    /// The request is no JSON object, or a member of it has the wrong type.
    SerializationException = 400 "com.amazon.coral.service",
    /// More would be there than may.
    ServiceQuotaExceededException = 402 "com.amazonaws.swf.service.v2.model",
    /// The store does not answer. Try again.
    ServiceUnavailable = 503 "com.amazon.coral.service",
    /// The name of the state machine is taken, by another one.
    StateMachineAlreadyExists = 400 "com.amazonaws.swf.service.v2.model",
    /// The state machine is being deleted.
    StateMachineDeleting = 400 "com.amazonaws.swf.service.v2.model",
    /// There is no such state machine.
    StateMachineDoesNotExist = 400 "com.amazonaws.swf.service.v2.model",
    /// As many state machines as there may be.
    StateMachineLimitExceeded = 400 "com.amazonaws.swf.service.v2.model",
    /// Not for Express, or not for Standard.
    StateMachineTypeNotSupported = 400 "com.amazonaws.swf.service.v2.model",
    /// There is no such task.
    TaskDoesNotExist = 400 "com.amazonaws.swf.service.v2.model",
    /// The task has ended.
    TaskTimedOut = 400 "com.amazonaws.swf.service.v2.model",
    /// Too many requests. Try again.
    ThrottlingException = 400 "com.amazon.coral.availability",
    /// More tags than a resource may have.
    TooManyTags = 400 "com.amazonaws.swf.service.v2.model",
    /// No operation of the API.
    UnknownOperationException = 400 "com.amazon.coral.service",
    /// A member breaks a constraint.
    ValidationException = 400 "com.amazon.coral.validate",
}

/// Why a request was not done.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ApiError {
    pub error_type: ErrorType,
    pub message: String,
    /// Members of the answer beside the message.
    pub members: Vec<(&'static str, Value)>,
}

impl ApiError {
    pub fn new(error_type: ErrorType, message: impl Into<String>) -> ApiError {
        ApiError { error_type, message: message.into(), members: Vec::new() }
    }

    fn with(mut self, name: &'static str, value: impl Into<Value>) -> ApiError {
        self.members.push((name, value.into()));
        self
    }

    /// The answer's body.
    pub fn body(&self) -> Value {
        let head = [
            ("__type", Value::from(Text::new_static(self.error_type.wire_type()))),
            ("message", Value::from(self.message.as_str())),
        ];
        head.into_iter()
            .chain(self.members.iter().cloned())
            .map(|(name, value)| (Text::new_static(name), value))
            .collect()
    }

    pub fn activity_already_exists(arn: &impl std::fmt::Display) -> ApiError {
        ApiError::new(ErrorType::ActivityAlreadyExists, format!("Activity Already Exists: '{arn}'"))
    }

    pub fn activity_does_not_exist(arn: &impl std::fmt::Display) -> ApiError {
        ApiError::new(ErrorType::ActivityDoesNotExist, format!("Activity Does Not Exist: '{arn}'"))
    }

    pub fn activity_workers(arn: &impl std::fmt::Display) -> ApiError {
        let message = format!("Maximum number of workers polling the activity '{arn}' has been reached");
        ApiError::new(ErrorType::ActivityWorkerLimitExceeded, message)
    }

    pub fn alias_exists() -> ApiError {
        let message = "Failed to create alias because an alias with the same name and a different routing \
                       configuration already exists.";
        ApiError::new(ErrorType::ConflictException, message)
    }

    pub fn execution_already_exists(arn: &impl std::fmt::Display) -> ApiError {
        ApiError::new(ErrorType::ExecutionAlreadyExists, format!("Execution Already Exists: '{arn}'"))
    }

    pub fn execution_does_not_exist(arn: &impl std::fmt::Display) -> ApiError {
        ApiError::new(ErrorType::ExecutionDoesNotExist, format!("Execution Does Not Exist: '{arn}'"))
    }

    pub fn invalid_arn(error: &ArnError) -> ApiError {
        ApiError::new(ErrorType::InvalidArn, format!("Invalid Arn: '{error}'"))
    }

    /// Of a role. Its wording is not recorded.
    pub fn invalid_role_arn(arn: &str) -> ApiError {
        ApiError::new(ErrorType::InvalidArn, format!("Invalid Role Arn: '{arn}'"))
    }

    pub fn invalid_encryption(reason: &str) -> ApiError {
        let message = format!("Invalid Encryption Configuration: {reason}");
        ApiError::new(ErrorType::InvalidEncryptionConfiguration, message)
    }

    pub fn invalid_execution_input(reason: &str) -> ApiError {
        let message = format!("Invalid State Machine Execution Input: '{reason}'");
        ApiError::new(ErrorType::InvalidExecutionInput, message)
    }

    pub fn invalid_logging(reason: &str) -> ApiError {
        let message = format!("Invalid Logging Configuration: {reason}");
        ApiError::new(ErrorType::InvalidLoggingConfiguration, message)
    }

    pub fn invalid_name(name: &str) -> ApiError {
        ApiError::new(ErrorType::InvalidName, format!("Invalid Name: '{name}'"))
    }

    pub fn invalid_output(reason: &str) -> ApiError {
        ApiError::new(ErrorType::InvalidOutput, format!("Invalid Output: '{reason}'"))
    }

    /// Of a task token and of a page token alike.
    pub fn invalid_token() -> ApiError {
        ApiError::new(ErrorType::InvalidToken, "Invalid Token: 'Invalid token'")
    }

    pub fn nothing_to_update() -> ApiError {
        let message = "Either the definition, the role ARN, the LoggingConfiguration, or the \
                       TracingConfiguration must be specified";
        ApiError::new(ErrorType::MissingRequiredParameter, message)
    }

    /// `what` is not there yet: an operation's name, or a member of one.
    pub fn not_implemented(what: &str) -> ApiError {
        ApiError::new(ErrorType::NotImplemented, format!("{what} is not implemented in this version"))
    }

    /// `what` an ARN of a state machine would have more of than it may.
    pub fn quota_exceeded(what: &str, arn: &impl std::fmt::Display, most: Option<u64>) -> ApiError {
        let most = most.map_or_else(|| "so many".to_owned(), |most| most.to_string());
        let message = format!("Too many {what}: '{arn}' can have at most {most} {what}");
        ApiError::new(ErrorType::ServiceQuotaExceededException, message)
    }

    /// An alias, or what one leads to.
    pub fn reference_not_found(arn: &impl std::fmt::Display) -> ApiError {
        let message = "Request references a resource that does not exist.";
        ApiError::new(ErrorType::ResourceNotFound, message).with("resourceName", arn.to_string())
    }

    pub fn resource_not_found(arn: &impl std::fmt::Display) -> ApiError {
        ApiError::new(ErrorType::ResourceNotFound, format!("Resource not found: '{arn}'"))
            .with("resourceName", arn.to_string())
    }

    /// Source: conformance case `publish_state_machine_version`.
    pub fn revision_conflict(asked: &str, current: &str) -> ApiError {
        let message = format!(
            "Failed to publish the State Machine version for revision {asked}. The current State Machine \
             revision is {current}."
        );
        ApiError::new(ErrorType::ConflictException, message)
    }

    /// Source: conformance case `error_create_alias_invalid_router_configs`.
    pub fn invalid_routes(message: impl Into<String>) -> ApiError {
        ApiError::validation_for(ValidationExceptionReason::InvalidRoutingConfiguration, message)
    }

    pub fn serialization(message: impl Into<String>) -> ApiError {
        ApiError::new(ErrorType::SerializationException, message)
    }

    pub fn state_machine_already_exists(arn: &impl std::fmt::Display) -> ApiError {
        ApiError::new(ErrorType::StateMachineAlreadyExists, format!("State Machine Already Exists: '{arn}'"))
    }

    pub fn state_machine_deleting(arn: &impl std::fmt::Display) -> ApiError {
        ApiError::new(ErrorType::StateMachineDeleting, format!("State Machine is deleting: '{arn}'"))
    }

    pub fn state_machine_does_not_exist(arn: &impl std::fmt::Display) -> ApiError {
        ApiError::new(ErrorType::StateMachineDoesNotExist, format!("State Machine Does Not Exist: '{arn}'"))
    }

    pub fn type_not_supported() -> ApiError {
        let message = "This operation is not supported by this type of state machine";
        ApiError::new(ErrorType::StateMachineTypeNotSupported, message)
    }

    pub fn task_does_not_exist() -> ApiError {
        ApiError::new(ErrorType::TaskDoesNotExist, "Task Does Not Exist: 'Provided task does not exist'")
    }

    pub fn task_timed_out() -> ApiError {
        ApiError::new(ErrorType::TaskTimedOut, "Task Timed Out: 'Provided task does not exist anymore'")
    }

    pub fn too_many_tags(arn: &impl std::fmt::Display, tags_max: usize) -> ApiError {
        let message = format!("Too many tags: '{arn}' can have at most {tags_max} tags");
        ApiError::new(ErrorType::TooManyTags, message).with("resourceName", arn.to_string())
    }

    pub fn unknown_operation() -> ApiError {
        ApiError::new(ErrorType::UnknownOperationException, "The operation is not known")
    }

    /// Source: conformance case `delete_version_with_alias`.
    pub fn version_referenced(aliases: &[Text]) -> ApiError {
        let aliases: Vec<&str> = aliases.iter().map(Text::as_str).collect();
        let message = format!(
            "Version to be deleted must not be referenced by an alias. Current list of aliases referencing \
             this version: [{}]",
            aliases.join(", ")
        );
        ApiError::new(ErrorType::ConflictException, message)
    }

    /// What the operation itself finds wrong, beyond the constraints of single members.
    pub fn validation(message: impl Into<String>) -> ApiError {
        ApiError::new(ErrorType::ValidationException, message)
    }

    /// As [`ApiError::validation`], with a reason that programs read.
    pub fn validation_for(reason: ValidationExceptionReason, message: impl Into<String>) -> ApiError {
        ApiError::validation(message).with("reason", Text::new_static(reason.as_str()))
    }

    /// The ARN of a Map state where a state machine is wanted.
    pub fn labelled_arn() -> ApiError {
        ApiError::validation_for(
            ValidationExceptionReason::ApiDoesNotSupportLabeledArns,
            "This operation does not support the ARN of a Map state",
        )
    }

    /// A failure of this program or of what it stands on.
    pub fn internal(message: impl Into<String>) -> ApiError {
        ApiError::new(ErrorType::InternalFailure, message)
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> ApiError {
        let error_type = match &error {
            StoreError::Conflict => ErrorType::ConflictException,
            StoreError::Throttled => ErrorType::ThrottlingException,
            // The caller reads, or asks again: every operation that writes may be repeated.
            StoreError::Unknown(_) | StoreError::Unavailable(_) => ErrorType::ServiceUnavailable,
            StoreError::Refused(_) | StoreError::Damaged(_) | StoreError::Version(_) => {
                ErrorType::InternalFailure
            }
        };
        let message = match &error {
            StoreError::Conflict => "Another request changes the same resource; try again".to_owned(),
            StoreError::Throttled => "Rate exceeded".to_owned(),
            _ => error.to_string(),
        };
        ApiError::new(error_type, message)
    }
}

impl From<ports::QueueError> for ApiError {
    fn from(error: ports::QueueError) -> ApiError {
        let error_type = match &error {
            ports::QueueError::Throttled => ErrorType::ThrottlingException,
            ports::QueueError::Unavailable(_) => ErrorType::ServiceUnavailable,
            ports::QueueError::Refused(_) | ports::QueueError::Missing(_) => ErrorType::InternalFailure,
        };
        ApiError::new(error_type, error.to_string())
    }
}

impl From<driver::MachineError> for ApiError {
    fn from(error: driver::MachineError) -> ApiError {
        match error {
            driver::MachineError::Store(error) => error.into(),
            error => ApiError::internal(error.to_string()),
        }
    }
}

impl From<driver::WorldError> for ApiError {
    fn from(error: driver::WorldError) -> ApiError {
        match error {
            driver::WorldError::Store(error) => error.into(),
            driver::WorldError::Queue(error) => error.into(),
            driver::WorldError::Machine(error) => error.into(),
            driver::WorldError::Bus(ports::BusError::Throttled) => StoreError::Throttled.into(),
            driver::WorldError::Bus(ports::BusError::Unavailable(reason)) => {
                StoreError::Unavailable(reason).into()
            }
            error => ApiError::internal(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_wires() {
        for error_type in ErrorType::ALL {
            let (namespace, name) = error_type.wire_type().split_once('#').unwrap();
            assert_eq!(name, error_type.as_str());
            // The Rust SDK drops what follows a colon.
            assert!(!namespace.is_empty() && !error_type.wire_type().contains(':'));
        }
        assert_eq!(ErrorType::ALL.iter().filter(|error_type| error_type.status() == 400).count(), 34);
    }

    #[test]
    fn a_body_has_type_message_and_members() {
        let error = ApiError::resource_not_found(&"arn:x");
        let expected = r#"{"__type":"com.amazonaws.swf.service.v2.model#ResourceNotFound","message":"Resource not found: 'arn:x'","resourceName":"arn:x"}"#;
        assert_eq!(error.body().to_json(), expected);
    }
}
