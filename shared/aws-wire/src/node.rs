//! Values as the models know them: between the JSON of a workflow and the bytes of a protocol.

use model::json;

use crate::catalog::Member;
use crate::timestamp::Timestamp;

/// A value with the type that a model gives it.
#[derive(Clone, Debug)]
pub enum Node {
    /// Null, where a list or a map may have it.
    Null,
    /// A text.
    Text(json::Text),
    /// Bytes.
    Blob(Vec<u8>),
    /// True or false.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// Any number, and those that are none.
    Float(f64),
    /// A point in time.
    Timestamp(Timestamp),
    /// Elements.
    List(Vec<Node>),
    /// Entries, in their order.
    Map(Vec<(json::Text, Node)>),
    /// Members, in the order they were given.
    Structure(Vec<(Member, Node)>),
    /// Any JSON.
    Document(json::Value),
}

impl Node {
    /// A structure without members.
    pub fn empty() -> Node {
        Node::Structure(Vec::new())
    }

    /// A structure's members; none of anything else.
    pub fn members(&self) -> &[(Member, Node)] {
        match self {
            Node::Structure(members) => members,
            _ => &[],
        }
    }

    /// A structure's member, by the model's name.
    pub fn member(&self, name: &str) -> Option<&Node> {
        self.members().iter().find(|(member, _)| member.name == name).map(|(_, node)| node)
    }

    /// A text.
    pub fn text(&self) -> Option<&str> {
        match self {
            Node::Text(text) => Some(text),
            _ => None,
        }
    }
}
