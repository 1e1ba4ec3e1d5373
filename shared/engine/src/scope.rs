//! What the expressions of a state see, and how its fields are computed.
//!
//! Every failure here is worded as the service words it; recorded causes are the source unless a
//! comment names another.

use asl::machine::QueryLanguage;
use asl::state::{Catcher, Flow, State, StateKind};
use asl::template::{Assign, Placement, Selection, Template};
use model::error;
use model::json::{DEPTH_MAX, Map, Number, Text, Value};
use query::jsonpath::{Path, PathError, Root};
use query::{Scope, intrinsic, jsonata};

use crate::failure::{Evaluation, Raised};
use crate::interpreter::{Assigned, Interpreter};
use crate::snapshot::{Frame, FrameId};
use crate::token::TaskToken;

/// The surroundings of one evaluation.
#[derive(Clone, Copy)]
pub(crate) struct StateScope<'s> {
    interpreter: &'s Interpreter<'s>,
    id: FrameId,
    input: &'s Value,
    result: Option<&'s Value>,
    error_output: Option<&'s Value>,
    token: Option<&'s TaskToken>,
    /// The item that an ItemSelector is computed for.
    item: Option<(usize, &'s Value)>,
}

/// Where in a state's fields an expression stands: `Output/items[0]/id`.
#[derive(Clone, Copy)]
struct Location<'p> {
    parent: Option<&'p Location<'p>>,
    part: Part<'p>,
}

#[derive(Clone, Copy)]
enum Part<'p> {
    Name(&'p str),
    Index(usize),
}

impl Location<'_> {
    fn text(&self) -> String {
        let mut text = self.parent.map(Location::text).unwrap_or_default();
        match self.part {
            Part::Name(name) => {
                if !text.is_empty() {
                    text.push('/');
                }
                text.push_str(name);
            }
            Part::Index(index) => text.push_str(&format!("[{index}]")),
        }
        text
    }

    /// The nearest member name: what messages about a JSONPath name, with `.$`.
    fn member(&self) -> &str {
        match (self.part, self.parent) {
            (Part::Name(name), _) => name,
            (Part::Index(_), Some(parent)) => parent.member(),
            (Part::Index(_), None) => "",
        }
    }
}

