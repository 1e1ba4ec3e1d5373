//! What stands in `[?(…)]`.
//!
//! Literals have no type: `201`, `'201'` and `"201"` are the same text, which is read as a number
//! beside a number and as a boolean beside a boolean. `null`, quoted or not, equals null. A
//! comparison with a missing member is false, also `!=`. A path alone asks whether the value is
//! there and not null, `!` before it for the contrary. `@` alone stands for objects only.
//!
//! Source: the service's documentation of paths, and the Jayway release whose sentences it uses.

use std::cmp::Ordering;

use model::json::{Number, Text, Value};

use super::eval::item;
use super::segment::Segment;

/// A compiled filter.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Filter {
    expression: Expression,
    terms: usize,
}

/// Nested at most [`super::parse::FILTER_DEPTH_MAX`] deep.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Expression {
    Or(Vec<Expression>),
    And(Vec<Expression>),
    Not(Box<Expression>),
    Exists(Place),
    Compare { left: Operand, comparison: Comparison, right: Operand },
}

/// A definite path in a filter.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Place {
    /// `$`: from what the whole path starts from, instead of from the item.
    pub(super) from_root: bool,
    /// Names and indexes.
    pub(super) segments: Box<[Segment]>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Operand {
    Place(Place),
    Literal(Text),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// What two values are to each other.
enum Relation {
    Ordered(Ordering),
    /// Not equal, and neither is less: a null beside a value, a word beside a number.
    Different,
    /// Kinds that are never compared: every comparison is false.
    Incomparable,
}

impl Filter {
    pub(super) fn new(expression: Expression) -> Filter {
        let terms = expression.terms();
        Filter { expression, terms }
    }

    /// Tests that one candidate costs at most.
    pub(super) fn terms(&self) -> usize {
        self.terms
    }

    pub(super) fn accepts(&self, candidate: &Value, root: &Value) -> bool {
        self.expression.holds(candidate, root)
    }
}

impl Expression {
    fn terms(&self) -> usize {
        match self {
            Expression::Or(all) | Expression::And(all) => all.iter().map(Expression::terms).sum(),
            Expression::Not(inner) => inner.terms(),
            Expression::Exists(place) => 1 + place.segments.len(),
            Expression::Compare { left, right, .. } => 1 + left.len() + right.len(),
        }
    }

    fn holds(&self, candidate: &Value, root: &Value) -> bool {
        match self {
            Expression::Or(all) => all.iter().any(|one| one.holds(candidate, root)),
            Expression::And(all) => all.iter().all(|one| one.holds(candidate, root)),
            Expression::Not(inner) => !inner.holds(candidate, root),
            Expression::Exists(place) => place.find(candidate, root).is_some_and(|found| !found.is_null()),
            Expression::Compare { left, comparison, right } => {
                match (left.side(candidate, root), right.side(candidate, root)) {
                    (Some(left), Some(right)) => comparison.holds(relation(left, right)),
                    _ => false,
                }
            }
        }
    }
}

impl Place {
    fn find<'v>(&self, candidate: &'v Value, root: &'v Value) -> Option<&'v Value> {
        let start = match (self.from_root, self.segments.is_empty(), candidate) {
            (true, _, _) => root,
            (false, false, _) | (false, true, Value::Object(_)) => candidate,
            (false, true, _) => return None,
        };
        self.segments.iter().try_fold(start, |here, segment| match segment {
            Segment::Name(name) => here.get(name),
            Segment::Index(index) => item(here, *index),
            _ => None,
        })
    }
}

impl Operand {
    fn len(&self) -> usize {
        match self {
            Operand::Place(place) => place.segments.len(),
            Operand::Literal(_) => 0,
        }
    }

    fn side<'v>(&'v self, candidate: &'v Value, root: &'v Value) -> Option<Side<'v>> {
        Some(match self {
            Operand::Literal(text) => Side::Text(text),
            Operand::Place(place) => match place.find(candidate, root)? {
                Value::Null => Side::Null,
                Value::Bool(b) => Side::Bool(*b),
                Value::Number(n) => Side::Number(n),
                Value::String(text) => Side::Text(text),
                Value::Array(_) | Value::Object(_) => Side::Container,
            },
        })
    }
}

/// One side of a comparison. Literals and strings are alike.
#[derive(Clone, Copy)]
enum Side<'v> {
    Null,
    Bool(bool),
    Number(&'v Number),
    Text(&'v str),
    Container,
}

impl Comparison {
    fn holds(self, relation: Relation) -> bool {
        let ordering = match relation {
            Relation::Ordered(ordering) => ordering,
            Relation::Different => return self == Comparison::NotEqual,
            Relation::Incomparable => return false,
        };
        match self {
            Comparison::Equal => ordering.is_eq(),
            Comparison::NotEqual => ordering.is_ne(),
            Comparison::Less => ordering.is_lt(),
            Comparison::LessOrEqual => ordering.is_le(),
            Comparison::Greater => ordering.is_gt(),
            Comparison::GreaterOrEqual => ordering.is_ge(),
        }
    }
}

fn relation(left: Side<'_>, right: Side<'_>) -> Relation {
    let is_null = |side: Side<'_>| matches!(side, Side::Null | Side::Text("null"));
    match (is_null(left), is_null(right)) {
        (true, true) => return Relation::Ordered(Ordering::Equal),
        (true, false) | (false, true) => return Relation::Different,
        (false, false) => {}
    }
    let ordering = match (left, right) {
        (Side::Bool(left), Side::Bool(right)) => Some(left.cmp(&right)),
        (Side::Bool(left), Side::Text(right)) => boolean(right).map(|right| left.cmp(&right)),
        (Side::Text(left), Side::Bool(right)) => boolean(left).map(|left| left.cmp(&right)),
        (Side::Number(left), Side::Number(right)) => compare_numbers(left, right),
        (Side::Number(left), Side::Text(right)) => {
            number(right).and_then(|right| compare_numbers(left, &right))
        }
        (Side::Text(left), Side::Number(right)) => {
            number(left).and_then(|left| compare_numbers(&left, right))
        }
        // By UTF-16 units, as the service's strings compare.
        (Side::Text(left), Side::Text(right)) => Some(left.encode_utf16().cmp(right.encode_utf16())),
        _ => return Relation::Incomparable,
    };
    ordering.map_or(Relation::Different, Relation::Ordered)
}

fn compare_numbers(left: &Number, right: &Number) -> Option<Ordering> {
    match (left, right) {
        (Number::Int(left), Number::Int(right)) => Some(left.cmp(right)),
        _ if left == right => Some(Ordering::Equal),
        _ => left.as_f64().partial_cmp(&right.as_f64()),
    }
}

fn boolean(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

fn number(text: &str) -> Option<Number> {
    // Keeps out `inf` and `NaN`, which are numbers only to Rust.
    if !text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte)) {
        return None;
    }
    match text.parse::<i64>() {
        Ok(n) => Some(Number::Int(n)),
        Err(_) => text.parse::<f64>().ok().filter(|n| n.is_finite()).map(Number::Float),
    }
}
