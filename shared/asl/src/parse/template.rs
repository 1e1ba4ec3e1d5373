//! Payload templates of both query languages, and `Assign`.

use model::json::{Spanned, SpannedKind, SpannedMember, Text, Value};
use model::name::{NameError, check_variable_name};
use query::intrinsic;

use super::Context;
use super::at::{At, shorten};
use super::expression::Sees;
use super::object::{Kind, Object, looks_like_intrinsic, looks_like_path};
use super::state::StateContext;
use crate::diagnostic::Code;
use crate::machine::QueryLanguage;
use crate::template::{Assign, Template};

impl Context<'_> {
    /// The member `name` as a template of the state's query language.
    pub(super) fn template(
        &mut self,
        object: &Object<'_, '_>,
        language: QueryLanguage,
        name: &str,
        sees: Sees,
    ) -> Option<Template> {
        let node = object.get(name)?;
        let at = object.at.member(name);
        if language == QueryLanguage::JsonPath
            && !matches!(node.kind, SpannedKind::Object(_) | SpannedKind::Array(_))
        {
            self.wrong_type(node, &at, Kind::Object);
            return None;
        }
        self.template_of(node, &at, language, sees)
    }

    /// `node` as a template. A part without expressions becomes one [`Template::Static`].
    pub(super) fn template_of(
        &mut self,
        node: &Spanned,
        at: &At<'_>,
        language: QueryLanguage,
        sees: Sees,
    ) -> Option<Template> {
        match &node.kind {
            SpannedKind::String(text) => self.template_text(node, text, at, language, sees),
            SpannedKind::Array(items) => self.template_array(items, at, language, sees),
            SpannedKind::Object(members) => self.template_object(members, at, language, sees),
            SpannedKind::Null | SpannedKind::Bool(_) | SpannedKind::Number(_) => {
                Some(Template::Static(node.to_value()))
            }
        }
    }

    // The recursive functions are plain loops with small frames: a definition may be nested
    // as deeply as JSON may.

    fn template_array(
        &mut self,
        items: &[Spanned],
        at: &At<'_>,
        language: QueryLanguage,
        sees: Sees,
    ) -> Option<Template> {
        let mut out = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            // Goes on after a mistake, so that every finding is reported.
            out.extend(self.template_of(item, &at.element(index), language, sees));
        }
        (out.len() == items.len()).then(|| join_array(out))
    }

    fn template_text(
        &mut self,
        node: &Spanned,
        text: &Text,
        at: &At<'_>,
        language: QueryLanguage,
        sees: Sees,
    ) -> Option<Template> {
        match language {
            QueryLanguage::Jsonata => {
                if self.delimited(node, text, at).ok()? {
                    return self.jsonata(node, text, at, sees).map(Template::Query);
                }
            }
            QueryLanguage::JsonPath => {
                if looks_like_path(text) || looks_like_intrinsic(text) {
                    let message = "No '.$' on a field that appears to be a JSONPath or Intrinsic Function.";
                    self.report(Code::NoDollar, message, Some(at), Some(node.span));
                }
            }
        }
        Some(Template::Static(Value::String(text.clone())))
    }

    fn template_object(
        &mut self,
        members: &[SpannedMember],
        at: &At<'_>,
        language: QueryLanguage,
        sees: Sees,
    ) -> Option<Template> {
        let mut out = Vec::with_capacity(members.len());
        for member in members {
            let (name, template) = match member.name.strip_suffix(".$") {
                Some(name) if language == QueryLanguage::JsonPath => (name, self.template_path(member, at)),
                _ => {
                    let at = at.member(&member.name);
                    (member.name.as_str(), self.template_of(&member.value, &at, language, sees))
                }
            };
            if let Some(template) = template {
                out.push((Text::new(name), template));
            }
        }
        (out.len() == members.len()).then(|| join_object(out))
    }

    /// The value of a member whose name ends in `.$`.
    fn template_path(&mut self, member: &SpannedMember, at: &At<'_>) -> Option<Template> {
        if let SpannedKind::String(text) = &member.value.kind
            && let Ok(expression) = intrinsic::Expression::parse(text)
        {
            return Some(Template::Path(expression));
        }
        let message = format!(
            "The value for the field '{}' must be a valid JSONPath or a valid intrinsic function call",
            member.name
        );
        self.schema(message, at, member.value.span);
        None
    }

    /// `Assign`: checks the names of the variables too.
    pub(super) fn assign(
        &mut self,
        object: &Object<'_, '_>,
        state: &StateContext<'_>,
        language: QueryLanguage,
        sees: Sees,
    ) -> Assign {
        let Some(node) = object.get("Assign") else { return Assign::new() };
        let at = object.at.member("Assign");
        let Some(variables) = self.object(node, at) else { return Assign::new() };
        for member in variables.members() {
            self.variable_name(member, &at.member(&member.name), state, language);
        }
        match self.template_of(node, &at, language, sees) {
            Some(Template::Object(members)) => members,
            Some(Template::Static(Value::Object(members))) => {
                members.iter().map(|(name, value)| (name.clone(), Template::Static(value.clone()))).collect()
            }
            _ => Assign::new(),
        }
    }

    fn variable_name(
        &mut self,
        member: &SpannedMember,
        at: &At<'_>,
        state: &StateContext<'_>,
        language: QueryLanguage,
    ) {
        let name = variable(&member.name, language);
        let shown = shorten(name.to_owned(), 200);
        let (code, message) = match check_variable_name(name) {
            Err(NameError::Reserved(_)) => {
                (Code::ReservedVariableName, format!("Cannot assign to reserved variable '${shown}'."))
            }
            Err(NameError::TooLong { chars_max, .. }) => {
                let message = format!(
                    "Invalid variable name '{shown}': the variable name exceeds {chars_max} characters."
                );
                (Code::InvalidVariableName, message)
            }
            Err(_) => {
                let message = format!(
                    "Invalid variable name '{shown}': the variable name contains invalid characters."
                );
                (Code::InvalidVariableName, message)
            }
            Ok(()) if state.visible.is_some_and(|visible| visible.has(name)) => {
                let message = format!("Variable '{shown}' is already assigned in an outer scope");
                (Code::SchemaValidationFailed, message)
            }
            Ok(()) => return,
        };
        self.report(code, message, Some(at), Some(member.name_span));
    }
}

/// The name of the variable that the member `name` of an `Assign` sets.
pub(super) fn variable(name: &str, language: QueryLanguage) -> &str {
    match language {
        QueryLanguage::JsonPath => name.strip_suffix(".$").unwrap_or(name),
        QueryLanguage::Jsonata => name,
    }
}

fn join_array(items: Vec<Template>) -> Template {
    if items.iter().all(|item| matches!(item, Template::Static(_))) {
        return Template::Static(items.into_iter().filter_map(into_static).collect());
    }
    Template::Array(items)
}

fn join_object(members: Vec<(Text, Template)>) -> Template {
    if members.iter().all(|(_, template)| matches!(template, Template::Static(_))) {
        let members = members.into_iter().filter_map(|(name, template)| Some((name, into_static(template)?)));
        return Template::Static(members.collect());
    }
    Template::Object(members)
}

fn into_static(template: Template) -> Option<Value> {
    match template {
        Template::Static(value) => Some(value),
        _ => None,
    }
}
