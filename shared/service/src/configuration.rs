//! The configuration objects of state machines and activities: read, checked, shown.

use journal::registry::{Encryption, Logging, RevisionSummary, Tags};
use model::json::{Text, Value};
use model::limits;
use model::name::{NameError, check_tag_key, check_tag_value};
use model::status::{EncryptionType, LogLevel, StateMachineType};

use crate::error::ApiError;
use crate::wire::{ARN, Answer, Members, Rule, text, words};

const KMS_KEY: Rule = text(1, 2_048);
const LEVEL: Rule = words(LogLevel::WORDS);
const ENCRYPTION_TYPE: Rule = words(EncryptionType::WORDS);
const MACHINE_TYPE: Rule = words(StateMachineType::WORDS);
const TAG_KEY: Rule = text(1, limits::TAG_KEY_CHARS_MAX);
const TAG_VALUE: Rule = text(0, limits::TAG_VALUE_CHARS_MAX);

/// `loggingConfiguration` as it was sent.
pub(crate) struct LoggingRequest {
    level: Option<LogLevel>,
    include_execution_data: Option<bool>,
    /// ARNs of log groups; `None` for a destination without one.
    destinations: Vec<Option<Text>>,
}

/// `encryptionConfiguration` as it was sent.
pub(crate) struct EncryptionRequest {
    encryption_type: Option<EncryptionType>,
    kms_key_id: Option<Text>,
    kms_data_key_reuse_period_seconds: Option<i64>,
}

/// `type`.
pub(crate) fn machine_type(members: &Members<'_>) -> StateMachineType {
    members.word("type", &MACHINE_TYPE).unwrap_or(StateMachineType::Standard)
}

pub(crate) fn logging(members: &Members<'_>) -> Option<LoggingRequest> {
    members.structure("loggingConfiguration", |logging| LoggingRequest {
        level: logging.word("level", &LEVEL),
        include_execution_data: logging.boolean("includeExecutionData"),
        destinations: logging
            .structures("destinations", |destination| {
                destination
                    .structure("cloudWatchLogsLogGroup", |group| group.text("logGroupArn", &ARN))
                    .flatten()
            })
            .unwrap_or_default(),
    })
}

/// `tracingConfiguration.enabled`.
pub(crate) fn tracing(members: &Members<'_>) -> Option<bool> {
    members.structure("tracingConfiguration", |tracing| tracing.boolean("enabled").unwrap_or(false))
}

pub(crate) fn encryption(members: &Members<'_>) -> Option<EncryptionRequest> {
    members.structure("encryptionConfiguration", |encryption| {
        let range = limits::KMS_DATA_KEY_REUSE_SECONDS;
        let request = EncryptionRequest {
            kms_key_id: encryption.text("kmsKeyId", &KMS_KEY),
            kms_data_key_reuse_period_seconds: encryption.integer("kmsDataKeyReusePeriodSeconds", range),
            encryption_type: encryption.word("type", &ENCRYPTION_TYPE),
        };
        if !encryption.has("type") {
            encryption.missing("type", false);
        }
        request
    })
}

/// `tags`: keys and values. Both must be there.
pub(crate) fn tags(members: &Members<'_>) -> Option<Vec<(Text, Text)>> {
    members.structures("tags", |tag| {
        (tag.required_text("key", &TAG_KEY), tag.required_text("value", &TAG_VALUE))
    })
}

/// `tagKeys`.
pub(crate) fn tag_keys(members: &Members<'_>) -> Vec<Text> {
    members.required_texts("tagKeys", &TAG_KEY)
}

impl LoggingRequest {
    /// Source: recorded refusals; API, data types LoggingConfiguration and CloudWatchLogsLogGroup.
    pub fn check(self) -> Result<Logging, ApiError> {
        let level = self.level.unwrap_or(LogLevel::Off);
        let count = self.destinations.len();
        if count > limits::LOG_DESTINATIONS_MAX || (count == 0 && level != LogLevel::Off) {
            return Err(ApiError::invalid_logging("Must specify exactly one Log Destination."));
        }
        let log_group_arns = self
            .destinations
            .into_iter()
            .map(|arn| arn.filter(|arn| is_log_group(arn)))
            .collect::<Option<Vec<Text>>>()
            .ok_or_else(|| {
                ApiError::invalid_logging(
                    "A Log Destination must be the ARN of a log group that ends with ':*'.",
                )
            })?;
        let include_execution_data = self.include_execution_data.unwrap_or(false);
        Ok(Logging { level, include_execution_data, log_group_arns })
    }
}

