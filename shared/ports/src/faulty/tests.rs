//! Every kind of fault strikes, by the seed, and where it should.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use model::json::Value;
use model::timestamp::Timestamp;

use super::*;
use crate::clock::Virtual;
use crate::memory;
use crate::queue::{QueueError, QueueSettings};
use crate::table::{
    Condition, Index, IndexKey, IndexPosition, IndexQuery, IndexRow, Key, Order, Row, TableError,
};
use crate::{BlobError, Blobs as _, Bus as _, BusError, Clock, Event, Queue as _, Queues as _, Table as _};

const VISIBILITY: Duration = Duration::from_secs(60);

/// One process in a world of one seed, and the backends that it has.
struct World {
    clock: Arc<Virtual>,
    faults: Faults,
    stored: Arc<memory::Table>,
    queues: Arc<memory::Queues>,
    kept_blobs: Arc<memory::Blobs>,
    events: Arc<memory::Bus>,
    table: Table,
    blobs: Blobs,
    bus: Bus,
}

impl World {
    fn new(seed: u64, rates: Rates) -> World {
        let clock = Arc::new(Virtual::default());
        let faults = Faults::new(seed, rates, clock.clone());
        let stored = Arc::new(memory::Table::new(clock.clone()));
        let kept_blobs = Arc::new(memory::Blobs::new());
        let events = Arc::new(memory::Bus::new());
        World {
            table: Table::new(stored.clone(), faults.clone()),
            blobs: Blobs::new(kept_blobs.clone(), faults.clone()),
            bus: Bus::new(events.clone(), faults.clone()),
            queues: Arc::new(memory::Queues::new(clock.clone())),
            clock,
            faults,
            stored,
            kept_blobs,
            events,
        }
    }

    /// A queue whose creation goes well.
    async fn queue(&self) -> Queue {
        let settings = QueueSettings { visibility: VISIBILITY, dead_letters: None };
        Queue::new(self.queues.create("q", settings).await.unwrap(), self.faults.clone())
    }

    async fn sleep(&self, duration: Duration) {
        self.clock.sleep_until(self.clock.now().plus_millis(duration.as_millis() as i64)).await;
    }
}

fn row(sort: &str, revision: u64) -> Row {
    let entry = IndexKey { index: Index::First, partition: "i".into(), sort: format!("{revision}").into() };
    Row { indexes: vec![entry], ..Row::new(Key::new("p", sort), revision, "body") }
}

fn event() -> Event {
    Event {
        time: Timestamp::EPOCH,
        source: "s".into(),
        detail_type: "t".into(),
        resources: Vec::new(),
        detail: Value::parse("{}").unwrap(),
    }
}

fn index_query(limit: usize, order: Order) -> IndexQuery {
    let (index, partition, from, to) = (Index::First, "i".into(), "".into(), "~".into());
    IndexQuery { index, partition, from, to, order, after: None, limit }
}

/// A write of each port under a fault of the rate 1: what each answers, and whether it is applied.
async fn check_writes(
    rates: Rates,
    fault: Fault,
    table: Result<(), TableError>,
    queue: Result<(), QueueError>,
    is_applied: bool,
) {
    let world = World::new(1, rates);
    let q = world.queue().await;
    let others = if queue == Err(QueueError::Throttled) {
        (Err(BlobError::Throttled), Err(BusError::Throttled))
    } else {
        let reason = "injected fault".to_owned();
        (Err(BlobError::Unavailable(reason.clone())), Err(BusError::Unavailable(reason)))
    };
    assert_eq!(world.table.put(row("a", 1), Condition::Absent).await, table, "{fault:?}");
    assert_eq!(q.send(Bytes::from("m"), Duration::ZERO).await, queue, "{fault:?}");
    assert_eq!(world.blobs.put("k", Bytes::from("b")).await, others.0, "{fault:?}");
    assert_eq!(world.bus.publish(event()).await, others.1, "{fault:?}");
    assert_eq!(world.stored.rows().len(), usize::from(is_applied), "{fault:?}");
    assert_eq!(world.queues.messages("q").len(), usize::from(is_applied), "{fault:?}");
    assert_eq!(world.kept_blobs.get("k").await.unwrap().is_some(), is_applied, "{fault:?}");
    assert_eq!(world.events.events().len(), usize::from(is_applied), "{fault:?}");
    assert_eq!(world.faults.struck(fault), 4, "{fault:?}");
    assert_eq!(world.faults.operations(), 4);

    world.faults.quiet();
    assert_eq!(world.table.put(row("b", 1), Condition::Absent).await, Ok(()), "quiet after {fault:?}");
}

