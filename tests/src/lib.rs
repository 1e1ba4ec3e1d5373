//! Checks that need more than one crate, or data that is kept beside the repository.
//!
//! `conformance` and `jsonata_suite` run a body of cases each and answer with a report; `src/bin`
//! prints the reports, `tests/` asserts them. The others are what tests stand on: `binaries`, `scene` (a
//! server in this process), `dev_server` (the real one), `http`, `lambda_endpoint`. `simulation` is the driver
//! in a world where everything goes wrong, by a seed.

pub mod binaries;
pub mod conformance;
pub mod dev_server;
pub mod http;
pub mod jsonata_suite;
pub mod lambda_endpoint;
pub mod scene;
pub mod simulation;
