use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use jlens_core::input::{Sink, Source, Sources};
use model::json::{Number, Object, Value};

use super::{Limits, function};
use crate::Scope;

/// The keys under which a [`Root`] answers. The prefix keeps them apart from field names.
pub(super) const STATES: &str = "=states";
pub(super) const UUID: &str = "=uuid";
pub(super) const RANDOM: &str = "=random";
pub(super) const FUNCTION: &str = "=function";
pub(super) const VARIABLE_PREFIX: &str = "=$";
/// Followed by a number: charges that much work, and stops the evaluation when it cannot be paid.
pub(super) const WORK: &str = "=work:";
pub(super) const WORK_LEFT: &str = "=left";
pub(super) const LONGEST: &str = "=longest";

/// Stands for a function in a result, where JSON has nothing for it.
const FUNCTION_MARKER: u32 = 0;

/// The arrays and objects that an evaluation has met so far, by index. The evaluator reads them
/// one level at a time, and the index of one that it returns unread or unchanged leads back to
/// the value itself.
pub(super) struct Arena {
    met: RefCell<Vec<Value>>,
    marker: Object,
    this: Weak<Arena>,
}

impl Arena {
    pub(super) fn new() -> Rc<Arena> {
        let marker = Object::default();
        Rc::new_cyclic(|this| Arena {
            met: RefCell::new(vec![Value::Object(marker.clone())]),
            marker,
            this: this.clone(),
        })
    }

    pub(super) fn value(&self, index: u32) -> Option<Value> {
        self.met.borrow().get(index as usize).cloned()
    }

    pub(super) fn is_function_marker(&self, value: &Value) -> bool {
        matches!(value, Value::Object(members) if members.ptr_eq(&self.marker))
    }

    /// Writes one value; an array or object is written as a promise to read it.
    fn write(&self, value: &Value, sink: &mut Sink<'_, '_>) {
        match value {
            Value::Null => sink.null(),
            Value::Bool(b) => sink.bool(*b),
            Value::Number(Number::Int(n)) => sink.number(*n as f64),
            Value::Number(n) => sink.number(n.as_f64()),
            Value::String(text) => sink.string(text),
            Value::Array(_) | Value::Object(_) => {
                let Some(this) = self.this.upgrade() else { return };
                let mut met = self.met.borrow_mut();
                // An index past 32 bits would need more memory than the limits allow.
                let Ok(index) = u32::try_from(met.len()) else { return };
                met.push(value.clone());
                drop(met);
                match value {
                    Value::Array(_) => sink.array_of(&this, index),
                    _ => sink.object_of(&this, index),
                }
            }
        }
    }

    fn write_marker(&self, sink: &mut Sink<'_, '_>) {
        if let Some(this) = self.this.upgrade() {
            sink.object_of(&this, FUNCTION_MARKER);
        }
    }
}

