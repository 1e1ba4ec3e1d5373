use std::rc::Rc;

use jlens_core::output::{Builder, Member};
use model::json::{Map, Number, Text, Value};

use super::source::Arena;

/// Writes a result as our own values. Arrays and objects that the evaluation took over
/// unchanged from a payload are not rebuilt: they are the payload's.
pub(super) struct Built<'r> {
    arena: &'r Rc<Arena>,
}

impl<'r> Built<'r> {
    pub(super) fn new(arena: &'r Rc<Arena>) -> Built<'r> {
        Built { arena }
    }
}

impl Builder for Built<'_> {
    type Value = Value;
    type Array = Vec<Value>;
    type Object = Map;

    fn null(&mut self) -> Value {
        Value::Null
    }

    fn bool(&mut self, value: bool) -> Value {
        Value::Bool(value)
    }

    fn number(&mut self, value: f64) -> Value {
        Number::from_computed(value).map_or(Value::Null, Value::Number)
    }

    fn string(&mut self, value: &str) -> Value {
        Value::String(Text::new(value))
    }

    fn array(&mut self, len: usize) -> Vec<Value> {
        Vec::with_capacity(len)
    }

    fn push(&mut self, array: &mut Vec<Value>, item: Value) {
        array.push(item);
    }

    fn end_array(&mut self, array: Vec<Value>) -> Value {
        array.into()
    }

    fn object(&mut self, len: usize) -> Map {
        Map::with_capacity_and_hasher(len, Default::default())
    }

    fn insert(&mut self, object: &mut Map, key: &str, value: Value) {
        object.insert(Text::new(key), value);
    }

    fn end_object(&mut self, object: Map) -> Value {
        object.into()
    }

    fn input(&mut self, member: Member) -> Option<Value> {
        if member.of(self.arena) { self.arena.value(member.index()) } else { None }
    }
}
