//! The bytes of the catalog: what its numbers mean. `xtask` writes them, the rest of this module
//! reads them.
//!
//! Numbers are LEB128 (`v`) where nothing else is said, texts (`s`) are a length and UTF-8. A text
//! of a service is `v`: 0 is none, `k` is the `k`-th of its texts.
//!
//! ```text
//! catalog  : "AWC1", u32 services, u32 x 2 offset and length of the rules, u32 x 2 of the partitions,
//!            services x { u32 offset, u32 length, u32 x 2 of its key },
//!            keys, blobs, rules, partitions (JSON)
//! service  : s key, s prefix, s service id, s endpoint prefix, s signing name, s API version,
//!            s target prefix, s XML namespace, u8 protocol, u8 bits, v rules + 1, texts, errors, shapes, operations
//! texts    : v n, n x v length, bytes
//! errors   : v n, n x { v shape's name, v code on the wire (0: the same), v status (0: none), v shape }
//! shapes   : v n, n x v length, bytes
//! operations: v n, n x v length, bytes; each v name, u8 method, v flags, v URI (0: /), v input + 1,
//!            v output + 1, then what the flags announce, in the order of the constants of `operation`
//! ```
//! A shape's first byte says what it is:
//! ```text
//! 0..0x80  : a scalar (bits 0 to 2), its timestamp format (bits 3 and 4), streaming (bit 5)
//! 0x80     : a list; v shape of the elements, v their name, with namespaces v URI, v prefix
//! 0x90     : a map; v shape of the values, v name of the keys, v name of the values, with namespaces
//!            v URI, v prefix of the keys and of the values
//! 0xA0     : a structure; v payload member + 1, v name, v members,
//!            members x { v name, v shape, v flags, then what the flags announce }
//! ```

/// What a catalog begins with.
pub const MAGIC: &[u8; 4] = b"AWC1";
/// Bytes before the first entry of the index.
pub const HEADER_BYTES: usize = 24;
/// Bytes of an entry of the index.
pub const ENTRY_BYTES: usize = 16;

/// Bits of a service.
pub mod service {
    /// The version of JSON 1.x, in two bits.
    pub const JSON_VERSION: u8 = 0b11;
    /// Errors have the code of the query protocol too.
    pub const QUERY_COMPATIBLE: u8 = 1 << 2;
}

/// The first byte of a shape.
pub mod shape {
    /// A list; see [`FLATTENED`] and [`SPARSE`].
    pub const LIST: u8 = 0x80;
    /// A map; see [`FLATTENED`] and [`SPARSE`].
    pub const MAP: u8 = 0x90;
    /// A structure; see [`DOCUMENT`], [`EVENT_STREAM`], [`UNION`].
    pub const STRUCTURE: u8 = 0xA0;
    /// Of a list or a map: no element around it.
    pub const FLATTENED: u8 = 1;
    /// Of a list or a map: null is a value.
    pub const SPARSE: u8 = 2;
    /// Of a list or a map: its parts have namespaces.
    pub const NAMESPACES: u8 = 4;
    /// Of a structure: any JSON.
    pub const DOCUMENT: u8 = 1;
    /// Of a structure: a stream of events.
    pub const EVENT_STREAM: u8 = 2;
    /// Of a structure: one of its members.
    pub const UNION: u8 = 4;
    /// Of a scalar: where its timestamp format begins.
    pub const TIMESTAMP_SHIFT: u8 = 3;
    /// Of a scalar.
    pub const STREAMING: u8 = 1 << 5;
}

/// Flags of a member.
pub mod member {
    /// Where it stands in a request or an answer, in three bits.
    pub const LOCATION: u32 = 0b111;
    /// Has to be given.
    pub const REQUIRED: u32 = 1 << 3;
    /// Is filled in where it is absent.
    pub const IDEMPOTENCY_TOKEN: u32 = 1 << 4;
    /// No element around it.
    pub const FLATTENED: u32 = 1 << 5;
    /// Is part of the host's name.
    pub const HOST_LABEL: u32 = 1 << 6;
    /// JSON in a text.
    pub const JSON_VALUE: u32 = 1 << 7;
    /// An attribute in XML.
    pub const XML_ATTRIBUTE: u32 = 1 << 8;
    /// Is streamed.
    pub const STREAMING: u32 = 1 << 9;
    /// Where its timestamp format begins, of two bits.
    pub const TIMESTAMP_SHIFT: u32 = 10;
    /// Its name on the wire is that of EC2's queries, in which no first letter becomes large.
    pub const QUERY_NAME: u32 = 1 << 15;
    /// Announces a name on the wire.
    pub const LOCATION_NAME: u32 = 1 << 12;
    /// Announces a namespace: its URI and its prefix.
    pub const XML_NAMESPACE: u32 = 1 << 13;
    /// Announces the parameter of endpoint rules that it is.
    pub const CONTEXT_PARAM: u32 = 1 << 14;
}

/// Flags of an operation.
pub mod operation {
    /// Is not signed.
    pub const UNSIGNED: u32 = 1;
    /// Is signed without its body.
    pub const UNSIGNED_BODY: u32 = 1 << 1;
    /// Has to carry a checksum.
    pub const CHECKSUM_REQUIRED: u32 = 1 << 2;
    /// Changes nothing, and may be repeated.
    pub const READS: u32 = 1 << 3;
    /// Step Functions does not offer it.
    pub const EXCLUDED: u32 = 1 << 4;
    /// Is sent to an endpoint that has to be asked for first.
    pub const ENDPOINT_DISCOVERY: u32 = 1 << 5;
    /// Announces what stands before the host.
    pub const HOST_PREFIX: u32 = 1 << 6;
    /// Announces the name of the input's element.
    pub const INPUT_NAME: u32 = 1 << 7;
    /// Announces the namespace of the input's element: its URI and its prefix.
    pub const INPUT_NAMESPACE: u32 = 1 << 8;
    /// Announces the element around the output.
    pub const RESULT_WRAPPER: u32 = 1 << 9;
    /// Announces the member that names the checksum's algorithm.
    pub const CHECKSUM_MEMBER: u32 = 1 << 10;
    /// Announces parameters of endpoint rules: v n, n x { v name, v kind: 0 false, 1 true, 2 a text
    /// that follows }.
    pub const STATIC_CONTEXT: u32 = 1 << 11;
}

/// Nodes of endpoint rules. A reference is `v`: the offset of the node in the rules.
pub mod rules {
    /// A text, with `{}` in it or not: s.
    pub const TEXT: u8 = 0;
    /// False.
    pub const FALSE: u8 = 1;
    /// True.
    pub const TRUE: u8 = 2;
    /// An integer: v.
    pub const INTEGER: u8 = 3;
    /// What a name stands for: s.
    pub const REFERENCE: u8 = 4;
    /// A function: s name, v n, n x v argument.
    pub const FUNCTION: u8 = 5;
    /// A condition: v function, s the name its value gets (empty: none).
    pub const CONDITION: u8 = 6;
    /// An endpoint: v conditions, v URL, s properties and s headers (JSON; empty: none).
    pub const ENDPOINT: u8 = 7;
    /// An error: v conditions, v message.
    pub const ERROR: u8 = 8;
    /// Rules under conditions: v conditions, v n, n x v rule.
    pub const TREE: u8 = 9;
    /// Conditions: v n, n x v condition.
    pub const CONDITIONS: u8 = 10;
    /// All rules of a service: v n, n x { s name, s what fills it in, u8 0 no default, 1 false, 2 true,
    /// 3 a text: s }, v n, n x v rule.
    pub const RULE_SET: u8 = 11;
}
