//! The rules for names: of state machines, executions, activities, aliases, states, labels,
//! variables and tags.
//!
//! Each `check_…` says which rule the text breaks and where. Lengths count characters.

use thiserror::Error;

use crate::limits::{
    LABEL_CHARS_MAX, NAME_CHARS_MAX, STATE_NAME_CHARS_MAX, TAG_KEY_CHARS_MAX, TAG_VALUE_CHARS_MAX,
    VARIABLE_NAME_CHARS_MAX,
};

/// The rule that a name breaks.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NameError {
    /// There is no character at all.
    #[error("is empty")]
    Empty,
    /// More characters than allowed.
    #[error("has {chars} characters, more than {chars_max}")]
    TooLong {
        /// How many there are.
        chars: usize,
        /// How many there may be.
        chars_max: usize,
    },
    /// A character that may not stand there.
    #[error("has {} at position {position}, where {rule}", shown(*.character))]
    Character {
        /// The first character that may not stand where it stands.
        character: char,
        /// Its place, counting characters from 1.
        position: usize,
        /// What the rule says.
        rule: &'static str,
    },
    /// An alias of digits only would look like a version.
    #[error("has only digits, as a version has; add a letter, `_`, `-` or `.`")]
    OnlyDigits,
    /// A name that the language or AWS keeps for itself.
    #[error("is reserved: {0}")]
    Reserved(&'static str),
}

/// The name of a state machine, an execution or an activity: 1 to 80 characters, none of them
/// white space, bracket, wildcard, special or control character.
///
/// Source: API (CreateStateMachine, StartExecution, CreateActivity), member `name`.
pub fn check_name(name: &str) -> Result<(), NameError> {
    check_length(name, 1, NAME_CHARS_MAX)?;
    check_characters(name, name_rule)
}

/// The name of an alias: 1 to 80 letters, digits, `_`, `-` and `.` of ASCII, not digits only.
///
/// Source: API (CreateStateMachineAlias), member `name`, and the pattern in recorded refusals.
pub fn check_alias_name(name: &str) -> Result<(), NameError> {
    check_length(name, 1, NAME_CHARS_MAX)?;
    check_characters(name, |_, c| {
        let allowed = c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        if allowed { None } else { Some("only letters, digits, `_`, `-` and `.` of ASCII may stand") }
    })?;
    if name.bytes().all(|b| b.is_ascii_digit()) { Err(NameError::OnlyDigits) } else { Ok(()) }
}

/// The name of a state: 1 to 80 characters of any kind.
///
/// Source: Amazon States Language, section "States".
pub fn check_state_name(name: &str) -> Result<(), NameError> {
    check_length(name, 1, STATE_NAME_CHARS_MAX)
}

/// The `Label` of a distributed Map: 1 to 40 characters of those that [`check_name`] allows.
///
/// Source: developer guide, "Distributed mode", field `Label`, and recorded refusals.
pub fn check_label(label: &str) -> Result<(), NameError> {
    check_length(label, 1, LABEL_CHARS_MAX)?;
    check_characters(label, name_rule)
}

/// The name of a variable: a Unicode identifier (ID_Start, then ID_Continue) of at most 80
/// characters, other than `states`. Without the `$` that stands before it in expressions.
///
/// Source: developer guide, "Passing data between states with variables".
pub fn check_variable_name(name: &str) -> Result<(), NameError> {
    check_length(name, 1, VARIABLE_NAME_CHARS_MAX)?;
    check_characters(name, |position, c| match position {
        1 if !is_id_start(c) => Some("only a letter may stand (Unicode ID_Start)"),
        2.. if !is_id_continue(c) => Some("only letters, digits and `_` may stand (Unicode ID_Continue)"),
        _ => None,
    })?;
    if name == "states" { Err(NameError::Reserved("`$states` holds the state's own data")) } else { Ok(()) }
}

/// The key of a tag: 1 to 128 letters, digits, white space and `_.:/=+-@`, not beginning `aws:`.
///
/// Source: API (TagResource), data type Tag.
pub fn check_tag_key(key: &str) -> Result<(), NameError> {
    check_length(key, 1, TAG_KEY_CHARS_MAX)?;
    check_tag_text(key)
}

/// The value of a tag: at most 256 characters, else as [`check_tag_key`].
///
/// Source: as [`check_tag_key`].
pub fn check_tag_value(value: &str) -> Result<(), NameError> {
    check_length(value, 0, TAG_VALUE_CHARS_MAX)?;
    check_tag_text(value)
}