#[tokio::test(start_paused = true)]
async fn writes_fail_in_every_way() {
    let reason = "injected fault".to_owned();
    let queue_unavailable = Err(QueueError::Unavailable(reason.clone()));
    let none = Rates::NONE;
    let throttled = (Err(TableError::Throttled), Err(QueueError::Throttled));
    check_writes(Rates { throttled: 1.0, ..none }, Fault::Throttled, throttled.0, throttled.1, false).await;
    let (rates, table) = (Rates { unavailable: 1.0, ..none }, Err(TableError::Unavailable(reason.clone())));
    check_writes(rates, Fault::Unavailable, table, queue_unavailable.clone(), false).await;
    let unknown = Err(TableError::Unknown(reason));
    let rates = Rates { unknown_not_applied: 1.0, ..none };
    check_writes(rates, Fault::UnknownNotApplied, unknown.clone(), queue_unavailable.clone(), false).await;
    let rates = Rates { unknown_applied: 1.0, ..none };
    check_writes(rates, Fault::UnknownApplied, unknown, queue_unavailable, true).await;
}

#[tokio::test(start_paused = true)]
async fn an_unknown_outcome_hides_a_conflict_and_no_refusal() {
    let world = World::new(1, Rates { unknown_applied: 1.0, ..Rates::NONE });
    let put = async |row| world.table.put(row, Condition::Absent).await;
    assert!(matches!(put(row("a", 1)).await, Err(TableError::Unknown(_))));
    assert!(matches!(put(row("a", 2)).await, Err(TableError::Unknown(_))));
    assert_eq!(world.stored.rows(), [row("a", 1)]);
    assert!(matches!(put(row("", 1)).await, Err(TableError::TooLarge { .. })));
    assert_eq!(world.table.get(&Key::new("p", "a")).await, Ok(Some(row("a", 1))), "reads know their outcome");
    assert!(matches!(
        world.table.delete(&Key::new("p", "a"), Condition::Always).await,
        Err(TableError::Unknown(_))
    ));
    assert!(world.stored.rows().is_empty());
}

#[tokio::test(start_paused = true)]
async fn reads_fail() {
    let world = World::new(1, Rates { unavailable: 1.0, ..Rates::NONE });
    let key = Key::new("p", "a");
    assert!(matches!(world.table.get(&key).await, Err(TableError::Unavailable(_))));
    assert!(world.table.query_index(&index_query(1, Order::Ascending)).await.is_err());
    assert!(matches!(world.blobs.get("k").await, Err(BlobError::Unavailable(_))));
    assert!(matches!(world.blobs.list("", None, 1).await, Err(BlobError::Unavailable(_))));
    let queues = Queues::new(world.queues.clone(), world.faults.clone());
    assert!(matches!(queues.open("q").await.map(|_| ()), Err(QueueError::Unavailable(_))));
}

#[tokio::test(start_paused = true)]
async fn operations_are_delayed() {
    let rates = Rates { delayed: 1.0, delay_max: Duration::from_secs(5), ..Rates::NONE };
    let world = World::new(1, rates);
    let (mut before_it, mut after_it) = (0, 0);
    for n in 0..50 {
        let started = world.clock.now();
        let name = format!("{n}");
        let expires = Row { expires_at: Some(started.plus_millis(1)), ..row(&name, 1) };
        world.table.put(expires, Condition::Absent).await.unwrap();
        let took = world.clock.now().millis_since(started);
        assert!((0..=10_001).contains(&took), "{took}");
        // What was applied at once has expired when the delay is over.
        match (took > 1, world.stored.rows().is_empty()) {
            (true, true) => after_it += 1,
            (true, false) => before_it += 1,
            (false, _) => {}
        }
        world.stored.delete(&Key::new("p", &*name), Condition::Always).await.unwrap();
    }
    assert!(world.faults.struck(Fault::Delayed) >= 40);
    assert!(after_it >= 10, "{before_it} before, {after_it} after");
}

