//! The eight state types. Fields follow the order of the language's specification.

mod choice;
mod map;
mod resource;
mod retry;
mod task;

pub use choice::{Choice, ChoiceRule, Comparator, Condition, Operand, Ordering, Test};
pub use map::{
    Distributed, ExecutionType, ItemBatcher, ItemReader, Items, Map, ReaderConfig, ResultWriter, WriterConfig,
};
pub use resource::{Pattern, Resource};
pub use retry::{Catcher, Jitter, Retrier};
pub use task::{Credentials, Task};

use model::json::Text;
use model::timestamp::Timestamp;

use crate::machine::{Place, QueryLanguage, ScopeId, StateId};
use crate::template::{Assign, Field, Placement, Selection, Template};

/// A state.
#[derive(Clone, Debug)]
pub struct State {
    /// Its name, unique in the definition.
    pub name: Text,
    /// The scope it belongs to.
    pub scope: ScopeId,
    /// Where it stands in the source.
    pub place: Place,
    /// `Comment`.
    pub comment: Option<Text>,
    /// Its own `QueryLanguage`, else that of the top level.
    pub query_language: QueryLanguage,
    /// What kind of state it is.
    pub kind: StateKind,
}

/// The eight types.
#[derive(Clone, Debug)]
pub enum StateKind {
    /// `Task`
    Task(Box<Task>),
    /// `Parallel`
    Parallel(Box<Parallel>),
    /// `Map`
    Map(Box<Map>),
    /// `Pass`
    Pass(Box<Pass>),
    /// `Wait`
    Wait(Box<Wait>),
    /// `Choice`
    Choice(Box<Choice>),
    /// `Succeed`
    Succeed(Box<Succeed>),
    /// `Fail`
    Fail(Box<Fail>),
}

impl StateKind {
    /// `Task`, `Parallel`, … as the language spells it.
    pub fn type_name(&self) -> &'static str {
        match self {
            StateKind::Task(_) => "Task",
            StateKind::Parallel(_) => "Parallel",
            StateKind::Map(_) => "Map",
            StateKind::Pass(_) => "Pass",
            StateKind::Wait(_) => "Wait",
            StateKind::Choice(_) => "Choice",
            StateKind::Succeed(_) => "Succeed",
            StateKind::Fail(_) => "Fail",
        }
    }
}

/// Where a state leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transition {
    /// `Next`
    Next(StateId),
    /// `End: true`
    End,
}

/// How data passes through a state. Which fields a state type allows is the parser's business;
/// one that it does not allow has its default here.
#[derive(Clone, Debug, Default)]
pub struct Flow {
    /// JSONPath `InputPath`.
    pub input_path: Selection,
    /// JSONPath `Parameters`; JSONata `Arguments`.
    pub arguments: Option<Template>,
    /// JSONPath `ResultSelector`.
    pub result_selector: Option<Template>,
    /// JSONPath `ResultPath`.
    pub result_path: Placement,
    /// JSONPath `OutputPath`.
    pub output_path: Selection,
    /// JSONata `Output`.
    pub output: Option<Template>,
    /// `Assign` of both query languages.
    pub assign: Assign,
}

/// Runs every branch on the same input; the result is the array of their outputs.
#[derive(Clone, Debug)]
pub struct Parallel {
    /// Data flow.
    pub flow: Flow,
    /// `Branches`, in order.
    pub branches: Vec<ScopeId>,
    /// `Retry`.
    pub retry: Vec<Retrier>,
    /// `Catch`.
    pub catch: Vec<Catcher>,
    /// `Next` or `End`.
    pub transition: Transition,
}

/// Passes its input, or a value made from it, on.
#[derive(Clone, Debug)]
pub struct Pass {
    /// Data flow; JSONPath `Parameters` is in it.
    pub flow: Flow,
    /// JSONPath `Result`: a constant.
    pub result: Option<model::json::Value>,
    /// `Next` or `End`.
    pub transition: Transition,
}

/// Waits.
#[derive(Clone, Debug)]
pub struct Wait {
    /// Data flow.
    pub flow: Flow,
    /// How long.
    pub until: WaitUntil,
    /// `Next` or `End`.
    pub transition: Transition,
}

/// The four ways to say how long a Wait waits.
#[derive(Clone, Debug)]
pub enum WaitUntil {
    /// `Seconds` (0–99999999) or `SecondsPath`.
    Seconds(Field<i64>),
    /// `Timestamp` or `TimestampPath`.
    Timestamp(Field<Timestamp>),
}

/// Ends its scope with success.
#[derive(Clone, Debug)]
pub struct Succeed {
    /// Data flow.
    pub flow: Flow,
}

/// Ends its scope with a failure.
#[derive(Clone, Debug)]
pub struct Fail {
    /// `Error` or `ErrorPath`.
    pub error: Option<Field<Text>>,
    /// `Cause` or `CausePath`.
    pub cause: Option<Field<Text>>,
}
