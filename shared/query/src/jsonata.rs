//! JSONata as Step Functions speaks it.
//!
//! [`Expression::compile`] takes the text between `{%` and `%}`, refuses what the service does
//! not know, and keeps everything that can be said about the expression without evaluating it:
//! the variables it needs, the parts of `$states` it names. [`Expression::evaluate`] reads its
//! payloads where they are. Nothing is converted before the evaluation reaches it, and a part
//! of a payload that comes back unchanged is the same shared value.
//!
//! The evaluator underneath is a library that no other module names. Modules: `check` (the
//! static rules of the language level), `program` (what is handed to the library), `direct`
//! (plain paths, which need no evaluator), `source` and `result` (values in and out),
//! `function` (`$partition`, `$hash` and the other additions).

mod check;
mod direct;
mod error;
mod function;
#[cfg(test)]
mod hostile;
mod limits;
mod meter;
mod program;
mod result;
mod source;

use std::sync::Arc;

use jlens_core::Bindings;
use jlens_core::output::Output;
use jlens_core::reads::Read;
use model::json::{Text, Value};

use crate::Scope;
use check::Facts;
use direct::DirectPath;
pub use error::{CompileError, EvalError};
pub use limits::Limits;
use program::Program;
use result::Built;
use source::{Arena, Input, Root};

/// A compiled expression. Cheap to clone, shared between threads, evaluated any number of times.
#[derive(Clone, Debug)]
pub struct Expression(Arc<Compiled>);

#[derive(Debug)]
struct Compiled {
    source: String,
    level: Level,
    facts: Facts,
    states: StatesRead,
    direct: Option<DirectPath>,
    program: Program,
}

/// Which language an expression is compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// What the service accepts (JSONata 2.0.6 less `$eval`, `$$`, top-level `$` and top-level
    /// field names), with its functions and `$states`.
    StepFunctions,
    /// JSONata 2.2 as its own test suite expects it: the scope's input is `$`. For checking the
    /// evaluator, never for state machines.
    Permissive,
}

/// How an evaluation ended, when it did not fail.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// A JSON value.
    Value(Value),
    /// Nothing: `returned nothing (undefined)`.
    Undefined,
    /// A function, which no field can hold: `returned an unsupported result type`.
    Function,
}

/// The members of `$states` that an expression names.
#[derive(Clone, Copy, Debug, Default)]
struct StatesRead {
    whole: bool,
    input: bool,
    context: bool,
    result: bool,
    error_output: bool,
}

impl Expression {
    /// Compiles an expression (without `{%` and `%}`) for state machines.
    ///
    /// Refused, each with its offset: syntax errors; the operators `?:` and `??` (`S0211`);
    /// `$eval`; `$$`; and, outside predicates, path steps and functions, the context `$` and
    /// field names without a variable in front of them. Source: Amazon States Language, "JSONata".
    pub fn compile(source: &str) -> Result<Expression, CompileError> {
        Expression::compile_at(source, Level::StepFunctions)
    }

    /// Compiles an expression for the language `level`.
    pub fn compile_at(source: &str, level: Level) -> Result<Expression, CompileError> {
        let parsed =
            jlens_core::Expression::compile(source).map_err(|e| CompileError::of_parser(source, &e))?;
        let reads = parsed.reads_with(function::bindings());
        let facts = Facts::of(source, parsed.ast(), &reads, level)?;
        let states = StatesRead::of(reads.binding("states"));
        let (direct, program) = match level {
            Level::StepFunctions => (DirectPath::of(parsed.ast()), Program::wrapped(source, &facts)?),
            Level::Permissive => (None, Program::plain(parsed)),
        };
        Ok(Expression(Arc::new(Compiled {
            source: source.to_owned(),
            level,
            facts,
            states,
            direct,
            program,
        })))
    }

    /// The text it was compiled from.
    pub fn source(&self) -> &str {
        &self.0.source
    }

    /// The variables the expression takes from its scope, without `$`, each once, in the order
    /// of their first use. Not among them: `states`, functions of the language, and names that
    /// the expression binds itself.
    pub fn variables(&self) -> &[Text] {
        &self.0.facts.variables
    }

