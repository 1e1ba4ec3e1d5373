//! Records before the numbers of their texts and shapes are known.

use super::write::Bytes;

/// A part of a record.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Token {
    /// One byte.
    U8(u8),
    /// A number.
    V(usize),
    /// A text; none is 0.
    Text(Option<String>),
    /// A shape of the model, by its index there.
    Shape(usize),
    /// A shape or none: 0, or its number and 1.
    Maybe(Option<usize>),
}

impl Token {
    /// A text.
    pub fn text(text: &str) -> Token {
        Token::Text(Some(text.to_owned()))
    }

    /// A text that may be absent or empty.
    pub fn maybe_text(text: Option<&str>) -> Token {
        Token::Text(text.filter(|text| !text.is_empty()).map(str::to_owned))
    }

    /// The shape that it names.
    pub fn shape(&self) -> Option<usize> {
        match self {
            Token::Shape(shape) | Token::Maybe(Some(shape)) => Some(*shape),
            Token::U8(_) | Token::V(_) | Token::Text(_) | Token::Maybe(None) => None,
        }
    }
}

/// The bytes of a record; texts and shapes have the numbers that these functions give them.
pub fn encode(record: &[Token], text: &dyn Fn(&str) -> usize, shape: &dyn Fn(usize) -> usize) -> Vec<u8> {
    let mut bytes = Bytes::default();
    for token in record {
        match token {
            Token::U8(number) => bytes.u8(*number),
            Token::V(number) => bytes.v(*number),
            Token::Text(None) => bytes.v(0),
            Token::Text(Some(named)) => bytes.v(text(named)),
            Token::Shape(of) => bytes.v(shape(*of)),
            Token::Maybe(None) => bytes.v(0),
            Token::Maybe(Some(of)) => bytes.v(shape(*of) + 1),
        };
    }
    bytes.0
}
