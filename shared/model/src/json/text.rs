//! Formatting into a [`Text`].

use std::fmt::{self, Write as _};

use super::Text;

/// `format!` into a [`Text`]: at most one allocation for what is not longer than most keys, none
/// for short ones.
#[macro_export]
#[doc(hidden)]
macro_rules! __format_text {
    ($($arg:tt)*) => { $crate::json::text_of(format_args!($($arg)*)) };
}

pub use crate::__format_text as format_text;

/// What [`format_text!`] is made of.
pub fn text_of(arguments: fmt::Arguments<'_>) -> Text {
    if let Some(text) = arguments.as_str() {
        return Text::new(text);
    }
    let mut buffer = Buffer { bytes: [0; BUFFER_BYTES], used: 0 };
    match buffer.write_fmt(arguments) {
        Ok(()) => Text::new(std::str::from_utf8(&buffer.bytes[..buffer.used]).unwrap_or_default()),
        Err(_) => Text::from(fmt::format(arguments)),
    }
}

const BUFFER_BYTES: usize = 256;

struct Buffer {
    bytes: [u8; BUFFER_BYTES],
    used: usize,
}

impl fmt::Write for Buffer {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        let end = self.used + part.len();
        // Only whole parts are written, so that what stands there is text.
        self.bytes.get_mut(self.used..end).ok_or(fmt::Error)?.copy_from_slice(part.as_bytes());
        self.used = end;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_what_format_gives() {
        for length in [0, 1, 22, 23, 24, 255, 256, 257, 2_000] {
            let part = "é".repeat(length / 2);
            assert_eq!(format_text!("{part}{}", 7), format!("{part}7"));
        }
        assert_eq!(format_text!("plain"), "plain");
    }
}
