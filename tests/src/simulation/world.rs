//! The simulated world: what its processes share, and how one is made.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use driver::{Config, Door, Machines, Seeds, StatusEvents, World, WorldParts};
use integrations::activity::queue_name;
use journal::Store;
use journal::execution::Executions;
use journal::registry::{Encryption, NewActivity, Registry, Tags};
use model::arn::{ActivityArn, Home, StateMachineArn};
use model::json::Text;
use model::limits::Limits;
use model::timestamp::Timestamp;
use ports::faulty::{CrashPoint, Faults, Rates};
use ports::{Blobs, Bus, Clock, Queue, QueueSettings, Queues, Skewed, Table, Virtual, faulty, memory};

use super::dice::Dice;
use super::ledger::Ledger;
use super::machines::{self, Definition};
use super::planted::Planted;
use super::process::{Port, Process, ProcessClock};
use super::recorded::Recorded;
use super::trace::{Trace, guard};

/// When worlds begin.
pub const BEGIN: Timestamp = Timestamp::from_millis(1_700_000_000_000);
/// The queue of the drivers, and where its messages go that came too often.
pub const QUEUE: &str = "driver";
/// See [`QUEUE`].
pub const DEAD_LETTERS: &str = "dead";
/// The activity of the definitions.
pub const ACTIVITY: &str = "arn:aws:states:us-east-1:123456789012:activity:work";

/// What a seed decides about its world.
#[derive(Debug)]
pub struct Plan {
    /// How often requests go wrong, in hundredths of a percent.
    pub rate: i64,
    /// Drivers crash, are paused and are told to end.
    pub trouble: bool,
    /// API processes crash in the middle of a request.
    pub api_crashes: bool,
    /// Clocks go wrong by up to this much.
    pub skew_millis: i64,
    /// Clocks jump by more than what leases allow for.
    pub wild_clocks: bool,
    /// Drivers at once.
    pub drivers: i64,
    /// Executions.
    pub executions: i64,
    /// How long things go wrong.
    pub chaos_millis: i64,
    /// One process at a time drives, sweeps and answers requests, as on a laptop.
    pub alone: bool,
    /// What is left running when things stop going wrong goes on, or is gone.
    pub survivors: bool,
}

impl Plan {
    fn new(dice: &mut Dice) -> Plan {
        let (trouble, alone) = (dice.percent(75), dice.percent(20));
        Plan {
            alone,
            rate: *dice.pick(&[0, 100, 300, 500, 800]),
            trouble,
            api_crashes: dice.percent(60),
            skew_millis: *dice.pick(&[0, 200, 900]),
            wild_clocks: trouble && dice.percent(10),
            drivers: if alone { 1 } else { dice.between(1, 3) },
            executions: *dice.pick(&[1, 1, 2, 3]),
            chaos_millis: dice.between(40, 150) * 1_000,
            survivors: !alone && dice.percent(50),
        }
    }

    fn rates(&self) -> Rates {
        let rate = self.rate as f64 / 10_000.0;
        Rates { late_max: Duration::from_secs(20), ..Rates::even(rate) }
    }
}

/// What every process of a world shares.
pub struct Simulated {
    /// The seed.
    pub seed: u64,
    /// What it decided.
    pub plan: Plan,
    /// The bug that was planted.
    pub planted: Planted,
    /// The schedule.
    pub trace: Trace,
    /// The time.
    pub time: Arc<dyn Clock>,
    /// The table below all faults.
    pub table: Arc<Recorded>,
    /// The blobs.
    pub blobs: Arc<memory::Blobs>,
    /// What was published.
    pub bus: Arc<memory::Bus>,
    /// The queues.
    pub queues: Arc<memory::Queues>,
    /// What goes wrong.
    pub faults: Faults,
    /// The thresholds of the protocol.
    pub config: Config,
    /// How things are stored.
    pub storing: journal::Config,
    /// What is executed.
    pub definitions: Arc<Vec<Definition>>,
    /// The place of the definition that each execution runs.
    pub chosen: Vec<usize>,
    /// What happened outside.
    pub ledger: Mutex<Ledger>,
    /// What answers requests, when one process does everything.
    door: Mutex<Option<(Door, Arc<Process>)>>,
    /// Nothing goes wrong any more.
    quiet: AtomicBool,
    processes: AtomicU64,
}

