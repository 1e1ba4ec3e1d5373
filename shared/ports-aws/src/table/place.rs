//! The place of an entry in an index, as one sort key.
//!
//! DynamoDB leaves the order of entries with the same sort key open; the port does not. So the sort
//! key of an index is the entry's, then its row's key: `sort 0 0 partition 0 0 sort`, with `0 1` for
//! each zero byte within a part. Byte order of the whole is then the order of the parts, since what
//! ends a part is less than whatever may follow in it.
//!
//! A key has at most [`SORT_BYTES_MAX`] bytes. A longer place is cut there, the exact sort key then
//! stands in an attribute of its own, and entries whose places agree so far stand in the table's
//! order, whatever that is.

use ports::IndexPosition;
use ports::table::SORT_BYTES_MAX;

/// Ends a part.
const END: &str = "\0\0";
/// A zero within a part.
const ZERO: &str = "\0\u{1}";

/// The place of an entry, which may be cut.
pub(super) fn place(position: &IndexPosition) -> String {
    let mut out = before(&position.sort);
    out.push_str(END);
    push(&mut out, &position.key.partition);
    out.push_str(END);
    push(&mut out, &position.key.sort);
    cut(&mut out);
    out
}

/// Whether a sort key can be read from the place.
pub(super) fn holds_sort(place: &str) -> bool {
    place.contains(END)
}

/// The sort key of an entry; none when the place is no place, or was cut within it.
pub(super) fn sort(place: &str) -> Option<String> {
    let (sort, _) = place.split_once(END)?;
    Some(sort.replace(ZERO, "\0"))
}

/// Before the places of all entries with this sort key, behind those of smaller ones.
pub(super) fn before(sort: &str) -> String {
    let mut out = String::with_capacity(sort.len() + 64);
    push(&mut out, sort);
    out
}

/// Behind the places of all entries with this sort key, before those of larger ones.
pub(super) fn behind(sort: &str) -> String {
    let mut out = before(sort);
    out.push_str(ZERO);
    out
}

fn push(out: &mut String, part: &str) {
    for (n, piece) in part.split('\0').enumerate() {
        if n > 0 {
            out.push_str(ZERO);
        }
        out.push_str(piece);
    }
}

fn cut(text: &mut String) {
    text.truncate(text.floor_char_boundary(SORT_BYTES_MAX));
}

#[cfg(test)]
mod tests {
    use super::*;
    use ports::Key;
    use proptest::prelude::*;

    fn position(sort: &str, partition: &str, row: &str) -> IndexPosition {
        IndexPosition { sort: sort.into(), key: Key::new(partition, row) }
    }

    /// Few characters, so that texts share much.
    fn text() -> impl Strategy<Value = String> {
        proptest::collection::vec(
            prop_oneof![Just('\0'), Just('\u{1}'), Just('a'), Just('ü'), Just('\u{ffff}'), Just('𝄞')],
            1..6,
        )
        .prop_map(|chars| chars.into_iter().collect())
    }

    proptest! {
        #[test]
        fn places_are_in_the_order_of_positions(
            a in (text(), text(), text()),
            b in (text(), text(), text()),
        ) {
            let (a, b) = (position(&a.0, &a.1, &a.2), position(&b.0, &b.1, &b.2));
            prop_assert_eq!(place(&a).cmp(&place(&b)), a.cmp(&b));
        }

        #[test]
        fn a_place_tells_its_sort_key_and_lies_within_its_bounds(a in (text(), text(), text()), other in text()) {
            let place = place(&position(&a.0, &a.1, &a.2));
            let sort_key = sort(&place);
            prop_assert_eq!(sort_key.as_deref(), Some(a.0.as_str()));
            prop_assert_eq!(place >= before(&other), a.0 >= other);
            prop_assert_eq!(place <= behind(&other), a.0 <= other);
        }
    }

    #[test]
    fn a_long_place_is_cut() {
        let long = "€".repeat(341);
        let cut_behind = place(&position(&long, "p", "s"));
        assert_eq!((cut_behind.len(), sort(&cut_behind)), (1024, None));
        let cut_between = place(&position("s", &long, "r"));
        assert_eq!(cut_between.len(), 1023);
        assert_eq!(sort(&cut_between).as_deref(), Some("s"));
        assert!(!holds_sort(&place(&position(&"\0".repeat(600), "p", "s"))));
    }
}
