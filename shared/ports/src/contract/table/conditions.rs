//! Conditional writes, and what is read after them.

use std::sync::Arc;

use bytes::Bytes;
use model::timestamp::Timestamp;

use super::{all_of, get, put, read_all};
use crate::contract::ok;
use crate::table::{Condition, Index, IndexKey, Key, Row, Table, TableError};

/// The year 3000, in whole seconds as stores keep expiries.
const FAR_AHEAD: Timestamp = Timestamp::from_millis(32_503_680_000_000);
/// Writers of a race.
const WRITERS: u64 = 8;

pub(in crate::contract) async fn check(table: &dyn Table) {
    values(table).await;
    puts(table).await;
    deletes(table).await;
}

async fn values(table: &dyn Table) {
    let key = |sort: &str| Key::new("values", sort);
    assert_eq!(get(table, &key("absent")).await, None, "what was not written is absent");
    let every_byte: Bytes = (0..=u8::MAX).collect::<Vec<u8>>().into();
    let entry = |index, sort: &str| IndexKey { index, partition: "values ü".into(), sort: sort.into() };
    let rows = [
        Row::new(key("empty"), 0, ""),
        Row::new(key("ü€𝄞 \0\u{1}/#"), u64::MAX, every_byte.clone()),
        Row {
            summary: every_byte,
            indexes: vec![entry(Index::First, "𝄞"), entry(Index::Second, "a")],
            expires_at: Some(FAR_AHEAD),
            ..Row::new(key("full"), 7, "body")
        },
    ];
    for row in &rows {
        put(table, row, Condition::Absent, "a row can be written").await;
        assert_eq!(get(table, &row.key).await.as_ref(), Some(row), "a row is read as it was written");
    }
    for key in [Key::new("values", "EMPTY"), Key::new("VALUES", "empty"), Key::new("valuesempty", "e")] {
        assert_eq!(get(table, &key).await, None, "keys are compared as bytes, part by part: {key}");
    }
    let too_long = "k".repeat(3_000);
    for key in [Key::new("", "s"), Key::new("values", ""), Key::new(too_long.as_str(), too_long.as_str())] {
        assert_eq!(get(table, &key).await, None, "a key that no row can have has none");
    }
}

async fn puts(table: &dyn Table) {
    let key = Key::new("puts", "row");
    let row = |revision, body: &'static str| Row::new(key.clone(), revision, body);
    let conflict = async |row: Row, condition, rule: &str| {
        let before = get(table, &key).await;
        assert_eq!(table.put(row, condition).await, Err(TableError::Conflict), "{rule}");
        assert_eq!(get(table, &key).await, before, "a conflict writes nothing");
    };

    conflict(row(1, "a"), Condition::Revision(0), "a put at a revision needs a row").await;
    put(table, &row(1, "a"), Condition::Absent, "a put if absent writes what is absent").await;
    conflict(row(2, "b"), Condition::Absent, "a put if absent does not replace a row").await;
    conflict(row(1, "a"), Condition::Absent, "a put if absent conflicts with the same row, too").await;
    conflict(row(3, "b"), Condition::Revision(2), "a put needs the revision that it names").await;
    put(table, &row(5, "b"), Condition::Revision(1), "a put at the row's revision replaces it").await;
    assert_eq!(get(table, &key).await, Some(row(5, "b")), "the writer chooses the new revision");
    conflict(row(6, "c"), Condition::Revision(1), "an earlier revision is gone").await;
    put(table, &row(5, "c"), Condition::Revision(5), "a revision may stay").await;
    put(table, &row(0, "d"), Condition::Always, "an unconditional put replaces the row").await;
    put(table, &row(0, "d"), Condition::Always, "an unconditional put may be repeated").await;
    assert_eq!(get(table, &key).await, Some(row(0, "d")), "a write is read by key at once");
    assert_eq!(read_all(table, &all_of("puts")).await, [row(0, "d")], "a write is read by range at once");
    let other = Row::new(Key::new("puts", "other"), 1, "x");
    put(table, &other, Condition::Always, "an unconditional put writes what is absent").await;

    let full = Row { summary: Bytes::from("summary"), expires_at: Some(FAR_AHEAD), ..row(1, "e") };
    put(table, &full, Condition::Always, "a row can be replaced").await;
    put(table, &row(2, "f"), Condition::Revision(1), "a row can be replaced").await;
    assert_eq!(get(table, &key).await, Some(row(2, "f")), "a put replaces summary and expiry, too");
}

