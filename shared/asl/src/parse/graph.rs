//! The transitions between the states of a scope.

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};

use model::json::{Spanned, SpannedKind, SpannedMember, Text};

use super::object::{Object, text_of};
use super::state::{is_type, language_of};
use super::template::variable;
use crate::machine::QueryLanguage;

/// Where a state may go.
pub(super) struct Target<'s> {
    pub(super) node: &'s Spanned,
    /// The field that names the target.
    pub(super) field: &'static str,
    /// The list that holds the field, with the index of the element.
    pub(super) list: Option<(&'static str, usize)>,
}

/// Every transition of a state, read from the text: also of a state that is wrong otherwise, so
/// that one mistake does not make its successors unreachable.
pub(super) fn targets(state: &Spanned) -> Vec<Target<'_>> {
    let mut out = Vec::new();
    for field in ["Next", "Default"] {
        if let Some(node) = child(state, field) {
            out.push(Target { node, field, list: None });
        }
    }
    for list in ["Choices", "Catch"] {
        for (index, item) in elements(state, list).iter().enumerate() {
            if let Some(node) = child(item, "Next") {
                out.push(Target { node, field: "Next", list: Some((list, index)) });
            }
        }
    }
    out
}

/// Whether a state may end its scope, or is too wrong to tell.
pub(super) fn is_terminal(state: &Spanned) -> bool {
    match child(state, "Type").and_then(text_of).map(Text::as_str) {
        Some("Succeed" | "Fail") | None => true,
        Some("Choice") => false,
        Some(name) if !is_type(name) => true,
        Some(_) => {
            let end = child(state, "End").map(|node| &node.kind);
            matches!(end, Some(SpannedKind::Bool(true))) || child(state, "Next").is_none()
        }
    }
}

/// The states of a scope by their place in the text, with the transitions between them and the
/// variables that they assign.
pub(super) struct Graph {
    indexes: HashMap<Text, usize>,
    next: Vec<Vec<usize>>,
    previous: Vec<Vec<usize>>,
    assigned_by: HashMap<Text, Vec<usize>>,
}

impl Graph {
    /// Transitions to unknown states are left out.
    pub(super) fn of(states: &Object<'_, '_>, inherited: QueryLanguage) -> Graph {
        let members = states.members();
        let mut graph = Graph {
            indexes: members
                .iter()
                .enumerate()
                .rev()
                .map(|(index, member)| (member.name.clone(), index))
                .collect(),
            next: vec![Vec::new(); members.len()],
            previous: vec![Vec::new(); members.len()],
            assigned_by: HashMap::new(),
        };
        for (index, member) in members.iter().enumerate() {
            for target in targets(&member.value) {
                if let Some(to) = text_of(target.node).and_then(|name| graph.index(name)) {
                    graph.next[index].push(to);
                    graph.previous[to].push(index);
                }
            }
            graph.add_assigned(index, &member.value, inherited);
        }
        graph
    }

    pub(super) fn index(&self, name: &str) -> Option<usize> {
        self.indexes.get(name).copied()
    }

    /// Which states can be reached from `start`, itself included.
    pub(super) fn reached_from(&self, start: Option<usize>) -> Vec<bool> {
        walk(&self.next, start.into_iter().collect())
    }

    /// From which states `end` can be reached; itself only when it is part of a loop.
    fn leading_to(&self, end: usize) -> Vec<bool> {
        walk(&self.previous, self.previous[end].clone())
    }

    fn add_assigned(&mut self, index: usize, state: &Spanned, inherited: QueryLanguage) {
        let language = child(state, "QueryLanguage").map_or(inherited, language_of);
        let rules = elements(state, "Choices").iter().chain(elements(state, "Catch"));
        let mut names = HashSet::new();
        for node in std::iter::once(state).chain(rules) {
            names.extend(assigned(node).iter().map(|member| variable(&member.name, language)));
        }
        for name in names {
            self.assigned_by.entry(Text::new(name)).or_default().push(index);
        }
    }
}

/// The variables that a state's inner scopes find assigned: by states that come before it.
pub(super) struct Visible<'c> {
    graph: &'c Graph,
    state: usize,
    before: OnceCell<Vec<bool>>,
    outer: Option<&'c Visible<'c>>,
}

impl<'c> Visible<'c> {
    /// Inside of the state at `state`, in a scope that itself sees `outer`.
    pub(super) fn inside(graph: &'c Graph, state: usize, outer: Option<&'c Visible<'c>>) -> Visible<'c> {
        Visible { graph, state, before: OnceCell::new(), outer }
    }

    /// Whether an outer scope may have assigned `name` before the inner one runs. What it
    /// assigns afterwards, in a Catch for instance, is no conflict (recorded case
    /// `parallel_catch_error`).
    pub(super) fn has(&self, name: &str) -> bool {
        let here = self.graph.assigned_by.get(name).is_some_and(|states| {
            let before = self.before.get_or_init(|| self.graph.leading_to(self.state));
            states.iter().any(|state| before[*state])
        });
        here || self.outer.is_some_and(|outer| outer.has(name))
    }
}

fn walk(edges: &[Vec<usize>], mut waiting: Vec<usize>) -> Vec<bool> {
    let mut reached = vec![false; edges.len()];
    while let Some(index) = waiting.pop() {
        if !std::mem::replace(&mut reached[index], true) {
            waiting.extend(&edges[index]);
        }
    }
    reached
}

fn child<'s>(node: &'s Spanned, name: &str) -> Option<&'s Spanned> {
    match &node.kind {
        SpannedKind::Object(members) => {
            members.iter().rev().find(|member| member.name == name).map(|member| &member.value)
        }
        _ => None,
    }
}

fn elements<'s>(node: &'s Spanned, name: &str) -> &'s [Spanned] {
    match child(node, name).map(|node| &node.kind) {
        Some(SpannedKind::Array(items)) => items,
        _ => &[],
    }
}

fn assigned(node: &Spanned) -> &[SpannedMember] {
    match child(node, "Assign").map(|node| &node.kind) {
        Some(SpannedKind::Object(members)) => members,
        _ => &[],
    }
}
