use proptest::prelude::*;

use super::*;

/// Nanoseconds since the epoch, or the message.
fn nanos(instant: Result<Instant, TimestampError>) -> Result<i128, String> {
    let whole = |i: Instant| i128::from(i.epoch_seconds()) * 1_000_000_000 + i128::from(i.subsec_nanos());
    instant.map(whole).map_err(|error| error.to_string())
}

#[test]
fn both_grammars_accept() {
    let check = |text: &str, expected: i128| {
        assert_eq!(nanos(Instant::parse_iso_offset(text)), Ok(expected), "{text}");
        assert_eq!(nanos(Instant::parse_rfc3339(text)), Ok(expected), "{text}");
    };
    check("1970-01-01T00:00:00Z", 0);
    check("2016-03-05T21:29:29.243167252Z", 1_457_213_369_243_167_252);
    check("2026-11-22T20:56:56.000000Z", 1_795_381_016_000_000_000);
    check("2026-11-22T20:56:56.00Z", 1_795_381_016_000_000_000);
    check("2024-02-29T23:59:59.9+01:30", 1_709_245_799_900_000_000);
    check("2024-02-29T23:59:59-18:00", 1_709_315_999_000_000_000);
    check("1969-12-31T23:59:59.999Z", -1_000_000);
    check("0000-01-01T00:00:00-00:00", -62_167_219_200_000_000_000);
    check("9999-12-31T23:59:59Z", 253_402_300_799_000_000_000);
    check("2000-02-29T00:00:00Z", 951_782_400_000_000_000);
}

#[test]
fn only_the_iso_grammar_accepts() {
    let check = |text: &str, expected: i128| {
        assert_eq!(nanos(Instant::parse_iso_offset(text)), Ok(expected), "{text}");
        assert!(Instant::parse_rfc3339(text).is_err(), "{text}");
    };
    check("1970-01-01t00:00:01z", 1_000_000_000);
    check("1970-01-01T00:01Z", 60_000_000_000);
    check("1970-01-01T00:01+01", -3_540_000_000_000);
    check("1970-01-01T00:00:00.Z", 0);
    check("1970-01-01T00:00:00+00:00:01", -1_000_000_000);
    check("+10000-01-01T00:00:00Z", 253_402_300_800_000_000_000);
    check("-0001-12-31T00:00:00Z", -62_167_305_600_000_000_000);
}

#[test]
fn only_rfc3339_accepts() {
    let check = |text: &str, expected: i128| {
        assert_eq!(nanos(Instant::parse_rfc3339(text)), Ok(expected), "{text}");
        assert!(Instant::parse_iso_offset(text).is_err(), "{text}");
    };
    check("1970-01-01T00:00:00.1234567899Z", 123_456_789);
    check("1970-01-01T00:00:00-23:59", 86_340_000_000_000);
}

#[test]
fn both_grammars_refuse() {
    let check = |text: &str, message: &str| {
        assert_eq!(nanos(Instant::parse_iso_offset(text)), Err(message.into()), "{text}");
        assert!(Instant::parse_rfc3339(text).is_err(), "{text}");
    };
    let syntax = |text: &str, expected: &str, offset: usize| {
        check(text, &format!("expected {expected} at offset {offset} of the timestamp {text:?}"));
    };
    let range = |text: &str, field: &str, value: i64| {
        check(text, &format!("{field} {value} is out of range in the timestamp {text:?}"));
    };
    // The first seven are recorded.
    syntax("05-12-2016T21:29:29Z", "a year of four digits", 0);
    syntax("2016-12-05 21:29:29Z", "`T`", 10);
    syntax("2016-12-05T21:29:29", "`Z` or an offset such as `+01:00`", 19);
    syntax("2026-11-22T20:56:56.000000", "`Z` or an offset such as `+01:00`", 26);
    range("2016-12-05T25:29:29Z", "hour", 25);
    range("2016-13-05T21:29:29Z", "month", 13);
    syntax("{% $states.input %}", "a year of four digits", 0);

    syntax("", "a year of four digits", 0);
    syntax("2016", "`-`", 4);
    syntax("20160-01-01T00:00:00Z", "a year of four digits", 0);
    syntax("+2016-01-01T00:00:00Z", "a year of four digits", 1);
    syntax("-0000-01-01T00:00:00Z", "a year of four digits", 1);
    syntax("+12345678901-01-01T00:00:00Z", "`-`", 11);
    syntax("2016-1-01T00:00:00Z", "two digits", 6);
    syntax("2016-01-01T00:00:00.1234567890123x", "`Z` or an offset such as `+01:00`", 29);
    syntax("2016-01-01T00:00:00Z ", "the end", 20);
    syntax("2016-01-01T00:00:00+0100", "the end", 22);
    syntax("2016-01-01T00:00:00+1", "two digits", 21);
    syntax("2016-01-01T00:00:٣0Z", "two digits", 17);
    range("2016-00-05T21:29:29Z", "month", 0);
    range("2015-02-29T00:00:00Z", "day", 29);
    range("1900-02-29T00:00:00Z", "day", 29);
    range("2016-04-31T00:00:00Z", "day", 31);
    range("2016-01-00T00:00:00Z", "day", 0);
    range("2016-01-01T24:00:00Z", "hour", 24);
    range("2016-01-01T00:60:00Z", "minute", 60);
    range("2016-12-31T23:59:60Z", "second", 60);
    range("2016-01-01T00:00:00+24:00", "offset", 24);
    assert!(Instant::parse_iso_offset("2016-01-01T00:00:00+18:01").is_err());
    assert!(Instant::parse_iso_offset("2016-01-01T00:00:00+01:").is_err());
}