async fn deletes(table: &dyn Table) {
    let key = Key::new("deletes", "row");
    let row = Row::new(key.clone(), 3, "a");
    let delete = async |condition| table.delete(&key, condition).await;

    ok(delete(Condition::Always).await, "deleting what is absent is no error");
    ok(delete(Condition::Absent).await, "deleting what is absent, if absent, is no error");
    let rule = "deleting at a revision needs a row";
    assert_eq!(delete(Condition::Revision(3)).await, Err(TableError::Conflict), "{rule}");
    put(table, &row, Condition::Absent, "a row can be written").await;
    let rule = "deleting if absent conflicts with a row";
    assert_eq!(delete(Condition::Absent).await, Err(TableError::Conflict), "{rule}");
    let rule = "deleting needs the revision that it names";
    assert_eq!(delete(Condition::Revision(2)).await, Err(TableError::Conflict), "{rule}");
    assert_eq!(get(table, &key).await.as_ref(), Some(&row), "a conflict deletes nothing");
    ok(delete(Condition::Revision(3)).await, "a row can be deleted at its revision");
    assert_eq!(get(table, &key).await, None, "a deleted row is absent");
    assert_eq!(read_all(table, &all_of("deletes")).await, [], "a deleted row is in no range");
    put(table, &row, Condition::Absent, "a deleted row can be written again").await;
    ok(delete(Condition::Always).await, "a row can be deleted unconditionally");
    assert_eq!(get(table, &key).await, None, "a deleted row is absent");
}

/// Of writers with the same condition exactly one wins.
pub(in crate::contract) async fn races(table: Arc<dyn Table>) {
    for round in 0..20_u64 {
        let key = Key::new("races", format!("row {round}"));
        let winner = race(&table, &key, Condition::Absent, 1).await;
        let row = get(&*table, &key).await;
        assert_eq!(row.map(|row| row.body), Some(winner), "the row is that of the put that returned");
        let winner = race(&table, &key, Condition::Revision(1), 2).await;
        let row = get(&*table, &key).await;
        assert_eq!(row.map(|row| row.body), Some(winner), "the row is that of the put that returned");

        let deletes: Vec<_> = (0..WRITERS)
            .map(|_| {
                let (table, key) = (Arc::clone(&table), key.clone());
                tokio::spawn(async move { table.delete(&key, Condition::Revision(2)).await })
            })
            .collect();
        let mut deleted = 0;
        for delete in deletes {
            match ok(delete.await, "a delete does not panic") {
                Ok(()) => deleted += 1,
                Err(error) => assert_eq!(error, TableError::Conflict, "the losers of a race conflict"),
            }
        }
        assert_eq!(deleted, 1, "of racing deletes at a revision exactly one wins");
    }
}

/// The body of the one put that won.
async fn race(table: &Arc<dyn Table>, key: &Key, condition: Condition, revision: u64) -> Bytes {
    let puts: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let table = Arc::clone(table);
            let body = Bytes::from(format!("writer {writer}"));
            let row = Row::new(key.clone(), revision, body.clone());
            tokio::spawn(async move { (body, table.put(row, condition).await) })
        })
        .collect();
    let mut winners = Vec::new();
    for put in puts {
        match ok(put.await, "a put does not panic") {
            (body, Ok(())) => winners.push(body),
            (_, Err(error)) => assert_eq!(error, TableError::Conflict, "the losers of a race conflict"),
        }
    }
    assert_eq!(winners.len(), 1, "of racing puts with {condition:?} exactly one wins: {winners:?}");
    winners.remove(0)
}
