//! The schedules of a state machine, in EventBridge Scheduler.
//!
//! Their names follow from the state machine's ARN and the entry's name, so that earlier properties
//! say which there are: nothing has to be listed.

pub mod aws;

use async_trait::async_trait;
use model::json::{Text, Value};

use super::properties::Members;
use crate::call::member;
use crate::digest::digest;

/// Characters of a schedule's name. Source: EventBridge Scheduler API, CreateSchedule.
const NAME_CHARS_MAX: usize = 64;
/// Digits of the digest that tells whose a schedule is.
const DIGEST_CHARS: usize = 16;
/// Characters of an entry's name: what is left behind the digest and a dash.
const ENTRY_CHARS_MAX: usize = NAME_CHARS_MAX - DIGEST_CHARS - 1;
/// What the text of an input may hold instead of JSON. Source: EventBridge Scheduler user guide,
/// "Context attributes".
const ATTRIBUTE: &str = "<aws.scheduler.";

/// An entry of `Schedules`: the properties of SAM's event `ScheduleV2`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schedule {
    /// What tells it from the others of the state machine.
    name: Text,
    /// `rate(…)`, `cron(…)` or `at(…)`.
    pub expression: Text,
    /// The zone of the expression.
    pub timezone: Option<Text>,
    /// When it begins to count.
    pub start_date: Option<Text>,
    /// When it ends.
    pub end_date: Option<Text>,
    /// `ENABLED` or `DISABLED`.
    pub state: Option<Text>,
    /// For people.
    pub description: Option<Text>,
    /// `OFF` or `FLEXIBLE`.
    pub window_mode: Option<Text>,
    /// How far it may be off.
    pub window_minutes: Option<i64>,
    /// How long a delivery is repeated.
    pub retry_age_seconds: Option<i64>,
    /// How often.
    pub retry_attempts: Option<i64>,
    /// The input of the execution, JSON.
    input: Option<Text>,
}

/// A schedule that should be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Its name in the group.
    pub name: String,
    /// What is delivered to the trigger.
    pub event: String,
    /// The rest.
    pub schedule: Schedule,
}

/// EventBridge Scheduler, one group of it.
#[async_trait]
pub trait Scheduler: Send + Sync {
    /// Creates a schedule, or replaces the one of this name. A repeated request with the same token
    /// does nothing more.
    async fn put(&self, wanted: &Wanted, token: &str) -> Result<(), String>;
    /// Deletes a schedule; one that is not there is no error.
    async fn delete(&self, name: &str, token: &str) -> Result<(), String>;
}

/// Reads `Schedules`.
pub fn read(members: &Members<'_>) -> Vec<Schedule> {
    let entries = members.structures("Schedules", |entry| {
        let window = entry.structure("FlexibleTimeWindow", |window| {
            (window.text("Mode"), window.integer("MaximumWindowInMinutes"))
        });
        let retry = entry.structure("RetryPolicy", |retry| {
            (retry.integer("MaximumEventAgeInSeconds"), retry.integer("MaximumRetryAttempts"))
        });
        let (window_mode, window_minutes) = window.unwrap_or_default();
        let (retry_age_seconds, retry_attempts) = retry.unwrap_or_default();
        let schedule = Schedule {
            name: entry.text("Name").unwrap_or_default(),
            expression: entry.required_text("ScheduleExpression"),
            timezone: entry.text("ScheduleExpressionTimezone"),
            start_date: entry.text("StartDate"),
            end_date: entry.text("EndDate"),
            state: entry.text("State"),
            description: entry.text("Description"),
            window_mode,
            window_minutes,
            retry_age_seconds,
            retry_attempts,
            input: input(entry),
        };
        check(entry, &schedule);
        schedule
    });
    let mut entries = entries.unwrap_or_default();
    for (place, entry) in entries.iter_mut().enumerate() {
        entry.name = named(&entry.name, place);
    }
    for (place, entry) in entries.iter().enumerate() {
        if entries[..place].iter().any(|earlier| earlier.name == entry.name) {
            members.refuse("Schedules", format_args!("has two entries of the Name `{}`", entry.name));
        }
    }
    entries
}

/// The names of the entries of earlier properties, which were read before.
pub fn names(properties: &Value) -> Vec<Text> {
    let entries = properties.get("Schedules").and_then(Value::as_array);
    let name = |(place, entry): (usize, &Value)| named(member(entry, "Name"), place);
    entries.map(|entries| entries.iter().enumerate().map(name).collect()).unwrap_or_default()
}

