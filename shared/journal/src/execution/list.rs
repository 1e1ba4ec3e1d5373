//! The executions of a state machine, newest first.

use model::arn::{ExecutionArn, StateMachineArn};
use model::json::Text;
use model::status::ExecutionStatus;
use model::timestamp::Timestamp;
use ports::{Index, IndexPosition, IndexQuery, IndexRow, Order};
use serde::{Deserialize, Serialize};

use super::meta::Meta;
use super::{Executions, code, key};
use crate::registry::Qualifier;
use crate::store::StoreError;

/// Which executions are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListQuery {
    /// Of which state machine, or of which Map state of it.
    pub state_machine: StateMachineArn,
    /// Those that were started with this version or alias; all when absent.
    pub qualifier: Option<Qualifier>,
    /// With which status; all when absent.
    pub status: Option<ExecutionStatus>,
    /// Go on behind this one: the last one seen.
    pub after: Option<ListPosition>,
    /// Most executions of the page, from 1.
    pub limit: usize,
}

/// The place of an execution in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListPosition {
    /// When it started.
    pub started_at: Timestamp,
    /// Its name.
    pub name: Text,
}

/// Some executions.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ListPage {
    /// Newest first. Of one version or alias there may be few, and more on the next page.
    pub rows: Vec<Listing>,
    /// Where to go on, unless these were all.
    pub next: Option<ListPosition>,
}

/// An execution in a list. The list may lag behind the execution for a moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Listing {
    /// Its ARN.
    pub arn: ExecutionArn,
    /// Its name.
    pub name: Text,
    /// Where it stands.
    pub status: ExecutionStatus,
    /// When it started.
    pub started_at: Timestamp,
    /// When it ended.
    pub stopped_at: Option<Timestamp>,
    /// ARN of the version that was started, if one was.
    pub version_arn: Option<Text>,
    /// ARN of the alias that was started, if one was.
    pub alias_arn: Option<Text>,
    /// How often it was redriven.
    pub redrive_count: u32,
    /// When it was redriven last.
    pub redriven_at: Option<Timestamp>,
}

impl Listing {
    /// Its place in the list.
    pub fn position(&self) -> ListPosition {
        ListPosition { started_at: self.started_at, name: self.name.clone() }
    }
}

/// What the entry of a list carries beside its key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Summary {
    status: ExecutionStatus,
    stopped_at: Option<Timestamp>,
    /// What follows `…:stateMachine:<name>:` in the ARNs of version and alias.
    version: Option<Text>,
    alias: Option<Text>,
    redrive_count: u32,
    redriven_at: Option<Timestamp>,
}

impl Summary {
    pub fn of(meta: &Meta) -> Summary {
        let qualifier =
            |arn: &Option<Text>| arn.as_ref().and_then(|arn| arn.rsplit(':').next()).map(Text::from);
        Summary {
            status: meta.status(),
            stopped_at: meta.ending.as_ref().map(|ending| ending.at),
            version: qualifier(&meta.execution.state_machine_version_arn),
            alias: qualifier(&meta.execution.state_machine_alias_arn),
            redrive_count: meta.redrive_count,
            redriven_at: meta.redriven_at,
        }
    }
}

impl Summary {
    fn is_of(&self, qualifier: &Qualifier) -> bool {
        match qualifier {
            Qualifier::Version(number) => {
                self.version.as_ref().and_then(|version| version.parse().ok()) == Some(*number)
            }
            Qualifier::Alias(name) => self.alias.as_ref() == Some(name),
        }
    }
}

/// Executions of one version or alias stand among all others: at least so many are looked at in one
/// go, and no page looks at more than so many.
const LOOKED_AT_ONCE: usize = 200;
const LOOKED_AT_MAX: usize = 5_000;

impl Executions {
    /// Executions of a state machine, newest first; those with the same start by name, last first.
    pub async fn list(&self, query: &ListQuery) -> Result<ListPage, StoreError> {
        let mut page = ListPage::default();
        let Some(name) = key::list_name(&query.state_machine) else { return Ok(page) };
        let (mut after, mut looked_at) = (query.after.clone(), 0);
        let at_once = match &query.qualifier {
            None => query.limit,
            Some(_) => query.limit.max(LOOKED_AT_ONCE),
        };
        loop {
            let (rows, more) = self.slice(&name, query.status, after.as_ref(), at_once).await?;
            looked_at += rows.len();
            let more = more && !rows.is_empty();
            for row in rows {
                let summary: Summary = code::unpack(&row.summary)?;
                let wanted = query.qualifier.as_ref().is_none_or(|qualifier| summary.is_of(qualifier));
                if wanted && page.rows.len() >= query.limit {
                    page.next = page.rows.last().map(Listing::position);
                    return Ok(page);
                }
                let listing = self.listing(&row, summary, &query.state_machine)?;
                after = Some(listing.position());
                if wanted {
                    page.rows.push(listing);
                }
            }
            if !more {
                return Ok(page);
            }
            if page.rows.len() >= query.limit || looked_at >= LOOKED_AT_MAX {
                page.next = after;
                return Ok(page);
            }
        }
    }

