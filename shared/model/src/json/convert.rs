//! Between [`Value`] and serde: the wire, stored records, and libraries that take `serde_json`.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap as _, Serializer};

use super::decimal::Decimal;
use super::{Map, Number, Text, Value};

impl From<&serde_json::Value> for Value {
    fn from(json: &serde_json::Value) -> Value {
        match json {
            serde_json::Value::Null => Value::Null,
            serde_json::Value::Bool(b) => Value::Bool(*b),
            serde_json::Value::Number(n) => Value::Number(match (n.as_i64(), n.as_u64()) {
                (Some(n), _) => Number::Int(n),
                (None, Some(n)) => Number::Big(n.to_string().into()),
                (None, None) => Number::Float(n.as_f64().unwrap_or(0.0)),
            }),
            serde_json::Value::String(text) => Value::String(text.into()),
            serde_json::Value::Array(items) => items.iter().map(Value::from).collect(),
            serde_json::Value::Object(members) => {
                members.iter().map(|(name, value)| (name.as_str(), value.into())).collect()
            }
        }
    }
}

impl From<serde_json::Value> for Value {
    fn from(json: serde_json::Value) -> Value {
        Value::from(&json)
    }
}

/// Integers beyond 64 bits become doubles: `serde_json` holds nothing larger.
impl From<&Value> for serde_json::Value {
    fn from(value: &Value) -> serde_json::Value {
        match value {
            Value::Null => serde_json::Value::Null,
            Value::Bool(b) => (*b).into(),
            Value::Number(Number::Int(n)) => (*n).into(),
            Value::Number(n) => n.as_f64().into(),
            Value::String(text) => text.as_str().into(),
            Value::Array(items) => items.iter().map(serde_json::Value::from).collect(),
            Value::Object(members) => serde_json::Value::Object(
                members.iter().map(|(name, value)| (name.to_string(), value.into())).collect(),
            ),
        }
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::Null => serializer.serialize_unit(),
            Value::Bool(b) => serializer.serialize_bool(*b),
            Value::Number(Number::Int(n)) => serializer.serialize_i64(*n),
            Value::Number(Number::Float(n)) if serializer.is_human_readable() => serializer.serialize_f64(*n),
            Value::Number(Number::Float(n)) => match Decimal::of(*n) {
                Some(decimal) => serializer.serialize_bytes(decimal.bytes()),
                None => serializer.serialize_f64(*n),
            },
            // Text formats have no integers beyond 128 bits; binary ones keep the digits.
            Value::Number(Number::Big(digits)) if !serializer.is_human_readable() => {
                serializer.serialize_bytes(digits.as_bytes())
            }
            Value::Number(Number::Big(digits)) => match digits.parse::<i128>() {
                Ok(n) => serializer.serialize_i128(n),
                Err(_) => serializer.serialize_f64(digits.parse().unwrap_or(f64::MAX)),
            },
            Value::String(text) => serializer.serialize_str(text),
            Value::Array(items) => serializer.collect_seq(items.iter()),
            Value::Object(members) => {
                let mut map = serializer.serialize_map(Some(members.len()))?;
                for (name, value) in members.iter() {
                    map.serialize_entry(name.as_str(), value)?;
                }
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, b: bool) -> Result<Value, E> {
        Ok(Value::Bool(b))
    }

    fn visit_i64<E>(self, n: i64) -> Result<Value, E> {
        Ok(n.into())
    }

    fn visit_u64<E>(self, n: u64) -> Result<Value, E> {
        Ok(match i64::try_from(n) {
            Ok(n) => n.into(),
            Err(_) => Value::Number(Number::Big(n.to_string().into())),
        })
    }

    fn visit_i128<E>(self, n: i128) -> Result<Value, E> {
        Ok(match i64::try_from(n) {
            Ok(n) => n.into(),
            Err(_) => Value::Number(Number::Big(n.to_string().into())),
        })
    }

    /// In a binary format, a double with few decimal places or the digits of an integer beyond 64 bits.
    fn visit_bytes<E: serde::de::Error>(self, digits: &[u8]) -> Result<Value, E> {
        if let Some(number) = Decimal::number(digits) {
            return Ok(Value::Number(Number::Float(number)));
        }
        let significant = digits.strip_prefix(b"-").unwrap_or(digits);
        match std::str::from_utf8(digits) {
            Ok(text) if !significant.is_empty() && significant.iter().all(u8::is_ascii_digit) => {
                Ok(Value::Number(Number::Big(text.into())))
            }
            _ => Err(E::custom("bytes are neither a decimal number nor the digits of an integer")),
        }
    }

    fn visit_f64<E: serde::de::Error>(self, n: f64) -> Result<Value, E> {
        if n.is_finite() {
            Ok(Value::Number(Number::Float(n)))
        } else {
            Err(E::custom("number is not finite"))
        }
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::String(text.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(items.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut members = Map::default();
        while let Some((name, value)) = access.next_entry::<Text, Value>()? {
            members.insert(name, value);
        }
        Ok(members.into())
    }
}
