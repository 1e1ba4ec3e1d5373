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
        match received(message) {
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
fn received(message: SqsMessage) -> Option<Received> {
    let bytes = message.message_attributes.get(body::BYTES).and_then(|value| value.binary_value.clone());
    let is_empty = message.message_attributes.contains_key(body::EMPTY);
    let count = message.attributes.get("ApproximateReceiveCount").and_then(|count| count.parse().ok());
    Some(Received {
        receipt: Receipt(message.receipt_handle?.into()),
        body: body::decode(&message.body.unwrap_or_default(), bytes.map(|bytes| bytes.0.into()), is_empty),
        receive_count: count.unwrap_or(1),
    })
}
