//! Versions: revisions that were published under a number.
//!
//! The row of the state machine says which numbers are taken, which versions there are, and what
//! the newest one is; so publishing and deleting are one conditional put each, as everything else
//! about a state machine. Before the next version takes its place, the newest moves to a row of its
//! own. Such a row never changes, and counts only while the state machine says that the version
//! exists: what a lost race leaves behind harms nothing.

use model::arn::StateMachineArn;
use model::json::{Text, format_text};
use model::timestamp::Timestamp;
use ports::{Condition, Order, Query, Row};
use serde::{Deserialize, Serialize};

use super::machine::StateMachine;
use super::revision::RevisionSummary;
use super::row::{self, ATTEMPTS_MAX, Written};
use super::{Listed, Registry};
use crate::store::StoreError;

/// A version. Nothing of it ever changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// From 1; never used again.
    pub number: u64,
    /// What was published.
    pub revision: RevisionSummary,
    /// `description`.
    pub description: Option<Text>,
    /// When it was published.
    pub created_at: Timestamp,
}

/// That a version is wanted of the revision that a request leads to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Publish {
    /// `description` or `versionDescription`.
    pub description: Option<Text>,
}

/// What became of a publication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Published {
    /// The version of the current revision: a new one, or the one that it had.
    Version(Version),
    /// The state machine is at another revision than the one that was meant: this.
    OtherRevision(RevisionSummary),
    /// There are as many versions as may be.
    TooMany,
    /// There is no such state machine.
    DoesNotExist,
}

/// What became of the deletion of a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VersionDeleted {
    /// It is not there, any more or as before.
    Gone,
    /// Aliases lead to it: these.
    Referenced(Vec<Text>),
}

/// The versions of a state machine, as far as its row holds them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Versions {
    /// The highest number that was given.
    last: u64,
    /// The versions that there are.
    numbers: Numbers,
    /// The one numbered `last`, unless it was deleted.
    newest: Option<Version>,
}

impl Versions {
    /// How many there are.
    pub fn count(&self) -> u64 {
        self.numbers.count()
    }

    /// Whether there is a version of this number.
    pub fn has(&self, number: u64) -> bool {
        self.numbers.has(number)
    }

    fn add(&mut self, version: Version) {
        self.last = version.number;
        self.numbers.push(version.number);
        self.newest = Some(version);
    }

    fn remove(&mut self, number: u64) {
        self.numbers.remove(number);
        self.newest.take_if(|newest| newest.number == number);
    }
}

/// Ascending numbers as ranges, first and last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
struct Numbers(Vec<(u64, u64)>);

impl Numbers {
    fn count(&self) -> u64 {
        self.0.iter().map(|(first, last)| last.saturating_sub(*first).saturating_add(1)).sum()
    }

    fn has(&self, number: u64) -> bool {
        self.0.iter().any(|(first, last)| (*first..=*last).contains(&number))
    }

    /// Adds a number above all others.
    fn push(&mut self, number: u64) {
        match self.0.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(number) => *last = number,
            _ => self.0.push((number, number)),
        }
    }

    fn remove(&mut self, number: u64) {
        let ranges = std::mem::take(&mut self.0);
        for (first, last) in ranges {
            if !(first..=last).contains(&number) {
                self.0.push((first, last));
                continue;
            }
            if first < number {
                self.0.push((first, number - 1));
            }
            if number < last {
                self.0.push((number + 1, last));
            }
        }
    }
}

impl StateMachine {
    /// The version of its current revision: always the newest, since revisions only go forward.
    pub fn published(&self) -> Option<&Version> {
        self.versions.newest.as_ref().filter(|newest| newest.revision.id == self.current.id)
    }
}

impl Registry {
    /// Publishes the current revision, unless it is. `revision_id`: only if it is the current one,
    /// as the API names it ([`RevisionSummary::named_id`]).
    pub async fn publish_version(
        &self,
        arn: &StateMachineArn,
        revision_id: Option<&str>,
        publish: &Publish,
        versions_max: Option<u64>,
        now: Timestamp,
    ) -> Result<Published, StoreError> {
        for _ in 0..ATTEMPTS_MAX {
            let Some((row, mut machine)) = self.machine_row(arn).await? else {
                return Ok(Published::DoesNotExist);
            };
            if revision_id.is_some_and(|id| id != machine.current.named_id()) {
                return Ok(Published::OtherRevision(machine.current));
            }
            let before = machine.versions.last;
            let published = self.publish_current(&mut machine, publish, versions_max, now).await?;
            if machine.versions.last == before || self.replace_machine(&row, &machine).await? == Written::Yes
            {
                return Ok(published);
            }
        }
        Err(StoreError::Conflict)
    }

    /// Publishes the current revision of `machine`, which the caller stores afterwards.
    pub(super) async fn publish_current(
        &self,
        machine: &mut StateMachine,
        publish: &Publish,
        versions_max: Option<u64>,
        now: Timestamp,
    ) -> Result<Published, StoreError> {
        if let Some(version) = machine.published() {
            return Ok(Published::Version(version.clone()));
        }
        if versions_max.is_some_and(|versions_max| machine.versions.count() >= versions_max) {
            return Ok(Published::TooMany);
        }
        if let Some(newest) = &machine.versions.newest {
            let key = row::version_key(&machine.name, &machine.incarnation, newest.number);
            // What stands there already was written by another publisher, and says the same.
            self.put(Row::new(key, 0, row::encode(newest)), Condition::Absent).await?;
        }
        let version = Version {
            number: machine.versions.last.saturating_add(1),
            revision: machine.current.clone(),
            description: publish.description.clone(),
            created_at: now,
        };
        machine.versions.add(version.clone());
        Ok(Published::Version(version))
    }

