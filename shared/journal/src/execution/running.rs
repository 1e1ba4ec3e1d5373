//! The executions of a state machine that run.
//!
//! What has started stands in one list, what has succeeded in another, and those that run are in the
//! first alone. So that not all of both is read each time, a note says which of those that started
//! long ago still run. It is made by whoever had to look at many, and can be lost at any time. Whoever
//! lets an execution run that had ended removes it.

use std::collections::VecDeque;

use model::arn::StateMachineArn;
use model::json::Text;
use model::status::ExecutionStatus;
use model::timestamp::Timestamp;
use ports::{Condition, Key, Row, TableError};
use serde::{Deserialize, Serialize};

use super::list::{ListPage, ListQuery, Listing, Slice, Summary};
use super::{Executions, code, key, meta};
use crate::store::StoreError;

/// Entries read at once, and what is worth a note.
const LOOKED_AT_ONCE: usize = 1_000;
/// Whoever has looked at so many goes on to the end, so that the next need not.
const LOOKED_AT_MANY: usize = 5_000;
/// Executions of one note.
const OPEN_MAX: usize = 100;
/// An entry shows up in a list so soon after its execution has started.
const LAG_MILLIS: i64 = 5 * 60 * 1_000;

/// Which of the executions that started before a time run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Note {
    before: Timestamp,
    /// Start and name; those that are missing have ended, those that are there may have.
    open: Vec<(Timestamp, Text)>,
}

/// What a look at a list gave.
#[derive(Default)]
struct Seen {
    page: ListPage,
    /// Start of the newest execution, running or not.
    newest: Option<Timestamp>,
    /// The oldest that run, newest first: one more than a note can hold.
    open: VecDeque<(Timestamp, Text)>,
    looked_at: usize,
}

impl Executions {
    /// Executions that run, newest first.
    pub(super) async fn list_running(&self, name: &Text, query: &ListQuery) -> Result<ListPage, StoreError> {
        let (note, revision) = self.note(name).await?;
        let mut seen = Seen::default();
        if !self.look(name, query, note.before, &mut seen).await? {
            return Ok(seen.page);
        }
        let open = self.look_at_noted(query, &note, &mut seen.page).await?;
        if query.after.is_none() {
            let next = next_note(&note, open, &seen);
            if next != note {
                self.put_note(name, &next, revision).await?;
            }
        }
        Ok(seen.page)
    }

    /// Looks at those that started at `since` or after; says whether it came to the end.
    async fn look(
        &self,
        name: &Text,
        query: &ListQuery,
        since: Timestamp,
        seen: &mut Seen,
    ) -> Result<bool, StoreError> {
        let mut after = query.after.clone();
        loop {
            let status = Some(ExecutionStatus::Running);
            let limit = query.limit.max(LOOKED_AT_ONCE);
            let slice = Slice { name, status, after: after.as_ref(), since, limit };
            let (rows, more) = self.slice(&slice).await?;
            seen.looked_at += rows.len();
            for (position, summary) in rows {
                let is_wanted = summary.status == ExecutionStatus::Running;
                let is_of = query.qualifier.as_ref().is_none_or(|qualifier| summary.is_of(qualifier));
                let listing = self.listing(&position, summary, &query.state_machine)?;
                after = Some(listing.position());
                seen.newest.get_or_insert(listing.started_at);
                if is_wanted {
                    seen.open.push_back((listing.started_at, listing.name.clone()));
                    if seen.open.len() > OPEN_MAX + 1 {
                        seen.open.pop_front();
                    }
                    if is_of {
                        push(&mut seen.page, query, listing);
                    }
                }
            }
            if !more {
                return Ok(true);
            }
            if seen.page.next.is_some() && seen.looked_at < LOOKED_AT_MANY {
                return Ok(false);
            }
        }
    }

