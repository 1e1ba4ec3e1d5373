//! The workloads that are measured, and how a figure is reported.
//!
//! `bench` times them and writes `target/bench.json`; `allocations` counts what they allocate, in
//! a process of its own because counting slows everything down.

pub mod durable;
pub mod report;
pub mod workload;