impl Simulated {
    /// The world of a seed.
    pub async fn new(
        seed: u64,
        planted: Planted,
        trace: Trace,
        definitions: Arc<Vec<Definition>>,
    ) -> Arc<Simulated> {
        let mut dice = Dice::new(seed, "plan");
        let plan = Plan::new(&mut dice);
        let time: Arc<dyn Clock> = Arc::new(Virtual::new(BEGIN));
        let faults = Faults::new(seed, plan.rates(), time.clone());
        let storing = storing(&mut dice);
        let chosen = (0..plan.executions).map(|_| machines::chosen(&definitions, &mut dice)).collect();
        let world = Simulated {
            seed,
            planted,
            trace,
            table: Recorded::new(Arc::new(memory::Table::new(time.clone())), storing.home.clone()),
            blobs: Arc::new(memory::Blobs::new()),
            bus: Arc::new(memory::Bus::new()),
            queues: Arc::new(memory::Queues::new(time.clone())),
            faults,
            config: if plan.alone { alone(&mut dice) } else { config(&mut dice) },
            storing,
            definitions,
            chosen,
            ledger: Mutex::default(),
            door: Mutex::default(),
            quiet: AtomicBool::new(false),
            processes: AtomicU64::new(0),
            plan,
            time,
        };
        world.says("world", format_args!("seed {seed}, {:?}", world.plan));
        world.furnish().await;
        Arc::new(world)
    }

    async fn furnish(&self) {
        const HOLDS: &str = "ports in memory take what is within their limits";
        let visibility = Duration::from_millis(self.config.visibility_millis.unsigned_abs());
        let dead = QueueSettings { visibility, dead_letters: None };
        self.queues.create(DEAD_LETTERS, dead.clone()).await.expect(HOLDS);
        let settings = QueueSettings { visibility, dead_letters: Some((5, DEAD_LETTERS.into())) };
        self.queues.create(QUEUE, settings).await.expect(HOLDS);
        self.queues.create(&queue_name(ACTIVITY), dead).await.expect(HOLDS);
        let activity = NewActivity {
            arn: ActivityArn::parse(ACTIVITY).expect("it is an activity's"),
            encryption: Encryption::default(),
            tags: Tags::default(),
            nonce: "1".into(),
            now: BEGIN,
        };
        let below = Store::open(self.table.table.clone(), self.blobs.clone(), self.storing.clone()).await;
        self.table.read_with(Executions::new(below.expect("a table in memory can be opened")));
        Registry::new(self.store().await).create_activity(activity).await.expect(HOLDS);
    }

    /// The store below all faults.
    pub async fn store(&self) -> Store {
        let table: Arc<dyn Table> = self.table.clone();
        Store::open(table, self.blobs.clone(), self.storing.clone())
            .await
            .expect("a table in memory can be opened")
    }

    /// The state machine of a definition.
    pub fn state_machine(&self, machine: usize) -> StateMachineArn {
        StateMachineArn::new(&self.storing.home, self.definitions[machine].name).expect("names are short")
    }

    /// The decisions of an actor.
    pub fn dice(&self, actor: &str) -> Dice {
        Dice::new(self.seed, actor)
    }

    /// A line of the trace.
    pub fn says(&self, who: &str, what: std::fmt::Arguments<'_>) {
        self.trace.line(BEGIN, self.time.now(), who, what);
    }

    /// From now on this process answers requests, when one process does everything.
    pub fn opens(&self, door: Door, process: &Arc<Process>) {
        if self.plan.alone {
            *guard(&self.door) = Some((door, process.clone()));
        }
    }

    /// The process that answers requests, when one process does everything and it runs.
    pub fn open_door(&self) -> Option<(Door, Arc<Process>)> {
        guard(&self.door).clone().filter(|(_, process)| !process.faults.has_crashed())
    }

    /// From now on nothing goes wrong.
    pub fn quiet(&self) {
        self.says("world", format_args!("nothing goes wrong any more"));
        self.quiet.store(true, Ordering::SeqCst);
        self.faults.quiet();
    }

    /// Whether nothing goes wrong any more.
    pub fn is_quiet(&self) -> bool {
        self.quiet.load(Ordering::SeqCst)
    }

    /// A new process. `crash_percent`: how often it crashes within its first `operations_max`
    /// operations.
    pub fn process(
        &self,
        kind: &str,
        dice: &mut Dice,
        crash_percent: u64,
        operations_max: i64,
    ) -> Arc<Process> {
        let number = self.processes.fetch_add(1, Ordering::SeqCst);
        let name = Text::from(format!("{kind}.{number}"));
        let faults = self.faults.process();
        let skew = dice.between(-self.plan.skew_millis, self.plan.skew_millis);
        let (crash, at) = (dice.percent(crash_percent), dice.between(1, operations_max));
        let point = if dice.percent(50) { CrashPoint::Before } else { CrashPoint::After };
        if crash && !self.is_quiet() {
            faults.crash_at(at.unsigned_abs(), point);
        }
        let clock = Arc::new(Skewed::new(self.time.clone(), if self.is_quiet() { 0 } else { skew }));
        let (time, trace) = (self.time.clone(), self.trace.clone());
        Process::new(name, faults, clock, time, BEGIN, trace, self.planted)
    }