#[tokio::test(start_paused = true)]
async fn messages_come_twice_late_early_and_out_of_order() {
    let duplicated = World::new(1, Rates { duplicated: 1.0, late_max: Duration::ZERO, ..Rates::NONE });
    let queue = duplicated.queue().await;
    queue.send(Bytes::from("m"), Duration::ZERO).await.unwrap();
    assert_eq!(queue.receive(10, Duration::ZERO).await.unwrap().len(), 2);
    duplicated.bus.publish(event()).await.unwrap();
    assert_eq!(duplicated.events.events().len(), 2);

    let late = World::new(1, Rates { late: 1.0, late_max: Duration::from_secs(30), ..Rates::NONE });
    let queue = late.queue().await;
    for _ in 0..10 {
        queue.send(Bytes::from("m"), Duration::ZERO).await.unwrap();
    }
    assert!(queue.receive(10, Duration::ZERO).await.unwrap().len() < 10);
    late.sleep(Duration::from_secs(31)).await;
    assert!(!queue.receive(10, Duration::ZERO).await.unwrap().is_empty());
    let too_late = Duration::from_secs(901);
    assert!(matches!(queue.send(Bytes::new(), too_late).await, Err(QueueError::Refused(_))));
    queue.send(Bytes::new(), Duration::from_secs(900)).await.unwrap();

    let redelivered = World::new(1, Rates { redelivered: 1.0, ..Rates::NONE });
    let queue = redelivered.queue().await;
    queue.send(Bytes::from("m"), Duration::ZERO).await.unwrap();
    for receive_count in 1..=3 {
        let received = queue.receive(10, Duration::ZERO).await.unwrap();
        assert_eq!(received[0].receive_count, receive_count);
    }

    let reordered = World::new(1, Rates { reordered: 1.0, ..Rates::NONE });
    let queue = reordered.queue().await;
    let bodies: Vec<Bytes> = (0..10).map(|n| Bytes::from(format!("{n}"))).collect();
    for body in &bodies {
        queue.send(body.clone(), Duration::ZERO).await.unwrap();
    }
    let mut received: Vec<Bytes> =
        queue.receive(10, Duration::ZERO).await.unwrap().into_iter().map(|message| message.body).collect();
    assert_ne!(received, bodies);
    received.sort();
    assert_eq!(received, bodies);
}

#[tokio::test(start_paused = true)]
async fn deletes_do_nothing_and_answers_are_lost() {
    let ignoring = World::new(1, Rates { delete_ignored: 1.0, ..Rates::NONE });
    let queue = ignoring.queue().await;
    queue.send(Bytes::from("m"), Duration::ZERO).await.unwrap();
    let received = queue.receive(1, Duration::ZERO).await.unwrap();
    assert_eq!(queue.delete(&[received[0].receipt.clone()]).await, Ok(()));
    assert_eq!(ignoring.queues.messages("q").len(), 1);
    assert_eq!(ignoring.faults.struck(Fault::DeleteIgnored), 1);
    let too_many = vec![received[0].receipt.clone(); 11];
    assert!(matches!(queue.delete(&too_many).await, Err(QueueError::Refused(_))));

    let unknown = World::new(1, Rates { unknown_applied: 1.0, ..Rates::NONE });
    let queue = unknown.queue().await;
    assert!(queue.send(Bytes::from("m"), Duration::ZERO).await.is_err());
    assert!(queue.receive(1, Duration::ZERO).await.is_err());
    let direct = unknown.queues.open("q").await.unwrap();
    assert_eq!(direct.receive(1, Duration::ZERO).await, Ok(Vec::new()), "nobody has it, and it is hidden");
    let received = direct.receive(1, VISIBILITY).await.unwrap();
    assert_eq!(received[0].receive_count, 2);
    assert!(queue.delete(&[received[0].receipt.clone()]).await.is_err());
    assert!(unknown.queues.messages("q").is_empty(), "a delete that failed was done");
}

