//! The executions of a state machine, newest first.

use model::arn::{ExecutionArn, StateMachineArn};
use model::json::Text;
use model::status::ExecutionStatus;
use model::timestamp::Timestamp;
use ports::{Index, IndexPosition, IndexQuery, IndexRow, Order};
use serde::{Deserialize, Serialize};

use super::meta::Meta;
use super::{Executions, code, key, meta};
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
    /// Newest first. Of one version or alias there may be few, and more on the next page; the same of
    /// those that run.
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
    pub status: ExecutionStatus,
    stopped_at: Option<Timestamp>,
    /// What follows `…:stateMachine:<name>:` in the ARNs of version and alias.
    version: Option<Text>,
    alias: Option<Text>,
    redrive_count: u32,
    redriven_at: Option<Timestamp>,
}

impl Summary {
    pub fn of(meta: &Meta) -> Summary {
        let qualifier = |arn: &Option<Text>| arn.as_ref().map(meta::qualifier_of);
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
    pub(super) fn is_of(&self, qualifier: &Qualifier) -> bool {
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

/// What a slice of a list is cut out of.
pub(super) struct Slice<'a> {
    /// Name of the list.
    pub name: &'a Text,
    /// Those with this status, and where it is RUNNING, those that have ended in the meantime; all
    /// when absent.
    pub status: Option<ExecutionStatus>,
    /// Behind this one.
    pub after: Option<&'a ListPosition>,
    /// None that started before.
    pub since: Timestamp,
    /// Most executions, from 1.
    pub limit: usize,
}

impl Executions {
    /// Executions of a state machine, newest first; those with the same start by name, last first.
    pub async fn list(&self, query: &ListQuery) -> Result<ListPage, StoreError> {
        let Some(name) = key::list_name(&query.state_machine) else { return Ok(ListPage::default()) };
        if query.status == Some(ExecutionStatus::Running) {
            return self.list_running(&name, query).await;
        }
        let mut page = ListPage::default();
        let (mut after, mut looked_at) = (query.after.clone(), 0);
        let limit = match &query.qualifier {
            None => query.limit,
            Some(_) => query.limit.max(LOOKED_AT_ONCE),
        };
        loop {
            let (status, since) = (query.status, Timestamp::EPOCH);
            let slice = Slice { name: &name, status, after: after.as_ref(), since, limit };
            let (rows, more) = self.slice(&slice).await?;
            looked_at += rows.len();
            let more = more && !rows.is_empty();
            for (position, summary) in rows {
                let wanted = query.qualifier.as_ref().is_none_or(|qualifier| summary.is_of(qualifier));
                if wanted && page.rows.len() >= query.limit {
                    page.next = page.rows.last().map(Listing::position);
                    return Ok(page);
                }
                let listing = self.listing(&position, summary, &query.state_machine)?;
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

    /// Entries of the wanted statuses and of all shards, one for each execution, and whether there
    /// are more.
    pub(super) async fn slice(
        &self,
        slice: &Slice<'_>,
    ) -> Result<(Vec<(IndexPosition, Summary)>, bool), StoreError> {
        let statuses = match &slice.status {
            Some(ExecutionStatus::Running) => &[ExecutionStatus::Running, ExecutionStatus::Succeeded],
            Some(status) => std::slice::from_ref(status),
            None => ExecutionStatus::ALL,
        };
        let after = slice.after.map(|after| IndexPosition {
            sort: key::time(after.started_at),
            key: key::record(&format!("x/{}:{}", slice.name, after.name).into(), 0),
        });
        let mut rows = Vec::new();
        let mut cut = false;
        for status in statuses {
            for shard in 0..self.store.config.listing_shards.max(1) {
                let partition = key::list(slice.name, *status, shard);
                let (entries, more) =
                    self.entries(partition, slice.since, after.clone(), slice.limit).await?;
                cut |= more;
                for row in entries {
                    rows.push((row.position, code::unpack::<Summary>(&row.summary)?));
                }
            }
        }
        let mut rows = newest_first(rows);
        let more = cut || rows.len() > slice.limit;
        rows.truncate(slice.limit);
        Ok((rows, more))
    }

    /// Up to `limit` entries of one partition, and whether there are more.
    async fn entries(
        &self,
        partition: Text,
        since: Timestamp,
        mut after: Option<IndexPosition>,
        limit: usize,
    ) -> Result<(Vec<IndexRow>, bool), StoreError> {
        let mut rows = Vec::new();
        loop {
            let page = IndexQuery {
                index: Index::First,
                partition: partition.clone(),
                from: key::time(since),
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

    pub(super) fn listing(
        &self,
        position: &IndexPosition,
        summary: Summary,
        state_machine: &StateMachineArn,
    ) -> Result<Listing, StoreError> {
        let partition = &position.key.partition;
        let damaged =
            || StoreError::Damaged(format!("the list has an entry {} of no execution", position.key));
        let arn = key::execution(&self.store.config.home, partition).ok_or_else(damaged)?;
        let started_at = key::time_of(&position.sort).ok_or_else(damaged)?;
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

/// The entries of all lists in the order of the page, one for each execution. One that has ended may
/// have an entry as running beside that of its last record, which holds.
fn newest_first(mut rows: Vec<(IndexPosition, Summary)>) -> Vec<(IndexPosition, Summary)> {
    fn place((position, summary): &(IndexPosition, Summary)) -> (&Text, &Text, bool) {
        let ended = summary.status != ExecutionStatus::Running;
        (&position.sort, &position.key.partition, ended)
    }
    rows.sort_by(|a, b| place(b).cmp(&place(a)));
    rows.dedup_by(|later, first| later.0.key.partition == first.0.key.partition);
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_an_execution_the_end_holds() {
        let row = |sort: &str, seq: u64, status| {
            let position =
                IndexPosition { sort: sort.into(), key: key::record(&format!("x/m:{sort}").into(), seq) };
            let summary = Summary {
                status,
                stopped_at: None,
                version: None,
                alias: None,
                redrive_count: 0,
                redriven_at: None,
            };
            (position, summary)
        };
        use ExecutionStatus::{Failed, Running, Succeeded};
        let read = vec![
            row("1", 0, Running),
            row("2", 0, Running),
            row("4", 0, Running),
            row("3", 0, Failed),
            row("2", 6, Succeeded),
            row("4", 0, Failed),
        ];
        let seen: Vec<_> = newest_first(read)
            .into_iter()
            .map(|(position, summary)| (position.sort, summary.status))
            .collect();
        let expected = [("4", Failed), ("3", Failed), ("2", Succeeded), ("1", Running)];
        assert_eq!(seen, expected.map(|(sort, status)| (Text::from(sort), status)));
    }
}
