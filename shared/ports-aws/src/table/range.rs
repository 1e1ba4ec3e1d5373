//! What of a partition is asked for, within what DynamoDB accepts as a key.

use ports::Order;
use ports::table::SORT_BYTES_MAX;

/// A range of sort keys, both ends inclusive, each of a length that a sort key can have. It may
/// hold more than was asked for when a bound had to be cut; whoever reads looks at each row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Range {
    /// The smallest; none: from the first on.
    pub lower: Option<String>,
    /// The largest.
    pub upper: String,
}

impl Range {
    /// From `lower` (empty: the first) to `upper`; none when nothing can lie there.
    pub fn new(lower: String, upper: String) -> Option<Range> {
        if upper.is_empty() || lower > upper {
            return None;
        }
        let lower = Some(cut_down(lower)).filter(|lower| !lower.is_empty());
        Some(Range { lower, upper: cut_up(upper) })
    }
}

/// Not behind `text`.
fn cut_down(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(SORT_BYTES_MAX));
    text
}

/// Not before any sort key that is not behind `text`.
fn cut_up(mut text: String) -> String {
    if text.len() > SORT_BYTES_MAX {
        text.truncate(text.floor_char_boundary(SORT_BYTES_MAX - char::MAX.len_utf8()));
        text.push(char::MAX);
    }
    text
}

/// Whether `place` lies behind `after`, in the direction of a query.
pub(super) fn is_behind<P: Ord>(place: &P, after: &P, order: Order) -> bool {
    match order {
        Order::Ascending => place > after,
        Order::Descending => place < after,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_have_bounds_that_keys_can_have() {
        let range = |lower: &str, upper: &str| Range::new(lower.to_owned(), upper.to_owned());
        let of = |lower: Option<&str>, upper: &str| {
            Some(Range { lower: lower.map(str::to_owned), upper: upper.to_owned() })
        };
        let long = "€".repeat(400);
        let cases = [
            (range("", ""), None),
            (range("b", "a"), None),
            (range("a", ""), None),
            (range("", "b"), of(None, "b")),
            (range("b", "b"), of(Some("b"), "b")),
            (range(&long, "￿"), of(Some(&"€".repeat(341)), "￿")),
            (range("a", &long), of(Some("a"), &format!("{}{}", "€".repeat(340), char::MAX))),
        ];
        for (found, expected) in cases {
            assert_eq!(found, expected);
        }
    }
}
