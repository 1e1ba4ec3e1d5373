//! Disks that fail: nothing that was acknowledged is lost, and nothing is acknowledged in vain.

use std::fs::File;
use std::io::{Error, ErrorKind, Seek as _, SeekFrom};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use ports::{Condition, Key, QueueError, QueueSettings, Row, SystemClock, TableError};

use crate::log::Medium;
use crate::{Options, Store};

/// A disk with so much room, and with a cable that may be pulled.
#[derive(Default)]
struct Disk {
    room: AtomicI64,
    is_broken: AtomicBool,
}

struct Faulty(File, Arc<Disk>);

impl Medium for Faulty {
    fn append(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        let room = usize::try_from(self.1.room.load(Ordering::SeqCst)).unwrap_or(0);
        let fits = room.min(bytes.len());
        self.0.append(&bytes[..fits])?;
        self.1.room.fetch_sub(i64::try_from(fits).unwrap_or(i64::MAX), Ordering::SeqCst);
        if fits < bytes.len() { Err(Error::from(ErrorKind::StorageFull)) } else { Ok(()) }
    }

    fn reserve(&mut self, bytes: u64) -> std::io::Result<()> {
        let appended = self.append(&[0; 4_096]);
        self.0.seek(SeekFrom::Start(bytes))?;
        appended
    }

    fn sync(&mut self) -> std::io::Result<()> {
        if self.1.is_broken.load(Ordering::SeqCst) { Err(Error::other("no cable")) } else { self.0.sync() }
    }

    fn truncate(&mut self, bytes: u64) -> std::io::Result<()> {
        // What is cut off is room again.
        let before = self.0.metadata()?.len();
        self.0.truncate(bytes)?;
        self.1.room.fetch_add(i64::try_from(before.saturating_sub(bytes)).unwrap_or(0), Ordering::SeqCst);
        Ok(())
    }
}

fn open(folder: &std::path::Path, disk: &Arc<Disk>) -> Store {
    let disk = Arc::clone(disk);
    let medium: Box<crate::log::OpenMedium> = Box::new(move |file| Box::new(Faulty(file, Arc::clone(&disk))));
    Store::open_with(folder, Options::default(), Arc::new(SystemClock), medium).unwrap()
}

fn row(number: u64) -> Row {
    Row::new(Key::new("p", format!("{number:04}")), number, vec![b'x'; 500])
}

fn settings() -> QueueSettings {
    QueueSettings { visibility: Duration::from_secs(60), dead_letters: None }
}

#[tokio::test]
async fn a_full_disk_refuses_and_goes_on_when_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Arc::new(Disk::default());
    disk.room.store(20_000, Ordering::SeqCst);
    let store = open(folder.path(), &disk);
    let queue = store.queues().create("q", settings()).await.unwrap();
    let (mut written, mut sent) = (0, 0);
    let refusal = loop {
        match queue.send(Bytes::from(format!("{sent:04}")), Duration::ZERO).await {
            Ok(()) => sent += 1,
            Err(error) => break error.to_string(),
        }
        match store.table().put(row(written), Condition::Absent).await {
            Ok(()) => written += 1,
            // Nothing of it is there.
            Err(TableError::Unavailable(reason)) => {
                assert_eq!(store.table().get(&row(written).key).await, Ok(None));
                break reason;
            }
            Err(error) => panic!("{error}"),
        }
    };
    assert!(refusal.contains("no storage space"), "{refusal}");
    assert!(written > 20 && written < 40, "{written}");

    // The message that was promised comes first; until it is written everything is refused.
    disk.room.store(1_000_000, Ordering::SeqCst);
    loop {
        match store.table().put(row(written), Condition::Absent).await {
            Ok(()) => break,
            Err(TableError::Unavailable(_)) => tokio::time::sleep(Duration::from_millis(5)).await,
            Err(error) => panic!("{error}"),
        }
    }
    store.close().unwrap();
    let store = open(folder.path(), &disk);
    for number in 0..=written {
        assert_eq!(store.table().get(&row(number).key).await, Ok(Some(row(number))));
    }
    let queue = store.queues().open("q").await.unwrap();
    let mut received = 0;
    loop {
        let some = queue.receive(10, Duration::ZERO).await.unwrap();
        if some.is_empty() {
            break;
        }
        for message in some {
            assert_eq!(message.body, Bytes::from(format!("{received:04}")));
            received += 1;
        }
    }
    assert_eq!(received, sent);
}

