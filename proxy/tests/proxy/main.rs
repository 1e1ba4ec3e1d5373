//! The proxy in front of an API that computes every signature again: as a server in this process, as
//! a program, and as an extension of a Lambda function.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic, in its helpers too")]

mod common;
mod program;
mod relay;
