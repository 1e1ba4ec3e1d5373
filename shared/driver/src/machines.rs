//! Definitions, parsed once and kept.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use asl::machine::Machine;
use journal::StoreError;
use journal::registry::Registry;
use model::arn::StateMachineArn;
use model::json::Text;

/// Machines that are kept; one that is used again is loaded again.
const KEPT_MAX: usize = 1_024;

/// The state machines that executions run, by revision. Cheap to clone.
#[derive(Clone)]
pub struct Machines {
    registry: Registry,
    kept: Arc<Mutex<Kept>>,
}

/// By state machine and revision.
type Kept = BTreeMap<(StateMachineArn, Text), Arc<Machine>>;

/// A definition that cannot be run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MachineError {
    /// There is no such revision.
    #[error("revision {revision_id} of {state_machine} is not stored")]
    Missing {
        /// The state machine.
        state_machine: StateMachineArn,
        /// The revision.
        revision_id: Text,
    },
    /// It was accepted once and is not any more.
    #[error("revision {revision_id} of {state_machine} cannot be read: {reason}")]
    Refused {
        /// The state machine.
        state_machine: StateMachineArn,
        /// The revision.
        revision_id: Text,
        /// The first error in it.
        reason: String,
    },
    /// It cannot be loaded.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Machines {
    /// The machines of `registry`.
    pub fn new(registry: Registry) -> Machines {
        Machines { registry, kept: Arc::default() }
    }

    /// The registry that they come from.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The machine of a revision.
    pub async fn get(
        &self,
        state_machine: &StateMachineArn,
        revision_id: &str,
    ) -> Result<Arc<Machine>, MachineError> {
        let key = (state_machine.clone(), Text::from(revision_id));
        if let Some(machine) = self.kept().get(&key) {
            return Ok(machine.clone());
        }
        let revision = self.registry.revision(state_machine, revision_id).await?.ok_or_else(|| {
            MachineError::Missing { state_machine: state_machine.clone(), revision_id: revision_id.into() }
        })?;
        let options = asl::Options { machine_type: revision.machine_type, ..asl::Options::default() };
        let parsed = asl::parse(&revision.definition, &options);
        let machine = parsed.machine.map(Arc::new).ok_or_else(|| MachineError::Refused {
            state_machine: state_machine.clone(),
            revision_id: revision_id.into(),
            reason: parsed.diagnostics.first().map(ToString::to_string).unwrap_or_default(),
        })?;
        self.insert(state_machine, revision_id, machine.clone());
        Ok(machine)
    }

    /// Keeps a machine that was parsed elsewhere.
    pub fn insert(&self, state_machine: &StateMachineArn, revision_id: &str, machine: Arc<Machine>) {
        let mut kept = self.kept();
        if kept.len() >= KEPT_MAX {
            kept.pop_first();
        }
        kept.insert((state_machine.clone(), revision_id.into()), machine);
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
