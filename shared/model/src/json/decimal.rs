//! Doubles with few decimal places, as binary formats hold them: the number of places, and the digits
//! as an integer. That is shorter than eight bytes, and repeats from number to number.

/// Powers of ten by the places that they stand for.
const POWERS: [f64; 7] = [1.0, 10.0, 100.0, 1_000.0, 10_000.0, 100_000.0, 1_000_000.0];
/// Bytes of the integer: with more, nothing is gained.
const DIGITS_BYTES_MAX: usize = 5;

/// A number in its short form.
pub(super) struct Decimal {
    bytes: [u8; 1 + DIGITS_BYTES_MAX],
    length: usize,
}

impl Decimal {
    /// The short form of a double, unless it has none that gives exactly the same double.
    pub fn of(number: f64) -> Option<Decimal> {
        let bound = ((1_u64 << (8 * DIGITS_BYTES_MAX - 1)) - 1) as f64;
        // Minus zero is another double than zero.
        if number == 0.0 {
            return None;
        }
        let (places, digits) = (1..POWERS.len()).find_map(|places| {
            let digits = (number * POWERS[places]).round();
            // Both are held exactly, so that what their quotient is rounded to is what the decimal
            // number is rounded to.
            let is_same = digits.abs() <= bound && digits / POWERS[places] == number;
            is_same.then_some((places, digits as i64))
        })?;
        let zigzag = ((digits << 1) ^ (digits >> 63)).cast_unsigned();
        let used = (8 - zigzag.leading_zeros() as usize / 8).max(1);
        let mut bytes = [0; 1 + DIGITS_BYTES_MAX];
        bytes[0] = places as u8;
        bytes[1..=used].copy_from_slice(&zigzag.to_le_bytes()[..used]);
        Some(Decimal { bytes, length: 1 + used })
    }

    /// Its bytes: the first is none of those that digits in ASCII begin with.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    /// The double whose short form these bytes are, if they are one.
    pub fn number(bytes: &[u8]) -> Option<f64> {
        let (places, digits) = bytes.split_first()?;
        let power = POWERS.get(usize::from(*places)).filter(|_| *places > 0)?;
        if digits.is_empty() || digits.len() > DIGITS_BYTES_MAX {
            return None;
        }
        let zigzag = digits.iter().rev().fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
        let digits = (zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed();
        Some(digits as f64 / power)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_with_few_places_are_short() {
        for (number, length) in [
            (0.5, 2),
            (-6.3, 2),
            (411.89, 4),
            (5.0, 2),
            (0.000_001, 2),
            (-123_456.789, 5),
            (274_877_906.943, 6),
        ] {
            let decimal = Decimal::of(number).unwrap();
            assert_eq!(decimal.bytes().len(), length, "{number}");
            assert_eq!(Decimal::number(decimal.bytes()), Some(number));
        }
        for number in [0.0, -0.0, 1.0 / 3.0, 1e-7, 1e300, f64::MAX, f64::MIN_POSITIVE, 0.1 + 0.2] {
            assert!(Decimal::of(number).is_none(), "{number}");
        }
        for bytes in [&[][..], &[0, 1], &[7, 1], &[2], &[2, 1, 2, 3, 4, 5, 6], b"12345678901234567890"] {
            assert_eq!(Decimal::number(bytes), None, "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn a_short_form_is_the_same_double(number: f64, digits: i64, places in 0_usize..POWERS.len()) {
            let short = digits as f64 / POWERS[places];
            for number in [number, short] {
                if let Some(decimal) = Decimal::of(number) {
                    let read = Decimal::number(decimal.bytes()).unwrap();
                    prop_assert_eq!(read.to_bits(), number.to_bits());
                }
            }
        }
    }
}
