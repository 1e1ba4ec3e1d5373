//! Messages on SQS: standard queues.

mod batch;
pub mod body;
mod fault;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::primitives::Blob;
use aws_sdk_sqs::types::{
    BatchResultErrorEntry, ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry, Message,
    MessageAttributeValue, MessageSystemAttributeName, QueueAttributeName,
};
use bytes::Bytes;
use model::json::{Text, Value};
use ports::queue::{check_batch, check_name, check_receive, check_send, check_settings, check_visibility};
use ports::{Clock, QueueError, QueueSettings, Receipt, Received};

use crate::config::{Timeouts, limits, retries};
use crate::fault::Fault;
use batch::Failed;
use body::Sent;

/// Longest wait of one request for messages, in seconds. Source: SQS, `WaitTimeSeconds`.
const POLL_SECONDS_MAX: u64 = 20;
/// How long a message that nobody receives is kept, in seconds: as long as SQS can. Source: SQS,
/// `MessageRetentionPeriod`.
const RETENTION_SECONDS: u32 = 1_209_600;

/// What every queue needs.
#[derive(Clone)]
struct Sqs {
    client: Client,
    clock: Arc<dyn Clock>,
    timeouts: Timeouts,
}

impl Sqs {
    fn new(sdk: &SdkConfig, timeouts: Timeouts, clock: Arc<dyn Clock>) -> Sqs {
        let config = aws_sdk_sqs::config::Builder::from(sdk)
            .timeout_config(limits(timeouts, timeouts.attempt))
            .retry_config(retries())
            .build();
        Sqs { client: Client::from_conf(config), clock, timeouts }
    }
}

/// The queues of an installation.
pub struct Queues {
    sqs: Sqs,
    prefix: Text,
}

impl Queues {
    /// Queues whose names on SQS are those of the port behind `prefix`.
    pub fn new(
        sdk: &SdkConfig,
        prefix: impl Into<Text>,
        timeouts: Timeouts,
        clock: Arc<dyn Clock>,
    ) -> Queues {
        Queues { sqs: Sqs::new(sdk, timeouts, clock), prefix: prefix.into() }
    }

    /// The queue at a URL that is known, without asking for it. `name` is for messages.
    pub fn at(&self, name: impl Into<Text>, url: impl Into<String>) -> Queue {
        Queue { sqs: self.sqs.clone(), name: name.into(), url: url.into() }
    }

    /// The name on SQS.
    fn full(&self, name: &str) -> Result<String, QueueError> {
        let full = format!("{}{name}", self.prefix);
        check_name(name).and_then(|()| check_name(&full))?;
        Ok(full)
    }

    async fn url(&self, name: &str) -> Result<String, QueueError> {
        let answer = self.sqs.client.get_queue_url().queue_name(self.full(name)?).send().await;
        let answer = answer.map_err(|error| fault::of(&Fault::of(error), "GetQueueUrl", name))?;
        answer.queue_url.ok_or_else(|| QueueError::Missing(name.to_owned()))
    }

    async fn arn(&self, name: &str) -> Result<String, QueueError> {
        let request = self.sqs.client.get_queue_attributes().queue_url(self.url(name).await?);
        let answer = request.attribute_names(QueueAttributeName::QueueArn).send().await;
        let answer = answer.map_err(|error| fault::of(&Fault::of(error), "GetQueueAttributes", name))?;
        let arn = answer.attributes.and_then(|mut all| all.remove(&QueueAttributeName::QueueArn));
        arn.ok_or_else(|| QueueError::Unavailable(format!("the queue {name} has no ARN")))
    }

    /// Settings as SQS has them; an empty policy takes one away.
    async fn attributes(
        &self,
        settings: &QueueSettings,
    ) -> Result<HashMap<QueueAttributeName, String>, QueueError> {
        let policy = match &settings.dead_letters {
            None => String::new(),
            Some((receives, dead_letters)) => {
                let arn = Value::String(self.arn(dead_letters).await?.into());
                let members = [("deadLetterTargetArn", arn), ("maxReceiveCount", (*receives).into())];
                members.into_iter().collect::<Value>().to_json()
            }
        };
        Ok(HashMap::from([
            (QueueAttributeName::VisibilityTimeout, seconds(settings.visibility).to_string()),
            (QueueAttributeName::MessageRetentionPeriod, RETENTION_SECONDS.to_string()),
            (QueueAttributeName::RedrivePolicy, policy),
        ]))
    }

