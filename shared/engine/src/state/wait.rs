use asl::state::{StateKind, Wait, WaitUntil};
use asl::template::Field;
use model::json::Value;
use model::timestamp::{Instant, Timestamp};

use crate::failure::{Evaluation, Raised};
use crate::interpreter::Interpreter;
use crate::scope::StateScope;
use crate::snapshot::{FrameId, Phase};
use crate::state::field::{integer_text, whole};

pub(crate) fn begin(i: &mut Interpreter<'_>, id: FrameId, wait: &Wait) -> Result<(), Raised> {
    let raw = i.frame(id).input.clone();
    let scope = StateScope::of(i, id, &raw);
    let effective = scope.effective_input(&wait.flow)?;
    let scope = scope.with_input(&effective);
    let until = match &wait.until {
        WaitUntil::Seconds(field) => i.env.now.plus_seconds(seconds(&scope, field)?),
        WaitUntil::Timestamp(field) => timestamp(&scope, field)?,
    };
    if until <= i.env.now {
        return leave(i, id, wait);
    }
    i.frame_mut(id).phase = Phase::Waiting { until };
    Ok(())
}

/// The time has come.
pub(crate) fn woken(i: &mut Interpreter<'_>, id: FrameId) {
    let StateKind::Wait(wait) = &i.state(id).kind else { return };
    if let Err(raised) = leave(i, id, wait) {
        i.fail(id, raised);
    }
}

fn leave(i: &mut Interpreter<'_>, id: FrameId, wait: &Wait) -> Result<(), Raised> {
    let raw = i.frame(id).input.clone();
    let scope = StateScope::of(i, id, &raw);
    let effective = scope.effective_input(&wait.flow)?;
    let flow = &wait.flow;
    let (output, assigned) =
        scope.with_input(&effective).pass_on(flow, flow.output.as_ref(), &flow.assign)?;
    i.exit(id, output, assigned, wait.transition);
    Ok(())
}

fn seconds(scope: &StateScope<'_>, field: &Field<i64>) -> Result<i64, Raised> {
    let path = match field {
        Field::Path(path) => path,
        Field::Constant(_) | Field::Intrinsic(_) | Field::Query(_) => {
            return whole(scope, field, "Seconds", 0);
        }
    };
    let source = path.source();
    let Some(value) = scope.path_if_present(path)? else {
        return Err(
            scope.runtime(format!("The SecondsPath parameter does not reference an input value: {source}"))
        );
    };
    match integer_text(&value) {
        Some(n) if n >= 0 => Ok(n),
        Some(_) => Err(scope.runtime(format!(
            "The SecondsPath parameter references a negative value: {source} == {}",
            plain(&value)
        ))),
        None => Err(scope.runtime(format!(
            "The SecondsPath parameter cannot be parsed as a long value: {source} == {}",
            plain(&value)
        ))),
    }
}

fn timestamp(scope: &StateScope<'_>, field: &Field<Timestamp>) -> Result<Timestamp, Raised> {
    match field {
        Field::Constant(at) => Ok(*at),
        Field::Path(path) => {
            let source = path.source();
            let Some(value) = scope.path_if_present(path)? else {
                return Err(scope.runtime(format!(
                    "The TimestampPath parameter does not reference an input value: {source}"
                )));
            };
            parse(&value).ok_or_else(|| {
                scope.runtime(format!(
                    "The TimestampPath parameter does not reference a valid ISO-8601 extended offset date-time format string: {source} == {}",
                    plain(&value)
                ))
            })
        }
        Field::Intrinsic(expression) => {
            let value = scope.intrinsic(expression, || "TimestampPath".to_owned())?;
            parse(&value).ok_or_else(|| not_a_timestamp(scope, &value))
        }
        Field::Query(expression) => {
            let value = scope.query(expression, || "Timestamp".to_owned())?;
            if !matches!(value, Value::String(_)) {
                return Err(scope.unexpected_type(expression, "Timestamp", "string", &value));
            }
            parse(&value).ok_or_else(|| not_a_timestamp(scope, &value))
        }
    }
}

/// Recorded: this check comes after the state has begun, so its event follows the Entered event.
fn not_a_timestamp(scope: &StateScope<'_>, value: &Value) -> Raised {
    let detail = format!(
        "The Timestamp field cannot be parsed as an ISO-8601 extended offset date-time format string: {}",
        plain(value)
    );
    let raised = scope.evaluation_failed(detail, Some("Timestamp".to_owned()));
    let evaluation = raised.evaluation.clone().map(|evaluation| Evaluation { begun: true, ..evaluation });
    Raised { evaluation, ..raised }
}

fn parse(value: &Value) -> Option<Timestamp> {
    Instant::parse_iso_offset(value.as_str()?).ok().map(Instant::timestamp)
}

/// Text without its quotes, anything else as JSON.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.to_string(),
        other => other.to_json(),
    }
}
