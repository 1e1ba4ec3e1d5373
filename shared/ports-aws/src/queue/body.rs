//! Bodies of messages: SQS takes text, and bytes in attributes.
//!
//! A body that is text and within what SQS allows is sent as it is. Any other one stands in the
//! attribute [`BYTES`], in the same number of bytes, and the text is a placeholder. A body without
//! bytes, which SQS has not, is told by the attribute [`EMPTY`].

use bytes::Bytes;

/// Name of the attribute of type `Binary` that is the body.
pub const BYTES: &str = "b";
/// Name of the attribute, of type `String`, that says that the body is empty.
pub const EMPTY: &str = "e";
/// Text of a message whose body is not text.
pub(super) const PLACEHOLDER: &str = "-";

/// How a body is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    Text(String),
    Bytes(Bytes),
    Empty,
}

pub(super) fn encode(body: Bytes) -> Sent {
    if body.is_empty() {
        return Sent::Empty;
    }
    match std::str::from_utf8(&body) {
        Ok(text) if text.chars().all(is_allowed) => Sent::Text(text.to_owned()),
        Ok(_) | Err(_) => Sent::Bytes(body),
    }
}

/// Source: SQS, SendMessage, `MessageBody`. The carriage return is allowed too, but does not
/// survive XML.
fn is_allowed(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

/// The body of a message with this text, this value of [`BYTES`], and [`EMPTY`] or not. Also for
/// messages that come in an event of a Lambda function.
pub fn decode(text: &str, bytes: Option<Bytes>, is_empty: bool) -> Bytes {
    match bytes {
        Some(bytes) => bytes,
        None if is_empty => Bytes::new(),
        None => Bytes::copy_from_slice(text.as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn round_trip(body: Bytes) -> Bytes {
        match encode(body) {
            Sent::Text(text) => decode(&text, None, false),
            Sent::Bytes(bytes) => decode(PLACEHOLDER, Some(bytes), false),
            Sent::Empty => decode(PLACEHOLDER, None, true),
        }
    }

    proptest! {
        #[test]
        fn a_body_arrives_as_it_was_sent(bytes in proptest::collection::vec(any::<u8>(), 0..50), text: String) {
            for body in [Bytes::from(bytes), Bytes::from(text)] {
                prop_assert_eq!(round_trip(body.clone()), body);
            }
        }
    }

    #[test]
    fn text_is_sent_as_text() {
        let text = |text: &str| Sent::Text(text.to_owned());
        let bytes = |text: &str| Sent::Bytes(Bytes::copy_from_slice(text.as_bytes()));
        let cases = [
            ("{\"a\":1}", text("{\"a\":1}")),
            ("-", text("-")),
            ("tab\tline\nü€𝄞", text("tab\tline\nü€𝄞")),
            ("\u{fffd}", text("\u{fffd}")),
            ("\u{ffff}", bytes("\u{ffff}")),
            ("\r", bytes("\r")),
            ("\0", bytes("\0")),
            ("\u{1b}[0m", bytes("\u{1b}[0m")),
            ("", Sent::Empty),
        ];
        for (body, expected) in cases {
            assert_eq!(encode(Bytes::copy_from_slice(body.as_bytes())), expected, "{body:?}");
        }
        assert_eq!(encode(Bytes::from_static(&[0xff])), Sent::Bytes(Bytes::from_static(&[0xff])));
    }
}