    async fn set(
        &self,
        name: &str,
        url: String,
        attributes: HashMap<QueueAttributeName, String>,
    ) -> Result<Queue, QueueError> {
        let request = self.sqs.client.set_queue_attributes().queue_url(&url);
        let answer = request.set_attributes(Some(attributes)).send().await;
        answer.map_err(|error| fault::of(&Fault::of(error), "SetQueueAttributes", name))?;
        Ok(self.at(name, url))
    }
}

#[async_trait]
impl ports::Queues for Queues {
    async fn create(&self, name: &str, settings: QueueSettings) -> Result<Arc<dyn ports::Queue>, QueueError> {
        check_settings(name, &settings)?;
        let full = self.full(name)?;
        let attributes = self.attributes(&settings).await?;
        match self.url(name).await {
            Ok(url) => return Ok(Arc::new(self.set(name, url, attributes).await?)),
            Err(QueueError::Missing(_)) => {}
            Err(error) => return Err(error),
        }
        let mut new = attributes.clone();
        new.retain(|_, value| !value.is_empty());
        let request = self.sqs.client.create_queue().queue_name(full).set_attributes(Some(new));
        match request.send().await {
            Ok(answer) => match answer.queue_url {
                Some(url) => Ok(Arc::new(self.at(name, url))),
                None => Err(QueueError::Unavailable(format!("CreateQueue of the queue {name} gave no URL"))),
            },
            Err(error) => {
                let fault = Fault::of(error);
                match fault.code() {
                    // Another was faster, with other settings.
                    Some("QueueNameExists" | "QueueAlreadyExists") => {
                        Ok(Arc::new(self.set(name, self.url(name).await?, attributes).await?))
                    }
                    _ => Err(fault::of(&fault, "CreateQueue", name)),
                }
            }
        }
    }

    async fn open(&self, name: &str) -> Result<Arc<dyn ports::Queue>, QueueError> {
        Ok(Arc::new(self.at(name, self.url(name).await?)))
    }

