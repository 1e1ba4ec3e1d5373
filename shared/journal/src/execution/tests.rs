mod listing;
mod retention;

use std::sync::Arc;

use bytes::Bytes;
use engine::Execution;
use model::arn::{ExecutionArn, Home, StateMachineArn};
use model::history::{Event, HistoryEvent, Output, StateEntered};
use model::json::Value;
use model::status::ExecutionStatus;
use model::timestamp::Timestamp;
use ports::metered::{self, Meter};
use ports::{Blobs as _, Order, Table as _, Virtual, memory};
use proptest::prelude::*;

use super::code::Compression;
use super::record::{Events, HistoryPayloads};
use super::*;
use crate::payload::{self, Known, Pool};
use crate::store::{Config, OpenError, Store, StoreError};

const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);

struct Fixture {
    executions: Executions,
    table: Arc<memory::Table>,
    blobs: Arc<memory::Blobs>,
    meter: Meter,
    machine: StateMachineArn,
}

async fn fixture(change: impl FnOnce(&mut Config)) -> Fixture {
    let home = Home { partition: "aws".into(), region: "us-east-1".into(), account: "123456789012".into() };
    let mut config = Config::new(home.clone());
    change(&mut config);
    let table = Arc::new(memory::Table::new(Arc::new(Virtual::new(START))));
    let blobs = Arc::new(memory::Blobs::new());
    let meter = Meter::new();
    let metered = Arc::new(metered::Table::new(table.clone(), meter.clone()));
    let store = Store::open(metered, blobs.clone(), config).await.unwrap();
    let machine = StateMachineArn::new(&home, "m").unwrap();
    Fixture { executions: Executions::new(store), table, blobs, meter, machine }
}

impl Fixture {
    fn arn(&self, name: &str) -> ExecutionArn {
        self.machine.execution(name).unwrap()
    }

    fn place(&self, name: &str) -> Place {
        self.executions.place(&self.arn(name)).unwrap()
    }

    fn meta(&self, name: &str, started_at: Timestamp, input: Value) -> Meta {
        let execution = Execution {
            arn: self.arn(name).as_str().into(),
            name: name.into(),
            role_arn: "arn:aws:iam::123456789012:role/r".into(),
            state_machine_arn: self.machine.as_str().into(),
            state_machine_name: "m".into(),
            state_machine_version_arn: Some(format!("{}:3", self.machine.as_str()).into()),
            state_machine_alias_arn: None,
            region: "us-east-1".into(),
            started_at,
            synchronous: false,
        };
        Meta::new(execution, "revision".into(), input)
    }

    async fn create(&self, name: &str, started_at: Timestamp) {
        let meta = self.meta(name, started_at, Value::object());
        let record = record(0, 0, 2, Value::object());
        self.executions
            .create(&self.place(name), &meta, record, None, Vec::new(), &mut Known::default())
            .await
            .unwrap();
    }

    async fn append(&self, name: &str, record: Record) -> Result<Appended, AppendError> {
        let known = &mut Known::default();
        self.executions.append(&self.place(name), record, Then::GoesOn, Vec::new(), known).await
    }

    async fn history(&self, name: &str, query: &HistoryQuery) -> HistoryPage {
        self.executions.history(&self.arn(name), query).await.unwrap().unwrap()
    }
}

/// A record with `count` events behind event `last`.
fn record(seq: u64, last: u64, count: u64, payload: Value) -> Record {
    let event = |id: u64| HistoryEvent {
        id,
        previous_event_id: id - 1,
        timestamp: START.plus_millis(i64::try_from(id).unwrap()),
        event: Event::PassStateEntered(StateEntered { name: "P".into(), input: payload.clone() }),
    };
    Record {
        seq,
        writer: Writer(seq + 1),
        owner: Some(Owner(7)),
        at: START,
        last_event_id: last + count,
        history: (last + 1..=last + count).map(event).collect(),
        pool: Pool::default(),
        steps: Bytes::new(),
        state: Some(Bytes::from_static(b"state")),
    }
}

fn ended(seq: u64, last: u64, output: Value) -> Record {
    let mut record = record(seq, last, 1, Value::Null);
    record.history[0].event = Event::ExecutionSucceeded(Output { output });
    record
}