    /// Adds those of a note that belong to the page and run; gives those that are not known to have
    /// ended.
    async fn look_at_noted(
        &self,
        query: &ListQuery,
        note: &Note,
        page: &mut ListPage,
    ) -> Result<Vec<(Timestamp, Text)>, StoreError> {
        let after = query.after.as_ref().map(|after| (after.started_at, &after.name));
        let mut open = Vec::new();
        for (started_at, name) in &note.open {
            if page.next.is_none() && after.is_none_or(|after| (*started_at, name) < after) {
                let Some((listing, summary)) = self.listed_now(&query.state_machine, name).await? else {
                    continue;
                };
                if query.qualifier.as_ref().is_none_or(|qualifier| summary.is_of(qualifier)) {
                    push(page, query, listing);
                }
            }
            open.push((*started_at, name.clone()));
        }
        Ok(open)
    }

    /// An execution as it stands; none when it has ended.
    async fn listed_now(
        &self,
        state_machine: &StateMachineArn,
        name: &Text,
    ) -> Result<Option<(Listing, Summary)>, StoreError> {
        let Some(list) = key::list_name(state_machine) else { return Ok(None) };
        let partition = Text::from(format!("x/{list}:{name}"));
        let Some(row) = self.store.table.get(&key::record(&partition, 0)).await? else { return Ok(None) };
        let (meta, first) = meta::split_row(&self.store.config.home, &row)?;
        let newest = self.newest_of(&partition, &first).await?;
        if meta.ending.is_some() || newest.is_none_or(|newest| newest.ending().is_some()) {
            return Ok(None);
        }
        let summary = Summary::of(&meta);
        let position = ports::IndexPosition { sort: key::time(meta.execution.started_at), key: row.key };
        Ok(Some((self.listing(&position, summary.clone(), state_machine)?, summary)))
    }

    async fn note(&self, name: &Text) -> Result<(Note, Option<u64>), StoreError> {
        match self.store.table.get(&note_key(name)).await? {
            Some(row) => Ok((code::unpack(&row.body)?, Some(row.revision))),
            None => Ok((Note::default(), None)),
        }
    }

    async fn put_note(&self, name: &Text, note: &Note, before: Option<u64>) -> Result<(), StoreError> {
        let condition = before.map_or(Condition::Absent, Condition::Revision);
        let revision = before.map_or(0, |before| before.wrapping_add(1));
        let mut row = Row::new(note_key(name), revision, code::pack(note));
        row.expires_at = Some(note.before.plus_millis(self.store.config.name_retention_millis));
        match self.store.table.put(row, condition).await {
            // Another is as good.
            Ok(()) | Err(TableError::Conflict | TableError::Unknown(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// Puts an execution on a page, or says where the next begins.
fn push(page: &mut ListPage, query: &ListQuery, listing: Listing) {
    match page.rows.len() < query.limit {
        true => page.rows.push(listing),
        false => page.next = page.rows.last().map(Listing::position),
    }
}

/// What is known once all that started since the note have been looked at. `open`: those of the note
/// that may still run.
fn next_note(note: &Note, open: Vec<(Timestamp, Text)>, seen: &Seen) -> Note {
    let newest = seen.newest.filter(|_| seen.looked_at >= LOOKED_AT_ONCE);
    let before = newest.map_or(note.before, |newest| newest.plus_millis(-LAG_MILLIS)).max(note.before);
    let mut open: Vec<_> =
        seen.open.iter().filter(|(started_at, _)| *started_at < before).cloned().chain(open).collect();
    let mut next = Note { before, open: Vec::new() };
    if open.len() > OPEN_MAX {
        // The oldest are noted, and the others looked at again.
        let (first_left, _) = &open[open.len() - OPEN_MAX - 1];
        next.before = note.before.max(*first_left);
        open.retain(|(started_at, _)| *started_at < next.before);
    }
    next.open = open;
    next
}

fn note_key(name: &Text) -> Key {
    Key::new(format!("list/{name}"), "running")
}
