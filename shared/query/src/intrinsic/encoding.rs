use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use md5::Md5;
use model::json::{Text, Value};
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha384, Sha512};

use super::{ENCODED_CHARACTERS_MAX, EvalError, refuse};
use crate::Scope;

/// RFC 4648 "basic"; reading accepts text without its padding, as the service's decoder does.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

pub(super) fn base64_encode(text: &Text) -> Result<Value, EvalError> {
    refuse_long(text)?;
    Ok(BASE64.encode(text.as_bytes()).into())
}

/// Bytes that are no UTF-8 become U+FFFD.
pub(super) fn base64_decode(text: &Text) -> Result<Value, EvalError> {
    refuse_long(text)?;
    match BASE64.decode(text.as_bytes()) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned().into()),
        Err(error) => refuse(format!("the text is not Base64: {error}")),
    }
}

/// The hash of the UTF-8 bytes, as lowercase hexadecimal digits.
pub(super) fn hash(text: &Text, algorithm: &Text) -> Result<Value, EvalError> {
    refuse_long(text)?;
    let data = text.as_bytes();
    let digits = match algorithm.as_str() {
        "MD5" => hex(&Md5::digest(data)),
        "SHA-1" => hex(&Sha1::digest(data)),
        "SHA-256" => hex(&Sha256::digest(data)),
        "SHA-384" => hex(&Sha384::digest(data)),
        "SHA-512" => hex(&Sha512::digest(data)),
        other => {
            return refuse(format!(
                "the algorithm must be MD5, SHA-1, SHA-256, SHA-384 or SHA-512, not {other:?}"
            ));
        }
    };
    Ok(digits.into())
}

/// A version 4 UUID of two random numbers from the scope.
pub(super) fn uuid(scope: &dyn Scope) -> Value {
    let (high, low) = (scope.next_random(), scope.next_random());
    let high = high & !0xf000 | 0x4000;
    let low = low & !(0b11 << 62) | 0b10 << 62;
    let groups = (high >> 32, high >> 16 & 0xffff, high & 0xffff, low >> 48, low & 0xffff_ffff_ffff);
    let (a, b, c, d, e) = groups;
    format!("{a:08x}-{b:04x}-{c:04x}-{d:04x}-{e:012x}").into()
}

fn refuse_long(text: &str) -> Result<(), EvalError> {
    // A text has no more UTF-16 units than bytes.
    if text.len() > ENCODED_CHARACTERS_MAX && text.encode_utf16().count() > ENCODED_CHARACTERS_MAX {
        return refuse(format!("the text is longer than {ENCODED_CHARACTERS_MAX} characters"));
    }
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
