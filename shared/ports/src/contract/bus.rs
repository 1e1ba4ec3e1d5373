//! The rules of a bus.

use model::json::{Text, Value};
use model::timestamp::Timestamp;

use super::{names, ok};
use crate::bus::{Bus, BusError, EVENT_BYTES_MAX, Event};

pub(super) async fn check(bus: &dyn Bus, published: &impl AsyncFn() -> Vec<Event>) {
    let small = event(r#"{"name": "ü€𝄞", "n": 12345678901234567890, "list": [null, true, 1.5]}"#);
    let empty = Event { resources: Vec::new(), ..event("{}") };
    let largest = padded(EVENT_BYTES_MAX);
    for event in [&small, &empty, &largest] {
        ok(bus.publish(event.clone()).await, "an event within the limits is published");
    }
    let out = published().await;
    for event in [small, empty, largest] {
        assert!(out.contains(&event), "what was published comes out as it went in: {} bytes", event.bytes());
    }

    let too_large = padded(EVENT_BYTES_MAX + 1);
    let limits = [EVENT_BYTES_MAX + 1, EVENT_BYTES_MAX].map(|bytes| bytes.to_string());
    let refused = [
        (too_large, &limits[..]),
        (event("[1]"), &[]),
        (Event { source: Text::default(), ..event("{}") }, &[]),
        (Event { detail_type: Text::default(), ..event("{}") }, &[]),
    ];
    let rule = "an event that breaks a limit is refused";
    let marked = |event: Event| Event { time: Timestamp::EPOCH, ..event };
    for (event, values) in refused {
        match bus.publish(marked(event)).await {
            Err(BusError::Refused(reason)) => names(&reason, values, rule),
            other => panic!("{rule}: {other:?}"),
        }
    }
    let out = published().await;
    assert!(out.iter().all(|event| event.time != Timestamp::EPOCH), "a refused event does not come out");
}

fn event(detail: &str) -> Event {
    Event {
        time: Timestamp::from_millis(1_893_456_000_000),
        source: "aws.states".into(),
        detail_type: "Step Functions Execution Status Change".into(),
        resources: vec!["arn:aws:states:us-east-1:123456789012:execution:machine:name".into()],
        detail: ok(Value::parse(detail), "the suite's details are JSON"),
    }
}

/// An event of so many bytes.
fn padded(bytes: usize) -> Event {
    let padding = bytes - event(r#"{"p":""}"#).bytes();
    event(&format!(r#"{{"p":"{}"}}"#, "p".repeat(padding)))
}
