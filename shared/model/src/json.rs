//! JSON as the service treats it.
//!
//! [`Value`] shares its arrays, objects and long strings: cloning one costs a reference
//! count, so a payload can be in the history, in the state's input and in an effect at once.
//! [`parse()`] answers errors in the words of the service's own parser, [`Spanned`] keeps where
//! each node stood for diagnostics.

mod convert;
mod decimal;
mod number;
mod parse;
mod text;
mod value;
mod write;

pub use number::Number;
pub use parse::{
    DEPTH_MAX, Location, ParseError, Span, Spanned, SpannedKind, SpannedMember, parse, parse_spanned,
};
pub use smol_str::SmolStr as Text;
pub use text::{format_text, text_of};
pub use value::{Array, Map, Object, Value};
pub use write::{string_len, write_string, write_value};
