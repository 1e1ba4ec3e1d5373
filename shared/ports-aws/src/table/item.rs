//! Rows as items of DynamoDB, and back.

use std::collections::HashMap;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use bytes::Bytes;
use model::json::Text;
use model::timestamp::Timestamp;
use ports::table::ROW_BYTES_MAX;
use ports::{Index, IndexKey, IndexPosition, IndexRow, Key, Row, TableError};

use super::schema::{self, BODY, EXPIRES, PARTITION, REVISION, SORT, SUMMARY};
use super::{place, schema::IndexNames};

/// Attributes by name.
pub(super) type Item = HashMap<String, AttributeValue>;

/// The key of a row.
pub(super) fn key(key: &Key) -> Item {
    Item::from([
        (PARTITION.to_owned(), AttributeValue::S(key.partition.to_string())),
        (SORT.to_owned(), AttributeValue::S(key.sort.to_string())),
    ])
}

/// The key of an entry of an index.
pub(super) fn index_key(names: IndexNames, partition: &str, position: &IndexPosition) -> Item {
    let mut item = key(&position.key);
    item.insert(names.partition.to_owned(), AttributeValue::S(partition.to_owned()));
    item.insert(names.place.to_owned(), AttributeValue::S(place::place(position)));
    item
}

/// The item of a row that passed [`Row::check`]; [`TableError::TooLarge`] where what is stored
/// beside the row (its key once more per index entry) takes it beyond the limit.
pub(super) fn encode(row: &Row) -> Result<Item, TableError> {
    let mut item = key(&row.key);
    item.insert(REVISION.to_owned(), AttributeValue::N(row.revision.to_string()));
    // Of no use, and not allowed everywhere, when empty.
    for (name, bytes) in [(SUMMARY, &row.summary), (BODY, &row.body)] {
        if !bytes.is_empty() {
            item.insert(name.to_owned(), AttributeValue::B(Blob::new(bytes.to_vec())));
        }
    }
    if let Some(at) = row.expires_at {
        item.insert(EXPIRES.to_owned(), AttributeValue::N(seconds(at).to_string()));
    }
    for entry in &row.indexes {
        let names = schema::names(entry.index);
        let position = IndexPosition { sort: entry.sort.clone(), key: row.key.clone() };
        let place = place::place(&position);
        if !place::holds_sort(&place) {
            item.insert(names.overflow.to_owned(), AttributeValue::S(entry.sort.to_string()));
        }
        item.insert(names.partition.to_owned(), AttributeValue::S(entry.partition.to_string()));
        item.insert(names.place.to_owned(), AttributeValue::S(place));
    }
    match bytes(&item) {
        bytes if bytes > ROW_BYTES_MAX => Err(TableError::TooLarge {
            key: crate::fault::short(&row.key.to_string()),
            reason: format!(
                "with its index entries it is stored in {bytes} bytes, the most is {ROW_BYTES_MAX}"
            ),
        }),
        _ => Ok(item),
    }
}

/// What DynamoDB counts: names and values, a number by its digits. Source: developer guide, "Item
/// sizes and formats".
fn bytes(item: &Item) -> usize {
    let value = |value: &AttributeValue| match value {
        AttributeValue::S(text) => text.len(),
        AttributeValue::N(digits) => digits.len().div_ceil(2) + 1,
        AttributeValue::B(blob) => blob.as_ref().len(),
        _ => 0,
    };
    item.iter().map(|(name, attribute)| name.len() + value(attribute)).sum()
}

/// Whole seconds, rounded up: a row does not vanish early.
fn seconds(at: Timestamp) -> i64 {
    let millis = at.millis().max(0);
    millis / 1_000 + i64::from(millis % 1_000 > 0)
}

