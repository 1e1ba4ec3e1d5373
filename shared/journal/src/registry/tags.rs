//! Tags: of state machines and activities.

use model::arn::{ActivityArn, StateMachineArn};
use model::json::Text;

use super::Registry;
use super::row::{ATTEMPTS_MAX, Written};
use crate::store::StoreError;

/// Keys and values. A key occurs once; a new one comes last, as recorded listings show.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Tags(Vec<(Text, Text)>);

/// A change of tags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TagChange {
    /// Adds tags; the value of a key that is there already is replaced.
    Set(Tags),
    /// Removes the tags with these keys, as far as they are there.
    Remove(Vec<Text>),
}

impl Tags {
    /// Keys and values in order.
    pub fn iter(&self) -> impl Iterator<Item = (&Text, &Text)> {
        self.0.iter().map(|(key, value)| (key, value))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Sets one tag.
    pub fn set(&mut self, key: Text, value: Text) {
        match self.0.iter_mut().find(|(found, _)| *found == key) {
            Some((_, found)) => *found = value,
            None => self.0.push((key, value)),
        }
    }

    /// These tags after a change.
    pub fn changed(&self, change: &TagChange) -> Tags {
        let mut tags = self.clone();
        match change {
            TagChange::Set(set) => set.iter().for_each(|(key, value)| tags.set(key.clone(), value.clone())),
            TagChange::Remove(keys) => tags.0.retain(|(key, _)| !keys.contains(key)),
        }
        tags
    }
}

impl FromIterator<(Text, Text)> for Tags {
    fn from_iter<I: IntoIterator<Item = (Text, Text)>>(pairs: I) -> Tags {
        let mut tags = Tags::default();
        for (key, value) in pairs {
            tags.set(key, value);
        }
        tags
    }
}

impl Registry {
    /// Changes the tags of a state machine and gives those it has then; none when it does not
    /// exist. With more than `tags_max` nothing is changed, and the tags it would have are given.
    pub async fn tag_state_machine(
        &self,
        arn: &StateMachineArn,
        change: &TagChange,
        tags_max: usize,
    ) -> Result<Option<Tags>, StoreError> {
        for _ in 0..ATTEMPTS_MAX {
            let Some((row, mut machine)) = self.machine_row(arn).await? else { return Ok(None) };
            let tags = machine.tags.changed(change);
            if tags == machine.tags || tags.len() > tags_max {
                return Ok(Some(tags));
            }
            machine.tags = tags.clone();
            if self.replace_machine(&row, &machine).await? == Written::Yes {
                return Ok(Some(tags));
            }
        }
        Err(StoreError::Conflict)
    }

    /// As [`Registry::tag_state_machine`], of an activity.
    pub async fn tag_activity(
        &self,
        arn: &ActivityArn,
        change: &TagChange,
        tags_max: usize,
    ) -> Result<Option<Tags>, StoreError> {
        for _ in 0..ATTEMPTS_MAX {
            let Some((row, mut activity)) = self.activity_row(arn).await? else { return Ok(None) };
            let tags = activity.tags.changed(change);
            if tags == activity.tags || tags.len() > tags_max {
                return Ok(Some(tags));
            }
            activity.tags = tags.clone();
            if self.replace_activity(&row, &activity).await? == Written::Yes {
                return Ok(Some(tags));
            }
        }
        Err(StoreError::Conflict)
    }
}
