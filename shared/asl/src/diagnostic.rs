//! What is wrong with a definition, in the words of the service.

use std::fmt;

use model::json::{Location, Span, Text};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Severity {
    /// The definition is refused.
    Error,
    /// The definition is accepted, but it may not do what was meant.
    Warning,
}

impl Severity {
    /// `ERROR` or `WARNING`, as ValidateStateMachineDefinition spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Error => "ERROR",
            Severity::Warning => "WARNING",
        }
    }
}

/// What kind of finding it is. Source: API reference, ValidateStateMachineDefinitionDiagnostic;
/// the four codes of expressions and variables are not listed there, but the service answers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// JSON (or YAML) syntax.
    InvalidJsonDescription,
    /// The definition is empty.
    MissingDescription,
    /// A field is missing, unknown, or has a value that it cannot have.
    SchemaValidationFailed,
    /// The value of a Task's `Resource` is invalid.
    InvalidResource,
    /// No state ends the workflow.
    MissingEndState,
    /// A state name occurs twice.
    DuplicateStateName,
    /// A state name is empty or too long.
    InvalidStateName,
    /// The name of the state machine is empty.
    StateMachineNameEmpty,
    /// The name of the state machine has characters that it cannot have.
    StateMachineNameInvalid,
    /// The name of the state machine is too long.
    StateMachineNameTooLong,
    /// The name of the state machine is taken.
    StateMachineNameAlreadyExists,
    /// The label of a distributed Map occurs twice.
    DuplicateLabelName,
    /// The label of a distributed Map is empty, too long or has characters that it cannot have.
    InvalidLabelName,
    /// A transition leads to an unknown state, or no transition leads to a state.
    MissingTransitionTarget,
    /// States are nested too deeply.
    TooDeeplyNested,
    /// A JSONata expression that does not parse.
    InvalidJsonataExpression,
    /// A JSONata expression that reads what is not there.
    UnsupportedJsonataExpression,
    /// `Assign` to `states`.
    ReservedVariableName,
    /// `Assign` to a name that is no identifier.
    InvalidVariableName,
    /// Warning: a path or intrinsic function under a name that does not end in `.$`.
    NoDollar,
    /// Warning: a path in a field whose name does not end in `Path`.
    NoPath,
    /// Warning: a path or intrinsic function in the `Result` of a Pass.
    PassResultIsStatic,
}

impl Code {
    /// `SCHEMA_VALIDATION_FAILED`, … as the API spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Code::InvalidJsonDescription => "INVALID_JSON_DESCRIPTION",
            Code::MissingDescription => "MISSING_DESCRIPTION",
            Code::SchemaValidationFailed => "SCHEMA_VALIDATION_FAILED",
            Code::InvalidResource => "INVALID_RESOURCE",
            Code::MissingEndState => "MISSING_END_STATE",
            Code::DuplicateStateName => "DUPLICATE_STATE_NAME",
            Code::InvalidStateName => "INVALID_STATE_NAME",
            Code::StateMachineNameEmpty => "STATE_MACHINE_NAME_EMPTY",
            Code::StateMachineNameInvalid => "STATE_MACHINE_NAME_INVALID",
            Code::StateMachineNameTooLong => "STATE_MACHINE_NAME_TOO_LONG",
            Code::StateMachineNameAlreadyExists => "STATE_MACHINE_NAME_ALREADY_EXISTS",
            Code::DuplicateLabelName => "DUPLICATE_LABEL_NAME",
            Code::InvalidLabelName => "INVALID_LABEL_NAME",
            Code::MissingTransitionTarget => "MISSING_TRANSITION_TARGET",
            Code::TooDeeplyNested => "TOO_DEEPLY_NESTED",
            Code::InvalidJsonataExpression => "INVALID_JSONATA_EXPRESSION",
            Code::UnsupportedJsonataExpression => "UNSUPPORTED_JSONATA_EXPRESSION",
            Code::ReservedVariableName => "RESERVED_VARIABLE_NAME",
            Code::InvalidVariableName => "INVALID_VARIABLE_NAME",
            Code::NoDollar => "NO_DOLLAR",
            Code::NoPath => "NO_PATH",
            Code::PassResultIsStatic => "PASS_RESULT_IS_STATIC",
        }
    }

    /// Whether a finding of this kind refuses the definition.
    pub fn severity(self) -> Severity {
        match self {
            Code::NoDollar | Code::NoPath | Code::PassResultIsStatic => Severity::Warning,
            _ => Severity::Error,
        }
    }
}

/// A finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Whether it refuses the definition.
    pub severity: Severity,
    /// Its kind.
    pub code: Code,
    /// What is wrong, in the words of the service.
    pub message: String,
    /// Where, as the service words it: `/States/X/Resource`, `/`; for syntax errors the quoted
    /// source with line and column. None where the service has none.
    pub location: Option<Text>,
    /// The bytes of the source that it is about.
    pub span: Option<Span>,
}

impl Diagnostic {
    /// Line and column in `source`, the text that was parsed.
    pub fn line_and_column(&self, source: &str) -> Option<Location> {
        self.span.map(|span| Location::of(source, span.start))
    }
}

/// `<CODE>: <message> at <location>`; a finding without location is `at null`.
/// Source: recorded refusals of CreateStateMachine.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let location = self.location.as_deref().unwrap_or("null");
        write!(f, "{}: {} at {location}", self.code.as_str(), self.message)
    }
}

/// The message of `InvalidDefinition`: every ERROR, joined with commas; none when there is no ERROR.
/// Source: recorded refusals of CreateStateMachine and UpdateStateMachine.
pub fn refusal(diagnostics: &[Diagnostic]) -> Option<String> {
    let errors: Vec<String> = diagnostics
        .iter()
        .filter(|diagnostic| diagnostic.severity == Severity::Error)
        .map(Diagnostic::to_string)
        .collect();
    (!errors.is_empty()).then(|| format!("Invalid State Machine Definition: '{}'", errors.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn diagnostic(code: Code, message: &str, location: Option<&str>) -> Diagnostic {
        Diagnostic {
            severity: code.severity(),
            code,
            message: message.to_owned(),
            location: location.map(Text::new),
            span: None,
        }
    }

    #[test]
    fn a_refusal_joins_the_errors_and_leaves_warnings_out() {
        let found = [
            diagnostic(Code::MissingTransitionTarget, "Missing 'Next' target: B", Some("/States/A/Next")),
            diagnostic(Code::NoDollar, "a path", Some("/States/A/Parameters/x")),
            diagnostic(Code::MissingEndState, "Workflow has no terminal state", None),
        ];
        assert_eq!(
            refusal(&found).unwrap(),
            "Invalid State Machine Definition: 'MISSING_TRANSITION_TARGET: Missing 'Next' target: B at \
             /States/A/Next, MISSING_END_STATE: Workflow has no terminal state at null'"
        );
        assert_eq!(refusal(&found[1..2]), None);
    }
}
