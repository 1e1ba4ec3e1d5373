//! The workloads that are measured, and how a figure is reported.
//!
//! `bench` times them and writes `target/bench.json`. Two processes of their own help it:
//! `allocations` counts what the engine allocates, because counting slows everything down;
//! `waiting` holds executions that wait, so that its memory is theirs. `durable` runs the loads of
//! durable executions for profilers.
//!
//! Reading order: [`report`] (figures), [`workload`] (the engine alone), [`durable`] (a driver over a
//! store), [`load`] (what it is asked to do), [`fired`] (timers as they fire), [`endless`] (one execution
//! without an end), [`process`] (memory, disk, processes beside this one); [`costs`] (what AWS charges) and
//! [`load_on_aws`] (its limits, simulated); [`step_driver`] (the driver as it is deployed) in a
//! [`container`] beside a [`stand_in`] of AWS.

pub mod container;
pub mod costs;
pub mod durable;
pub mod endless;
pub mod fired;
pub mod load;
pub mod load_on_aws;
pub mod process;
pub mod report;
pub mod stand_in;
pub mod step_driver;
pub mod workload;
