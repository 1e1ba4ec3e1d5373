//! What requests and answers are made of.

use super::Service;
use super::cursor::Cursor;
use super::format::{member, shape};

/// Which shape of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShapeId(pub(super) usize);

/// A shape.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// A value without parts.
    Scalar(Scalar),
    /// A list.
    List(List),
    /// A map from texts.
    Map(Map),
    /// Named members.
    Structure(Structure),
}

/// A value without parts.
#[derive(Clone, Copy, Debug)]
pub struct Scalar {
    /// What it is.
    pub kind: Kind,
    /// How it is written, if it is a timestamp and the shape says so.
    pub timestamp_format: Option<TimestampFormat>,
    /// Whether it may be a stream.
    pub streaming: bool,
}

/// Kinds of scalars.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Kind {
    String,
    Blob,
    Boolean,
    Integer,
    Long,
    Float,
    Double,
    Timestamp,
}

const KINDS: [Kind; 8] = [
    Kind::String,
    Kind::Blob,
    Kind::Boolean,
    Kind::Integer,
    Kind::Long,
    Kind::Float,
    Kind::Double,
    Kind::Timestamp,
];

/// How a timestamp is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimestampFormat {
    /// `2015-01-25T08:00:00Z`
    Iso8601,
    /// Seconds since 1970.
    Unix,
    /// `Sun, 25 Jan 2015 08:00:00 GMT`
    Rfc822,
}

impl TimestampFormat {
    fn of(number: usize) -> Option<TimestampFormat> {
        match number & 0b11 {
            1 => Some(TimestampFormat::Iso8601),
            2 => Some(TimestampFormat::Unix),
            3 => Some(TimestampFormat::Rfc822),
            _ => None,
        }
    }
}

/// An XML namespace: its URI and its prefix.
pub type Namespace = Option<(&'static str, Option<&'static str>)>;

/// A list.
#[derive(Clone, Copy, Debug)]
pub struct List {
    /// What its elements are.
    pub element: ShapeId,
    /// What an element is called in XML and in a query.
    pub element_name: Option<&'static str>,
    /// Whether its elements stand where the list would.
    pub flattened: bool,
    /// Whether null may be an element.
    pub sparse: bool,
    /// The XML namespace of its elements.
    pub namespace: Namespace,
}

/// A map from texts.
#[derive(Clone, Copy, Debug)]
pub struct Map {
    /// What its values are.
    pub value: ShapeId,
    /// What a key is called in XML and in a query.
    pub key_name: Option<&'static str>,
    /// What a value is called there.
    pub value_name: Option<&'static str>,
    /// Whether its entries stand where the map would.
    pub flattened: bool,
    /// Whether null may be a value.
    pub sparse: bool,
    /// The XML namespace of its keys.
    pub key_namespace: Namespace,
    /// The XML namespace of its values.
    pub value_namespace: Namespace,
}

/// Named members.
#[derive(Clone, Copy, Debug)]
pub struct Structure {
    /// Whether it is any JSON instead.
    pub document: bool,
    /// Whether it is a stream of events, which nothing here can read or write.
    pub event_stream: bool,
    /// Whether it has one member at a time.
    pub union: bool,
    /// Its element's name in XML, where it is the body as a whole.
    pub name: Option<&'static str>,
    payload: Option<usize>,
    count: usize,
    members: Cursor,
    service: &'static Service,
}

/// A member of a structure.
#[derive(Clone, Copy, Debug)]
pub struct Member {
    /// What the model calls it.
    pub name: &'static str,
    /// What it is.
    pub shape: ShapeId,
    /// Where it stands in a request or an answer.
    pub location: Location,
    /// What it is called there, if not by its name.
    pub location_name: Option<&'static str>,
    /// How it is written, if it is a timestamp and the member says so.
    pub timestamp_format: Option<TimestampFormat>,
    /// Its XML namespace.
    pub xml_namespace: Namespace,
    /// The parameter of the endpoint's rules that it is.
    pub context_param: Option<&'static str>,
    flags: u32,
}

/// Where a member stands in a request or an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Location {
    Body,
    Uri,
    Query,
    Header,
    /// Each entry is a header, whose name begins with the member's.
    HeadersPrefix,
    Status,
}

impl Location {
    /// Whether what stands there in a request is part of the body of an answer, which has no URI.
    pub fn is_in_answers_body(self) -> bool {
        matches!(self, Location::Body | Location::Uri | Location::Query)
    }
}