#[tokio::test(start_paused = true)]
async fn indexes_lag() {
    let rates = Rates { index_lag: 1.0, index_lag_max: Duration::from_secs(5), ..Rates::NONE };
    let world = World::new(7, rates);
    let none: [u64; 0] = [];
    let other_process = Table::new(world.stored.clone(), world.faults.process());
    let shown = async |table: &Table| -> Vec<u64> {
        let page = table.query_index(&index_query(9, Order::Ascending)).await.unwrap();
        page.rows.iter().map(|row| row.position.sort.parse().unwrap()).collect()
    };
    let caught_up = async || world.sleep(Duration::from_secs(6)).await;
    world.table.put(row("a", 1), Condition::Absent).await.unwrap();
    assert_eq!(world.table.get(&Key::new("p", "a")).await, Ok(Some(row("a", 1))), "rows do not lag");
    assert_eq!(shown(&world.table).await, none);
    assert_eq!(shown(&other_process).await, none, "the index lags for everyone");
    caught_up().await;
    assert_eq!(shown(&other_process).await, [1]);
    world.table.put(row("a", 2), Condition::Revision(1)).await.unwrap();
    world.table.put(row("a", 3), Condition::Revision(2)).await.unwrap();
    assert_eq!(shown(&world.table).await, [1]);
    assert!(world.table.put(row("a", 9), Condition::Absent).await.is_err());
    caught_up().await;
    assert_eq!(shown(&world.table).await, [3]);
    world.table.delete(&Key::new("p", "a"), Condition::Always).await.unwrap();
    assert_eq!(shown(&world.table).await, [3]);
    world.faults.quiet();
    assert_eq!(shown(&world.table).await, none, "nothing lags any more");
}

#[tokio::test(start_paused = true)]
async fn pages_of_a_lagging_index_fit_together() {
    let rates = Rates { index_lag: 0.5, index_lag_max: Duration::from_secs(5), ..Rates::NONE };
    let world = World::new(11, rates);
    for round in 0..60 {
        let sort = format!("{}", world.faults.draw(12));
        if world.faults.draw(4) == 0 {
            world.table.delete(&Key::new("p", &*sort), Condition::Always).await.unwrap();
        } else {
            let revision = world.faults.draw(5);
            world.table.put(row(&sort, revision), Condition::Always).await.unwrap();
        }
        world.sleep(Duration::from_millis(world.faults.draw(500))).await;
        for order in [Order::Ascending, Order::Descending] {
            let whole = world.table.query_index(&index_query(100, order)).await.unwrap().rows;
            let positions: Vec<IndexPosition> = whole.iter().map(|row| row.position.clone()).collect();
            let mut sorted = positions.clone();
            sorted.sort();
            if order == Order::Descending {
                sorted.reverse();
            }
            assert_eq!(positions, sorted, "round {round}");
            for limit in 1..4 {
                assert_eq!(paged(&world.table, index_query(limit, order)).await, whole, "round {round}");
            }
        }
    }
    assert!(world.faults.struck(Fault::IndexLag) > 10);
}

