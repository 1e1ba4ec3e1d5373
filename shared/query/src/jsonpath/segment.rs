use std::fmt::Write as _;

use model::json::Text;

use super::filter::Filter;

/// One step of a path.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Segment {
    /// `.a`, `['a']`
    Name(Text),
    /// `['a','b']`: one object with those members that exist.
    Names(Box<[Text]>),
    /// `[0]`, `[-1]`
    Index(i64),
    /// `[0,2]`
    Indexes(Box<[i64]>),
    /// `[1:]`, `[:-1]`, `[1:5]`
    Slice { from: Option<i64>, to: Option<i64> },
    /// `.*`, `[*]`
    Wildcard,
    /// `[?(…)]`
    Filter(Box<Filter>),
    /// `..`: the next segment applies to the node and to everything in it.
    Descend,
}

impl Segment {
    pub(super) fn is_definite(&self) -> bool {
        matches!(self, Segment::Name(_) | Segment::Names(_) | Segment::Index(_))
    }

    pub(super) fn is_reference(&self) -> bool {
        match self {
            Segment::Name(_) => true,
            Segment::Index(index) => *index >= 0,
            _ => false,
        }
    }

    /// The segment as the service's causes write it: `['a']`, `['a', 'b']`, `[0]`.
    pub(super) fn push_text(&self, out: &mut String) {
        // Writing to a String does not fail.
        let _ = match self {
            Segment::Name(name) => write!(out, "['{name}']"),
            Segment::Names(names) => {
                let quoted: Vec<String> = names.iter().map(|name| format!("'{name}'")).collect();
                write!(out, "[{}]", quoted.join(", "))
            }
            Segment::Index(index) => write!(out, "[{index}]"),
            Segment::Indexes(indexes) => {
                let texts: Vec<String> = indexes.iter().map(i64::to_string).collect();
                write!(out, "[{}]", texts.join(","))
            }
            Segment::Slice { from, to } => {
                let side = |bound: &Option<i64>| bound.map(|n| n.to_string()).unwrap_or_default();
                write!(out, "[{}:{}]", side(from), side(to))
            }
            Segment::Wildcard => write!(out, "[*]"),
            Segment::Filter(_) => write!(out, "[?]"),
            Segment::Descend => write!(out, ".."),
        };
    }
}

/// `$['a'][0]`: segments as the service's causes write them.
pub(super) fn text_of(segments: &[Segment]) -> String {
    let mut out = String::from("$");
    for segment in segments {
        segment.push_text(&mut out);
    }
    out
}
