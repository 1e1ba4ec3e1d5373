//! What AWS can do: services, their operations, and the shapes of requests and answers.
//!
//! The models are those of botocore (Apache License 2.0, see `catalog/NOTICE`), without texts for
//! people and without what services check themselves. `cargo xtask sdk-catalog` makes the file, whose
//! form [`mod@format`] describes; it is embedded as it is, so that a service is read when it is first used and
//! nothing is unpacked.

mod cursor;
pub mod format;
mod operation;
mod shape;
#[cfg(test)]
mod tests;

use std::sync::OnceLock;

pub(crate) use cursor::Cursor;
pub use operation::{Context, Operation};
pub use shape::{
    Kind, List, Location, Map, Member, Namespace, Scalar, Shape, ShapeId, Structure, TimestampFormat,
};

use crate::endpoint::Partition;
use format::{ENTRY_BYTES, HEADER_BYTES, service as bits};

static BYTES: &[u8] = include_bytes!("../catalog/sdk-catalog.bin");

/// All services.
#[derive(Debug)]
pub struct Catalog {
    bytes: &'static [u8],
    rules: &'static [u8],
    partitions: &'static str,
    read_partitions: OnceLock<Vec<Partition>>,
    services: Box<[OnceLock<Service>]>,
}

/// The bytes that the program was built with, for [`Catalog::new`].
pub fn embedded() -> &'static [u8] {
    BYTES
}

/// What the program was built with.
pub fn catalog() -> &'static Catalog {
    static CATALOG: OnceLock<Catalog> = OnceLock::new();
    CATALOG.get_or_init(|| Catalog::new(BYTES))
}

impl Catalog {
    /// Reads the header alone.
    pub fn new(bytes: &'static [u8]) -> Catalog {
        let mut header = Cursor::new(bytes, format::MAGIC.len());
        let count = header.u32();
        let mut section = || {
            let (offset, length) = (header.u32(), header.u32());
            bytes.get(offset..offset + length).unwrap_or_default()
        };
        let rules = section();
        let partitions = std::str::from_utf8(section()).unwrap_or_default();
        let services = (0..count).map(|_| OnceLock::new()).collect();
        Catalog { bytes, rules, partitions, read_partitions: OnceLock::new(), services }
    }

    fn entry(&self, index: usize) -> (&'static str, usize, usize) {
        let mut entry = Cursor::new(self.bytes, HEADER_BYTES + index * ENTRY_BYTES);
        let (offset, length, key, key_length) = (entry.u32(), entry.u32(), entry.u32(), entry.u32());
        let key = std::str::from_utf8(Cursor::new(self.bytes, key).take(key_length));
        (key.unwrap_or_default(), offset, length)
    }

    /// The service that ARNs call `key`: `dynamodb`.
    pub fn service(&'static self, key: &str) -> Option<&'static Service> {
        let (mut low, mut high) = (0, self.services.len());
        while low < high {
            let middle = low.midpoint(high);
            let (found, offset, length) = self.entry(middle);
            match found.cmp(key) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => {
                    let blob = self.bytes.get(offset..offset + length).unwrap_or_default();
                    return Some(self.services[middle].get_or_init(|| Service::new(blob)));
                }
            }
        }
        None
    }

    /// What all services are called, in order.
    pub fn keys(&self) -> impl Iterator<Item = &'static str> {
        (0..self.services.len()).map(|index| self.entry(index).0)
    }

    /// The rules of endpoints, of all services.
    pub(crate) fn rules(&self) -> &'static [u8] {
        self.rules
    }

    /// The partitions of AWS.
    pub(crate) fn partitions(&self) -> &[Partition] {
        self.read_partitions.get_or_init(|| Partition::all(self.partitions))
    }
}

/// How a service is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// `application/x-amz-json-1.0` or `1.1`.
    Json {
        /// 0 or 1.
        minor: u8,
    },
    /// Members in URI, headers and a JSON body.
    RestJson,
    /// Members in URI, headers and an XML body.
    RestXml,
    /// A form, answered in XML.
    Query,
    /// The same in EC2's way.
    Ec2,
    /// Smithy RPC version 2 in CBOR.
    Cbor,
}

/// A service.
#[derive(Debug)]
pub struct Service {
    /// What ARNs call it: `dynamodb`.
    pub key: &'static str,
    /// What its errors begin with: `DynamoDb`.
    pub prefix: &'static str,
    /// The model's name of it: `DynamoDB`.
    pub service_id: &'static str,
    /// What its hosts usually begin with.
    pub endpoint_prefix: &'static str,
    /// What signatures call it.
    pub signing_name: &'static str,
    /// The version of its API: a date.
    pub api_version: &'static str,
    /// What stands before an operation's name in `X-Amz-Target`.
    pub target_prefix: &'static str,
    /// The namespace of its XML; empty if it has none.
    pub xml_namespace: &'static str,
    /// How it is spoken to.
    pub protocol: Protocol,
    /// Whether its errors have the code of the query protocol too.
    pub query_compatible: bool,
    blob: &'static [u8],
    rule_set: Option<usize>,
    texts: Vec<&'static str>,
    errors: Cursor,
    shapes: Vec<usize>,
    operations: Vec<usize>,
}

/// Its shape's name, its code, its status and its shape.
const NUMBERS_OF_AN_ERROR: usize = 4;