/// The row of an item.
pub(super) fn decode(mut item: Item) -> Result<Row, TableError> {
    let key = take_key(&mut item)?;
    let revision = take_number(&mut item, REVISION)?;
    let revision = revision.ok_or_else(|| damaged(&key, "has no revision"))?;
    let revision = revision.parse().map_err(|_| damaged(&key, "has a revision that is no number"))?;
    let (summary, body) = (take_bytes(&mut item, SUMMARY)?, take_bytes(&mut item, BODY)?);
    let expires_at = match take_number(&mut item, EXPIRES)? {
        Some(digits) => {
            let seconds: i64 = digits.parse().map_err(|_| damaged(&key, "has an expiry that is no time"))?;
            Some(Timestamp::EPOCH.plus_seconds(seconds))
        }
        None => None,
    };
    let mut indexes = Vec::new();
    for index in [Index::First, Index::Second] {
        let names = schema::names(index);
        if let Some(partition) = take_text(&mut item, names.partition)? {
            let sort = take_sort(&mut item, names, &key)?;
            indexes.push(IndexKey { index, partition, sort });
        }
    }
    Ok(Row { key, revision, summary, body, indexes, expires_at })
}

/// The entry of an index, of what the index projects.
pub(super) fn decode_entry(mut item: Item, names: IndexNames) -> Result<IndexRow, TableError> {
    let key = take_key(&mut item)?;
    let summary = take_bytes(&mut item, SUMMARY)?;
    let sort = take_sort(&mut item, names, &key)?;
    Ok(IndexRow { position: IndexPosition { sort, key }, summary })
}

fn take_sort(item: &mut Item, names: IndexNames, key: &Key) -> Result<Text, TableError> {
    if let Some(sort) = take_text(item, names.overflow)? {
        return Ok(sort);
    }
    let place = take_text(item, names.place)?;
    let sort = place.as_deref().and_then(place::sort).map(Text::from);
    sort.ok_or_else(|| damaged(key, "has no place in an index that it has an entry in"))
}

fn take_key(item: &mut Item) -> Result<Key, TableError> {
    match (take_text(item, PARTITION)?, take_text(item, SORT)?) {
        (Some(partition), Some(sort)) => Ok(Key { partition, sort }),
        _ => Err(TableError::Damaged("an item has no key".to_owned())),
    }
}

fn take_text(item: &mut Item, name: &str) -> Result<Option<Text>, TableError> {
    match item.remove(name) {
        None => Ok(None),
        Some(AttributeValue::S(text)) => Ok(Some(text.into())),
        Some(_) => Err(other_type(name, "S")),
    }
}

fn take_number(item: &mut Item, name: &str) -> Result<Option<String>, TableError> {
    match item.remove(name) {
        None => Ok(None),
        Some(AttributeValue::N(digits)) => Ok(Some(digits)),
        Some(_) => Err(other_type(name, "N")),
    }
}

fn take_bytes(item: &mut Item, name: &str) -> Result<Bytes, TableError> {
    match item.remove(name) {
        None => Ok(Bytes::new()),
        Some(AttributeValue::B(blob)) => Ok(blob.into_inner().into()),
        Some(_) => Err(other_type(name, "B")),
    }
}

fn other_type(name: &str, expected: &str) -> TableError {
    TableError::Damaged(format!("the attribute `{name}` is not of type {expected}: another program wrote it"))
}

