//! Values with expressions inside: `Parameters`, `ResultSelector`, `ItemSelector`, `Arguments`,
//! `Output`, `Assign`, and single fields that may be an expression.

use model::json::{Text, Value};
use query::{intrinsic, jsonata, jsonpath};

/// A JSON value of which parts are computed. A part without expressions is one [`Template::Static`],
/// shared with every payload that is made of it.
#[derive(Clone, Debug)]
pub enum Template {
    /// Nothing to compute.
    Static(Value),
    /// JSONPath: the value of a member whose name ended in `.$`.
    Path(intrinsic::Expression),
    /// JSONata: a string `{% … %}`.
    Query(jsonata::Expression),
    /// An array with something to compute in it.
    Array(Vec<Template>),
    /// An object with something to compute in it. Names are without `.$`.
    Object(Vec<(Text, Template)>),
}

/// A field that is a constant or computed.
#[derive(Clone, Debug)]
pub enum Field<T> {
    /// Written in the definition, already checked.
    Constant(T),
    /// JSONPath: the `…Path` sibling of the field.
    Path(jsonpath::Path),
    /// JSONPath: an intrinsic function where the field takes one (`ErrorPath`, `CausePath`, `Credentials`).
    Intrinsic(intrinsic::Expression),
    /// JSONata: `{% … %}`.
    Query(jsonata::Expression),
}

/// `InputPath`, `OutputPath`.
#[derive(Clone, Debug, Default)]
pub enum Selection {
    /// `$`, the default: everything.
    #[default]
    All,
    /// A path, a context path or a variable path.
    Path(jsonpath::Path),
    /// `null`: an empty object.
    Nothing,
}

/// `ResultPath`.
#[derive(Clone, Debug, Default)]
pub enum Placement {
    /// `$`, the default: the result replaces the input.
    #[default]
    Replace,
    /// The result is placed into the input.
    At(jsonpath::ReferencePath),
    /// `null`: the result is dropped, the input goes on.
    Discard,
}

/// `Assign`: names of variables with their values, in the order of the text.
pub type Assign = Vec<(Text, Template)>;