fn all() -> HistoryQuery {
    HistoryQuery { order: Order::Ascending, after: None, limit: 10_000, include_payloads: true }
}

fn large() -> Value {
    vec![Value::from("x".repeat(1_000).as_str()); 20].into_iter().collect::<Vec<_>>().into()
}

#[tokio::test]
async fn one_writer_wins_each_place() {
    let fixture = fixture(|_| {}).await;
    fixture.create("x", START).await;
    fixture.append("x", record(1, 2, 1, Value::Null)).await.unwrap();
    let mut other = record(1, 2, 1, Value::Null);
    // Its own record again: the put had applied and was reported lost.
    fixture.append("x", other.clone()).await.unwrap();
    other.writer = Writer(99);
    assert_eq!(fixture.append("x", other).await.unwrap_err(), AppendError::Conflict { seq: 1 });
    let meta = fixture.meta("x", START, Value::object());
    let mut again = record(0, 0, 2, Value::object());
    again.writer = Writer(99);
    let created = fixture
        .executions
        .create(&fixture.place(&meta.execution.name), &meta, again, None, Vec::new(), &mut Known::default())
        .await;
    assert_eq!(created.unwrap_err(), AppendError::Conflict { seq: 0 });
}

#[tokio::test]
async fn history_is_read_in_pages_of_any_size_and_in_both_orders() {
    let fixture = fixture(|_| {}).await;
    fixture.create("x", START).await;
    let mut last = 2;
    for seq in 1..40 {
        let count = seq % 4;
        fixture.append("x", record(seq, last, count, Value::from("payload"))).await.unwrap();
        last += count;
    }
    for order in [Order::Ascending, Order::Descending] {
        for limit in [1, 2, 3, 7, 30, 1_000] {
            let mut ids = Vec::new();
            let mut after = None;
            loop {
                let query = HistoryQuery { order, after, limit, include_payloads: true };
                let page = fixture.history("x", &query).await;
                assert!(page.events.len() <= limit);
                ids.extend(page.events.iter().map(|event| event.id));
                after = ids.last().copied();
                if !page.more {
                    break;
                }
            }
            if order == Order::Descending {
                ids.reverse();
            }
            assert_eq!(ids, (1..=last).collect::<Vec<_>>(), "{order:?} by {limit}");
        }
    }
}

fn inputs(page: HistoryPage) -> Vec<Value> {
    let input = |event: HistoryEvent| match event.event {
        Event::PassStateEntered(entered) => entered.input,
        other => panic!("{other:?}"),
    };
    page.events.into_iter().map(input).collect()
}

#[tokio::test]
async fn large_payloads_are_stored_once_and_read_when_they_are_wanted() {
    let fixture = fixture(|_| {}).await;
    let payload = large();
    let meta = fixture.meta("x", START, payload.clone());
    let first = record(0, 0, 3, payload.clone());
    fixture
        .executions
        .create(&fixture.place(&meta.execution.name), &meta, first, None, Vec::new(), &mut Known::default())
        .await
        .unwrap();
    fixture.append("x", record(1, 3, 2, payload.clone())).await.unwrap();
    assert_eq!(fixture.blobs.list("", None, 10).await.unwrap().len(), 1);
    assert!(fixture.table.rows().iter().all(|row| row.bytes() < 4_096));
    assert_eq!(inputs(fixture.history("x", &all()).await), vec![payload.clone(); 5]);
    let without = HistoryQuery { include_payloads: false, ..all() };
    assert_eq!(inputs(fixture.history("x", &without).await), vec![Value::Null; 5]);
    assert_eq!(fixture.executions.describe(&fixture.arn("x")).await.unwrap().unwrap().input, payload);
    assert_eq!(fixture.executions.load(&fixture.arn("x")).await.unwrap().unwrap().meta.input, payload);
}

