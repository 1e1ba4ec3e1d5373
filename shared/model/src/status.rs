//! The closed word lists of the API: statuses, types, levels and filters.
//!
//! Each enum prints, parses and is stored as the API spells it (`TIMED_OUT`). Source: API
//! reference, the data type of the same name unless the item says otherwise.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A word that is not in the list.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{value:?} is not one of {}", allowed.join(", "))]
pub struct UnknownWord {
    /// What was given.
    pub value: String,
    /// The words of the list, in the order of the enum.
    pub allowed: &'static [&'static str],
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$variant_doc])* #[serde(rename = $word)] $variant,)+
        }

        impl $name {
            /// Every value, in order.
            pub const ALL: &[$name] = &[$($name::$variant),+];
            /// The words of [`Self::ALL`], in the same order.
            pub const WORDS: &[&str] = &[$($word),+];

            /// The API's word.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $($name::$variant => $word,)+
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = UnknownWord;

            fn from_str(word: &str) -> Result<$name, UnknownWord> {
                match word {
                    $($word => Ok($name::$variant),)+
                    _ => Err(UnknownWord { value: word.chars().take(64).collect(), allowed: $name::WORDS }),
                }
            }
        }
    };
}

words! {
    /// Where an execution stands.
    ExecutionStatus {
        /// It has not ended.
        Running = "RUNNING",
        /// It reached an end.
        Succeeded = "SUCCEEDED",
        /// A state failed and nothing caught it.
        Failed = "FAILED",
        /// It used up its time.
        TimedOut = "TIMED_OUT",
        /// StopExecution, or the end of its Map Run, ended it.
        Aborted = "ABORTED",
        /// A child execution that its Map Run will redrive.
        PendingRedrive = "PENDING_REDRIVE",
    }
}

impl ExecutionStatus {
    /// Whether the execution has ended: neither running nor about to run again.
    pub const fn is_terminal(self) -> bool {
        !matches!(self, ExecutionStatus::Running | ExecutionStatus::PendingRedrive)
    }
}

words! {
    /// How a synchronous Express execution ended (`StartSyncExecution`).
    SyncExecutionStatus {
        /// It reached an end.
        Succeeded = "SUCCEEDED",
        /// A state failed and nothing caught it.
        Failed = "FAILED",
        /// It used up its time.
        TimedOut = "TIMED_OUT",
    }
}

words! {
    /// Whether an execution can be redriven (`redriveStatus` of DescribeExecution).
    ExecutionRedriveStatus {
        /// RedriveExecution accepts it.
        Redrivable = "REDRIVABLE",
        /// RedriveExecution refuses it; `redriveStatusReason` says why.
        NotRedrivable = "NOT_REDRIVABLE",
        /// It is redriven with its Map Run.
        RedrivableByMapRun = "REDRIVABLE_BY_MAP_RUN",
    }
}

words! {
    /// `redriveFilter` of ListExecutions.
    ExecutionRedriveFilter {
        /// Redriven at least once.
        Redriven = "REDRIVEN",
        /// Never redriven.
        NotRedriven = "NOT_REDRIVEN",
    }
}

words! {
    /// Where a Map Run stands.
    MapRunStatus {
        /// It has not ended.
        Running = "RUNNING",
        /// It ended within its thresholds.
        Succeeded = "SUCCEEDED",
        /// It exceeded a threshold, or could not read or write.
        Failed = "FAILED",
        /// Its execution was ended.
        Aborted = "ABORTED",
    }
}

impl MapRunStatus {
    /// Whether the Map Run has ended.
    pub const fn is_terminal(self) -> bool {
        !matches!(self, MapRunStatus::Running)
    }
}

words! {
    /// Whether a state machine accepts executions.
    StateMachineStatus {
        /// It does.
        Active = "ACTIVE",
        /// It is being deleted, once its executions have ended.
        Deleting = "DELETING",
    }
}

words! {
    /// The workflow type, fixed when the state machine is created.
    StateMachineType {
        /// Up to a year, each state exactly once, with history.
        Standard = "STANDARD",
        /// Up to five minutes, at least once, without history.
        Express = "EXPRESS",
    }
}

words! {
    /// `level` of a `loggingConfiguration`: which history events are logged.
    LogLevel {
        /// All.
        All = "ALL",
        /// Failures, aborts and timeouts.
        Error = "ERROR",
        /// Only those of the execution itself.
        Fatal = "FATAL",
        /// None.
        Off = "OFF",
    }
}

words! {
    /// `type` of an `encryptionConfiguration`.
    EncryptionType {
        /// A key that the service holds.
        AwsOwnedKey = "AWS_OWNED_KEY",
        /// A key of the account.
        CustomerManagedKmsKey = "CUSTOMER_MANAGED_KMS_KEY",
    }
}

words! {
    /// `includedData` of the Describe operations.
    IncludedData {
        /// Everything.
        AllData = "ALL_DATA",
        /// Without what a customer key encrypts: definition, input, output, error and cause.
        MetadataOnly = "METADATA_ONLY",
    }
}

words! {
    /// `inspectionLevel` of TestState.
    InspectionLevel {
        /// The outcome.
        Info = "INFO",
        /// Also the data after each step.
        Debug = "DEBUG",
        /// Also the HTTP request and response.
        Trace = "TRACE",
    }
}

