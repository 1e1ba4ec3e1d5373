//! Dollars: what a workload costs here, and with Step Functions.

use ports::metered::Prices as PortPrices;

use super::installation::{Compute, Spent};
use super::prices::Prices;
use super::workload::{Counted, Run};

/// `template.yaml`, from which defaults are taken.
pub const TEMPLATE: &str = include_str!("../../../template.yaml");

/// What stands in front of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Front {
    /// The function's own URL.
    FunctionUrl,
    /// An HTTP API of API Gateway.
    HttpApi,
}

/// Processor of the functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Architecture {
    /// Graviton.
    Arm64,
    /// Intel and AMD.
    X86,
}

/// How an installation is deployed, as far as prices depend on it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Terms {
    /// What stands in front of the API.
    pub front: Front,
    /// Processor of the functions.
    pub architecture: Architecture,
    /// Memory of each function in MB.
    pub memory_mb: u64,
    /// Prices.
    pub prices: Prices,
    /// Prices of what stands behind the ports.
    pub ports: PortPrices,
}

impl Terms {
    /// As the template deploys it by default: a function URL, arm64, the template's memory.
    ///
    /// # Errors
    /// When the template does not say how much memory that is.
    pub fn of_template() -> Result<Terms, String> {
        Ok(Terms {
            front: Front::FunctionUrl,
            architecture: Architecture::Arm64,
            memory_mb: default_of("MemorySize")?,
            prices: Prices::US_EAST_1,
            ports: PortPrices::US_EAST_1,
        })
    }

    /// GB-seconds of a function.
    pub fn gb_seconds(&self, compute: Compute) -> f64 {
        compute.millis as f64 / 1e3 * self.memory_mb as f64 / 1024.0
    }

    /// What the invocations of a function cost.
    pub fn function_dollars(&self, compute: Compute) -> f64 {
        let gb_second = match self.architecture {
            Architecture::Arm64 => self.prices.gb_second_arm,
            Architecture::X86 => self.prices.gb_second_x86,
        };
        self.gb_seconds(compute) * gb_second + compute.requests as f64 * self.prices.function_requests / 1e6
    }
}

/// The default of a parameter of the template that is a number.
fn default_of(parameter: &str) -> Result<u64, String> {
    let missing = || format!("template.yaml has no default of {parameter}");
    let (_, behind) = TEMPLATE.split_once(&format!("\n  {parameter}:\n")).ok_or_else(missing)?;
    let line = behind.lines().take_while(|line| line.starts_with("    "));
    let default = line.filter_map(|line| line.trim().strip_prefix("Default:")).next();
    default.and_then(|text| text.trim().parse().ok()).ok_or_else(missing)
}

/// Dollars of a million executions, by what they are for.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bill {
    /// Reads and writes of the table.
    pub table: f64,
    /// Requests to queues, those of Lambda's poller included.
    pub queue: f64,
    /// Requests for blobs.
    pub blobs: f64,
    /// Status events.
    pub bus: f64,
    /// Functions.
    pub functions: f64,
    /// The gateway in front of the API.
    pub gateway: f64,
    /// Rows and blobs that stay, for one month. Not in the total: how long they stay is a parameter.
    pub storage_month: f64,
}

impl Bill {
    /// What a run costs on these terms.
    pub fn of(counted: &Counted, terms: &Terms) -> Bill {
        let Spent { usage, api, driver, sweeper, stored_bytes } = counted.spent;
        let only = |part: ports::metered::Usage| part.dollars(&terms.ports);
        let none = ports::metered::Usage::default();
        let (write_units, read_half_units) = (usage.write_units, usage.read_half_units);
        let (blob_puts, blob_gets, blob_lists) = (usage.blob_puts, usage.blob_gets, usage.blob_lists);
        let gateway = match terms.front {
            Front::FunctionUrl => 0.0,
            Front::HttpApi => api.requests as f64 * terms.prices.http_api_requests / 1e6,
        };
        const GB: f64 = 1_073_741_824.0;
        // What DynamoDB adds to each item and entry, 100 bytes, is not in the bytes: source as of sizes.
        let stored = stored_bytes as f64 * terms.prices.table_gb_month
            + usage.blob_bytes_written as f64 * terms.prices.blob_gb_month;
        let all = Bill {
            table: only(ports::metered::Usage { write_units, read_half_units, ..none }),
            queue: only(ports::metered::Usage { queue_requests: usage.queue_requests, ..none }),
            blobs: only(ports::metered::Usage { blob_puts, blob_gets, blob_lists, ..none }),
            bus: only(ports::metered::Usage { bus_events: usage.bus_events, ..none }),
            functions: [api, driver, sweeper].into_iter().map(|it| terms.function_dollars(it)).sum(),
            gateway,
            storage_month: stored / GB,
        };
        all.times(1e6 / counted.run.executions as f64)
    }

