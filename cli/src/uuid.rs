//! Random identifiers.

/// A version 4 UUID.
pub fn uuid(seeds: &mut driver::Seeds) -> Result<String, String> {
    let mut half =
        || seeds.next_seed().map_err(|error| format!("no random numbers from the system: {error}"));
    let (high, low) = (half()?, half()?);
    let high = (high & !0xf000) | 0x4000;
    let low = (low & !(0b11 << 62)) | (0b10 << 62);
    let digits = format!("{high:016x}{low:016x}");
    Ok([&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].join("-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuids_are_of_version_4_and_follow_the_seed() {
        let make = |seed| uuid(&mut driver::Seeds::From(seed)).unwrap();
        assert_eq!(make(1), make(1));
        assert_ne!(make(1), make(2));
        let text = make(7);
        let parts: Vec<usize> = text.split('-').map(str::len).collect();
        assert_eq!(parts, [8, 4, 4, 4, 12]);
        assert_eq!(&text[14..15], "4");
        assert!("89ab".contains(&text[19..20]), "{text}");
    }
}
