//! Points in time: what the service shows, what it sends, and what it accepts from users.
//!
//! [`Timestamp`] is the time of everything that the service records. [`Instant`] is a date and
//! time that a user wrote, exact to the nanosecond, so that Choice rules compare what is written.

mod parse;
#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::json::{Number, Value};

pub use parse::TimestampError;

const MILLIS_PER_SECOND: i64 = 1_000;
const SECONDS_PER_DAY: i64 = 86_400;

/// Milliseconds since 1970-01-01T00:00:00Z, without leap seconds. Arithmetic saturates.
///
/// `Display` writes the form of the context object, `2024-01-02T03:04:05.678Z`, always with
/// three digits of fraction; `FromStr` reads what [`Instant::parse_iso_offset`] reads and drops
/// what is finer than a millisecond. Stored as the number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

/// A point in time exact to the nanosecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant {
    /// Whole seconds since the epoch, rounded down. Field order makes the derived order right.
    seconds: i64,
    /// 0 to 999,999,999.
    nanos: u32,
}

impl Timestamp {
    /// 1970-01-01T00:00:00Z.
    pub const EPOCH: Timestamp = Timestamp(0);
    /// The latest time, some 292 million years ahead: "never".
    pub const MAX: Timestamp = Timestamp(i64::MAX);
    /// The earliest time.
    pub const MIN: Timestamp = Timestamp(i64::MIN);

    /// From milliseconds since the epoch.
    pub const fn from_millis(millis: i64) -> Timestamp {
        Timestamp(millis)
    }

    /// Milliseconds since the epoch.
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// From seconds since the epoch with a fraction, as API requests carry times; to the nearest
    /// millisecond. `None` when not a number or out of range.
    pub fn from_epoch_seconds(seconds: f64) -> Option<Timestamp> {
        let millis = (seconds * MILLIS_PER_SECOND as f64).round();
        // -2^63 is a double, 2^63 - 1 is not: the upper bound is exclusive.
        let in_range = millis >= i64::MIN as f64 && millis < i64::MAX as f64;
        in_range.then_some(Timestamp(millis as i64))
    }

    /// Seconds since the epoch with a fraction, as API answers carry times: `1704164645.678`.
    pub fn epoch_seconds(self) -> Number {
        if self.0 % MILLIS_PER_SECOND == 0 {
            Number::Int(self.0 / MILLIS_PER_SECOND)
        } else {
            Number::Float(self.0 as f64 / MILLIS_PER_SECOND as f64)
        }
    }

    /// This time and `seconds` more (or less).
    pub const fn plus_seconds(self, seconds: i64) -> Timestamp {
        Timestamp(self.0.saturating_add(seconds.saturating_mul(MILLIS_PER_SECOND)))
    }

    /// This time and `seconds` more, to the nearest millisecond; unchanged for NaN.
    pub fn plus_seconds_f64(self, seconds: f64) -> Timestamp {
        // The cast saturates, and turns NaN to 0.
        self.plus_millis((seconds * MILLIS_PER_SECOND as f64).round() as i64)
    }

    /// This time and `millis` milliseconds more (or less).
    pub const fn plus_millis(self, millis: i64) -> Timestamp {
        Timestamp(self.0.saturating_add(millis))
    }

    /// Milliseconds from `earlier` to this time; negative when `earlier` is later.
    pub const fn millis_since(self, earlier: Timestamp) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl Instant {
    /// Reads a date and time as the service reads `TimestampPath` and the value of a JSONata
    /// `Timestamp`: an ISO-8601 extended offset date-time.
    ///
    /// `2016-03-05T21:29:29.243167252+01:00`; seconds, fraction (up to nine digits) and the
    /// minutes of the offset may be left out; `t` and `z` are accepted; years beyond 9999 need a
    /// sign; offsets reach ±18:00. No leap seconds, no `24:00`.
    ///
    /// Source: the recordings name the format in their message; it is that of Java's
    /// `DateTimeFormatter.ISO_OFFSET_DATE_TIME`.
    pub fn parse_iso_offset(text: &str) -> Result<Instant, TimestampError> {
        parse::iso_offset(text)
    }

    /// Reads a date and time as a definition must write it: the RFC 3339 profile with a capital
    /// `T` and `Z`, for the field `Timestamp` of a Wait state and the operands of the Choice
    /// operators `Timestamp…`.
    ///
    /// Seconds and an offset are needed, the fraction may have any number of digits (those after
    /// the ninth do not count), offsets reach ±23:59.
    ///
    /// Source: Amazon States Language, section "Timestamps".
    pub fn parse_rfc3339(text: &str) -> Result<Instant, TimestampError> {
        parse::rfc3339(text)
    }

    /// Whole seconds since the epoch, rounded towards the past.
    pub const fn epoch_seconds(self) -> i64 {
        self.seconds
    }

    /// Nanoseconds since [`Instant::epoch_seconds`]: 0 to 999,999,999.
    pub const fn subsec_nanos(self) -> u32 {
        self.nanos
    }

    /// To the millisecond, rounded towards the past, saturating.
    pub const fn timestamp(self) -> Timestamp {
        let millis = self.seconds.saturating_mul(MILLIS_PER_SECOND);
        Timestamp(millis.saturating_add((self.nanos / 1_000_000) as i64))
    }
}

impl From<Timestamp> for Instant {
    fn from(timestamp: Timestamp) -> Instant {
        let millis = timestamp.0.rem_euclid(MILLIS_PER_SECOND);
        Instant { seconds: timestamp.0.div_euclid(MILLIS_PER_SECOND), nanos: millis as u32 * 1_000_000 }
    }
}

impl FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Timestamp, TimestampError> {
        Instant::parse_iso_offset(text).map(Instant::timestamp)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.div_euclid(MILLIS_PER_SECOND);
        let millis = self.0.rem_euclid(MILLIS_PER_SECOND);
        let (year, month, day) = civil_from_days(seconds.div_euclid(SECONDS_PER_DAY));
        let time = seconds.rem_euclid(SECONDS_PER_DAY);
        match year {
            0..=9999 => write!(f, "{year:04}")?,
            10_000.. => write!(f, "+{year}")?,
            _ => write!(f, "-{:04}", year.unsigned_abs())?,
        }
        let (hour, minute, second) = (time / 3600, time / 60 % 60, time % 60);
        write!(f, "-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
    }
}

/// The text of the context object's `StartTime`, `EnteredTime` and `RedriveTime`.
impl From<Timestamp> for Value {
    fn from(timestamp: Timestamp) -> Value {
        Value::from(timestamp.to_string())
    }
}

/// Days from the epoch to a date of the proleptic Gregorian calendar. A shifted year begins in
/// March, so that the leap day is the last of it; 400 of them are one era of 146,097 days.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let shifted_year = if month <= 2 { year - 1 } else { year };
    let era = shifted_year.div_euclid(400);
    let year_of_era = shifted_year.rem_euclid(400);
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The inverse of [`days_from_civil`]: year, month, day.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}
