use std::fmt::Write as _;

use model::json::Value;

/// Appends a value as the service renders it inside a sentence: a string bare, an object as
/// `{a=1, b=[]}`, an array as `[1, x]`, numbers, booleans and null as in JSON.
///
/// Source: conformance cases `intrinsic_functions/generic.format_1-…` and `generic.context_json_path`.
pub(crate) fn push_java_text(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Value::Number(n) => {
            let _ = write!(out, "{n}");
        }
        Value::String(text) => out.push_str(text),
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push_str(", ");
                }
                push_java_text(out, item);
            }
            out.push(']');
        }
        Value::Object(members) => {
            out.push('{');
            for (i, (name, member)) in members.iter().enumerate() {
                if i > 0 {
                    out.push_str(", ");
                }
                out.push_str(name);
                out.push('=');
                push_java_text(out, member);
            }
            out.push('}');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str, expected: &str) {
        let mut out = String::new();
        push_java_text(&mut out, &Value::parse(json).unwrap());
        assert_eq!(out, expected, "{json}");
    }

    #[test]
    fn renders_as_the_service_does() {
        check("null", "null");
        check("\"a b\"", "a b");
        check("1.1", "1.1");
        check("[]", "[]");
        check("{}", "{}");
        check(r#"{"Arg1":1,"Arg2":[]}"#, "{Arg1=1, Arg2=[]}");
        check(r#"[true,"x",{"a":{"b":null}}]"#, "[true, x, {a={b=null}}]");
    }
}