    async fn remove(&self, name: &str) -> Result<(), QueueError> {
        let url = match self.url(name).await {
            Ok(url) => url,
            Err(QueueError::Missing(_)) => return Ok(()),
            Err(error) => return Err(error),
        };
        let answer = self.sqs.client.delete_queue().queue_url(url).send().await;
        match answer.map_err(|error| fault::of(&Fault::of(error), "DeleteQueue", name)) {
            Ok(_) | Err(QueueError::Missing(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// A standard queue on SQS.
///
/// Delays, timeouts and waits are whole seconds there; parts of one are rounded up. A message that
/// has been hidden for twelve hours since it was received cannot be hidden for longer.
#[derive(Clone)]
pub struct Queue {
    sqs: Sqs,
    name: Text,
    url: String,
}

impl Queue {
    /// Its URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    fn error(&self, operation: &str, fault: &Fault) -> QueueError {
        fault::of(fault, operation, &self.name)
    }

    /// One request for messages that waits for so many seconds.
    async fn poll(&self, max: usize, wait_seconds: u64) -> Result<Vec<Received>, QueueError> {
        let wait = i32::try_from(wait_seconds).unwrap_or(i32::MAX);
        let attempt = self.sqs.timeouts.attempt + Duration::from_secs(wait_seconds);
        let patient = aws_sdk_sqs::Config::builder().timeout_config(limits(self.sqs.timeouts, attempt));
        let request = self
            .sqs
            .client
            .receive_message()
            .queue_url(&self.url)
            .max_number_of_messages(i32::try_from(max).unwrap_or(i32::MAX))
            .wait_time_seconds(wait)
            .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount)
            .message_attribute_names(body::BYTES)
            .message_attribute_names(body::EMPTY);
        let answer = request.customize().config_override(patient).send().await;
        let answer = answer.map_err(|error| self.error("ReceiveMessage", &Fault::of(error)))?;
        Ok(answer.messages.unwrap_or_default().into_iter().filter_map(received).collect())
    }
}

/// A message without a receipt cannot be handled; it comes again.
fn received(message: Message) -> Option<Received> {
    let count = message
        .attributes
        .as_ref()
        .and_then(|all| all.get(&MessageSystemAttributeName::ApproximateReceiveCount)?.parse().ok());
    let mut attributes = message.message_attributes.unwrap_or_default();
    let bytes = attributes.remove(body::BYTES).and_then(|value| value.binary_value);
    let bytes = bytes.map(|bytes| Bytes::from(bytes.into_inner()));
    let is_empty = attributes.contains_key(body::EMPTY);
    Some(Received {
        receipt: Receipt(message.receipt_handle?.into()),
        body: body::decode(message.body.as_deref().unwrap_or_default(), bytes, is_empty),
        receive_count: count.unwrap_or(1),
    })
}

#[async_trait]
impl ports::Queue for Queue {
    async fn send(&self, body: Bytes, delay: Duration) -> Result<(), QueueError> {
        check_send(body.len(), delay)?;
        let delay = i32::try_from(seconds(delay)).unwrap_or(i32::MAX);
        let mut request = self.sqs.client.send_message().queue_url(&self.url).delay_seconds(delay);
        let attribute = |kind, bytes, text| {
            let value = MessageAttributeValue::builder().data_type(kind);
            let value = value.set_binary_value(bytes).set_string_value(text).build();
            value.map_err(|error| QueueError::Refused(error.to_string()))
        };
        request = match body::encode(body) {
            Sent::Text(text) => request.message_body(text),
            Sent::Bytes(bytes) => {
                let value = attribute("Binary", Some(Blob::new(bytes)), None)?;
                request.message_body(body::PLACEHOLDER).message_attributes(body::BYTES, value)
            }
            Sent::Empty => {
                let value = attribute("String", None, Some("1".to_owned()))?;
                request.message_body(body::PLACEHOLDER).message_attributes(body::EMPTY, value)
            }
        };
        request.send().await.map_err(|error| self.error("SendMessage", &Fault::of(error)))?;
        Ok(())
    }

    async fn receive(&self, max: usize, wait: Duration) -> Result<Vec<Received>, QueueError> {
        check_receive(max)?;
        let mut left_seconds = seconds(wait);
        loop {
            // A poll takes as long as it is told to, so that the clock need not be asked.
            let poll = left_seconds.min(POLL_SECONDS_MAX);
            let received = self.poll(max, poll).await?;
            left_seconds -= poll;
            if !received.is_empty() || left_seconds == 0 {
                return Ok(received);
            }
        }
    }

    async fn extend(&self, receipts: &[Receipt], visibility: Duration) -> Result<(), QueueError> {
        check_batch(receipts.len())?;
        check_visibility(visibility)?;
        let visibility = i32::try_from(seconds(visibility)).unwrap_or(i32::MAX);
        batch::run(receipts, &*self.sqs.clock, |left| async move {
            let mut request = self.sqs.client.change_message_visibility_batch().queue_url(&self.url);
            for (id, receipt) in left {
                let entry = ChangeMessageVisibilityBatchRequestEntry::builder()
                    .id(id)
                    .receipt_handle(receipt.0.as_str())
                    .visibility_timeout(visibility)
                    .build()
                    .map_err(|error| QueueError::Refused(error.to_string()))?;
                request = request.entries(entry);
            }
            let answer = request.send().await;
            let answer =
                answer.map_err(|error| self.error("ChangeMessageVisibilityBatch", &Fault::of(error)))?;
            Ok(answer.failed.into_iter().map(failed).collect())
        })
        .await
    }

    async fn delete(&self, receipts: &[Receipt]) -> Result<(), QueueError> {
        check_batch(receipts.len())?;
        batch::run(receipts, &*self.sqs.clock, |left| async move {
            let mut request = self.sqs.client.delete_message_batch().queue_url(&self.url);
            for (id, receipt) in left {
                let entry = DeleteMessageBatchRequestEntry::builder()
                    .id(id)
                    .receipt_handle(receipt.0.as_str())
                    .build()
                    .map_err(|error| QueueError::Refused(error.to_string()))?;
                request = request.entries(entry);
            }
            let answer = request.send().await;
            let answer = answer.map_err(|error| self.error("DeleteMessageBatch", &Fault::of(error)))?;
            Ok(answer.failed.into_iter().map(failed).collect())
        })
        .await
    }
}

fn failed(entry: BatchResultErrorEntry) -> Failed {
    Failed {
        id: entry.id,
        is_senders: entry.sender_fault,
        code: entry.code,
        message: entry.message.unwrap_or_default(),
    }
}

/// Whole seconds, rounded up.
fn seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_rounded_up() {
        let cases = [(0, 0), (1, 1), (999, 1), (1_000, 1), (1_001, 2), (900_000, 900)];
        for (millis, expected) in cases {
            assert_eq!(seconds(Duration::from_millis(millis)), expected, "{millis} ms");
        }
    }
}
