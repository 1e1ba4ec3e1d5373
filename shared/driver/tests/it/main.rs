//! The protocol, rule by rule, over ports in memory and a virtual clock.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod job_ends;
mod jobs;
mod protocol;
mod scene;
