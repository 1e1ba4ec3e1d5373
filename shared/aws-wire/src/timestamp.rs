//! Points in time as AWS writes them.

use jiff::tz::TimeZone;

use crate::catalog::TimestampFormat;

/// A point in time, to the nanosecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timestamp(jiff::Timestamp);

impl Timestamp {
    /// From seconds since 1970; none where there is no such year.
    pub fn from_seconds(seconds: f64) -> Option<Timestamp> {
        // Milliseconds are what services mean by fractions; more digits are noise of the number.
        let milliseconds = (seconds * 1_000.0).round();
        if !milliseconds.is_finite() || milliseconds.abs() > 1e15 {
            return None;
        }
        jiff::Timestamp::from_millisecond(milliseconds as i64).ok().map(Timestamp)
    }

    /// From a text in any of the formats.
    pub fn parse(text: &str) -> Option<Timestamp> {
        let text = text.trim();
        if let Ok(seconds) = text.parse::<f64>() {
            return Timestamp::from_seconds(seconds);
        }
        if let Ok(timestamp) = text.parse::<jiff::Timestamp>() {
            return Some(Timestamp(timestamp));
        }
        parse_http_date(text)
    }

    /// In a format.
    pub fn format(self, format: TimestampFormat) -> String {
        match format {
            TimestampFormat::Iso8601 => self.iso8601(),
            TimestampFormat::Rfc822 => {
                self.0.to_zoned(TimeZone::UTC).strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
            }
            TimestampFormat::Unix => {
                let (seconds, nanoseconds) = (self.0.as_second(), self.0.subsec_nanosecond());
                if nanoseconds == 0 { seconds.to_string() } else { self.seconds().to_string() }
            }
        }
    }

    /// `2023-06-22T13:25:51.123Z`: a fraction in groups of three digits, none if it is zero.
    pub fn iso8601(self) -> String {
        let mut text = self.0.to_zoned(TimeZone::UTC).strftime("%Y-%m-%dT%H:%M:%S").to_string();
        let nanoseconds = self.0.subsec_nanosecond();
        let digits = format!("{nanoseconds:09}");
        let length = match nanoseconds {
            0 => 0,
            _ if nanoseconds % 1_000_000 == 0 => 3,
            _ if nanoseconds % 1_000 == 0 => 6,
            _ => 9,
        };
        if length > 0 {
            text.push('.');
            text.push_str(&digits[..length]);
        }
        text.push('Z');
        text
    }

    /// Seconds since 1970.
    pub fn seconds(self) -> f64 {
        self.0.as_second() as f64 + f64::from(self.0.subsec_nanosecond()) / 1e9
    }

    /// Milliseconds since 1970.
    pub fn milliseconds(self) -> i64 {
        self.0.as_millisecond()
    }
}

/// `Sun, 25 Jan 2015 08:00:00 GMT`, with or without a fraction of a second.
fn parse_http_date(text: &str) -> Option<Timestamp> {
    let (fraction_at, fraction) = match text.rsplit_once('.') {
        Some((before, rest)) => {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            (Some(before.len()), Some(&rest[..digits]))
        }
        None => (None, None),
    };
    let whole = match (fraction_at, fraction) {
        (Some(at), Some(fraction)) => format!("{}{}", &text[..at], &text[at + 1 + fraction.len()..]),
        _ => text.to_owned(),
    };
    let parsed = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(whole.as_bytes()).ok()?;
    let Some(fraction) = fraction else { return Some(Timestamp(parsed)) };
    let nanoseconds: i64 = format!("{fraction:0<9}").get(..9)?.parse().ok()?;
    let nanosecond = parsed.as_nanosecond() + i128::from(nanoseconds);
    jiff::Timestamp::from_nanosecond(nanosecond).ok().map(Timestamp)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_is_read_and_written() {
        let at = Timestamp::parse("2014-04-29T18:30:38Z").unwrap();
        assert_eq!(at.seconds(), 1_398_796_238.0);
        assert_eq!(at.format(TimestampFormat::Rfc822), "Tue, 29 Apr 2014 18:30:38 GMT");
        assert_eq!(at.format(TimestampFormat::Unix), "1398796238");
        assert_eq!(at.format(TimestampFormat::Iso8601), "2014-04-29T18:30:38Z");
        for text in ["Tue, 29 Apr 2014 18:30:38 GMT", "1398796238", "2014-04-29T17:30:38-01:00"] {
            assert_eq!(Timestamp::parse(text), Some(at), "{text}");
        }
        let fraction = Timestamp::parse("Tue, 29 Apr 2014 18:30:38.12 GMT").unwrap();
        assert_eq!(fraction.iso8601(), "2014-04-29T18:30:38.120Z");
        assert_eq!(Timestamp::from_seconds(1_687_440_351.123).unwrap().iso8601(), "2023-06-22T13:25:51.123Z");
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in ["", "x", "inf", "NaN", "1e300", ".", "Tue, 29 Apr 2014 18:30:38.GMT"] {
            assert_eq!(Timestamp::parse(text), None, "{text}");
        }
    }
}