/// An entry without a name is called after its place.
fn named(name: &str, place: usize) -> Text {
    if name.is_empty() { format!("schedule-{}", place + 1).into() } else { name.into() }
}

fn input(entry: &Members<'_>) -> Option<Text> {
    match entry.value("Input")? {
        Value::String(text) if text.contains(ATTRIBUTE) => Some(text.clone()),
        Value::String(text) => {
            if let Err(error) = Value::parse(text) {
                entry.refuse("Input", format_args!("is not JSON: {error}"));
            }
            Some(text.clone())
        }
        value => Some(value.to_json().into()),
    }
}

fn check(entry: &Members<'_>, schedule: &Schedule) {
    let name = &schedule.name;
    let is_name = name.len() <= ENTRY_CHARS_MAX
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    if !is_name {
        entry.refuse(
            "Name",
            format_args!("`{name}` has to be at most {ENTRY_CHARS_MAX} letters, digits, `-`, `_` and `.`"),
        );
    }
    let word = |name: &str, value: &Option<Text>, words: [&str; 2]| {
        if let Some(value) = value.as_deref().filter(|value| !words.contains(value)) {
            entry.refuse(name, format_args!("is `{value}`; it is {} or {}", words[0], words[1]));
        }
    };
    word("State", &schedule.state, ["ENABLED", "DISABLED"]);
    word("FlexibleTimeWindow.Mode", &schedule.window_mode, ["OFF", "FLEXIBLE"]);
    for (name, value) in [("StartDate", &schedule.start_date), ("EndDate", &schedule.end_date)] {
        if let Some(value) = value
            && aws::date(value).is_none()
        {
            entry.refuse(name, format_args!("is `{value}`, not a time such as 2030-01-31T08:00:00Z"));
        }
    }
}

/// The name of a state machine's schedule.
fn name_of(state_machine: &str, entry: &str) -> String {
    format!("{}-{entry}", &digest(&[state_machine])[..DIGEST_CHARS])
}

/// A request's token for one schedule: another delivery of the request has the same.
fn token(request_id: &str, name: &str) -> String {
    digest(&[request_id, name])
}

