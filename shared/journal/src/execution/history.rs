//! The history of an execution, page by page.

use model::arn::ExecutionArn;
use model::history::HistoryEvent;
use model::json::Text;
use ports::{Order, Query};

use super::record::{Events, HistoryPayloads};
use super::{Executions, key, meta};
use crate::payload;
use crate::store::StoreError;

/// Which events are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryQuery {
    /// Oldest or newest first.
    pub order: Order,
    /// Go on behind the event with this id: the last one seen.
    pub after: Option<u64>,
    /// Most events of the page, from 1.
    pub limit: usize,
    /// Whether payloads are wanted. Large ones are `null` otherwise.
    pub include_payloads: bool,
}

/// Some events.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HistoryPage {
    /// In the order asked for.
    pub events: Vec<HistoryEvent>,
    /// There are more behind the last.
    pub more: bool,
}

/// Records read at once.
const RECORDS_AT_ONCE: usize = 64;

impl Executions {
    /// Events of an execution; none when it does not exist, and an empty page when its history
    /// has outlived its retention.
    pub async fn history(
        &self,
        execution: &ExecutionArn,
        query: &HistoryQuery,
    ) -> Result<Option<HistoryPage>, StoreError> {
        let Some(partition) = key::partition(&self.store.config.home, execution) else { return Ok(None) };
        let Some(first) = self.store.table.get(&key::record(&partition, 0)).await? else { return Ok(None) };
        let mut page = HistoryPage::default();
        if meta::record_in(&first)?.is_empty() {
            self.archived(&partition, query, &mut page).await?;
        } else {
            self.recorded(&partition, query, &mut page).await?;
        }
        let mut payloads = HistoryPayloads(&mut page.events);
        match query.include_payloads {
            true => payload::inline(&self.store, &mut payloads).await?,
            false => payload::drop_outlined(&mut payloads),
        }
        Ok(Some(page))
    }

    async fn recorded(
        &self,
        partition: &Text,
        query: &HistoryQuery,
        page: &mut HistoryPage,
    ) -> Result<(), StoreError> {
        let mut after =
            self.record_before(partition, query).await?.map(|seq| key::record(partition, seq).sort);
        loop {
            let rows = Query {
                partition: partition.clone(),
                from: key::RECORDS.into(),
                to: key::RECORDS_END.into(),
                order: query.order,
                after,
                limit: RECORDS_AT_ONCE.min(query.limit + 1),
            };
            let rows = self.store.table.query(&rows).await?;
            let Some(last) = rows.rows.last() else { return Ok(()) };
            after = Some(last.key.sort.clone());
            for row in &rows.rows {
                let record = self.record_of(&meta::record_in(row)?, Events::All).await?;
                if take(record.history, query, page) {
                    return Ok(());
                }
            }
            if !rows.more {
                return Ok(());
            }
        }
    }

    async fn archived(
        &self,
        partition: &Text,
        query: &HistoryQuery,
        page: &mut HistoryPage,
    ) -> Result<(), StoreError> {
        let mut records = self.archive(partition).await?;
        if query.order == Order::Descending {
            records.reverse();
        }
        for record in records {
            if take(record.history, query, page) {
                return Ok(());
            }
        }
        Ok(())
    }

    /// The record to go on behind, so that the first event wanted is soon met: found by halving,
    /// since the ids of events grow with the records.
    async fn record_before(&self, partition: &Text, query: &HistoryQuery) -> Result<Option<u64>, StoreError> {
        let Some(id) = query.after else { return Ok(None) };
        let Some(newest) = self.rows(partition, None, 1).await?.pop() else { return Ok(None) };
        let newest = key::seq(&newest.key).unwrap_or(0);
        // The first record whose newest event is `id` or comes after it.
        let (mut low, mut high) = (0, newest);
        while low < high {
            let middle = low + (high - low) / 2;
            match self.last_event_of(partition, middle).await? {
                Some(last) if last >= id => high = middle,
                _ => low = middle + 1,
            }
        }
        Ok(match query.order {
            // Event `id` itself is skipped when the record is read.
            Order::Ascending => low.checked_sub(1),
            Order::Descending => (low < newest).then_some(low + 1),
        })
    }

    async fn last_event_of(&self, partition: &Text, seq: u64) -> Result<Option<u64>, StoreError> {
        let Some(row) = self.store.table.get(&key::record(partition, seq)).await? else { return Ok(None) };
        Ok(Some(self.head_of(&meta::record_in(&row)?)?.last_event_id))
    }
}

/// Takes what is wanted of a record's events; true when the page is full.
fn take(mut events: Vec<HistoryEvent>, query: &HistoryQuery, page: &mut HistoryPage) -> bool {
    if query.order == Order::Descending {
        events.reverse();
    }
    for event in events {
        let seen = query.after.is_some_and(|after| match query.order {
            Order::Ascending => event.id <= after,
            Order::Descending => event.id >= after,
        });
        if seen {
            continue;
        }
        if page.events.len() == query.limit {
            page.more = true;
            return true;
        }
        page.events.push(event);
    }
    false
}
