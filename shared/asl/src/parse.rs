//! From text to a [`Machine`] and diagnostics.
//!
//! Reading order: [`parse`], `scope` (names and transitions), `state` (the fields of each type),
//! then one file per concept. Every finding is reported in one run; the machine is there only
//! when none of them is an ERROR.

mod at;
mod choice;
mod distributed;
mod expression;
mod graph;
mod map;
mod object;
mod retry;
mod scope;
mod state;
mod task;
mod template;
#[cfg(test)]
mod tests;

use std::collections::HashSet;

use model::json::{self, ParseError, Span, Spanned, SpannedKind, SpannedMember, Text};
use model::limits;
use model::status::StateMachineType;

use self::at::{At, shorten};
use self::object::Object;
use self::scope::ScopeContext;
use self::state::language_of;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::machine::{Machine, QueryLanguage, Scope};
use crate::resource::SdkAction;
use crate::state::State;
use crate::substitute::{self, Substitutions};
use crate::yaml;

/// At most so many findings are kept; what follows is left out (the API shows 100).
pub const DIAGNOSTICS_MAX: usize = 1_000;

/// A message that quotes a longer text is cut in its middle.
const MESSAGE_BYTES_MAX: usize = 4_096;

/// Objects and arrays of a definition may be nested this deep. JSON itself may go deeper; every
/// walk over a definition, here and when it runs, recurses as deep as this and no deeper.
pub const NESTING_MAX: usize = 400;

/// The name that TestState gives to a state that comes without one.
/// Source: recorded locations of TestState.
pub const SINGLE_STATE_NAME: &str = "StateName";

/// How the text is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// JSON, as the API takes it.
    #[default]
    Json,
    /// YAML 1.2 with the core schema.
    Yaml,
    /// JSON when the text begins as JSON does, else YAML.
    Auto,
}

/// What a definition is parsed for.
#[derive(Clone, Debug)]
pub struct Options {
    /// How the text is written.
    pub format: Format,
    /// Express machines support less.
    pub machine_type: StateMachineType,
    /// Values for `${Name}`. With none, `${…}` is ordinary text; with some, a name that is
    /// not among them is an error.
    pub substitutions: Option<Substitutions>,
    /// Longer texts are refused. Default: the service's bound, in bytes.
    pub definition_bytes_max: usize,
    /// Knows which SDK integrations exist; with none, every well-formed one does.
    pub sdk_action: Option<SdkAction>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            format: Format::Json,
            machine_type: StateMachineType::Standard,
            substitutions: None,
            definition_bytes_max: limits::DEFINITION_BYTES_MAX,
            sdk_action: None,
        }
    }
}

/// A parsed definition.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// The machine, when no finding is an ERROR.
    pub machine: Option<Machine>,
    /// Everything that was found, in the order of the service: by scope from the outside in, the
    /// fields of its states first, then its transitions. At most [`DIAGNOSTICS_MAX`].
    pub diagnostics: Vec<Diagnostic>,
}

impl Parsed {
    /// The message of `InvalidDefinition`, when the definition is refused.
    pub fn refusal(&self) -> Option<String> {
        crate::diagnostic::refusal(&self.diagnostics)
    }
}

/// Parses a definition. Spans and [`Diagnostic::line_and_column`] are of `source` as given, also
/// where a `${Name}` was substituted.
pub fn parse(source: &str, options: &Options) -> Parsed {
    let mut context = Context::new(options);
    if let Some(node) = context.read(source) {
        context.machine(&node, false);
    }
    context.finish()
}

/// Parses a definition that was read already, as a part of a larger text: spans are of that text.
pub fn parse_tree(node: &Spanned, options: &Options) -> Parsed {
    let mut context = Context::new(options);
    match context.substituted(node.clone()) {
        node if depth(&node) > NESTING_MAX => {
            let message = format!("Document nesting depth exceeds the maximum allowed ({NESTING_MAX})");
            context.report(Code::TooDeeplyNested, message, None, Some(node.span));
        }
        node => context.machine(&node, false),
    }
    context.finish()
}

