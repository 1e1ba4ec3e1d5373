use asl::state::Fail;
use asl::template::Field;
use model::error::Failure;
use model::json::{Text, Value};

use crate::failure::Raised;
use crate::interpreter::Interpreter;
use crate::scope::StateScope;
use crate::snapshot::FrameId;

/// A Fail state has no Exited event: the next event is the failure of its scope.
pub(crate) fn begin(i: &mut Interpreter<'_>, id: FrameId, fail: &Fail) -> Result<(), Raised> {
    let raw = i.frame(id).input.clone();
    let scope = StateScope::of(i, id, &raw);
    let error = text(&scope, fail.error.as_ref(), "Error")?;
    let cause = text(&scope, fail.cause.as_ref(), "Cause")?;
    i.fail_scope(id, Failure { error, cause });
    Ok(())
}

/// `name` is the field's; its path form has the suffix `Path`.
fn text(scope: &StateScope<'_>, field: Option<&Field<Text>>, name: &str) -> Result<Option<Text>, Raised> {
    let Some(field) = field else { return Ok(None) };
    let value = match field {
        Field::Constant(text) => return Ok(Some(text.clone())),
        Field::Path(path) => match scope.path_if_present(path)? {
            Some(value) => value,
            None => {
                return Err(scope.runtime(format!(
                    "The JSONPath '{}' specified for the field '{name}Path' could not be found in the input '{}'",
                    path.source(),
                    query::Scope::input(scope)
                )));
            }
        },
        Field::Intrinsic(expression) => scope.intrinsic(expression, || format!("{name}Path"))?,
        Field::Query(expression) => {
            let value = scope.query(expression, || name.to_owned())?;
            if !matches!(value, Value::String(_)) {
                return Err(scope.unexpected_type(expression, name, "string", &value));
            }
            value
        }
    };
    match value {
        Value::String(text) => Ok(Some(text)),
        other => {
            Err(scope.runtime(format!("The field '{name}Path' must refer to a string, but was: {other}")))
        }
    }
}
