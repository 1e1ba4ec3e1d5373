//! The states of an execution as a tree, built from its history events as they happen.
//!
//! History is a list in which each event names the one before it; which Map iteration or branch
//! an event belongs to follows from that chain. Where the chain leaves a scope (an iteration that
//! names the last event of the one before it), the names in the event lead on.

use std::collections::HashMap;

use asl::machine::{Machine, StateId};
use asl::state::StateKind;
use asl::template::Field;
use model::error::Failure;
use model::history::{Event, HistoryEvent};
use model::json::Text;
use model::timestamp::Timestamp;

/// Index of a [`Node`].
pub type NodeId = usize;

/// A visit of a state, or an iteration of a Map.
#[derive(Clone, Debug)]
pub struct Node {
    /// What it is.
    pub kind: NodeKind,
    /// The Parallel state or the iteration that holds it; none at the top level.
    pub parent: Option<NodeId>,
    /// What it holds, in the order in which they began.
    pub children: Vec<NodeId>,
    /// Where it stands.
    pub phase: Phase,
    /// Attempts so far: 0 for states that make none.
    pub attempts: u32,
    /// The newest failure, cleared by the next attempt.
    pub failure: Option<Failure>,
    /// The child that failed it.
    pub culprit: Option<NodeId>,
    /// Its failure is final: no attempt follows.
    closed: bool,
    /// Items of a Map.
    pub items: u64,
    /// When it began.
    pub started: Timestamp,
    /// When it ended.
    pub ended: Option<Timestamp>,
}

/// What a node stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeKind {
    /// A visit of this state.
    State(StateId),
    /// The iteration with this index.
    Iteration(u64),
}

/// Where a node stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It has not ended. With a failure: it will be attempted again, or is about to end.
    Running,
    /// It ended well.
    Succeeded,
    /// It failed, and a catcher took over.
    Caught,
    /// It failed.
    Failed,
    /// It was given up.
    Aborted,
}

/// What an event changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// A node ended.
    Ended(NodeId),
    /// An attempt of a node failed.
    AttemptFailed(NodeId),
    /// A Parallel or Map begins anew.
    AttemptedAgain(NodeId),
}

/// The tree.
pub struct Tree<'m> {
    machine: &'m Machine,
    nodes: Vec<Node>,
    /// Nodes of the top level.
    pub roots: Vec<NodeId>,
    /// What was running when the execution was ended from outside.
    pub interrupted: Vec<NodeId>,
    /// The node of each event.
    owners: HashMap<u64, NodeId>,
}

impl<'m> Tree<'m> {
    /// A tree for an execution that has not started.
    pub fn new(machine: &'m Machine) -> Tree<'m> {
        Tree {
            machine,
            nodes: Vec::new(),
            roots: Vec::new(),
            interrupted: Vec::new(),
            owners: HashMap::new(),
        }
    }

    /// The node `id`.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id]
    }

