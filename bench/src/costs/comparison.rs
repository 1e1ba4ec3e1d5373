//! The workloads side by side with Step Functions.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use driver::StatusEvents;

use super::accesses::{Part, parts};
use super::bill::{Bill, Front, Terms, express, standard, standard_with_ends};
use super::workload::{Arrival, Counted, Run, Workload, count, noted, retention};

/// W2.
const CALLS: Workload = Workload::Calls { count: 5, millis: 100 };
const KB: usize = 1_024;

/// All workloads as they are deployed by default: failures alone are published, a function URL.
pub struct Comparison {
    terms: Terms,
    /// W1.
    pub chain: Counted,
    /// W2 with 1 KB, every batch full.
    pub calls_steady: Counted,
    /// W2 with 1 KB, one message per invocation.
    pub calls_trickle: Counted,
    /// W2 with 1 KB, some messages twice and some late.
    pub calls_disturbed: Counted,
    /// What gives up W2 with 1 KB when its retention is over. It is in no total: it is as far away as
    /// the retention is long.
    pub calls_retention: Counted,
    /// W2 with six calls, for what one more takes.
    pub six_calls: Counted,
    /// W2 with 10 KB.
    pub calls_10k: Counted,
    /// W2 with 256 KB, less what the service's limit leaves for quotes.
    pub calls_256k: Counted,
    /// W4.
    pub callback: Counted,
    /// W4, one message per invocation.
    pub callback_trickle: Counted,
    /// W6.
    pub slow_calls: Counted,
    /// Each of the above that is printed, once more with every status change published.
    all_events: Vec<Counted>,
    /// Where the write units of some go.
    parts: Vec<(&'static str, BTreeMap<String, Part>)>,
}

impl Comparison {
    /// Runs them all.
    ///
    /// # Errors
    /// When a run fails.
    pub fn measure() -> Result<Comparison, String> {
        let steady = |workload, bytes| Run::new(workload, bytes, Arrival::Steady);
        let trickle = |workload, bytes| Run::new(workload, bytes, Arrival::Trickle);
        // Large payloads take long to make, and each execution costs the same.
        let few = |run| Run { executions: 20, ..run };
        let mut comparison = Comparison {
            terms: Terms::of_template()?,
            chain: count(steady(Workload::Chain, 200))?,
            calls_steady: count(steady(CALLS, KB))?,
            calls_trickle: count(trickle(CALLS, KB))?,
            calls_disturbed: count(Run { disturbed: true, executions: 1_000, ..steady(CALLS, KB) })?,
            calls_retention: retention(steady(CALLS, KB))?,
            six_calls: count(steady(Workload::Calls { count: 6, millis: 100 }, KB))?,
            calls_10k: count(steady(CALLS, 10 * KB))?,
            calls_256k: count(few(steady(CALLS, 256 * KB)))?,
            callback: count(steady(Workload::Callback, KB))?,
            callback_trickle: count(trickle(Workload::Callback, KB))?,
            slow_calls: count(steady(Workload::Calls { count: 5, millis: 10_000 }, KB))?,
            all_events: Vec::new(),
            parts: Vec::new(),
        };
        for (name, run) in [
            ("W1", steady(Workload::Chain, 200)),
            ("W2, 1 KB", steady(CALLS, KB)),
            ("W2, 10 KB", steady(CALLS, 10 * KB)),
            ("W4", steady(Workload::Callback, KB)),
        ] {
            let noted = noted(run)?;
            let all: Vec<_> = noted.starts.into_iter().chain(noted.drives).collect();
            comparison.parts.push((name, parts(&all, run.executions)));
        }
        for (_, counted) in comparison.printed() {
            let run = Run { status_events: StatusEvents::All, ..counted.run };
            comparison.all_events.push(count(run)?);
        }
        Ok(comparison)
    }

