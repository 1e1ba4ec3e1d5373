//! The model: arrivals, a queue, a poller, functions, and partitions that count.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap, VecDeque};

use driver::Seeds;
use model::json::Text;
use ports::Index;

use super::trace::Trace;
use crate::costs::accesses::Access;

/// Microseconds.
type Time = u64;
const SECOND: Time = 1_000_000;
const MILLI: Time = 1_000;

/// Published limits, and what is asked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Assumptions {
    /// Starts per second.
    pub starts_per_second: u64,
    /// How long, in seconds.
    pub seconds: u64,
    /// Partitions of the table: a thousand write units of its warm throughput each.
    pub table_partitions: u64,
    /// Messages of a batch.
    pub batch: usize,
    /// Batches that the poller begins with.
    pub pollers_min: u64,
    /// By how many it grows in a minute.
    pub pollers_per_minute: u64,
    /// How many it has at most.
    pub pollers_max: u64,
    /// Invocations of the step-driver at once, whatever limits them.
    pub driver_concurrency_max: u64,
    /// From here every random number follows.
    pub seed: u64,
}

impl Assumptions {
    /// The table of the module above, on a table that is warm for what comes.
    pub const PUBLISHED: Assumptions = Assumptions {
        starts_per_second: 2_000,
        seconds: 300,
        table_partitions: 40,
        batch: 10,
        pollers_min: 5,
        pollers_per_minute: 300,
        pollers_max: 1_250,
        driver_concurrency_max: 1_000,
        seed: 1,
    };
}

/// Write units per second that a partition serves.
pub const PARTITION_WRITE_UNITS: u64 = 1_000;
/// Read units per second that a partition serves.
pub const PARTITION_READ_UNITS: u64 = 3_000;
/// Messages in flight of a standard queue.
pub const IN_FLIGHT_MAX: u64 = 120_000;
/// Write units per second of a new on-demand table.
pub const NEW_TABLE_WRITE_UNITS: u64 = 4_000;
/// Write units per second of a table or an index by default quota.
pub const TABLE_WRITE_UNITS: u64 = 40_000;
/// A receive.
const RECEIVE: Time = 15 * MILLI;
/// What a new environment takes in addition.
const COLD: Time = 40 * MILLI;

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// Executions that were started and moved.
    pub executions: u64,
    /// Write units of the busiest partition in its busiest second, and which it is.
    pub hottest_write: (u64, String),
    /// The same of the busiest key of an index.
    pub hottest_index: (u64, String),
    /// The same of read units.
    pub hottest_read: (u64, String),
    /// Partition seconds beyond what a partition serves.
    pub throttled: u64,
    /// Write units of the whole table in its busiest second, without indexes.
    pub table_peak: u64,
    /// The same of the busiest index.
    pub index_peak: u64,
    /// Age of messages when they are received, in seconds.
    pub age_p50: f64,
    /// As above.
    pub age_p99: f64,
    /// As above.
    pub age_max: f64,
    /// The oldest age in the last minute: it is small when the queue keeps up.
    pub age_at_the_end: f64,
    /// Messages in flight at most.
    pub in_flight_max: u64,
    /// Invocations of the step-driver at once, at most.
    pub driver_concurrency: u64,
    /// The same in the last minute.
    pub driver_concurrency_at_the_end: u64,
    /// Messages of a batch in the last minute, on average.
    pub batch_at_the_end: f64,
    /// Calls of task functions at once in the last minute: starts, calls and their time.
    pub task_concurrency: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Happens {
    Start,
    Free { taken: u64 },
    Grow,
    Look,
}

/// Units by second of whatever has a limit.
#[derive(Default)]
struct Loads {
    seconds: usize,
    write: HashMap<Place, Vec<u32>>,
    read: HashMap<Place, Vec<u32>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Place {
    /// A partition of the table.
    Table(u64),
    /// A key of an index, in a partition of its own.
    Key(Index, Text),
    /// A row that all executions share, in whichever partition.
    Shared(Text),
}

impl Loads {
    fn add(map: &mut HashMap<Place, Vec<u32>>, seconds: usize, place: Place, at: Time, units: u64) {
        let second = usize::try_from(at / SECOND).unwrap_or(usize::MAX);
        let of = map.entry(place).or_insert_with(|| vec![0; seconds]);
        if let Some(slot) = of.get_mut(second) {
            *slot = slot.saturating_add(u32::try_from(units).unwrap_or(u32::MAX));
        }
    }

