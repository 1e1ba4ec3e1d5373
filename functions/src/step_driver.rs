//! Moves executions: SQS calls it with up to ten messages about them, and deletes those that it does
//! not name in its answer.

use std::collections::HashMap;

use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use driver::Driver;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use model::timestamp::Timestamp;
use ports::{Receipt, Received};
use ports_aws::queue::body;

use crate::installation::Installation;

/// Before the end of an invocation its answer has to be out.
const MARGIN_MILLIS: i64 = 1_000;

/// Serves invocations until the process ends.
pub async fn run(installation: Installation) -> Result<(), Error> {
    let driver = Driver::new(installation.world, installation.tasks)?;
    let driver = &driver;
    lambda_runtime::run(service_fn(move |event: LambdaEvent<SqsEvent>| async move {
        let deadline = i64::try_from(event.context.deadline).unwrap_or(i64::MAX);
        let until = Timestamp::from_millis(deadline.saturating_sub(MARGIN_MILLIS));
        Ok::<_, Error>(drive(driver, event.payload, until).await)
    }))
    .await
}

async fn drive(driver: &Driver, event: SqsEvent, until: Timestamp) -> SqsBatchResponse {
    let mut answer = SqsBatchResponse::default();
    let mut ids = HashMap::new();
    let mut received = Vec::new();
    for message in event.records {
        let id = message.message_id.clone().unwrap_or_default();
        match read(message) {
            Some(message) => {
                ids.insert(message.receipt.clone(), id);
                received.push(message);
            }
            None => answer.batch_item_failures.push(failure(id)),
        }
    }
    let again = driver.take(received, until).await;
    answer.batch_item_failures.extend(again.iter().filter_map(|receipt| ids.remove(receipt)).map(failure));
    answer
}

fn failure(id: String) -> BatchItemFailure {
    let mut failure = BatchItemFailure::default();
    failure.item_identifier = id;
    failure
}

/// A message without a receipt cannot be handled; it comes again.
fn read(message: SqsMessage) -> Option<Received> {
    let bytes = message.message_attributes.get(body::BYTES).and_then(|value| value.binary_value.clone());
    let is_empty = message.message_attributes.contains_key(body::EMPTY);
    let count = message.attributes.get("ApproximateReceiveCount").and_then(|count| count.parse().ok());
    Some(Received {
        receipt: Receipt(message.receipt_handle?.into()),
        body: body::decode(&message.body.unwrap_or_default(), bytes.map(|bytes| bytes.0.into()), is_empty),
        receive_count: count.unwrap_or(1),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read_as_the_queue_s_own_adapter_reads_them() {
        let event: SqsEvent = serde_json::from_str(
            r#"{"Records": [
                {"messageId": "1", "receiptHandle": "r1", "body": "text",
                 "attributes": {"ApproximateReceiveCount": "3"}, "messageAttributes": {}},
                {"messageId": "2", "receiptHandle": "r2", "body": "-",
                 "messageAttributes": {"b": {"binaryValue": "AP8=", "dataType": "Binary"}}},
                {"messageId": "3", "receiptHandle": "r3", "body": "-",
                 "messageAttributes": {"e": {"stringValue": "1", "dataType": "String"}}},
                {"messageId": "4", "body": "nobody can delete it"}]}"#,
        )
        .unwrap();
        let read: Vec<_> = event.records.into_iter().map(read).collect();
        let message = |receipt: &str, body: &'static [u8], receive_count| {
            Some(Received { receipt: Receipt(receipt.into()), body: body.into(), receive_count })
        };
        let expected = [message("r1", b"text", 3), message("r2", &[0, 255], 1), message("r3", b"", 1), None];
        assert_eq!(read, expected);
    }
    #[tokio::test(start_paused = true)]
    async fn what_cannot_be_read_comes_again() {
        let scene = crate::scene::Scene::new().await;
        let sample = crate::scene::sample("step-driver/messages");
        let event: SqsEvent = serde_json::from_str(&sample.to_json()).unwrap();
        let id = event.records[0].message_id.clone().unwrap();
        let driver = Driver::new(scene.world.clone(), std::sync::Arc::new(integrations::Nothing)).unwrap();
        let until = scene.world.now().plus_seconds(60);
        let answer = drive(&driver, event, until).await;
        let again: Vec<_> =
            answer.batch_item_failures.iter().map(|failure| failure.item_identifier.as_str()).collect();
        assert_eq!(again, [id]);
    }
}
