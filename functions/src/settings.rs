//! The environment that the template gives to every function.

use driver::{Config, StatusEvents};
use integrations_aws::Roles;
use model::arn::Home;
use model::json::Text;
use model::limits::Limits;
use ports_aws::Timeouts;
use ports_aws::config::SOURCE;

use crate::log::LogLevel;

/// What a function is told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Whose resources these are.
    pub home: Home,
    /// Table, bucket, bus and topic; queues of activities begin with its prefix.
    pub ports: ports_aws::Settings,
    /// URL of the queue of messages about executions.
    pub queue_url: String,
    /// URL of the queue that messages go to that came too often.
    pub dead_letters_url: String,
    /// How long ended executions are kept, in days.
    pub retention_days: i64,
    /// Partitions of listings and of wake-ups.
    pub shards: u32,
    /// Limits of payloads, histories and the like.
    pub limits: Limits,
    /// Thresholds of the protocol.
    pub config: Config,
    /// The roles of state machines that are taken on.
    pub roles: Roles,
    /// What is logged.
    pub log: LogLevel,
}

/// A variable that is missing or cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// There is none.
    #[error("the environment variable {0} is not set")]
    Missing(&'static str),
    /// It is not what it has to be.
    #[error("the environment variable {name} is `{value}`, and has to be {expected}")]
    Unusable {
        /// Which one.
        name: &'static str,
        /// What it says.
        value: String,
        /// What it might say.
        expected: &'static str,
    },
}

/// Reads one environment: what stands in a variable, if it is set and not empty.
struct Environment<'a>(&'a dyn Fn(&str) -> Option<String>);

impl Environment<'_> {
    fn get(&self, name: &'static str) -> Option<String> {
        (self.0)(name).filter(|value| !value.is_empty())
    }

    fn required(&self, name: &'static str) -> Result<String, SettingsError> {
        self.get(name).ok_or(SettingsError::Missing(name))
    }

    fn parsed<T>(
        &self,
        name: &'static str,
        expected: &'static str,
        default: T,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<T, SettingsError> {
        let Some(value) = self.get(name) else { return Ok(default) };
        parse(&value).ok_or(SettingsError::Unusable { name, value, expected })
    }

    /// Texts with commas between them.
    fn list(&self, name: &'static str) -> Vec<Text> {
        let all = self.get(name).unwrap_or_default();
        all.split(',').map(str::trim).filter(|text| !text.is_empty()).map(Text::from).collect()
    }

    /// A number of seconds, as milliseconds; parts of one are allowed.
    fn millis(&self, name: &'static str, default: i64) -> Result<i64, SettingsError> {
        self.parsed(name, "a number of seconds from 0 to 86400", default, |text| {
            let seconds: f64 = text.parse().ok()?;
            let millis = (seconds * 1_000.0).round();
            // In range, so that nothing is cut off.
            (0.0..=86_400_000.0).contains(&millis).then_some(millis as i64)
        })
    }

    fn whole(&self, name: &'static str, expected: &'static str, default: i64) -> Result<i64, SettingsError> {
        self.parsed(name, expected, default, |text| text.parse().ok().filter(|number| *number > 0))
    }
}

impl Settings {
    /// Reads what `variable` gives for a name.
    pub fn from_environment(variable: &dyn Fn(&str) -> Option<String>) -> Result<Settings, SettingsError> {
        let environment = Environment(variable);
        let text = |name| environment.required(name).map(Text::from);
        let defaults = Config::default();
        let status_events = environment.parsed(
            "STEPWRIGHT_STATUS_EVENTS",
            "failures, all or none",
            StatusEvents::Failures,
            |text| match text {
                "failures" => Some(StatusEvents::Failures),
                "all" => Some(StatusEvents::All),
                "none" => Some(StatusEvents::None),
                _ => None,
            },
        )?;
        let config = Config {
            lease_millis: environment.millis("STEPWRIGHT_LEASE_SECONDS", defaults.lease_millis)?,
            ..defaults
        };
        // The others follow from the lease as they do by default.
        let config = Config {
            lease_refresh_millis: config.lease_millis / 3,
            lease_margin_millis: config.lease_millis / 6,
            visibility_millis: config.lease_millis,
            sleep_millis_max: environment.millis("STEPWRIGHT_SLEEP_SECONDS", config.sleep_millis_max)?,
            delay_millis_max: environment.millis("STEPWRIGHT_DELAY_SECONDS", config.delay_millis_max)?,
            shift_millis: Some(environment.millis("STEPWRIGHT_SHIFT_SECONDS", 60_000)?),
            sweep_ahead_millis: environment
                .millis("STEPWRIGHT_SWEEP_AHEAD_SECONDS", config.sweep_ahead_millis)?,
            status_events,
            ..config
        };
        let payload_bytes = environment.whole(
            "STEPWRIGHT_PAYLOAD_BYTES",
            "a number of bytes",
            i64::try_from(model::limits::PAYLOAD_BYTES_MAX).unwrap_or(i64::MAX),
        )?;
        Ok(Settings {
            home: Home {
                partition: environment.get("STEPWRIGHT_PARTITION").unwrap_or_else(|| "aws".to_owned()).into(),
                region: text("AWS_REGION")?,
                account: text("STEPWRIGHT_ACCOUNT")?,
            },
            ports: ports_aws::Settings {
                table: text("STEPWRIGHT_TABLE")?,
                queue_prefix: text("STEPWRIGHT_ACTIVITY_QUEUES")?,
                bucket: text("STEPWRIGHT_BUCKET")?,
                bus: text("STEPWRIGHT_BUS")?,
                source: SOURCE.into(),
                topic: environment.get("STEPWRIGHT_TOPIC").map(Text::from),
                timeouts: Timeouts::default(),
            },
            queue_url: environment.required("STEPWRIGHT_QUEUE_URL")?,
            dead_letters_url: environment.required("STEPWRIGHT_DEAD_LETTERS_URL")?,
            retention_days: environment.whole(
                "STEPWRIGHT_RETENTION_DAYS",
                "a number of days",
                model::limits::RETENTION_DAYS,
            )?,
            shards: environment.parsed("STEPWRIGHT_SHARDS", "a number from 1 to 256", 8, |text| {
                text.parse().ok().filter(|shards| (1..=256).contains(shards))
            })?,
            limits: Limits { payload_bytes_max: usize::try_from(payload_bytes).ok(), ..Limits::SERVICE },
            config,
            roles: Roles {
                external_id: environment.get("STEPWRIGHT_EXTERNAL_ID").unwrap_or_default().into(),
                allowed: environment.list("STEPWRIGHT_TASK_ROLES"),
            },
            log: environment.parsed(
                "STEPWRIGHT_LOG",
                LogLevel::EXPECTED,
                LogLevel::default(),
                LogLevel::parse,
            )?,
        })
    }