impl<'s> StateScope<'s> {
    /// The scope of the state that frame `id` is in; `input` is what `$` and `$states.input` are.
    pub fn of(interpreter: &'s Interpreter<'s>, id: FrameId, input: &'s Value) -> StateScope<'s> {
        StateScope { interpreter, id, input, result: None, error_output: None, token: None, item: None }
    }

    /// With another `$`: the result where a JSONPath field is computed from it.
    pub fn with_input(self, input: &'s Value) -> StateScope<'s> {
        StateScope { input, ..self }
    }

    pub fn with_result(self, result: &'s Value) -> StateScope<'s> {
        StateScope { result: Some(result), ..self }
    }

    pub fn with_error_output(self, error_output: &'s Value) -> StateScope<'s> {
        StateScope { error_output: Some(error_output), ..self }
    }

    pub fn with_token(self, token: Option<&'s TaskToken>) -> StateScope<'s> {
        StateScope { token, ..self }
    }

    pub fn with_item(self, index: usize, item: &'s Value) -> StateScope<'s> {
        StateScope { item: Some((index, item)), ..self }
    }

    pub fn state(&self) -> &'s State {
        self.interpreter.state(self.id)
    }

    pub fn is_jsonata(&self) -> bool {
        self.state().query_language == QueryLanguage::Jsonata
    }

    fn frame(&self) -> &'s Frame {
        self.interpreter.frame(self.id)
    }

    /// The state's input after `InputPath`.
    pub fn effective_input(&self, flow: &Flow) -> Result<Value, Raised> {
        self.select(&flow.input_path)
    }

    /// `Parameters` or `Arguments`; without them the input.
    pub fn arguments(&self, flow: &Flow) -> Result<Value, Raised> {
        match &flow.arguments {
            Some(template) => {
                self.template(template, if self.is_jsonata() { "Arguments" } else { "Parameters" })
            }
            None => Ok(self.input.clone()),
        }
    }

    /// What a state that did something leaves with: ResultSelector, ResultPath, OutputPath, or
    /// Output; and its variables. The scope's input is the state's raw input.
    pub fn leave(&self, flow: &Flow, result: &Value) -> Result<(Value, Assigned), Raised> {
        if self.is_jsonata() {
            let scope = self.with_result(result);
            let output = match &flow.output {
                Some(template) => scope.template(template, "Output")?,
                None => result.clone(),
            };
            return Ok((output, scope.assign(&flow.assign)?));
        }
        let from_result = self.with_input(result);
        let assigned = from_result.assign(&flow.assign)?;
        let selected = match &flow.result_selector {
            Some(template) => from_result.template(template, "ResultSelector")?,
            None => result.clone(),
        };
        let placed = self.place(&flow.result_path, selected)?;
        let output = self.with_input(&placed).select(&flow.output_path)?;
        Ok((output, assigned))
    }

    /// What a state that only passes its input on leaves with: `output` and `assign` are its own
    /// or, for a Choice, those of the rule that holds. The scope's input is the effective input.
    pub fn pass_on(
        &self,
        flow: &Flow,
        output: Option<&Template>,
        assign: &Assign,
    ) -> Result<(Value, Assigned), Raised> {
        let assigned = self.assign(assign)?;
        let output = match output {
            Some(template) => self.template(template, "Output")?,
            None => self.select(&flow.output_path)?,
        };
        Ok((output, assigned))
    }

    /// What a state leaves with when `catcher` takes its failure.
    pub fn catch(&self, catcher: &Catcher) -> Result<(Value, Assigned), Raised> {
        let error_output = self.error_output.cloned().unwrap_or_default();
        if self.is_jsonata() {
            let output = match &catcher.output {
                Some(template) => self.template(template, "Output")?,
                None => error_output,
            };
            return Ok((output, self.assign(&catcher.assign)?));
        }
        let assigned = self.with_input(&error_output).assign(&catcher.assign)?;
        Ok((self.place(&catcher.result_path, error_output.clone())?, assigned))
    }

    fn assign(&self, assign: &Assign) -> Result<Assigned, Raised> {
        let field = Location { parent: None, part: Part::Name("Assign") };
        let values = assign.iter().map(|(name, template)| {
            let at = Location { parent: Some(&field), part: Part::Name(name) };
            Ok((name.clone(), self.shallow(self.evaluate(template, &at)?, &at)?))
        });
        values.collect()
    }

    fn place(&self, placement: &Placement, value: Value) -> Result<Value, Raised> {
        match placement {
            Placement::Replace => Ok(value),
            Placement::Discard => Ok(self.input.clone()),
            Placement::At(path) => path.set(self.input, value).map_err(|error| {
                self.raise(
                    error::RESULT_PATH_MATCH_FAILURE,
                    format!("Unable to apply ReferencePath {}: {error}", path.source()),
                )
            }),
        }
    }

    /// `InputPath` or `OutputPath`.
    pub fn select(&self, selection: &Selection) -> Result<Value, Raised> {
        match selection {
            Selection::All => Ok(self.input.clone()),
            Selection::Nothing => Ok(Value::object()),
            Selection::Path(path) => self.path(path),
        }
    }

    /// The value at a path; a missing one is worded as `Invalid path`.
    pub fn path(&self, path: &Path) -> Result<Value, Raised> {
        path.eval(self).map_err(|error| self.invalid_path(path, &error))
    }

    /// The value at a path, or none where nothing is there.
    pub fn path_if_present(&self, path: &Path) -> Result<Option<Value>, Raised> {
        match path.eval(self) {
            Ok(value) => Ok(Some(value)),
            Err(error @ PathError::TooMuchWork { .. }) => Err(self.invalid_path(path, &error)),
            Err(_) => Ok(None),
        }
    }

    fn invalid_path(&self, path: &Path, error: &PathError) -> Raised {
        if self.input.is_null() && *path.root() == Root::Input {
            // Source: developers' reports of the service's message.
            return self.runtime("Unable to apply Path transformation to null or empty input.");
        }
        self.runtime(format!("Invalid path '{}' : {error}", path.source()))
    }

    /// A whole field that is a template.
    pub fn template(&self, template: &Template, field: &str) -> Result<Value, Raised> {
        let at = Location { parent: None, part: Part::Name(field) };
        self.shallow(self.evaluate(template, &at)?, &at)
    }

    /// Deeper values than can be read again are not made: neither the history nor a snapshot
    /// could be stored.
    fn shallow(&self, value: Value, at: &Location<'_>) -> Result<Value, Raised> {
        if value.depth() <= DEPTH_MAX {
            return Ok(value);
        }
        let field = at.text();
        Err(self
            .runtime(format!("The value of the field '{field}' is nested deeper than {DEPTH_MAX} levels.")))
    }

    fn evaluate(&self, template: &Template, at: &Location<'_>) -> Result<Value, Raised> {
        match template {
            Template::Static(value) => Ok(value.clone()),
            Template::Path(expression) => self.intrinsic(expression, || format!("{}.$", at.member())),
            Template::Query(expression) => self.query(expression, || at.text()),
            Template::Array(items) => {
                let items = items.iter().enumerate().map(|(index, item)| {
                    self.evaluate(item, &Location { parent: Some(at), part: Part::Index(index) })
                });
                Ok(items.collect::<Result<Vec<_>, _>>()?.into())
            }
            Template::Object(members) => {
                let mut object = Map::with_capacity_and_hasher(members.len(), Default::default());
                for (name, member) in members {
                    let at = Location { parent: Some(at), part: Part::Name(name) };
                    object.insert(name.clone(), self.evaluate(member, &at)?);
                }
                Ok(object.into())
            }
        }
    }

    /// A path or intrinsic call; `field` names it in messages.
    pub fn intrinsic(
        &self,
        expression: &intrinsic::Expression,
        field: impl FnOnce() -> String,
    ) -> Result<Value, Raised> {
        expression.eval(self).map_err(|error| match error {
            intrinsic::EvalError::Path { path, .. } if path == expression.source() => self.runtime(format!(
                "The JSONPath '{path}' specified for the field '{}' could not be found in the input '{}'",
                field(),
                self.input
            )),
            // Source: developers' reports of the service's messages for both.
            intrinsic::EvalError::Path { path, .. } => self.runtime(format!(
                "The function '{}' had the following error: The JsonPath argument for the field '{path}' could not be found in the input '{}'",
                expression.source(),
                self.input
            )),
            intrinsic::EvalError::Intrinsic { message } => self.raise(
                error::INTRINSIC_FAILURE,
                format!("The function '{}' had the following error: {message}", expression.source()),
            ),
            intrinsic::EvalError::Runtime { message } => self.runtime(format!(
                "The function '{}' had the following error: {message}",
                expression.source()
            )),
        })
    }

    /// A JSONata expression that must give a value; `field` is its location.
    pub fn query(
        &self,
        expression: &jsonata::Expression,
        field: impl FnOnce() -> String,
    ) -> Result<Value, Raised> {
        let complaint = match expression.evaluate(self, &self.interpreter.env.query_limits) {
            Ok(jsonata::Outcome::Value(value)) if value.depth() <= DEPTH_MAX => return Ok(value),
            Ok(jsonata::Outcome::Value(_)) => {
                format!("returned a value that is nested deeper than {DEPTH_MAX} levels.")
            }
            Ok(jsonata::Outcome::Undefined) => "returned nothing (undefined).".to_owned(),
            Ok(jsonata::Outcome::Function) => "returned an unsupported result type.".to_owned(),
            Err(jsonata::EvalError { code: Some(code), message }) => {
                format!("threw an error during evaluation. {code}: {message}")
            }
            Err(jsonata::EvalError { code: None, message }) => {
                format!("threw an error during evaluation: {message}")
            }
        };
        let field = field();
        let detail = format!(
            "The JSONata expression '{}' specified for the field '{field}' {complaint}",
            expression.source()
        );
        Err(self.evaluation_failed(detail, Some(field)))
    }

    /// The failure of an expression whose value has the wrong type.
    pub fn unexpected_type(
        &self,
        expression: &jsonata::Expression,
        field: &str,
        expected: &str,
        value: &Value,
    ) -> Raised {
        let detail = format!(
            "The JSONata expression '{}' specified for the field '{field}' returned an unexpected result type. Expected '{expected}', but was '{}' for value: {value}",
            expression.source(),
            value.type_name()
        );
        self.evaluation_failed(detail, Some(field.to_owned()))
    }

    /// A failure of JSONata evaluation; `location` is the field at fault.
    pub fn evaluation_failed(&self, detail: impl AsRef<str>, location: Option<String>) -> Raised {
        let raised = self.raise(error::QUERY_EVALUATION_ERROR, detail);
        Raised { evaluation: Some(Evaluation { location: location.map(Text::from), begun: false }), ..raised }
    }

    /// `States.Runtime`, which nothing retries or catches.
    pub fn runtime(&self, detail: impl AsRef<str>) -> Raised {
        self.raise(error::RUNTIME, detail)
    }

    pub fn raise(&self, error: &'static str, detail: impl AsRef<str>) -> Raised {
        let (name, entered) = (&self.state().name, self.frame().entered_event);
        let cause = format!(
            "An error occurred while executing the state '{name}' (entered at the event id #{entered}). {}",
            detail.as_ref()
        );
        Raised::new(error, cause)
    }

    /// The item of the innermost inline Map iteration around the state.
    fn map_item(&self) -> Option<(usize, &'s Value)> {
        if let Some((index, item)) = self.item {
            return Some((index, item));
        }
        let mut frame = self.frame();
        loop {
            let (parent, index) = frame.parent?;
            if let Some(item) = &frame.item {
                return Some((index, item));
            }
            frame = self.interpreter.frame(parent);
        }
    }
}

impl Scope for StateScope<'_> {
    fn input(&self) -> &Value {
        self.input
    }

    /// Source: developer guide, "Context object"; recorded: no `RetryCount` for a Pass.
    fn context(&self) -> Value {
        let snapshot = &self.interpreter.snapshot;
        let (execution, state, frame) = (&snapshot.execution, self.state(), self.frame());
        let mut execution_members = vec![
            ("Id", execution.arn.clone().into()),
            ("Input", snapshot.input.clone()),
            ("StartTime", execution.started_at.to_string().into()),
            ("Name", execution.name.clone().into()),
            ("RoleArn", execution.role_arn.clone().into()),
        ];
        if !execution.synchronous {
            execution_members.push(("RedriveCount", Value::from(snapshot.redrive_count)));
        }
        if let Some(at) = snapshot.redriven_at {
            execution_members.push(("RedriveTime", at.to_string().into()));
        }
        let state_machine = [
            ("Id", Value::from(execution.state_machine_arn.clone())),
            ("Name", execution.state_machine_name.clone().into()),
        ];
        let mut state_members = vec![
            ("Name", Value::from(state.name.clone())),
            ("EnteredTime", frame.entered_at.to_string().into()),
        ];
        if matches!(state.kind, StateKind::Task(_) | StateKind::Parallel(_) | StateKind::Map(_)) {
            state_members.push(("RetryCount", frame.retry_count.into()));
        }
        let mut context: Vec<(&str, Value)> = vec![
            ("Execution", execution_members.into_iter().collect()),
            ("StateMachine", state_machine.into_iter().collect()),
            ("State", state_members.into_iter().collect()),
        ];
        if let Some(token) = self.token {
            context.push(("Task", [("Token", Value::from(token.text().clone()))].into_iter().collect()));
        }
        if let Some((index, item)) = self.map_item() {
            let item: Value = [("Index", index.into()), ("Value", item.clone())].into_iter().collect();
            context.push(("Map", [("Item", item)].into_iter().collect()));
        }
        context.into_iter().collect()
    }

    fn variable(&self, name: &str) -> Option<Value> {
        let mut frame = self.frame();
        loop {
            if let Some(value) = frame.variables.get(name) {
                return Some(value.clone());
            }
            let (parent, _) = frame.parent?;
            frame = self.interpreter.frame(parent);
        }
    }

    fn result(&self) -> Option<&Value> {
        self.result
    }

    fn error_output(&self) -> Option<&Value> {
        self.error_output
    }

    fn now_millis(&self) -> i64 {
        self.interpreter.env.now.millis()
    }

    fn next_random(&self) -> u64 {
        self.interpreter.random.next()
    }
}

/// Whole numbers of a value, also when written `2.0`.
pub(crate) fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::Number(Number::Big(_)) => None,
        Value::Number(n) => n.as_i64(),
        _ => None,
    }
}