fn damaged(key: &Key, what: &str) -> TableError {
    TableError::Damaged(crate::fault::short(&format!("the row {key} {what}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ports::table::SORT_BYTES_MAX;
    use proptest::option;
    use proptest::prelude::*;

    fn text() -> impl Strategy<Value = Text> {
        any::<String>().prop_filter("not empty", |text| !text.is_empty()).prop_map(Text::from)
    }

    fn bytes_of() -> impl Strategy<Value = Bytes> {
        proptest::collection::vec(any::<u8>(), 0..40).prop_map(Bytes::from)
    }

    fn rows() -> impl Strategy<Value = Row> {
        let expiry = option::of(0_i64..40_000_000_000);
        let entries = (option::of((text(), text())), option::of((text(), text())));
        (text(), text(), any::<u64>(), bytes_of(), bytes_of(), entries, expiry).prop_map(
            |(partition, sort, revision, summary, body, (first, second), expiry)| {
                let entry = |index, entry: Option<(Text, Text)>| {
                    entry.map(|(partition, sort)| IndexKey { index, partition, sort })
                };
                let entries = [entry(Index::First, first), entry(Index::Second, second)];
                let indexes = entries.into_iter().flatten().collect();
                let expires_at = expiry.map(|seconds| Timestamp::EPOCH.plus_seconds(seconds));
                Row { key: Key { partition, sort }, revision, summary, body, indexes, expires_at }
            },
        )
    }

    proptest! {
        #[test]
        fn a_row_is_read_as_it_was_written(row in rows()) {
            prop_assert_eq!(decode(encode(&row).unwrap()), Ok(row));
        }

        #[test]
        fn an_entry_is_read_from_what_the_index_projects(row in rows()) {
            for entry in &row.indexes {
                let names = schema::names(entry.index);
                let projected =
                    [PARTITION, SORT, SUMMARY, names.partition, names.place, names.overflow];
                let mut item = encode(&row).unwrap();
                item.retain(|name, _| projected.contains(&name.as_str()));
                prop_assert_eq!(decode_entry(item, names), Ok(IndexRow::of(&row, entry)));
            }
        }

        #[test]
        fn what_is_stored_is_as_large_as_the_port_says_and_the_key_once_more_per_entry(row in rows()) {
            let again = row.indexes.len() * (row.key.partition.len() + row.key.sort.len() + 4);
            // Zeros in keys take two bytes in a place.
            let zeros: usize = row.indexes.iter().map(|entry| {
                [&entry.sort, &row.key.partition, &row.key.sort].iter().map(|text| text.matches('\0').count()).sum::<usize>()
            }).sum();
            let stored = bytes(&encode(&row).unwrap());
            prop_assert!(stored <= row.bytes() + again + zeros);
            if zeros == 0 {
                prop_assert_eq!(stored, ports::metered::row_bytes(&row));
            }
        }
    }

    #[test]
    fn long_sort_keys_of_entries_stand_in_an_attribute_of_their_own() {
        let entry =
            IndexKey { index: Index::Second, partition: "p".into(), sort: "x".repeat(SORT_BYTES_MAX).into() };
        let row = Row { indexes: vec![entry], ..Row::new(Key::new("p", "s"), 1, "") };
        row.check().unwrap();
        let item = encode(&row).unwrap();
        assert!(item.contains_key("o2") && !item.contains_key("o1"));
        assert_eq!(decode(item), Ok(row));
    }

    #[test]
    fn a_row_that_only_its_stored_form_makes_too_large_is_refused() {
        let entry = |index| IndexKey { index, partition: "i".into(), sort: "s".into() };
        let row = Row {
            indexes: vec![entry(Index::First), entry(Index::Second)],
            ..Row::new(Key::new("p".repeat(500), "s"), 1, "")
        };
        let fits = Row { body: vec![0; ROW_BYTES_MAX - row.bytes() - 1_100].into(), ..row.clone() };
        assert!(encode(&fits).is_ok());
        let row = Row { body: vec![0; ROW_BYTES_MAX - row.bytes()].into(), ..row };
        row.check().unwrap();
        let error = encode(&row).unwrap_err().to_string();
        assert!(error.contains("409600"), "{error}");
    }

    #[test]
    fn expiries_are_rounded_up() {
        for (millis, expected) in [(0, 0), (1, 1), (999, 1), (1_000, 1), (1_001, 2), (-5, 0)] {
            assert_eq!(seconds(Timestamp::from_millis(millis)), expected, "{millis}");
        }
        assert_eq!(seconds(Timestamp::MAX), i64::MAX / 1_000 + 1);
    }

    #[test]
    fn what_another_program_wrote_is_damage() {
        let good = || encode(&Row::new(Key::new("p", "s"), 1, "body")).unwrap();
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let cases = [
            (PARTITION, None, "no key"),
            (REVISION, None, "no revision"),
            (REVISION, Some(AttributeValue::N("1.5".to_owned())), "no number"),
            (REVISION, Some(text("1")), "not of type N"),
            (BODY, Some(text("body")), "not of type B"),
            (SORT, Some(AttributeValue::N("1".to_owned())), "not of type S"),
            (EXPIRES, Some(AttributeValue::N("x".to_owned())), "no time"),
            ("p1", Some(text("listed")), "no place"),
        ];
        for (name, value, expected) in cases {
            let mut item = good();
            item.remove(name);
            item.extend(value.map(|value| (name.to_owned(), value)));
            match decode(item) {
                Err(TableError::Damaged(reason)) => assert!(reason.contains(expected), "{name}: {reason}"),
                other => panic!("{name}: {other:?}"),
            }
        }
    }
}
