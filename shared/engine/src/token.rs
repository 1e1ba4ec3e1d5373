//! Task tokens: what a worker answers with leads back to the task.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use model::arn::{Arn, Resource};
use model::json::Text;
use model::limits::TASK_TOKEN_CHARS_MAX;
use serde::de::{Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The first byte of a token.
const VERSION: u8 = 1;

/// What a worker answers with: 128 random bits and the ARN of the execution that awaits the answer.
///
/// The text is URL-safe base64 without padding of the byte 1, the 16 random bytes and the ARN; it
/// has at most [`TASK_TOKEN_CHARS_MAX`] characters, as every ARN is short enough. A snapshot keeps
/// the random bits alone. Stored as the text.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TaskToken {
    text: Text,
    secret: Secret,
    execution_arn: Text,
}

/// The random part of a token: nobody guesses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Secret(pub [u8; 16]);

impl TaskToken {
    /// The token with this random part, of a task of this execution.
    pub fn new(secret: [u8; 16], execution_arn: &str) -> TaskToken {
        TaskToken::of(Secret(secret), &Text::new(execution_arn))
    }

    pub(crate) fn of(secret: Secret, execution_arn: &Text) -> TaskToken {
        let mut bytes = Vec::with_capacity(1 + secret.0.len() + execution_arn.len());
        bytes.push(VERSION);
        bytes.extend_from_slice(&secret.0);
        bytes.extend_from_slice(execution_arn.as_bytes());
        let text = Text::from(URL_SAFE_NO_PAD.encode(bytes));
        TaskToken { text, secret, execution_arn: execution_arn.clone() }
    }

    /// Reads a token as it was handed out. `None` for any text that is none: too long, not base64,
    /// of another version, or without the ARN of an execution.
    pub fn parse(text: &str) -> Option<TaskToken> {
        if text.len() > TASK_TOKEN_CHARS_MAX {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (&VERSION, rest) = bytes.split_first()? else { return None };
        let (secret, execution_arn) = rest.split_first_chunk::<16>()?;
        let execution_arn = std::str::from_utf8(execution_arn).ok()?;
        match Arn::parse(execution_arn).ok()?.resource {
            Resource::Execution { .. }
            | Resource::MapExecution { .. }
            | Resource::ExpressExecution { .. } => {}
            Resource::StateMachine { .. }
            | Resource::Version { .. }
            | Resource::Alias { .. }
            | Resource::MapStateMachine { .. }
            | Resource::MapRun { .. }
            | Resource::Activity { .. } => return None,
        }
        Some(TaskToken {
            text: Text::new(text),
            secret: Secret(*secret),
            execution_arn: Text::new(execution_arn),
        })
    }

    /// The text that users get.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// [`TaskToken::as_str`] to keep.
    pub fn text(&self) -> &Text {
        &self.text
    }

    /// The execution whose task it settles.
    pub fn execution_arn(&self) -> &Text {
        &self.execution_arn
    }

    pub(crate) fn secret(&self) -> Secret {
        self.secret
    }
}

impl Serialize for TaskToken {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for TaskToken {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<TaskToken, D::Error> {
        let text = Text::deserialize(deserializer)?;
        TaskToken::parse(&text).ok_or_else(|| D::Error::custom("not a task token"))
    }
}

/// Stored as 16 bytes.
impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
        deserializer.deserialize_bytes(SecretVisitor)
    }
}

struct SecretVisitor;

impl<'de> Visitor<'de> for SecretVisitor {
    type Value = Secret;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("16 bytes")
    }

    fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<Secret, E> {
        bytes.try_into().map(Secret).map_err(|_| E::invalid_length(bytes.len(), &self))
    }

    /// Text formats have no bytes.
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Secret, A::Error> {
        let mut bytes = [0; 16];
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = seq.next_element()?.ok_or_else(|| A::Error::invalid_length(at, &self))?;
        }
        match seq.next_element::<u8>()? {
            None => Ok(Secret(bytes)),
            Some(_) => Err(A::Error::invalid_length(17, &self)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOME: &str = "arn:aws:states:us-east-1:123456789012";

    #[test]
    fn a_token_leads_to_its_execution() {
        // The longest names there are, in characters of four bytes.
        let long = "𐌰".repeat(80);
        for rest in [
            "execution:m:e",
            "execution:m/label:e",
            "express:m:e:0c3f9d4e",
            "express:m/label:e:0c3f9d4e",
            &format!("express:{long}/label:{long}:{long}"),
        ] {
            let arn = format!("{HOME}:{rest}");
            let token = TaskToken::new([7; 16], &arn);
            assert!(token.as_str().len() <= TASK_TOKEN_CHARS_MAX);
            let parsed = TaskToken::parse(token.as_str());
            assert_eq!(parsed.as_ref().map(|token| token.execution_arn().as_str()), Some(arn.as_str()));
            assert_eq!(parsed, Some(token));
        }
    }

    #[test]
    fn what_is_no_token_is_refused() {
        let token = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let of = |version: u8, arn: &str| token(&[&[version], [7; 16].as_slice(), arn.as_bytes()].concat());
        let good = of(1, &format!("{HOME}:execution:m:e"));
        assert!(TaskToken::parse(&good).is_some());
        let table = [
            String::new(),
            "token".to_owned(),
            format!("{good}="),
            format!("{good} "),
            good.replace('A', "é"),
            of(2, &format!("{HOME}:execution:m:e")),
            of(1, ""),
            of(1, "somewhere"),
            of(1, &format!("{HOME}:stateMachine:m")),
            of(1, &format!("{HOME}:activity:a")),
            token(&[1; 16]),
            token(&[&[1], [7; 16].as_slice(), b"\xff"].concat()),
            "A".repeat(100_000),
        ];
        for text in table {
            assert_eq!(TaskToken::parse(&text), None, "{text:.80}");
        }
    }

    proptest! {
        #[test]
        fn tokens_differ_with_their_parts(a in any::<[u8; 16]>(), b in any::<[u8; 16]>(), name in "[a-z]{1,9}") {
            let arn = format!("{HOME}:execution:m:{name}");
            let token = TaskToken::new(a, &arn);
            prop_assert_eq!(TaskToken::parse(token.as_str()), Some(token.clone()));
            prop_assert_eq!(token == TaskToken::new(b, &arn), a == b);
            prop_assert_ne!(&token, &TaskToken::new(a, &format!("{arn}x")));
        }

        #[test]
        fn any_text_is_parsed_or_refused(text in "\\PC{0,60}") {
            prop_assert!(TaskToken::parse(&text).is_none_or(|token| token.as_str() == text));
        }

        #[test]
        fn a_token_and_its_secret_are_stored(secret in any::<[u8; 16]>()) {
            let token = TaskToken::new(secret, &format!("{HOME}:execution:m:e"));
            let bytes = rmp_serde::to_vec(&(&token, token.secret())).unwrap();
            let (read, secret): (TaskToken, Secret) = rmp_serde::from_slice(&bytes).unwrap();
            prop_assert_eq!(secret, token.secret());
            prop_assert_eq!(read, token);
        }
    }
}