    /// The queues as a process sees them.
    pub fn queues_of(&self, process: &Arc<Process>) -> Arc<dyn Queues> {
        let queues = Arc::new(faulty::Queues::new(self.queues.clone(), process.faults.clone()));
        Port::<dyn Queues>::new(process, queues)
    }

    /// What a process drives executions with. Never ends in a process that crashes meanwhile.
    pub async fn boot(&self, process: &Arc<Process>) -> World {
        let faults = || process.faults.clone();
        let below: Arc<dyn Table> = self.table.clone();
        let table: Arc<dyn Table> = Arc::new(faulty::Table::new(below, faults()));
        let table: Arc<dyn Table> = Port::<dyn Table>::new(process, table);
        let blobs: Arc<dyn Blobs> = Arc::new(faulty::Blobs::new(self.blobs.clone(), faults()));
        let blobs: Arc<dyn Blobs> = Port::<dyn Blobs>::new(process, blobs);
        let bus: Arc<dyn Bus> = Arc::new(faulty::Bus::new(self.bus.clone(), faults()));
        let bus: Arc<dyn Bus> = Port::<dyn Bus>::new(process, bus);
        let store = loop {
            match Store::open(table.clone(), blobs.clone(), self.storing.clone()).await {
                Ok(store) => break store,
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        };
        let queue = self.queue_of(process, QUEUE).await;
        let machines = Machines::new(Registry::new(store.clone()));
        for place in &self.chosen {
            machines.insert(&self.state_machine(*place), "1", self.definitions[*place].machine.clone());
        }
        World::new(WorldParts {
            store,
            queue,
            bus,
            clock: Arc::new(ProcessClock(process.clone())),
            seeds: Seeds::From(self.dice(&process.name).number()),
            machines,
            limits: Limits::default(),
            config: self.config_of(),
        })
    }

    /// A queue as a process sees it.
    pub async fn queue_of(&self, process: &Arc<Process>, name: &str) -> Arc<dyn Queue> {
        loop {
            match self.queues_of(process).open(name).await {
                Ok(queue) => return queue,
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }

    fn config_of(&self) -> Config {
        match self.planted {
            // Its own calls it starts as late as ever.
            Planted::IgnoreLiveOwner => {
                Config { lease_millis: 0, lease_margin_millis: -25_000, ..self.config.clone() }
            }
            _ => self.config.clone(),
        }
    }
}

/// Thresholds so small that every path is taken within minutes.
fn config(dice: &mut Dice) -> Config {
    Config {
        delay_millis_max: *dice.pick(&[20_000, 40_000]),
        shift_millis: *dice.pick(&[None, Some(15_000), Some(40_000)]),
        sweep_millis: 10_000,
        sweep_ahead_millis: *dice.pick(&[15_000, 30_000]),
        sessions_max: *dice.pick(&[1, 2, 64]).max(&1),
        grace_millis: *dice.pick(&[0, 10_000]),
        status_events: *dice.pick(&[StatusEvents::All, StatusEvents::All, StatusEvents::Failures]),
        ..Config::default()
    }
}

/// The same for one process that does everything. It is never taken for dead.
fn alone(dice: &mut Dice) -> Config {
    Config { sole_owner: true, shift_millis: None, sessions_max: 1_024, ..config(dice) }
}

/// Thresholds so small that a few kilobytes are large.
fn storing(dice: &mut Dice) -> journal::Config {
    let home = Home::new("aws", "us-east-1", "123456789012");
    journal::Config {
        listing_shards: *dice.pick(&[1, 2]),
        wake_shards: *dice.pick(&[1, 2]),
        payload_bytes_inline_max: *dice.pick(&[300, 300, 8 * 1024]),
        record_bytes_inline_max: *dice.pick(&[600, 4_000, 64 * 1024]),
        compress_bytes_min: *dice.pick(&[100, 1024]),
        first_compress_bytes_min: *dice.pick(&[100, 4096]),
        state_bytes_always: *dice.pick(&[0, 0, 400, 16 * 1024]),
        stateless_records_max: *dice.pick(&[2, 8, 32]),
        ..journal::Config::new(home)
    }
}