words! {
    /// `status` of a TestState answer.
    TestExecutionStatus {
        /// The state succeeded.
        Succeeded = "SUCCEEDED",
        /// The state failed.
        Failed = "FAILED",
        /// A Retrier would try again.
        Retriable = "RETRIABLE",
        /// A Catcher took the error.
        CaughtError = "CAUGHT_ERROR",
    }
}

words! {
    /// `fieldValidationMode` of a TestState mock.
    MockResponseValidationMode {
        /// Required fields must be there, and all fields have the right names and types.
        Strict = "STRICT",
        /// Fields that are there have the right names and types.
        Present = "PRESENT",
        /// Nothing is checked.
        None = "NONE",
    }
}

words! {
    /// `result` of ValidateStateMachineDefinition.
    ValidateStateMachineDefinitionResultCode {
        /// The definition can be created.
        Ok = "OK",
        /// It has an error.
        Fail = "FAIL",
    }
}

words! {
    /// `severity` of a diagnostic of ValidateStateMachineDefinition.
    ValidateStateMachineDefinitionSeverity {
        /// The definition cannot be created.
        Error = "ERROR",
        /// It may not do what it seems to.
        Warning = "WARNING",
    }
}

words! {
    /// `reason` of a ValidationException.
    ValidationExceptionReason {
        /// The ARN has a Map label.
        ApiDoesNotSupportLabeledArns = "API_DOES_NOT_SUPPORT_LABELED_ARNS",
        /// A member is missing.
        MissingRequiredParameter = "MISSING_REQUIRED_PARAMETER",
        /// The Map Run has ended.
        CannotUpdateCompletedMapRun = "CANNOT_UPDATE_COMPLETED_MAP_RUN",
        /// The routes of an alias do not fit together.
        InvalidRoutingConfiguration = "INVALID_ROUTING_CONFIGURATION",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Words are printed, parsed and stored alike, and no other word is taken.
    macro_rules! check {
        ($name:ident: $($word:literal)+) => {
            assert_eq!($name::WORDS, [$($word),+]);
            assert_eq!($name::ALL.len(), $name::WORDS.len());
            for (value, word) in $name::ALL.iter().zip($name::WORDS) {
                assert_eq!(value.to_string(), *word);
                assert_eq!(word.parse::<$name>().as_ref(), Ok(value));
                assert_eq!(serde_json::to_string(value).unwrap(), format!("{word:?}"));
                assert_eq!(&serde_json::from_str::<$name>(&format!("{word:?}")).unwrap(), value);
                assert!(word.to_lowercase().parse::<$name>().is_err());
            }
            let error = "".parse::<$name>().unwrap_err();
            assert_eq!(error.to_string(), format!("\"\" is not one of {}", $name::WORDS.join(", ")));
        };
    }

    #[test]
    fn words_are_the_apis() {
        check!(ExecutionStatus: "RUNNING" "SUCCEEDED" "FAILED" "TIMED_OUT" "ABORTED" "PENDING_REDRIVE");
        check!(SyncExecutionStatus: "SUCCEEDED" "FAILED" "TIMED_OUT");
        check!(ExecutionRedriveStatus: "REDRIVABLE" "NOT_REDRIVABLE" "REDRIVABLE_BY_MAP_RUN");
        check!(ExecutionRedriveFilter: "REDRIVEN" "NOT_REDRIVEN");
        check!(MapRunStatus: "RUNNING" "SUCCEEDED" "FAILED" "ABORTED");
        check!(StateMachineStatus: "ACTIVE" "DELETING");
        check!(StateMachineType: "STANDARD" "EXPRESS");
        check!(LogLevel: "ALL" "ERROR" "FATAL" "OFF");
        check!(EncryptionType: "AWS_OWNED_KEY" "CUSTOMER_MANAGED_KMS_KEY");
        check!(IncludedData: "ALL_DATA" "METADATA_ONLY");
        check!(InspectionLevel: "INFO" "DEBUG" "TRACE");
        check!(TestExecutionStatus: "SUCCEEDED" "FAILED" "RETRIABLE" "CAUGHT_ERROR");
        check!(MockResponseValidationMode: "STRICT" "PRESENT" "NONE");
        check!(ValidateStateMachineDefinitionResultCode: "OK" "FAIL");
        check!(ValidateStateMachineDefinitionSeverity: "ERROR" "WARNING");
        check!(ValidationExceptionReason:
            "API_DOES_NOT_SUPPORT_LABELED_ARNS" "MISSING_REQUIRED_PARAMETER"
            "CANNOT_UPDATE_COMPLETED_MAP_RUN" "INVALID_ROUTING_CONFIGURATION");
    }

    #[test]
    fn what_has_ended() {
        let open: Vec<_> = ExecutionStatus::ALL.iter().filter(|status| !status.is_terminal()).collect();
        assert_eq!(open, [&ExecutionStatus::Running, &ExecutionStatus::PendingRedrive]);
        let open: Vec<_> = MapRunStatus::ALL.iter().filter(|status| !status.is_terminal()).collect();
        assert_eq!(open, [&MapRunStatus::Running]);
    }
}