    /// What the journal is told.
    pub fn journal(&self) -> journal::Config {
        const DAY_MILLIS: i64 = 24 * 60 * 60 * 1_000;
        journal::Config {
            listing_shards: self.shards,
            wake_shards: self.shards,
            records_retention_millis: self.retention_days.saturating_mul(DAY_MILLIS),
            ..journal::Config::paid_by_size(self.home.clone())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const REQUIRED: [&str; 8] = [
        "AWS_REGION",
        "STEPWRIGHT_ACCOUNT",
        "STEPWRIGHT_TABLE",
        "STEPWRIGHT_ACTIVITY_QUEUES",
        "STEPWRIGHT_BUCKET",
        "STEPWRIGHT_BUS",
        "STEPWRIGHT_QUEUE_URL",
        "STEPWRIGHT_DEAD_LETTERS_URL",
    ];

    fn read(others: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        let mut all: BTreeMap<&str, &str> = REQUIRED.iter().map(|name| (*name, "x")).collect();
        all.extend(others.iter().copied());
        Settings::from_environment(&|name| all.get(name).map(|value| (*value).to_owned()))
    }

    #[test]
    fn what_is_missing_is_named() {
        for name in REQUIRED {
            assert_eq!(read(&[(name, "")]).err(), Some(SettingsError::Missing(name)));
        }
        let settings = read(&[]).unwrap();
        assert_eq!(settings.config, Config { shift_millis: Some(60_000), ..Config::default() });
        assert_eq!(settings.limits, Limits::SERVICE);
        assert_eq!(settings.journal().listing_shards, 8);
    }

    #[test]
    fn thresholds_follow_the_lease() {
        let settings = read(&[
            ("STEPWRIGHT_LEASE_SECONDS", "3"),
            ("STEPWRIGHT_SLEEP_SECONDS", "0.5"),
            ("STEPWRIGHT_STATUS_EVENTS", "all"),
            ("STEPWRIGHT_PAYLOAD_BYTES", "1048576"),
            ("STEPWRIGHT_RETENTION_DAYS", "7"),
            ("STEPWRIGHT_TASK_ROLES", "arn:a, arn:b*,"),
        ])
        .unwrap();
        let config = &settings.config;
        assert_eq!((config.lease_millis, config.visibility_millis), (3_000, 3_000));
        assert_eq!((config.lease_refresh_millis, config.lease_margin_millis), (1_000, 500));
        assert_eq!((config.sleep_millis_max, config.status_events), (500, StatusEvents::All));
        assert_eq!(settings.limits.payload_bytes_max, Some(1_048_576));
        assert_eq!(settings.roles.allowed, ["arn:a", "arn:b*"]);
        assert_eq!(settings.journal().records_retention_millis, 7 * 24 * 60 * 60 * 1_000);
    }

    #[test]
    fn what_cannot_be_used_says_what_could() {
        for (name, value, says) in [
            ("STEPWRIGHT_LEASE_SECONDS", "soon", "a number of seconds from 0 to 86400"),
            ("STEPWRIGHT_SLEEP_SECONDS", "-1", "a number of seconds from 0 to 86400"),
            ("STEPWRIGHT_DELAY_SECONDS", "NaN", "a number of seconds from 0 to 86400"),
            ("STEPWRIGHT_STATUS_EVENTS", "some", "failures, all or none"),
            ("STEPWRIGHT_PAYLOAD_BYTES", "0", "a number of bytes"),
            ("STEPWRIGHT_RETENTION_DAYS", "1.5", "a number of days"),
            ("STEPWRIGHT_SHARDS", "257", "a number from 1 to 256"),
            ("STEPWRIGHT_LOG", "loud", "off, error, warn, info, debug or trace"),
        ] {
            let said = read(&[(name, value)]).unwrap_err().to_string();
            assert_eq!(said, format!("the environment variable {name} is `{value}`, and has to be {says}"));
        }
    }
}
