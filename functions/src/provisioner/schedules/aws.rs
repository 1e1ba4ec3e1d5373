//! EventBridge Scheduler on AWS.

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_scheduler::Client;
use aws_sdk_scheduler::primitives::{DateTime, DateTimeFormat};
use aws_sdk_scheduler::types::{
    FlexibleTimeWindow, FlexibleTimeWindowMode, RetryPolicy, ScheduleState, Target,
};
use ports_aws::Timeouts;
use ports_aws::config::{limits, retries};
use ports_aws::fault::Fault;

use super::{Scheduler, Wanted};

/// Where schedules are made, and what they call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduleSettings {
    /// The schedule group.
    group: String,
    /// The role with which Scheduler calls the trigger.
    role: String,
    /// ARN of the trigger.
    trigger: String,
}

impl ScheduleSettings {
    /// Reads the environment; an error says what it lacks.
    pub fn read(variable: &dyn Fn(&str) -> Option<String>) -> Result<ScheduleSettings, String> {
        let required = |name: &str| {
            let value = variable(name).filter(|value| !value.is_empty());
            value.ok_or_else(|| format!("the environment variable {name} is not set"))
        };
        Ok(ScheduleSettings {
            group: required("STEPWRIGHT_SCHEDULE_GROUP")?,
            role: required("STEPWRIGHT_SCHEDULE_ROLE")?,
            trigger: required("STEPWRIGHT_TRIGGER_ARN")?,
        })
    }
}

/// One group of EventBridge Scheduler.
pub struct Group {
    client: Client,
    settings: ScheduleSettings,
}

impl Group {
    /// Reached as `sdk` says. Every request has a token, or may be repeated without.
    pub fn new(sdk: &SdkConfig, settings: ScheduleSettings) -> Group {
        let timeouts = Timeouts::default();
        let config = aws_sdk_scheduler::config::Builder::from(sdk)
            .timeout_config(limits(timeouts, timeouts.attempt))
            .retry_config(retries())
            .build();
        Group { client: Client::from_conf(config), settings }
    }

    fn said(&self, operation: &str, name: &str, fault: &Fault) -> String {
        fault.at(operation, "schedule", &format!("{}/{name}", self.settings.group))
    }
}

/// A time in a template.
pub fn date(text: &str) -> Option<DateTime> {
    DateTime::from_str(text, DateTimeFormat::DateTimeWithOffset).ok()
}

/// The parts that creating and updating a schedule have in common.
macro_rules! filled {
    ($request:expr, $group:expr, $wanted:expr, $token:expr) => {{
        let schedule = &$wanted.schedule;
        let text = |text: &Option<model::json::Text>| text.as_ref().map(ToString::to_string);
        let mode = schedule.window_mode.as_deref().unwrap_or("OFF");
        let window = FlexibleTimeWindow::builder()
            .mode(FlexibleTimeWindowMode::from(mode))
            .set_maximum_window_in_minutes(schedule.window_minutes.map(bounded))
            .build()
            .map_err(|error| error.to_string())?;
        let retry = (schedule.retry_age_seconds.is_some() || schedule.retry_attempts.is_some()).then(|| {
            RetryPolicy::builder()
                .set_maximum_event_age_in_seconds(schedule.retry_age_seconds.map(bounded))
                .set_maximum_retry_attempts(schedule.retry_attempts.map(bounded))
                .build()
        });
        let target = Target::builder()
            .arn(&$group.settings.trigger)
            .role_arn(&$group.settings.role)
            .input(&$wanted.event)
            .set_retry_policy(retry)
            .build()
            .map_err(|error| error.to_string())?;
        let state = schedule.state.as_deref().unwrap_or("ENABLED");
        $request
            .group_name(&$group.settings.group)
            .name(&$wanted.name)
            .schedule_expression(schedule.expression.as_str())
            .set_schedule_expression_timezone(text(&schedule.timezone))
            .set_start_date(schedule.start_date.as_deref().and_then(date))
            .set_end_date(schedule.end_date.as_deref().and_then(date))
            .set_description(text(&schedule.description))
            .state(ScheduleState::from(state))
            .flexible_time_window(window)
            .target(target)
            .client_token($token)
    }};
}

/// A number beyond 32 bits is beyond what the API takes, on the same side.
fn bounded(number: i64) -> i32 {
    i32::try_from(number).unwrap_or(if number < 0 { i32::MIN } else { i32::MAX })
}

#[async_trait]
impl Scheduler for Group {
    async fn put(&self, wanted: &Wanted, token: &str) -> Result<(), String> {
        let created = filled!(self.client.create_schedule(), self, wanted, token).send().await;
        let fault = match created {
            Ok(_) => return Ok(()),
            Err(error) => Fault::of(error),
        };
        if fault.code() != Some("ConflictException") {
            return Err(self.said("CreateSchedule", &wanted.name, &fault));
        }
        let updated = filled!(self.client.update_schedule(), self, wanted, token).send().await;
        updated.map(|_| ()).map_err(|error| self.said("UpdateSchedule", &wanted.name, &Fault::of(error)))
    }

    async fn delete(&self, name: &str, token: &str) -> Result<(), String> {
        let request =
            self.client.delete_schedule().group_name(&self.settings.group).name(name).client_token(token);
        match request.send().await.map_err(Fault::of) {
            Ok(_) => Ok(()),
            Err(fault) if fault.code() == Some("ResourceNotFoundException") => Ok(()),
            Err(fault) => Err(self.said("DeleteSchedule", name, &fault)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_environment_lacks_is_named() {
        let all = [
            ("STEPWRIGHT_SCHEDULE_GROUP", "g"),
            ("STEPWRIGHT_SCHEDULE_ROLE", "r"),
            ("STEPWRIGHT_TRIGGER_ARN", "t"),
        ];
        for (missing, _) in all {
            let found = ScheduleSettings::read(&|name| {
                all.iter()
                    .find(|(known, _)| *known == name && name != missing)
                    .map(|(_, value)| (*value).to_owned())
            });
            assert_eq!(found, Err(format!("the environment variable {missing} is not set")));
        }
    }

    #[test]
    fn dates_are_those_of_templates() {
        for (text, expected) in [
            ("2030-01-31T08:00:00Z", true),
            ("2030-01-31T08:00:00.5+02:00", true),
            ("2030-01-31", false),
            ("", false),
        ] {
            assert_eq!(date(text).is_some(), expected, "{text}");
        }
    }
}