    fn access(&mut self, access: &Access, partition: u64, at: Time) {
        let is_shared = !access.key.partition.starts_with("x/");
        let place =
            if is_shared { Place::Shared(access.key.partition.clone()) } else { Place::Table(partition) };
        if access.read_half_units > 0 {
            // In halves, so that nothing is rounded.
            Loads::add(&mut self.read, self.seconds, place, at, access.read_half_units);
            return;
        }
        Loads::add(&mut self.write, self.seconds, place, at, access.write_units);
        for (index, key, units) in &access.entries {
            Loads::add(&mut self.write, self.seconds, Place::Key(*index, key.clone()), at, *units);
        }
    }
}

/// Random numbers from a seed.
struct Dice(Seeds);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        // A sequence that is seeded never fails.
        self.0.next_seed().unwrap_or_default() % bound.max(1)
    }

    /// Between events that come so often per second.
    fn gap(&mut self, per_second: u64) -> Time {
        let unit = (self.below(1 << 52) + 1) as f64 / (1_u64 << 52) as f64;
        // Within a second or so: nothing is cut off.
        (-unit.ln() / per_second.max(1) as f64 * SECOND as f64) as Time
    }
}

/// Runs the model.
pub fn simulate(trace: &Trace, given: &Assumptions) -> Outcome {
    let mut model = Model::new(trace, given);
    while let Some(Reverse((at, _, happens))) = model.agenda.pop() {
        if at > model.end {
            break;
        }
        model.happens(at, happens);
    }
    model.outcome()
}

struct Model<'a> {
    trace: &'a Trace,
    given: &'a Assumptions,
    dice: Dice,
    agenda: BinaryHeap<Reverse<(Time, u64, Happens)>>,
    order: u64,
    end: Time,
    loads: Loads,
    /// When each message was sent, oldest first, with its execution.
    queue: VecDeque<(Time, usize, u64)>,
    /// Batches that may be in work at once, and that are.
    pollers: u64,
    busy: u64,
    /// Environments that exist.
    environments: u64,
    looking: bool,
    in_flight: u64,
    /// Of messages, in microseconds.
    ages: Vec<u32>,
    late_ages: u32,
    late_batches: (u64, u64),
    outcome: Outcome,
}

