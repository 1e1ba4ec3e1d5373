//! Shapes of a model as records.

use aws_wire::catalog::format::{member, shape};
use serde_json::Value;

use super::model::Model;
use super::rules::Result;
use super::token::Token;

/// The kinds of scalars, by their numbers.
const SCALARS: [&str; 8] = ["string", "blob", "boolean", "integer", "long", "float", "double", "timestamp"];
/// Where members stand, by their numbers.
const LOCATIONS: [&str; 6] = ["", "uri", "querystring", "header", "headers", "statusCode"];
/// How timestamps are written, by their numbers.
const FORMATS: [&str; 4] = ["", "iso8601", "unixTimestamp", "rfc822"];

fn number(of: &str, names: &[&str]) -> Result<usize> {
    names.iter().position(|name| *name == of).ok_or_else(|| format!("{of:?} is none of {names:?}"))
}

fn is(value: &Value, name: &str) -> bool {
    value[name] == true
}

fn format(of: &Value) -> Result<usize> {
    number(of["timestampFormat"].as_str().unwrap_or_default(), &FORMATS)
}

impl Model {
    /// The record of a shape.
    pub fn shape_record(&self, name: &str) -> Result<Vec<Token>> {
        let of = &self.shapes[name];
        let kind = of["type"].as_str().unwrap_or_default();
        let mut list_flags = u8::from(is(of, "flattened")) * shape::FLATTENED;
        list_flags |= u8::from(is(of, "sparse")) * shape::SPARSE;
        match kind {
            "list" => {
                let mut record =
                    vec![self.shape_token(&of["member"])?, Token::maybe_text(self.wire_name(&of["member"]))];
                list_flags |= self.namespaces(&mut record, &[&of["member"]]);
                record.insert(0, Token::U8(shape::LIST | list_flags));
                Ok(record)
            }
            "map" => {
                let mut record = vec![
                    self.shape_token(&of["value"])?,
                    Token::maybe_text(self.wire_name(&of["key"])),
                    Token::maybe_text(self.wire_name(&of["value"])),
                ];
                list_flags |= self.namespaces(&mut record, &[&of["key"], &of["value"]]);
                record.insert(0, Token::U8(shape::MAP | list_flags));
                Ok(record)
            }
            "structure" => self.structure_record(name),
            scalar => {
                let scalar = if scalar == "character" { "string" } else { scalar };
                let mut first = number(scalar, &SCALARS)? as u8;
                first |= (format(of)? as u8) << shape::TIMESTAMP_SHIFT;
                first |= u8::from(is(of, "streaming")) * shape::STREAMING;
                Ok(vec![Token::U8(first)])
            }
        }
    }

    fn structure_record(&self, name: &str) -> Result<Vec<Token>> {
        let of = &self.shapes[name];
        let mut first = shape::STRUCTURE;
        first |= u8::from(is(of, "document")) * shape::DOCUMENT;
        first |= u8::from(is(of, "eventstream")) * shape::EVENT_STREAM;
        first |= u8::from(is(of, "union")) * shape::UNION;
        let empty = serde_json::Map::new();
        let members = of["members"].as_object().unwrap_or(&empty);
        let payload =
            of["payload"].as_str().and_then(|payload| members.keys().position(|name| name == payload));
        let element = self.payload_names.get(name).map(String::as_str).or(of["locationName"].as_str());
        let mut record = vec![
            Token::U8(first),
            Token::V(payload.map_or(0, |payload| payload + 1)),
            Token::maybe_text(element),
            Token::V(members.len()),
        ];
        let required: Vec<&str> =
            of["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        for (name, of) in members {
            self.member_record(&mut record, name, of, required.contains(&name.as_str()))?;
        }
        Ok(record)
    }

    fn member_record(&self, record: &mut Vec<Token>, name: &str, of: &Value, required: bool) -> Result<()> {
        let location = self.of_it_or_its_shape(of, "location").as_str().unwrap_or_default();
        let mut flags = number(location, &LOCATIONS)? as u32;
        let mut flag = |given: bool, flag: u32| flags |= if given { flag } else { 0 };
        flag(required, member::REQUIRED);
        flag(is(of, "idempotencyToken"), member::IDEMPOTENCY_TOKEN);
        flag(is(of, "flattened"), member::FLATTENED);
        flag(is(of, "hostLabel"), member::HOST_LABEL);
        flag(is(of, "jsonvalue"), member::JSON_VALUE);
        flag(is(of, "xmlAttribute"), member::XML_ATTRIBUTE);
        flag(is(of, "streaming"), member::STREAMING);
        let wire_name = self.wire_name(of);
        let namespace = self.of_it_or_its_shape(of, "xmlNamespace");
        let context = of["contextParam"]["name"].as_str();
        flag(wire_name.is_some(), member::LOCATION_NAME);
        flag(!namespace.is_null(), member::XML_NAMESPACE);
        flag(of["queryName"].is_string(), member::QUERY_NAME);
        flag(context.is_some(), member::CONTEXT_PARAM);
        flags |= (format(of)? as u32) << member::TIMESTAMP_SHIFT;
        record.extend([Token::text(name), self.shape_token(of)?, Token::V(flags as usize)]);
        record.extend(wire_name.map(Token::text));
        if !namespace.is_null() {
            record.extend(namespace_record(namespace));
        }
        record.extend(context.map(Token::text));
        Ok(())
    }

    /// A trait of what refers to a shape, else of the shape.
    pub(super) fn of_it_or_its_shape<'a>(&'a self, of: &'a Value, name: &str) -> &'a Value {
        match &of[name] {
            Value::Null => &self.shapes[of["shape"].as_str().unwrap_or_default()][name],
            own => own,
        }
    }

    /// EC2 spells a few names in its queries as nowhere else.
    fn wire_name<'a>(&'a self, of: &'a Value) -> Option<&'a str> {
        of["queryName"].as_str().or(self.of_it_or_its_shape(of, "locationName").as_str())
    }

    /// The namespaces of the parts of a list or a map, and the flag that announces them.
    fn namespaces(&self, record: &mut Vec<Token>, parts: &[&Value]) -> u8 {
        let namespaces: Vec<&Value> =
            parts.iter().map(|part| self.of_it_or_its_shape(part, "xmlNamespace")).collect();
        if namespaces.iter().all(|namespace| namespace.is_null()) {
            return 0;
        }
        record.extend(namespaces.into_iter().flat_map(namespace_record));
        shape::NAMESPACES
    }

    fn shape_token(&self, of: &Value) -> Result<Token> {
        self.index(of).map(Token::Shape)
    }
}

/// A namespace is its URI and its prefix.
pub fn namespace_record(namespace: &Value) -> [Token; 2] {
    let uri = namespace["uri"].as_str().or(namespace.as_str());
    [Token::maybe_text(uri), Token::maybe_text(namespace["prefix"].as_str())]
}