    /// The definition.
    pub fn machine(&self) -> &'m Machine {
        self.machine
    }

    /// Nodes that have not ended and hold no other such node.
    fn running(&self) -> impl Iterator<Item = NodeId> {
        let is_running = |id: &NodeId| self.nodes[*id].phase == Phase::Running;
        (0..self.nodes.len())
            .filter(is_running)
            .filter(move |&id| !self.nodes[id].children.iter().any(is_running))
    }

    /// The innermost node that the execution failed in.
    pub fn failed(&self) -> Option<NodeId> {
        let at = *self.roots.last()?;
        if self.nodes[at].phase != Phase::Failed {
            return None;
        }
        Some(self.innermost(at))
    }

    /// Takes an event in.
    pub fn apply(&mut self, event: &HistoryEvent) -> Option<Change> {
        let at = event.timestamp;
        let owner = self.owners.get(&event.previous_event_id).copied();
        let (node, change) = self.change(&event.event, owner, at);
        if let Some(node) = node.or(owner) {
            self.owners.insert(event.id, node);
        }
        change
    }

    fn change(
        &mut self,
        event: &Event,
        owner: Option<NodeId>,
        at: Timestamp,
    ) -> (Option<NodeId>, Option<Change>) {
        match event {
            Event::ChoiceStateEntered(entered)
            | Event::FailStateEntered(entered)
            | Event::MapStateEntered(entered)
            | Event::ParallelStateEntered(entered)
            | Event::PassStateEntered(entered)
            | Event::SucceedStateEntered(entered)
            | Event::TaskStateEntered(entered)
            | Event::WaitStateEntered(entered) => (self.enter(&entered.name, owner, at), None),

            Event::ChoiceStateExited(exited)
            | Event::MapStateExited(exited)
            | Event::ParallelStateExited(exited)
            | Event::PassStateExited(exited)
            | Event::SucceedStateExited(exited)
            | Event::TaskStateExited(exited)
            | Event::WaitStateExited(exited) => self.exit(&exited.name, owner, at),

            Event::ActivityScheduled(_) | Event::LambdaFunctionScheduled(_) | Event::TaskScheduled(_) => {
                self.attempt(owner, at);
                (owner, None)
            }
            Event::ParallelStateStarted => {
                let node = self.container(owner, "Parallel");
                let change = self.attempt_of_container(node, owner, at);
                (node, change)
            }
            Event::MapStateStarted(started) => {
                let node = self.container(owner, "Map");
                let change = self.attempt_of_container(node, owner, at);
                if let Some(node) = node {
                    self.nodes[node].items = started.length;
                }
                (node, change)
            }

            Event::ActivityFailed(failure)
            | Event::ActivityScheduleFailed(failure)
            | Event::ActivityTimedOut(failure)
            | Event::LambdaFunctionFailed(failure)
            | Event::LambdaFunctionScheduleFailed(failure)
            | Event::LambdaFunctionStartFailed(failure)
            | Event::LambdaFunctionTimedOut(failure)
            | Event::MapRunFailed(failure) => self.attempt_failed(owner, failure.clone()),
            Event::TaskFailed(failed)
            | Event::TaskStartFailed(failed)
            | Event::TaskSubmitFailed(failed)
            | Event::TaskTimedOut(failed) => self
                .attempt_failed(owner, Failure { error: failed.error.clone(), cause: failed.cause.clone() }),
            Event::EvaluationFailed(failed) => {
                let failure = Failure::new(failed.error.clone(), failed.cause.clone());
                (self.fail(owner, failure), None)
            }
            Event::MapStateFailed => self.container_failed(owner, "Map"),
            Event::ParallelStateFailed => self.container_failed(owner, "Parallel"),

            Event::MapIterationStarted(iteration) => {
                let map = self.enclosing(owner, &iteration.name);
                let node = self.insert(NodeKind::Iteration(iteration.index), map, at);
                (Some(node), None)
            }
            Event::MapIterationSucceeded(iteration) => {
                self.end_iteration(owner, &iteration.name, iteration.index, Phase::Succeeded, at)
            }
            Event::MapIterationFailed(iteration) => {
                self.end_iteration(owner, &iteration.name, iteration.index, Phase::Failed, at)
            }
            Event::MapIterationAborted(iteration) => {
                self.end_iteration(owner, &iteration.name, iteration.index, Phase::Aborted, at)
            }

            Event::MapStateAborted
            | Event::ParallelStateAborted
            | Event::TaskStateAborted
            | Event::WaitStateAborted => (owner, self.end(owner, Phase::Aborted, at)),

            Event::ExecutionFailed(failure) => {
                let change = self.execution_failed(owner, failure, at);
                (None, change)
            }
            Event::ExecutionTimedOut(_) | Event::ExecutionAborted(_) => {
                self.interrupted = self.running().collect();
                self.abort_all(at);
                (None, None)
            }

            Event::ActivityStarted(_)
            | Event::ActivitySucceeded(_)
            | Event::ExecutionRedriven(_)
            | Event::ExecutionStarted(_)
            | Event::ExecutionSucceeded(_)
            | Event::LambdaFunctionStarted
            | Event::LambdaFunctionSucceeded(_)
            | Event::MapRunAborted
            | Event::MapRunRedriven(_)
            | Event::MapRunStarted(_)
            | Event::MapRunSucceeded
            | Event::MapStateSucceeded
            | Event::ParallelStateSucceeded
            | Event::TaskStarted(_)
            | Event::TaskSubmitted(_)
            | Event::TaskSucceeded(_) => (owner, None),
        }
    }

    fn insert(&mut self, kind: NodeKind, parent: Option<NodeId>, at: Timestamp) -> NodeId {
        let id = self.nodes.len();
        self.nodes.push(Node {
            kind,
            parent,
            children: Vec::new(),
            phase: Phase::Running,
            attempts: 0,
            failure: None,
            culprit: None,
            closed: false,
            items: 0,
            started: at,
            ended: None,
        });
        match parent {
            Some(parent) => self.nodes[parent].children.push(id),
            None => self.roots.push(id),
        }
        id
    }

    /// A state is entered: below the nearest node that holds its scope.
    fn enter(&mut self, name: &str, owner: Option<NodeId>, at: Timestamp) -> Option<NodeId> {
        let state = self.machine.state_named(name)?;
        let scope = self.machine.scope(self.machine.state(state).scope);
        let parent = scope.parent.and_then(|holder| {
            let holds_scope = |id: NodeId| match self.nodes[id].kind {
                NodeKind::State(of) => {
                    of == holder && matches!(self.machine.state(of).kind, StateKind::Parallel(_))
                }
                NodeKind::Iteration(_) => self.nodes[id].parent.is_some_and(|map| {
                    self.nodes[map].kind == NodeKind::State(holder) && self.nodes[id].phase == Phase::Running
                }),
            };
            self.ancestors(owner).find(|&id| holds_scope(id))
        });
        let node = self.insert(NodeKind::State(state), parent, at);
        if let StateKind::Fail(fail) = &self.machine.state(state).kind {
            self.nodes[node].failure =
                Some(Failure { error: constant(&fail.error), cause: constant(&fail.cause) });
        }
        Some(node)
    }

    fn exit(&mut self, name: &str, owner: Option<NodeId>, at: Timestamp) -> (Option<NodeId>, Option<Change>) {
        let node = self.enclosing(owner, name);
        let caught = node.is_some_and(|node| self.nodes[node].failure.is_some());
        let phase = if caught { Phase::Caught } else { Phase::Succeeded };
        (node, self.end(node, phase, at))
    }

    fn attempt(&mut self, node: Option<NodeId>, at: Timestamp) {
        let Some(node) = node else { return };
        self.end_children(node, at);
        self.nodes[node].attempts += 1;
        self.nodes[node].failure = None;
        self.nodes[node].culprit = None;
    }

    /// A retry begins without saying that the attempt before it failed.
    fn attempt_of_container(
        &mut self,
        node: Option<NodeId>,
        owner: Option<NodeId>,
        at: Timestamp,
    ) -> Option<Change> {
        let again = node.filter(|&node| self.nodes[node].attempts > 0);
        if let Some(node) = again {
            self.blame(node, owner);
        }
        self.attempt(node, at);
        again.map(Change::AttemptedAgain)
    }

    fn fail(&mut self, node: Option<NodeId>, failure: Failure) -> Option<NodeId> {
        let node = node?;
        self.nodes[node].failure = Some(failure);
        Some(node)
    }

    fn attempt_failed(&mut self, node: Option<NodeId>, failure: Failure) -> (Option<NodeId>, Option<Change>) {
        let node = self.fail(node, failure);
        (node, node.map(Change::AttemptFailed))
    }

    /// A Parallel or Map has failed with what failed below it. Whether a catcher takes over, the
    /// next event tells.
    fn container_failed(
        &mut self,
        owner: Option<NodeId>,
        type_name: &str,
    ) -> (Option<NodeId>, Option<Change>) {
        let Some(node) = self.container(owner, type_name) else { return (owner, None) };
        self.blame(node, owner);
        self.nodes[node].failure.get_or_insert_default();
        self.nodes[node].closed = true;
        (Some(node), None)
    }

    /// `node` failed because of what `below` stands for, somewhere inside it.
    fn blame(&mut self, node: NodeId, below: Option<NodeId>) {
        let culprit = self.ancestors(below).take_while(|&id| id != node).last();
        // A node that is not inside it (an event chain that left the scope) is not to blame.
        let culprit = culprit.filter(|&id| self.nodes[id].parent == Some(node));
        if let Some(culprit) = culprit {
            self.nodes[node].failure = self.nodes[self.innermost(culprit)].failure.clone();
            self.nodes[node].culprit = Some(culprit);
        }
    }

    fn innermost(&self, mut node: NodeId) -> NodeId {
        while let Some(below) = self.nodes[node].culprit {
            node = below;
        }
        node
    }

    /// Ends a node and what still runs in it: what failed it as failed, the rest as given up.
    fn end(&mut self, node: Option<NodeId>, phase: Phase, at: Timestamp) -> Option<Change> {
        let id = node?;
        if self.nodes[id].phase != Phase::Running {
            return None;
        }
        self.nodes[id].phase = phase;
        self.nodes[id].ended = Some(at);
        self.end_children(id, at);
        Some(Change::Ended(id))
    }

    fn end_children(&mut self, id: NodeId, at: Timestamp) {
        let culprit = self.nodes[id].culprit;
        for child in self.nodes[id].children.clone() {
            let phase = if culprit == Some(child) { Phase::Failed } else { Phase::Aborted };
            self.end(Some(child), phase, at);
        }
    }

    fn end_iteration(
        &mut self,
        owner: Option<NodeId>,
        map: &Text,
        index: u64,
        phase: Phase,
        at: Timestamp,
    ) -> (Option<NodeId>, Option<Change>) {
        let node = self.enclosing(owner, map).and_then(|map| {
            let is_it = |child: &NodeId| self.nodes[*child].kind == NodeKind::Iteration(index);
            self.nodes[map].children.iter().copied().rev().find(is_it)
        });
        if let Some(node) = node.filter(|_| phase == Phase::Failed) {
            self.blame(node, owner);
        }
        (node.or(owner), self.end(node, phase, at))
    }

    /// The execution failed in the top-level state around `owner`.
    fn execution_failed(
        &mut self,
        owner: Option<NodeId>,
        failure: &Failure,
        at: Timestamp,
    ) -> Option<Change> {
        let failed = owner.or_else(|| self.roots.last().copied())?;
        let path: Vec<NodeId> = self.ancestors(Some(failed)).collect();
        for pair in path.windows(2) {
            self.nodes[pair[1]].culprit.get_or_insert(pair[0]);
        }
        for &node in path.iter().chain([&self.innermost(failed)]) {
            self.nodes[node].failure = Some(failure.clone());
        }
        let change = self.end(path.last().copied(), Phase::Failed, at);
        self.abort_all(at);
        change
    }

    fn abort_all(&mut self, at: Timestamp) {
        for node in 0..self.nodes.len() {
            self.end(Some(node), Phase::Aborted, at);
        }
    }

    /// `from` and what holds it, inside out.
    fn ancestors(&self, from: Option<NodeId>) -> impl Iterator<Item = NodeId> {
        std::iter::successors(from, |&id| self.nodes[id].parent)
    }

    /// The state called `name` around `owner`, or else its newest visit.
    fn enclosing(&self, owner: Option<NodeId>, name: &str) -> Option<NodeId> {
        let is_it = |id: NodeId| match self.nodes[id].kind {
            NodeKind::State(state) => self.machine.state(state).name == name,
            NodeKind::Iteration(_) => false,
        };
        self.ancestors(owner)
            .find(|&id| is_it(id))
            .or_else(|| (0..self.nodes.len()).rev().find(|&id| is_it(id)))
    }

    /// The nearest state of this type around `owner` that has not ended.
    fn container(&self, owner: Option<NodeId>, type_name: &str) -> Option<NodeId> {
        let is_it = |id: NodeId| match self.nodes[id].kind {
            NodeKind::State(state) => {
                let is_open = self.nodes[id].phase == Phase::Running && !self.nodes[id].closed;
                is_open && self.machine.state(state).kind.type_name() == type_name
            }
            NodeKind::Iteration(_) => false,
        };
        self.ancestors(owner).find(|&id| is_it(id))
    }

    /// What people call a node: the path of names from the top level.
    pub fn path(&self, node: NodeId) -> String {
        let mut path = String::new();
        let mut ids: Vec<NodeId> = self.ancestors(Some(node)).collect();
        ids.reverse();
        for id in ids {
            match self.nodes[id].kind {
                NodeKind::State(state) => {
                    if !path.is_empty() {
                        path.push_str(" > ");
                    }
                    path.push_str(&self.machine.state(state).name);
                }
                NodeKind::Iteration(index) => path.push_str(&format!("[{index}]")),
            }
        }
        path
    }
}

/// What a Fail state says, where that stands in the definition.
fn constant(field: &Option<Field<Text>>) -> Option<Text> {
    match field {
        Some(Field::Constant(text)) => Some(text.clone()),
        _ => None,
    }
}
