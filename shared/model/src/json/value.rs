use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use indexmap::IndexMap;

use super::{Number, ParseError, Text, parse, write_value};

/// The members of an object in the order they were written; a repeated name keeps its first
/// place and takes the last value.
pub type Map = IndexMap<Text, Value, foldhash::fast::RandomState>;

/// A JSON value. `clone` is cheap at any size.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Value {
    /// `null`
    #[default]
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number.
    Number(Number),
    /// A string; shared when longer than 23 bytes.
    String(Text),
    /// A shared array.
    Array(Array),
    /// A shared object.
    Object(Object),
}

/// A shared, immutable array; reads as a slice.
#[derive(Clone, Default)]
pub struct Array(Arc<Shared<Vec<Value>>>);

/// A shared, immutable object; reads as a [`Map`].
#[derive(Clone, Default)]
pub struct Object(Arc<Shared<Map>>);

/// A container and its measure, taken once: the payload limit is checked at every state, and
/// counting anew would cost more than the state.
#[derive(Default)]
struct Shared<T> {
    items: T,
    /// [`Measure`] in one word: the depth in the low 16 bits. 0 while not taken (no container is
    /// shorter than two bytes).
    measure: AtomicU64,
}

/// How large a value is.
#[derive(Clone, Copy)]
struct Measure {
    /// Bytes of the compact JSON text.
    json_len: usize,
    /// Nested arrays and objects: 0 for a scalar.
    depth: usize,
}

impl Measure {
    fn container(brackets_and_commas: usize, members: impl Iterator<Item = Measure>) -> Measure {
        let empty = Measure { json_len: brackets_and_commas, depth: 1 };
        members.fold(empty, |all, member| Measure {
            json_len: all.json_len + member.json_len,
            depth: all.depth.max(member.depth + 1),
        })
    }
}

impl<T> Shared<T> {
    fn new(items: T) -> Shared<T> {
        Shared { items, measure: AtomicU64::new(0) }
    }

    fn measure(&self, take: impl FnOnce(&T) -> Measure) -> Measure {
        match self.measure.load(Ordering::Relaxed) {
            0 => {
                let measure = take(&self.items);
                let depth = measure.depth.min(0xffff) as u64;
                self.measure.store((measure.json_len as u64) << 16 | depth, Ordering::Relaxed);
                measure
            }
            word => Measure { json_len: (word >> 16) as usize, depth: (word & 0xffff) as usize },
        }
    }
}

impl Value {
    /// Parses JSON text.
    pub fn parse(text: &str) -> Result<Value, ParseError> {
        parse(text)
    }

    /// An empty object.
    pub fn object() -> Value {
        Value::Object(Object::default())
    }

    /// The member `name` of an object.
    pub fn get(&self, name: &str) -> Option<&Value> {
        match self {
            Value::Object(members) => members.get(name),
            _ => None,
        }
    }

    /// The text of a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// The number as a double.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Value::Number(n) => Some(n.as_f64()),
            _ => None,
        }
    }

    /// The number, when it has no fraction and fits.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Value::Number(n) => n.as_i64(),
            _ => None,
        }
    }

    /// The boolean.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Value::Bool(b) => Some(*b),
            _ => None,
        }
    }

    /// The items of an array.
    pub fn as_array(&self) -> Option<&Array> {
        match self {
            Value::Array(items) => Some(items),
            _ => None,
        }
    }

    /// The members of an object.
    pub fn as_object(&self) -> Option<&Object> {
        match self {
            Value::Object(members) => Some(members),
            _ => None,
        }
    }

    /// Whether this is `null`.
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// `null`, `boolean`, `number`, `string`, `array` or `object`, as the service's messages
    /// name the types.
    pub fn type_name(&self) -> &'static str {
        match self {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(_) => "number",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        }
    }

    /// Bytes of the compact JSON text in UTF-8: what the payload limit counts. Constant time
    /// once counted for this array or object.
    pub fn json_len(&self) -> usize {
        self.measure().json_len
    }

    /// How deep arrays and objects are nested in it: 0 for a scalar, 1 for `[]`. Constant time
    /// once counted, like [`Value::json_len`].
    pub fn depth(&self) -> usize {
        self.measure().depth
    }

    fn measure(&self) -> Measure {
        let json_len = match self {
            Value::Null | Value::Bool(true) => 4,
            Value::Bool(false) => 5,
            Value::Number(n) => super::write::number_len(n),
            Value::String(text) => super::write::string_len(text),
            Value::Array(items) => return items.measure(),
            Value::Object(members) => return members.measure(),
        };
        Measure { json_len, depth: 0 }
    }

    /// Compact JSON text.
    pub fn to_json(&self) -> String {
        let mut out = String::with_capacity(self.json_len());
        write_value(&mut out, self);
        out
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_json())
    }
}

impl Value {
    /// Whether others hold the same array or object in memory. A scalar has no others.
    pub fn is_shared(&self) -> bool {
        match self {
            Value::Array(items) => Arc::strong_count(&items.0) > 1,
            Value::Object(members) => Arc::strong_count(&members.0) > 1,
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
        }
    }
}

impl Array {
    fn measure(&self) -> Measure {
        self.0.measure(|items| {
            let commas = items.len().saturating_sub(1);
            Measure::container(2 + commas, items.iter().map(Value::measure))
        })
    }

