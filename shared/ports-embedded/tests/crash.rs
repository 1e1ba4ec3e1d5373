//! A process that is killed, again and again: what it acknowledged is there afterwards, and in order.

#![expect(clippy::unwrap_used, reason = "a test may end at the first surprise")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ports::{Condition, Key, Order, Query, QueueSettings, Row, SystemClock};
use ports_embedded::{Options, Store};

const FOLDER: &str = "STORE_TO_CRASH";
const ROUND: &str = "ROUND_TO_CRASH";
const WRITERS: u32 = 6;
const ROUNDS: u32 = 10;

fn open(folder: &Path) -> Store {
    // So small that the kill also hits flushes and merges.
    let options = Options { memtable_bytes: 100_000, ..Options::default() };
    Store::open(folder, options, Arc::new(SystemClock)).unwrap()
}

fn settings() -> QueueSettings {
    QueueSettings { visibility: Duration::from_secs(600), dead_letters: None }
}

#[test]
fn what_was_acknowledged_survives_a_kill() {
    if let (Ok(folder), Ok(round)) = (std::env::var(FOLDER), std::env::var(ROUND)) {
        write_until_killed(Path::new(&folder), &round);
    }
    let folder = tempfile::tempdir().unwrap();
    let mut acknowledged = BTreeSet::new();
    for round in 0..ROUNDS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "what_was_acknowledged_survives_a_kill"])
            .env(FOLDER, folder.path())
            .env(ROUND, round.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        // A different moment each time.
        let enough = 37 + 61 * usize::try_from(round).unwrap();
        let mut seen = 0;
        for line in lines.by_ref().filter(|line| line.starts_with("done ")) {
            acknowledged.insert(line);
            seen += 1;
            if seen == enough {
                child.kill().unwrap();
            }
        }
        assert!(seen >= enough, "the writer ended by itself");
        child.wait().unwrap();
        check(folder.path(), &acknowledged);
    }
}

fn write_until_killed(folder: &Path, round: &str) -> ! {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let store = open(folder);
    runtime.block_on(async {
        let queue = store.queues().create("q", settings()).await.unwrap();
        let writers = (0..WRITERS).map(|writer| {
            let (queue, table, blobs) = (Arc::clone(&queue), store.table(), store.blobs());
            let partition = format!("{round}.{writer}");
            tokio::spawn(async move {
                for number in 0_u64.. {
                    let name = format!("{partition} {number:06}");
                    queue.send(Bytes::from(name.clone()), Duration::ZERO).await.unwrap();
                    if number % 50 == 7 {
                        blobs.put(&name, Bytes::from(name.repeat(9_000))).await.unwrap();
                    }
                    let key = Key::new(partition.as_str(), format!("{number:06}"));
                    let row = Row::new(key, number, name.repeat(40));
                    table.put(row, Condition::Absent).await.unwrap();
                    // Not through `println!`, which a test keeps to itself.
                    let mut out = std::io::stdout().lock();
                    writeln!(out, "done {name}").and_then(|()| out.flush()).unwrap();
                }
            })
        });
        for writer in writers.collect::<Vec<_>>() {
            writer.await.unwrap();
        }
    });
    unreachable!("the writers go on for ever")
}

fn check(folder: &Path, acknowledged: &BTreeSet<String>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let store = open(folder);
    runtime.block_on(async {
        let mut found: BTreeMap<String, Vec<Row>> = BTreeMap::new();
        for partition in
            (0..ROUNDS).flat_map(|round| (0..WRITERS).map(move |writer| format!("{round}.{writer}")))
        {
            let mut query = Query {
                partition: partition.as_str().into(),
                from: "0".into(),
                to: "9".into(),
                order: Order::Ascending,
                after: None,
                limit: 500,
            };
            loop {
                let page = store.table().query(&query).await.unwrap();
                query.after = page.rows.last().map(|row| row.key.sort.clone());
                found.entry(partition.clone()).or_default().extend(page.rows);
                if !page.more {
                    break;
                }
            }
        }
        let queue = store.queues().open("q").await.unwrap();
        let mut messages = BTreeSet::new();
        loop {
            let received = queue.receive(10, Duration::ZERO).await.unwrap();
            if received.is_empty() {
                break;
            }
            for message in received {
                let body = String::from_utf8(message.body.to_vec()).unwrap();
                assert!(messages.insert(body), "a message is there twice");
            }
        }
        let mut rows = BTreeSet::new();
        for (partition, found) in &found {
            for (number, row) in (0_u64..).zip(found) {
                let name = format!("{partition} {number:06}");
                assert_eq!((row.revision, &row.body), (number, &Bytes::from(name.repeat(40))), "{name}");
                assert!(messages.contains(&name), "the row {name} is there, the message before it is not");
                if number % 50 == 7 {
                    let blob = store.blobs().get(&name).await.unwrap();
                    assert_eq!(blob, Some(Bytes::from(name.repeat(9_000))), "the blob before {name}");
                }
                rows.insert(format!("done {name}"));
            }
        }
        let lost: Vec<&String> = acknowledged.difference(&rows).collect();
        assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
    });
    store.close().unwrap();
}

const LIMITED: &str = "STORE_TO_FILL";

/// The kernel refuses to make the files of a process longer than so: what a full disk does.
#[cfg(unix)]
#[test]
fn a_limit_of_the_kernel_loses_nothing() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    if let Ok(folder) = std::env::var(LIMITED) {
        runtime.block_on(fill(Path::new(&folder)));
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 400; exec \"$0\" --exact a_limit_of_the_kernel_loses_nothing"])
        .arg(std::env::current_exe().unwrap())
        .env(LIMITED, folder.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let written: u64 = text
        .lines()
        .find_map(|line| line.strip_prefix("written "))
        .and_then(|number| number.parse().ok())
        .unwrap_or_else(|| panic!("{text}{}", String::from_utf8_lossy(&output.stderr)));
    assert!(written > 50, "{written}");
    let store = Store::open(folder.path(), Options::default(), Arc::new(SystemClock)).unwrap();
    runtime.block_on(async {
        for number in 0..written {
            let row = store.table().get(&Key::new("p", format!("{number}"))).await.unwrap().unwrap();
            assert_eq!(row.body.len(), 1_000);
        }
        let next = Row::new(Key::new("p", format!("{written}")), 0, "x");
        store.table().put(next, Condition::Absent).await.unwrap();
    });
}

#[cfg(unix)]
async fn fill(folder: &Path) {
    let store = Store::open(folder, Options::default(), Arc::new(SystemClock)).unwrap();
    let mut written = 0_u64;
    for _ in 0..1_000 {
        let row = Row::new(Key::new("p", format!("{written}")), 0, vec![b'x'; 1_000]);
        match store.table().put(row, Condition::Absent).await {
            Ok(()) => written += 1,
            Err(error) => {
                assert!(matches!(error, ports::TableError::Unavailable(_)), "{error}");
                let mut out = std::io::stdout().lock();
                writeln!(out, "\nwritten {written}").unwrap();
                return;
            }
        }
    }
}
