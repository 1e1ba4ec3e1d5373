//! What real executions read and write: keys, units, index entries, and in which order.

use std::collections::BTreeMap;

use crate::costs::accesses::Access;
use crate::costs::workload::{Arrival, Run, Workload, noted};

/// What executions do.
#[derive(Clone, Debug)]
pub struct Trace {
    /// Of each execution: what its start does, and what its driver does.
    pub executions: Vec<Traced>,
    /// How long an invocation of the driver with a full batch takes, in milliseconds.
    pub invocation_millis: u64,
    /// How long a start takes.
    pub start_millis: u64,
}

/// One execution.
#[derive(Clone, Debug, Default)]
pub struct Traced {
    /// In the API.
    pub start: Vec<Access>,
    /// In the driver, in order.
    pub driver: Vec<Access>,
}

/// Traces so many executions of W2.
///
/// # Errors
/// When one does not succeed.
pub fn trace(executions: u64) -> Result<Trace, String> {
    let run = Run::new(Workload::Calls { count: 5, millis: 100 }, 1_024, Arrival::Steady);
    let noted = noted(Run { executions, ..run })?;
    let of = |partition: &str| partition.strip_prefix("x/").map(str::to_owned);
    let mut by_execution: BTreeMap<String, Traced> = BTreeMap::new();
    // What a start reads beside its execution, the state machine, is done by every start.
    let mut beside: Vec<Access> = Vec::new();
    for access in noted.starts {
        match of(&access.key.partition) {
            Some(execution) => by_execution.entry(execution).or_default().start.push(access),
            None => beside.push(access),
        }
    }
    for access in noted.drives {
        if let Some(execution) = of(&access.key.partition) {
            by_execution.entry(execution).or_default().driver.push(access);
        }
    }
    let count = by_execution.len().max(1);
    let per_start = beside.len() / count;
    beside.truncate(per_start);
    let mut executions: Vec<Traced> = by_execution.into_values().collect();
    for execution in &mut executions {
        execution.start.extend(beside.iter().cloned());
    }
    let spent = noted.counted.spent;
    Ok(Trace {
        executions,
        invocation_millis: spent.driver.millis / spent.driver.requests.max(1),
        start_millis: spent.api.millis / spent.api.requests.max(1),
    })
}
