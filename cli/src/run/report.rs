//! What is said about an execution that has ended.

use asl::machine::Machine;
use engine::{Execution, Status};
use model::error::Failure;
use model::json::{Text, Value};
use model::timestamp::Timestamp;

use super::duration;
use super::tree::{NodeId, NodeKind, Tree};
use crate::excerpt::{self, Level, Note};
use crate::pretty::to_pretty;
use crate::source::Source;
use crate::terminal::{Style, printable, printable_line};

/// Longest cause that is shown whole, in characters; traces can be long.
const CAUSE_CHARS_MAX: usize = 4_000;

/// Interrupted states that are named at most.
const INTERRUPTED_SHOWN_MAX: usize = 10;

/// An execution that has ended.
pub struct Ended<'a> {
    /// Who it was.
    pub execution: &'a Execution,
    /// What it was given.
    pub input: &'a Value,
    /// How it ended.
    pub status: &'a Status,
    /// When it ended.
    pub stopped_at: Timestamp,
    /// What it went through.
    pub tree: &'a Tree<'a>,
    /// What it ran.
    pub source: &'a Source,
}

impl Ended<'_> {
    /// `SUCCEEDED`, … as the API spells it.
    fn status_word(&self) -> &'static str {
        match self.status {
            Status::Running => "RUNNING",
            Status::Succeeded(_) => "SUCCEEDED",
            Status::Failed(_) => "FAILED",
            Status::TimedOut => "TIMED_OUT",
            Status::Aborted(_) => "ABORTED",
        }
    }

    fn failure(&self) -> Option<&Failure> {
        match self.status {
            Status::Failed(failure) | Status::Aborted(failure) => Some(failure),
            Status::Running | Status::Succeeded(_) | Status::TimedOut => None,
        }
    }

    /// The members of DescribeExecution's answer, payloads as JSON, and the state that failed.
    pub fn to_json(&self) -> Value {
        let text = |text: &Text| Value::from(text.clone());
        let mut members = vec![
            ("executionArn", text(&self.execution.arn)),
            ("stateMachineArn", text(&self.execution.state_machine_arn)),
            ("name", text(&self.execution.name)),
            ("status", Value::from(self.status_word())),
            ("startDate", Value::from(self.execution.started_at.epoch_seconds())),
            ("stopDate", Value::from(self.stopped_at.epoch_seconds())),
            ("input", self.input.clone()),
        ];
        if let Status::Succeeded(output) = self.status {
            members.push(("output", output.clone()));
        }
        if let Some(failure) = self.failure() {
            members.extend(failure.error.as_ref().map(|error| ("error", text(error))));
            members.extend(failure.cause.as_ref().map(|cause| ("cause", text(cause))));
        }
        if let Some(state) = self.failed_state() {
            members.push(("failedState", Value::from(state)));
        }
        members.into_iter().collect()
    }

    fn failed_state(&self) -> Option<Text> {
        match self.tree.node(self.tree.failed()?).kind {
            NodeKind::State(state) => Some(self.tree.machine().state(state).name.clone()),
            NodeKind::Iteration(_) => None,
        }
    }

    /// One line: how it ended, and how long it took.
    pub fn summary(&self, style: Style) -> String {
        let took = duration::show(self.stopped_at.millis_since(self.execution.started_at));
        let word = self.status_word();
        let word = match self.status {
            Status::Succeeded(_) => style.success(word),
            _ => style.error(word),
        };
        format!("{word} in {took}")
    }

    /// Why it did not succeed: the state, its error and cause, and its lines in the definition.
    pub fn explanation(&self, style: Style) -> Option<String> {
        match self.status {
            Status::Running | Status::Succeeded(_) => None,
            Status::Failed(failure) => Some(self.failed(failure, style)),
            Status::TimedOut => {
                let limit = self.tree.machine().timeout_seconds;
                let limit = limit.map(|limit| format!(" of {limit} s")).unwrap_or_default();
                let message = format!("the execution ran out of its TimeoutSeconds{limit}");
                Some(self.headline(&message, style))
            }
            Status::Aborted(failure) => {
                let cause = failure.cause.as_deref().or(failure.error.as_deref()).unwrap_or("it was stopped");
                Some(self.headline(&format!("the execution was aborted: {cause}"), style))
            }
        }
    }

    /// What ended the execution from outside, and what was running then.
    fn headline(&self, message: &str, style: Style) -> String {
        let interrupted = &self.tree.interrupted;
        let names =
            interrupted.iter().take(INTERRUPTED_SHOWN_MAX).map(|&node| format!("`{}`", self.tree.path(node)));
        let names = printable_line(&names.collect::<Vec<String>>().join(", "));
        let running = match interrupted.len() {
            0 => String::new(),
            some if some > INTERRUPTED_SHOWN_MAX => {
                format!("  = while {names} and {} more were running\n", some - INTERRUPTED_SHOWN_MAX)
            }
            1 => format!("  = while {names} was running\n"),
            _ => format!("  = while {names} were running\n"),
        };
        format!("{}: {}\n{running}", style.error("error"), printable(message))
    }

    fn failed(&self, failure: &Failure, style: Style) -> String {
        let error = failure.error.as_deref().unwrap_or("no error name");
        let cause = failure.cause.as_deref().map(show_cause);
        let Some(node) = self.tree.failed() else {
            let cause = cause.map(|cause| format!("\n{cause}")).unwrap_or_default();
            return self.headline(&format!("the execution failed: {error}{cause}"), style);
        };
        let message = format!("state `{}` failed: {error}", self.tree.path(node));
        let mut footer: Vec<String> = cause.map(|cause| format!("cause: {cause}")).into_iter().collect();
        footer.extend(self.attempts(node));
        let state = self.state_around(node);
        footer.extend(state.map(|(_, location)| format!("at {location}")));
        let note = Note {
            level: Level::Error,
            code: None,
            message: &message,
            label: "",
            span: state.map(|(span, _)| span),
            footer: &footer,
        };
        excerpt::render(&self.source.name, &self.source.text, &note, style)
    }

    fn attempts(&self, node: NodeId) -> Option<String> {
        let attempts = self.tree.node(node).attempts;
        (attempts > 1).then(|| format!("after {attempts} attempts"))
    }

    fn state_around(&self, node: NodeId) -> Option<(model::json::Span, &str)> {
        let machine: &Machine = self.tree.machine();
        match self.tree.node(node).kind {
            NodeKind::State(state) => {
                let place = &machine.state(state).place;
                Some((place.span, place.location.as_str()))
            }
            NodeKind::Iteration(_) => self.state_around(self.tree.node(node).parent?),
        }
    }
}

/// A cause that is JSON over several lines, other text as it is; cut when very long.
fn show_cause(cause: &str) -> String {
    let shown = match Value::parse(cause) {
        Ok(value @ (Value::Object(_) | Value::Array(_))) => to_pretty(&value),
        Ok(_) | Err(_) => cause.to_owned(),
    };
    match shown.char_indices().nth(CAUSE_CHARS_MAX) {
        Some((end, _)) => format!("{}… (cut; --format json has all of it)", &shown[..end]),
        None => shown,
    }
}
