//! `Map`: items, processor, and what only a distributed Map has.

use model::json::{Spanned, SpannedKind, Text};
use model::limits;
use model::name::{NameError, check_label};

use super::Context;
use super::expression::{Roots, Sees};
use super::object::{Kind, Object, text_of};
use super::state::StateContext;
use crate::diagnostic::Code;
use crate::machine::{QueryLanguage, ScopeId};
use crate::state::{Distributed, ExecutionType, Items, Map};
use crate::template::{Field, Template};

impl Context<'_> {
    pub(super) fn map(&mut self, object: &Object<'_, '_>, state: &StateContext<'_>) -> Option<Map> {
        let language = state.language;
        self.at_most_one(object, &["ItemSelector", "Parameters"]);
        let mut flow = self.flow(object, state, Sees::RESULT);
        let legacy_selector = flow.arguments.take();
        let item_selector = self.template(object, language, "ItemSelector", Sees::INPUT).or(legacy_selector);
        let items = self.items(object, language);
        let max_concurrency =
            self.integer_field(object, language, "MaxConcurrency", 0..=i64::MAX, Roots::Data);
        let tolerated_failure_count =
            self.integer_field(object, language, "ToleratedFailureCount", 0..=i64::MAX, Roots::Data);
        let tolerated_failure_percentage = self.number_field(
            object,
            language,
            "ToleratedFailurePercentage",
            Roots::Data,
            |context, node, at| context.float_of(node, at, 0.0..=limits::TOLERATED_FAILURE_PERCENTAGE_MAX),
        );
        let label = self.label(object);
        let item_reader = self.item_reader(object, state);
        let item_batcher = self.item_batcher(object, state);
        let result_writer = self.result_writer(object, state);
        let processor = self.processor(object, state);
        let retry = self.retry(object);
        let catch = self.catch(object, state);
        let transition = self.transition(object, state);
        let (processor, execution_type) = processor?;
        let distributed = execution_type.map(|execution_type| {
            Box::new(Distributed { execution_type, label, item_reader, item_batcher, result_writer })
        });
        Some(Map {
            flow,
            items: items?,
            item_selector,
            processor,
            distributed,
            max_concurrency,
            tolerated_failure_count,
            tolerated_failure_percentage,
            retry,
            catch,
            transition: transition?,
        })
    }

    fn items(&mut self, object: &Object<'_, '_>, language: QueryLanguage) -> Option<Items> {
        if let Some(node) = object.get("ItemsPath") {
            return self.reference(node, &object.at.member("ItemsPath"), Roots::Any).map(Items::Path);
        }
        let Some(node) = object.get("Items") else { return Some(Items::Input) };
        let at = object.at.member("Items");
        match &node.kind {
            SpannedKind::String(text) if self.delimited(node, text, &at).ok()? => {
                self.jsonata(node, text, &at, Sees::INPUT).map(Items::Query)
            }
            SpannedKind::Array(_) | SpannedKind::Object(_) => {
                self.template_of(node, &at, language, Sees::INPUT).map(Items::Template)
            }
            _ => {
                self.wrong_type(node, &at, Kind::Array);
                None
            }
        }
    }

    /// `ItemProcessor`, or `Iterator` under its legacy name. The execution type is that of a
    /// distributed Map.
    fn processor(
        &mut self,
        object: &Object<'_, '_>,
        state: &StateContext<'_>,
    ) -> Option<(ScopeId, Option<ExecutionType>)> {
        if !self.exactly_one(object, &["ItemProcessor", "Iterator"]) {
            return None;
        }
        let name = if object.has("ItemProcessor") { "ItemProcessor" } else { "Iterator" };
        let mut processor = self.object(object.get(name)?, object.at.member(name))?;
        self.only(&mut processor, &["Comment", "ProcessorConfig", "StartAt", "States"]);
        let execution_type = self.processor_config(&processor, state);
        let (express, inherits_variables) = match execution_type {
            Some(execution_type) => (execution_type == ExecutionType::Express, false),
            None => (state.express, true),
        };
        let scope = self.nested_scope(&processor, state, express, inherits_variables);
        Some((scope?, execution_type))
    }

    fn processor_config(
        &mut self,
        processor: &Object<'_, '_>,
        state: &StateContext<'_>,
    ) -> Option<ExecutionType> {
        let node = processor.get("ProcessorConfig")?;
        let mut config = self.object(node, processor.at.member("ProcessorConfig"))?;
        let mode = self.one_of(&config, "Mode", &["INLINE", "DISTRIBUTED"]);
        if mode.as_deref() != Some("DISTRIBUTED") {
            if mode.is_some() || !config.has("Mode") {
                self.only(&mut config, &["Mode"]);
            }
            return None;
        }
        self.only(&mut config, &["Mode", "ExecutionType"]);
        if state.express {
            let message =
                "The field 'Mode' with value 'DISTRIBUTED' is not supported inside 'EXPRESS' state machines";
            self.schema(message, &config.at.member("Mode"), config.span);
        }
        self.required(&config, &["ExecutionType"]);
        Some(match self.one_of(&config, "ExecutionType", &["STANDARD", "EXPRESS"]).as_deref() {
            Some("EXPRESS") => ExecutionType::Express,
            _ => ExecutionType::Standard,
        })
    }

    /// `Label`: unique, and fit to be part of an ARN.
    fn label(&mut self, object: &Object<'_, '_>) -> Option<Text> {
        let label = self.text(object, "Label")?;
        let at = object.at.member("Label");
        let span = object.get("Label")?.span;
        let (code, message) = match check_label(&label) {
            Ok(()) if self.labels.insert(label.clone()) => return Some(label),
            Ok(()) => (Code::DuplicateLabelName, format!("Duplicate Label name: {label}")),
            Err(NameError::TooLong { chars_max, .. }) => {
                let message = format!(
                    "Label name '{label}' exceeds the {chars_max}-character limit allowed by the service"
                );
                (Code::InvalidLabelName, message)
            }
            Err(error) => (Code::InvalidLabelName, format!("Label name '{label}' {error}")),
        };
        self.report(code, message, Some(&at), Some(span));
        None
    }

    /// `Parameters` or `Arguments` of a reader or writer: an object, or an expression in JSONata.
    pub(super) fn reader_arguments(
        &mut self,
        object: &Object<'_, '_>,
        state: &StateContext<'_>,
    ) -> Option<Template> {
        let name = arguments_name(state.language);
        let node = object.get(name)?;
        let is_text = state.language == QueryLanguage::Jsonata && text_of(node).is_some();
        if !is_text && !matches!(node.kind, SpannedKind::Object(_)) {
            self.wrong_type(node, &object.at.member(name), Kind::Object);
            return None;
        }
        self.template(object, state.language, name, Sees::INPUT)
    }

    /// A string of an enumeration, or an expression in JSONata.
    pub(super) fn one_of_field(
        &mut self,
        object: &Object<'_, '_>,
        language: QueryLanguage,
        name: &str,
        values: &[&str],
    ) -> Option<Field<Text>> {
        let node: &Spanned = object.get(name)?;
        let at = object.at.member(name);
        match text_of(node) {
            Some(text) if language == QueryLanguage::Jsonata && self.delimited(node, text, &at).ok()? => {
                self.jsonata(node, text, &at, Sees::INPUT).map(Field::Query)
            }
            _ => self.one_of(object, name, values).map(Field::Constant),
        }
    }
}

/// `Parameters` in JSONPath, `Arguments` in JSONata.
pub(super) fn arguments_name(language: QueryLanguage) -> &'static str {
    match language {
        QueryLanguage::JsonPath => "Parameters",
        QueryLanguage::Jsonata => "Arguments",
    }
}