fn check_tag_text(text: &str) -> Result<(), NameError> {
    check_characters(text, |_, c| {
        let allowed = c.is_alphanumeric()
            || c.is_whitespace()
            || matches!(c, '_' | '.' | ':' | '/' | '=' | '+' | '-' | '@');
        if allowed { None } else { Some("only letters, digits, white space and `_.:/=+-@` may stand") }
    })?;
    match text.get(..4) {
        Some(prefix) if prefix.eq_ignore_ascii_case("aws:") => {
            Err(NameError::Reserved("tags that begin with `aws:` belong to AWS"))
        }
        _ => Ok(()),
    }
}

fn check_length(text: &str, chars_min: usize, chars_max: usize) -> Result<(), NameError> {
    let chars = text.chars().count();
    if chars < chars_min {
        Err(NameError::Empty)
    } else if chars > chars_max {
        Err(NameError::TooLong { chars, chars_max })
    } else {
        Ok(())
    }
}

/// `rule` takes the position from 1 and the character, and answers what it breaks.
fn check_characters(text: &str, rule: impl Fn(usize, char) -> Option<&'static str>) -> Result<(), NameError> {
    for (position, character) in (1..).zip(text.chars()) {
        if let Some(rule) = rule(position, character) {
            return Err(NameError::Character { character, position, rule });
        }
    }
    Ok(())
}

fn name_rule(_: usize, c: char) -> Option<&'static str> {
    match c {
        // Tabs and line ends are controls too: white space is the plainer word for them.
        _ if c.is_whitespace() => Some("no white space may stand"),
        '<' | '>' | '{' | '}' | '[' | ']' => Some("no bracket `<>{}[]` may stand"),
        '?' | '*' => Some("no wildcard `?*` may stand"),
        '"' | '#' | '%' | '\\' | '^' | '|' | '~' | '`' | '$' | '&' | ',' | ';' | ':' | '/' => {
            Some("no special character \"#%\\^|~`$&,;:/ may stand")
        }
        '\0'..='\x1f' | '\x7f'..='\u{9f}' => Some("no control character may stand"),
        '\u{fffe}' | '\u{ffff}' | '\u{10ffff}' => Some("no noncharacter may stand"),
        _ => None,
    }
}

/// ID_Start. The tables at hand are those of XID_Start, which lacks the few characters that do
/// not stay identifiers under NFKC normalization.
fn is_id_start(c: char) -> bool {
    unicode_ident::is_xid_start(c)
        || is_id_without_xid(c)
        || matches!(c, '\u{e33}' | '\u{eb3}' | '\u{ff9e}' | '\u{ff9f}')
}

/// ID_Continue; see [`is_id_start`].
fn is_id_continue(c: char) -> bool {
    unicode_ident::is_xid_continue(c) || is_id_without_xid(c)
}

/// In ID_Continue but not in XID_Continue.
fn is_id_without_xid(c: char) -> bool {
    matches!(
        c,
        '\u{37a}' | '\u{309b}' | '\u{309c}' | '\u{fc5e}'
            ..='\u{fc63}'
                | '\u{fdfa}'
                | '\u{fdfb}'
                | '\u{fe70}'
                | '\u{fe72}'
                | '\u{fe74}'
                | '\u{fe76}'
                | '\u{fe78}'
                | '\u{fe7a}'
                | '\u{fe7c}'
                | '\u{fe7e}'
    )
}