#[tokio::test]
async fn a_payload_that_looks_like_a_reference_is_one_no_more() {
    let fixture = fixture(|_| {}).await;
    let long = format!("\u{10}={}", "9".repeat(40));
    let texts = [
        "\u{10}",
        "\u{10}blob:x/m:x/y",
        "\u{10}\u{10}blob:",
        "blob:",
        "\u{10}=0",
        "\u{10}\u{10}=0",
        "=0",
        &long,
    ];
    for (number, text) in texts.into_iter().enumerate() {
        let name = format!("x{number}");
        let payload = Value::from(text);
        let meta = fixture.meta(&name, START, payload.clone());
        let first = record(0, 0, 1, payload.clone());
        fixture
            .executions
            .create(
                &fixture.place(&meta.execution.name),
                &meta,
                first,
                None,
                Vec::new(),
                &mut Known::default(),
            )
            .await
            .unwrap();
        assert_eq!(fixture.executions.describe(&fixture.arn(&name)).await.unwrap().unwrap().input, payload);
        assert_eq!(inputs(fixture.history(&name, &all()).await), vec![payload.clone()]);
        // A part of a payload is none.
        let list = Value::from(vec![payload; 9]);
        fixture.append(&name, record(1, 1, 2, list.clone())).await.unwrap();
        assert_eq!(inputs(fixture.history(&name, &all()).await)[1..], [list.clone(), list]);
    }
}

#[tokio::test]
async fn a_record_holds_a_payload_once_and_refuses_markers_without_one() {
    let payload = |text: &str| Value::from(vec![Value::from(text.repeat(50).as_str())]);
    let bytes = |count: u64, payload: &Value| {
        let mut record = record(1, 1, count, payload.clone());
        let mut history = HistoryPayloads(&mut record.history);
        payload::outline(&mut history, "x/", usize::MAX, &mut Known::default(), Some(&mut record.pool));
        record.encode(Compression::fast(usize::MAX))
    };
    let (one, ten) = (bytes(1, &payload("abc")), bytes(10, &payload("abc")));
    assert!(ten.len() - one.len() < 9 * 60, "{} and {}", one.len(), ten.len());
    let read = Record::decode(&ten, Events::All).unwrap();
    assert!(read.history.iter().all(|event| match &event.event {
        Event::PassStateEntered(entered) => entered.input == payload("abc"),
        _ => false,
    }));
    let marked = record(1, 1, 1, Value::from("\u{10}=7")).encode(Compression::fast(usize::MAX));
    let error = Record::decode(&marked, Events::All).unwrap_err();
    assert_eq!(error, StoreError::Damaged("a record has no payload 7".to_owned()));
}

#[tokio::test]
async fn a_large_record_goes_to_the_blobs_whole() {
    let fixture = fixture(|config| config.record_bytes_inline_max = 512).await;
    fixture.create("x", START).await;
    // Sixteen pairwise different texts do not compress below the threshold.
    let payload: Vec<Value> =
        (0..400_u64).map(|n| Value::from((n * n * 2_654_435_761).to_string().as_str())).collect();
    fixture.append("x", record(1, 2, 1, payload.into())).await.unwrap();
    assert_eq!(fixture.blobs.list("x/m:x/r1-", None, 10).await.unwrap().len(), 1);
    assert_eq!(fixture.history("x", &all()).await.events.len(), 3);
    let loaded = fixture.executions.load(&fixture.arn("x")).await.unwrap().unwrap();
    assert_eq!(loaded.records.last().unwrap().seq, 1);
}

#[tokio::test]
async fn loading_goes_back_to_the_newest_state() {
    let fixture = fixture(|_| {}).await;
    fixture.create("x", START).await;
    for seq in 1..50 {
        let mut record = record(seq, 2, 0, Value::Null);
        if seq != 20 {
            record.state = None;
            record.steps = Bytes::from(seq.to_string());
        }
        fixture.append("x", record).await.unwrap();
    }
    let loaded = fixture.executions.load(&fixture.arn("x")).await.unwrap().unwrap();
    assert_eq!((loaded.seq, loaded.records.len()), (49, 30));
    assert_eq!(loaded.records[0].state.as_deref(), Some(b"state".as_slice()));
    assert_eq!(loaded.records[1].steps.as_ref(), b"21");
    assert!(fixture.executions.load(&fixture.arn("y")).await.unwrap().is_none());
    let elsewhere = ExecutionArn::parse("arn:aws:states:eu-west-1:123456789012:execution:m:x").unwrap();
    assert!(fixture.executions.load(&elsewhere).await.unwrap().is_none());
}

