//! An event as EventBridge would have delivered it, for whoever is told past EventBridge.

use model::json::{Map, Text, Value};
use ports::Event;
use sha2::{Digest, Sha256};

/// An id that is the same whenever the same event is published: 16 bytes of a hash over all that
/// it says, in the form of a UUID.
pub fn event_id(event: &Event) -> String {
    let mut hash = Sha256::new();
    let mut part = |bytes: &[u8]| {
        // With its length, so that no two events make the same bytes.
        hash.update((bytes.len() as u64).to_be_bytes());
        hash.update(bytes);
    };
    part(&event.time.millis().to_be_bytes());
    part(event.source.as_bytes());
    part(event.detail_type.as_bytes());
    for resource in &event.resources {
        part(resource.as_bytes());
    }
    part(event.detail.to_json().as_bytes());
    let hash = hash.finalize();
    let mut id = String::with_capacity(36);
    for (n, byte) in hash.iter().take(16).enumerate() {
        if matches!(n, 4 | 6 | 8 | 10) {
            id.push('-');
        }
        id.push_str(&format!("{byte:02x}"));
    }
    id
}

/// Where an event comes from, beside what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    pub source: Text,
    pub account: Text,
    pub region: Text,
}

/// The event in at most `bytes_max` of JSON, `delivery` saying how it comes. Where that is too
/// little, members of the detail are left out, the largest first, and named in `omitted`.
pub(super) fn envelope(
    event: &Event,
    id: &str,
    origin: &Origin,
    delivery: &str,
    bytes_max: usize,
) -> Option<String> {
    let mut detail = event.detail.as_object().cloned().unwrap_or_default().into_map();
    let mut omitted: Vec<Value> = Vec::new();
    loop {
        let text = write(event, id, origin, delivery, &detail, &omitted);
        if text.len() <= bytes_max {
            return Some(text);
        }
        let largest = detail.iter().max_by_key(|(_, value)| value.json_len());
        let name = largest.map(|(name, _)| name.clone())?;
        detail.shift_remove(&name);
        omitted.push(Value::String(name));
    }
}

fn write(
    event: &Event,
    id: &str,
    origin: &Origin,
    delivery: &str,
    detail: &Map,
    omitted: &[Value],
) -> String {
    let text = |text: &str| Value::String(text.into());
    let mut members = vec![
        ("version", text("0")),
        ("id", text(id)),
        ("detail-type", text(&event.detail_type)),
        ("source", text(&origin.source)),
        ("account", text(&origin.account)),
        ("time", text(&seconds(&event.time.to_string()))),
        ("region", text(&origin.region)),
        ("resources", event.resources.iter().map(|resource| text(resource)).collect()),
        ("detail", detail.clone().into()),
        ("delivery", text(delivery)),
    ];
    if !omitted.is_empty() {
        members.push(("omitted", omitted.iter().cloned().collect()));
    }
    members.into_iter().collect::<Value>().to_json()
}

/// EventBridge writes times without a fraction.
fn seconds(time: &str) -> String {
    match time.rsplit_once('.') {
        Some((seconds, _)) => format!("{seconds}Z"),
        None => time.to_owned(),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use model::timestamp::Timestamp;

    pub(in crate::bus) fn event(detail: &str) -> Event {
        Event {
            time: Timestamp::from_millis(1_893_456_000_789),
            source: "aws.states".into(),
            detail_type: "Step Functions Execution Status Change".into(),
            resources: vec!["arn:aws:states:us-east-1:123456789012:execution:m:n".into()],
            detail: Value::parse(detail).unwrap(),
        }
    }

    fn origin() -> Origin {
        Origin { source: "our.states".into(), account: "1".into(), region: "eu".into() }
    }

    #[test]
    fn an_id_is_that_of_what_the_event_says() {
        let one = event(r#"{"a":1}"#);
        let id = event_id(&one);
        assert_eq!(id, event_id(&one.clone()));
        assert_eq!((id.len(), id.matches('-').count()), (36, 4));
        let split = |resources: &[&str]| {
            let resources = resources.iter().map(|resource| Text::from(*resource)).collect();
            Event { resources, ..one.clone() }
        };
        let others = [
            event(r#"{"a":2}"#),
            Event { time: Timestamp::EPOCH, ..one.clone() },
            Event { source: "x".into(), ..one.clone() },
            Event { detail_type: "x".into(), ..one.clone() },
            split(&["ab", "c"]),
            split(&["a", "bc"]),
        ];
        let mut ids: Vec<String> = others.iter().map(event_id).collect();
        ids.push(id);
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 7);
    }

    #[test]
    fn an_envelope_is_what_a_rule_would_have_sent_with_a_mark() {
        let text = envelope(&event(r#"{"status":"FAILED"}"#), "id", &origin(), "direct", 1_000).unwrap();
        let expected = r#"{"version":"0","id":"id","detail-type":"Step Functions Execution Status Change","source":"our.states","account":"1","time":"2030-01-01T00:00:00Z","region":"eu","resources":["arn:aws:states:us-east-1:123456789012:execution:m:n"],"detail":{"status":"FAILED"},"delivery":"direct"}"#;
        assert_eq!(text, expected);
    }

    #[test]
    fn what_does_not_fit_is_left_out_and_named() {
        let detail =
            format!(r#"{{"status":"FAILED","input":"{}","output":"{}"}}"#, "i".repeat(500), "o".repeat(400));
        let sized = |bytes_max| envelope(&event(&detail), "id", &origin(), "direct", bytes_max);
        let cases = [
            (2_000, Some((r#""status","input","output""#, None))),
            (1_000, Some((r#""status","output""#, Some(r#"["input"]"#)))),
            (500, Some((r#""status""#, Some(r#"["input","output"]"#)))),
            (100, None),
        ];
        for (bytes_max, expected) in cases {
            let text = sized(bytes_max);
            let found = text.as_ref().map(|text| {
                assert!(text.len() <= bytes_max);
                let value = Value::parse(text).unwrap();
                let detail = value.get("detail").unwrap().as_object().unwrap();
                let names: Vec<String> = detail.keys().map(|name| format!("\"{name}\"")).collect();
                (names.join(","), value.get("omitted").map(Value::to_json))
            });
            let found = found.as_ref().map(|(names, omitted)| (names.as_str(), omitted.as_deref()));
            assert_eq!(found, expected, "{bytes_max}");
        }
    }
}
