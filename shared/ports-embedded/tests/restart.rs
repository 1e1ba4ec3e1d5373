//! Closing and opening: what stays, what begins anew; and the store against a model of it.

#![expect(clippy::unwrap_used, reason = "a test may end at the first surprise")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use model::timestamp::Timestamp;
use ports::clock::Virtual;
use ports::{
    BlobError, Clock, Condition, Index, IndexKey, IndexQuery, Key, Order, Query, QueueError, QueueSettings,
    Received, Row, TableError,
};
use ports_embedded::{OpenError, Options, Store};

fn open(folder: &Path, clock: &Arc<Virtual>, memtable_bytes: usize) -> Store {
    let options = Options { memtable_bytes, ..Options::default() };
    Store::open(folder, options, Arc::clone(clock) as Arc<dyn Clock>).unwrap()
}

fn settings(visibility: u64, dead_letters: Option<(u32, &str)>) -> QueueSettings {
    let dead_letters = dead_letters.map(|(receives, name)| (receives, name.into()));
    QueueSettings { visibility: Duration::from_secs(visibility), dead_letters }
}

fn bodies(received: &[Received]) -> Vec<&str> {
    received.iter().map(|message| std::str::from_utf8(&message.body).unwrap()).collect()
}

#[tokio::test(start_paused = true)]
async fn queues_and_their_messages_survive() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(Virtual::default());
    let store = open(folder.path(), &clock, 1_000_000);
    store.queues().create("dead", settings(30, None)).await.unwrap();
    let queue = store.queues().create("q", settings(30, Some((2, "dead")))).await.unwrap();
    for (body, delay) in [("received", 0), ("deleted", 0), ("waiting", 0), ("delayed", 60)] {
        queue.send(Bytes::from(body), Duration::from_secs(delay)).await.unwrap();
    }
    let received = queue.receive(2, Duration::ZERO).await.unwrap();
    assert_eq!(bodies(&received), ["received", "deleted"]);
    queue.delete(&[received[1].receipt.clone()]).await.unwrap();
    let gone = store.queues().create("gone", settings(30, None)).await.unwrap();
    gone.send(Bytes::from("x"), Duration::ZERO).await.unwrap();
    store.queues().remove("gone").await.unwrap();
    store.close().unwrap();
    store.close().unwrap();
    assert!(matches!(queue.send(Bytes::from("y"), Duration::ZERO).await, Err(QueueError::Unavailable(_))));

    let store = open(folder.path(), &clock, 1_000_000);
    assert_eq!(store.queues().open("gone").await.err(), Some(QueueError::Missing("gone".to_owned())));
    let gone = store.queues().create("gone", settings(30, None)).await.unwrap();
    assert_eq!(gone.receive(10, Duration::ZERO).await.unwrap(), []);
    let queue = store.queues().open("q").await.unwrap();
    // What was received is visible again at once, what was delayed keeps its time.
    assert_eq!(bodies(&queue.receive(10, Duration::ZERO).await.unwrap()), ["received", "waiting"]);
    clock.jump(30_000);
    assert_eq!(bodies(&queue.receive(10, Duration::ZERO).await.unwrap()), ["received", "waiting"]);
    clock.jump(30_000);
    assert_eq!(bodies(&queue.receive(10, Duration::ZERO).await.unwrap()), ["delayed"]);
    let dead = store.queues().open("dead").await.unwrap();
    assert_eq!(bodies(&dead.receive(10, Duration::ZERO).await.unwrap()), ["received", "waiting"]);
    // The old receipt names nothing any more.
    queue.delete(&[received[0].receipt.clone()]).await.unwrap();
    drop(store);

    let store = open(folder.path(), &clock, 1_000_000);
    let dead = store.queues().open("dead").await.unwrap();
    assert_eq!(bodies(&dead.receive(10, Duration::ZERO).await.unwrap()), ["received", "waiting"]);
}

