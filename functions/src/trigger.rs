//! Starts executions from events: of rules and schedules of EventBridge, of other services through
//! EventBridge, and from jobs of CodePipeline.
//!
//! An event is one of three things:
//!
//! * `{"stateMachineArn": …, "name"?, "input"?, "traceHeader"?}`: what a rule or a schedule makes
//!   with a constant or a transformer;
//! * `{"CodePipeline.job": …}`: see [`pipeline`];
//! * anything else: what `STEPWRIGHT_TRIGGERS` maps it to, see [`mapping`].
//!
//! An event that is delivered again starts nothing more: unless a name is given, the execution is
//! called after the event's id. What cannot be used fails the invocation, so that it is repeated
//! and then ends at the function's destination for failures; nothing is dropped.

pub mod mapping;
pub mod pipeline;
mod start;
mod template;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use lambda_runtime::{Error, LambdaEvent, service_fn};
use model::json::{Text, Value};

use crate::call::{kind, member, text, unhandled};
use crate::opening::Opening;
use mapping::{Mappings, MappingsError};
use pipeline::aws::{Objects, Pipelines};
use pipeline::{Artifacts, Jobs};
use start::{Gate, Name, Start, input_text};

/// Before the end of an invocation the pipeline has to be told.
const MARGIN: Duration = Duration::from_secs(5);

/// The member that a job of CodePipeline is.
const JOB: &str = "CodePipeline.job";
/// The members of an event that names its state machine.
const MEMBERS: [&str; 4] = ["stateMachineArn", "name", "input", "traceHeader"];

/// Serves invocations until the process ends. Mappings that cannot be used fail the events that
/// need them, and nothing else.
pub async fn run(opening: Opening, mappings: Result<Mappings, MappingsError>) -> Result<(), Error> {
    if let Err(error) = &mappings {
        tracing::error!("{error}");
    }
    let sdk = ports_aws::config::of_environment();
    let (jobs, artifacts) = (Pipelines::new(&sdk), Objects::new(sdk));
    let (opening, mappings, jobs, artifacts) = (&opening, &mappings, &jobs, &artifacts);
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| async move {
        let left = event.context.deadline().duration_since(SystemTime::now()).unwrap_or_default();
        let installation = opening.installation().await;
        let gate = installation.map(|opened| Gate { api: &opened.service, home: &opened.home });
        let trigger = Trigger { gate, mappings, jobs, artifacts };
        trigger.answer(&event.payload, &event.context.request_id, left).await.map_err(unhandled)
    }))
    .await
}

/// What an event is handled with.
struct Trigger<'a> {
    gate: Result<Gate<'a>, String>,
    mappings: &'a Result<Mappings, MappingsError>,
    jobs: &'a dyn Jobs,
    artifacts: &'a dyn Artifacts,
}

impl Trigger<'_> {
    /// Handles one event: the ARNs of what it started. `request_id` is that of the invocation, which
    /// stays the same when Lambda repeats it.
    async fn answer(self, event: &Value, request_id: &str, left: Duration) -> Result<Value, String> {
        if let Some(job) = event.get(JOB) {
            let patience = left.saturating_sub(MARGIN);
            pipeline::answer(self.gate, self.jobs, self.artifacts, job, patience).await?;
            return Ok(Value::object());
        }
        let starts = match event.get("stateMachineArn") {
            Some(_) => vec![direct(event, request_id)],
            None => mapped(self.mappings.as_ref().map_err(ToString::to_string)?, event, request_id)?,
        };
        let gate = self.gate?;
        let (mut started, mut problems) = (Vec::new(), Vec::new());
        // All of them, whatever became of the others: what was started is found again when the event
        // is repeated.
        for start in starts {
            let outcome = match start {
                Ok(start) => gate
                    .start(&start)
                    .await
                    .map_err(|refused| format!("{} cannot be started: {refused}", start.state_machine)),
                Err(problem) => Err(problem),
            };
            match outcome {
                Ok(execution) => started.push(execution),
                Err(problem) => problems.push(problem),
            }
        }
        tracing::info!(executions = started.len(), failures = problems.len(), "handled an event");
        if !problems.is_empty() {
            return Err(problems.join("; "));
        }
        let executions = started.into_iter().map(|execution| text(&execution)).collect();
        Ok([("executionArns", executions)].into_iter().collect())
    }
}

/// What to start, or why that cannot be said.
type Planned = Result<Start, String>;

/// An event that names its state machine.
fn direct(event: &Value, request_id: &str) -> Planned {
    let members = event.as_object().map(|members| members.keys()).into_iter().flatten();
    if let Some(unknown) = members.clone().find(|name| !MEMBERS.contains(&name.as_str())) {
        return Err(format!(
            "the event has `{unknown}`, which is not known; there are {}",
            MEMBERS.join(", ")
        ));
    }
    let text = |name: &str| match event.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if !text.is_empty() => Ok(Some(text.clone())),
        Some(Value::String(_)) => Err(format!("{name} is empty")),
        Some(other) => Err(format!("{name} is {}, not a text", kind(other))),
    };
    let state_machine = text("stateMachineArn")?.ok_or("stateMachineArn is null")?;
    let input = event.get("input").filter(|input| !input.is_null()).map(input_text).transpose();
    let input = input.map_err(|error| format!("input {error}"))?;
    let name = text("name")?.map_or_else(|| Name::of_event(request_id, 0), Name::Given);
    Ok(Start { state_machine, name, input, trace_header: text("traceHeader")? })
}

/// What the mappings make of an event.
fn mapped(mappings: &Mappings, event: &Value, request_id: &str) -> Result<Vec<Planned>, String> {
    let id = Some(member(event, "id")).filter(|id| !id.is_empty()).unwrap_or(request_id);
    let mut counts: HashMap<Text, usize> = HashMap::new();
    let mut planned = Vec::new();
    for mapping in mappings.of(event) {
        let count = counts.entry(mapping.state_machine.clone()).or_default();
        let derived = Name::of_event(id, *count);
        *count += 1;
        let plan = || {
            let name = match &mapping.name {
                Some(template) => {
                    Name::Given(template.text(event).map_err(|error| format!("name: {error}"))?)
                }
                None => derived,
            };
            let input = Some(mapping.input(event)?);
            Ok(Start { state_machine: mapping.state_machine.clone(), name, input, trace_header: None })
        };
        planned.push(plan().map_err(|error: String| format!("{}: {error}", mapping.state_machine)));
    }
    if planned.is_empty() {
        let shown =
            |name: &str| event.get(name).map_or_else(|| "none".to_owned(), |value| quoted(&value.to_json()));
        return Err(format!(
            "nothing says what to start for this event (source {}, detail-type {}): it has no stateMachineArn, \
             and no entry of {} meets it",
            shown("source"),
            shown("detail-type"),
            mapping::VARIABLE
        ));
    }
    Ok(planned)
}

/// As much of a text as a message quotes.
fn quoted(text: &str) -> String {
    text.chars().take(100).collect()
}
