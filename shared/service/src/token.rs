//! Page tokens: where a listing goes on.
//!
//! The text is URL-safe base64 of a version byte, eight bytes of a hash, and MessagePack. The hash
//! finds damage, it proves nothing: a token says only where to go on.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use model::json::Text;
use model::limits::PAGE_TOKEN_HOURS;
use model::timestamp::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::error::ApiError;

const VERSION: u8 = 1;
const HASH_BYTES: usize = 8;

/// The listing that a token belongs to: an operation and the arguments that must not change.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Listing<'a> {
    pub operation: &'static str,
    pub arguments: &'a [Option<&'a str>],
}

#[derive(Serialize, Deserialize)]
struct Token<P> {
    listing: [u8; HASH_BYTES],
    issued_at: Timestamp,
    position: P,
}

/// A token for what follows `position`.
pub(crate) fn issue<P: Serialize>(listing: Listing<'_>, position: P, now: Timestamp) -> Text {
    let token = Token { listing: listing.hash(), issued_at: now, position };
    let packed = rmp_serde::to_vec(&token).expect("positions hold only what MessagePack can write");
    let mut bytes = vec![VERSION];
    bytes.extend_from_slice(&hash(&packed));
    bytes.extend_from_slice(&packed);
    URL_SAFE_NO_PAD.encode(bytes).into()
}

/// The position that a token says. InvalidToken when it is damaged, belongs to another listing, or
/// is older than a day.
pub(crate) fn position<P: DeserializeOwned>(
    listing: Listing<'_>,
    token: Option<&str>,
    now: Timestamp,
) -> Result<Option<P>, ApiError> {
    let Some(text) = token else { return Ok(None) };
    let token = decode::<P>(text).ok_or_else(ApiError::invalid_token)?;
    let age_max = PAGE_TOKEN_HOURS * 60 * 60 * 1_000;
    if token.listing != listing.hash() || now.millis_since(token.issued_at) > age_max {
        return Err(ApiError::invalid_token());
    }
    Ok(Some(token.position))
}

fn decode<P: DeserializeOwned>(text: &str) -> Option<Token<P>> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let (&VERSION, rest) = bytes.split_first()? else { return None };
    let (found, packed) = rest.split_first_chunk::<HASH_BYTES>()?;
    if *found != hash(packed) {
        return None;
    }
    rmp_serde::from_slice(packed).ok()
}

impl Listing<'_> {
    fn hash(&self) -> [u8; HASH_BYTES] {
        let packed = rmp_serde::to_vec(&(self.operation, self.arguments)).expect("texts can be written");
        hash(&packed)
    }
}

fn hash(bytes: &[u8]) -> [u8; HASH_BYTES] {
    let digest = Sha256::digest(bytes);
    std::array::from_fn(|at| digest[at])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LISTING: Listing<'_> = Listing { operation: "ListThings", arguments: &[Some("a"), None] };

    fn invalid<P: DeserializeOwned + std::fmt::Debug>(listing: Listing<'_>, token: &str, now: i64) {
        let found = position::<P>(listing, Some(token), Timestamp::from_millis(now));
        assert_eq!(found.unwrap_err(), ApiError::invalid_token(), "{token}");
    }

    #[test]
    fn a_token_leads_back_to_its_position() {
        let token = issue(LISTING, ("name", 7_u64), Timestamp::from_millis(5));
        let day = 24 * 60 * 60 * 1_000;
        for now in [0, 5, 5 + day] {
            let now = Timestamp::from_millis(now);
            assert_eq!(position(LISTING, Some(&token), now), Ok(Some(("name".to_owned(), 7_u64))));
        }
        assert_eq!(position::<u64>(LISTING, None, Timestamp::EPOCH), Ok(None));
        assert!(token.len() <= 1_024);
    }

    #[test]
    fn a_token_of_something_else_is_refused() {
        let token = issue(LISTING, 7_u64, Timestamp::EPOCH);
        invalid::<u64>(LISTING, &token, 24 * 60 * 60 * 1_000 + 1);
        invalid::<u64>(Listing { operation: "ListOthers", ..LISTING }, &token, 0);
        invalid::<u64>(Listing { arguments: &[Some("a"), Some("")], ..LISTING }, &token, 0);
        invalid::<u64>(Listing { arguments: &[Some("b"), None], ..LISTING }, &token, 0);
        invalid::<String>(LISTING, &token, 0);
    }

    proptest! {
        #[test]
        fn damage_is_found(at in 0_usize..40, with in "[A-Za-z0-9_-]") {
            let token = issue(LISTING, 7_u64, Timestamp::EPOCH);
            let mut damaged = token.to_string();
            let at = at % damaged.len();
            damaged.replace_range(at..=at, &with);
            let found = position::<u64>(LISTING, Some(&damaged), Timestamp::EPOCH);
            prop_assert!(damaged == token.as_str() || found.is_err());
        }

        #[test]
        fn any_text_is_refused_calmly(text in "\\PC{0,80}") {
            prop_assert!(position::<u64>(LISTING, Some(&text), Timestamp::EPOCH).is_err());
        }
    }
}
