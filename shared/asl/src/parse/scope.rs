//! Scopes: `StartAt` and `States`, names, and the transitions between them.

use std::collections::{HashMap, HashSet};

use model::json::{Spanned, Text};
use model::name::{NameError, check_state_name};

use super::Context;
use super::at::{At, shorten};
use super::graph::{Graph, Visible, is_terminal, targets};
use super::object::{Object, text_of};
use super::state::StateContext;
use crate::diagnostic::Code;
use crate::machine::{Place, Scope, ScopeId, StateId};
use crate::state::{Flow, State, StateKind, Succeed};

/// Scopes may be nested this deep, the top level included. The service refuses deeper ones too;
/// its bound is not documented.
const SCOPE_DEPTH_MAX: usize = 32;

/// What surrounds a scope.
pub(super) struct ScopeContext<'c> {
    pub(super) parent: Option<StateId>,
    pub(super) visible: Option<&'c Visible<'c>>,
    pub(super) express: bool,
    pub(super) depth: usize,
    /// Only one state is given: its transitions lead out of what is known.
    pub(super) single_state: bool,
}

impl Context<'_> {
    /// The scope inside of a Parallel or Map. `inherits_variables` is false for a distributed Map.
    pub(super) fn nested_scope(
        &mut self,
        object: &Object<'_, '_>,
        state: &StateContext<'_>,
        express: bool,
        inherits_variables: bool,
    ) -> Option<ScopeId> {
        self.scope(
            object,
            &ScopeContext {
                parent: Some(state.id),
                visible: inherits_variables.then_some(state.visible_inside),
                express,
                depth: state.depth,
                single_state: false,
            },
        )
    }

    /// The scope that `object` describes; its members are already known to be the right ones.
    pub(super) fn scope(&mut self, object: &Object<'_, '_>, around: &ScopeContext<'_>) -> Option<ScopeId> {
        let depth = around.depth + 1;
        if depth > SCOPE_DEPTH_MAX {
            let message = format!("States are nested more than {SCOPE_DEPTH_MAX} levels deep");
            self.report(Code::TooDeeplyNested, message, Some(&object.at), Some(object.span));
            return None;
        }
        let id = ScopeId(u32::try_from(self.scopes.len()).ok()?);
        self.scopes.push(None);

        let comment = self.comment(object);
        self.required(object, &["States", "StartAt"]);
        let start_at = self.text(object, "StartAt");
        let at = object.at.member("States");
        let states = self.object(object.get("States")?, at)?;
        if states.members().is_empty() {
            self.empty(object.get("States")?, &at);
            return None;
        }

        let mut ids = self.names(&states)?;
        let mut placeholders = Vec::new();
        if around.single_state {
            placeholders = self.placeholders(&states, &mut ids, id)?;
        }
        let graph = Graph::of(&states, self.query_language);
        let mut members = Vec::with_capacity(states.members().len());
        let mut parsed = HashSet::new();
        for (index, member) in states.members().iter().enumerate() {
            let Some(&state_id) = ids.get(&member.name) else { continue };
            // A repeated name is already reported.
            if !parsed.insert(state_id) {
                continue;
            }
            members.push(state_id);
            let visible = Visible::inside(&graph, index, around.visible);
            let context = StateContext {
                id: state_id,
                language: self.query_language,
                scope: id,
                ids: &ids,
                visible: around.visible,
                visible_inside: &visible,
                express: around.express,
                depth,
            };
            let state = self.state(member, at.member(&member.name), &context);
            self.states[state_id.0 as usize] = state;
        }
        members.append(&mut placeholders);
        if object.has("StartAt") && !around.single_state {
            self.transitions(object, &states, &graph, start_at.as_deref());
        }
        let start_at = *ids.get(&start_at?)?;
        self.scopes[id.0 as usize] =
            Some(Scope { comment, start_at, states: members, parent: around.parent });
        Some(id)
    }
    /// Ids for the states of a scope, in the order of the text; reports names that are not fit.
    fn names(&mut self, states: &Object<'_, '_>) -> Option<HashMap<Text, StateId>> {
        let mut ids = HashMap::with_capacity(states.members().len());
        for member in states.members() {
            let name = &member.name;
            let at = states.at.member(name);
            let shown = shorten(name.to_string(), 200);
            let message = match check_state_name(name) {
                Ok(()) => None,
                Err(NameError::TooLong { chars_max, .. }) => Some(format!(
                    "State name '{shown}' exceeds the {chars_max}-character limit allowed by the service"
                )),
                Err(error) => Some(format!("State name '{shown}' {error}")),
            };
            if let Some(message) = message {
                self.report(Code::InvalidStateName, message, Some(&at), Some(member.name_span));
            }
            if self.names.insert(name.clone()) {
                ids.insert(name.clone(), self.reserve()?);
            } else {
                let message = format!("Duplicate State name: {shown}");
                self.report(Code::DuplicateStateName, message, Some(&at), Some(member.name_span));
                if !ids.contains_key(name) {
                    ids.insert(name.clone(), self.reserve()?);
                }
            }
        }
        Some(ids)
    }

    /// The id of a state that is still to be parsed.
    fn reserve(&mut self) -> Option<StateId> {
        let id = StateId(u32::try_from(self.states.len()).ok()?);
        self.states.push(None);
        Some(id)
    }

    /// A Succeed state for every target that is not among `states`.
    fn placeholders(
        &mut self,
        states: &Object<'_, '_>,
        ids: &mut HashMap<Text, StateId>,
        scope: ScopeId,
    ) -> Option<Vec<StateId>> {
        let mut made = Vec::new();
        for member in states.members() {
            for target in targets(&member.value) {
                let Some(name) = text_of(target.node) else { continue };
                if ids.contains_key(name) {
                    continue;
                }
                let id = self.reserve()?;
                ids.insert(name.clone(), id);
                made.push(id);
                self.states[id.0 as usize] = Some(State {
                    name: name.clone(),
                    scope,
                    place: Place { location: states.at.member(name).location(), span: target.node.span },
                    comment: None,
                    query_language: self.query_language,
                    kind: StateKind::Succeed(Box::new(Succeed { flow: Flow::default() })),
                });
            }
        }
        Some(made)
    }

    /// Reports transitions to unknown states, then states that nothing leads to. At the top
    /// level a workflow without a terminal state is reported in place of the latter.
    /// Source: diagnostics of ValidateStateMachineDefinition.
    fn transitions(
        &mut self,
        object: &Object<'_, '_>,
        states: &Object<'_, '_>,
        graph: &Graph,
        start_at: Option<&str>,
    ) {
        if let Some(start_at) = start_at
            && graph.index(start_at).is_none()
            && let Some(node) = object.get("StartAt")
        {
            self.missing_target(start_at, &object.at.member("StartAt"), node);
        }
        for member in states.members() {
            let at = states.at.member(&member.name);
            for target in targets(&member.value) {
                let Some(name) = text_of(target.node).filter(|name| graph.index(name).is_none()) else {
                    continue;
                };
                match target.list {
                    None => self.missing_target(name, &at.member(target.field), target.node),
                    Some((list, index)) => {
                        let list = at.member(list);
                        let item = list.element(index);
                        self.missing_target(name, &item.member(target.field), target.node);
                    }
                }
            }
        }
        if object.at.is_root() && !states.members().iter().any(|member| is_terminal(&member.value)) {
            self.report(Code::MissingEndState, "Workflow has no terminal state", None, Some(states.span));
            return;
        }
        let reached = graph.reached_from(start_at.and_then(|name| graph.index(name)));
        for member in states.members() {
            if graph.index(&member.name).is_some_and(|index| !reached[index]) {
                let message = format!("State \"{}\" is not reachable.", member.name);
                let at = states.at.member(&member.name);
                self.report(Code::MissingTransitionTarget, message, Some(&at), Some(member.name_span));
            }
        }
    }

    /// The service says `'Next'` whatever the field is called.
    fn missing_target(&mut self, name: &str, at: &At<'_>, node: &Spanned) {
        let message = format!("Missing 'Next' target: {name}");
        self.report(Code::MissingTransitionTarget, message, Some(at), Some(node.span));
    }
}