impl Schedule {
    /// What starts the state machine. The input stands in it as it was written: Scheduler fills in
    /// its attributes wherever they are.
    fn wanted(&self, state_machine: &str) -> Wanted {
        let arn = Value::from(state_machine).to_json();
        let input = self.input.as_ref().map(|input| format!(r#","input":{input}"#)).unwrap_or_default();
        Wanted {
            name: name_of(state_machine, &self.name),
            event: format!(r#"{{"stateMachineArn":{arn},"name":"<aws.scheduler.execution-id>"{input}}}"#),
            schedule: self.clone(),
        }
    }
}

/// Brings the schedules of a state machine to what its properties say, from those `before`.
pub async fn bring(
    scheduler: Result<&dyn Scheduler, &str>,
    state_machine: &str,
    before: &[Text],
    entries: &[Schedule],
    request_id: &str,
) -> Result<(), String> {
    if before.is_empty() && entries.is_empty() {
        return Ok(());
    }
    let scheduler = scheduler.map_err(|reason| format!("Schedules: {reason}"))?;
    for entry in entries {
        let wanted = entry.wanted(state_machine);
        scheduler.put(&wanted, &token(request_id, &wanted.name)).await?;
    }
    for gone in before.iter().filter(|name| entries.iter().all(|entry| entry.name != **name)) {
        let name = name_of(state_machine, gone);
        scheduler.delete(&name, &token(request_id, &name)).await?;
    }
    Ok(())
}

/// The names of entries.
pub fn entry_names(entries: &[Schedule]) -> Vec<Text> {
    entries.iter().map(|entry| entry.name.clone()).collect()
}

/// A group in memory.
#[cfg(test)]
pub mod fixture {
    use std::collections::BTreeMap;
    use std::sync::Mutex;

    use super::*;

    /// The schedules by name.
    #[derive(Default)]
    pub struct Group(pub Mutex<BTreeMap<String, Wanted>>);

    #[async_trait]
    impl Scheduler for Group {
        async fn put(&self, wanted: &Wanted, token: &str) -> Result<(), String> {
            assert!(wanted.name.len() <= NAME_CHARS_MAX && token.len() <= 64);
            if wanted.schedule.expression == "never" {
                return Err("CreateSchedule: ValidationException: invalid expression".to_owned());
            }
            self.0.lock().unwrap().insert(wanted.name.clone(), wanted.clone());
            Ok(())
        }

        async fn delete(&self, name: &str, _: &str) -> Result<(), String> {
            self.0.lock().unwrap().remove(name);
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::properties;
    use super::fixture::Group;
    use super::*;

    const ARN: &str = "arn:aws:states:us-east-1:123456789012:stateMachine:m";

    fn entries(list: &str) -> Result<Vec<Schedule>, String> {
        let value = Value::parse(&format!(r#"{{"Schedules": {list}}}"#)).unwrap();
        properties::read(&value, read)
    }

    fn refused(entry: &str, expected: &str) {
        let said = entries(&format!(r#"[{{"ScheduleExpression": "rate(1 day)", {entry}}}]"#)).unwrap_err();
        assert!(said.contains(expected), "{said}");
    }

    #[test]
    fn entries_are_checked() {
        let said = entries("[{}]").unwrap_err();
        assert_eq!(said, "Schedules[0].ScheduleExpression is missing");
        refused(r#""State": "ON""#, "Schedules[0].State is `ON`; it is ENABLED or DISABLED");
        refused(r#""StartDate": "tomorrow""#, "Schedules[0].StartDate is `tomorrow`, not a time");
        refused(r#""Input": "{""#, "Schedules[0].Input is not JSON");
        refused(r#""Name": "a b""#, "letters, digits");
        refused(
            r#""FlexibleTimeWindow": {"Mode": "OFF", "Minutes": 1}"#,
            "Schedules[0].FlexibleTimeWindow.Minutes is not",
        );
        refused(r#""RetryPolicy": {"MaximumRetryAttempts": "x"}"#, "not a whole number");
        refused(r#""RoleArn": "r""#, "Schedules[0].RoleArn is not a property");
        let twice = r#"[{"Name": "a", "ScheduleExpression": "x"}, {"Name": "a", "ScheduleExpression": "y"}]"#;
        assert!(entries(twice).unwrap_err().contains("two entries of the Name `a`"));
    }

    #[test]
    fn a_schedule_starts_its_state_machine() {
        for (input, expected) in [
            ("", r#"{"stateMachineArn":"ARN","name":"<aws.scheduler.execution-id>"}"#),
            (
                r#", "Input": "{\"a\": 1}""#,
                r#"{"stateMachineArn":"ARN","name":"<aws.scheduler.execution-id>","input":{"a": 1}}"#,
            ),
            (
                r#", "Input": {"a": "1"}"#,
                r#"{"stateMachineArn":"ARN","name":"<aws.scheduler.execution-id>","input":{"a":"1"}}"#,
            ),
            (
                r#", "Input": "{\"n\": <aws.scheduler.attempt-number>}""#,
                r#"{"stateMachineArn":"ARN","name":"<aws.scheduler.execution-id>","input":{"n": <aws.scheduler.attempt-number>}}"#,
            ),
        ] {
            let entries = entries(&format!(r#"[{{"ScheduleExpression": "rate(1 day)"{input}}}]"#)).unwrap();
            assert_eq!(entries[0].wanted(ARN).event, expected.replace("ARN", ARN));
        }
    }

    #[tokio::test]
    async fn what_is_there_becomes_what_should_be() {
        let group = Group::default();
        let names = || {
            let mut names: Vec<_> =
                group.0.lock().unwrap().keys().map(|name| name[17..].to_owned()).collect();
            names.sort();
            names
        };
        let bring_to = async |arn: &str, before: &str, list: &str| {
            let before = super::names(&Value::parse(&format!(r#"{{"Schedules": {before}}}"#)).unwrap());
            let list = entries(list).unwrap();
            bring(Ok(&group), arn, &before, &list, "r").await.unwrap();
        };
        bring_to(&format!("{ARN}2"), "[]", r#"[{"ScheduleExpression": "x"}]"#).await;
        let two = r#"[{"Name": "a", "ScheduleExpression": "x"}, {"ScheduleExpression": "y"}]"#;
        bring_to(ARN, "[]", two).await;
        assert_eq!(names(), ["a", "schedule-1", "schedule-2"]);
        let one = r#"[{"Name": "b", "ScheduleExpression": "x"}]"#;
        bring_to(ARN, two, one).await;
        assert_eq!(names(), ["b", "schedule-1"]);
        bring_to(ARN, one, "[]").await;
        assert_eq!(names(), ["schedule-1"], "those of other state machines stay");
        assert_eq!(bring(Err("no group"), ARN, &[], &[], "r").await, Ok(()));
        let wanted = entries(one).unwrap();
        assert_eq!(
            bring(Err("no group"), ARN, &[], &wanted, "r").await,
            Err("Schedules: no group".to_owned())
        );
    }
}
