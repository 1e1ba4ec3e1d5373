//! Calls to AWS: what `aws_wire` writes is addressed, signed, sent, repeated where that is safe, and what
//! comes back is read by it again.
//!
//! Reading order: [`Client::call`], `address` (where a request goes), `sign`, `s3` (what only S3 does),
//! [`Connections`] and [`Identity`].

mod address;
mod call;
mod connections;
mod identity;
mod s3;
mod secret;
mod sign;
#[cfg(test)]
mod tests;

pub use address::{Endpoints, Place};
pub use call::{Answer, Caller, Client, Failed};
pub use connections::{AddressFilter, Connections, SendError};
pub use identity::{Identity, NoCredentials, innermost};
pub use sign::{Scope, presigned, sign_request};
