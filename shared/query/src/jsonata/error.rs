use std::fmt;

use jlens_core::Error;

use super::meter;

/// Text that is not an expression of the language level.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{message} (at offset {offset})")]
pub struct CompileError {
    /// The JSONata code, such as `S0201`; `None` for rules of Step Functions alone.
    pub code: Option<String>,
    /// What is wrong.
    pub message: String,
    /// Byte offset in the source of what is wrong; at most its length.
    pub offset: usize,
}

impl CompileError {
    pub(super) fn of_parser(source: &str, error: &Error) -> CompileError {
        let offset = error.span().map_or(source.len(), |span| span.start.min(source.len()));
        CompileError { code: Some(error.code().to_owned()), message: error.message(), offset }
    }

    /// A rule of Step Functions that JSONata itself does not have.
    pub(super) fn of_level(message: impl Into<String>, offset: usize) -> CompileError {
        CompileError { code: None, message: message.into(), offset }
    }
}

/// An evaluation that failed.
///
/// Its text continues the service's sentence `threw an error during evaluation`: with `. CODE:
/// message` where there is a code, with `: message` otherwise (conformance case
/// `array_jsonata`, `math_random_seeded`).
#[derive(Clone, Debug, PartialEq)]
pub struct EvalError {
    /// The JSONata code, such as `T1006`; `None` for a limit that was reached and for the
    /// functions of Step Functions.
    pub code: Option<String>,
    /// What went wrong.
    pub message: String,
}

impl EvalError {
    /// `spare` begins the names that stand around the expression and not in it.
    pub(super) fn of(error: &Error, spare: &str) -> EvalError {
        match error.code() {
            // A source that failed to be read: of ours, only a spent budget does.
            "U1004" => EvalError {
                code: None,
                message: match error.detail("message") {
                    Some(serde_json::Value::String(message)) => message.clone(),
                    _ => error.message(),
                },
            },
            // Codes that begin with U are the library's own, for its limits.
            code if code.is_empty() || code.starts_with('U') => {
                EvalError { code: None, message: error.message() }
            }
            code => EvalError {
                code: Some(code.to_owned()),
                message: meter::in_plain_names(error.message(), spare),
            },
        }
    }
}

impl fmt::Display for EvalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.code {
            Some(code) => write!(f, "{code}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl std::error::Error for EvalError {}
