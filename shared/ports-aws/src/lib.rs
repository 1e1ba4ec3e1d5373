//! The ports on AWS: [`Table`] on DynamoDB, [`Queues`] on SQS, [`Blobs`] on S3, [`Bus`] on
//! EventBridge with [`Topic`] on SNS and [`Fallback`] from the one to the other.
//!
//! Reading order: [`Settings`] and [`Installation`] (what an installation consists of, made once at
//! the start of a process), [`table::schema`] (how the table looks, for whoever creates it), then
//! the ports. There is no port for logs.
//!
//! **What is retried.** Reads, queues, blobs and events are retried by the SDK a few times within
//! seconds, since doing them twice is harmless. A write of the table is sent once: its outcome
//! matters, and the caller reads before it decides. What failed before it was sent is `Unavailable`,
//! what may have been applied is `Unknown`.
//!
//! Time limits are those of [`config::Timeouts`]; nothing waits without one.
//!
//! The crate knows nothing of workflows and reads no environment but what the AWS SDK reads
//! (Region, credentials, `AWS_ENDPOINT_URL` and its kin). Secrets are in no message and in no
//! `Debug`. Tests against emulators are in `tests/`; they run the suites of `ports::contract`.

pub mod blobs;
pub mod bus;
pub mod config;
pub mod fault;
pub mod queue;
pub mod table;

pub use blobs::Blobs;
pub use bus::{Bus, Fallback, Topic};
pub use config::{Installation, Settings, SettingsError, Timeouts};
pub use queue::{Queue, Queues};
pub use table::Table;
