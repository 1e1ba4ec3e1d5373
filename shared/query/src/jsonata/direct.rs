use jlens_core::ast::{Ast, Attrs, Node, NodeKind};
use model::json::{Text, Value};

use super::{Outcome, check};
use crate::Scope;

/// `$states.input.order.id`, `$customer.name`: a variable and field names, nothing else. Most
/// expressions of real definitions are one. It is followed in the values themselves, at the
/// price of its lookups, and numbers come through with all their digits.
#[derive(Debug)]
pub(super) struct DirectPath {
    variable: Text,
    fields: Vec<Text>,
}

impl DirectPath {
    /// The path that the whole expression is, if it is one.
    pub(super) fn of(ast: &Ast) -> Option<DirectPath> {
        let (first, rest) = match &ast.root.kind {
            NodeKind::Variable { .. } => (&ast.root, &[][..]),
            NodeKind::Path { steps, keep_singleton_array: false } if plain(&ast.root.attrs) => {
                steps.split_first()?
            }
            _ => return None,
        };
        let NodeKind::Variable { name } = &first.kind else { return None };
        let addressed = !name.is_empty() && name != "$" && !check::is_function(name);
        if !addressed || !plain(&first.attrs) {
            return None;
        }
        let fields = rest.iter().map(field).collect::<Option<Vec<Text>>>()?;
        Some(DirectPath { variable: name.into(), fields })
    }

    /// The value at the end of the path; `None` when an array stands in the way, which JSONata
    /// maps over, or when the path wants `$states` itself.
    pub(super) fn evaluate(&self, scope: &dyn Scope) -> Option<Outcome> {
        if self.variable != "states" {
            return match scope.variable(&self.variable) {
                Some(value) => follow(&value, &self.fields),
                None => Some(Outcome::Undefined),
            };
        }
        let (member, fields) = self.fields.split_first()?;
        let start = match member.as_str() {
            "input" => Some(scope.input()),
            "result" => scope.result(),
            "errorOutput" => scope.error_output(),
            "context" => return follow(&scope.context(), fields),
            _ => None,
        };
        match start {
            Some(value) => follow(value, fields),
            None => Some(Outcome::Undefined),
        }
    }
}

fn follow(start: &Value, fields: &[Text]) -> Option<Outcome> {
    let mut value = start;
    for field in fields {
        value = match value {
            Value::Object(members) => match members.get(field) {
                Some(member) => member,
                None => return Some(Outcome::Undefined),
            },
            Value::Array(_) => return None,
            _ => return Some(Outcome::Undefined),
        };
    }
    Some(Outcome::Value(value.clone()))
}

fn field(step: &Node) -> Option<Text> {
    match &step.kind {
        NodeKind::Name { name } if plain(&step.attrs) => Some(name.into()),
        _ => None,
    }
}

/// Whether a step does nothing but give its value.
fn plain(attrs: &Attrs) -> bool {
    !attrs.keep_array
        && !attrs.cons_array
        && !attrs.tuple
        && attrs.focus.is_none()
        && attrs.index.is_none()
        && attrs.stages.is_empty()
        && attrs.predicate.is_empty()
        && attrs.group.is_none()
        && attrs.ancestor.is_none()
        && attrs.ancestor_label.is_none()
        && attrs.seeking_parent.is_empty()
}