#[tokio::test(start_paused = true)]
async fn many_delayed_messages_stay_in_the_store_and_come_in_order() {
    const COUNT: u32 = 12_000;
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(Virtual::default());
    let store = open(folder.path(), &clock, 300_000);
    let queue = store.queues().create("q", settings(30, None)).await.unwrap();
    for number in 0..COUNT {
        // Neither ascending nor descending.
        let place = number * 7_919 % COUNT;
        let delay = Duration::from_millis(10_000 + u64::from(place));
        queue.send(Bytes::from(format!("{place:06} {}", "x".repeat(50))), delay).await.unwrap();
    }
    let (_, ready, _) = store.stats().queues[0].clone();
    assert!(ready <= 4_096, "{ready} messages in memory");
    clock.jump(10_000 + i64::from(COUNT));
    let mut next = 0;
    while next < COUNT {
        let received = queue.receive(10, Duration::ZERO).await.unwrap();
        assert!(!received.is_empty(), "{next} of {COUNT} arrived");
        for message in &received {
            assert_eq!(&message.body[..6], format!("{next:06}").as_bytes());
            next += 1;
        }
        let receipts: Vec<_> = received.into_iter().map(|message| message.receipt).collect();
        queue.delete(&receipts).await.unwrap();
    }
    assert_eq!(queue.receive(10, Duration::ZERO).await.unwrap(), []);
    store.close().unwrap();
    let store = open(folder.path(), &clock, 300_000);
    let queue = store.queues().open("q").await.unwrap();
    assert_eq!(queue.receive(10, Duration::ZERO).await.unwrap(), []);
}

#[tokio::test(start_paused = true)]
async fn expired_rows_are_swept_in_bounded_steps() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(Virtual::default());
    let store = open(folder.path(), &clock, 1_000_000);
    let now = clock.now();
    let expiring = |number: u64, seconds: i64| {
        let mut row = Row::new(Key::new("p", format!("{number}")), number, "x");
        row.expires_at = Some(now.plus_seconds(seconds));
        row
    };
    for number in 0..5 {
        store.table().put(expiring(number, 10), Condition::Absent).await.unwrap();
    }
    store.table().put(expiring(8, 50), Condition::Absent).await.unwrap();
    // One is put again without an expiry, one with a later one.
    store.table().put(Row::new(Key::new("p", "0"), 9, "kept"), Condition::Always).await.unwrap();
    store.table().put(expiring(1, 50), Condition::Always).await.unwrap();
    assert_eq!(store.sweep_expired(10).await, Ok(0));
    clock.jump(10_000);
    assert_eq!(store.sweep_expired(2).await, Ok(2));
    assert_eq!(store.sweep_expired(2).await, Ok(1));
    assert_eq!(store.sweep_expired(0).await, Ok(0));
    drop(store);
    let store = open(folder.path(), &clock, 1_000_000);
    assert_eq!(store.sweep_expired(10).await, Ok(0));
    clock.jump(3_600_000);
    assert_eq!(store.sweep_expired(10).await, Ok(2));
    // Already expired when it is put, long before what was swept.
    let mut late = Row::new(Key::new("p", "late"), 1, "x");
    late.expires_at = Some(Timestamp::from_millis(0));
    store.table().put(late, Condition::Absent).await.unwrap();
    assert_eq!(store.sweep_expired(10).await, Ok(1));
    let kept = store.table().get(&Key::new("p", "0")).await.unwrap().unwrap();
    assert_eq!(kept.body, Bytes::from("kept"));
}

#[tokio::test(start_paused = true)]
async fn after_its_end_a_store_refuses_and_the_directory_is_free() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(Virtual::default());
    let store = open(folder.path(), &clock, 1_000_000);
    let again = Store::open(folder.path(), Options::default(), Arc::clone(&clock) as Arc<dyn Clock>);
    assert!(matches!(again.err(), Some(OpenError::Locked { holder: Some(_), .. })));
    let (table, blobs) = (store.table(), store.blobs());
    store.close().unwrap();
    let put = table.put(Row::new(Key::new("p", "s"), 1, "x"), Condition::Always).await;
    assert!(matches!(put, Err(TableError::Unavailable(_))), "{put:?}");
    assert!(matches!(blobs.put("b", Bytes::from("x")).await, Err(BlobError::Unavailable(_))));
    open(folder.path(), &clock, 1_000_000);
}

#[tokio::test(start_paused = true)]
async fn blobs_that_are_replaced_leave_no_files() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(Virtual::default());
    let store = open(folder.path(), &clock, 1_000_000);
    let count = || std::fs::read_dir(folder.path().join("blobs")).unwrap().count();
    for length in [100_000, 300_000, 5, 70_000] {
        store.blobs().put("b", Bytes::from(vec![7; length])).await.unwrap();
        assert_eq!(count(), usize::from(length > 65_536), "{length}");
    }
    std::fs::write(folder.path().join("blobs/00000000000000aa.new"), "cut short").unwrap();
    let kept = std::fs::read_dir(folder.path().join("blobs"))
        .unwrap()
        .flatten()
        .find(|file| file.path().extension().is_none());
    std::fs::copy(kept.unwrap().path(), folder.path().join("blobs/00000000000000ab")).unwrap();
    drop(store);
    let store = open(folder.path(), &clock, 1_000_000);
    assert_eq!(count(), 1);
    assert_eq!(store.blobs().get("b").await.unwrap(), Some(Bytes::from(vec![7; 70_000])));
    store.blobs().delete("b").await.unwrap();
    assert_eq!(count(), 0);
}