/// A character for a message: itself where it can be seen, and its code.
fn shown(c: char) -> String {
    let code = u32::from(c);
    match c {
        ' '..='~' => format!("{c:?} (U+{code:04X})"),
        _ if c.is_alphanumeric() => format!("{c:?} (U+{code:04X})"),
        _ => format!("the character U+{code:04X}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Check = fn(&str) -> Result<(), NameError>;

    fn accepts(check: Check, names: &[&str]) {
        for name in names {
            assert_eq!(check(name), Ok(()), "{name:?}");
        }
    }

    fn refuses(check: Check, cases: &[(&str, &str)]) {
        for (name, message) in cases {
            assert_eq!(check(name).map_err(|error| error.to_string()), Err(message.to_string()), "{name:?}");
        }
    }

    #[test]
    fn names() {
        accepts(check_name, &["a", "my-machine_1.0", "été", "日本", "a@b!c'd(e)f+g=h", &"é".repeat(80)]);
        refuses(
            check_name,
            &[
                ("", "is empty"),
                (&"é".repeat(81), "has 81 characters, more than 80"),
                ("activity name", "has ' ' (U+0020) at position 9, where no white space may stand"),
                ("a\u{a0}b", "has the character U+00A0 at position 2, where no white space may stand"),
                ("\tb", "has the character U+0009 at position 1, where no white space may stand"),
                ("éa>b", "has '>' (U+003E) at position 3, where no bracket `<>{}[]` may stand"),
                ("a*", "has '*' (U+002A) at position 2, where no wildcard `?*` may stand"),
                ("a\0", "has the character U+0000 at position 2, where no control character may stand"),
                ("a\u{7f}", "has the character U+007F at position 2, where no control character may stand"),
                ("a\u{9f}", "has the character U+009F at position 2, where no control character may stand"),
                ("a\u{ffff}", "has the character U+FFFF at position 2, where no noncharacter may stand"),
                ("a\u{10ffff}", "has the character U+10FFFF at position 2, where no noncharacter may stand"),
            ],
        );
        for special in "\"#%\\^|~`$&,;:/<>{}[]?*".chars() {
            let refused = check_name(&format!("x{special}"));
            assert!(
                matches!(refused, Err(NameError::Character { character, position: 2, .. }) if character == special)
            );
        }
    }

    #[test]
    fn alias_names() {
        accepts(check_alias_name, &["PROD", "v1", "1.0", "7_", "-", &"a".repeat(80)]);
        refuses(
            check_alias_name,
            &[
                ("", "is empty"),
                ("123", "has only digits, as a version has; add a letter, `_`, `-` or `.`"),
                (
                    "ALIAS@",
                    "has '@' (U+0040) at position 6, where only letters, digits, `_`, `-` and `.` of ASCII may stand",
                ),
                (&"A".repeat(81), "has 81 characters, more than 80"),
            ],
        );
        assert!(check_alias_name("é").is_err() && check_alias_name("A B").is_err());
    }

    #[test]
    fn state_names() {
        accepts(check_state_name, &["a b", "$", "<x>", &"日".repeat(80)]);
        refuses(check_state_name, &[("", "is empty"), (&"日".repeat(81), "has 81 characters, more than 80")]);
    }

    #[test]
    fn labels() {
        accepts(check_label, &["TestMap", "a-b_c.d", &"1".repeat(40)]);
        refuses(check_label, &[("", "is empty"), (&"1".repeat(41), "has 41 characters, more than 40")]);
        for character in
            " \n\t\r\x0b\x0c\0\x01\x08\x1b\x1f\x7f\u{80}\u{85}\u{9f}?*<>{}[]:;,\\|^~$#%&`\"".chars()
        {
            assert!(check_label(&format!("label_{character}")).is_err(), "{character:?}");
        }
    }

    #[test]
    fn variable_names() {
        accepts(
            check_variable_name,
            &["x", "été2", "a_b", "日本", "States", "x·", "\u{37a}a", &"x".repeat(80)],
        );
        refuses(
            check_variable_name,
            &[
                ("", "is empty"),
                ("states", "is reserved: `$states` holds the state's own data"),
                ("_a", "has '_' (U+005F) at position 1, where only a letter may stand (Unicode ID_Start)"),
                ("1a", "has '1' (U+0031) at position 1, where only a letter may stand (Unicode ID_Start)"),
                (
                    "a-b",
                    "has '-' (U+002D) at position 2, where only letters, digits and `_` may stand (Unicode ID_Continue)",
                ),
                (&"x".repeat(81), "has 81 characters, more than 80"),
            ],
        );
        assert!(check_variable_name("$x").is_err() && check_variable_name("a.b").is_err());
    }

    #[test]
    fn tags() {
        accepts(check_tag_key, &["key1", "a b", "_.:/=+-@", "awsome:x", "été"]);
        accepts(check_tag_value, &["", "value", &"v".repeat(256)]);
        refuses(
            check_tag_key,
            &[
                ("", "is empty"),
                ("AWS:x", "is reserved: tags that begin with `aws:` belong to AWS"),
                (
                    "a*",
                    "has '*' (U+002A) at position 2, where only letters, digits, white space and `_.:/=+-@` may stand",
                ),
                (&"k".repeat(129), "has 129 characters, more than 128"),
            ],
        );
        refuses(check_tag_value, &[(&"v".repeat(257), "has 257 characters, more than 256")]);
    }
}
