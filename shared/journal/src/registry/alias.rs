//! Aliases: names that lead to one or two versions.
//!
//! They stand in the row of the state machine, so that no version goes while an alias leads to it.

use model::arn::StateMachineArn;
use model::json::Text;
use model::timestamp::Timestamp;
use serde::{Deserialize, Serialize};

use super::Registry;
use super::machine::StateMachine;
use super::row::{ATTEMPTS_MAX, Written};
use crate::store::StoreError;

/// An alias.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alias {
    /// Its name, not digits alone.
    pub name: Text,
    /// `description`.
    pub description: Option<Text>,
    /// `routingConfiguration`: one or two versions whose weights sum up to 100.
    pub routes: Vec<Route>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was changed last; as long as it was not, when it was created.
    pub updated_at: Timestamp,
}

/// An entry of `routingConfiguration`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// Number of the version.
    pub version: u64,
    /// How many of a hundred executions run it.
    pub weight: u64,
}

/// A change of an alias: what is `None` stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AliasChange {
    /// `description`.
    pub description: Option<Text>,
    /// `routingConfiguration`.
    pub routes: Option<Vec<Route>>,
}

/// What became of the creation or the change of an alias.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AliasOutcome {
    /// It is so.
    Done(Alias),
    /// Another alias has the name: this.
    Exists(Alias),
    /// There is no such state machine, version or alias.
    Missing,
    /// There are as many aliases as may be, or more than can be kept together.
    TooMany,
}

impl Alias {
    /// The version that `roll` leads to, a random number: over all numbers each version has its
    /// share.
    pub fn route(&self, roll: u64) -> u64 {
        let total: u64 = self.routes.iter().map(|route| route.weight).sum();
        let mut place = roll % total.max(1);
        for route in &self.routes {
            if place < route.weight {
                return route.version;
            }
            place -= route.weight;
        }
        self.heaviest()
    }

    /// The version that most executions run; the first of equal ones.
    pub fn heaviest(&self) -> u64 {
        let heaviest = self.routes.iter().rev().max_by_key(|route| route.weight);
        heaviest.map_or(0, |route| route.version)
    }

    fn leads_to(&self, version: u64) -> bool {
        self.routes.iter().any(|route| route.version == version)
    }
}

impl StateMachine {
    /// The alias of this name.
    pub fn alias(&self, name: &str) -> Option<&Alias> {
        self.aliases.iter().find(|alias| alias.name == name)
    }

    /// The aliases that lead to a version, oldest first.
    pub fn aliases_of(&self, version: u64) -> impl Iterator<Item = &Alias> {
        self.aliases.iter().filter(move |alias| alias.leads_to(version))
    }

    fn has_all(&self, routes: &[Route]) -> bool {
        routes.iter().all(|route| self.versions.has(route.version))
    }
}

impl Registry {
    /// Creates an alias, or gives the one that has its name.
    pub async fn create_alias(
        &self,
        arn: &StateMachineArn,
        alias: &Alias,
        aliases_max: Option<u64>,
    ) -> Result<AliasOutcome, StoreError> {
        for _ in 0..ATTEMPTS_MAX {
            let Some((row, mut machine)) = self.machine_row(arn).await? else {
                return Ok(AliasOutcome::Missing);
            };
            if let Some(existing) = machine.alias(&alias.name) {
                return Ok(AliasOutcome::Exists(existing.clone()));
            }
            if !machine.has_all(&alias.routes) {
                return Ok(AliasOutcome::Missing);
            }
            if aliases_max.is_some_and(|aliases_max| machine.aliases.len() as u64 >= aliases_max) {
                return Ok(AliasOutcome::TooMany);
            }
            machine.aliases.push(alias.clone());
            if !self.fits(&machine) {
                return Ok(AliasOutcome::TooMany);
            }
            if self.replace_machine(&row, &machine).await? == Written::Yes {
                return Ok(AliasOutcome::Done(alias.clone()));
            }
        }
        Err(StoreError::Conflict)
    }

    /// Changes an alias. One that is so already keeps its `updated_at`.
    pub async fn update_alias(
        &self,
        arn: &StateMachineArn,
        name: &str,
        change: &AliasChange,
        now: Timestamp,
    ) -> Result<AliasOutcome, StoreError> {
        for _ in 0..ATTEMPTS_MAX {
            let Some((row, mut machine)) = self.machine_row(arn).await? else {
                return Ok(AliasOutcome::Missing);
            };
            if change.routes.as_ref().is_some_and(|routes| !machine.has_all(routes)) {
                return Ok(AliasOutcome::Missing);
            }
            let Some(alias) = machine.aliases.iter_mut().find(|alias| alias.name == name) else {
                return Ok(AliasOutcome::Missing);
            };
            let mut next = alias.clone();
            next.description = change.description.clone().or(next.description);
            next.routes = change.routes.clone().unwrap_or(next.routes);
            if next == *alias {
                return Ok(AliasOutcome::Done(next));
            }
            next.updated_at = now;
            *alias = next.clone();
            if !self.fits(&machine) {
                return Ok(AliasOutcome::TooMany);
            }
            if self.replace_machine(&row, &machine).await? == Written::Yes {
                return Ok(AliasOutcome::Done(next));
            }
        }
        Err(StoreError::Conflict)
    }

    /// Deletes an alias. False when there was none.
    pub async fn delete_alias(&self, arn: &StateMachineArn, name: &str) -> Result<bool, StoreError> {
        for _ in 0..ATTEMPTS_MAX {
            let Some((row, mut machine)) = self.machine_row(arn).await? else { return Ok(false) };
            let before = machine.aliases.len();
            machine.aliases.retain(|alias| alias.name != name);
            if machine.aliases.len() == before {
                return Ok(false);
            }
            if self.replace_machine(&row, &machine).await? == Written::Yes {
                return Ok(true);
            }
        }
        Err(StoreError::Conflict)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alias(routes: &[(u64, u64)]) -> Alias {
        Alias {
            name: "a".into(),
            description: None,
            routes: routes
                .iter()
                .map(|(version, weight)| Route { version: *version, weight: *weight })
                .collect(),
            created_at: Timestamp::EPOCH,
            updated_at: Timestamp::EPOCH,
        }
    }

    #[test]
    fn each_version_has_its_share() {
        fn check(routes: &[(u64, u64)], shares: &[(u64, usize)], heaviest: u64) {
            let alias = alias(routes);
            for (version, share) in shares {
                let found = (0..1_000).filter(|roll| alias.route(*roll) == *version).count();
                assert_eq!(found, share * 10, "{routes:?}: version {version}");
            }
            assert_eq!(alias.heaviest(), heaviest, "{routes:?}");
        }
        check(&[(3, 100)], &[(3, 100)], 3);
        check(&[(3, 70), (1, 30)], &[(3, 70), (1, 30)], 3);
        check(&[(3, 1), (1, 99)], &[(3, 1), (1, 99)], 1);
        check(&[(3, 0), (1, 100)], &[(3, 0), (1, 100)], 1);
        check(&[(3, 100), (1, 0)], &[(3, 100), (1, 0)], 3);
        check(&[(1, 50), (2, 50)], &[(1, 50), (2, 50)], 1);
    }
}
