use model::json::Value;

/// The intrinsic functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// `States.Array(…)`
    Array,
    /// `States.ArrayContains(array, value)`
    ArrayContains,
    /// `States.ArrayGetItem(array, index)`
    ArrayGetItem,
    /// `States.ArrayLength(array)`
    ArrayLength,
    /// `States.ArrayPartition(array, size)`
    ArrayPartition,
    /// `States.ArrayRange(first, last, step)`
    ArrayRange,
    /// `States.ArrayUnique(array)`
    ArrayUnique,
    /// `States.Base64Decode(text)`
    Base64Decode,
    /// `States.Base64Encode(text)`
    Base64Encode,
    /// `States.Format(template, …)`
    Format,
    /// `States.Hash(text, algorithm)`
    Hash,
    /// `States.JsonMerge(first, second, false)`
    JsonMerge,
    /// `States.JsonToString(value)`
    JsonToString,
    /// `States.MathAdd(a, b)`
    MathAdd,
    /// `States.MathRandom(start, end[, seed])`
    MathRandom,
    /// `States.StringSplit(text, delimiters)`
    StringSplit,
    /// `States.StringToJson(text)`
    StringToJson,
    /// `States.UUID()`
    Uuid,
}

/// What a parameter takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Any,
    Array,
    Boolean,
    Number,
    Object,
    String,
}

/// What a function takes.
pub(super) struct Signature {
    pub(super) parameters: &'static [Kind],
    /// How many of the parameters must be given.
    pub(super) required: usize,
    /// What any further arguments are.
    pub(super) rest: Option<Kind>,
}

const ALL: [(Function, &str); 18] = [
    (Function::Array, "States.Array"),
    (Function::ArrayContains, "States.ArrayContains"),
    (Function::ArrayGetItem, "States.ArrayGetItem"),
    (Function::ArrayLength, "States.ArrayLength"),
    (Function::ArrayPartition, "States.ArrayPartition"),
    (Function::ArrayRange, "States.ArrayRange"),
    (Function::ArrayUnique, "States.ArrayUnique"),
    (Function::Base64Decode, "States.Base64Decode"),
    (Function::Base64Encode, "States.Base64Encode"),
    (Function::Format, "States.Format"),
    (Function::Hash, "States.Hash"),
    (Function::JsonMerge, "States.JsonMerge"),
    (Function::JsonToString, "States.JsonToString"),
    (Function::MathAdd, "States.MathAdd"),
    (Function::MathRandom, "States.MathRandom"),
    (Function::StringSplit, "States.StringSplit"),
    (Function::StringToJson, "States.StringToJson"),
    (Function::Uuid, "States.UUID"),
];

impl Function {
    /// The function of this name, which is case-sensitive.
    pub fn named(name: &str) -> Option<Function> {
        ALL.iter().find(|(_, known)| *known == name).map(|(function, _)| *function)
    }

    /// The name, as it is written in a definition.
    pub fn name(self) -> &'static str {
        ALL.iter().find(|(function, _)| *function == self).map_or("", |(_, name)| name)
    }

    /// Whether the result is a string, or for `States.ArrayGetItem` may be one: the functions that
    /// ErrorPath and CausePath accept.
    ///
    /// Source: the service's documentation of the Fail state.
    pub fn may_return_string(self) -> bool {
        matches!(
            self,
            Function::Format
                | Function::JsonToString
                | Function::ArrayGetItem
                | Function::Base64Encode
                | Function::Base64Decode
                | Function::Hash
                | Function::Uuid
        )
    }

    pub(super) fn signature(self) -> Signature {
        let (parameters, rest): (&'static [Kind], Option<Kind>) = match self {
            Function::Array => (&[], Some(Kind::Any)),
            Function::ArrayContains => (&[Kind::Array, Kind::Any], None),
            Function::ArrayGetItem | Function::ArrayPartition => (&[Kind::Array, Kind::Number], None),
            Function::ArrayLength | Function::ArrayUnique => (&[Kind::Array], None),
            Function::ArrayRange => (&[Kind::Number, Kind::Number, Kind::Number], None),
            Function::Base64Decode | Function::Base64Encode | Function::StringToJson => {
                (&[Kind::String], None)
            }
            Function::Format => (&[Kind::String], Some(Kind::Any)),
            Function::Hash | Function::StringSplit => (&[Kind::String, Kind::String], None),
            Function::JsonMerge => (&[Kind::Object, Kind::Object, Kind::Boolean], None),
            Function::JsonToString => (&[Kind::Any], None),
            Function::MathAdd => (&[Kind::Number, Kind::Number], None),
            Function::MathRandom => (&[Kind::Number, Kind::Number, Kind::Number], None),
            Function::Uuid => (&[], None),
        };
        let optional = usize::from(self == Function::MathRandom);
        Signature { parameters, required: parameters.len() - optional, rest }
    }
}

impl Signature {
    /// The kind of argument `index`, when the function takes that many.
    pub(super) fn kind(&self, index: usize) -> Option<Kind> {
        self.parameters.get(index).copied().or(self.rest)
    }

    /// `2 arguments`, `2 to 3 arguments`, `at least 1 argument`.
    pub(super) fn arity(&self) -> String {
        let plural = |n: usize| if n == 1 { "argument" } else { "arguments" };
        let (least, most) = (self.required, self.parameters.len());
        match self.rest {
            Some(_) => format!("at least {least} {}", plural(least)),
            None if least == most => format!("{most} {}", plural(most)),
            None => format!("{least} to {most} {}", plural(most)),
        }
    }
}

impl Kind {
    pub(super) fn accepts(self, value: &Value) -> bool {
        match self {
            Kind::Any => true,
            Kind::Array => matches!(value, Value::Array(_)),
            Kind::Boolean => matches!(value, Value::Bool(_)),
            Kind::Number => matches!(value, Value::Number(_)),
            Kind::Object => matches!(value, Value::Object(_)),
            Kind::String => matches!(value, Value::String(_)),
        }
    }

    pub(super) fn noun(self) -> &'static str {
        match self {
            Kind::Any => "a value",
            Kind::Array => "an array",
            Kind::Boolean => "a boolean",
            Kind::Number => "a number",
            Kind::Object => "an object",
            Kind::String => "a string",
        }
    }
}
