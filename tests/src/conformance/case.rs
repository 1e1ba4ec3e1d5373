//! A case of the kinds `execution` and `distributed`.

use std::sync::Arc;

use engine::{Execution, Iteration, Stage, TaskOutcome};
use model::error::Failure;
use model::json::{Text, Value};
use model::timestamp::Timestamp;

use super::wildcard::Wildcards;

/// Region of every recording.
pub const REGION: &str = "us-east-1";
/// Account of every recording.
pub const ACCOUNT: &str = "111111111111";

/// When every replay starts: 2025-01-15T12:00:00Z. Cases that depend on the date are not recorded.
pub const STARTED_AT: Timestamp = Timestamp::from_millis(1_736_942_400_000);

/// One execution: what goes in and what came out.
#[derive(Debug)]
pub struct Case {
    /// `workflowType` is `EXPRESS`.
    pub express: bool,
    /// JSON text of the definition.
    pub definition: String,
    /// The execution's input.
    pub input: Value,
    /// Who it is.
    pub execution: Execution,
    /// The error and cause of the StopExecution call that ended it.
    pub stop: Option<Failure>,
    /// The tasks, in the order of scheduling.
    pub tasks: Vec<RecordedTask>,
    /// The links between tasks and states were lost.
    pub tasks_unlinked: bool,
    /// Concurrent branches or iterations: the order of events is not fixed.
    pub nondeterministic: bool,
    /// `expected`.
    pub expected: Expected,
    /// `loggingConfiguration`.
    pub logging: Option<Logging>,
    /// `placeholders`.
    pub wildcards: Wildcards,
}

/// What was recorded at the end of an execution.
#[derive(Debug)]
pub struct Expected {
    /// `SUCCEEDED`, `FAILED`, `TIMED_OUT` or `ABORTED`, with `output`, `error` and `cause`.
    pub outcome: Value,
    /// The events.
    pub history: Option<Vec<Value>>,
    /// The log records.
    pub logged: Option<Vec<Value>>,
}

/// `loggingConfiguration`.
#[derive(Debug)]
pub struct Logging {
    /// `ALL`, `ERROR`, `FATAL` or `OFF`.
    pub level: Text,
    /// Whether payloads are logged.
    pub include_execution_data: bool,
}

/// One visit of a state that scheduled work.
#[derive(Debug)]
pub struct RecordedTask {
    /// The state; absent where the links were lost.
    pub state: Option<Text>,
    /// `Resource` of the state, or what the event called so where the links were lost.
    pub resource: Text,
    /// The iterations around it, outermost first.
    pub iteration: Vec<Iteration>,
    /// What the service sent.
    pub parameters: Option<Value>,
    /// One per attempt.
    pub attempts: Vec<Attempt>,
}

/// What came of one attempt.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The response that a `.sync` or `.waitForTaskToken` call was accepted with.
    pub submitted: Option<Value>,
    /// How it ended.
    pub end: AttemptEnd,
}

/// How an attempt ended.
#[derive(Clone, Debug)]
pub enum AttemptEnd {
    /// With a result.
    Succeeded(Value),
    /// With a failure.
    Failed(Stage, Failure),
    /// It ran out of time, or had not ended when the execution did.
    Never,
}

impl AttemptEnd {
    /// What whoever performs the task says in the end, if anything.
    pub fn outcome(self) -> Option<TaskOutcome> {
        match self {
            AttemptEnd::Succeeded(output) => Some(TaskOutcome::Succeeded(output)),
            AttemptEnd::Failed(stage, failure) => Some(TaskOutcome::Failed { stage, failure }),
            AttemptEnd::Never => None,
        }
    }
}

impl Case {
    /// Reads a case; the error says what is wrong with the file.
    pub fn parse(json: &Value) -> Result<Case, String> {
        let (name, express) = (text(json, "stateMachineName")?, text(json, "workflowType")? == "EXPRESS");
        let expected = member(json, "expected")?;
        let outcome = ["status", "output", "error", "cause"].into_iter();
        let outcome = outcome.filter_map(|name| Some((name, expected.get(name)?.clone()))).collect();
        let events = |name| expected.get(name).and_then(Value::as_array).map(|events| events.to_vec());
        Ok(Case {
            express,
            definition: match json.get("definitionText").and_then(Value::as_str) {
                Some(text) => text.to_owned(),
                None => member(json, "definition")?.to_json(),
            },
            input: member(json, "input")?.clone(),
            execution: execution(&name, &text(json, "executionName")?, text(json, "roleArn")?, express),
            stop: json.get("stopExecution").map(failure),
            tasks: items(json.get("tasks")).iter().map(task).collect::<Result<_, _>>()?,
            tasks_unlinked: flag(json, "tasksUnlinked"),
            nondeterministic: flag(json, "nondeterministic"),
            expected: Expected { outcome, history: events("history"), logged: events("loggedEvents") },
            logging: match json.get("loggingConfiguration") {
                Some(logging) => Some(Logging {
                    level: text(logging, "level")?,
                    include_execution_data: flag(logging, "includeExecutionData"),
                }),
                None => None,
            },
            wildcards: Wildcards::parse(json.get("placeholders").and_then(Value::as_object))?,
        })
    }

