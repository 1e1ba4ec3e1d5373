use model::json::Value;
use model::status::LogLevel;

use super::*;
use crate::ErrorType;

/// Reads a request with a member of each kind.
fn problem(body: &str) -> Option<(ErrorType, String)> {
    let body = Value::parse(body).unwrap();
    read(&body, |members| {
        members.required_text("name", &text(1, 5));
        members.text("secret", &text(2, 3).sensitive());
        members.text("header", &text(0, 5).matching("\\p{ASCII}*", str::is_ascii));
        members.word::<LogLevel>("level", &words(LogLevel::WORDS));
        members.integer("count", 0..=10);
        members.boolean("flag");
        members.structure("inner", |inner| inner.required_text("deep", &ARN));
        members.structures("items", |item| item.required_text("key", &NAME));
        if members.has("keys") {
            members.required_texts("keys", &text(1, 2));
        }
    })
    .err()
    .map(|error| (error.error_type, error.message))
}

#[test]
fn what_is_fine_is_read() {
    for body in [
        r#"{"name":"a"}"#,
        r#"{"name":"éèêëç","unknown":[{}],"secret":null,"level":"OFF","count":10,"flag":false}"#,
        r#"{"name":"a","inner":{"deep":"x"},"items":[],"keys":["a"],"count":1.0}"#,
    ] {
        assert_eq!(problem(body), None, "{body}");
    }
}

#[test]
fn broken_constraints_are_gathered() {
    let check = |body: &str, count: usize, findings: &str| {
        let noun = if count == 1 { "error" } else { "errors" };
        let message = format!("{count} validation {noun} detected: {findings}");
        assert_eq!(problem(body), Some((ErrorType::ValidationException, message)), "{body}");
    };
    check("{}", 1, "Value null at 'name' failed to satisfy constraint: Member must not be null");
    check(
        r#"{"name":""}"#,
        1,
        "Value '' at 'name' failed to satisfy constraint: Member must have length greater than or equal to 1",
    );
    check(
        r#"{"name":"abcdef","count":11}"#,
        2,
        "Value 'abcdef' at 'name' failed to satisfy constraint: Member must have length less than or equal to 5; \
         Value '11' at 'count' failed to satisfy constraint: Member must have value less than or equal to 10",
    );
    check(
        r#"{"name":"a","secret":"xxxx","count":-1}"#,
        2,
        "Value at 'secret' failed to satisfy constraint: Member must have length less than or equal to 3; \
         Value '-1' at 'count' failed to satisfy constraint: Member must have value greater than or equal to 0",
    );
    check(
        r#"{"name":"a","level":"off"}"#,
        1,
        "Value 'off' at 'level' failed to satisfy constraint: Member must satisfy enum value set: [ALL, ERROR, FATAL, OFF]",
    );
    check(
        r#"{"name":"a","header":"é"}"#,
        1,
        "Value 'é' at 'header' failed to satisfy constraint: Member must satisfy regular expression pattern: \\p{ASCII}*",
    );
    check(
        r#"{"name":"a","inner":{},"items":[{"key":"k"},{},null],"keys":["abc",null]}"#,
        6,
        "Value null at 'inner.deep' failed to satisfy constraint: Member must not be null; \
         Value null at 'items.2.member.key' failed to satisfy constraint: Member must not be null; \
         Value null at 'items.3.member' failed to satisfy constraint: Member must not be null; \
         Value null at 'items.3.member.key' failed to satisfy constraint: Member must not be null; \
         Value 'abc' at 'keys.1.member' failed to satisfy constraint: Member must have length less than or equal to 2; \
         Value null at 'keys.2.member' failed to satisfy constraint: Member must not be null",
    );
    check(
        r#"{"name":"a","count":123456789012345678901234567890}"#,
        1,
        "Value '123456789012345678901234567890' at 'count' failed to satisfy constraint: \
         Member must have value less than or equal to 10",
    );
}

#[test]
fn wrong_types_come_first_and_name_the_member() {
    let check = |body: &str, message: &str| {
        assert_eq!(problem(body), Some((ErrorType::SerializationException, message.to_owned())), "{body}");
    };
    check("[]", "the request is a list, not a structure");
    check(r#"{"name":1}"#, "NUMBER_VALUE can not be converted to a String at 'name'");
    check(r#"{"count":20,"name":true}"#, "TRUE_VALUE can not be converted to a String at 'name'");
    check(r#"{"name":{}}"#, "Start of structure or map found where not expected at 'name'");
    check(r#"{"name":[]}"#, "Start of list found where not expected at 'name'");
    check(r#"{"count":"1"}"#, "STRING_VALUE can not be converted to an Integer at 'count'");
    check(r#"{"count":1.5}"#, "NUMBER_VALUE can not be converted to an Integer at 'count'");
    check(r#"{"flag":"true"}"#, "STRING_VALUE can not be converted to a Boolean at 'flag'");
    check(r#"{"inner":"x"}"#, "Expected structure or null: a string at 'inner'");
    check(r#"{"inner":{"deep":false}}"#, "FALSE_VALUE can not be converted to a String at 'inner.deep'");
    check(r#"{"items":{}}"#, "Expected list or null: a structure at 'items'");
    check(r#"{"items":["x"]}"#, "Expected structure or null: a string at 'items.1.member'");
    check(r#"{"keys":[1]}"#, "NUMBER_VALUE can not be converted to a String at 'keys.1.member'");
}

#[test]
fn messages_stay_short() {
    let items: Vec<String> = (0..5_000).map(|_| format!(r#"{{"key":"{}"}}"#, "x".repeat(100))).collect();
    let body = format!(r#"{{"name":"{}","items":[{}]}}"#, "n".repeat(100_000), items.join(","));
    let (_, message) = problem(&body).unwrap();
    assert!(message.starts_with("5001 validation errors detected: "));
    assert!(message.len() < 10_000);
}
