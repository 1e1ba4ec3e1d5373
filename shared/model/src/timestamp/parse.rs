//! The two grammars of dates and times.

use thiserror::Error;

use super::{Instant, SECONDS_PER_DAY, days_from_civil};

/// Why a text is not a date and time. Offsets count bytes from 0.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TimestampError {
    /// The text does not follow the grammar from here on.
    #[error("expected {expected} at offset {offset} of the timestamp {text:?}")]
    Syntax {
        /// The text, cut after 64 characters.
        text: String,
        /// Where reading stopped.
        offset: usize,
        /// What must stand there.
        expected: &'static str,
    },
    /// A number is outside of its range: a month 13, an hour 25, a 30th of February.
    #[error("{field} {value} is out of range in the timestamp {text:?}")]
    OutOfRange {
        /// The text, cut after 64 characters.
        text: String,
        /// `month`, `day`, `hour`, `minute`, `second` or `offset`.
        field: &'static str,
        /// The number as written.
        value: i64,
    },
}

/// What the two grammars do not share.
struct Grammar {
    lower_case_letters: bool,
    signed_years: bool,
    optional_seconds: bool,
    empty_fraction: bool,
    fraction_digits_max: usize,
    /// `+01` and `+01:02:03` besides `+01:02`.
    loose_offset: bool,
    offset_seconds_max: i64,
}

/// See [`Instant::parse_iso_offset`].
pub(super) fn iso_offset(text: &str) -> Result<Instant, TimestampError> {
    let grammar = Grammar {
        lower_case_letters: true,
        signed_years: true,
        optional_seconds: true,
        empty_fraction: true,
        fraction_digits_max: 9,
        loose_offset: true,
        offset_seconds_max: 18 * 3600,
    };
    Reader { text, at: 0, grammar }.instant()
}

/// See [`Instant::parse_rfc3339`].
pub(super) fn rfc3339(text: &str) -> Result<Instant, TimestampError> {
    let grammar = Grammar {
        lower_case_letters: false,
        signed_years: false,
        optional_seconds: false,
        empty_fraction: false,
        fraction_digits_max: usize::MAX,
        loose_offset: false,
        offset_seconds_max: 24 * 3600 - 60,
    };
    Reader { text, at: 0, grammar }.instant()
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    grammar: Grammar,
}

impl Reader<'_> {
    fn instant(mut self) -> Result<Instant, TimestampError> {
        let year = self.year()?;
        self.expect(b'-', "`-`")?;
        let month = self.two_digits("month", 1, 12)?;
        self.expect(b'-', "`-`")?;
        let day = self.two_digits("day", 1, days_in_month(year, month))?;
        self.letter(b'T', "`T`")?;
        let hour = self.two_digits("hour", 0, 23)?;
        self.expect(b':', "`:`")?;
        let minute = self.two_digits("minute", 0, 59)?;
        let (mut second, mut nanos) = (0, 0);
        if !self.grammar.optional_seconds || self.peek() == Some(b':') {
            self.expect(b':', "`:`")?;
            second = self.two_digits("second", 0, 59)?;
            nanos = self.fraction()?;
        }
        let offset = self.offset()?;
        if self.at < self.text.len() {
            return Err(self.syntax("the end"));
        }
        let local = days_from_civil(year, month, day) * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second;
        Ok(Instant { seconds: local - offset, nanos })
    }

    /// Four digits; or a sign and four to nine digits, where `+` needs more than four.
    fn year(&mut self) -> Result<i64, TimestampError> {
        let sign = match self.peek() {
            Some(sign @ (b'+' | b'-')) if self.grammar.signed_years => {
                self.at += 1;
                Some(sign)
            }
            _ => None,
        };
        let begin = self.at;
        let mut year = 0;
        while let Some(digit) = self.digit() {
            // Ten digits do not overflow; an eleventh is refused below.
            if self.at - begin > 9 {
                return Err(self.syntax("`-`"));
            }
            year = year * 10 + digit;
        }
        match (sign, self.at - begin) {
            (None, 4) => Ok(year),
            (Some(b'-'), 4..) if year != 0 => Ok(-year),
            (Some(b'+'), 5..) => Ok(year),
            _ => {
                self.at = begin;
                Err(self.syntax("a year of four digits"))
            }
        }
    }

    fn fraction(&mut self) -> Result<u32, TimestampError> {
        if self.peek() != Some(b'.') {
            return Ok(0);
        }
        self.at += 1;
        let begin = self.at;
        let (mut nanos, mut unit) = (0, 100_000_000);
        while self.at - begin < self.grammar.fraction_digits_max {
            let Some(digit) = self.digit() else { break };
            nanos += digit * unit;
            unit /= 10;
        }
        if self.at == begin && !self.grammar.empty_fraction {
            return Err(self.syntax("a digit"));
        }
        Ok(nanos as u32)
    }

    /// Seconds east of Greenwich.
    fn offset(&mut self) -> Result<i64, TimestampError> {
        let sign = match self.peek() {
            Some(b'+') => 1,
            Some(b'-') => -1,
            _ => {
                self.letter(b'Z', "`Z` or an offset such as `+01:00`")?;
                return Ok(0);
            }
        };
        self.at += 1;
        let hour = self.two_digits("offset", 0, 23)?;
        let (mut minute, mut second) = (0, 0);
        if !self.grammar.loose_offset || self.peek() == Some(b':') {
            self.expect(b':', "`:`")?;
            minute = self.two_digits("offset", 0, 59)?;
            if self.grammar.loose_offset && self.peek() == Some(b':') {
                self.at += 1;
                second = self.two_digits("offset", 0, 59)?;
            }
        }
        let seconds = hour * 3600 + minute * 60 + second;
        if seconds > self.grammar.offset_seconds_max {
            return Err(self.out_of_range("offset", hour));
        }
        Ok(sign * seconds)
    }

    fn two_digits(&mut self, field: &'static str, min: i64, max: i64) -> Result<i64, TimestampError> {
        let mut value = 0;
        for _ in 0..2 {
            value = value * 10 + self.digit().ok_or_else(|| self.syntax("two digits"))?;
        }
        if (min..=max).contains(&value) { Ok(value) } else { Err(self.out_of_range(field, value)) }
    }

    fn digit(&mut self) -> Option<i64> {
        let byte = self.peek().filter(u8::is_ascii_digit)?;
        self.at += 1;
        Some(i64::from(byte - b'0'))
    }

    fn letter(&mut self, upper: u8, expected: &'static str) -> Result<(), TimestampError> {
        match self.peek() {
            Some(byte)
                if byte == upper
                    || (self.grammar.lower_case_letters && byte.to_ascii_uppercase() == upper) =>
            {
                self.at += 1;
                Ok(())
            }
            _ => Err(self.syntax(expected)),
        }
    }

    fn expect(&mut self, byte: u8, expected: &'static str) -> Result<(), TimestampError> {
        if self.peek() == Some(byte) {
            self.at += 1;
            Ok(())
        } else {
            Err(self.syntax(expected))
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn syntax(&self, expected: &'static str) -> TimestampError {
        TimestampError::Syntax { text: self.shown(), offset: self.at, expected }
    }

    fn out_of_range(&self, field: &'static str, value: i64) -> TimestampError {
        TimestampError::OutOfRange { text: self.shown(), field, value }
    }

    fn shown(&self) -> String {
        self.text.chars().take(64).collect()
    }
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}