impl<'a> Sources<'a> for Arena {
    fn read(&self, index: u32, sink: &mut Sink<'_, 'a>) -> Result<(), String> {
        match self.value(index) {
            Some(Value::Array(items)) => {
                sink.reserve(items.len());
                for item in items.iter() {
                    self.write(item, sink);
                }
            }
            Some(Value::Object(members)) => {
                sink.reserve(members.len());
                for (name, value) in members.iter() {
                    sink.key(name);
                    self.write(value, sink);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn read_field(&self, index: u32, key: &str, sink: &mut Sink<'_, 'a>) -> Result<bool, String> {
        if let Some(Value::Object(members)) = self.value(index)
            && let Some(value) = members.get(key)
        {
            self.write(value, sink);
        }
        Ok(true)
    }

    fn length(&self, index: u32) -> Option<usize> {
        self.met.borrow().get(index as usize)?.as_array().map(|items| items.len())
    }

    fn read_item(&self, index: u32, item: usize, sink: &mut Sink<'_, 'a>) -> Result<bool, String> {
        if let Some(Value::Array(items)) = self.value(index)
            && let Some(value) = items.get(item)
        {
            self.write(value, sink);
        }
        Ok(true)
    }
}

/// A plain value as the input of the evaluation; `None` is undefined.
pub(super) struct Input<'a> {
    arena: Rc<Arena>,
    value: Option<&'a Value>,
}

impl<'a> Input<'a> {
    pub(super) fn new(arena: &Rc<Arena>, value: Option<&'a Value>) -> Input<'a> {
        Input { arena: arena.clone(), value }
    }
}

impl<'a> Source<'a> for Input<'_> {
    fn read(&self, sink: &mut Sink<'_, 'a>) -> Result<(), String> {
        if let Some(value) = self.value {
            self.arena.write(value, sink);
        }
        Ok(())
    }
}

/// What a state's expression can see, as the input of the evaluation: an object whose members
/// are made when they are asked for. Only the text around the expression knows their names.
#[derive(Clone)]
pub(super) struct Root<'a> {
    arena: Rc<Arena>,
    scope: &'a dyn Scope,
    limits: &'a Limits,
}

impl<'a> Root<'a> {
    pub(super) fn new(arena: &Rc<Arena>, scope: &'a dyn Scope, limits: &'a Limits) -> Root<'a> {
        Root { arena: arena.clone(), scope, limits }
    }
}

impl<'a> Source<'a> for Root<'a> {
    fn read(&self, sink: &mut Sink<'_, 'a>) -> Result<(), String> {
        sink.object(RootMembers { root: self.clone(), work_left: Cell::new(self.limits.work as f64) });
        Ok(())
    }
}

struct RootMembers<'a> {
    root: Root<'a>,
    work_left: Cell<f64>,
}

impl RootMembers<'_> {
    /// Charges work. What is undefined costs nothing, and what is not finite everything.
    fn charge(&self, amount: &str) -> Result<(), String> {
        let amount: f64 = amount.parse().unwrap_or(0.0);
        let left = self.work_left.get() - amount.max(0.0);
        self.work_left.set(left);
        if left >= 0.0 {
            Ok(())
        } else {
            Err(format!("The evaluation exceeded its budget of {} units of work", self.root.limits.work))
        }
    }
}

impl<'a> Source<'a> for RootMembers<'a> {
    /// Nothing: read as a whole (`*` in a function body), the root has no members.
    fn read(&self, _: &mut Sink<'_, 'a>) -> Result<(), String> {
        Ok(())
    }

    /// A random number and a UUID differ at each reading: scalars are not kept by the reader.
    fn read_field(&self, key: &str, sink: &mut Sink<'_, 'a>) -> Result<bool, String> {
        let Root { arena, scope, limits } = &self.root;
        match key {
            STATES => sink.object(States(self.root.clone())),
            UUID => sink.string(&function::uuid(scope.next_random(), scope.next_random())),
            RANDOM => sink.number(function::unit_interval(scope.next_random())),
            FUNCTION => arena.write_marker(sink),
            WORK_LEFT => sink.number(self.work_left.get()),
            LONGEST => sink.number(limits.string_bytes as f64),
            _ => {
                if let Some(amount) = key.strip_prefix(WORK) {
                    self.charge(amount)?;
                } else if let Some(value) =
                    key.strip_prefix(VARIABLE_PREFIX).and_then(|name| scope.variable(name))
                {
                    arena.write(&value, sink);
                }
            }
        }
        Ok(true)
    }
}

/// `$states`.
struct States<'a>(Root<'a>);

impl<'a> Source<'a> for States<'a> {
    fn read(&self, sink: &mut Sink<'_, 'a>) -> Result<(), String> {
        for key in ["input", "result", "errorOutput", "context"] {
            sink.key(key);
            self.read_field(key, sink)?;
        }
        Ok(())
    }

    fn read_field(&self, key: &str, sink: &mut Sink<'_, 'a>) -> Result<bool, String> {
        let Root { arena, scope, .. } = &self.0;
        match key {
            "input" => arena.write(scope.input(), sink),
            "context" => arena.write(&scope.context(), sink),
            "result" => {
                if let Some(value) = scope.result() {
                    arena.write(value, sink);
                }
            }
            "errorOutput" => {
                if let Some(value) = scope.error_output() {
                    arena.write(value, sink);
                }
            }
            _ => {}
        }
        Ok(true)
    }
}
