//! Durations for people.

/// `17 ms`, `2.4 s`, `3 min 05 s`, `2 h 00 min`, `12 d 03 h`.
pub fn show(millis: i64) -> String {
    let millis = millis.max(0);
    let seconds = millis / 1_000;
    match seconds {
        0 => format!("{millis} ms"),
        1..=59 => format!("{seconds}.{} s", millis % 1_000 / 100),
        60..=3_599 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        3_600..=86_399 => format!("{} h {:02} min", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{} d {:02} h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

#[cfg(test)]
mod tests {
    use super::show;

    #[test]
    fn the_two_largest_units_are_shown() {
        for (millis, expected) in [
            (-5, "0 ms"),
            (0, "0 ms"),
            (999, "999 ms"),
            (1_000, "1.0 s"),
            (59_999, "59.9 s"),
            (60_000, "1 min 00 s"),
            (3_599_999, "59 min 59 s"),
            (3_600_000, "1 h 00 min"),
            (86_400_000, "1 d 00 h"),
            (i64::MAX, "106751991167 d 07 h"),
        ] {
            assert_eq!(show(millis), expected, "{millis}");
        }
    }
}
