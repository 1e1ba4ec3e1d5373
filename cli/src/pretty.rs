//! JSON for people.

use model::json::{Value, write_string, write_value};

/// Longest array or object that stays on one line, in characters.
const INLINE_CHARS_MAX: usize = 72;

/// JSON text of `value` over several lines, two spaces a level. Containers of plain values that fit stay on one line.
pub fn to_pretty(value: &Value) -> String {
    let mut out = String::new();
    write(&mut out, value, 0);
    out
}

fn write(out: &mut String, value: &Value, level: usize) {
    match value {
        Value::Array(items) if !items.is_empty() && !is_inline(value) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                begin_line(out, at, level + 1);
                write(out, item, level + 1);
            }
            end_line(out, level);
            out.push(']');
        }
        Value::Object(members) if !members.is_empty() => {
            out.push('{');
            for (at, (name, member)) in members.iter().enumerate() {
                begin_line(out, at, level + 1);
                write_string(out, name);
                out.push_str(": ");
                write(out, member, level + 1);
            }
            end_line(out, level);
            out.push('}');
        }
        Value::Array(items) if !items.is_empty() => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push_str(", ");
                }
                write_value(out, item);
            }
            out.push(']');
        }
        plain => write_value(out, plain),
    }
}

fn is_inline(value: &Value) -> bool {
    let is_plain = |item: &Value| !matches!(item, Value::Array(_) | Value::Object(_));
    value.as_array().is_some_and(|items| items.iter().all(is_plain) && value.json_len() <= INLINE_CHARS_MAX)
}

fn begin_line(out: &mut String, at: usize, level: usize) {
    if at > 0 {
        out.push(',');
    }
    end_line(out, level);
}

fn end_line(out: &mut String, level: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n("  ", level));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_values_are_indented() {
        let check = |json: &str, expected: &str| {
            let value = Value::parse(json).unwrap();
            let pretty = to_pretty(&value);
            assert_eq!(pretty, expected);
            assert_eq!(Value::parse(&pretty).unwrap(), value, "the text still means the same");
        };
        check("1", "1");
        check("[]", "[]");
        check("{}", "{}");
        check("[1,2]", "[1, 2]");
        check(r#"{"a":[1],"b":{"c":null}}"#, "{\n  \"a\": [1],\n  \"b\": {\n    \"c\": null\n  }\n}");
        check(r#"[{"a":"x\n"}]"#, "[\n  {\n    \"a\": \"x\\n\"\n  }\n]");
    }

    #[test]
    fn a_long_array_has_a_line_for_each_item() {
        let long = Value::from(vec![Value::from("x".repeat(40)), Value::from("y".repeat(40))]);
        assert_eq!(to_pretty(&long).lines().count(), 4);
    }
}
