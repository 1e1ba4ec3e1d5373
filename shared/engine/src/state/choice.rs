use std::cmp::Ordering as Compared;

use asl::state::{Choice, Comparator, Condition, Operand, Ordering, Test, Transition};
use model::error;
use model::json::{Number, Text, Value};
use model::timestamp::Instant;
use query::jsonpath::Path;

use crate::failure::Raised;
use crate::interpreter::Interpreter;
use crate::scope::StateScope;
use crate::snapshot::FrameId;

pub(crate) fn begin(i: &mut Interpreter<'_>, id: FrameId, choice: &Choice) -> Result<(), Raised> {
    let raw = i.frame(id).input.clone();
    let scope = StateScope::of(i, id, &raw);
    let effective = scope.effective_input(&choice.flow)?;
    let scope = scope.with_input(&effective);
    let mut chosen = None;
    for (index, rule) in choice.rules.iter().enumerate() {
        if holds(&scope, &rule.condition, index)? {
            chosen = Some(rule);
            break;
        }
    }
    let flow = &choice.flow;
    let ((output, assigned), next) = match (chosen, choice.default) {
        (Some(rule), _) => (scope.pass_on(flow, rule.output.as_ref(), &rule.assign)?, rule.next),
        (None, Some(default)) => (scope.pass_on(flow, flow.output.as_ref(), &flow.assign)?, default),
        (None, None) => {
            // Source: developers' reports of the service's message.
            let detail = "Failed to transition out of the state. The state does not point to a next state.";
            return Err(scope.raise(error::NO_CHOICE_MATCHED, detail));
        }
    };
    i.exit(id, output, assigned, Transition::Next(next));
    Ok(())
}

