//! Events on EventBridge, and past it on SNS.

mod envelope;
mod fallback;
mod topic;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::primitives::DateTime;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use model::json::Text;
use ports::{BusError, Event};

use crate::config::{Timeouts, limits, retries};
use crate::fault::{Fault, Kind, is_throttle, short};

pub use envelope::event_id;
pub use fallback::{AFTER, Fallback};
pub use topic::{DELIVERY, DIRECT, EVENT_ID, Topic};

/// A bus of EventBridge.
///
/// Events are published with a source of the installation's own, since AWS keeps those that begin
/// with `aws.` for itself; all else is as in the event.
#[derive(Clone)]
pub struct Bus {
    client: Client,
    name: Text,
    source: Text,
}

impl Bus {
    /// The bus of this name or ARN.
    pub fn new(sdk: &SdkConfig, name: impl Into<Text>, source: impl Into<Text>, timeouts: Timeouts) -> Bus {
        let config = aws_sdk_eventbridge::config::Builder::from(sdk)
            .timeout_config(limits(timeouts, timeouts.attempt))
            .retry_config(retries())
            .build();
        Bus { client: Client::from_conf(config), name: name.into(), source: source.into() }
    }
}

#[async_trait]
impl ports::Bus for Bus {
    async fn publish(&self, event: Event) -> Result<(), BusError> {
        event.check()?;
        let entry = PutEventsRequestEntry::builder()
            .event_bus_name(self.name.as_str())
            .time(DateTime::from_millis(event.time.millis()))
            .source(self.source.as_str())
            .detail_type(event.detail_type.as_str())
            .set_resources(Some(event.resources.iter().map(Text::to_string).collect()))
            .detail(event.detail.to_json())
            .build();
        let answer = self.client.put_events().entries(entry).send().await;
        let answer = answer.map_err(|error| of_fault(&Fault::of(error), "PutEvents", "bus", &self.name))?;
        if answer.failed_entry_count == 0 {
            return Ok(());
        }
        let failed = answer.entries.unwrap_or_default().into_iter().find(|entry| entry.error_code.is_some());
        let (code, message) = failed.map(|entry| (entry.error_code, entry.error_message)).unwrap_or_default();
        Err(of_entry(&code.unwrap_or_default(), &message.unwrap_or_default(), &self.name))
    }
}

/// What the port calls a request that failed.
fn of_fault(fault: &Fault, operation: &str, what: &str, name: &str) -> BusError {
    let reason = || fault.at(operation, what, name);
    match (fault.kind(), fault.code()) {
        (Kind::Throttled, _) => BusError::Throttled,
        (Kind::Refused, Some(code)) if is_the_events(code) => BusError::Refused(reason()),
        (Kind::Refused | Kind::NotDone | Kind::Unknown, _) => BusError::Unavailable(reason()),
    }
}

/// What the port calls an entry that failed in a request that did not.
fn of_entry(code: &str, message: &str, name: &str) -> BusError {
    let reason = || short(&format!("PutEvents of the bus {name}: {code}: {message}"));
    match code {
        code if is_throttle(code) => BusError::Throttled,
        code if is_the_events(code) => BusError::Refused(reason()),
        _ => BusError::Unavailable(reason()),
    }
}

/// Publishing the same event again will not help.
fn is_the_events(code: &str) -> bool {
    matches!(
        code,
        "InvalidArgument"
            | "InvalidParameter"
            | "InvalidParameterException"
            | "InvalidParameterValue"
            | "InvalidParameterValueException"
            | "MalformedDetail"
            | "NotAuthorizedForSourceException"
            | "NotAuthorizedForDetailTypeException"
            | "ValidationError"
            | "ValidationException"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_become_errors_of_the_port() {
        let cases = [
            ("ThrottlingException", "Throttled"),
            ("InternalFailure", "Unavailable(\"PutEvents of the bus b: InternalFailure: why\")"),
            ("InternalException", "Unavailable"),
            ("AccessDeniedException", "Unavailable"),
            ("", "Unavailable"),
            ("MalformedDetail", "Refused(\"PutEvents of the bus b: MalformedDetail: why\")"),
            ("InvalidArgument", "Refused"),
            ("NotAuthorizedForSourceException", "Refused"),
        ];
        for (code, expected) in cases {
            let of_entry = format!("{:?}", of_entry(code, "why", "b"));
            assert!(of_entry.starts_with(expected), "{code}: {of_entry}");
            let status = if code.starts_with("Internal") { 500 } else { 400 };
            let fault = Fault::Answered { status, code: code.to_owned(), message: "why".to_owned() };
            let of_fault = format!("{:?}", of_fault(&fault, "PutEvents", "bus", "b"));
            let kind = expected.split('(').next().unwrap();
            assert!(of_fault.starts_with(kind), "{code}: {of_fault}");
        }
        let lost = of_fault(&Fault::Lost("timeout".to_owned()), "PutEvents", "bus", "b");
        assert_eq!(lost, BusError::Unavailable("PutEvents of the bus b: timeout".to_owned()));
    }
}