impl<'a> Model<'a> {
    fn new(trace: &'a Trace, given: &'a Assumptions) -> Model<'a> {
        let mut model = Model {
            trace,
            given,
            dice: Dice(Seeds::From(given.seed)),
            agenda: BinaryHeap::new(),
            order: 0,
            end: given.seconds * SECOND,
            loads: Loads { seconds: usize::try_from(given.seconds).unwrap_or(0), ..Loads::default() },
            queue: VecDeque::new(),
            pollers: given.pollers_min,
            busy: 0,
            environments: 0,
            looking: false,
            in_flight: 0,
            ages: Vec::new(),
            late_ages: 0,
            late_batches: (0, 0),
            outcome: Outcome::default(),
        };
        model.plan(0, Happens::Start);
        model.plan(SECOND, Happens::Grow);
        model
    }

    fn plan(&mut self, at: Time, happens: Happens) {
        self.order += 1;
        self.agenda.push(Reverse((at, self.order, happens)));
    }

    fn is_late(&self, at: Time) -> bool {
        at + 60 * SECOND > self.end
    }

    fn happens(&mut self, at: Time, happens: Happens) {
        match happens {
            Happens::Start => {
                let gap = self.dice.gap(self.given.starts_per_second);
                self.plan(at + gap, Happens::Start);
                self.start(at);
                self.look(at);
            }
            Happens::Look => {
                self.looking = false;
                self.receive(at);
            }
            Happens::Free { taken } => {
                self.busy -= 1;
                self.in_flight -= taken;
                self.look(at);
            }
            Happens::Grow => {
                self.plan(at + SECOND, Happens::Grow);
                if !self.queue.is_empty() && self.busy >= self.pollers {
                    let more = self.given.pollers_per_minute / 60;
                    self.pollers = (self.pollers + more).min(self.given.pollers_max);
                }
                self.look(at);
            }
        }
    }

    fn start(&mut self, at: Time) {
        let traced = self.dice.below(self.trace.executions.len() as u64) as usize;
        let partition = self.dice.below(self.given.table_partitions);
        let written = at + self.trace.start_millis * MILLI;
        for access in &self.trace.executions[traced].start {
            self.loads.access(access, partition, written);
        }
        self.queue.push_back((at, traced, partition));
        self.outcome.executions += 1;
    }

    /// Receives what is there a little later, when a poller is free.
    fn look(&mut self, at: Time) {
        let limit = self.pollers.min(self.given.driver_concurrency_max);
        if !self.looking && self.busy < limit && !self.queue.is_empty() {
            self.looking = true;
            self.plan(at + RECEIVE, Happens::Look);
        }
    }

    /// All free pollers receive: each takes a batch while there are messages.
    fn receive(&mut self, at: Time) {
        let limit = self.pollers.min(self.given.driver_concurrency_max);
        while self.busy < limit && !self.queue.is_empty() {
            self.busy += 1;
            let cold = if self.busy > self.environments { COLD } else { 0 };
            self.environments = self.environments.max(self.busy);
            let base = self.trace.invocation_millis * MILLI;
            let takes = base - base / 10 + self.dice.below(base / 5) + cold;
            let mut taken = 0;
            while taken < self.given.batch as u64 {
                let Some((sent, traced, partition)) = self.queue.pop_front() else { break };
                taken += 1;
                self.received(at, sent, takes, traced, partition);
            }
            self.in_flight += taken;
            self.outcome.in_flight_max = self.outcome.in_flight_max.max(self.in_flight);
            self.outcome.driver_concurrency = self.outcome.driver_concurrency.max(self.busy);
            if self.is_late(at) {
                self.late_batches = (self.late_batches.0 + 1, self.late_batches.1 + taken);
                let late = &mut self.outcome.driver_concurrency_at_the_end;
                *late = (*late).max(self.busy);
            }
            self.plan(at + takes, Happens::Free { taken });
        }
    }

    fn received(&mut self, at: Time, sent: Time, takes: Time, traced: usize, partition: u64) {
        let age = u32::try_from(at - sent).unwrap_or(u32::MAX);
        self.ages.push(age);
        if self.is_late(at) {
            self.late_ages = self.late_ages.max(age);
        }
        // Its requests are spread over the invocation, in their order.
        let accesses = &self.trace.executions[traced].driver;
        for (place, access) in accesses.iter().enumerate() {
            let offset = takes * (place as u64 + 1) / (accesses.len() as u64 + 1);
            self.loads.access(access, partition, at + offset);
        }
    }

    fn outcome(mut self) -> Outcome {
        let mut outcome = self.outcome;
        let hottest = |loads: &HashMap<Place, Vec<u32>>, halves: u64, of: fn(&Place) -> bool| {
            let peaks = loads.iter().filter(|(place, _)| of(place)).map(|(place, seconds)| {
                (u64::from(seconds.iter().copied().max().unwrap_or(0)).div_ceil(halves), format!("{place:?}"))
            });
            peaks.max().unwrap_or_default()
        };
        outcome.hottest_write = hottest(&self.loads.write, 1, |_| true);
        outcome.hottest_index = hottest(&self.loads.write, 1, |place| matches!(place, Place::Key(..)));
        outcome.hottest_read = hottest(&self.loads.read, 2, |_| true);
        let beyond = |loads: &HashMap<Place, Vec<u32>>, limit: u64| {
            loads.values().flatten().filter(|units| u64::from(**units) > limit).count() as u64
        };
        outcome.throttled = beyond(&self.loads.write, PARTITION_WRITE_UNITS)
            + beyond(&self.loads.read, 2 * PARTITION_READ_UNITS);
        let mut whole: BTreeMap<Option<Index>, Vec<u64>> = BTreeMap::new();
        for (place, seconds) in &self.loads.write {
            let of = match place {
                Place::Key(index, _) => Some(*index),
                Place::Table(_) | Place::Shared(_) => None,
            };
            let sums = whole.entry(of).or_insert_with(|| vec![0; seconds.len()]);
            for (sum, units) in sums.iter_mut().zip(seconds) {
                *sum += u64::from(*units);
            }
        }
        let peak = |sums: &Vec<u64>| sums.iter().copied().max().unwrap_or(0);
        outcome.table_peak = whole.get(&None).map_or(0, peak);
        outcome.index_peak = [Index::First, Index::Second]
            .iter()
            .filter_map(|index| whole.get(&Some(*index)))
            .map(peak)
            .max()
            .unwrap_or(0);
        // What waits still is as old as it is now.
        let end = self.end;
        let waiting = self.queue.iter().map(|(sent, ..)| u32::try_from(end - sent).unwrap_or(u32::MAX));
        let waiting: Vec<u32> = waiting.collect();
        self.late_ages = self.late_ages.max(waiting.iter().copied().max().unwrap_or(0));
        self.ages.extend(waiting);
        self.ages.sort_unstable();
        let percentile = |percent: usize| {
            let at = (self.ages.len() * percent).div_ceil(100).saturating_sub(1);
            f64::from(self.ages.get(at).copied().unwrap_or(0)) / SECOND as f64
        };
        (outcome.age_p50, outcome.age_p99, outcome.age_max) =
            (percentile(50), percentile(99), percentile(100));
        outcome.age_at_the_end = f64::from(self.late_ages) / SECOND as f64;
        outcome.batch_at_the_end = self.late_batches.1 as f64 / self.late_batches.0.max(1) as f64;
        // By Little's law; five calls, each of 100 ms and what the invocation takes.
        outcome.task_concurrency = (self.given.starts_per_second * 5 * 110).div_ceil(1_000);
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load_on_aws::trace::Traced;

    /// Executions that write a row in the API and two in the driver, and one entry each.
    fn traced(shards: u64) -> Trace {
        let access = |shard: u64| Access {
            key: ports::Key::new("x/m:e", "r/0"),
            bytes: 1_500,
            write_units: 2,
            read_half_units: 0,
            entries: vec![(Index::First, format!("list/{shard}").into(), 1)],
        };
        let execution =
            |shard| Traced { start: vec![access(shard)], driver: vec![access(shard), access(shard)] };
        Trace { executions: (0..shards).map(execution).collect(), invocation_millis: 600, start_millis: 30 }
    }

    #[test]
    fn units_are_where_keys_are() {
        let given = Assumptions { seconds: 60, starts_per_second: 500, ..Assumptions::PUBLISHED };
        let spread = simulate(&traced(8), &given);
        assert_eq!(spread, simulate(&traced(8), &given), "the same every time");
        assert!(spread.executions > 29_000 && spread.executions < 31_000, "{spread:?}");
        assert_eq!(spread.throttled, 0, "{spread:?}");
        // Without shards all entries are one key.
        let one = simulate(&traced(1), &given);
        assert!(one.hottest_write.1.contains("list/0") && one.hottest_write.0 > 1_000, "{one:?}");
        assert!(one.throttled > 0, "{one:?}");
    }

    #[test]
    fn a_queue_that_is_not_served_ages() {
        let given = Assumptions { seconds: 120, starts_per_second: 500, ..Assumptions::PUBLISHED };
        let served = simulate(&traced(8), &given);
        assert!(served.age_at_the_end < 1.0, "{served:?}");
        assert!(served.driver_concurrency_at_the_end >= 500 * 6 / 100, "{served:?}");
        let starved = simulate(&traced(8), &Assumptions { driver_concurrency_max: 10, ..given });
        assert!(starved.age_at_the_end > 60.0, "{starved:?}");
        assert_eq!(starved.driver_concurrency, 10);
    }
}
