//! The functions that Step Functions adds to JSONata.
//!
//! `$uuid` and `$random` without a seed draw from the scope and are therefore defined in the
//! text around the expression (`program`), over the members of its input.

use std::sync::OnceLock;

use jlens_core::{Bindings, Error, HostFunction, Result};
use md5::Md5;
use serde_json::{Value as Json, json};
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha384, Sha512};

use super::limits::ARRAY_ITEMS_MAX;

/// The functions by name, without `$`. Source: Step Functions developer guide, "Transforming
/// data with JSONata".
pub(super) const NAMES: [&str; 6] = ["hash", "parse", "partition", "random", "range", "uuid"];

/// The function behind `$random(seed)`.
pub(super) const SEEDED_RANDOM: &str = "__seededRandom";

type Args<'a> = &'a [Option<Json>];

/// The functions, ready to be called.
pub(super) fn bindings() -> &'static Bindings {
    static BINDINGS: OnceLock<Bindings> = OnceLock::new();
    BINDINGS.get_or_init(|| {
        Bindings::new()
            .function("partition", host("<an:a>", partition))
            .function("range", host("<nnn:a>", range))
            .function("hash", host("<ss:s>", hash))
            .function("parse", host("<s:x>", parse))
            .function(
                SEEDED_RANDOM,
                host("<n:n>", |args| Ok(number(args, 0).map(|seed| json!(seeded_random(seed))))),
            )
    })
}

fn host(signature: &str, implementation: fn(Args<'_>) -> Result<Option<Json>>) -> HostFunction {
    HostFunction::with_signature(signature, move |args, _| implementation(args))
        .expect("the signatures above are well formed")
        .without_input()
}

/// `$partition(array, size)`: the array in pieces of `size` items, the last one maybe shorter.
fn partition(args: Args<'_>) -> Result<Option<Json>> {
    let (Some(Some(Json::Array(items))), Some(size)) = (args.first(), number(args, 1)) else {
        return Ok(None);
    };
    let size = size.floor();
    if size < 1.0 {
        return Err(failure(format!(
            "the second argument of $partition must be at least 1, but it is {size}"
        )));
    }
    // A size beyond the items, however large, is one piece.
    let size = size.min(items.len().max(1) as f64) as usize;
    Ok(Some(items.chunks(size).map(|piece| Json::Array(piece.to_vec())).collect()))
}

/// `$range(first, last, step)`, both ends included. It gives a sequence: one item comes without
/// its array (conformance cases `array_jsonata.array_range`), no item is undefined.
fn range(args: Args<'_>) -> Result<Option<Json>> {
    let (Some(first), Some(last), Some(step)) = (number(args, 0), number(args, 1), number(args, 2)) else {
        return Ok(None);
    };
    let (first, last, step) = (first.floor(), last.floor(), step.floor());
    if step == 0.0 {
        return Err(failure("the third argument of $range must not be 0".to_owned()));
    }
    let steps = ((last - first) / step).floor();
    if steps < 0.0 {
        return Ok(None);
    }
    if steps >= ARRAY_ITEMS_MAX as f64 {
        return Err(failure(format!("$range would give more than {ARRAY_ITEMS_MAX} items")));
    }
    let item = |index: usize| json!(first + step * index as f64);
    let steps = steps as usize;
    Ok(Some(if steps == 0 { item(0) } else { (0..=steps).map(item).collect() }))
}

/// `$hash(text, algorithm)`: the hash of the text's UTF-8 bytes, in lower-case hexadecimal.
fn hash(args: Args<'_>) -> Result<Option<Json>> {
    let (Some(text), Some(algorithm)) = (string(args, 0), string(args, 1)) else {
        return Ok(None);
    };
    let bytes = text.as_bytes();
    let hex = match algorithm {
        "MD5" => hex(&Md5::digest(bytes)),
        "SHA-1" => hex(&Sha1::digest(bytes)),
        "SHA-256" => hex(&Sha256::digest(bytes)),
        "SHA-384" => hex(&Sha384::digest(bytes)),
        "SHA-512" => hex(&Sha512::digest(bytes)),
        other => {
            return Err(failure(format!(
                "$hash does not know the algorithm `{other}`; use MD5, SHA-1, SHA-256, SHA-384 or SHA-512"
            )));
        }
    };
    Ok(Some(Json::String(hex)))
}

/// `$parse(text)`: the value that the JSON text stands for.
fn parse(args: Args<'_>) -> Result<Option<Json>> {
    let Some(text) = string(args, 0) else { return Ok(None) };
    match model::json::parse(text) {
        Ok(value) => Ok(Some(Json::from(&value))),
        Err(error) => Err(failure(format!("$parse was given text that is not JSON: {error}"))),
    }
}

/// `$random(seed)`: the first draw of the 48-bit linear congruential generator that Java's
/// `Random` specifies, in [0, 1). The seed is floored.
fn seeded_random(seed: f64) -> f64 {
    const MULTIPLIER: u64 = 0x5_DEEC_E66D;
    const MASK: u64 = (1 << 48) - 1;
    let mut state = ((seed.floor() as i64 as u64) ^ MULTIPLIER) & MASK;
    let mut bits = |n: u32| {
        state = state.wrapping_mul(MULTIPLIER).wrapping_add(0xB) & MASK;
        state >> (48 - n)
    };
    let (high, low) = (bits(26), bits(27));
    ((high << 27) + low) as f64 / (1_u64 << 53) as f64
}

/// A random number in [0, 1) with 53 random bits.
pub(super) fn unit_interval(random: u64) -> f64 {
    (random >> 11) as f64 / (1_u64 << 53) as f64
}

/// A version 4 UUID.
pub(super) fn uuid(high: u64, low: u64) -> String {
    let high = (high & !0xF000) | 0x4000;
    let low = (low & !(0b11 << 62)) | (0b10 << 62);
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xFFFF,
        high & 0xFFFF,
        low >> 48,
        low & 0xFFFF_FFFF_FFFF
    )
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        // Writing to a String cannot fail.
        let _ = write!(out, "{byte:02x}");
        out
    })
}

fn number(args: Args<'_>, index: usize) -> Option<f64> {
    args.get(index)?.as_ref()?.as_f64()
}

fn string<'a>(args: Args<'a>, index: usize) -> Option<&'a str> {
    args.get(index)?.as_ref()?.as_str()
}

/// An error without a code.
fn failure(message: String) -> Error {
    Error::new("").with("message", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeded_random_is_the_one_of_java() {
        // new Random(42).nextDouble() and new Random(0).nextDouble()
        assert_eq!(seeded_random(42.0), 0.727_563_680_032_868_1);
        assert_eq!(seeded_random(0.9), 0.730_967_787_376_657);
    }

    #[test]
    fn uuids_have_their_version_and_variant() {
        assert_eq!(uuid(u64::MAX, u64::MAX), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_eq!(uuid(0, 0), "00000000-0000-4000-8000-000000000000");
    }

    #[test]
    fn unit_interval_excludes_one() {
        assert!(unit_interval(u64::MAX) < 1.0);
        assert_eq!(unit_interval(0), 0.0);
    }
}