#[test]
fn messages_do_not_grow_with_the_text() {
    let error = Instant::parse_rfc3339(&"9".repeat(1_000_000)).unwrap_err();
    assert!(error.to_string().len() < 200);
}

#[test]
fn printed_forms() {
    let check = |millis: i64, text: &str, seconds: &str| {
        let timestamp = Timestamp::from_millis(millis);
        assert_eq!(timestamp.to_string(), text);
        assert_eq!(Value::from(timestamp).as_str(), Some(text));
        assert_eq!(timestamp.epoch_seconds().to_string(), seconds);
    };
    check(1_704_164_645_678, "2024-01-02T03:04:05.678Z", "1704164645.678");
    check(0, "1970-01-01T00:00:00.000Z", "0");
    check(-1, "1969-12-31T23:59:59.999Z", "-0.001");
    check(1_736_937_000_000, "2025-01-15T10:30:00.000Z", "1736937000");
    check(253_402_300_800_000, "+10000-01-01T00:00:00.000Z", "253402300800");
    check(-62_167_219_200_001, "-0001-12-31T23:59:59.999Z", "-62167219200.001");
}

#[test]
fn epoch_seconds_are_read_to_the_millisecond() {
    let check = |seconds: f64, millis: Option<i64>| {
        assert_eq!(Timestamp::from_epoch_seconds(seconds).map(Timestamp::millis), millis, "{seconds}");
    };
    check(1_704_164_645.678, Some(1_704_164_645_678));
    check(-0.001, Some(-1));
    check(f64::NAN, None);
    check(f64::INFINITY, None);
    check(1e300, None);
    check(9_223_372_036_854_775.807, None);
    check(-9_223_372_036_854_775.808, Some(i64::MIN));
}

#[test]
fn arithmetic_saturates() {
    let t = Timestamp::from_millis;
    assert_eq!(t(1_500).plus_seconds(2), t(3_500));
    assert_eq!(t(1_500).plus_seconds(-2), t(-500));
    assert_eq!(t(1).plus_seconds(i64::MAX), Timestamp::MAX);
    assert_eq!(t(-1).plus_seconds(i64::MIN), Timestamp::MIN);
    assert_eq!(t(0).plus_seconds_f64(1.2345), t(1_235));
    assert_eq!(t(7).plus_seconds_f64(f64::INFINITY), Timestamp::MAX);
    assert_eq!(t(7).plus_seconds_f64(f64::NAN), t(7));
    assert_eq!(Timestamp::MAX.plus_millis(1), Timestamp::MAX);
    assert_eq!(t(5).millis_since(t(7)), -2);
    assert_eq!(Timestamp::MIN.millis_since(Timestamp::MAX), i64::MIN);
}

#[test]
fn instants_compare_by_nanosecond() {
    let at = |text: &str| Instant::parse_rfc3339(text).unwrap();
    assert!(at("2016-03-05T21:29:29.000000001Z") < at("2016-03-05T21:29:29.000000002Z"));
    assert!(at("2016-03-05T21:29:29.9Z") < at("2016-03-05T21:29:30Z"));
    assert_eq!(at("2016-03-05T21:29:29Z"), at("2016-03-05T22:29:29+01:00"));
    assert_eq!(at("1969-12-31T23:59:59.9995Z").timestamp(), Timestamp::from_millis(-1));
    assert_eq!("2016-03-05T21:29:29.243167252Z".parse(), Ok(Timestamp::from_millis(1_457_213_369_243)));
}

proptest! {
    #[test]
    fn printing_then_parsing_is_identity(millis in any::<i64>()) {
        let timestamp = Timestamp::from_millis(millis);
        prop_assert_eq!(timestamp.to_string().parse(), Ok(timestamp));
        prop_assert_eq!(Instant::from(timestamp).timestamp(), timestamp);
        let stored = serde_json::to_string(&timestamp).unwrap();
        prop_assert_eq!(&stored, &millis.to_string());
        prop_assert_eq!(serde_json::from_str::<Timestamp>(&stored).unwrap(), timestamp);
    }

    /// Another implementation of the calendar agrees.
    #[test]
    fn calendar_agrees(millis in -62_135_596_800_000_i64..253_402_207_200_000) {
        let other = jiff::Timestamp::from_millisecond(millis).unwrap();
        prop_assert_eq!(Timestamp::from_millis(millis).to_string(), format!("{other:.3}"));
        let parsed: jiff::Timestamp = Timestamp::from_millis(millis).to_string().parse().unwrap();
        prop_assert_eq!(parsed, other);
    }

    #[test]
    fn what_rfc3339_accepts_iso_accepts(
        text in "20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9](\\.[0-9]{1,9})?(Z|[+-][01][0-7]:[0-6][0-9])"
    ) {
        let strict = Instant::parse_rfc3339(&text);
        prop_assert_eq!(strict.is_ok(), Instant::parse_iso_offset(&text).is_ok());
        if let (Ok(strict), Ok(other)) = (strict, text.parse::<jiff::Timestamp>()) {
            prop_assert_eq!(i128::from(strict.epoch_seconds()) * 1_000_000_000 + i128::from(strict.subsec_nanos()), other.as_nanosecond());
        }
    }

    #[test]
    fn parsing_never_panics(text in "\\PC{0,40}|[0-9TZtz:.+-]{0,40}|[+-]?[0-9]{4,12}-12-31T23:59:59(\\.[0-9]{0,12})?[+-]18:00") {
        if let Ok(instant) = Instant::parse_iso_offset(&text) {
            let _ = instant.timestamp().to_string();
        }
        let _ = Instant::parse_rfc3339(&text);
    }
}
