use model::json::{Number, Text};
use model::timestamp::Instant;
use query::{jsonata, jsonpath};

use super::Flow;
use crate::machine::StateId;
use crate::template::{Assign, Template};

/// Goes where the first rule that holds points.
#[derive(Clone, Debug)]
pub struct Choice {
    /// Data flow; its `output` and `assign` apply on the `Default` route.
    pub flow: Flow,
    /// `Choices`, not empty.
    pub rules: Vec<ChoiceRule>,
    /// `Default`.
    pub default: Option<StateId>,
}

/// An element of `Choices`.
#[derive(Clone, Debug)]
pub struct ChoiceRule {
    /// When it holds.
    pub condition: Condition,
    /// JSONata `Output`; replaces the state's.
    pub output: Option<Template>,
    /// `Assign`; replaces the state's.
    pub assign: Assign,
    /// `Next`.
    pub next: StateId,
}

/// What a rule asks.
#[derive(Clone, Debug)]
pub enum Condition {
    /// JSONPath `And`: all hold.
    And(Vec<Condition>),
    /// JSONPath `Or`: one holds.
    Or(Vec<Condition>),
    /// JSONPath `Not`.
    Not(Box<Condition>),
    /// JSONPath data test.
    Test(Test),
    /// JSONata `Condition`: `{% … %}`.
    Query(jsonata::Expression),
    /// JSONata `Condition`: a constant.
    Constant(bool),
}

/// `Variable` and its comparator.
#[derive(Clone, Debug)]
pub struct Test {
    /// `Variable`: a path, context path or variable path.
    pub variable: jsonpath::Path,
    /// The comparison.
    pub comparator: Comparator,
}

/// The 39 comparators.
#[derive(Clone, Debug)]
pub enum Comparator {
    /// `StringEquals` … `StringGreaterThanEquals` and their `…Path` forms.
    String(Ordering, Operand<Text>),
    /// `StringMatches`: `*` is any text; `\*` and `\\` are themselves.
    StringMatches(Text),
    /// `NumericEquals` … and their `…Path` forms.
    Numeric(Ordering, Operand<Number>),
    /// `BooleanEquals`, `BooleanEqualsPath`.
    Boolean(Operand<bool>),
    /// `TimestampEquals` … and their `…Path` forms.
    Timestamp(Ordering, Operand<Instant>),
    /// `IsNull`.
    IsNull(bool),
    /// `IsPresent`.
    IsPresent(bool),
    /// `IsNumeric`.
    IsNumeric(bool),
    /// `IsString`.
    IsString(bool),
    /// `IsBoolean`.
    IsBoolean(bool),
    /// `IsTimestamp`.
    IsTimestamp(bool),
}

/// How two values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ordering {
    /// `…Equals`
    Equals,
    /// `…LessThan`
    LessThan,
    /// `…GreaterThan`
    GreaterThan,
    /// `…LessThanEquals`
    LessThanEquals,
    /// `…GreaterThanEquals`
    GreaterThanEquals,
}

/// The right-hand side of a comparison.
#[derive(Clone, Debug)]
pub enum Operand<T> {
    /// Written in the definition.
    Constant(T),
    /// `…Path`: taken from the input, the context or a variable.
    Path(jsonpath::Path),
}
