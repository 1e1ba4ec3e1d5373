//! Changed and shortened files: a store either does not open, or has everything, or says of what
//! is read that it is damaged. Nothing is missing silently, nothing is wrong, nothing panics.

#![expect(clippy::unwrap_used, reason = "a test may end at the first surprise")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ports::{
    BlobError, Condition, Index, IndexKey, IndexQuery, IndexRow, Key, Order, QueueSettings, Row, SystemClock,
    TableError,
};
use ports_embedded::{OpenError, Options, Store};

const ROWS: u64 = 120;

fn open(folder: &Path) -> Result<Store, OpenError> {
    let options = Options { memtable_bytes: 60_000, ..Options::default() };
    Store::open(folder, options, Arc::new(SystemClock))
}

fn row(number: u64) -> Row {
    let mut row =
        Row::new(Key::new("p", format!("{number:04}")), number, format!("body {number} ").repeat(60));
    row.summary = Bytes::from(format!("summary {number}"));
    let sort = format!("{:04}", ROWS - number);
    row.indexes = vec![IndexKey { index: Index::First, partition: "i".into(), sort: sort.as_str().into() }];
    row
}

fn blob(number: u64) -> Bytes {
    Bytes::from(format!("blob {number}").repeat(if number == 0 { 100 } else { 12_000 }))
}

async fn fill(folder: &Path) {
    let store = open(folder).unwrap();
    let settings = QueueSettings { visibility: Duration::from_secs(60), dead_letters: None };
    let queue = store.queues().create("q", settings).await.unwrap();
    for number in 0..ROWS {
        queue.send(Bytes::from(format!("message {number}")), Duration::ZERO).await.unwrap();
        store.table().put(row(number), Condition::Absent).await.unwrap();
    }
    for number in 0..2 {
        store.blobs().put(&format!("b{number}"), blob(number)).await.unwrap();
    }
    store.close().unwrap();
}

/// Reads everything: whether all of it could be read. What can be read is right.
async fn reads(store: &Store, what: &str) -> bool {
    let mut is_whole = true;
    for number in 0..ROWS {
        match store.table().get(&row(number).key).await {
            Ok(found) => assert_eq!(found, Some(row(number)), "{what}"),
            Err(TableError::Damaged(_)) => is_whole = false,
            Err(error) => panic!("{what}: {error}"),
        }
    }
    let query = IndexQuery {
        index: Index::First,
        partition: "i".into(),
        from: "".into(),
        to: "~".into(),
        order: Order::Descending,
        after: None,
        limit: 1_000,
    };
    match store.table().query_index(&query).await {
        Ok(page) => {
            let entry = |number| IndexRow::of(&row(number), &row(number).indexes[0]);
            assert_eq!(page.rows, (0..ROWS).map(entry).collect::<Vec<_>>(), "{what}");
        }
        Err(TableError::Damaged(_)) => is_whole = false,
        Err(error) => panic!("{what}: {error}"),
    }
    for number in 0..2 {
        match store.blobs().get(&format!("b{number}")).await {
            Ok(found) => assert_eq!(found, Some(blob(number)), "{what}"),
            Err(BlobError::Damaged(_)) => is_whole = false,
            Err(error) => panic!("{what}: {error}"),
        }
    }
    let queue = store.queues().open("q").await.unwrap();
    let mut messages = 0;
    loop {
        match queue.receive(10, Duration::ZERO).await {
            Ok(received) if received.is_empty() => {
                assert_eq!(messages, ROWS, "{what}");
                return is_whole;
            }
            Ok(received) => messages += received.len() as u64,
            Err(_) => return false,
        }
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push(path),
        }
    }
    found.sort();
    found
}

/// Whether nobody reads a file: the lock, and lists of files that newer ones have replaced.
fn is_spare(whole: &Path, name: &Path) -> bool {
    let list = name.file_name().and_then(|name| name.to_str()?.strip_prefix('v')?.parse::<u64>().ok());
    let current = |folder: &Path| {
        let bytes = fs::read(whole.join(folder).join("current")).ok()?;
        bytes.first_chunk::<8>().map(|id| u64::from_le_bytes(*id))
    };
    name.ends_with("lock") || list.is_some_and(|list| name.parent().and_then(current) != Some(list))
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        match path.is_dir() {
            true => copy(&path, &target),
            false => drop(fs::copy(&path, &target).unwrap()),
        }
    }
}

#[tokio::test]
async fn changed_and_shortened_files_are_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let whole = folder.path().join("whole");
    fill(&whole).await;
    let names: Vec<PathBuf> =
        files(&whole).iter().map(|path| path.strip_prefix(&whole).unwrap().to_owned()).collect();
    let kinds =
        ["format", "manifest", "closed", "log/", "rows/tables", "entries/tables", "messages/", "blobs/"];
    for kind in kinds {
        assert!(names.iter().any(|name| name.starts_with(kind)), "no {kind} among {names:?}");
    }
    let (mut refused, mut noticed, mut harmless) = (0, 0, Vec::new());
    for (place, name) in names.iter().filter(|name| !is_spare(&whole, name)).enumerate() {
        let bytes = fs::read(whole.join(name)).unwrap();
        // A few places of each file, others in each.
        let near = |part: usize| (bytes.len() * part / 5 + place * 7) % bytes.len();
        let mut changes: Vec<(String, Vec<u8>)> = Vec::new();
        for at in [0, near(1), near(2), near(4), bytes.len() - 1] {
            let mut changed = bytes.clone();
            changed[at] ^= 0x24;
            changes.push((format!("{} changed at {at} of {}", name.display(), bytes.len()), changed));
        }
        for at in [0, near(3), bytes.len() - 1] {
            changes
                .push((format!("{} cut at {at} of {}", name.display(), bytes.len()), bytes[..at].to_vec()));
        }
        for (what, changed) in changes {
            let damaged = tempfile::tempdir_in(folder.path()).unwrap();
            copy(&whole, damaged.path());
            fs::write(damaged.path().join(name), changed).unwrap();
            match open(damaged.path()) {
                Err(error) => {
                    assert!(error.to_string().contains(damaged.path().to_str().unwrap()), "{what}: {error}");
                    refused += 1;
                }
                Ok(store) => match reads(&store, &what).await {
                    true => harmless.push(what),
                    false => noticed += 1,
                },
            }
        }
    }
    assert!(refused > 60 && noticed > 8, "{refused} refused, {noticed} noticed");
    // Not every byte of a sorted file has a meaning.
    assert!(harmless.len() < 16 && harmless.iter().all(|what| what.contains("/tables/")), "{harmless:#?}");
}

#[tokio::test]
async fn missing_files_are_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let whole = folder.path().join("whole");
    fill(&whole).await;
    for path in files(&whole) {
        let name = path.strip_prefix(&whole).unwrap();
        // Without the second only an ending in order cannot be told.
        if is_spare(&whole, name) || name.ends_with("closed") {
            continue;
        }
        let damaged = tempfile::tempdir_in(folder.path()).unwrap();
        copy(&whole, damaged.path());
        fs::remove_file(damaged.path().join(name)).unwrap();
        if let Ok(store) = open(damaged.path()) {
            let is_whole = reads(&store, &format!("without {}", name.display())).await;
            assert!(!is_whole, "{} is missing and nobody says so", name.display());
        }
    }
}
