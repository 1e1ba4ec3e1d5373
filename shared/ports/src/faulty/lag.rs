//! What the indexes of a table show while they lag behind.

use std::collections::BTreeMap;

use model::timestamp::Timestamp;

use crate::table::{IndexPage, IndexPosition, IndexQuery, IndexRow, Key, Order, Row};

/// Rows as the indexes still show them, each until some time.
#[derive(Default)]
pub(super) struct Lag {
    held: BTreeMap<Key, Held>,
}

struct Held {
    until: Timestamp,
    /// `None`: the indexes do not know the row yet.
    shown: Option<Row>,
}

impl Lag {
    /// Lets the indexes show a row as it was until some time. What they show already they go on to
    /// show: changes of a row are seen in order.
    pub(super) fn hold(&mut self, key: Key, shown: Option<Row>, until: Timestamp) {
        self.held.entry(key).or_insert(Held { until, shown });
    }

    /// What the indexes show instead of what is stored, by key.
    pub(super) fn shown(&mut self, now: Timestamp) -> BTreeMap<Key, Option<Row>> {
        self.held.retain(|_, held| held.until > now);
        self.held.iter().map(|(key, held)| (key.clone(), held.shown.clone())).collect()
    }
}

/// The stored `page` of `query` as it is `shown`. It begins behind `query.after`, and may have no
/// entries although there is `more`.
pub(super) fn overlay(query: &IndexQuery, page: IndexPage, shown: &BTreeMap<Key, Option<Row>>) -> IndexPage {
    let is_behind = |position: &IndexPosition, other: &IndexPosition| match query.order {
        Order::Ascending => position > other,
        Order::Descending => position < other,
    };
    let end = page.rows.last().filter(|_| page.more).map(|last| last.position.clone());
    let is_on_page = |row: &IndexRow| {
        let position = &row.position;
        query.from <= position.sort
            && position.sort <= query.to
            && query.after.as_ref().is_none_or(|after| is_behind(position, after))
            && end.as_ref().is_none_or(|end| !is_behind(position, end))
    };
    let old_entry = |row: &Row| {
        let entry = row.entry(query.index).filter(|entry| entry.partition == query.partition)?;
        Some(IndexRow::of(row, entry)).filter(&is_on_page)
    };
    let mut rows: Vec<IndexRow> =
        page.rows.into_iter().filter(|row| !shown.contains_key(&row.position.key)).collect();
    rows.extend(shown.values().flatten().filter_map(old_entry));
    rows.sort_by(|a, b| match query.order {
        Order::Ascending => a.position.cmp(&b.position),
        Order::Descending => b.position.cmp(&a.position),
    });
    let limit = query.limit.max(1);
    let more = page.more || rows.len() > limit;
    rows.truncate(limit);
    IndexPage { rows, more }
}