    /// Whether the expression names `$states.input`.
    pub fn reads_input(&self) -> bool {
        self.0.states.input
    }

    /// Whether the expression names `$states.context`.
    pub fn reads_context(&self) -> bool {
        self.0.states.context
    }

    /// Whether the expression names `$states.result`, which is refused outside the `Output` and
    /// `Assign` of a Task, Parallel or Map.
    pub fn reads_result(&self) -> bool {
        self.0.states.result
    }

    /// Whether the expression names `$states.errorOutput`, which is refused outside a Catch.
    pub fn reads_error_output(&self) -> bool {
        self.0.states.error_output
    }

    /// Whether the expression takes `$states` as a whole: it may then read any member that is
    /// there, without naming one.
    pub fn reads_whole_states(&self) -> bool {
        self.0.states.whole
    }

    /// Evaluates the expression in `scope`.
    ///
    /// The scope is asked for what the evaluation reaches and nothing else: the context, a
    /// variable, the time and a random number are fetched when they are first needed. Equal
    /// scopes and limits give equal outcomes.
    pub fn evaluate(&self, scope: &dyn Scope, limits: &Limits) -> Result<Outcome, EvalError> {
        match self.0.level {
            Level::StepFunctions => {
                if let Some(outcome) = self.0.direct.as_ref().and_then(|path| path.evaluate(scope)) {
                    return Ok(outcome);
                }
                let arena = Arena::new();
                let root = Root::new(&arena, scope, limits);
                self.run(&root, function::bindings(), &arena, scope, limits)
            }
            Level::Permissive => self.evaluate_on(Some(scope.input()), scope, limits),
        }
    }

    /// Evaluates an expression of [`Level::Permissive`] with `input` as `$` (`None`: undefined);
    /// variables, time and random numbers come from the scope.
    pub fn evaluate_on(
        &self,
        input: Option<&Value>,
        scope: &dyn Scope,
        limits: &Limits,
    ) -> Result<Outcome, EvalError> {
        let bindings = self.0.facts.variables.iter().fold(Bindings::new(), |bindings, name| {
            match scope.variable(name) {
                Some(value) => bindings.var(name.as_str(), serde_json::Value::from(&value)),
                None => bindings,
            }
        });
        let arena = Arena::new();
        let root = Input::new(&arena, input);
        self.run(&root, &bindings, &arena, scope, limits)
    }

    fn run<'a>(
        &self,
        root: &dyn jlens_core::input::Source<'a>,
        bindings: &'a Bindings,
        arena: &std::rc::Rc<Arena>,
        scope: &dyn Scope,
        limits: &Limits,
    ) -> Result<Outcome, EvalError> {
        let facts = &self.0.facts;
        // Both are always set: left alone, the library would take them from the system clock.
        let now = if facts.reads_clock { scope.now_millis() } else { 0 };
        let seed = if facts.shuffles { scope.next_random() } else { 0 };
        let options = limits.options(facts).now(now).seed(seed);
        let write = |output: Output<'_, '_>| output.write(&mut Built::new(arena));
        match self.0.program.evaluate(root, bindings, &options, write) {
            Ok(Some(value)) if arena.is_function_marker(&value) => Ok(Outcome::Function),
            Ok(Some(value)) => Ok(Outcome::Value(value)),
            Ok(None) => Ok(Outcome::Undefined),
            Err(error) => Err(EvalError::of(&error, &facts.spare_name)),
        }
    }
}

impl StatesRead {
    fn of(read: Option<&Read>) -> StatesRead {
        match read {
            None => StatesRead::default(),
            Some(Read::Whole) => StatesRead { whole: true, ..StatesRead::default() },
            Some(Read::Fields(fields)) => StatesRead {
                whole: false,
                input: fields.contains_key("input"),
                context: fields.contains_key("context"),
                result: fields.contains_key("result"),
                error_output: fields.contains_key("errorOutput"),
            },
        }
    }
}

#[cfg(test)]
mod tests;