/// What the table should hold.
#[derive(Default)]
struct Model(BTreeMap<(String, String), Row>);

impl Model {
    fn meets(&self, key: &Key, condition: Condition) -> bool {
        let found = self.0.get(&(key.partition.to_string(), key.sort.to_string()));
        match condition {
            Condition::Always => true,
            Condition::Absent => found.is_none(),
            Condition::Revision(revision) => found.is_some_and(|row| row.revision == revision),
        }
    }

    async fn check(&self, store: &Store, limit: usize) {
        for order in [Order::Ascending, Order::Descending] {
            for partition in ["a", "b"] {
                let mut expected: Vec<Row> =
                    self.0.values().filter(|row| row.key.partition == partition).cloned().collect();
                if order == Order::Descending {
                    expected.reverse();
                }
                let (mut found, mut after) = (Vec::new(), None);
                loop {
                    let (from, to) = ("".into(), "~".into());
                    let query = Query { partition: partition.into(), from, to, order, after, limit };
                    let page = store.table().query(&query).await.unwrap();
                    after = page.rows.last().map(|row| row.key.sort.clone());
                    found.extend(page.rows);
                    if !page.more {
                        break;
                    }
                }
                assert_eq!(found, expected);
            }
            let mut expected: Vec<(String, Key)> = self
                .0
                .values()
                .flat_map(|row| row.indexes.iter().map(|entry| (entry.sort.to_string(), row.key.clone())))
                .collect();
            expected.sort();
            if order == Order::Descending {
                expected.reverse();
            }
            let (mut found, mut after) = (Vec::new(), None);
            loop {
                let query = IndexQuery {
                    index: Index::Second,
                    partition: "i".into(),
                    from: "".into(),
                    to: "~".into(),
                    order,
                    after,
                    limit,
                };
                let page = store.table().query_index(&query).await.unwrap();
                after = page.rows.last().map(|row| row.position.clone());
                found.extend(
                    page.rows.into_iter().map(|row| (row.position.sort.to_string(), row.position.key)),
                );
                if !page.more {
                    break;
                }
            }
            assert_eq!(found, expected);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_table_does_what_a_map_does_through_flushes_merges_and_openings() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(Virtual::default());
    let mut store = open(folder.path(), &clock, 30_000);
    let mut model = Model::default();
    let mut seed = 0x9E37_79B9_7F4A_7C15_u64;
    let mut random = |below: u64| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed % below
    };
    for step in 0..3_000_u64 {
        let key = Key::new(if random(3) == 0 { "a" } else { "b" }, format!("{:03}", random(400)));
        let condition = match random(4) {
            0 => Condition::Absent,
            1 => Condition::Revision(random(step + 1)),
            _ => Condition::Always,
        };
        let expected = if model.meets(&key, condition) { Ok(()) } else { Err(TableError::Conflict) };
        let place = (key.partition.to_string(), key.sort.to_string());
        if random(4) == 0 {
            assert_eq!(store.table().delete(&key, condition).await, expected);
            if expected.is_ok() {
                model.0.remove(&place);
            }
        } else {
            let mut row = Row::new(key, step, vec![b'x'; usize::try_from(random(300)).unwrap()]);
            if random(2) == 0 {
                let sort = format!("{:02}", random(50));
                row.indexes = vec![IndexKey {
                    index: Index::Second,
                    partition: "i".into(),
                    sort: sort.as_str().into(),
                }];
            }
            assert_eq!(store.table().put(row.clone(), condition).await, expected);
            if expected.is_ok() {
                model.0.insert(place, row);
            }
        }
        if step % 500 == 499 {
            model.check(&store, usize::try_from(1 + random(150)).unwrap()).await;
        }
        if step % 1_100 == 1_099 {
            store.close().unwrap();
            store = open(folder.path(), &clock, 30_000);
            model.check(&store, 1_000).await;
        }
    }
    let stats = store.stats();
    assert!(stats.files > 0 && stats.error.is_none(), "{stats:?}");
}