    /// Up to `limit` entries, of all statuses and shards, and whether there are more.
    async fn slice(
        &self,
        name: &Text,
        status: Option<ExecutionStatus>,
        after: Option<&ListPosition>,
        limit: usize,
    ) -> Result<(Vec<IndexRow>, bool), StoreError> {
        let statuses = match &status {
            Some(status) => std::slice::from_ref(status),
            None => ExecutionStatus::ALL,
        };
        let after = after.map(|after| IndexPosition {
            sort: key::time(after.started_at),
            key: key::record(&format!("x/{name}:{}", after.name).into(), 0),
        });
        let mut rows: Vec<IndexRow> = Vec::new();
        let mut cut = false;
        for status in statuses {
            for shard in 0..self.store.config.listing_shards.max(1) {
                let entries = self.entries(key::list(name, *status, shard), after.clone(), limit).await?;
                cut |= entries.1;
                rows.extend(entries.0);
            }
        }
        let mut rows = newest_first(rows);
        let more = cut || rows.len() > limit;
        rows.truncate(limit);
        Ok((rows, more))
    }

    /// Up to `limit` entries of one partition, and whether there are more.
    async fn entries(
        &self,
        partition: Text,
        mut after: Option<IndexPosition>,
        limit: usize,
    ) -> Result<(Vec<IndexRow>, bool), StoreError> {
        let mut rows = Vec::new();
        loop {
            let page = IndexQuery {
                index: Index::First,
                partition: partition.clone(),
                from: key::FIRST.into(),
                to: key::LAST.into(),
                order: Order::Descending,
                after,
                limit: limit - rows.len(),
            };
            let page = self.store.table.query_index(&page).await?;
            rows.extend(page.rows);
            if !page.more || rows.len() >= limit {
                return Ok((rows, page.more));
            }
            after = rows.last().map(|row| row.position.clone());
        }
    }

    fn listing(
        &self,
        row: &IndexRow,
        summary: Summary,
        state_machine: &StateMachineArn,
    ) -> Result<Listing, StoreError> {
        let partition = &row.position.key.partition;
        let damaged =
            || StoreError::Damaged(format!("the list has an entry {} of no execution", row.position.key));
        let arn = key::execution(&self.store.config.home, partition).ok_or_else(damaged)?;
        let started_at = key::time_of(&row.position.sort).ok_or_else(damaged)?;
        let qualified = |qualifier: Option<Text>| {
            qualifier.map(|qualifier| Text::from(format!("{}:{qualifier}", state_machine.as_str())))
        };
        Ok(Listing {
            name: arn.name(),
            arn,
            status: summary.status,
            started_at,
            stopped_at: summary.stopped_at,
            version_arn: qualified(summary.version),
            alias_arn: qualified(summary.alias),
            redrive_count: summary.redrive_count,
            redriven_at: summary.redriven_at,
        })
    }
}

/// The entries of all lists in the order of the page. An execution that ended while the lists were
/// read stands in two of them: what was read last holds.
fn newest_first(mut rows: Vec<IndexRow>) -> Vec<IndexRow> {
    rows.reverse();
    rows.sort_by(|a, b| b.position.cmp(&a.position));
    rows.dedup_by(|later, first| later.position == first.position);
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_last_holds() {
        let row = |sort: &str, revision: u64| IndexRow {
            position: IndexPosition { sort: sort.into(), key: key::record(&format!("x/m:{sort}").into(), 0) },
            revision,
            summary: bytes::Bytes::new(),
        };
        let read = vec![row("1", 1), row("2", 1), row("3", 2), row("2", 2)];
        let seen: Vec<_> =
            newest_first(read).into_iter().map(|row| (row.position.sort, row.revision)).collect();
        assert_eq!(seen, [("3".into(), 2), ("2".into(), 2), ("1".into(), 1)]);
    }
}
