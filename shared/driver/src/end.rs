//! The end of an execution: the terminal record stands, then the status event is out, then META
//! says so. A success that nobody is told of ends with the record. Who is told is the bus, and the
//! task that has started the execution and waits for it.

use std::sync::Arc;

use journal::execution::{Ending, First, Meta, Parent};
use model::arn::ExecutionArn;
use model::json::{Text, Value, string_len};
use model::limits;
use model::status::ExecutionStatus;
use model::timestamp::Timestamp;
use ports::bus::Event;

use crate::config::StatusEvents;
use crate::message::{Message, News};
use crate::world::{Inner, WorldError};

/// Whoever ended an execution has published it within this time, unless it crashed.
pub(crate) const END_DELAY_MILLIS: i64 = 2_000;

/// An execution that has ended.
pub(crate) struct Ended {
    /// Who it was, as it was loaded.
    pub meta: Arc<Meta>,
    /// Its record 0.
    pub first: First,
    /// How it ended.
    pub ending: Ending,
}

impl Inner {
    /// Publishes the end, then writes it into META: where META names an end, its event is out,
    /// wherever a process may have crashed. `again` publishes the end also when META knew it.
    pub async fn ended(&self, ended: &Ended, again: bool) -> Result<(), WorldError> {
        let Ended { meta, first, ending } = ended;
        if !self.closes(meta, ending.status) {
            return Ok(());
        }
        if meta.ending.is_none() || again {
            self.publish(meta, Some(ending)).await?;
            self.tell_parent(meta).await?;
        }
        self.executions.close(first, ending).await?;
        Ok(())
    }

    /// Another process has ended the execution, and is about to publish that: somebody looks a
    /// little later whether it did.
    pub async fn ended_elsewhere(
        &self,
        arn: &ExecutionArn,
        meta: &Meta,
        ending: &Ending,
    ) -> Result<(), WorldError> {
        if meta.ending.is_none() && self.closes(meta, ending.status) {
            self.send(&Message::look(arn.clone()), END_DELAY_MILLIS).await?;
        }
        Ok(())
    }

    /// Whether an execution that ends so is not over with its last record: META is to name the end
    /// once it is published, and those that did not succeed are listed apart.
    pub fn closes(&self, meta: &Meta, status: ExecutionStatus) -> bool {
        status != ExecutionStatus::Succeeded || self.tells(meta, status)
    }

    /// Whether somebody is to be told of this end.
    pub fn tells(&self, meta: &Meta, status: ExecutionStatus) -> bool {
        self.publishes(status) || meta.parent.is_some()
    }

    /// Lets the task that waits for this execution look at it now, and not when it would have.
    async fn tell_parent(&self, meta: &Meta) -> Result<(), WorldError> {
        let Some(Parent { execution, effect }) = meta.parent.clone() else { return Ok(()) };
        let news = News::Poll { effect, at: None };
        self.send(&Message { execution, news }, 0).await
    }

    /// Whether a change to this status is to be published.
    pub fn publishes(&self, status: ExecutionStatus) -> bool {
        match self.config.status_events {
            StatusEvents::All => true,
            StatusEvents::Failures => is_failed(status),
            StatusEvents::None => false,
        }
    }

    /// Publishes where an execution stands, if it is one of the changes to be published.
    pub async fn publish(&self, meta: &Meta, ending: Option<&Ending>) -> Result<(), WorldError> {
        let status = ending.map_or(ExecutionStatus::Running, |ending| ending.status);
        if !self.publishes(status) {
            return Ok(());
        }
        let time = ending.map_or(meta.execution.started_at, |ending| ending.at);
        let event = Event {
            time,
            source: Text::new_static("aws.states"),
            detail_type: Text::new_static("Step Functions Execution Status Change"),
            resources: vec![meta.execution.arn.clone()],
            detail: detail(meta, ending, status),
        };
        Ok(self.bus.publish(event).await?)
    }
}

/// Whether a status event tells of an execution that failed, timed out or was aborted.
pub fn is_failure(event: &Event) -> bool {
    let status = event.detail.get("status").and_then(Value::as_str);
    [ExecutionStatus::Failed, ExecutionStatus::TimedOut, ExecutionStatus::Aborted]
        .iter()
        .any(|failed| status == Some(failed.as_str()))
}

fn is_failed(status: ExecutionStatus) -> bool {
    !matches!(status, ExecutionStatus::Running | ExecutionStatus::Succeeded)
}

/// The event's `detail`. Input, and then output, are left out when they are too large together.
///
/// Source: recorded status events; Step Functions developer guide, "Automating Step Functions
/// event delivery with EventBridge".
fn detail(meta: &Meta, ending: Option<&Ending>, status: ExecutionStatus) -> Value {
    let execution = &meta.execution;
    let input = meta.input.to_json();
    let output = ending.and_then(|ending| ending.output.as_ref()).map(Value::to_json);
    let output_bytes = output.as_deref().map_or(0, string_len);
    let with_output = output_bytes <= limits::STATUS_EVENT_DATA_BYTES_MAX;
    let with_input = with_output && string_len(&input) + output_bytes <= limits::STATUS_EVENT_DATA_BYTES_MAX;
    let failure = ending.map(|ending| &ending.failure);
    let redrivable = ending.is_some() && status != ExecutionStatus::Succeeded;
    let reason = match (ending, redrivable) {
        (_, true) => None,
        (None, _) => Some("Execution is RUNNING and cannot be redriven"),
        (Some(_), _) => Some("Execution is SUCCEEDED and cannot be redriven"),
    };
    let text = |text: Option<&Text>| text.map_or(Value::Null, |text| Value::from(text.clone()));
    let time = |at: Option<Timestamp>| at.map_or(Value::Null, |at| Value::from(at.millis()));
    let details = |included: bool| -> Value {
        [(Text::new_static("included"), Value::Bool(included))].into_iter().collect()
    };
    let payload = |payload: Option<String>, included: bool| match payload {
        Some(payload) if included => Value::from(Text::from(payload)),
        _ => Value::Null,
    };
    let has_output = output.is_some();
    [
        ("executionArn", Value::from(execution.arn.clone())),
        ("stateMachineArn", Value::from(execution.state_machine_arn.clone())),
        ("name", Value::from(execution.name.clone())),
        ("status", Value::from(Text::new_static(status.as_str()))),
        ("startDate", Value::from(execution.started_at.millis())),
        ("stopDate", time(ending.map(|ending| ending.at))),
        ("input", payload(Some(input), with_input)),
        ("output", payload(output, with_output)),
        ("stateMachineVersionArn", text(execution.state_machine_version_arn.as_ref())),
        ("stateMachineAliasArn", text(execution.state_machine_alias_arn.as_ref())),
        ("redriveCount", Value::from(i64::from(meta.redrive_count))),
        ("redriveDate", time(meta.redriven_at)),
        (
            "redriveStatus",
            Value::from(Text::new_static(if redrivable { "REDRIVABLE" } else { "NOT_REDRIVABLE" })),
        ),
        ("redriveStatusReason", reason.map_or(Value::Null, |reason| Value::from(Text::new_static(reason)))),
        ("inputDetails", details(with_input)),
        ("outputDetails", if has_output { details(with_output) } else { Value::Null }),
        ("error", text(failure.and_then(|failure| failure.error.as_ref()))),
        ("cause", text(failure.and_then(|failure| failure.cause.as_ref()))),
    ]
    .into_iter()
    .map(|(name, value)| (Text::new_static(name), value))
    .collect()
}