impl Member {
    /// What it is called on the wire.
    pub fn wire_name(&self) -> &'static str {
        self.location_name.unwrap_or(self.name)
    }

    /// Whether it has to be given.
    pub fn required(&self) -> bool {
        self.flags & member::REQUIRED != 0
    }

    /// Whether it is filled in where it is absent.
    pub fn idempotency_token(&self) -> bool {
        self.flags & member::IDEMPOTENCY_TOKEN != 0
    }

    /// Whether its elements stand where the list would.
    pub fn flattened(&self) -> bool {
        self.flags & member::FLATTENED != 0
    }

    /// Whether its name on the wire stays as it is in EC2's queries.
    pub fn query_name(&self) -> bool {
        self.flags & member::QUERY_NAME != 0
    }

    /// Whether it is part of the host's name.
    pub fn host_label(&self) -> bool {
        self.flags & member::HOST_LABEL != 0
    }

    /// Whether it is JSON in a text.
    pub fn json_value(&self) -> bool {
        self.flags & member::JSON_VALUE != 0
    }

    /// Whether it is an attribute in XML.
    pub fn xml_attribute(&self) -> bool {
        self.flags & member::XML_ATTRIBUTE != 0
    }

    /// Whether it may be a stream.
    pub fn streaming(&self) -> bool {
        self.flags & member::STREAMING != 0
    }
}

impl Structure {
    /// Its members, in the model's order.
    pub fn members(&self) -> impl Iterator<Item = Member> + use<> {
        let (mut cursor, service) = (self.members, self.service);
        (0..self.count).map(move |_| read_member(&mut cursor, service))
    }

    /// The member with a name of the model.
    pub fn member(&self, name: &str) -> Option<Member> {
        self.members().find(|member| member.name == name)
    }

    /// The member that is the body as a whole.
    pub fn payload(&self) -> Option<Member> {
        self.payload.and_then(|payload| self.members().nth(payload))
    }

    /// How many members it has.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether it has no members.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }
}

fn read_member(cursor: &mut Cursor, service: &'static Service) -> Member {
    let name = service.text(cursor.v()).unwrap_or_default();
    let shape = ShapeId(cursor.v());
    let flags = cursor.v32();
    let has = |flag| flags & flag != 0;
    let location_name = if has(member::LOCATION_NAME) { service.text(cursor.v()) } else { None };
    let xml_namespace = namespace(cursor, service, has(member::XML_NAMESPACE));
    let context_param = if has(member::CONTEXT_PARAM) { service.text(cursor.v()) } else { None };
    Member {
        name,
        shape,
        location: match flags & member::LOCATION {
            1 => Location::Uri,
            2 => Location::Query,
            3 => Location::Header,
            4 => Location::HeadersPrefix,
            5 => Location::Status,
            _ => Location::Body,
        },
        location_name,
        timestamp_format: TimestampFormat::of((flags >> member::TIMESTAMP_SHIFT) as usize),
        xml_namespace,
        context_param,
        flags,
    }
}

fn namespace(cursor: &mut Cursor, service: &'static Service, announced: bool) -> Namespace {
    if !announced {
        return None;
    }
    let (uri, prefix) = (service.text(cursor.v()), service.text(cursor.v()));
    uri.map(|uri| (uri, prefix))
}

/// The shape at a place.
pub(super) fn read(mut cursor: Cursor, service: &'static Service) -> Shape {
    let first = cursor.u8();
    let has = |flag: u8| first & flag != 0;
    match first & 0xF0 {
        shape::LIST => Shape::List(List {
            element: ShapeId(cursor.v()),
            element_name: service.text(cursor.v()),
            namespace: namespace(&mut cursor, service, has(shape::NAMESPACES)),
            flattened: has(shape::FLATTENED),
            sparse: has(shape::SPARSE),
        }),
        shape::MAP => Shape::Map(Map {
            value: ShapeId(cursor.v()),
            key_name: service.text(cursor.v()),
            value_name: service.text(cursor.v()),
            key_namespace: namespace(&mut cursor, service, has(shape::NAMESPACES)),
            value_namespace: namespace(&mut cursor, service, has(shape::NAMESPACES)),
            flattened: has(shape::FLATTENED),
            sparse: has(shape::SPARSE),
        }),
        shape::STRUCTURE => {
            let payload = cursor.v().checked_sub(1);
            let name = service.text(cursor.v());
            let count = cursor.v();
            Shape::Structure(Structure {
                document: has(shape::DOCUMENT),
                event_stream: has(shape::EVENT_STREAM),
                union: has(shape::UNION),
                name,
                payload,
                count,
                members: cursor,
                service,
            })
        }
        _ => Shape::Scalar(Scalar {
            kind: KINDS[usize::from(first & 0b111)],
            timestamp_format: TimestampFormat::of(usize::from(first >> shape::TIMESTAMP_SHIFT)),
            streaming: has(shape::STREAMING),
        }),
    }
}