impl EncryptionRequest {
    /// Source: API, data type EncryptionConfiguration.
    pub fn check(self) -> Result<Encryption, ApiError> {
        let encryption_type = self.encryption_type.unwrap_or(EncryptionType::AwsOwnedKey);
        match encryption_type {
            EncryptionType::AwsOwnedKey if self.kms_key_id.is_some() => {
                return Err(ApiError::invalid_encryption("kmsKeyId cannot be set for AWS_OWNED_KEY"));
            }
            EncryptionType::AwsOwnedKey if self.kms_data_key_reuse_period_seconds.is_some() => {
                let reason = "kmsDataKeyReusePeriodSeconds cannot be set for AWS_OWNED_KEY";
                return Err(ApiError::invalid_encryption(reason));
            }
            EncryptionType::CustomerManagedKmsKey if self.kms_key_id.is_none() => {
                return Err(ApiError::invalid_encryption(
                    "kmsKeyId must be set for CUSTOMER_MANAGED_KMS_KEY",
                ));
            }
            EncryptionType::AwsOwnedKey | EncryptionType::CustomerManagedKmsKey => {}
        }
        Ok(Encryption {
            encryption_type,
            kms_key_id: self.kms_key_id,
            kms_data_key_reuse_period_seconds: self.kms_data_key_reuse_period_seconds,
        })
    }
}

/// Tags of a request, checked. Of a key that occurs twice the last value counts: the service
/// accepts that (conformance case `tag_state_machine-tag_list3`).
pub(crate) fn checked_tags(tags: Vec<(Text, Text)>) -> Result<Tags, ApiError> {
    for (key, value) in &tags {
        let refused = |part: &str, error: NameError| ApiError::validation(format!("The tag {part} {error}"));
        check_tag_key(key).map_err(|error| refused("key", error))?;
        check_tag_value(value).map_err(|error| refused("value", error))?;
    }
    Ok(tags.into_iter().collect())
}

fn is_log_group(arn: &str) -> bool {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    match parts[..] {
        ["arn", partition, "logs", region, account, group] => {
            partition.starts_with("aws")
                && !region.is_empty()
                && account.len() == 12
                && account.bytes().all(|b| b.is_ascii_digit())
                && group
                    .strip_prefix("log-group:")
                    .and_then(|name| name.strip_suffix(":*"))
                    .is_some_and(|name| !name.is_empty() && !name.contains(':'))
        }
        _ => false,
    }
}

/// `loggingConfiguration` as it is shown. Destinations are left out where there is none
/// (conformance case `incomplete_logging_configuration`).
pub(crate) fn shown_logging(logging: &Logging) -> Value {
    let destination = |arn: &Text| {
        let group = Answer::new().with("logGroupArn", arn.clone());
        Value::from(Answer::new().with("cloudWatchLogsLogGroup", group))
    };
    let destinations: Vec<Value> = logging.log_group_arns.iter().map(destination).collect();
    Answer::new()
        .with("level", Text::new_static(logging.level.as_str()))
        .with("includeExecutionData", logging.include_execution_data)
        .with_some("destinations", (!destinations.is_empty()).then_some(destinations))
        .into()
}

/// `encryptionConfiguration` as it is shown.
pub(crate) fn shown_encryption(encryption: &Encryption) -> Value {
    Answer::new()
        .with("type", Text::new_static(encryption.encryption_type.as_str()))
        .with_some("kmsKeyId", encryption.kms_key_id.clone())
        .with_some("kmsDataKeyReusePeriodSeconds", encryption.kms_data_key_reuse_period_seconds)
        .into()
}

/// What DescribeStateMachine and DescribeStateMachineForExecution show of a revision alike. An
/// encryption configuration is shown when one was given, as in the recordings of state machines.
pub(crate) fn shown_revision(answer: Answer, summary: &RevisionSummary) -> Answer {
    let tracing = Answer::new().with("enabled", summary.tracing_enabled);
    answer
        .with("loggingConfiguration", shown_logging(&summary.logging))
        .with("tracingConfiguration", tracing)
        .with_some("encryptionConfiguration", summary.encryption.as_ref().map(shown_encryption))
        .with_some("revisionId", summary.shown_id().cloned())
}

/// Tags as they are shown.
pub(crate) fn shown_tags(tags: &Tags) -> Value {
    tags.iter()
        .map(|(key, value)| Value::from(Answer::new().with("key", key.clone()).with("value", value.clone())))
        .collect()
}