    fn printed(&self) -> [(&'static str, Counted); 8] {
        [
            ("W1 10 Pass/Choice, 200 B", self.chain),
            ("W2 5 calls, 1 KB, steady", self.calls_steady),
            ("W2 5 calls, 1 KB, trickle", self.calls_trickle),
            ("W2 5 calls, 10 KB, steady", self.calls_10k),
            ("W2 5 calls, 256 KB, steady", self.calls_256k),
            ("W4 day and callback, steady", self.callback),
            ("W4 day and callback, trickle", self.callback_trickle),
            ("W6 5 calls of 10 s, steady", self.slow_calls),
        ]
    }

    /// What a run costs on the default terms.
    pub fn bill(&self, counted: &Counted) -> Bill {
        Bill::of(counted, &self.terms)
    }

    /// How many times as much Step Functions Standard costs.
    pub fn ratio(&self, counted: &Counted) -> f64 {
        standard(&counted.run, &self.terms.prices) / self.bill(counted).total()
    }

    /// The same, should it charge the transitions from the start and to the end too.
    pub fn ratio_with_ends(&self, counted: &Counted) -> f64 {
        standard_with_ends(&counted.run, &self.terms.prices) / self.bill(counted).total()
    }

    /// How much more messages cost that come twice and out of order, in percent.
    pub fn disturbed_percent(&self) -> f64 {
        (self.bill(&self.calls_disturbed).total() / self.bill(&self.calls_steady).total() - 1.0) * 100.0
    }

    /// Requests to the table that one more task takes: the session is one after the other, so that
    /// each is waited for.
    pub fn serial_writes_per_task(&self) -> f64 {
        let requests = |counted: &Counted| counted.each(|spent| spent.usage.table_requests);
        requests(&self.six_calls) - requests(&self.calls_steady)
    }
}

/// Units per execution, and dollars per million of them.
pub fn table(comparison: &Comparison) -> String {
    let prices = comparison.terms.prices;
    let mut out = format!(
        "per execution: write and read units, requests, invocations; USD per million executions ({}, {}, {} MB, {:?})\n",
        comparison.terms.ports.region, prices.date, comparison.terms.memory_mb, comparison.terms.architecture
    );
    let _ = writeln!(
        out,
        "{:<29} {:>6} {:>5} {:>5} {:>5} {:>6} {:>6} {:>6} | {:>8} {:>8} {:>8} {:>8} {:>8} | {:>8} {:>8} {:>6}",
        "workload",
        "WRU",
        "RRU",
        "SQS",
        "PUT",
        "events",
        "calls",
        "GB-s",
        "failures",
        "+gateway",
        "all",
        "+gateway",
        "storage",
        "Standard",
        "Express",
        "ratio"
    );
    let gateway = Terms { front: Front::HttpApi, ..comparison.terms };
    for ((name, counted), all) in comparison.printed().iter().zip(&comparison.all_events) {
        let each = |count: fn(&super::installation::Spent) -> u64| counted.each(count);
        let gb_seconds: f64 = [counted.spent.api, counted.spent.driver, counted.spent.sweeper]
            .into_iter()
            .map(|compute| comparison.terms.gb_seconds(compute))
            .sum::<f64>()
            / counted.run.executions as f64;
        let bill = comparison.bill(counted);
        let express =
            express(&counted.run, &prices).map_or("-".to_owned(), |dollars| format!("{dollars:.2}"));
        let _ = writeln!(
            out,
            "{name:<29} {:>6.2} {:>5.2} {:>5.2} {:>5.2} {:>6.2} {:>6.2} {gb_seconds:>6.3} | {:>8.2} {:>8.2} {:>8.2} {:>8.2} {:>8.2} | {:>8.2} {express:>8} {:>5.1}x",
            each(|spent| spent.usage.write_units),
            each(|spent| spent.usage.read_half_units) / 2.0,
            each(|spent| spent.usage.queue_requests),
            each(|spent| spent.usage.blob_puts),
            all.each(|spent| spent.usage.bus_events),
            each(|spent| spent.api.requests + spent.driver.requests + spent.sweeper.requests),
            bill.total(),
            Bill::of(counted, &gateway).total(),
            comparison.bill(all).total(),
            Bill::of(all, &gateway).total(),
            bill.storage_month,
            standard(&counted.run, &prices),
            comparison.ratio(counted),
        );
    }
    for (name, parts) in &comparison.parts {
        let _ = writeln!(out, "write units of {name}:");
        for (what, part) in parts {
            let Part { writes, bytes, write_units } = part;
            let _ = writeln!(
                out,
                "  {what:<20} {writes:>6.2} writes of {bytes:>6.0} bytes: {write_units:>6.2} units"
            );
        }
    }
    out.push_str("events: with StatusEvents `all`; storage: of one month, beside the totals\n");
    out
}
