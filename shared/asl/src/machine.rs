//! The definition as a whole.

use model::json::{Span, Text};

use crate::state::State;

/// A definition that passed every check. States and scopes are held flat and refer to each
/// other by id; ids follow the order of the text, so the same text always gives the same ids.
#[derive(Clone, Debug)]
pub struct Machine {
    /// `Comment`.
    pub comment: Option<Text>,
    /// `QueryLanguage` of the top level; states without their own inherit it.
    pub query_language: QueryLanguage,
    /// `TimeoutSeconds` of the execution, 0–99999999.
    pub timeout_seconds: Option<i64>,
    /// Every scope; the first is the top level.
    pub scopes: Vec<Scope>,
    /// Every state of every scope.
    pub states: Vec<State>,
}

/// One `States` map: the top level, a branch of a Parallel, or the processor of a Map.
/// Transitions stay inside it, and it owns the variables that its states assign.
#[derive(Clone, Debug)]
pub struct Scope {
    /// `Comment` beside `StartAt`.
    pub comment: Option<Text>,
    /// `StartAt`.
    pub start_at: StateId,
    /// Its states, in the order of the text.
    pub states: Vec<StateId>,
    /// The Parallel or Map that holds it; none for the top level.
    pub parent: Option<StateId>,
}

/// Index into [`Machine::states`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StateId(pub u32);

/// Index into [`Machine::scopes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ScopeId(pub u32);

/// `QueryLanguage`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum QueryLanguage {
    /// `JSONPath`, the default.
    #[default]
    JsonPath,
    /// `JSONata`.
    Jsonata,
}

impl Machine {
    /// The scope of the top level.
    pub const ROOT: ScopeId = ScopeId(0);

    /// The state `id`.
    pub fn state(&self, id: StateId) -> &State {
        &self.states[id.0 as usize]
    }

    /// The scope `id`.
    pub fn scope(&self, id: ScopeId) -> &Scope {
        &self.scopes[id.0 as usize]
    }

    /// The state called `name`, anywhere in the definition (names are unique in it).
    pub fn state_named(&self, name: &str) -> Option<StateId> {
        let at = self.states.iter().position(|state| state.name == name)?;
        Some(StateId(u32::try_from(at).expect("ids are made from 32-bit numbers")))
    }
}

/// Where a state stands in the definition: for diagnostics and for the excerpt that a failed
/// run shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// `/States/Name`, `/States/Map/ItemProcessor/States/Name`, as the service writes locations.
    pub location: Text,
    /// The bytes of the state's object in the source.
    pub span: Span,
}
