//! The queue of messages about executions, as SQS has it, and the events that its poller makes.

use std::sync::{Mutex, PoisonError};

use serde_json::{Map, Value, json};

use super::{ACCOUNT, REGION, Refused};

/// The last part of its URL.
pub(super) const NAME: &str = "executions";

/// Messages in the order in which they were sent, as records of an event. What is received stays
/// hidden for good, and delays are not kept.
#[derive(Default)]
pub(super) struct Queue {
    records: Mutex<Records>,
}

#[derive(Default)]
struct Records {
    sent: usize,
    waiting: Vec<Value>,
}

impl Queue {
    pub(super) fn call(&self, operation: &str, request: &Value) -> Result<Value, Refused> {
        let url = request["QueueUrl"].as_str().unwrap_or_default();
        if url.rsplit('/').next() != Some(NAME) {
            return Err(Refused::unknown(format_args!("the queue {url}")));
        }
        match operation {
            "SendMessage" => Ok(self.send(request)),
            "ChangeMessageVisibilityBatch" => {
                let entries = request["Entries"].as_array().map(Vec::as_slice).unwrap_or_default();
                let done: Vec<Value> = entries.iter().map(|entry| json!({"Id": entry["Id"]})).collect();
                Ok(json!({"Successful": done, "Failed": []}))
            }
            _ => Err(Refused::unknown(format_args!("SQS {operation}"))),
        }
    }

    /// All that is waiting.
    pub(super) fn take(&self) -> Vec<Value> {
        std::mem::take(&mut self.records.lock().unwrap_or_else(PoisonError::into_inner).waiting)
    }

    fn send(&self, request: &Value) -> Value {
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        records.sent += 1;
        let (id, receipt) = (format!("message-{}", records.sent), format!("receipt-{}", records.sent));
        let attributes = request["MessageAttributes"].as_object();
        let attributes: Map<String, Value> =
            attributes.into_iter().flatten().map(|(name, value)| (name.clone(), in_event(value))).collect();
        records.waiting.push(json!({
            "messageId": id,
            "receiptHandle": receipt,
            "body": request["MessageBody"],
            "attributes": {"ApproximateReceiveCount": "1"},
            "messageAttributes": attributes,
            "eventSource": "aws:sqs",
            "eventSourceARN": format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{NAME}"),
            "awsRegion": REGION,
        }));
        json!({"MessageId": id})
    }
}

/// An attribute of a message, spelled as events spell it.
fn in_event(value: &Value) -> Value {
    let mut spelled = json!({"dataType": value["DataType"]});
    for (name, in_event) in [("BinaryValue", "binaryValue"), ("StringValue", "stringValue")] {
        if value[name].is_string() {
            spelled[in_event] = value[name].clone();
        }
    }
    spelled
}