#[tokio::test]
async fn meta_learns_of_the_end_once_and_is_right_before() {
    let fixture = fixture(|_| {}).await;
    fixture.create("x", START).await;
    fixture.append("x", ended(1, 2, large())).await.unwrap();
    let before = fixture.executions.describe(&fixture.arn("x")).await.unwrap().unwrap();
    assert_eq!((before.status, before.last_event_id), (ExecutionStatus::Succeeded, 3));
    let loaded = fixture.executions.load(&fixture.arn("x")).await.unwrap().unwrap();
    let ending = loaded.ending.unwrap();
    assert!(fixture.executions.close(&loaded.first, &ending).await.unwrap());
    assert!(!fixture.executions.close(&loaded.first, &ending).await.unwrap(), "read again");
    let after = fixture.executions.describe(&fixture.arn("x")).await.unwrap().unwrap();
    assert_eq!(after.output, Some(large()));
    assert_eq!(after.stopped_at, before.stopped_at);
}

#[tokio::test]
async fn a_wake_up_is_found_when_it_is_due_and_goes_when_it_is_superseded() {
    let fixture = fixture(|config| config.wake_shards = 1).await;
    fixture.create("x", START).await;
    let at = START.plus_seconds(86_400);
    let known = &mut Known::default();
    let arn = fixture.arn("x");
    let parked = fixture
        .executions
        .append(&fixture.place("x"), record(1, 2, 0, Value::Null), Then::Wakes(at), Vec::new(), known)
        .await
        .unwrap();
    let due = |until: Timestamp| {
        let executions = fixture.executions.clone();
        async move { executions.due(DueKind::Wake, 0, until, None, 10).await.unwrap().entries }
    };
    assert_eq!(due(at.plus_millis(-1)).await, []);
    let found = due(at).await;
    assert_eq!((found.len(), &found[0].execution, found[0].at), (1, &arn, at));
    assert!(!fixture.executions.remove_stale(&found[0]).await.unwrap(), "it is the newest record");
    assert!(fixture.executions.load(&arn).await.unwrap().unwrap().parked.is_some());
    fixture.append("x", record(2, 2, 0, Value::Null)).await.unwrap();
    assert_eq!(due(at).await.len(), 1, "left behind by a crash");
    assert!(fixture.executions.remove_stale(&found[0]).await.unwrap());
    assert_eq!(due(at).await, []);
    fixture.executions.unpark(parked.parked.unwrap()).await.unwrap();
}

#[tokio::test]
async fn poison_is_counted_per_record() {
    let fixture = fixture(|_| {}).await;
    fixture.create("x", START).await;
    let arn = fixture.arn("x");
    let mut counts = Vec::new();
    for seq in [3, 3, 4, 4, 4, 3] {
        counts.push(fixture.executions.poisoned(&arn, seq, "why").await.unwrap().count);
    }
    assert_eq!(counts, [1, 2, 1, 2, 3, 1]);
}

#[tokio::test]
async fn what_cannot_be_read_is_failed_by_its_head_alone() {
    let fixture = fixture(|_| {}).await;
    fixture.create("x", START).await;
    let failure = model::error::Failure::new("States.Runtime", "damaged");
    let arn = fixture.arn("x");
    fixture.executions.fail_unread(&arn, &failure, Writer(5), START).await.unwrap();
    let found = fixture.executions.describe(&arn).await.unwrap().unwrap();
    assert_eq!((found.status, found.failure, found.last_event_id), (ExecutionStatus::Failed, failure, 3));
    assert!(fixture.executions.load(&arn).await.unwrap().unwrap().ending.is_some());
}