/// An error of a service's model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Modelled {
    /// What its shape is called.
    pub shape: &'static str,
    /// What answers call it.
    pub code: &'static str,
    /// The status of its answers, if the model tells.
    pub status: Option<u16>,
    /// What is in it.
    pub members: ShapeId,
}

impl Service {
    /// Reads where everything is.
    pub fn new(blob: &'static [u8]) -> Service {
        let mut cursor = Cursor::new(blob, 0);
        let meta: [&'static str; 8] = std::array::from_fn(|_| cursor.s());
        let protocol = cursor.u8();
        let flags = cursor.u8();
        let rule_set = cursor.v().checked_sub(1);

        let lengths = lengths(&mut cursor);
        let all = std::str::from_utf8(cursor.take(lengths.iter().sum())).unwrap_or_default();
        let texts = spans(&lengths, 0).map(|(from, to)| all.get(from..to).unwrap_or_default()).collect();

        let errors = cursor;
        for _ in 0..cursor.v() * NUMBERS_OF_AN_ERROR {
            cursor.v();
        }
        let lengths = self::lengths(&mut cursor);
        let shapes = spans(&lengths, cursor.at()).map(|(from, _)| from).collect();
        cursor.take(lengths.iter().sum());
        let lengths = self::lengths(&mut cursor);
        let operations = spans(&lengths, cursor.at()).map(|(from, _)| from).collect();

        let [
            key,
            prefix,
            service_id,
            endpoint_prefix,
            signing_name,
            api_version,
            target_prefix,
            xml_namespace,
        ] = meta;
        Service {
            key,
            prefix,
            service_id,
            endpoint_prefix,
            signing_name,
            api_version,
            target_prefix,
            xml_namespace,
            protocol: match protocol {
                0 => Protocol::Json { minor: (flags & bits::JSON_VERSION).saturating_sub(1) },
                1 => Protocol::RestJson,
                2 => Protocol::RestXml,
                3 => Protocol::Query,
                4 => Protocol::Ec2,
                _ => Protocol::Cbor,
            },
            query_compatible: flags & bits::QUERY_COMPATIBLE != 0,
            blob,
            rule_set,
            texts,
            errors,
            shapes,
            operations,
        }
    }

    /// A text by its number; 0 is none.
    fn text(&self, number: usize) -> Option<&'static str> {
        self.texts.get(number.checked_sub(1)?).copied()
    }

    /// A shape. One that does not exist is an empty structure.
    pub fn shape(&'static self, id: ShapeId) -> Shape {
        let at = self.shapes.get(id.0).copied().unwrap_or(self.blob.len());
        shape::read(Cursor::new(self.blob, at), self)
    }

    /// A shape that is a structure.
    pub fn structure(&'static self, id: ShapeId) -> Option<Structure> {
        match self.shape(id) {
            Shape::Structure(structure) => Some(structure),
            Shape::Scalar(_) | Shape::List(_) | Shape::Map(_) => None,
        }
    }

    /// How many shapes it has.
    pub fn shape_count(&self) -> usize {
        self.shapes.len()
    }

    /// All operations, in the order of their names.
    pub fn operations(&'static self) -> impl Iterator<Item = Operation> {
        self.operations.iter().map(move |at| operation::read(Cursor::new(self.blob, *at), self))
    }

    /// The operation that Step Functions calls `action`: its name, usually with a small first letter.
    pub fn operation(&'static self, action: &str) -> Option<Operation> {
        let mut chars = action.chars();
        let name: String = chars.next()?.to_uppercase().chain(chars).collect();
        let find = |name: &str| {
            let read = |at: &usize| operation::read(Cursor::new(self.blob, *at), self);
            let index = self.operations.binary_search_by(|at| read(at).name.cmp(name)).ok()?;
            Some(read(&self.operations[index]))
        };
        // A few models begin names with a small letter.
        find(&name).or_else(|| find(action))
    }

    /// All errors of the model.
    pub fn errors(&self) -> impl Iterator<Item = Modelled> {
        let mut cursor = self.errors;
        (0..cursor.v()).map(move |_| {
            let shape = self.text(cursor.v()).unwrap_or_default();
            let code = self.text(cursor.v()).unwrap_or(shape);
            let status = u16::try_from(cursor.v()).ok().filter(|status| *status > 0);
            Modelled { shape, code, status, members: ShapeId(cursor.v()) }
        })
    }

    /// The error that an answer calls `code`, by its code on the wire or the name of its shape.
    pub fn error(&self, code: &str) -> Option<Modelled> {
        let by_code = self.errors().find(|error| error.code == code);
        by_code.or_else(|| self.errors().find(|error| error.shape == code))
    }

    /// Where its rules of endpoints are.
    pub(crate) fn rule_set(&self) -> Option<usize> {
        self.rule_set
    }
}

/// How many parts follow, and how long each is.
fn lengths(cursor: &mut Cursor) -> Vec<usize> {
    (0..cursor.v()).map(|_| cursor.v()).collect()
}

/// Where parts of these lengths begin and end.
fn spans(lengths: &[usize], from: usize) -> impl Iterator<Item = (usize, usize)> {
    lengths.iter().scan(from, |at, length| {
        let from = *at;
        *at += length;
        Some((from, *at))
    })
}
