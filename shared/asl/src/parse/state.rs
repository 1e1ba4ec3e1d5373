//! A state: which fields it may have, and the types that are short enough to stand together.

use std::collections::HashMap;

use model::json::{Spanned, SpannedKind, SpannedMember, Text};
use model::timestamp::Instant;

use super::Context;
use super::at::At;
use super::expression::{Roots, Sees};
use super::graph::Visible;
use super::object::{Object, looks_like_intrinsic, looks_like_path, text_of};
use crate::diagnostic::Code;
use crate::machine::{Place, QueryLanguage, ScopeId, StateId};
use crate::state::{Fail, Flow, Parallel, Pass, State, StateKind, Succeed, Transition, Wait, WaitUntil};
use crate::template::Field;

/// What surrounds a state.
#[derive(Clone, Copy)]
pub(super) struct StateContext<'c> {
    /// The id it gets.
    pub(super) id: StateId,
    /// The state's own query language.
    pub(super) language: QueryLanguage,
    /// The scope that holds it.
    pub(super) scope: ScopeId,
    /// The states of its scope.
    pub(super) ids: &'c HashMap<Text, StateId>,
    /// Variables of outer scopes that it finds assigned.
    pub(super) visible: Option<&'c Visible<'c>>,
    /// Variables that its own inner scopes find assigned.
    pub(super) visible_inside: &'c Visible<'c>,
    /// Whether its executions are Express.
    pub(super) express: bool,
    /// How many scopes are around it, itself included.
    pub(super) depth: usize,
}

const TYPES: [&str; 8] = ["Task", "Wait", "Pass", "Succeed", "Fail", "Choice", "Parallel", "Map"];

/// The fields of a state type: for both query languages, JSONPath only, JSONata only.
/// `Type`, `Comment` and `QueryLanguage` go without saying.
struct Fields(&'static [&'static str], &'static [&'static str], &'static [&'static str]);

const COMMON: &[&str] = &["Type", "Comment", "QueryLanguage"];

/// Source: Amazon States Language; the fields that the service accepts.
fn fields(state_type: &str) -> Option<Fields> {
    Some(match state_type {
        "Task" => Fields(
            &[
                "Resource",
                "Assign",
                "Credentials",
                "Retry",
                "Catch",
                "TimeoutSeconds",
                "HeartbeatSeconds",
                "Next",
                "End",
            ],
            &[
                "InputPath",
                "OutputPath",
                "Parameters",
                "ResultSelector",
                "ResultPath",
                "TimeoutSecondsPath",
                "HeartbeatSecondsPath",
            ],
            &["Arguments", "Output"],
        ),
        "Parallel" => Fields(
            &["Branches", "Assign", "Retry", "Catch", "Next", "End"],
            &["InputPath", "OutputPath", "Parameters", "ResultSelector", "ResultPath"],
            &["Arguments", "Output"],
        ),
        "Map" => Fields(
            &[
                "ItemProcessor",
                "Iterator",
                "ItemSelector",
                "ItemReader",
                "ItemBatcher",
                "ResultWriter",
                "MaxConcurrency",
                "ToleratedFailureCount",
                "ToleratedFailurePercentage",
                "Label",
                "Assign",
                "Retry",
                "Catch",
                "Next",
                "End",
            ],
            &[
                "InputPath",
                "OutputPath",
                "Parameters",
                "ResultSelector",
                "ResultPath",
                "ItemsPath",
                "MaxConcurrencyPath",
                "ToleratedFailureCountPath",
                "ToleratedFailurePercentagePath",
            ],
            &["Items", "Output"],
        ),
        "Pass" => Fields(
            &["Assign", "Next", "End"],
            &["InputPath", "OutputPath", "Parameters", "Result", "ResultPath"],
            &["Output"],
        ),
        "Wait" => Fields(
            &["Seconds", "Timestamp", "Assign", "Next", "End"],
            &["InputPath", "OutputPath", "SecondsPath", "TimestampPath"],
            &["Output"],
        ),
        "Choice" => Fields(&["Choices", "Default", "Assign"], &["InputPath", "OutputPath"], &["Output"]),
        "Succeed" => Fields(&[], &["InputPath", "OutputPath"], &["Output"]),
        "Fail" => Fields(&["Error", "Cause"], &["ErrorPath", "CausePath"], &[]),
        _ => return None,
    })
}