/// Parses the definition of one state, as TestState takes it. The machine has that state under
/// the name [`SINGLE_STATE_NAME`], and a Succeed state in place of every state that it leads to.
pub fn parse_state(source: &str, options: &Options) -> Parsed {
    let mut context = Context::new(options);
    if let Some(node) = context.read(source) {
        if let SpannedKind::Object(_) = node.kind {
            context.machine(&around(node), true);
        } else {
            context.not_an_object(node.span);
        }
    }
    context.finish()
}

/// A machine with `state` as its only state.
fn around(state: Spanned) -> Spanned {
    let span = state.span;
    let member = |name: &str, value| SpannedMember { name: Text::new(name), name_span: span, value };
    let object = |members| Spanned { span, kind: SpannedKind::Object(members) };
    let start_at = Spanned { span, kind: SpannedKind::String(Text::new(SINGLE_STATE_NAME)) };
    object(vec![
        member("StartAt", start_at),
        member("States", object(vec![member(SINGLE_STATE_NAME, state)])),
    ])
}

/// What a parse has gathered so far.
struct Context<'o> {
    options: &'o Options,
    diagnostics: Vec<Diagnostic>,
    /// Ids are given when a scope is met; a place stays empty when something is wrong there.
    scopes: Vec<Option<Scope>>,
    states: Vec<Option<State>>,
    query_language: QueryLanguage,
    comment: Option<Text>,
    timeout_seconds: Option<i64>,
    /// Names of states, of every scope.
    names: HashSet<Text>,
    /// Labels of distributed Maps.
    labels: HashSet<Text>,
    refused: bool,
}