    /// A version of a state machine that was read before; none when it does not exist.
    pub async fn version(&self, machine: &StateMachine, number: u64) -> Result<Option<Version>, StoreError> {
        if !machine.versions.has(number) {
            return Ok(None);
        }
        if let Some(newest) = machine.versions.newest.as_ref().filter(|newest| newest.number == number) {
            return Ok(Some(newest.clone()));
        }
        let what = format!("version {number} of {}", machine.arn);
        let key = row::version_key(&machine.name, &machine.incarnation, number);
        if let Some(found) = self.store.table.get(&key).await? {
            return row::decode(&found.body, what).map(Some);
        }
        // Its row goes after the state machine has let it go: deleted since that was read.
        match self.state_machine(&machine.arn).await? {
            Some(now) if now.incarnation == machine.incarnation && now.versions.has(number) => {
                Err(StoreError::Damaged(format!("{what} is missing")))
            }
            _ => Ok(None),
        }
    }

    /// The versions of a state machine, highest number first, those below `before` only; none when
    /// there is no such state machine.
    pub async fn list_versions(
        &self,
        arn: &StateMachineArn,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Option<Listed<Version>>, StoreError> {
        let Some(machine) = self.state_machine(arn).await? else { return Ok(None) };
        // One more than is wanted tells whether there are more.
        let wanted = limit.saturating_add(1);
        let newest = machine.versions.newest.as_ref();
        let newest = newest.filter(|newest| before.is_none_or(|before| newest.number < before));
        let mut rows: Vec<Version> = newest.cloned().into_iter().collect();
        let sort = |number| row::version_key(&machine.name, &machine.incarnation, number).sort;
        let mut query = Query {
            partition: row::machine_key(&machine.name).partition,
            from: sort(0),
            to: sort(u64::MAX),
            order: Order::Descending,
            after: rows.last().map(|newest| newest.number).or(before).map(sort),
            limit: wanted,
        };
        while rows.len() < wanted {
            let page = self.store.table.query(&query).await?;
            query.after = page.rows.last().map(|row| row.key.sort.clone());
            for row in &page.rows {
                let version: Version = row::decode(&row.body, &row.key)?;
                if machine.versions.has(version.number) {
                    rows.push(version);
                }
            }
            if !page.more || query.after.is_none() {
                break;
            }
        }
        let more = rows.len() > limit;
        rows.truncate(limit);
        Ok(Some(Listed { rows, more }))
    }

    /// Deletes a version that no alias leads to. Executions that run it go on.
    pub async fn delete_version(
        &self,
        arn: &StateMachineArn,
        number: u64,
    ) -> Result<VersionDeleted, StoreError> {
        for _ in 0..ATTEMPTS_MAX {
            let Some((row, mut machine)) = self.machine_row(arn).await? else {
                return Ok(VersionDeleted::Gone);
            };
            if !machine.versions.has(number) {
                return Ok(VersionDeleted::Gone);
            }
            let aliases: Vec<Text> = machine.aliases_of(number).map(|alias| alias.name.clone()).collect();
            if !aliases.is_empty() {
                return Ok(VersionDeleted::Referenced(aliases));
            }
            machine.versions.remove(number);
            if self.replace_machine(&row, &machine).await? == Written::Yes {
                let key = row::version_key(&machine.name, &machine.incarnation, number);
                // The version is gone; a row that stays behind is only room.
                let _ = self.store.table.delete(&key, Condition::Always).await;
                return Ok(VersionDeleted::Gone);
            }
        }
        Err(StoreError::Conflict)
    }
}

/// The sort key of a version: those of one incarnation stand together, in the order of their numbers.
pub(super) fn sort_key(incarnation: &str, number: u64) -> Text {
    format_text!("v/{incarnation}/{number:020}")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_are_a_set(steps in proptest::collection::vec((any::<bool>(), 1_u64..30), 0..60)) {
            let (mut numbers, mut set, mut last) = (Numbers::default(), BTreeSet::new(), 0);
            for (push, number) in steps {
                if push {
                    // As versions are numbered: by one, or further where the last one is gone.
                    last += 1 + number / 20;
                    numbers.push(last);
                    set.insert(last);
                } else {
                    numbers.remove(number);
                    set.remove(&number);
                }
                prop_assert_eq!(numbers.count(), set.len() as u64);
                for number in 0..=last + 1 {
                    prop_assert_eq!(numbers.has(number), set.contains(&number));
                }
                prop_assert!(numbers.0.windows(2).all(|pair| pair[0].1 + 1 < pair[1].0), "{:?}", numbers);
            }
        }
    }

    #[test]
    fn sort_keys_follow_the_numbers() {
        let keys = [0, 1, 9, 10, 1_000, u64::MAX].map(|number| sort_key("i", number));
        assert!(keys.is_sorted());
    }
}