    /// Whether both are the same array in memory.
    pub fn ptr_eq(&self, other: &Array) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The items, copied only when someone else holds the array too.
    pub fn into_vec(self) -> Vec<Value> {
        match Arc::try_unwrap(self.0) {
            Ok(shared) => shared.items,
            Err(shared) => shared.items.clone(),
        }
    }
}

impl Object {
    fn measure(&self) -> Measure {
        self.0.measure(|members| {
            let commas = members.len().saturating_sub(1);
            let pairs = members.iter().map(|(name, value)| {
                let value = value.measure();
                Measure { json_len: super::write::string_len(name) + 1 + value.json_len, ..value }
            });
            Measure::container(2 + commas, pairs)
        })
    }

    /// Whether both are the same object in memory.
    pub fn ptr_eq(&self, other: &Object) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The members, copied (one level deep) only when someone else holds the object too.
    pub fn into_map(self) -> Map {
        match Arc::try_unwrap(self.0) {
            Ok(shared) => shared.items,
            Err(shared) => shared.items.clone(),
        }
    }
}

impl Deref for Array {
    type Target = [Value];

    fn deref(&self) -> &[Value] {
        &self.0.items
    }
}

impl Deref for Object {
    type Target = Map;

    fn deref(&self) -> &Map {
        &self.0.items
    }
}

impl fmt::Debug for Array {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.items.fmt(f)
    }
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.items.fmt(f)
    }
}

impl PartialEq for Array {
    fn eq(&self, other: &Array) -> bool {
        self.ptr_eq(other) || self.0.items == other.0.items
    }
}

/// Member order does not matter.
impl PartialEq for Object {
    fn eq(&self, other: &Object) -> bool {
        self.ptr_eq(other) || self.0.items == other.0.items
    }
}

impl From<Vec<Value>> for Value {
    fn from(items: Vec<Value>) -> Value {
        Value::Array(Array(Arc::new(Shared::new(items))))
    }
}

impl From<Map> for Value {
    fn from(members: Map) -> Value {
        Value::Object(Object(Arc::new(Shared::new(members))))
    }
}

impl FromIterator<Value> for Value {
    fn from_iter<I: IntoIterator<Item = Value>>(items: I) -> Value {
        items.into_iter().collect::<Vec<_>>().into()
    }
}

impl<K: Into<Text>> FromIterator<(K, Value)> for Value {
    fn from_iter<I: IntoIterator<Item = (K, Value)>>(members: I) -> Value {
        members.into_iter().map(|(name, value)| (name.into(), value)).collect::<Map>().into()
    }
}

impl From<bool> for Value {
    fn from(b: bool) -> Value {
        Value::Bool(b)
    }
}

impl From<i64> for Value {
    fn from(n: i64) -> Value {
        Value::Number(Number::Int(n))
    }
}

impl From<u32> for Value {
    fn from(n: u32) -> Value {
        Value::Number(Number::Int(i64::from(n)))
    }
}

impl From<usize> for Value {
    fn from(n: usize) -> Value {
        match i64::try_from(n) {
            Ok(n) => n.into(),
            Err(_) => Value::Number(Number::Big(n.to_string().into())),
        }
    }
}

impl From<Number> for Value {
    fn from(n: Number) -> Value {
        Value::Number(n)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::String(text.into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Value {
        Value::String(text.into())
    }
}

impl From<Text> for Value {
    fn from(text: Text) -> Value {
        Value::String(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v(text: &str) -> Value {
        Value::parse(text).unwrap()
    }

    #[test]
    fn clones_share() {
        let a = v(r#"{"a":[1,2,{"b":"c"}]}"#);
        let b = a.clone();
        assert!(a.as_object().unwrap().ptr_eq(b.as_object().unwrap()));
    }

    #[test]
    fn equality_ignores_member_order_and_number_form() {
        assert_eq!(v(r#"{"a":1,"b":2.0}"#), v(r#"{"b":2,"a":1.0}"#));
        assert_ne!(v("[1,2]"), v("[2,1]"));
        assert_ne!(v("1"), v("\"1\""));
    }

    #[test]
    fn json_len_is_the_length_of_the_text() {
        for text in
            ["{}", "[]", r#"{"a":[1,-2.5,null,true,false,"x\"\n\u0001é"]}"#, "123456789012345678901234567890"]
        {
            let value = v(text);
            assert_eq!(value.json_len(), value.to_json().len(), "{text}");
        }
    }

    #[test]
    fn depth_counts_nesting() {
        for (text, depth) in [("1", 0), ("[]", 1), ("{}", 1), (r#"[1,{"a":[[]]},2]"#, 4)] {
            assert_eq!(v(text).depth(), depth, "{text}");
        }
    }

    #[test]
    fn text_round_trips() {
        for text in ["{\"b\":1,\"a\":[0.5,1.0,\"\\u001F\"]}", "12345678901234567890123", "-0.0", "1.0E400"] {
            let Ok(value) = Value::parse(text) else { continue };
            assert_eq!(v(&value.to_json()), value);
        }
        assert_eq!(v("12345678901234567890123").to_json(), "12345678901234567890123");
        assert_eq!(v("{\"b\":1,\"a\":[1.0]}").to_json(), "{\"b\":1,\"a\":[1.0]}");
    }
}
