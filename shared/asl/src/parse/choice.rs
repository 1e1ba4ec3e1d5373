//! `Choice`: rules, comparators and their operands.

use model::json::{Spanned, SpannedKind, Text};

use super::Context;
use super::at::At;
use super::expression::Sees;
use super::object::{Kind, Object, text_of};
use super::state::StateContext;
use crate::machine::QueryLanguage;
use crate::state::{Choice, ChoiceRule, Comparator, Condition, Operand, Ordering, Test};

/// The comparators with a constant operand, in the order in which messages list them.
const COMPARATORS: [&str; 39] = [
    "StringEquals",
    "StringEqualsPath",
    "StringLessThan",
    "StringLessThanPath",
    "StringGreaterThan",
    "StringGreaterThanPath",
    "StringLessThanEquals",
    "StringLessThanEqualsPath",
    "StringGreaterThanEquals",
    "StringGreaterThanEqualsPath",
    "StringMatches",
    "NumericEquals",
    "NumericEqualsPath",
    "NumericLessThan",
    "NumericLessThanPath",
    "NumericGreaterThan",
    "NumericGreaterThanPath",
    "NumericLessThanEquals",
    "NumericLessThanEqualsPath",
    "NumericGreaterThanEquals",
    "NumericGreaterThanEqualsPath",
    "BooleanEquals",
    "BooleanEqualsPath",
    "TimestampEquals",
    "TimestampEqualsPath",
    "TimestampLessThan",
    "TimestampLessThanPath",
    "TimestampGreaterThan",
    "TimestampGreaterThanPath",
    "TimestampLessThanEquals",
    "TimestampLessThanEqualsPath",
    "TimestampGreaterThanEquals",
    "TimestampGreaterThanEqualsPath",
    "IsNull",
    "IsPresent",
    "IsNumeric",
    "IsString",
    "IsBoolean",
    "IsTimestamp",
];

/// What a rule can be. `Condition` is for JSONata, the others for JSONPath.
const FORMS: [&str; 5] = ["And", "Or", "Not", "Variable", "Condition"];

