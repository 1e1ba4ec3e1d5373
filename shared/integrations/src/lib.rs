//! Performing a task: what stands between an [`engine::Call`] and the world.
//!
//! Reading order: [`Tasks`] (the port), [`Answer`] and [`Job`], [`callable`] (what is found before a run
//! starts), [`mock`] (responses from a mock configuration file), [`activity`] (tasks that wait for a
//! worker). They stack: [`mock::Mocks`] answers for the states that a test case mocks and hands the
//! others on; [`Nothing`] calls nothing. What calls services is a crate of its own.
//!
//! The crate knows nothing of stores, clocks or who runs the loop. Its tests stand beside the code;
//! none needs a network.

pub mod activity;
pub mod mock;
mod own_api;
mod tasks;

pub use own_api::{OwnAnswer, OwnAnswering, OwnApi, Waits};
pub use tasks::{
    Answer, Answering, Cancelling, Job, NotCallable, Nothing, Polled, Polling, Tasks, callable, poll_after,
    refused,
};
