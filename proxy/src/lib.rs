//! Serves a deployed API on loopback, and signs each request with Signature Version 4 for the
//! service that the front of the API verifies.
//!
//! SDKs sign requests of Step Functions for `states`. A function URL wants them signed for `lambda`,
//! an HTTP API for `execute-api`. Whoever calls the proxy instead needs nothing but its address, as
//! `AWS_ENDPOINT_URL_SFN` or `--endpoint-url`; what it signed its requests with is not looked at
//! and not handed on.
//!
//! Reading order: [`target`] (where the API is, what it verifies), [`Proxy`] (what serves), `relay`
//! (one request), `outcome` (what the front's refusals mean), [`extension`] (the proxy as a
//! Lambda layer). Connections and credentials are `aws_client`'s.
//!
//! The crate knows nothing of the operations. Its tests stand in `tests/`: the binary in front of an
//! API that computes every signature again.

pub mod extension;
mod outcome;
mod relay;
pub mod sdk;
mod serve;
pub mod target;

pub use serve::{Proxy, Settings};
pub use target::{SignAs, Target, TargetOptions};
