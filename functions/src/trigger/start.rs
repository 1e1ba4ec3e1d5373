//! Starting an execution so that the same event starts it once.

use model::arn::{Arn, Home, StateMachineArn};
use model::json::{Location, Text, Value};
use model::limits::NAME_CHARS_MAX;
use model::name::check_name;
use service::ErrorType;

use crate::call::{Api, Refused, ask, member, object, text};
use crate::digest::digest;

/// Where executions are started.
#[derive(Clone, Copy)]
pub struct Gate<'a> {
    /// The API.
    pub api: &'a dyn Api,
    /// Whose state machines a bare name means.
    pub home: &'a Home,
}

/// An execution to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// The state machine: its ARN, that of a version or an alias, or a name.
    pub state_machine: Text,
    /// What it is called.
    pub name: Name,
    /// JSON; `{}` when absent.
    pub input: Option<Text>,
    /// The header of a trace that it belongs to.
    pub trace_header: Option<Text>,
}

/// What an execution is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Name {
    /// By whoever asked: another event may ask for the same.
    Given(Text),
    /// After the event: who has it already was started by the same event.
    OfEvent(Text),
}

impl Name {
    /// After the id of an event; `nth` counts the executions of one state machine that the event
    /// starts, from 0.
    pub fn of_event(id: &str, nth: usize) -> Name {
        let suffix = if nth == 0 { String::new() } else { format!("-{}", nth + 1) };
        let fits = check_name(id).is_ok() && id.chars().count() + suffix.len() <= NAME_CHARS_MAX;
        let name = if fits { format!("{id}{suffix}") } else { format!("{}{suffix}", &digest(&[id])[..32]) };
        Name::OfEvent(name.into())
    }

    fn as_str(&self) -> &str {
        match self {
            Name::Given(name) | Name::OfEvent(name) => name,
        }
    }
}

/// Why a value is no input. Where, but nothing of it: messages are logged, inputs are not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not JSON (line {}, column {}); a text has to be written as JSON in it, with quotes of its own", .0.line, .0.column)]
pub struct InputError(Location);

/// The JSON of an input: a text is JSON already, everything else is what it means.
pub fn input_text(value: &Value) -> Result<Text, InputError> {
    match value {
        Value::String(text) => {
            Value::parse(text).map_err(|error| InputError(error.location))?;
            Ok(text.clone())
        }
        value => Ok(value.to_json().into()),
    }
}

impl Gate<'_> {
    /// The ARN that a name stands for; an ARN stands for itself.
    pub fn state_machine(&self, named: &str) -> Text {
        if named.starts_with("arn:") {
            return named.into();
        }
        format!("{}:stateMachine:{named}", self.home).into()
    }

    /// Starts an execution, or finds the one that the same event has started: its ARN.
    pub async fn start(&self, start: &Start) -> Result<Text, Refused> {
        let state_machine = self.state_machine(&start.state_machine);
        let input = start.input.as_deref().unwrap_or("{}");
        let mut request = vec![
            ("stateMachineArn", text(&state_machine)),
            ("name", text(start.name.as_str())),
            ("input", text(input)),
        ];
        if let Some(header) = &start.trace_header {
            request.push(("traceHeader", text(header)));
        }
        let refused = match ask(self.api, "StartExecution", request.into_iter().collect()).await {
            Ok(started) => return Ok(member(&started, "executionArn").into()),
            Err(refused) => refused,
        };
        let existing = execution_of(&state_machine, start.name.as_str());
        match (refused.error_type, existing) {
            (ErrorType::ExecutionAlreadyExists, Some(existing))
                if self.is_again(start, &existing, input).await =>
            {
                tracing::info!(execution = existing.as_str(), "started before by the same event");
                Ok(existing)
            }
            _ => Err(refused),
        }
    }

    /// Whether what has the name was started by the same event: an event's id is nobody else's, and
    /// under a name that was given the input tells.
    async fn is_again(&self, start: &Start, execution: &str, input: &str) -> bool {
        let Name::Given(_) = start.name else { return true };
        let found = ask(self.api, "DescribeExecution", object([("executionArn", text(execution))])).await;
        found.is_ok_and(|found| Value::parse(member(&found, "input")).ok() == Value::parse(input).ok())
    }
}

/// The ARN of an execution of a state machine, or of one that a version or an alias names.
fn execution_of(state_machine: &str, name: &str) -> Option<Text> {
    let Arn { home, resource } = Arn::parse(state_machine).ok()?;
    let machine = StateMachineArn::new(&home, resource.state_machine()?).ok()?;
    Some(machine.execution(name).ok()?.as_str().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_event() {
        let long = "x".repeat(NAME_CHARS_MAX);
        for (id, nth, expected) in [
            ("7bf73129-1428-4cd3-a780-95db273d1602", 0, "7bf73129-1428-4cd3-a780-95db273d1602"),
            ("7bf73129-1428-4cd3-a780-95db273d1602", 2, "7bf73129-1428-4cd3-a780-95db273d1602-3"),
            (long.as_str(), 0, long.as_str()),
        ] {
            assert_eq!(Name::of_event(id, nth), Name::OfEvent(expected.into()));
        }
        for (id, nth) in [("a b", 0), ("", 1), (long.as_str(), 1), ("arn:x/y", 0)] {
            let Name::OfEvent(name) = Name::of_event(id, nth) else { panic!("it is of the event") };
            assert_eq!(check_name(&name), Ok(()), "{id}");
            assert_eq!(Name::of_event(id, nth), Name::OfEvent(name.clone()));
            assert_ne!(Name::of_event("another one", nth), Name::OfEvent(name));
        }
    }

    #[test]
    fn inputs_are_json_or_mean_it() {
        for (value, expected) in [
            (r#""{\"a\": 1}""#, Some(r#"{"a": 1}"#)),
            (r#"{"a": 1}"#, Some(r#"{"a":1}"#)),
            ("3", Some("3")),
            (r#""hello""#, None),
        ] {
            let made = input_text(&Value::parse(value).unwrap());
            assert_eq!(made.as_deref().ok(), expected, "{value}");
        }
    }
}
