//! Pages of listings.

use model::json::Text;
use model::limits::{PAGE_RESULTS_DEFAULT, PAGE_RESULTS_MAX};

use crate::wire::{Members, page_token};

/// `maxResults` and `nextToken`.
pub(super) struct Page {
    /// How many results are wanted, from 1.
    pub limit: usize,
    /// Where to go on.
    pub token: Option<Text>,
}

/// Reads them. 0 results are as many as by default.
pub(super) fn page(members: &Members<'_>, token_chars_max: usize) -> Page {
    let asked = members.integer("maxResults", 0..=i64::from(PAGE_RESULTS_MAX));
    let limit = asked.filter(|asked| *asked > 0).unwrap_or(i64::from(PAGE_RESULTS_DEFAULT));
    Page {
        limit: usize::try_from(limit).unwrap_or(PAGE_RESULTS_DEFAULT as usize),
        token: members.text("nextToken", &page_token(token_chars_max)),
    }
}

/// Characters of a page token of most listings. Source: API.
pub(super) const TOKEN_CHARS_MAX: usize = 1_024;