    /// Events that were recorded before StopExecution came.
    pub fn events_before_stop(&self) -> usize {
        self.expected.history.as_ref().map_or(0, |history| history.len().saturating_sub(1))
    }

    /// Activities that the definition names and that did not exist when it ran: a state with
    /// such a resource was entered, but its task was never scheduled.
    pub fn missing_activities(&self, activities: &[(Text, Text)]) -> Arc<[Text]> {
        let entered = |state: &str| {
            let events = self.expected.history.iter().flatten();
            let mut names = events
                .filter(|event| type_of(event) == "TaskStateEntered")
                .filter_map(|event| event.get("stateEnteredEventDetails")?.get("name")?.as_str());
            names.any(|name| name == state)
        };
        let scheduled = |arn: &str| self.tasks.iter().any(|task| task.resource == arn);
        let missing = activities.iter().filter(|(state, arn)| entered(state) && !scheduled(arn));
        missing.map(|(_, arn)| arn.clone()).collect()
    }

    /// The worker that took each scheduled activity, in the order of scheduling; `None` where
    /// none did.
    pub fn workers(&self) -> Vec<Option<Worker>> {
        let events = || self.expected.history.iter().flatten();
        let of_type = |wanted: &'static str| events().filter(move |event| type_of(event) == wanted);
        let started_after = |scheduled: &Value| {
            of_type("ActivityStarted").find(|event| event.get("previousEventId") == scheduled.get("id"))
        };
        let workers = of_type("ActivityScheduled").map(|scheduled| {
            let started = started_after(scheduled)?;
            let details = started.get("activityStartedEventDetails");
            let name = details.and_then(|details| details.get("workerName")?.as_str()).map(Text::from);
            Some(Worker { name })
        });
        workers.collect()
    }
}

/// Whoever took an activity's task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Worker {
    /// `workerName` of GetActivityTask.
    pub name: Option<Text>,
}

/// The `type` of a recorded event; empty when it has none.
pub fn type_of(event: &Value) -> &str {
    event.get("type").and_then(Value::as_str).unwrap_or_default()
}

/// Iterations that follow one another in the recording are linked, so that an entry may list the
/// earlier ones of the same Map too: the last one of each Map counts, and an inner Map begins
/// anew with every iteration of the outer one.
pub fn innermost(iterations: impl IntoIterator<Item = Iteration>) -> Vec<Iteration> {
    let mut path: Vec<Iteration> = Vec::new();
    for iteration in iterations {
        if let Some(at) = path.iter().position(|outer| outer.map == iteration.map) {
            path.truncate(at);
        }
        path.push(iteration);
    }
    path
}

fn execution(machine: &str, name: &str, role_arn: Text, express: bool) -> Execution {
    let prefix = format!("arn:aws:states:{REGION}:{ACCOUNT}");
    let arn = if express {
        format!("{prefix}:express:{machine}:{name}:00000000-0000-4000-8000-000000000000")
    } else {
        format!("{prefix}:execution:{machine}:{name}")
    };
    Execution {
        arn: arn.into(),
        name: name.into(),
        role_arn,
        state_machine_arn: format!("{prefix}:stateMachine:{machine}").into(),
        state_machine_name: machine.into(),
        state_machine_version_arn: None,
        state_machine_alias_arn: None,
        region: REGION.into(),
        started_at: STARTED_AT,
        synchronous: false,
    }
}