impl Context<'_> {
    pub(super) fn choice(&mut self, object: &Object<'_, '_>, state: &StateContext<'_>) -> Option<Choice> {
        self.required(object, &["Choices"]);
        let flow = self.flow(object, state, Sees::INPUT);
        let rules = object.get("Choices").and_then(|node| {
            let at = object.at.member("Choices");
            let items = self.filled_array(node, &at)?;
            let mut rules = Vec::with_capacity(items.len());
            for (index, item) in items.iter().enumerate() {
                rules.push(self.rule(item, at.element(index), state));
            }
            rules.into_iter().collect::<Option<Vec<ChoiceRule>>>()
        });
        let default = self.target(object, "Default", state);
        Some(Choice { flow, rules: rules?, default })
    }

    /// An element of `Choices`.
    fn rule(&mut self, node: &Spanned, at: At<'_>, state: &StateContext<'_>) -> Option<ChoiceRule> {
        let mut object = self.object(node, at)?;
        self.rule_fields(&mut object, state, &["Comment", "Next", "Assign"], &["Output"]);
        self.comment(&object);
        self.required(&object, &["Next"]);
        let condition = match state.language {
            QueryLanguage::JsonPath => self.condition(&object, state),
            QueryLanguage::Jsonata => self.jsonata_condition(&object),
        };
        let output = match state.language {
            QueryLanguage::Jsonata => self.template(&object, state.language, "Output", Sees::INPUT),
            QueryLanguage::JsonPath => None,
        };
        let assign = self.assign(&object, state, state.language, Sees::INPUT);
        let next = self.target(&object, "Next", state);
        Some(ChoiceRule { condition: condition?, output, assign, next: next? })
    }

    fn rule_fields(
        &mut self,
        object: &mut Object<'_, '_>,
        state: &StateContext<'_>,
        both: &[&str],
        jsonata: &[&str],
    ) {
        let path = [&["And", "Or", "Not", "Variable"], COMPARATORS.as_slice()].concat();
        let jsonata = [&["Condition"], jsonata].concat();
        self.only_of_language(object, state, both, &path, &jsonata);
    }

    fn jsonata_condition(&mut self, object: &Object<'_, '_>) -> Option<Condition> {
        if !self.required(object, &["Condition"]) {
            return None;
        }
        let node = object.get("Condition")?;
        let at = object.at.member("Condition");
        match &node.kind {
            SpannedKind::Bool(b) => Some(Condition::Constant(*b)),
            SpannedKind::String(text) if self.delimited(node, text, &at).ok()? => {
                self.jsonata(node, text, &at, Sees::INPUT).map(Condition::Query)
            }
            _ => {
                self.wrong_type(node, &at, Kind::Boolean);
                None
            }
        }
    }

    /// A rule or nested rule of JSONPath: exactly one of its forms.
    fn condition(&mut self, object: &Object<'_, '_>, state: &StateContext<'_>) -> Option<Condition> {
        let forms: Vec<&str> = FORMS.iter().copied().filter(|form| object.has(form)).collect();
        let [form] = forms.as_slice() else {
            let message =
                format!("The object must have only one of the following fields, [{}]", FORMS.join(", "));
            self.schema(message, &object.at, object.span);
            return None;
        };
        if *form == "Variable" {
            return self.test(object).map(Condition::Test);
        }
        for member in object.members() {
            if COMPARATORS.contains(&member.name.as_str()) {
                self.unsupported(&member.name, &object.at, member.name_span);
            }
        }
        let node = object.get(form)?;
        let at = object.at.member(form);
        if *form == "Not" {
            return self.nested(node, at, state).map(|rule| Condition::Not(Box::new(rule)));
        }
        let items = self.filled_array(node, &at)?;
        let mut rules = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            rules.push(self.nested(item, at.element(index), state));
        }
        let rules = rules.into_iter().collect::<Option<Vec<Condition>>>()?;
        Some(if *form == "And" { Condition::And(rules) } else { Condition::Or(rules) })
    }

    /// A rule inside of `And`, `Or` or `Not`: it has no `Next`.
    fn nested(&mut self, node: &Spanned, at: At<'_>, state: &StateContext<'_>) -> Option<Condition> {
        let mut object = self.object(node, at)?;
        self.rule_fields(&mut object, state, &["Comment"], &[]);
        self.comment(&object);
        self.condition(&object, state)
    }

    /// `Variable` and exactly one comparator.
    fn test(&mut self, object: &Object<'_, '_>) -> Option<Test> {
        let variable =
            object.get("Variable").and_then(|node| self.choice_path(node, &object.at.member("Variable")));
        if !self.exactly_one(object, &COMPARATORS) {
            return None;
        }
        let name = COMPARATORS.iter().copied().find(|name| object.has(name))?;
        let node = object.get(name)?;
        let comparator = self.comparator(name, node, &object.at.member(name));
        Some(Test { variable: variable?, comparator: comparator? })
    }

    fn comparator(&mut self, name: &str, node: &Spanned, at: &At<'_>) -> Option<Comparator> {
        let flag = match name {
            "IsNull" => Some(Comparator::IsNull as fn(bool) -> Comparator),
            "IsPresent" => Some(Comparator::IsPresent as fn(bool) -> Comparator),
            "IsNumeric" => Some(Comparator::IsNumeric as fn(bool) -> Comparator),
            "IsString" => Some(Comparator::IsString as fn(bool) -> Comparator),
            "IsBoolean" => Some(Comparator::IsBoolean as fn(bool) -> Comparator),
            "IsTimestamp" => Some(Comparator::IsTimestamp as fn(bool) -> Comparator),
            _ => None,
        };
        if let Some(flag) = flag {
            return self.bool_of(node, at).map(flag);
        }
        if name == "StringMatches" {
            return self.text_of_operand(node, at).map(Comparator::StringMatches);
        }
        let (base, is_path) = match name.strip_suffix("Path") {
            Some(base) => (base, true),
            None => (name, false),
        };
        if let Some(order) = base.strip_prefix("String") {
            let operand = self.operand(node, at, is_path, Self::text_of_operand)?;
            return Some(Comparator::String(ordering(order)?, operand));
        }
        if let Some(order) = base.strip_prefix("Numeric") {
            let operand = self.operand(node, at, is_path, |context, node, at| match &node.kind {
                SpannedKind::Number(number) => Some(number.clone()),
                _ => {
                    context.wrong_type(node, at, Kind::Float);
                    context.warn_of_path(node, at);
                    None
                }
            })?;
            return Some(Comparator::Numeric(ordering(order)?, operand));
        }
        if let Some(order) = base.strip_prefix("Timestamp") {
            let operand = self.operand(node, at, is_path, Self::timestamp)?;
            return Some(Comparator::Timestamp(ordering(order)?, operand));
        }
        self.operand(node, at, is_path, Self::bool_of).map(Comparator::Boolean)
    }

    fn operand<T>(
        &mut self,
        node: &Spanned,
        at: &At<'_>,
        is_path: bool,
        constant: impl FnOnce(&mut Self, &Spanned, &At<'_>) -> Option<T>,
    ) -> Option<Operand<T>> {
        if is_path {
            self.choice_path(node, at).map(Operand::Path)
        } else {
            constant(self, node, at).map(Operand::Constant)
        }
    }

    fn text_of_operand(&mut self, node: &Spanned, at: &At<'_>) -> Option<Text> {
        let text = text_of(node).cloned();
        match text {
            Some(_) => self.warn_of_path(node, at),
            None => self.wrong_type(node, at, Kind::String),
        }
        text
    }

    fn bool_of(&mut self, node: &Spanned, at: &At<'_>) -> Option<bool> {
        match node.kind {
            SpannedKind::Bool(b) => Some(b),
            _ => {
                self.wrong_type(node, at, Kind::Boolean);
                self.warn_of_path(node, at);
                None
            }
        }
    }
}

fn ordering(name: &str) -> Option<Ordering> {
    Some(match name {
        "Equals" => Ordering::Equals,
        "LessThan" => Ordering::LessThan,
        "GreaterThan" => Ordering::GreaterThan,
        "LessThanEquals" => Ordering::LessThanEquals,
        "GreaterThanEquals" => Ordering::GreaterThanEquals,
        _ => return None,
    })
}
