//! Checks that need more than one crate, or data that is kept beside the repository.
//!
//! Each module runs one body of cases and answers with a report; `src/bin` prints the reports,
//! `tests/` asserts them.

pub mod conformance;
pub mod jsonata_suite;
