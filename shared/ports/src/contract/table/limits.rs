//! Exactly at each limit, and one above.

use bytes::Bytes;
use model::json::Text;

use super::{get, put};
use crate::contract::names;
use crate::table::{
    Condition, Index, IndexKey, Key, PARTITION_BYTES_MAX, ROW_BYTES_MAX, Row, SORT_BYTES_MAX, Table,
    TableError,
};

pub(in crate::contract) async fn check(table: &dyn Table) {
    // Three bytes a character: limits count bytes.
    let text = |prefix: &str, bytes: usize| {
        let rest = bytes - prefix.len();
        Text::from(format!("{prefix}{}{}", "€".repeat(rest / 3), "x".repeat(rest % 3)))
    };
    let partition = |bytes| text("limits", bytes);
    let with_key = |partition: Text, sort: Text| Row::new(Key { partition, sort }, 1, "");
    let with_entry = |sort: &str, partition_bytes, sort_bytes| {
        let entry = IndexKey {
            index: Index::Second,
            partition: text("", partition_bytes),
            sort: text("", sort_bytes),
        };
        Row { indexes: vec![entry], ..Row::new(Key::new("limits", sort), 1, "") }
    };
    let of_bytes = |sort: &str, bytes: usize| {
        let row = with_entry(sort, 100, 100);
        let row = Row { summary: Bytes::from(vec![1; 10_000]), ..row };
        Row { body: Bytes::from(vec![2; bytes - row.bytes()]), ..row }
    };

    for row in [
        with_key(partition(PARTITION_BYTES_MAX), "s".into()),
        with_key("limits".into(), text("", SORT_BYTES_MAX)),
        with_key(partition(PARTITION_BYTES_MAX), text("", SORT_BYTES_MAX)),
        with_entry("index keys", PARTITION_BYTES_MAX, SORT_BYTES_MAX),
        of_bytes("row", ROW_BYTES_MAX),
    ] {
        put(table, &row, Condition::Absent, "a row exactly at a limit can be written").await;
        assert!(
            get(table, &row.key).await == Some(row),
            "a row exactly at a limit is read as it was written"
        );
    }

    let both = |max: usize| vec![(max + 1).to_string(), max.to_string()];
    let entry = |sort: &str| IndexKey { index: Index::First, partition: "limits".into(), sort: sort.into() };
    let twice = Row { indexes: vec![entry("a"), entry("b")], ..Row::new(Key::new("limits", "twice"), 1, "") };
    let cases = [
        (with_key(partition(PARTITION_BYTES_MAX + 1), "s".into()), both(PARTITION_BYTES_MAX)),
        (with_key("limits".into(), text("", SORT_BYTES_MAX + 1)), both(SORT_BYTES_MAX)),
        (with_key("".into(), "s".into()), vec!["empty".to_owned()]),
        (with_key("limits".into(), "".into()), vec!["empty".to_owned()]),
        (with_entry("partition", PARTITION_BYTES_MAX + 1, 1), both(PARTITION_BYTES_MAX)),
        (with_entry("sort", 1, SORT_BYTES_MAX + 1), both(SORT_BYTES_MAX)),
        (with_entry("no partition", 0, 1), vec!["empty".to_owned()]),
        (with_entry("no sort", 1, 0), vec!["empty".to_owned()]),
        (of_bytes("too large", ROW_BYTES_MAX + 1), both(ROW_BYTES_MAX)),
        (twice, vec!["First".to_owned()]),
    ];
    let rule = "a row that breaks a limit is refused";
    for (row, values) in cases {
        let key = row.key.clone();
        for condition in [Condition::Always, Condition::Absent, Condition::Revision(9)] {
            match table.put(row.clone(), condition).await {
                Err(TableError::TooLarge { reason, .. }) => names(&reason, &values, rule),
                other => panic!("{rule}, whatever the condition: {other:?} for {values:?}"),
            }
        }
        assert_eq!(get(table, &key).await, None, "a refused row is not written");
    }
}