async fn paged(table: &Table, mut query: IndexQuery) -> Vec<IndexRow> {
    let mut rows = Vec::new();
    loop {
        let page = table.query_index(&query).await.unwrap();
        assert!(page.rows.len() <= query.limit);
        assert!(!page.rows.is_empty() || !page.more);
        query.after = page.rows.last().map(|last| last.position.clone());
        rows.extend(page.rows);
        if !page.more {
            return rows;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_process_crashes_before_or_after() {
    for (point, rows) in [(CrashPoint::Before, 1), (CrashPoint::After, 2)] {
        let world = World::new(1, Rates::NONE);
        let (process, other) = (world.faults.process(), world.faults.process());
        process.crash_at(2, point);
        let table = Arc::new(Table::new(world.stored.clone(), process.clone()));
        let running = tokio::spawn({
            let table = table.clone();
            async move {
                for n in 0..5 {
                    table.put(row(&format!("{n}"), 1), Condition::Absent).await.unwrap();
                }
            }
        });
        process.crashed().await;
        assert!(process.has_crashed() && !other.has_crashed());
        assert_eq!(process.operations(), 2);
        assert_eq!(world.stored.rows().len(), rows, "{point:?}");
        world.faults.quiet();
        let again = table.put(row("again", 1), Condition::Absent);
        assert!(tokio::time::timeout(Duration::from_secs(60), again).await.is_err(), "the dead stay dead");
        assert!(!running.is_finished());
        running.abort();
        assert_eq!(world.stored.rows().len(), rows, "{point:?}");

        other.crash_at(1, point);
        let table = Table::new(world.stored.clone(), other.clone());
        assert_eq!(
            table.put(row("other", 1), Condition::Absent).await,
            Ok(()),
            "nobody crashes in a quiet world"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_crash_stops_operations_under_way() {
    let rates = Rates { delayed: 2.0, delay_max: Duration::from_secs(50), ..Rates::NONE };
    let world = Arc::new(World::new(5, rates));
    let put = tokio::spawn({
        let world = world.clone();
        async move { world.table.put(row("a", 1), Condition::Absent).await }
    });
    tokio::task::yield_now().await;
    world.faults.crash();
    world.sleep(Duration::from_secs(200)).await;
    assert!(!put.is_finished() && world.stored.rows().is_empty());
    put.abort();
}

/// What a run of several hundred operations sees, in order.
async fn trace(seed: u64) -> Vec<String> {
    let world = World::new(seed, Rates::even(0.1));
    let queue = world.queue().await;
    let mut trace = Vec::new();
    for n in 0..100 {
        let name = format!("{}", n % 7);
        trace.push(format!("{:?}", world.table.put(row(&name, n), Condition::Always).await));
        trace.push(format!("{:?}", world.table.query_index(&index_query(3, Order::Descending)).await));
        trace.push(format!("{:?}", queue.send(Bytes::from(name.clone()), Duration::from_secs(n % 3)).await));
        let received = queue.receive(3, Duration::from_secs(1)).await;
        trace.push(format!("{received:?}"));
        for message in received.unwrap_or_default() {
            trace.push(format!("{:?}", queue.delete(&[message.receipt]).await));
        }
        trace.push(format!("{:?}", world.blobs.put(&name, Bytes::from(name.clone())).await));
        trace.push(format!("{:?}", world.bus.publish(event()).await));
        trace.push(format!("{}", world.clock.now()));
    }
    for fault in Fault::ALL {
        trace.push(format!("{fault:?} {}", world.faults.struck(fault)));
        assert!(
            world.faults.struck(fault) > 0,
            "{fault:?} strikes within {n} operations",
            n = world.faults.operations()
        );
    }
    trace
}

#[tokio::test(start_paused = true)]
async fn a_seed_is_a_schedule() {
    let first = trace(1).await;
    assert_eq!(first, trace(1).await);
    assert_ne!(first, trace(2).await);
}

#[test]
fn draws_are_even() {
    let faults = Faults::new(0, Rates::NONE, Arc::new(crate::SystemClock));
    // The first output of SplitMix64 from the state 0 is 0xe220a8397b1dcdaf.
    assert_eq!(faults.draw(u64::MAX), 0xe220_a839_7b1d_cdae);
    assert_eq!(faults.draw(0), 0);
    let mut counts = [0_u32; 10];
    for _ in 0..10_000 {
        counts[faults.draw(10) as usize] += 1;
    }
    assert!(counts.iter().all(|count| (900..1_100).contains(count)), "{counts:?}");
}
