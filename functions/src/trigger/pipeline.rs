//! Jobs of CodePipeline: an action that invokes the function starts an execution, and ends as it
//! ends.
//!
//! While the execution runs, the pipeline is told to ask again; nothing waits meanwhile. Whatever
//! goes wrong is told to the pipeline, so that no action hangs.

pub mod aws;
mod job;
pub mod zip;

use async_trait::async_trait;
use model::json::{Text, Value};
use model::limits::REQUEST_BYTES_MAX;
use service::ErrorType;

use super::start::{Gate, Name, Start};
use crate::call::{Refused, ask, member, object, text};
use job::{ActionInput, Job, Parameters};
pub use job::{Credentials as PipelineCredentials, Place};
use zip::{Archive, ReadError};

/// Characters of a failure's message. Source: CodePipeline API, FailureDetails.
const MESSAGE_CHARS_MAX: usize = 5_000;
/// Characters of a summary. Source: CodePipeline API, ExecutionDetails.
const SUMMARY_CHARS_MAX: usize = 2_048;
/// Characters of an output that becomes a variable: what an action's configuration takes in.
/// Source: CodePipeline API, ActionConfigurationValue.
const OUTPUT_CHARS_MAX: usize = 1_000;

/// The answers to jobs.
#[async_trait]
pub trait Jobs: Send + Sync {
    /// The job succeeded, or goes on.
    async fn succeeded(&self, job: &str, success: Success) -> Result<(), String>;
    /// The job failed.
    async fn failed(&self, job: &str, failure: Failure) -> Result<(), String>;
}

/// The artifacts of pipelines.
pub trait Artifacts: Send + Sync {
    /// The archive at a place; nothing is read yet.
    fn archive(&self, place: &Place, credentials: &PipelineCredentials) -> Box<dyn Archive>;
}

/// PutJobSuccessResult.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Success {
    /// Says that the job goes on, and what the next one is told.
    pub continuation: Option<String>,
    /// What the console shows.
    pub summary: String,
    /// ARN of the execution.
    pub execution: String,
    /// Variables of the action.
    pub variables: Vec<(&'static str, String)>,
}

/// PutJobFailureResult.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Whose fault it is.
    pub kind: FailureKind,
    /// Why.
    pub message: String,
    /// ARN of the execution, if there is one.
    pub execution: Option<String>,
}

/// Types of failures. Source: CodePipeline API, FailureDetails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// The action is configured wrongly.
    ConfigurationError,
    /// The execution failed.
    JobFailed,
    /// An artifact may not be read.
    PermissionError,
    /// An artifact is not there.
    RevisionUnavailable,
    /// Something does not work at the moment.
    SystemUnavailable,
}

impl FailureKind {
    /// Its name in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            FailureKind::ConfigurationError => "ConfigurationError",
            FailureKind::JobFailed => "JobFailed",
            FailureKind::PermissionError => "PermissionError",
            FailureKind::RevisionUnavailable => "RevisionUnavailable",
            FailureKind::SystemUnavailable => "SystemUnavailable",
        }
    }
}

impl Failure {
    fn new(kind: FailureKind, message: impl Into<String>) -> Failure {
        Failure { kind, message: message.into(), execution: None }
    }
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Failure {
        let kind = match refused.error_type {
            _ if refused.is_transient() => FailureKind::SystemUnavailable,
            ErrorType::InternalFailure => FailureKind::JobFailed,
            _ => FailureKind::ConfigurationError,
        };
        Failure::new(kind, refused.to_string())
    }
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Failure {
        let kind = match error {
            ReadError::Absent(_) => FailureKind::RevisionUnavailable,
            ReadError::Forbidden(_) => FailureKind::PermissionError,
            ReadError::Unavailable(_) => FailureKind::SystemUnavailable,
            ReadError::Unusable(_) => FailureKind::ConfigurationError,
        };
        Failure::new(kind, error.to_string())
    }
}

/// Handles the member `CodePipeline.job` of an event. `patience` is what is left for it; an error
/// means that the pipeline could not be told.
pub async fn answer(
    gate: Result<Gate<'_>, String>,
    jobs: &dyn Jobs,
    artifacts: &dyn Artifacts,
    job: &Value,
    patience: std::time::Duration,
) -> Result<(), String> {
    let job = Job::read(job)?;
    let handled = async {
        let gate = gate.map_err(|reason| Failure::new(FailureKind::SystemUnavailable, reason))?;
        outcome(gate, artifacts, &job).await
    };
    let outcome = tokio::time::timeout(patience, handled).await.unwrap_or_else(|_| match &job.continuation {
        // Nothing is known of the execution; the pipeline asks again.
        Some(execution) => Ok(running(execution)),
        None => Err(Failure::new(
            FailureKind::SystemUnavailable,
            "the function ran out of time before the execution was started",
        )),
    });
    match outcome {
        Ok(success) => jobs.succeeded(&job.id, success).await,
        Err(failure) => {
            let message = cut(&failure.message, MESSAGE_CHARS_MAX);
            tracing::warn!(job = job.id.as_str(), kind = failure.kind.as_str(), "the job failed");
            jobs.failed(&job.id, Failure { message, ..failure }).await
        }
    }
}

async fn outcome(gate: Gate<'_>, artifacts: &dyn Artifacts, job: &Job) -> Result<Success, Failure> {
    let execution = match &job.continuation {
        Some(execution) => execution.clone(),
        None => begin(gate, artifacts, job).await?,
    };
    let found = match ask(gate.api, "DescribeExecution", object([("executionArn", text(&execution))])).await {
        Ok(found) => found,
        Err(refused) if refused.is_transient() => return Ok(running(&execution)),
        Err(refused) => return Err(Failure::from(refused)),
    };
    ended(&found, &execution)
}

