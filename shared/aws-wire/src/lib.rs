//! AWS on the wire, without a network: what services there are, what their requests and answers look
//! like, where they are, and what Step Functions calls their names.

pub mod catalog;
pub mod convention;
pub mod endpoint;
pub mod name;
pub mod node;
pub mod protocol;
#[cfg(test)]
mod tests;
pub mod timestamp;