/// Whether `name` is the name of a state type.
pub(super) fn is_type(name: &str) -> bool {
    TYPES.contains(&name)
}

impl Context<'_> {
    /// The state `member` of `States`. None when something is wrong in it.
    pub(super) fn state(
        &mut self,
        member: &SpannedMember,
        at: At<'_>,
        around: &StateContext<'_>,
    ) -> Option<State> {
        let mut object = self.object(&member.value, at)?;
        let state_type = self.state_type(&object);
        let (language, downgraded) = self.query_language(&object);
        let state = StateContext { language, ..*around };
        let Fields(both, path, jsonata) = fields(state_type.as_deref()?)?;
        let both = [COMMON, both].concat();
        if downgraded {
            let message = "'QueryLanguage' can not be 'JSONPath' if set to 'JSONata' for whole state machine";
            self.schema(message, &at, object.span);
            let all = [both.as_slice(), path, jsonata].concat();
            self.only(&mut object, &all);
            object.retain(|member| !jsonata.contains(&member.name.as_str()));
        } else {
            self.only_of_language(&mut object, &state, &both, path, jsonata);
        }
        self.query_language_value(&object);
        let comment = self.comment(&object);
        let kind = match state_type.as_deref()? {
            "Task" => StateKind::Task(Box::new(self.task(&object, &state)?)),
            "Parallel" => StateKind::Parallel(Box::new(self.parallel(&object, &state)?)),
            "Map" => StateKind::Map(Box::new(self.map(&object, &state)?)),
            "Pass" => StateKind::Pass(Box::new(self.pass(&object, &state)?)),
            "Wait" => StateKind::Wait(Box::new(self.wait(&object, &state)?)),
            "Choice" => StateKind::Choice(Box::new(self.choice(&object, &state)?)),
            "Succeed" => {
                StateKind::Succeed(Box::new(Succeed { flow: self.flow(&object, &state, Sees::INPUT) }))
            }
            _ => StateKind::Fail(Box::new(self.fail(&object, &state)?)),
        };
        Some(State {
            name: member.name.clone(),
            scope: state.scope,
            place: Place { location: at.location(), span: object.span },
            comment,
            query_language: language,
            kind,
        })
    }

    fn state_type(&mut self, object: &Object<'_, '_>) -> Option<Text> {
        if !self.required(object, &["Type"]) {
            return None;
        }
        let node = object.get("Type")?;
        match text_of(node) {
            Some(text) if is_type(text) => Some(text.clone()),
            _ => {
                let message =
                    format!("The field 'Type' should have one of these values: [{}]", TYPES.join(", "));
                self.schema(message, &object.at.member("Type"), node.span);
                None
            }
        }
    }

    /// The effective language of a state, and whether it goes back to JSONPath in a JSONata
    /// machine. Whatever is not exactly `JSONPath` counts as JSONata, known or not.
    fn query_language(&mut self, object: &Object<'_, '_>) -> (QueryLanguage, bool) {
        let Some(node) = object.get("QueryLanguage") else { return (self.query_language, false) };
        let language = language_of(node);
        let downgraded = language == QueryLanguage::JsonPath && self.query_language == QueryLanguage::Jsonata;
        (language, downgraded)
    }

    /// Reports a `QueryLanguage` that is none.
    pub(super) fn query_language_value(&mut self, object: &Object<'_, '_>) {
        let Some(node) = object.get("QueryLanguage") else { return };
        let at = object.at.member("QueryLanguage");
        match text_of(node) {
            Some(text) if text == "JSONPath" || text == "JSONata" => {}
            Some(_) => self.not_one_of(node, &at, &["JSONPath", "JSONata"]),
            None => self.schema("Expected value of type [STRING]", &at, node.span),
        }
    }

    /// Reports fields that do not belong here, or not in this query language, and drops them.
    pub(super) fn only_of_language(
        &mut self,
        object: &mut Object<'_, '_>,
        state: &StateContext<'_>,
        both: &[&str],
        path: &[&str],
        jsonata: &[&str],
    ) {
        let (own, other, own_name, other_name) = match state.language {
            QueryLanguage::JsonPath => (path, jsonata, "JSONPath", "JSONata"),
            QueryLanguage::Jsonata => (jsonata, path, "JSONata", "JSONPath"),
        };
        let known = |name: &str| both.contains(&name) || own.contains(&name);
        for member in object.members() {
            let name = member.name.as_str();
            if known(name) {
                continue;
            }
            if other.contains(&name) {
                let message = format!(
                    "The QueryLanguage is set to '{own_name}', but field '{name}' is only supported for the \
                     '{other_name}' QueryLanguage"
                );
                self.schema(message, &object.at, member.name_span);
            } else {
                self.unsupported(name, &object.at, member.name_span);
            }
        }
        object.retain(|member| known(&member.name));
    }

    /// `Comment`.
    pub(super) fn comment(&mut self, object: &Object<'_, '_>) -> Option<Text> {
        self.text(object, "Comment")
    }

    /// The fields of data flow. What the state type does not allow is not in `object` any more.
    pub(super) fn flow(&mut self, object: &Object<'_, '_>, state: &StateContext<'_>, sees: Sees) -> Flow {
        let language = state.language;
        let arguments = match language {
            QueryLanguage::JsonPath => "Parameters",
            QueryLanguage::Jsonata => "Arguments",
        };
        Flow {
            input_path: self.selection(object, "InputPath"),
            arguments: self.template(object, language, arguments, Sees::INPUT),
            result_selector: self.template(object, language, "ResultSelector", sees),
            result_path: self.placement(object, "ResultPath"),
            output_path: self.selection(object, "OutputPath"),
            output: self.template(object, language, "Output", sees),
            assign: self.assign(object, state, language, sees),
        }
    }

    /// `Next` or `End: true`, exactly one of them.
    pub(super) fn transition(
        &mut self,
        object: &Object<'_, '_>,
        state: &StateContext<'_>,
    ) -> Option<Transition> {
        let ends = self.boolean(object, "End").unwrap_or(false);
        let malformed_end = object.get("End").is_some_and(|node| !matches!(node.kind, SpannedKind::Bool(_)));
        match (object.has("Next"), ends) {
            (true, true) => {
                self.at_most_one(object, &["Next", "End"]);
                None
            }
            (true, false) => self.target(object, "Next", state).map(Transition::Next),
            (false, true) => Some(Transition::End),
            (false, false) => {
                if !malformed_end {
                    let message = "This object should have only one of the following fields: [Next, End]";
                    self.schema(message, &object.at, object.span);
                }
                None
            }
        }
    }

    /// The state that the member `name` names. An unknown one is reported by the walk over the
    /// scope's transitions.
    pub(super) fn target(
        &mut self,
        object: &Object<'_, '_>,
        name: &str,
        state: &StateContext<'_>,
    ) -> Option<StateId> {
        let target = self.text(object, name)?;
        state.ids.get(&target).copied()
    }

    fn parallel(&mut self, object: &Object<'_, '_>, state: &StateContext<'_>) -> Option<Parallel> {
        self.required(object, &["Branches"]);
        let flow = self.flow(object, state, Sees::RESULT);
        let branches = object.get("Branches").and_then(|node| {
            let at = object.at.member("Branches");
            let items = self.filled_array(node, &at)?;
            let mut branches = Vec::with_capacity(items.len());
            for (index, item) in items.iter().enumerate() {
                branches.push(self.branch(item, at.element(index), state));
            }
            branches.into_iter().collect::<Option<Vec<ScopeId>>>()
        });
        let retry = self.retry(object);
        let catch = self.catch(object, state);
        let transition = self.transition(object, state);
        Some(Parallel { flow, branches: branches?, retry, catch, transition: transition? })
    }

    fn branch(&mut self, node: &Spanned, at: At<'_>, state: &StateContext<'_>) -> Option<ScopeId> {
        let mut object = self.object(node, at)?;
        self.only(&mut object, &["Comment", "StartAt", "States"]);
        self.nested_scope(&object, state, state.express, true)
    }

    fn pass(&mut self, object: &Object<'_, '_>, state: &StateContext<'_>) -> Option<Pass> {
        let flow = self.flow(object, state, Sees::INPUT);
        if let Some(node) = object.get("Result") {
            self.static_result(node, &object.at.member("Result"));
        }
        let result = object.get("Result").map(Spanned::to_value);
        let transition = self.transition(object, state);
        Some(Pass { flow, result, transition: transition? })
    }

    /// Warns of paths in a constant.
    fn static_result(&mut self, node: &Spanned, at: &At<'_>) {
        match &node.kind {
            SpannedKind::String(text) if looks_like_path(text) || looks_like_intrinsic(text) => {
                let message = "Attempt to use a path in the result of a pass state.";
                self.report(Code::PassResultIsStatic, message, Some(at), Some(node.span));
            }
            SpannedKind::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.static_result(item, &at.element(index));
                }
            }
            SpannedKind::Object(members) => {
                for member in members {
                    self.static_result(&member.value, &at.member(&member.name));
                }
            }
            _ => {}
        }
    }

    fn wait(&mut self, object: &Object<'_, '_>, state: &StateContext<'_>) -> Option<Wait> {
        let names: &[&str] = match state.language {
            QueryLanguage::JsonPath => &["SecondsPath", "Seconds", "TimestampPath", "Timestamp"],
            QueryLanguage::Jsonata => &["Seconds", "Timestamp"],
        };
        let one = self.exactly_one(object, names);
        let flow = self.flow(object, state, Sees::INPUT);
        let seconds = self.integer_field(object, state.language, "Seconds", 0..=99_999_999, Roots::Any);
        let timestamp =
            self.number_field(object, state.language, "Timestamp", Roots::Any, |context, node, at| {
                context.timestamp(node, at).map(Instant::timestamp)
            });
        let transition = self.transition(object, state);
        let until = match (seconds, timestamp) {
            (Some(seconds), _) => WaitUntil::Seconds(seconds),
            (None, Some(timestamp)) => WaitUntil::Timestamp(timestamp),
            (None, None) => return None,
        };
        one.then_some(Wait { flow, until, transition: transition? })
    }

    /// A constant timestamp.
    pub(super) fn timestamp(&mut self, node: &Spanned, at: &At<'_>) -> Option<Instant> {
        let timestamp = text_of(node).and_then(|text| Instant::parse_rfc3339(text).ok());
        if timestamp.is_none() {
            self.schema("String does not match RFC3339 timestamp", at, node.span);
            self.warn_of_path(node, at);
        }
        timestamp
    }

    fn fail(&mut self, object: &Object<'_, '_>, state: &StateContext<'_>) -> Option<Fail> {
        let error = self.fail_field(object, state, "Error", "ErrorPath");
        let cause = self.fail_field(object, state, "Cause", "CausePath");
        Some(Fail { error, cause })
    }

    fn fail_field(
        &mut self,
        object: &Object<'_, '_>,
        state: &StateContext<'_>,
        name: &str,
        path_name: &str,
    ) -> Option<Field<Text>> {
        self.at_most_one(object, &[name, path_name]);
        if object.has(path_name) {
            return self.path_or_intrinsic(object, path_name);
        }
        self.text_field(object, state.language, name)
    }
}

/// The language that a `QueryLanguage` node selects.
pub(super) fn language_of(node: &Spanned) -> QueryLanguage {
    match text_of(node) {
        Some(text) if text == "JSONPath" => QueryLanguage::JsonPath,
        _ => QueryLanguage::Jsonata,
    }
}