async fn begin(gate: Gate<'_>, artifacts: &dyn Artifacts, job: &Job) -> Result<Text, Failure> {
    let wrong = |message: String| Failure::new(FailureKind::ConfigurationError, message);
    let parameters = Parameters::parse(&job.parameters).map_err(wrong)?;
    let input = match &parameters.input {
        ActionInput::Literal(input) => input.clone(),
        ActionInput::FilePath(path) => {
            let place = job.artifact.as_ref();
            let place =
                place.ok_or_else(|| wrong("InputType FilePath needs an input artifact".to_owned()))?;
            let credentials = job.credentials.as_ref();
            let credentials = credentials
                .ok_or_else(|| wrong("the job has no credentials for its artifacts".to_owned()))?;
            let archive = artifacts.archive(place, credentials);
            let bytes = zip::read(archive.as_ref(), path, REQUEST_BYTES_MAX as u64).await?;
            Some(file_input(path, bytes).map_err(wrong)?)
        }
    };
    let name = Name::OfEvent(parameters.name(job));
    let start = Start { state_machine: parameters.state_machine, name, input, trace_header: None };
    Ok(gate.start(&start).await?)
}

fn file_input(path: &str, bytes: Vec<u8>) -> Result<Text, String> {
    let said = |why: String| format!("the file `{path}` in the artifact is not JSON: {why}");
    let text = String::from_utf8(bytes).map_err(|error| said(error.to_string()))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    Value::parse(text).map_err(|error| said(error.to_string()))?;
    Ok(text.into())
}

/// What the pipeline is told while the execution runs.
fn running(execution: &str) -> Success {
    Success {
        continuation: Some(execution.to_owned()),
        summary: "the execution is running".to_owned(),
        execution: execution.to_owned(),
        variables: Vec::new(),
    }
}

/// What the pipeline is told of an execution, as DescribeExecution shows it.
fn ended(found: &Value, execution: &str) -> Result<Success, Failure> {
    match member(found, "status") {
        "RUNNING" | "PENDING_REDRIVE" => Ok(running(execution)),
        "SUCCEEDED" => {
            let mut summary = "the execution succeeded".to_owned();
            let mut variables = vec![
                ("ExecutionArn", execution.to_owned()),
                ("StateMachineArn", member(found, "stateMachineArn").to_owned()),
            ];
            let output = member(found, "output");
            // A part of it would be no JSON.
            if output.chars().nth(OUTPUT_CHARS_MAX).is_none() {
                variables.push(("Output", output.to_owned()));
            } else {
                summary.push_str("; its output is too long for the variable Output");
            }
            Ok(Success {
                continuation: None,
                summary: cut(&summary, SUMMARY_CHARS_MAX),
                execution: execution.to_owned(),
                variables,
            })
        }
        status => {
            let mut message = format!("the execution is {status}");
            for part in
                [member(found, "error"), member(found, "cause")].into_iter().filter(|part| !part.is_empty())
            {
                message.push_str(": ");
                message.push_str(part);
            }
            let execution = Some(execution.to_owned());
            Err(Failure { kind: FailureKind::JobFailed, message, execution })
        }
    }
}

fn cut(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        None => text.to_owned(),
        Some(_) => text.chars().take(chars_max - 1).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:states:us-east-1:123456789012:execution:m:e";

    fn described(members: &str) -> Result<Success, Failure> {
        ended(&Value::parse(&format!(r#"{{"stateMachineArn": "m", {members}}}"#)).unwrap(), ARN)
    }

    #[test]
    fn an_action_ends_as_its_execution_ends() {
        assert_eq!(described(r#""status": "RUNNING""#).unwrap().continuation.as_deref(), Some(ARN));
        let ended = described(r#""status": "SUCCEEDED", "output": "{}""#).unwrap();
        let variables = [("ExecutionArn", ARN), ("StateMachineArn", "m"), ("Output", "{}")];
        assert_eq!(ended.variables, variables.map(|(name, value)| (name, value.to_owned())));
        assert_eq!((ended.continuation, ended.execution.as_str()), (None, ARN));
        for (members, message) in [
            (r#""status": "FAILED", "error": "E", "cause": "why""#, "the execution is FAILED: E: why"),
            (r#""status": "TIMED_OUT""#, "the execution is TIMED_OUT"),
            (r#""status": "ABORTED", "cause": "stopped""#, "the execution is ABORTED: stopped"),
        ] {
            let failure = described(members).unwrap_err();
            assert_eq!((failure.kind, failure.message.as_str()), (FailureKind::JobFailed, message));
            assert_eq!(failure.execution.as_deref(), Some(ARN));
        }
    }

    #[test]
    fn what_is_long_is_bounded() {
        let output = "x".repeat(OUTPUT_CHARS_MAX + 1);
        let ended = described(&format!(r#""status": "SUCCEEDED", "output": "{output}""#)).unwrap();
        assert!(ended.variables.len() == 2 && ended.summary.contains("too long"));
        assert_eq!(cut(&"ü".repeat(9), 9), "ü".repeat(9));
        assert_eq!(cut(&"ü".repeat(10), 9), "ü".repeat(8) + "…");
    }

    #[test]
    fn files_have_to_be_json() {
        assert_eq!(file_input("f", b"\xef\xbb\xbf{\"a\": 1}".to_vec()).as_deref(), Ok(r#"{"a": 1}"#));
        for bytes in [b"\xff".to_vec(), b"{".to_vec(), Vec::new()] {
            assert!(
                file_input("f", bytes).unwrap_err().starts_with("the file `f` in the artifact is not JSON")
            );
        }
    }
}