#[tokio::test]
async fn where_no_head_can_be_read_an_earlier_one_tells_the_last_event() {
    let fixture = fixture(|config| config.compress_bytes_min = 1).await;
    fixture.create("x", START).await;
    fixture.append("x", record(1, 2, 3, Value::from("payload"))).await.unwrap();
    fixture.append("x", record(2, 5, 3, Value::from("payload"))).await.unwrap();
    let arn = fixture.arn("x");
    let rows = fixture.table.rows();
    let mut newest = rows.into_iter().find(|row| row.key.sort == "r/0000000002").unwrap();
    newest.body.truncate(newest.body.len() - 10);
    fixture.table.put(newest, ports::Condition::Always).await.unwrap();
    assert!(matches!(fixture.executions.load(&arn).await, Err(StoreError::Damaged(_))));
    let failure = model::error::Failure::new("States.Runtime", "damaged");
    fixture.executions.fail_unread(&arn, &failure, Writer(5), START).await.unwrap();
    let found = fixture.executions.describe(&arn).await.unwrap().unwrap();
    // Events 6 to 8 are lost with the record.
    assert_eq!((found.status, found.failure, found.last_event_id), (ExecutionStatus::Failed, failure, 6));
    let loaded = fixture.executions.load(&arn).await.unwrap().unwrap();
    assert!(fixture.executions.close(&loaded.first, &loaded.ending.unwrap()).await.unwrap());
}

#[tokio::test]
async fn appending_costs_the_same_at_any_length() {
    let fixture = fixture(|_| {}).await;
    fixture.create("x", START).await;
    let cost = |last: u64, seq: u64| {
        let fixture = &fixture;
        async move {
            let before = fixture.meter.usage();
            fixture.append("x", record(seq, last, 4, Value::from("payload"))).await.unwrap();
            fixture.meter.usage() - before
        }
    };
    let early = cost(100, 1).await;
    let late = cost(100_000, 2).await;
    assert_eq!((early.write_units, late.write_units), (1, 1));
    assert_eq!(early.read_units(), 0.0);
    assert_eq!(late.read_units(), 0.0);
}

#[tokio::test]
async fn a_store_of_another_format_is_refused() {
    let fixture = fixture(|_| {}).await;
    let mut row = fixture.table.rows().remove(0);
    row.body = Bytes::from_static(&[99]);
    fixture.table.put(row, ports::Condition::Always).await.unwrap();
    let config = fixture.executions.store().config().clone();
    let opened = Store::open(fixture.table.clone(), fixture.blobs.clone(), config).await.err();
    assert_eq!(opened, Some(OpenError::Format { found: "99".to_owned() }));
    assert!(opened.unwrap().to_string().contains(&format!("reads format {}", crate::store::FORMAT)));
}

#[test]
fn records_of_another_format_are_refused_by_number() {
    let mut bytes = record(1, 2, 3, Value::Null).encode(Compression::fast(usize::MAX)).to_vec();
    bytes[0] = 9;
    let error = Record::decode(&bytes.into(), Events::All).unwrap_err();
    let said = format!("a record has format 9, this version reads format {}", crate::store::FORMAT);
    assert_eq!(error, StoreError::Version(said));
}

proptest! {
    #[test]
    fn records_come_back_as_they_went(
        events in 0_u64..20,
        text in ".{0,2000}",
        compress in prop_oneof![Just(0_usize), Just(usize::MAX)],
        steps in prop::collection::vec(any::<u8>(), 0..100),
        stateless in any::<bool>(),
    ) {
        let mut record = record(7, 100, events, Value::from(text.as_str()));
        record.steps = steps.into();
        if stateless {
            record.state = None;
        }
        let bytes = record.encode(Compression::fast(compress));
        prop_assert_eq!(Record::decode(&bytes, Events::All).unwrap(), record.clone());
        let ends = record.ending().is_some();
        let history = if ends { record.history.clone() } else { Vec::new() };
        prop_assert_eq!(Record::decode(&bytes, Events::Ending).unwrap(), Record { history, ..record });
    }

    #[test]
    fn damaged_records_are_refused_or_read(
        cut in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        with in any::<u8>(),
        compress in prop_oneof![Just(0_usize), Just(usize::MAX)],
    ) {
        let good = record(7, 100, 5, Value::from("payload")).encode(Compression::fast(compress)).to_vec();
        let _ = Record::decode(&Bytes::copy_from_slice(&good[..cut.index(good.len())]), Events::All);
        let mut bad = good.clone();
        let at = at.index(bad.len());
        bad[at] = with;
        let _ = Record::decode(&bad.into(), Events::All);
    }
}