impl<'o> Context<'o> {
    fn new(options: &'o Options) -> Context<'o> {
        Context {
            options,
            diagnostics: Vec::new(),
            scopes: Vec::new(),
            states: Vec::new(),
            query_language: QueryLanguage::JsonPath,
            comment: None,
            timeout_seconds: None,
            names: HashSet::new(),
            labels: HashSet::new(),
            refused: false,
        }
    }

    fn report(&mut self, code: Code, message: impl Into<String>, at: Option<&At<'_>>, span: Option<Span>) {
        self.refused |= code.severity() == Severity::Error;
        if self.diagnostics.len() < DIAGNOSTICS_MAX {
            self.diagnostics.push(Diagnostic {
                severity: code.severity(),
                code,
                message: shorten(message.into(), MESSAGE_BYTES_MAX),
                location: at.map(At::location),
                span,
            });
        }
    }

    fn schema(&mut self, message: impl Into<String>, at: &At<'_>, span: Span) {
        self.report(Code::SchemaValidationFailed, message, Some(at), Some(span));
    }

    /// The text as a tree, after substitution.
    fn read(&mut self, source: &str) -> Option<Spanned> {
        let all = Span { start: 0, end: source.len() };
        let bytes_max = self.options.definition_bytes_max;
        if source.len() > bytes_max {
            let message =
                format!("Definition has {} bytes, more than the limit of {bytes_max}", source.len());
            self.report(Code::SchemaValidationFailed, message, None, Some(all));
            return None;
        }
        if source.is_empty() {
            self.report(
                Code::MissingDescription,
                "Received a null or empty workflow input.",
                None,
                Some(all),
            );
            return None;
        }
        if source.trim().is_empty() {
            self.not_an_object(all);
            return None;
        }
        let json = match self.options.format {
            Format::Json => true,
            Format::Yaml => false,
            Format::Auto => source.trim_start().starts_with(['{', '[', '"']),
        };
        if let (true, Some(offset)) = (json, too_deep(source)) {
            let message = format!("Document nesting depth exceeds the maximum allowed ({NESTING_MAX})");
            let span = Span { start: offset, end: offset + 1 };
            self.report(Code::TooDeeplyNested, message, None, Some(span));
            return None;
        }
        let read = if json {
            json::parse_spanned(source).map_err(Unreadable::Json)
        } else {
            yaml::parse(source, yaml::Tags::Refused).map_err(Unreadable::Yaml)
        };
        let node = match read {
            Ok(node) => node,
            Err(unreadable) => {
                self.unreadable(unreadable);
                return None;
            }
        };
        Some(self.substituted(node))
    }

    fn substituted(&mut self, node: Spanned) -> Spanned {
        let Some(substitutions) = &self.options.substitutions else { return node };
        let (node, unresolved) = substitute::apply(node, substitutions);
        for finding in unresolved {
            self.report(Code::SchemaValidationFailed, finding.message, None, Some(finding.span));
            if let Some(last) = self.diagnostics.last_mut() {
                last.location = Some(finding.location.into());
            }
        }
        node
    }

    fn unreadable(&mut self, unreadable: Unreadable) {
        let (message, location, offset) = match unreadable {
            Unreadable::Json(error) => (error.to_string(), error.source_location(), error.offset),
            Unreadable::Yaml(error) => (error.message, error.location, error.offset),
        };
        self.refused = true;
        self.diagnostics.push(Diagnostic {
            severity: Severity::Error,
            code: Code::InvalidJsonDescription,
            message,
            location: Some(location.into()),
            span: Some(Span { start: offset, end: offset }),
        });
    }

    fn not_an_object(&mut self, span: Span) {
        let message = "Definition must be a valid JSON object";
        self.report(Code::SchemaValidationFailed, message, None, Some(span));
    }

    fn machine(&mut self, node: &Spanned, single_state: bool) {
        let Some(mut object) = Object::of(node, At::root()) else {
            self.not_an_object(node.span);
            return;
        };
        self.only(
            &mut object,
            &["Comment", "StartAt", "States", "Version", "TimeoutSeconds", "QueryLanguage"],
        );
        if let Some(node) = object.get("QueryLanguage") {
            self.query_language = language_of(node);
        }
        self.query_language_value(&object);
        self.one_of(&object, "Version", &["1.0"]);
        self.timeout_seconds = self.integer(&object, "TimeoutSeconds", 0..=limits::SECONDS_MAX);
        self.comment = object.get("Comment").and_then(object::text_of).cloned();
        let around = ScopeContext {
            parent: None,
            visible: None,
            express: self.options.machine_type == StateMachineType::Express,
            depth: 0,
            single_state,
        };
        self.scope(&object, &around);
    }

    fn finish(mut self) -> Parsed {
        let mut machine = None;
        if !self.refused {
            let scopes = self.scopes.drain(..).collect::<Option<Vec<Scope>>>();
            let states = self.states.drain(..).collect::<Option<Vec<State>>>();
            match (scopes, states) {
                (Some(scopes), Some(states)) if !scopes.is_empty() => {
                    machine = Some(Machine {
                        comment: self.comment.take(),
                        query_language: self.query_language,
                        timeout_seconds: self.timeout_seconds,
                        scopes,
                        states,
                    });
                }
                // A part without a finding was left out: refuse rather than run a half.
                _ => self.report(
                    Code::SchemaValidationFailed,
                    "Definition is incomplete",
                    Some(&At::root()),
                    None,
                ),
            }
        }
        Parsed { machine, diagnostics: self.diagnostics }
    }
}

/// Where brackets outside of strings are nested deeper than [`NESTING_MAX`]. Asked before the
/// text is parsed, for a parser recurses too.
pub(crate) fn too_deep(source: &str) -> Option<usize> {
    let mut depth: usize = 0;
    let mut in_string = false;
    let mut escaped = false;
    for (offset, byte) in source.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'{' | b'[' => {
                depth += 1;
                if depth > NESTING_MAX {
                    return Some(offset);
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    None
}

/// Levels of nodes. Walked by hand: nobody has bounded them yet.
fn depth(node: &Spanned) -> usize {
    let mut deepest = 0;
    let mut waiting = vec![(node, 1)];
    while let Some((node, depth)) = waiting.pop() {
        deepest = deepest.max(depth);
        match &node.kind {
            SpannedKind::Array(items) => waiting.extend(items.iter().map(|item| (item, depth + 1))),
            SpannedKind::Object(members) => {
                waiting.extend(members.iter().map(|member| (&member.value, depth + 1)));
            }
            _ => {}
        }
    }
    deepest
}

/// Why a text is not a tree.
enum Unreadable {
    Json(ParseError),
    Yaml(yaml::YamlError),
}