    fn times(self, factor: f64) -> Bill {
        Bill {
            table: self.table * factor,
            queue: self.queue * factor,
            blobs: self.blobs * factor,
            bus: self.bus * factor,
            functions: self.functions * factor,
            gateway: self.gateway * factor,
            storage_month: self.storage_month * factor,
        }
    }

    /// Everything but what stays.
    pub fn total(&self) -> f64 {
        self.table + self.queue + self.blobs + self.bus + self.functions + self.gateway
    }
}

/// What a million executions cost with Step Functions Standard: one transition for each state that is
/// entered, as its price list says.
pub fn standard(run: &Run, prices: &Prices) -> f64 {
    run.workload.transitions() as f64 * prices.standard_transitions
}

/// The same, should the transitions from the start and to the end be charged too.
pub fn standard_with_ends(run: &Run, prices: &Prices) -> f64 {
    standard(run, prices) + 2.0 * prices.standard_transitions
}

/// What a million executions cost with Step Functions Express; `None` where it has no such workflow.
/// Source: aws.amazon.com/step-functions/pricing, examples 3 and 4: 50 MB, the definition and the
/// payload of each step.
pub fn express(run: &Run, prices: &Prices) -> Option<f64> {
    let millis = run.workload.express_millis()?;
    let steps = run.workload.transitions() as usize;
    let bytes = 50 * 1024 * 1024 + run.workload.definition().len() + run.payload_bytes * steps;
    let chunks = bytes.div_ceil(64 * 1024 * 1024);
    let gb_seconds = millis.div_ceil(100).max(1) as f64 / 10.0 * chunks as f64 * 64.0 / 1024.0;
    Some(prices.express_requests + gb_seconds * prices.express_gb_second * 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::costs::workload::{Arrival, Workload};

    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-6 * expected.abs().max(1.0), "{found} instead of {expected}");
    }

    #[test]
    fn the_peer_s_prices_are_those_of_its_examples() {
        let prices = Prices::US_EAST_1;
        let run = |workload, bytes| Run::new(workload, bytes, Arrival::Steady);
        close(standard(&run(Workload::Chain, 200), &prices), 250.0);
        close(standard(&run(Workload::Callback, 200), &prices), 50.0);
        // Half a second with 64 MB.
        let calls = Workload::Calls { count: 5, millis: 100 };
        close(express(&run(calls, 1_024), &prices).unwrap(), 1.0 + 0.5 / 16.0 * 16.67);
        // With 14 MB of payloads more than one chunk; a begun 100 ms counts as one.
        let large = Workload::Calls { count: 5, millis: 1 };
        close(express(&run(large, 3 << 20), &prices).unwrap(), 1.0 + 0.1 / 8.0 * 16.67);
        assert_eq!(express(&run(Workload::Callback, 200), &prices), None);
    }

    #[test]
    fn each_part_has_its_price() {
        let mut counted =
            Counted { run: Run::new(Workload::Chain, 200, Arrival::Steady), spent: Spent::default() };
        counted.run.executions = 1_000_000;
        let spent = &mut counted.spent;
        spent.usage.write_units = 2_000_000;
        spent.usage.read_half_units = 2_000_000;
        spent.usage.queue_requests = 1_000_000;
        spent.usage.blob_puts = 1_000_000;
        spent.usage.bus_events = 1_000_000;
        spent.api = Compute { requests: 1_000_000, millis: 4_000_000 };
        spent.stored_bytes = 1 << 30;
        let terms = Terms { memory_mb: 256, ..Terms::of_template().unwrap() };
        let bill = Bill::of(&counted, &terms);
        for (part, dollars) in [
            (bill.table, 1.25 + 0.125),
            (bill.queue, 0.40),
            (bill.blobs, 5.0),
            (bill.bus, 1.0),
            (bill.functions, 0.20 + 1_000.0 * 0.000_013_333_4),
            (bill.gateway, 0.0),
            (bill.storage_month, 0.25),
        ] {
            close(part, dollars);
        }
        close(bill.total(), 1.375 + 0.40 + 5.0 + 1.0 + 0.213_333_4);
        let gateway = Terms { front: Front::HttpApi, ..terms };
        close(Bill::of(&counted, &gateway).total() - bill.total(), 1.0);
        let x86 = Terms { architecture: Architecture::X86, ..terms };
        close(Bill::of(&counted, &x86).functions, 0.20 + 1_000.0 * 0.000_016_666_7);
    }
}
