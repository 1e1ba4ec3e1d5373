//! The contract of the ports against ministack, and what no contract covers.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic, in its helpers too")]

mod common;

use std::process::Command;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_config::SdkConfig;
use bytes::Bytes;
use common::{Emulator, fresh, long_entries_are_found, root, timeouts};
use model::json::Value;
use model::timestamp::Timestamp;
use ports::contract::{self, Timing};
use ports::{Blobs, Bus, Event, Queue, QueueSettings, Queues, SystemClock, Table};
use ports_aws::bus::{DELIVERY, DIRECT, EVENT_ID, event_id};
use ports_aws::config::SOURCE;
use ports_aws::table::schema;

const NEEDED: &str = ".tools/ministack/stamp";

fn command(port: u16) -> Command {
    let mut command = Command::new(root().join(".tools/ministack/bin/python"));
    command
        .arg("shared/ports-aws/tests/emulators/ministack_until_eof.py")
        .env("BIND_HOST", "127.0.0.1")
        .env("GATEWAY_PORT", port.to_string())
        .env("MINISTACK_HOST", "localhost")
        // Their listeners would be reachable from elsewhere.
        .env("IOT_MTLS_ENABLED", "0")
        .env("SFTP_ENABLED", "0")
        .env("LOG_LEVEL", "ERROR")
        .env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

/// Clients to the one emulator of this binary; none where it is not installed.
fn sdk() -> Option<SdkConfig> {
    static EMULATOR: OnceLock<Option<Emulator>> = OnceLock::new();
    let start = || Emulator::start(NEEDED, "/_ministack/health", command);
    tokio::task::block_in_place(|| EMULATOR.get_or_init(start)).as_ref().map(Emulator::sdk)
}

fn queues_of(sdk: &SdkConfig) -> ports_aws::Queues {
    ports_aws::Queues::new(sdk, "", timeouts(), Arc::new(SystemClock))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_table_keeps_its_contract() {
    let Some(sdk) = sdk() else { return };
    let make = async || {
        let name = fresh("table");
        schema::create(&sdk, &name, timeouts(), &SystemClock).await.unwrap();
        Arc::new(ports_aws::Table::new(&sdk, name, timeouts())) as Arc<dyn Table>
    };
    contract::table(make).await;
    long_entries_are_found(&*make().await).await;
}

/// Its time is real, and in whole seconds.
#[tokio::test(flavor = "multi_thread")]
async fn the_queues_keep_their_contract() {
    let Some(sdk) = sdk() else { return };
    let timing = Timing {
        visibility: Duration::from_secs(3),
        delay: Duration::from_secs(3),
        slack: Duration::from_millis(1_400),
    };
    let make = async || Arc::new(queues_of(&sdk)) as Arc<dyn Queues>;
    contract::queue(make, Arc::new(SystemClock), timing).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_blobs_keep_their_contract() {
    let Some(sdk) = sdk() else { return };
    contract::blobs(async || Arc::new(bucket(&sdk).await) as Arc<dyn Blobs>).await;
}

async fn bucket(sdk: &SdkConfig) -> ports_aws::Blobs {
    let name = fresh("bucket");
    let config = aws_sdk_s3::config::Builder::from(sdk).force_path_style(true).build();
    aws_sdk_s3::Client::from_conf(config).create_bucket().bucket(&name).send().await.unwrap();
    ports_aws::Blobs::new(sdk, name, timeouts())
}

/// More keys than one answer of S3 has.
#[tokio::test(flavor = "multi_thread")]
async fn listings_of_blobs_go_on_behind_the_first_thousand() {
    let Some(sdk) = sdk() else { return };
    let blobs = Arc::new(bucket(&sdk).await);
    let keys: Vec<String> = (0..1_203).map(|n| format!("many/{n:04}")).collect();
    for some in keys.chunks(100) {
        let puts = some.iter().map(|key| {
            let (blobs, key) = (Arc::clone(&blobs), key.clone());
            tokio::spawn(async move { blobs.put(&key, Bytes::from("x")).await })
        });
        for put in puts.collect::<Vec<_>>() {
            put.await.unwrap().unwrap();
        }
    }
    for limit in [1_000, 1_001, 1_203, 5_000] {
        let listed = blobs.list("many/", None, limit).await.unwrap();
        assert_eq!(listed, keys[..limit.min(keys.len())], "{limit}");
    }
    assert_eq!(blobs.list("many/", Some(&keys[150]), 1_040).await.unwrap(), keys[151..1_191]);
    assert_eq!(blobs.list("many/", None, 0).await.unwrap(), [""; 0]);
}

/// A queue, and its ARN.
async fn queue(sdk: &SdkConfig) -> (Arc<dyn Queue>, String) {
    let name = fresh("events");
    let settings = QueueSettings { visibility: Duration::from_secs(300), dead_letters: None };
    let queue = queues_of(sdk).create(&name, settings).await.unwrap();
    (queue, format!("arn:aws:sqs:us-east-1:000000000000:{name}"))
}

/// Every message that comes until none does for a while, as JSON.
async fn drain(queue: &dyn Queue) -> Vec<Value> {
    let mut all = Vec::new();
    loop {
        let received = queue.receive(10, Duration::from_secs(2)).await.unwrap();
        if received.is_empty() {
            return all;
        }
        for message in &received {
            all.push(Value::parse(std::str::from_utf8(&message.body).unwrap()).unwrap());
        }
        let receipts: Vec<_> = received.into_iter().map(|message| message.receipt).collect();
        queue.delete(&receipts).await.unwrap();
    }
}

/// The time of the events that are published here.
const TIME: Timestamp = Timestamp::from_millis(1_893_456_000_000);

/// What was delivered, as it was published but for its source. `time` is left out where ministack
/// puts that of the arrival in its place.
fn event_of(delivered: &Value, has_time: bool) -> Event {
    let text = |name: &str| delivered.get(name).unwrap().as_str().unwrap();
    assert_eq!(text("source"), SOURCE);
    Event {
        time: if has_time { text("time").parse::<Timestamp>().unwrap() } else { TIME },
        source: "aws.states".into(),
        detail_type: text("detail-type").into(),
        resources: delivered
            .get("resources")
            .unwrap()
            .as_array()
            .unwrap()
            .iter()
            .map(|resource| resource.as_str().unwrap().into())
            .collect(),
        detail: delivered.get("detail").unwrap().clone(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bus_keeps_its_contract() {
    let Some(sdk) = sdk() else { return };
    let bus = fresh("bus");
    let (queue, queue_arn) = queue(&sdk).await;
    let events = aws_sdk_eventbridge::Client::new(&sdk);
    events.create_event_bus().name(&bus).send().await.unwrap();
    let pattern = format!(r#"{{"source":["{SOURCE}"]}}"#);
    let rule = events.put_rule().name("all").event_bus_name(&bus).event_pattern(pattern);
    rule.send().await.unwrap();
    let target = aws_sdk_eventbridge::types::Target::builder().id("queue").arn(queue_arn).build().unwrap();
    let targets = events.put_targets().rule("all").event_bus_name(&bus).targets(target);
    targets.send().await.unwrap();

    let adapter: Arc<dyn Bus> = Arc::new(ports_aws::Bus::new(&sdk, bus.as_str(), SOURCE, timeouts()));
    let published = tokio::sync::Mutex::new(Vec::new());
    contract::bus(adapter, async || {
        let mut all = published.lock().await;
        all.extend(drain(&*queue).await.iter().map(|delivered| event_of(delivered, false)));
        all.clone()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_is_told_of_an_event_as_a_bus_would_and_marked() {
    let Some(sdk) = sdk() else { return };
    let (queue, queue_arn) = queue(&sdk).await;
    let sns = aws_sdk_sns::Client::new(&sdk);
    let created = sns.create_topic().name(fresh("failures")).send().await.unwrap();
    let arn = created.topic_arn.unwrap();
    let subscribed = sns.subscribe().topic_arn(&arn).protocol("sqs").endpoint(queue_arn);
    subscribed.send().await.unwrap();

    let topic = ports_aws::Topic::new(&sdk, arn, SOURCE, timeouts()).unwrap();
    let event = Event {
        time: TIME,
        source: "aws.states".into(),
        detail_type: "Step Functions Execution Status Change".into(),
        resources: vec!["arn:aws:states:us-east-1:123456789012:execution:machine:name".into()],
        detail: Value::parse(r#"{"status":"FAILED","name":"ü€𝄞"}"#).unwrap(),
    };
    topic.publish(event.clone()).await.unwrap();
    // The largest event is larger than a message of SNS: something is left out, nothing is lost.
    let padding = ports::bus::EVENT_BYTES_MAX - Event { detail: padded(0), ..event.clone() }.bytes();
    topic.publish(Event { detail: padded(padding), ..event.clone() }).await.unwrap();

    let told = drain(&*queue).await;
    let messages: Vec<(Value, &Value)> = told
        .iter()
        .map(|told| (Value::parse(told.get("Message").unwrap().as_str().unwrap()).unwrap(), told))
        .collect();
    let (message, told) = messages.iter().find(|(message, _)| message.get("omitted").is_none()).unwrap();
    assert_eq!(event_of(message, true), event);
    let id = event_id(&event);
    assert_eq!(message.get("id").unwrap().as_str(), Some(id.as_str()));
    assert_eq!(message.get("delivery").unwrap().as_str(), Some(DIRECT));
    let attributes = told.get("MessageAttributes").unwrap();
    for (name, expected) in [(DELIVERY, DIRECT), (EVENT_ID, id.as_str())] {
        assert_eq!(attributes.get(name).unwrap().get("Value").unwrap().as_str(), Some(expected));
    }
    let (short, _) = messages.iter().find(|(message, _)| message.get("omitted").is_some()).unwrap();
    assert_eq!(short.get("omitted").unwrap().to_json(), r#"["input"]"#);
    assert_eq!(short.get("detail").unwrap().to_json(), r#"{"status":"FAILED"}"#);
    assert_eq!(messages.len(), 2);
}

fn padded(bytes: usize) -> Value {
    Value::parse(&format!(r#"{{"status":"FAILED","input":"{}"}}"#, "i".repeat(bytes))).unwrap()
}

/// Bodies that SQS has no text for, over the wire.
#[tokio::test(flavor = "multi_thread")]
async fn an_empty_body_arrives() {
    let Some(sdk) = sdk() else { return };
    let (queue, _) = queue(&sdk).await;
    for body in ["", "-", "e", "\r", "\u{1}"] {
        queue.send(Bytes::from(body), Duration::ZERO).await.unwrap();
        let received = queue.receive(10, Duration::from_secs(2)).await.unwrap();
        let bodies: Vec<&Bytes> = received.iter().map(|message| &message.body).collect();
        assert_eq!(bodies, [body], "{body:?}");
        queue.delete(&[received[0].receipt.clone()]).await.unwrap();
    }
}

/// What is not there is said so, in the words of the port.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_installed_is_named() {
    let Some(sdk) = sdk() else { return };
    let row = ports::Row::new(ports::Key::new("p", "s"), 1, "");
    let table = ports_aws::Table::new(&sdk, "no-such-table", timeouts());
    let put = table.put(row, ports::Condition::Always).await.unwrap_err().to_string();
    let get = table.get(&ports::Key::new("p", "s")).await.unwrap_err().to_string();
    let blobs = ports_aws::Blobs::new(&sdk, "no-such-bucket", timeouts());
    let read = blobs.get("k").await.unwrap_err().to_string();
    for (error, name) in [(put, "no-such-table"), (get, "no-such-table"), (read, "no-such-bucket")] {
        assert!(error.contains(name) && error.contains("unavailable"), "{error}");
    }
    let missing = queues_of(&sdk).at("gone", "http://127.0.0.1:1/000000000000/no-such-queue");
    let sent = missing.send(Bytes::from("x"), Duration::ZERO).await;
    assert_eq!(sent, Err(ports::QueueError::Missing("gone".to_owned())));
}