fn task(json: &Value) -> Result<RecordedTask, String> {
    let iterations = items(json.get("iteration")).iter().map(|iteration| {
        let index = iteration.get("index").and_then(Value::as_i64).and_then(|n| usize::try_from(n).ok());
        let index = index.ok_or("an iteration has no index")?;
        Ok(Iteration { map: text(iteration, "map")?, index })
    });
    Ok(RecordedTask {
        state: json.get("state").and_then(Value::as_str).map(Text::from),
        resource: text(json, "resource")?,
        iteration: innermost(iterations.collect::<Result<Vec<_>, String>>()?),
        parameters: json.get("parameters").cloned(),
        attempts: items(json.get("results")).iter().map(attempt).collect::<Result<_, _>>()?,
    })
}

fn attempt(json: &Value) -> Result<Attempt, String> {
    let end = if flag(json, "timeout") || flag(json, "pending") {
        AttemptEnd::Never
    } else if let Some(output) = json.get("output") {
        AttemptEnd::Succeeded(output.clone())
    } else {
        let event = text(json, "event")?;
        let stage = match event.as_str() {
            event if event.ends_with("ScheduleFailed") => Stage::Schedule,
            event if event.ends_with("StartFailed") => Stage::Start,
            event if event.ends_with("SubmitFailed") => Stage::Submit,
            event if event.ends_with("Failed") => Stage::Run,
            other => return Err(format!("a result with event {other} has neither output nor failure")),
        };
        AttemptEnd::Failed(stage, failure(json))
    };
    Ok(Attempt { submitted: json.get("submitted").cloned(), end })
}

fn failure(json: &Value) -> Failure {
    let text =
        |name| json.get(name).map(|value| value.as_str().map_or_else(|| value.to_json().into(), Text::from));
    Failure { error: text("error"), cause: text("cause") }
}

fn member<'a>(json: &'a Value, name: &str) -> Result<&'a Value, String> {
    json.get(name).ok_or_else(|| format!("the case has no `{name}`"))
}

fn text(json: &Value, name: &str) -> Result<Text, String> {
    let text = member(json, name)?.as_str();
    text.map(Text::from).ok_or_else(|| format!("`{name}` of the case is not a string"))
}

fn flag(json: &Value, name: &str) -> bool {
    json.get(name).and_then(Value::as_bool).unwrap_or(false)
}

fn items(json: Option<&Value>) -> &[Value] {
    json.and_then(Value::as_array).map_or(&[], |items| items)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linked_iterations_collapse() {
        fn check(links: &[(&str, usize)], expected: &[(&str, usize)]) {
            let iterations = |links: &[(&str, usize)]| -> Vec<Iteration> {
                links.iter().map(|(map, index)| Iteration { map: (*map).into(), index: *index }).collect()
            };
            assert_eq!(innermost(iterations(links)), iterations(expected), "{links:?}");
        }
        check(&[], &[]);
        check(&[("A", 0)], &[("A", 0)]);
        check(&[("A", 0), ("A", 1), ("A", 2)], &[("A", 2)]);
        check(&[("A", 0), ("B", 1)], &[("A", 0), ("B", 1)]);
        check(&[("A", 0), ("B", 0), ("B", 1), ("A", 1), ("B", 0)], &[("A", 1), ("B", 0)]);
    }

    #[test]
    fn attempts() {
        let read = |text: &str| attempt(&Value::parse(text).unwrap());
        let stage = |text: &str| match read(text).map(|attempt| attempt.end) {
            Ok(AttemptEnd::Failed(stage, _)) => Some(stage),
            _ => None,
        };
        assert_eq!(stage(r#"{"event":"TaskFailed"}"#), Some(Stage::Run));
        assert_eq!(stage(r#"{"event":"LambdaFunctionFailed","error":"E"}"#), Some(Stage::Run));
        assert_eq!(stage(r#"{"event":"TaskStartFailed"}"#), Some(Stage::Start));
        assert_eq!(stage(r#"{"event":"TaskSubmitFailed"}"#), Some(Stage::Submit));
        assert_eq!(stage(r#"{"event":"LambdaFunctionScheduleFailed"}"#), Some(Stage::Schedule));
        assert!(matches!(
            read(r#"{"event":"TaskTimedOut","timeout":true}"#).map(|attempt| attempt.end),
            Ok(AttemptEnd::Never)
        ));
        assert!(read(r#"{"event":"TaskSucceeded"}"#).is_err());
        assert!(read("{}").is_err());
    }

    #[test]
    fn malformed_cases_are_errors() {
        for text in ["{}", "[]", "null", r#"{"workflowType":"STANDARD","stateMachineName":1}"#] {
            assert!(Case::parse(&Value::parse(text).unwrap()).is_err(), "{text}");
        }
    }
}
