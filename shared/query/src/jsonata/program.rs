use std::fmt::Write as _;

use jlens_core::input::Source;
use jlens_core::output::Output;
use jlens_core::{Bindings, Options};

use super::CompileError;
use super::check::Facts;
use super::function::SEEDED_RANDOM;
use super::meter;
use super::source::{FUNCTION, RANDOM, STATES, UUID, VARIABLE_PREFIX};

/// The text that is really evaluated.
///
/// The evaluator converts bound variables before it starts, but reads its input as it goes. So
/// everything an expression can see is a member of the input, and a few bindings in front of
/// the expression give the members their names: `($states := $$.…; $total := $$.…; expression)`.
#[derive(Debug)]
pub(super) struct Program(jlens_core::Expression);

impl Program {
    /// The expression alone.
    pub(super) fn plain(expression: jlens_core::Expression) -> Program {
        Program(expression)
    }

    /// The expression behind the bindings it needs.
    pub(super) fn wrapped(source: &str, facts: &Facts) -> Result<Program, CompileError> {
        let text = text(source, facts);
        match jlens_core::Expression::compile(&text) {
            Ok(expression) => Ok(Program(expression)),
            Err(error) => Err(CompileError::of_parser(source, &error)),
        }
    }

    /// Evaluates against `input` and gives the result to `write`.
    pub(super) fn evaluate<'a, R>(
        &self,
        input: &dyn Source<'a>,
        bindings: &'a Bindings,
        options: &Options,
        write: impl FnOnce(Output<'_, '_>) -> jlens_core::Result<R>,
    ) -> jlens_core::Result<R> {
        self.0.evaluate_source_to(input, bindings, options, write)
    }
}

fn text(source: &str, facts: &Facts) -> String {
    let mut out = String::with_capacity(source.len() + 64);
    out.push('(');
    // Writing to a String cannot fail.
    if facts.names_states {
        let _ = write!(out, "$states:=$$.`{STATES}`;");
    }
    for name in &facts.variables {
        let _ = write!(out, "${name}:=$$.`{VARIABLE_PREFIX}{name}`;");
    }
    if facts.draws_uuid {
        let _ = write!(out, "$uuid:=function()<:s>{{$$.`{UUID}`}};");
    }
    if facts.draws_random {
        let _ = write!(out, "$random:=function($s)<n?:n>{{$exists($s)?${SEEDED_RANDOM}($s):$$.`{RANDOM}`}};");
    }
    meter::define(&mut out, &facts.measured, facts.builds_arrays(), &facts.spare_name);
    // In a block of its own, so that names it binds do not reach into the definitions. (Behind a
    // bracket the lexer takes a slash for a division, behind a semicolon for a pattern.)
    let mut body = format!("(0;{}{})", shadows(facts), facts.rewritten(source));
    if facts.may_read_context {
        // The context here is the object that holds `$states`. Grouping nothing gives an object
        // whose values are evaluated without a context.
        body = format!("$lookup(${}{{\"value\":{body}}},\"value\")", facts.spare_name);
    }
    if facts.may_give_function {
        // A function has no JSON, so that it would look like nothing at all.
        let result = &facts.spare_name;
        let _ = write!(out, "${result}:={body};$type(${result})=\"function\"?$$.`{FUNCTION}`:${result})");
    } else {
        out.push_str(&body);
        out.push(')');
    }
    out
}

/// Variables that have the name of a function, such as `$count`: where the scope has one, it is
/// what the name means.
fn shadows(facts: &Facts) -> String {
    let mut out = String::new();
    let exists = format!("{}exists", facts.spare_name);
    if !facts.functions.is_empty() {
        let _ = write!(out, "${exists}:=$exists;");
    }
    for name in &facts.functions {
        let variable = format!("$$.`{VARIABLE_PREFIX}{name}`");
        let _ = write!(out, "${name}:=${exists}({variable})?{variable}:${name};");
    }
    out
}