fn holds(scope: &StateScope<'_>, condition: &Condition, rule: usize) -> Result<bool, Raised> {
    match condition {
        Condition::And(all) => {
            for condition in all {
                if !holds(scope, condition, rule)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        Condition::Or(any) => {
            for condition in any {
                if holds(scope, condition, rule)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        Condition::Not(condition) => Ok(!holds(scope, condition, rule)?),
        Condition::Test(test) => passes(scope, test),
        Condition::Constant(constant) => Ok(*constant),
        Condition::Query(expression) => {
            let field = || format!("Choices[{rule}]/Condition");
            match scope.query(expression, field)? {
                Value::Bool(holds) => Ok(holds),
                other => Err(scope.unexpected_type(expression, &field(), "boolean", &other)),
            }
        }
    }
}

/// A data test. Values of another type than the comparator's compare false; nothing at the
/// Variable's path is an error, except for `IsPresent`.
fn passes(scope: &StateScope<'_>, test: &Test) -> Result<bool, Raised> {
    let found = scope.path_if_present(&test.variable)?;
    if let Comparator::IsPresent(expected) = test.comparator {
        return Ok(found.is_some() == expected);
    }
    let Some(value) = found else {
        return Err(invalid_variable(scope, &test.variable));
    };
    Ok(match &test.comparator {
        Comparator::String(ordering, operand) => match (value.as_str(), text(scope, operand)?) {
            (Some(left), Some(right)) => ordered(left.cmp(right.as_str()), *ordering),
            _ => false,
        },
        Comparator::StringMatches(pattern) => {
            value.as_str().is_some_and(|text| matches_pattern(pattern, text))
        }
        Comparator::Numeric(ordering, operand) => match (&value, number(scope, operand)?) {
            (Value::Number(left), Some(right)) => {
                compare(left, &right).is_some_and(|c| ordered(c, *ordering))
            }
            _ => false,
        },
        Comparator::Boolean(operand) => match (value.as_bool(), boolean(scope, operand)?) {
            (Some(left), Some(right)) => left == right,
            _ => false,
        },
        Comparator::Timestamp(ordering, operand) => match (instant(&value), timestamp(scope, operand)?) {
            (Some(left), Some(right)) => ordered(left.cmp(&right), *ordering),
            _ => false,
        },
        Comparator::IsNull(expected) => value.is_null() == *expected,
        Comparator::IsNumeric(expected) => matches!(value, Value::Number(_)) == *expected,
        Comparator::IsString(expected) => matches!(value, Value::String(_)) == *expected,
        Comparator::IsBoolean(expected) => matches!(value, Value::Bool(_)) == *expected,
        Comparator::IsTimestamp(expected) => instant(&value).is_some() == *expected,
        Comparator::IsPresent(expected) => *expected,
    })
}

/// Source: developers' reports of the service's message.
fn invalid_variable(scope: &StateScope<'_>, path: &Path) -> Raised {
    let detail = format!(
        "Invalid path '{}': The choice state's condition path references an invalid value.",
        path.source()
    );
    scope.runtime(detail)
}

fn operand(scope: &StateScope<'_>, path: &Path) -> Result<Value, Raised> {
    scope.path_if_present(path)?.ok_or_else(|| invalid_variable(scope, path))
}

fn text(scope: &StateScope<'_>, right: &Operand<Text>) -> Result<Option<Text>, Raised> {
    match right {
        Operand::Constant(text) => Ok(Some(text.clone())),
        Operand::Path(path) => match operand(scope, path)? {
            Value::String(text) => Ok(Some(text)),
            _ => Ok(None),
        },
    }
}

fn number(scope: &StateScope<'_>, right: &Operand<Number>) -> Result<Option<Number>, Raised> {
    match right {
        Operand::Constant(number) => Ok(Some(number.clone())),
        Operand::Path(path) => match operand(scope, path)? {
            Value::Number(number) => Ok(Some(number)),
            _ => Ok(None),
        },
    }
}

fn boolean(scope: &StateScope<'_>, right: &Operand<bool>) -> Result<Option<bool>, Raised> {
    match right {
        Operand::Constant(boolean) => Ok(Some(*boolean)),
        Operand::Path(path) => Ok(operand(scope, path)?.as_bool()),
    }
}

fn timestamp(scope: &StateScope<'_>, right: &Operand<Instant>) -> Result<Option<Instant>, Raised> {
    match right {
        Operand::Constant(instant) => Ok(Some(*instant)),
        Operand::Path(path) => Ok(instant(&operand(scope, path)?)),
    }
}

fn instant(value: &Value) -> Option<Instant> {
    Instant::parse_rfc3339(value.as_str()?).ok()
}

fn compare(left: &Number, right: &Number) -> Option<Compared> {
    match (left, right) {
        (Number::Int(left), Number::Int(right)) => Some(left.cmp(right)),
        _ => left.as_f64().partial_cmp(&right.as_f64()),
    }
}

fn ordered(compared: Compared, ordering: Ordering) -> bool {
    match ordering {
        Ordering::Equals => compared.is_eq(),
        Ordering::LessThan => compared.is_lt(),
        Ordering::GreaterThan => compared.is_gt(),
        Ordering::LessThanEquals => compared.is_le(),
        Ordering::GreaterThanEquals => compared.is_ge(),
    }
}

/// `StringMatches`: `*` stands for any text, also none; a backslash makes the next character
/// stand for itself. Linear in pattern times text, without recursion.
fn matches_pattern(pattern: &str, text: &str) -> bool {
    let mut tokens = Vec::with_capacity(pattern.len());
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        tokens.push(match c {
            '*' => None,
            '\\' => Some(chars.next().unwrap_or('\\')),
            c => Some(c),
        });
    }
    let text: Vec<char> = text.chars().collect();
    let (mut t, mut p) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match tokens.get(p) {
            Some(None) => {
                star = Some((p, t));
                p += 1;
            }
            Some(Some(c)) if *c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((after, from)) => {
                    // Let the last star take one character more.
                    p = after + 1;
                    t = from + 1;
                    star = Some((after, t));
                }
                None => return false,
            },
        }
    }
    tokens[p..].iter().all(Option::is_none)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn string_matches() {
        let table = [
            ("log-*.txt", "log-1.txt", true),
            ("log-*.txt", "log-.txt", true),
            ("log-*.txt", "log-1.csv", false),
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbYbZ", false),
            (r"\*", "*", true),
            (r"\*", "a", false),
            (r"a\\b", r"a\b", true),
            (r"\", r"\", true),
            ("*é*", "caféx", true),
        ];
        for (pattern, text, expected) in table {
            assert_eq!(matches_pattern(pattern, text), expected, "{pattern} on {text}");
        }
    }

    #[test]
    fn hostile_pattern_ends_soon() {
        let pattern = "*a".repeat(2_000);
        assert!(!matches_pattern(&pattern, &"a".repeat(1_999)));
        assert!(matches_pattern(&pattern, &"a".repeat(2_000)));
    }

    #[test]
    fn numbers_compare_by_value() {
        let n = |text: &str| match Value::parse(text).unwrap() {
            Value::Number(n) => n,
            other => panic!("{other} is no number"),
        };
        assert_eq!(compare(&n("9007199254740993"), &n("9007199254740992")), Some(Compared::Greater));
        assert_eq!(compare(&n("1.0"), &n("1")), Some(Compared::Equal));
        assert_eq!(compare(&n("123456789012345678901234567890"), &n("1")), Some(Compared::Greater));
    }
}
