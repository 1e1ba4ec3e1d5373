//! Events straight to a topic of SNS.

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_sns::Client;
use aws_sdk_sns::types::MessageAttributeValue;
use model::json::Text;
use ports::{BusError, Event};

use super::envelope::{Origin, envelope, event_id};
use super::of_fault;
use crate::config::{SettingsError, Timeouts, limits, retries};
use crate::fault::Fault;

/// Name of the message attribute, and of the member of the message, that says how an event came.
pub const DELIVERY: &str = "delivery";
/// Its value for an event that did not come by a bus.
pub const DIRECT: &str = "direct";
/// Name of the message attribute with the id of the event; the message has it as `id`.
pub const EVENT_ID: &str = "eventId";

/// Largest message in bytes, less what the attributes take. Source: SNS, Publish.
const MESSAGE_BYTES_MAX: usize = 256 * 1024 - 256;

/// A topic of SNS that is told of events directly.
///
/// A message is the event as a rule of EventBridge would have sent it, marked as [`DIRECT`], with an
/// id made from what the event says: the same event has the same id whenever it is published. A
/// FIFO topic drops a second one within five minutes; subscribers of others can tell by the id.
#[derive(Clone)]
pub struct Topic {
    client: Client,
    arn: Text,
    origin: Origin,
}

impl Topic {
    /// The topic of this ARN; `source` is that of the events of the bus.
    pub fn new(
        sdk: &SdkConfig,
        arn: impl Into<Text>,
        source: impl Into<Text>,
        timeouts: Timeouts,
    ) -> Result<Topic, SettingsError> {
        let arn = arn.into();
        let parts: Vec<&str> = arn.split(':').collect();
        let ["arn", _, "sns", region, account, name] = parts[..] else {
            return Err(SettingsError::NoTopic(arn));
        };
        if region.is_empty() || account.is_empty() || name.is_empty() {
            return Err(SettingsError::NoTopic(arn));
        }
        let origin = Origin { source: source.into(), account: account.into(), region: region.into() };
        let config = aws_sdk_sns::config::Builder::from(sdk)
            .timeout_config(limits(timeouts, timeouts.attempt))
            .retry_config(retries())
            .build();
        Ok(Topic { client: Client::from_conf(config), arn, origin })
    }

    fn is_fifo(&self) -> bool {
        self.arn.ends_with(".fifo")
    }
}

#[async_trait]
impl ports::Bus for Topic {
    async fn publish(&self, event: Event) -> Result<(), BusError> {
        event.check()?;
        let id = event_id(&event);
        let message = envelope(&event, &id, &self.origin, DIRECT, MESSAGE_BYTES_MAX);
        let message = message.ok_or_else(|| {
            BusError::Refused(format!("without its detail it has more than {MESSAGE_BYTES_MAX} bytes"))
        })?;
        let attribute = |value: &str| {
            let value = MessageAttributeValue::builder().data_type("String").string_value(value).build();
            value.map_err(|error| BusError::Refused(error.to_string()))
        };
        let mut request = self
            .client
            .publish()
            .topic_arn(self.arn.as_str())
            .message(message)
            .message_attributes(DELIVERY, attribute(DIRECT)?)
            .message_attributes(EVENT_ID, attribute(&id)?);
        if self.is_fifo() {
            // Nothing orders the events of different executions.
            request = request.message_deduplication_id(&id).message_group_id(&id);
        }
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error) => Err(of_fault(&Fault::of(error), "Publish", "topic", &self.arn)),
        }
    }
}
