use model::json::{Array, Number, Object, Text, Value};

use super::function::{Function, Kind};
use super::string::Template;
use super::{ARGUMENT_BYTES_MAX, EvalError, array, encoding, eval_path, json, math, refuse, string};
use crate::Scope;
use crate::jsonpath::Path;

/// A call of an intrinsic function.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    pub(super) source: Text,
    pub(super) function: Function,
    pub(super) arguments: Box<[Argument]>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Argument {
    Literal(Value),
    /// A literal whose escapes matter to the function: the first argument of `States.Format`.
    Template(Template),
    /// A literal with an open escape: evaluating it fails.
    ///
    /// Source: Amazon States Language, "Intrinsic Functions": an open escape is a runtime error.
    OpenEscape(Text),
    Path(Path),
    Call(Call),
}

impl Call {
    /// The call, as it was written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The function that is called, not counting the calls in its arguments.
    pub fn function(&self) -> Function {
        self.function
    }

    pub(super) fn walk_paths(&self, visit: &mut impl FnMut(&Path)) {
        for argument in &self.arguments {
            match argument {
                Argument::Path(path) => visit(path),
                Argument::Call(call) => call.walk_paths(visit),
                Argument::Literal(_) | Argument::Template(_) | Argument::OpenEscape(_) => {}
            }
        }
    }

    pub(super) fn eval(&self, scope: &dyn Scope) -> Result<Value, EvalError> {
        let values = self.values(scope)?;
        self.apply(&values, scope).map_err(|error| match error {
            EvalError::Intrinsic { message } => {
                EvalError::Intrinsic { message: format!("{}: {message}", self.function.name()) }
            }
            other => other,
        })
    }

    fn values(&self, scope: &dyn Scope) -> Result<Vec<Value>, EvalError> {
        let signature = self.function.signature();
        let mut values = Vec::with_capacity(self.arguments.len());
        let mut bytes = 0_usize;
        for (index, argument) in self.arguments.iter().enumerate() {
            let value = match argument {
                Argument::Literal(value) => value.clone(),
                // `apply` takes it from the arguments.
                Argument::Template(_) => Value::Null,
                Argument::OpenEscape(literal) => {
                    return Err(EvalError::Runtime {
                        message: format!(
                            "open escape in the literal '{literal}' of {}; only \\', \\{{, \\}} and \\\\ are escapes",
                            self.source
                        ),
                    });
                }
                Argument::Path(path) => eval_path(path, scope)?,
                Argument::Call(call) => call.eval(scope)?,
            };
            let kind = signature.kind(index).unwrap_or(Kind::Any);
            if !kind.accepts(&value) && !matches!(argument, Argument::Template(_)) {
                return refuse(format!(
                    "{}: argument {} must be {}, not {}",
                    self.function.name(),
                    index + 1,
                    kind.noun(),
                    value.type_name()
                ));
            }
            bytes = bytes.saturating_add(value.json_len());
            if bytes > ARGUMENT_BYTES_MAX {
                return refuse(format!(
                    "{}: the arguments are larger than {ARGUMENT_BYTES_MAX} bytes together",
                    self.function.name()
                ));
            }
            values.push(value);
        }
        Ok(values)
    }

    fn apply(&self, values: &[Value], scope: &dyn Scope) -> Result<Value, EvalError> {
        match self.function {
            Function::Array => Ok(values.to_vec().into()),
            Function::ArrayContains => Ok(array::contains(array_at(values, 0)?, at(values, 1)?).into()),
            Function::ArrayGetItem => array::get_item(array_at(values, 0)?, number_at(values, 1)?),
            Function::ArrayLength => Ok(array_at(values, 0)?.len().into()),
            Function::ArrayPartition => array::partition(array_at(values, 0)?, number_at(values, 1)?),
            Function::ArrayRange => {
                array::range(number_at(values, 0)?, number_at(values, 1)?, number_at(values, 2)?)
            }
            Function::ArrayUnique => Ok(array::unique(array_at(values, 0)?)),
            Function::Base64Decode => encoding::base64_decode(text_at(values, 0)?),
            Function::Base64Encode => encoding::base64_encode(text_at(values, 0)?),
            Function::Format => match self.arguments.first() {
                Some(Argument::Template(template)) => template.fill(values.get(1..).unwrap_or_default()),
                _ => Template::of_data(text_at(values, 0)?).fill(values.get(1..).unwrap_or_default()),
            },
            Function::Hash => encoding::hash(text_at(values, 0)?, text_at(values, 1)?),
            Function::JsonMerge => json::merge(object_at(values, 0)?, object_at(values, 1)?, at(values, 2)?),
            Function::JsonToString => Ok(at(values, 0)?.to_json().into()),
            Function::MathAdd => math::add(number_at(values, 0)?, number_at(values, 1)?),
            Function::MathRandom => {
                let seed = values.get(2).map(|_| number_at(values, 2)).transpose()?;
                math::random(number_at(values, 0)?, number_at(values, 1)?, seed, scope)
            }
            Function::StringSplit => Ok(string::split(text_at(values, 0)?, text_at(values, 1)?)),
            Function::StringToJson => json::parse(text_at(values, 0)?),
            Function::Uuid => Ok(encoding::uuid(scope)),
        }
    }
}

fn at(values: &[Value], index: usize) -> Result<&Value, EvalError> {
    match values.get(index) {
        Some(value) => Ok(value),
        None => refuse(format!("argument {} is missing", index + 1)),
    }
}

fn array_at(values: &[Value], index: usize) -> Result<&Array, EvalError> {
    match at(values, index)? {
        Value::Array(items) => Ok(items),
        other => refuse(format!("argument {} must be an array, not {}", index + 1, other.type_name())),
    }
}

fn object_at(values: &[Value], index: usize) -> Result<&Object, EvalError> {
    match at(values, index)? {
        Value::Object(members) => Ok(members),
        other => refuse(format!("argument {} must be an object, not {}", index + 1, other.type_name())),
    }
}

fn number_at(values: &[Value], index: usize) -> Result<&Number, EvalError> {
    match at(values, index)? {
        Value::Number(n) => Ok(n),
        other => refuse(format!("argument {} must be a number, not {}", index + 1, other.type_name())),
    }
}

fn text_at(values: &[Value], index: usize) -> Result<&Text, EvalError> {
    match at(values, index)? {
        Value::String(text) => Ok(text),
        other => refuse(format!("argument {} must be a string, not {}", index + 1, other.type_name())),
    }
}