#[tokio::test]
async fn after_a_failed_sync_the_store_must_be_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Arc::new(Disk::default());
    disk.room.store(1_000_000, Ordering::SeqCst);
    let store = open(folder.path(), &disk);
    let queue = store.queues().create("q", settings()).await.unwrap();
    store.table().put(row(1), Condition::Absent).await.unwrap();
    disk.is_broken.store(true, Ordering::SeqCst);
    let put = store.table().put(row(2), Condition::Absent).await;
    assert!(matches!(&put, Err(TableError::Unknown(reason)) if reason.contains("no cable")), "{put:?}");
    let put = store.table().put(row(3), Condition::Absent).await;
    assert!(
        matches!(&put, Err(TableError::Unavailable(reason)) if reason.contains("opened again")),
        "{put:?}"
    );
    let sent = queue.send(Bytes::from("x"), Duration::ZERO).await;
    assert!(matches!(sent, Err(QueueError::Unavailable(_))));
    // What was acknowledged can be read, and is there when the store is opened again.
    assert_eq!(store.table().get(&row(1).key).await, Ok(Some(row(1))));
    assert!(store.close().unwrap_err().to_string().contains("not closed in order"));
    disk.is_broken.store(false, Ordering::SeqCst);
    let store = open(folder.path(), &disk);
    assert_eq!(store.table().get(&row(1).key).await, Ok(Some(row(1))));
    assert_eq!(store.table().get(&row(3).key).await, Ok(None));
    store.table().put(row(3), Condition::Absent).await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_flushed_stays_in_the_log_and_writes_stop_in_time() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { memtable_bytes: 5_000, ..Options::default() };
    let open = || Store::open(folder.path(), options.clone(), Arc::new(SystemClock)).unwrap();
    let (tables, away) = (folder.path().join("rows/tables"), folder.path().join("rows/away"));
    let store = open();
    std::fs::rename(&tables, &away).unwrap();
    let mut written = 0;
    let refusal = loop {
        match store.table().put(row(written), Condition::Absent).await {
            Ok(()) => written += 1,
            Err(TableError::Unavailable(reason)) => break reason,
            Err(error) => panic!("{error}"),
        }
        assert!(written < 1_000, "memory is not bounded");
    };
    assert!(refusal.contains("cannot be flushed"), "{refusal}");
    assert!(store.stats().error.is_some());
    for number in 0..written {
        assert_eq!(store.table().get(&row(number).key).await, Ok(Some(row(number))));
    }
    std::fs::rename(&away, &tables).unwrap();
    while let Err(error) = store.table().put(row(written), Condition::Absent).await {
        assert!(matches!(error, TableError::Unavailable(_)), "{error}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    store.close().unwrap();
    let store = open();
    for number in 0..=written {
        assert_eq!(store.table().get(&row(number).key).await, Ok(Some(row(number))));
    }
}

#[tokio::test]
async fn what_rests_is_flushed_and_gives_its_memory_back() {
    let folder = tempfile::tempdir().unwrap();
    let open = || Store::open(folder.path(), Options::default(), Arc::new(SystemClock)).unwrap();
    let store = open();
    let large = |number| Row { body: vec![7; 300_000].into(), ..row(number) };
    for number in 0..10 {
        store.table().put(large(number), Condition::Absent).await.unwrap();
    }
    assert_eq!(store.stats().file_bytes, 0);
    while store.stats().memory_bytes > 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(store.stats().file_bytes > 3_000_000);
    store.table().put(row(10), Condition::Absent).await.unwrap();
    drop(store);
    let store = open();
    for number in 0..10 {
        assert_eq!(store.table().get(&row(number).key).await, Ok(Some(large(number))));
    }
    assert_eq!(store.table().get(&row(10).key).await, Ok(Some(row(10))));
}
