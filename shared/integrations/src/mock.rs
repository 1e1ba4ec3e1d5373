//! Mocked responses, in the format of AWS Step Functions Local's `MockConfigFile.json`.
//!
//! [`Config`] is the file, read and checked as a whole; [`Config::select`] picks a test case;
//! [`Mocks`] answers the calls of the states that the test case names.
//!
//! Source: developer guide, "Using mocked service integrations for testing in Step Functions
//! Local" and "Configuration file for mocked service integrations".

mod config;
mod mocks;
#[cfg(test)]
mod tests;

pub use config::{Config, ConfigError, Response, SelectError, TestCase, split_selection};
pub use mocks::Mocks;
