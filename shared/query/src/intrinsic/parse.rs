use model::json::{Number, Value};

use super::call::{Argument, Call};
use super::function::Function;
use super::string::Template;
use super::{Expression, NESTING_MAX};
use crate::jsonpath::{Path, SyntaxError};

pub(super) fn expression(text: &str) -> Result<Expression, SyntaxError> {
    if text.trim_start().starts_with('$') {
        return Path::parse(text).map(Expression::Path);
    }
    let mut parser = Parser { text, at: 0 };
    parser.skip_space();
    if !parser.rest().starts_with("States.") {
        return parser
            .error("expected a path that starts with $, or an intrinsic function such as States.Array()");
    }
    let mut call = parser.call(1)?;
    parser.skip_space();
    if !parser.rest().is_empty() {
        return parser.error("unexpected text after the call");
    }
    call.source = text.into();
    Ok(Expression::Call(call))
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Parser<'t> {
    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn take(&mut self, token: char) -> bool {
        let found = self.peek() == Some(token);
        if found {
            self.at += token.len_utf8();
        }
        found
    }

    fn skip_space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    fn since(&self, start: usize) -> &'t str {
        self.text.get(start..self.at).unwrap_or_default()
    }

    fn error<T>(&self, message: impl Into<String>) -> Result<T, SyntaxError> {
        self.error_at(self.at, message)
    }

    fn error_at<T>(&self, offset: usize, message: impl Into<String>) -> Result<T, SyntaxError> {
        Err(SyntaxError { message: message.into(), offset })
    }

    fn call(&mut self, depth: usize) -> Result<Call, SyntaxError> {
        let start = self.at;
        if depth > NESTING_MAX {
            return self.error(format!("calls are nested deeper than {NESTING_MAX}"));
        }
        let name =
            self.rest().split(|c: char| c != '.' && !c.is_ascii_alphanumeric()).next().unwrap_or_default();
        let Some(function) = Function::named(name) else {
            return self.error(format!("there is no intrinsic function {name:?}"));
        };
        self.at += name.len();
        self.skip_space();
        if !self.take('(') {
            return self.error(format!("expected ( after {name}"));
        }
        let mut arguments = Vec::new();
        self.skip_space();
        if !self.take(')') {
            loop {
                self.skip_space();
                arguments.push(self.argument(function, arguments.len(), depth)?);
                self.skip_space();
                if self.take(')') {
                    break;
                }
                if !self.take(',') {
                    return self.error(format!("expected , or ) in the arguments of {name}"));
                }
            }
        }
        let signature = function.signature();
        if arguments.len() < signature.required {
            let count = arguments.len();
            return self.error_at(start, format!("{name} takes {}, not {count}", signature.arity()));
        }
        Ok(Call { source: self.since(start).into(), function, arguments: arguments.into() })
    }

    fn argument(&mut self, function: Function, index: usize, depth: usize) -> Result<Argument, SyntaxError> {
        let start = self.at;
        let signature = function.signature();
        let Some(kind) = signature.kind(index) else {
            return self.error(format!("{} takes {}, not more", function.name(), signature.arity()));
        };
        let argument = match self.peek() {
            Some('$') => {
                let end = self.at + path_len(self.rest());
                let text = self.text.get(self.at..end).unwrap_or_default();
                let path = Path::parse(text.trim_end())
                    .map_err(|error| SyntaxError { offset: start + error.offset, ..error })?;
                self.at = end;
                Argument::Path(path)
            }
            Some('\'') => self.literal(function == Function::Format && index == 0)?,
            Some('S') => Argument::Call(self.call(depth + 1)?),
            Some('t' | 'f' | 'n') => Argument::Literal(self.word()?),
            Some('-' | '0'..='9') => Argument::Literal(self.number()?),
            _ => {
                return self.error(
                    "expected an argument: a path, a call, a number, true, false, null or a text in single quotes",
                );
            }
        };
        match &argument {
            Argument::Literal(value) if !kind.accepts(value) => self.error_at(
                start,
                format!(
                    "argument {} of {} must be {}, not {}",
                    index + 1,
                    function.name(),
                    kind.noun(),
                    value.type_name()
                ),
            ),
            _ => Ok(argument),
        }
    }

    /// A text in single quotes, with the escapes `\'`, `\{`, `\}` and `\\`. In a template an
    /// unescaped `{}` is a hole; elsewhere braces are themselves.
    fn literal(&mut self, is_template: bool) -> Result<Argument, SyntaxError> {
        let start = self.at;
        self.at += 1;
        let mut pieces = Vec::new();
        let mut piece = String::new();
        let mut has_open_escape = false;
        loop {
            let Some(c) = self.peek() else {
                return self.error_at(start, "a text is not closed with '");
            };
            self.at += c.len_utf8();
            match c {
                '\'' => break,
                '\\' => match self.peek() {
                    Some(escaped @ ('\'' | '{' | '}' | '\\')) => {
                        self.at += 1;
                        piece.push(escaped);
                    }
                    _ => has_open_escape = true,
                },
                '{' if is_template && self.take('}') => pieces.push(std::mem::take(&mut piece)),
                c => piece.push(c),
            }
        }
        let inner = self.text.get(start + 1..self.at - 1).unwrap_or_default();
        if has_open_escape {
            return Ok(Argument::OpenEscape(inner.into()));
        }
        if !is_template {
            return Ok(Argument::Literal(piece.into()));
        }
        pieces.push(piece);
        Ok(Argument::Template(Template::new(pieces)))
    }

    fn word(&mut self) -> Result<Value, SyntaxError> {
        let start = self.at;
        let word = self.rest().split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
        self.at += word.len();
        match word {
            "true" => Ok(Value::Bool(true)),
            "false" => Ok(Value::Bool(false)),
            "null" => Ok(Value::Null),
            _ => self.error_at(start, format!("unexpected word {word:?}; a text stands in single quotes")),
        }
    }

    fn number(&mut self) -> Result<Value, SyntaxError> {
        let start = self.at;
        let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '+' | '-');
        let digits = self.rest().split(|c| !is_part(c)).next().unwrap_or_default();
        self.at += digits.len();
        match Value::parse(digits) {
            Ok(number @ Value::Number(Number::Int(_) | Number::Float(_) | Number::Big(_))) => Ok(number),
            _ => self.error_at(start, format!("{digits} is not a number")),
        }
    }
}

/// Bytes of the path at the start of `text`: up to the comma or parenthesis that ends the
/// argument, which inside brackets neither does.
fn path_len(text: &str) -> usize {
    let mut brackets = 0_usize;
    let mut quote = None;
    let mut before = ' ';
    for (at, c) in text.char_indices() {
        match (quote, c) {
            // An escaped quote, unless the name ends there.
            (Some(open), c) if c == open && before == '\\' && !text[at + 1..].starts_with(']') => {}
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') if brackets > 0 => quote = Some(c),
            (None, '[') => brackets += 1,
            (None, ']') => brackets = brackets.saturating_sub(1),
            (None, ',' | ')') if brackets == 0 => return at,
            (None, _) => {}
        }
        before = c;
    }
    text.len()
}
