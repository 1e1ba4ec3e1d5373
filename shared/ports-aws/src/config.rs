//! What an installation on AWS consists of, and the clients to it.

use std::env;
use std::sync::Arc;
use std::time::Duration;

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_smithy_http_client::tls;
use model::json::Text;
use ports::Clock;

use crate::{Blobs, Bus, Queues, Table, Topic};

/// Names of what an installation consists of. Shells read the environment and fill it in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Name or ARN of the DynamoDB table.
    pub table: Text,
    /// What the names of the SQS queues begin with, before the names that the port knows; may be
    /// empty.
    pub queue_prefix: Text,
    /// Name of the S3 bucket.
    pub bucket: Text,
    /// Name or ARN of the EventBridge bus; the account's own is `default`.
    pub bus: Text,
    /// The `source` that events are published with: AWS keeps those that begin with `aws.` for
    /// itself. See [`SOURCE`].
    pub source: Text,
    /// ARN of the SNS topic that failures go to when the bus does not take them.
    pub topic: Option<Text>,
    /// How long requests may take.
    pub timeouts: Timeouts,
}

/// The usual [`Settings::source`].
pub const SOURCE: &str = "stepwright.states";

/// How long requests may take.
///
/// DynamoDB, SQS and EventBridge answer within milliseconds, so that three seconds without an
/// answer are a lost request, and another attempt serves the caller better than more patience.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// To open a connection.
    pub connect: Duration,
    /// For one attempt at a request and its answer. A long poll has this beyond its wait.
    pub attempt: Duration,
    /// For one attempt at a request to S3, whose blobs may have many megabytes.
    pub blob_attempt: Duration,
}

impl Default for Timeouts {
    fn default() -> Timeouts {
        Timeouts {
            connect: Duration::from_secs(1),
            attempt: Duration::from_secs(3),
            blob_attempt: Duration::from_secs(30),
        }
    }
}

/// Settings that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// A name that must not be empty is.
    #[error("{0} is not set")]
    Empty(&'static str),
    /// Nothing says which Region.
    #[error("no AWS Region is configured: set AWS_REGION")]
    NoRegion,
    /// EventBridge refuses such a source.
    #[error("the source of events `{0}` begins with `aws.`, which AWS keeps for itself")]
    ReservedSource(Text),
    /// Not the ARN of a topic.
    #[error("`{0}` is not the ARN of an SNS topic")]
    NoTopic(Text),
}

impl Settings {
    /// Whether they can be used.
    pub fn check(&self) -> Result<(), SettingsError> {
        for (name, value) in [
            ("the name of the table", &self.table),
            ("the name of the bucket", &self.bucket),
            ("the name of the event bus", &self.bus),
            ("the source of events", &self.source),
        ] {
            if value.is_empty() {
                return Err(SettingsError::Empty(name));
            }
        }
        if self.source.starts_with("aws.") {
            return Err(SettingsError::ReservedSource(self.source.clone()));
        }
        Ok(())
    }
}

/// The configuration of the AWS SDK as the adapters want it: TLS by rustls; Region, credentials and an
/// endpoint as Lambda's environment gives them. Profiles, roles and metadata services are nobody's there, and
/// code that a start would have to load.
pub fn of_environment() -> SdkConfig {
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring))
        .build_https();
    let variable = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
    let credentials = EnvironmentVariableCredentialsProvider::new();
    let mut config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(http)
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .region(variable("AWS_REGION").or_else(|| variable("AWS_DEFAULT_REGION")).map(Region::new));
    config.set_endpoint_url(variable("AWS_ENDPOINT_URL"));
    config.build()
}

/// The backends of one installation. Connections are opened with the first request.
pub struct Installation {
    /// Rows.
    pub table: Arc<dyn ports::Table>,
    /// Messages.
    pub queues: Arc<Queues>,
    /// Blobs.
    pub blobs: Arc<dyn ports::Blobs>,
    /// Events, as EventBridge takes them; see [`crate::Fallback`] for more.
    pub bus: Arc<dyn ports::Bus>,
    /// The topic for failures, if there is one.
    pub topic: Option<Arc<dyn ports::Bus>>,
}

