use model::json::{Number, Value};

use super::{EvalError, refuse};
use crate::Scope;

/// The nearest integer, halves towards positive infinity (−1.5 → −1, 2.5 → 3); beyond 64 bits,
/// the nearest end.
///
/// Source: conformance cases `intrinsic_functions/math_operations.math_add-…`.
pub(super) fn rounded(n: &Number) -> i64 {
    match n {
        Number::Int(n) => *n,
        n => {
            let n = n.as_f64();
            let below = n.floor();
            // `as` saturates.
            (if n - below >= 0.5 { below + 1.0 } else { below }) as i64
        }
    }
}

/// The sum of two integers, each rounded first; all in 32 bits.
pub(super) fn add(a: &Number, b: &Number) -> Result<Value, EvalError> {
    let sum = i64::from(in_32_bits(a)?) + i64::from(in_32_bits(b)?);
    match i32::try_from(sum) {
        Ok(_) => Ok(sum.into()),
        Err(_) => refuse(format!("the sum {sum} is not in the range -2147483648 to 2147483647")),
    }
}

/// An integer from `start` (included) to `end` (excluded). With a seed the result depends on the
/// three arguments alone.
pub(super) fn random(
    start: &Number,
    end: &Number,
    seed: Option<&Number>,
    scope: &dyn Scope,
) -> Result<Value, EvalError> {
    let (start, end) = (i64::from(in_32_bits(start)?), i64::from(in_32_bits(end)?));
    let Some(span) = u64::try_from(end - start).ok().filter(|span| *span > 0) else {
        return refuse(format!("the start {start} must be less than the end {end}"));
    };
    let draw = match seed {
        Some(seed) => mixed(rounded(seed).cast_unsigned()),
        None => scope.next_random(),
    };
    // The high half of the product: even for a span of 2^32 no number is favoured noticeably.
    let offset = (u128::from(draw) * u128::from(span)) >> 64;
    Ok((start + i64::try_from(offset).unwrap_or(0)).into())
}

fn in_32_bits(n: &Number) -> Result<i32, EvalError> {
    match i32::try_from(rounded(n)) {
        Ok(n) => Ok(n),
        Err(_) => refuse(format!("{n} is not in the range -2147483648 to 2147483647")),
    }
}

/// SplitMix64: neighbouring seeds give unrelated numbers.
fn mixed(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
