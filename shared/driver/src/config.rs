//! The thresholds of the protocol. All are parameters, so that tests take every path in seconds.

/// How executions are driven. Times are milliseconds.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// How long a record says that its owner is alive, and how long a lease does.
    pub lease_millis: i64,
    /// How often a driver renews its lease while it holds executions.
    pub lease_refresh_millis: i64,
    /// A driver starts effects only while its lease holds for so long.
    pub lease_margin_millis: i64,
    /// Whether this process is the only one that drives: owners of an earlier process are dead
    /// at once.
    pub sole_owner: bool,
    /// How long a received message is hidden; extended while its execution is held.
    pub visibility_millis: i64,
    /// A timer that is due so soon is waited for.
    pub sleep_millis_max: i64,
    /// A timer that is due so soon is a delayed message; a later one is found by the sweeper.
    pub delay_millis_max: i64,
    /// New calls are started only so long after a session began; then it hands over. `None`: no
    /// such limit.
    pub shift_millis: Option<i64>,
    /// How often the sweeper looks for what is due.
    pub sweep_millis: i64,
    /// How far ahead it looks.
    pub sweep_ahead_millis: i64,
    /// A step that has failed so often in the interpreter fails its execution.
    pub poison_attempts: u32,
    /// Executions that one driver holds at once.
    pub sessions_max: usize,
    /// How long the end of a driver waits for calls that have begun.
    pub grace_millis: i64,
    /// The first pause before a failed read or write is tried again; doubled up to 64 times that.
    pub retry_millis: i64,
    /// Which status changes are published.
    pub status_events: StatusEvents,
}

/// Which status changes are published on the bus.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StatusEvents {
    /// Every one, the start included.
    All,
    /// FAILED, TIMED_OUT and ABORTED.
    #[default]
    Failures,
    /// None.
    None,
}

impl Default for Config {
    /// What is right for several drivers over a network.
    fn default() -> Config {
        Config {
            lease_millis: 30_000,
            lease_refresh_millis: 10_000,
            lease_margin_millis: 5_000,
            sole_owner: false,
            visibility_millis: 30_000,
            sleep_millis_max: 2_000,
            delay_millis_max: 14 * 60 * 1_000,
            shift_millis: Some(60_000),
            sweep_millis: 60_000,
            sweep_ahead_millis: 120_000,
            poison_attempts: 3,
            sessions_max: 64,
            grace_millis: 10_000,
            retry_millis: 20,
            status_events: StatusEvents::Failures,
        }
    }
}

impl Config {
    /// What is right for the only process on a store of its own.
    pub fn alone() -> Config {
        Config {
            sole_owner: true,
            shift_millis: None,
            sessions_max: 1_024,
            status_events: StatusEvents::All,
            ..Config::default()
        }
    }
}
