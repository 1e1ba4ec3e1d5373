//! Holding a driver for a call or a wait, or parking the execution: which costs less, from which
//! second on.
//!
//! Parking ends the invocation, and later a message begins another one. It costs what a second
//! invocation for the same execution costs: a message with its receive, its extension and its
//! deletion, a load of the execution, and the invocation. Holding costs GB-seconds, shared by the
//! executions of a batch.

use super::bill::Terms;
use super::workload::{Arrival, Counted, Run, Workload, count};

/// What parking costs, and when it pays.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Parking {
    /// Dollars of parking a million times.
    pub parking: f64,
    /// Dollars of holding a driver for a second, a million times.
    pub holding_second: f64,
}

impl Parking {
    /// From this second on parking costs less.
    pub fn pays_from_seconds(&self) -> f64 {
        self.parking / self.holding_second
    }
}

/// Measures both: a wait that is short enough to be slept and one that is a delayed message.
///
/// # Errors
/// When a run fails.
pub fn parking(terms: &Terms, arrival: Arrival) -> Result<Parking, String> {
    let run = |seconds| count(Run::new(Workload::Wait { seconds }, 1_024, arrival));
    let dollars = |counted: &Counted| {
        let bill = super::bill::Bill::of(counted, terms);
        bill.total()
    };
    // Both are slept: their difference is a second of holding.
    let (one, two, parked) = (run(1)?, run(2)?, run(60)?);
    let holding_second = dollars(&two) - dollars(&one);
    let without_holding = dollars(&one) - holding_second;
    Ok(Parking { parking: dollars(&parked) - without_holding, holding_second })
}