impl Installation {
    /// The backends that `settings` name, reached as `sdk` says.
    pub fn new(
        sdk: &SdkConfig,
        settings: &Settings,
        clock: Arc<dyn Clock>,
    ) -> Result<Installation, SettingsError> {
        settings.check()?;
        if sdk.region().is_none() {
            return Err(SettingsError::NoRegion);
        }
        let (timeouts, source) = (settings.timeouts, settings.source.clone());
        let topic = match &settings.topic {
            Some(arn) => {
                Some(Arc::new(Topic::new(sdk, arn.clone(), source.clone(), timeouts)?) as Arc<dyn ports::Bus>)
            }
            None => None,
        };
        Ok(Installation {
            table: Arc::new(Table::new(sdk, settings.table.clone(), timeouts)),
            queues: Arc::new(Queues::new(sdk, settings.queue_prefix.clone(), timeouts, clock)),
            blobs: Arc::new(Blobs::new(sdk, settings.bucket.clone(), timeouts)),
            bus: Arc::new(Bus::new(sdk, settings.bus.clone(), source, timeouts)),
            topic,
        })
    }
}

/// Attempts at a request that may be made twice.
const ATTEMPTS_MAX: u32 = 4;
/// Before the second attempt; doubled for each further one, with jitter.
const BACKOFF: Duration = Duration::from_millis(50);
/// At most, between attempts.
const BACKOFF_MAX: Duration = Duration::from_secs(1);

/// For requests that may be made twice.
pub fn retries() -> RetryConfig {
    RetryConfig::standard()
        .with_max_attempts(ATTEMPTS_MAX)
        .with_initial_backoff(BACKOFF)
        .with_max_backoff(BACKOFF_MAX)
}

/// One attempt takes at most `attempt`.
pub fn limits(timeouts: Timeouts, attempt: Duration) -> TimeoutConfig {
    TimeoutConfig::builder().connect_timeout(timeouts.connect).operation_attempt_timeout(attempt).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        Settings {
            table: "t".into(),
            queue_prefix: "".into(),
            bucket: "b".into(),
            bus: "default".into(),
            source: SOURCE.into(),
            topic: None,
            timeouts: Timeouts::default(),
        }
    }

    #[test]
    fn settings_that_cannot_be_used_are_refused() {
        let cases: [(Settings, Result<(), SettingsError>); 6] = [
            (settings(), Ok(())),
            (Settings { table: "".into(), ..settings() }, Err(SettingsError::Empty("the name of the table"))),
            (
                Settings { bucket: "".into(), ..settings() },
                Err(SettingsError::Empty("the name of the bucket")),
            ),
            (
                Settings { bus: "".into(), ..settings() },
                Err(SettingsError::Empty("the name of the event bus")),
            ),
            (Settings { source: "".into(), ..settings() }, Err(SettingsError::Empty("the source of events"))),
            (
                Settings { source: "aws.states".into(), ..settings() },
                Err(SettingsError::ReservedSource("aws.states".into())),
            ),
        ];
        for (settings, expected) in cases {
            assert_eq!(settings.check(), expected, "{settings:?}");
        }
    }

    #[tokio::test]
    async fn an_installation_has_a_region_and_its_topic_is_one() {
        use aws_config::Region;
        let clock: Arc<dyn Clock> = Arc::new(ports::SystemClock);
        let none = SdkConfig::builder().build();
        let made = Installation::new(&none, &settings(), clock.clone());
        assert_eq!(made.err(), Some(SettingsError::NoRegion));
        let sdk = SdkConfig::builder()
            .region(Region::new("eu-west-1"))
            .behavior_version(BehaviorVersion::latest())
            .build();
        for (arn, is_topic) in [
            ("arn:aws:sns:eu-west-1:123456789012:failures", true),
            ("arn:aws-cn:sns:cn-north-1:123456789012:failures.fifo", true),
            ("arn:aws:sqs:eu-west-1:123456789012:failures", false),
            ("arn:aws:sns:eu-west-1:123456789012", false),
            ("failures", false),
        ] {
            let settings = Settings { topic: Some(arn.into()), ..settings() };
            let made = Installation::new(&sdk, &settings, clock.clone());
            assert_eq!(made.is_ok(), is_topic, "{arn}");
        }
    }
}
