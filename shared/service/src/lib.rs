//! The Step Functions API: operations, wire shapes, exact errors.
