//! What executions cost on AWS: the real service, driver and journal over ports that count as AWS
//! charges, in virtual time, so that every count is exact and the same in every run.
//!
//! Reading order: [`prices`] (what things cost), [`latency`] (how long requests take), [`payload`]
//! (what is sent around), [`installation`] (the functions and the queue between them), [`workload`]
//! (what is run), [`accesses`] (where units go), [`bill`] (dollars), [`comparison`] (beside Step Functions), [`idle`] (an installation that does nothing), [`waiting`]
//! (holding a call or parking it).

pub mod accesses;
pub mod bill;
pub mod comparison;
pub mod idle;
pub mod installation;
pub mod latency;
pub mod payload;
pub mod prices;
pub mod waiting;
pub mod workload;
