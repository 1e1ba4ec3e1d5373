//! Every bound of the service, as a constant with its unit and source, and [`Limits`], the ones
//! that an installation may change.
//!
//! Sources: **quotas** is the developer guide's page "Step Functions service quotas"; **API** is
//! the API reference, the named operation or data type; **language** is the Amazon States
//! Language specification and the developer guide's page on the state type.

use serde::{Deserialize, Serialize};

// Payloads.

/// Bytes of UTF-8 in an input, an output, a task's parameters or a task's result. Source: quotas.
pub const PAYLOAD_BYTES_MAX: usize = 262_144;
/// Bytes of a definition. Source: quotas, API (CreateStateMachine).
pub const DEFINITION_BYTES_MAX: usize = 1_048_576;
/// Bytes of an API request. Source: quotas.
pub const REQUEST_BYTES_MAX: usize = 1_048_576;
/// Characters of an error name. Source: API (StopExecution, SendTaskFailure).
pub const ERROR_CHARS_MAX: usize = 256;
/// Characters of a cause. Source: API (StopExecution, SendTaskFailure).
pub const CAUSE_CHARS_MAX: usize = 32_768;
/// Bytes of one variable. Source: developer guide, "Passing data between states with variables".
pub const VARIABLE_BYTES_MAX: usize = 262_144;
/// Bytes of all variables that one `Assign` sets. Source: as [`VARIABLE_BYTES_MAX`].
pub const ASSIGN_BYTES_MAX: usize = 262_144;
/// Bytes of all variables of an execution. Source: as [`VARIABLE_BYTES_MAX`].
pub const VARIABLES_BYTES_MAX: usize = 10_485_760;
/// Bytes of escaped input and output in an EventBridge event; beyond, the input is left out,
/// then the output. Source: developer guide, "EventBridge payloads".
pub const STATUS_EVENT_DATA_BYTES_MAX: usize = 248 * 1024;
/// Bytes of one payload in a log record; beyond, it is cut. Source: developer guide, "CloudWatch
/// Logs payloads".
pub const LOG_PAYLOAD_BYTES_MAX: usize = 248 * 1024;

// Executions.

/// Events of a history; the last one is the failure. Source: quotas, recorded histories.
pub const HISTORY_EVENTS_MAX: u64 = 25_000;
/// Open executions per account and Region, Standard. Source: quotas.
pub const OPEN_EXECUTIONS_MAX: u64 = 1_000_000;
/// Seconds of a Standard execution: a year. Source: quotas.
pub const STANDARD_DURATION_SECONDS_MAX: i64 = 31_536_000;
/// Seconds of an Express execution. Source: quotas.
pub const EXPRESS_DURATION_SECONDS_MAX: i64 = 300;
/// Days that a closed execution is kept, and its name taken. Source: quotas.
pub const RETENTION_DAYS: i64 = 90;
/// Days after the end in which an execution can be redriven. Source: API (RedriveExecution).
pub const REDRIVE_WINDOW_DAYS: i64 = 14;
/// Events that an execution must stay below to be redriven. Source: API (RedriveExecution).
pub const REDRIVE_HISTORY_EVENTS_BELOW: u64 = 24_999;
/// Client tokens of RedriveExecution that are remembered per execution. Source: API
/// (RedriveExecution).
pub const REDRIVE_CLIENT_TOKENS_KEPT: usize = 10;
/// Minutes that they are remembered. Source: API (RedriveExecution).
pub const REDRIVE_CLIENT_TOKEN_MINUTES: i64 = 15;
/// Hours that a page token of GetExecutionHistory and of the lists holds. Source: API
/// (GetExecutionHistory).
pub const PAGE_TOKEN_HOURS: i64 = 24;
/// Events of one page of GetExecutionHistory, items of one page of a list. Source: API.
pub const PAGE_RESULTS_MAX: u32 = 1_000;
/// The same when `maxResults` is absent or 0. Source: API.
pub const PAGE_RESULTS_DEFAULT: u32 = 100;
/// Characters of a page token of the lists (1024 for most, 3096 for ListExecutions). Source: API.
pub const PAGE_TOKEN_CHARS_MAX: usize = 3_096;
/// Characters of a `traceHeader`. Source: API (StartExecution).
pub const TRACE_HEADER_CHARS_MAX: usize = 256;
/// Milliseconds to which the duration of an Express execution is rounded up. Source: pricing.
pub const BILLED_DURATION_STEP_MILLIS: i64 = 100;
/// MB to which the memory of an Express execution is rounded up. Source: pricing.
pub const BILLED_MEMORY_STEP_MB: i64 = 64;

// Registered resources.

/// State machines per account and Region (up to 150,000 on request). Source: quotas.
pub const STATE_MACHINES_MAX: u64 = 100_000;
/// Activities per account and Region (up to 150,000 on request). Source: quotas.
pub const ACTIVITIES_MAX: u64 = 100_000;
/// Versions per state machine. Source: quotas.
pub const VERSIONS_MAX: u64 = 1_000;
/// Aliases per state machine. Source: quotas.
pub const ALIASES_MAX: u64 = 100;
/// Entries of an alias's `routingConfiguration`. Source: API (CreateStateMachineAlias).
pub const ALIAS_ROUTES_MAX: usize = 2;
/// Sum of the weights of an alias's routes. Source: API (RoutingConfigurationListItem).
pub const ALIAS_WEIGHTS_SUM: i64 = 100;
/// Characters of the description of an alias or a version. Source: API.
pub const DESCRIPTION_CHARS_MAX: usize = 256;
/// Workers that poll one activity at once. Source: quotas.
pub const ACTIVITY_POLLERS_MAX: u64 = 1_000;
/// Seconds that GetActivityTask waits for a task. Source: API (GetActivityTask).
pub const ACTIVITY_POLL_SECONDS: i64 = 60;
/// Characters of a task token. Source: API (SendTaskSuccess).
pub const TASK_TOKEN_CHARS_MAX: usize = 2_048;
/// Tags per resource. Source: API (TagResource).
pub const TAGS_MAX: usize = 50;
/// Characters of a tag's key. Source: API (Tag).
pub const TAG_KEY_CHARS_MAX: usize = 128;
/// Characters of a tag's value. Source: API (Tag).
pub const TAG_VALUE_CHARS_MAX: usize = 256;
/// Log groups of a `loggingConfiguration`. Source: API (LoggingConfiguration).
pub const LOG_DESTINATIONS_MAX: usize = 1;
/// Seconds that a data key may be reused. Source: API (EncryptionConfiguration).
pub const KMS_DATA_KEY_REUSE_SECONDS: std::ops::RangeInclusive<i64> = 60..=900;
/// `maxResults` of ValidateStateMachineDefinition. Source: API.
pub const DIAGNOSTICS_MAX: usize = 100;

// Names. Lengths count characters, from 1.

/// Characters of the name of a state machine, an execution, an activity or an alias, and of a
/// worker. Source: API (CreateStateMachine and kin).
pub const NAME_CHARS_MAX: usize = 80;
/// Characters of the name of a state. Source: language, "States".
pub const STATE_NAME_CHARS_MAX: usize = 80;
/// Characters of the `Label` of a distributed Map. Source: language, "Map".
pub const LABEL_CHARS_MAX: usize = 40;
/// Characters of the name of a variable. Source: developer guide, "Passing data between states
/// with variables".
pub const VARIABLE_NAME_CHARS_MAX: usize = 80;
/// Characters of an ARN. Source: API (the request members `…Arn`).
pub const ARN_CHARS_MAX: usize = 2_000;
/// Characters of the ARN in most requests. Source: API (DescribeStateMachine and kin).
pub const REQUEST_ARN_CHARS_MAX: usize = 256;

// Fields of states.

/// `TimeoutSeconds` (of a Task and of the whole), `HeartbeatSeconds`, `Seconds` and
/// `IntervalSeconds`: at most. Source: language, "Task", "Wait", "Retrying after an error".
pub const SECONDS_MAX: i64 = 99_999_999;
/// `TimeoutSeconds` of a Task that gives none: seconds. Source: developer guide, "Task".
pub const TASK_TIMEOUT_SECONDS_DEFAULT: i64 = 99_999_999;
/// `TimeoutSeconds` and `HeartbeatSeconds` of a Task: at least. Source: language, "Task".
pub const TASK_TIMEOUT_SECONDS_MIN: i64 = 1;
/// `IntervalSeconds` when absent. Source: language, "Retrying after an error".
pub const RETRY_INTERVAL_SECONDS_DEFAULT: i64 = 1;
/// `IntervalSeconds` at least. Source: as above.
pub const RETRY_INTERVAL_SECONDS_MIN: i64 = 1;
/// `MaxAttempts` when absent. Source: as above.
pub const RETRY_MAX_ATTEMPTS_DEFAULT: i64 = 3;
/// `MaxAttempts` at most; 0 means never. Source: as above.
pub const RETRY_MAX_ATTEMPTS_MAX: i64 = 99_999_999;
/// `BackoffRate` when absent. Source: as above.
pub const RETRY_BACKOFF_RATE_DEFAULT: f64 = 2.0;
/// `BackoffRate` at least. Source: as above.
pub const RETRY_BACKOFF_RATE_MIN: f64 = 1.0;
/// `MaxDelaySeconds` at most: 366 days. Source: developer guide, "Handling errors".
pub const RETRY_MAX_DELAY_SECONDS_MAX: i64 = 31_622_400;
/// `MaxDelaySeconds` at least. Source: developer guide, "Handling errors".
pub const RETRY_MAX_DELAY_SECONDS_MIN: i64 = 1;

// Map.

/// Iterations of an inline Map that run at once, about. Source: developer guide, "Inline mode".
pub const INLINE_MAP_CONCURRENCY_MAX: u32 = 40;
/// Child executions of a Map Run that run at once. Source: quotas.
pub const MAP_RUN_CONCURRENCY_MAX: u32 = 10_000;
/// Open Map Runs per account; a further one waits. Source: quotas.
pub const OPEN_MAP_RUNS_MAX: u64 = 1_000;
/// Redrives of one Map Run. Source: quotas.
pub const MAP_RUN_REDRIVES_MAX: u32 = 1_000;
/// `MaxItems` of a reader. Source: language, "ItemReader"; developer guide.
pub const READER_ITEMS_MAX: u64 = 100_000_000;
/// `MaxInputBytesPerBatch`: bytes. Source: developer guide, "ItemBatcher".
pub const BATCH_INPUT_BYTES_MAX: usize = 262_144;
/// `ToleratedFailurePercentage`. Source: language, "Map".
pub const TOLERATED_FAILURE_PERCENTAGE_MAX: f64 = 100.0;
/// Bytes of a file that a reader reads: 10 GB. Source: developer guide, "ItemReader".
pub const READER_FILE_BYTES_MAX: u64 = 10 * 1024 * 1024 * 1024;
/// Bytes of an item before `ItemSelector`: 8 MB. Source: as above.
pub const READER_ITEM_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Bytes of a Parquet row group: 256 MB. Source: as above.
pub const PARQUET_ROW_GROUP_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Bytes of a Parquet footer: 5 MB. Source: as above.
pub const PARQUET_FOOTER_BYTES_MAX: u64 = 5 * 1024 * 1024;
/// Bytes of a result file: 5 GB. Source: developer guide, "ResultWriter".
pub const RESULT_FILE_BYTES_MAX: u64 = 5 * 1024 * 1024 * 1024;

// Expressions.

/// Intrinsic functions within one another. Source: developer guide, "Intrinsic functions".
pub const INTRINSIC_NESTING_MAX: usize = 10;
/// Items of `States.ArrayRange`. Source: as above.
pub const ARRAY_RANGE_ITEMS_MAX: usize = 1_000;
/// Characters given to `States.Base64Encode` and `States.Base64Decode`. Source: as above.
pub const BASE64_CHARS_MAX: usize = 10_000;
/// Characters given to `States.Hash`. Source: as above.
pub const HASH_CHARS_MAX: usize = 10_000;

/// The numbers of `States.MathAdd`: what 32 bits hold. Source: as above.
pub const MATH_ADD_NUMBERS: std::ops::RangeInclusive<i64> = -2_147_483_648..=2_147_483_647;

// Tasks and tests.

/// Seconds of an HTTP task. Source: quotas.
pub const HTTP_TASK_SECONDS_MAX: i64 = 60;
/// Seconds of a TestState call. Source: API (TestState).
pub const TEST_STATE_SECONDS_MAX: i64 = 300;

/// A token bucket: requests that may come at once, and requests per second afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// Requests at once.
    pub size: u32,
    /// Requests per second.
    pub refill_per_second: u32,
}

/// The quotas of one kind of call: in N. Virginia, Oregon and Ireland, and in the other Regions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Throttle {
    /// In the three largest Regions.
    pub large: Bucket,
    /// In all others.
    pub other: Bucket,
}

impl Throttle {
    const fn new(large: (u32, u32), other: (u32, u32)) -> Throttle {
        Throttle {
            large: Bucket { size: large.0, refill_per_second: large.1 },
            other: Bucket { size: other.0, refill_per_second: other.1 },
        }
    }

    const fn everywhere(size: u32, refill_per_second: u32) -> Throttle {
        Throttle::new((size, refill_per_second), (size, refill_per_second))
    }
}

/// State transitions of Standard executions, per account. Source: quotas.
pub const STATE_TRANSITIONS: Throttle = Throttle::new((5_000, 5_000), (800, 800));
/// StartExecution of Express state machines and StartSyncExecution. Source: quotas.
pub const EXPRESS_STARTS: Throttle = Throttle::everywhere(6_000, 6_000);
/// HTTP tasks. Source: quotas.
pub const HTTP_TASKS: Throttle = Throttle::everywhere(300, 300);

/// The quota of an API operation by its name, for Standard state machines. Source: quotas.
pub fn throttle(operation: &str) -> Throttle {
    match operation {
        "StartExecution" | "RedriveExecution" => Throttle::new((1_300, 300), (800, 150)),
        "StartSyncExecution" => EXPRESS_STARTS,
        "GetActivityTask" | "SendTaskSuccess" | "SendTaskFailure" | "SendTaskHeartbeat" => {
            Throttle::new((3_000, 500), (1_500, 300))
        }
        "StopExecution" => Throttle::new((1_000, 200), (500, 25)),
        "DescribeExecution" => Throttle::new((300, 15), (250, 10)),
        "GetExecutionHistory" => Throttle::everywhere(400, 20),
        "DescribeStateMachine" => Throttle::everywhere(200, 20),
        "ListExecutions" => Throttle::new((200, 5), (100, 2)),
        "ListStateMachines" => Throttle::everywhere(100, 5),
        "ListActivities" => Throttle::new((100, 10), (100, 5)),
        "TestState" => Throttle::everywhere(1, 1),
        "TagResource" | "UntagResource" => Throttle::everywhere(200, 1),
        _ if operation.starts_with("Describe") => Throttle::everywhere(200, 1),
        _ => Throttle::everywhere(100, 1),
    }
}

/// The limits that an installation may raise or lift; `None` means without limit. The default
/// is the service's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// See [`PAYLOAD_BYTES_MAX`].
    pub payload_bytes_max: Option<usize>,
    /// See [`DEFINITION_BYTES_MAX`].
    pub definition_bytes_max: Option<usize>,
    /// See [`HISTORY_EVENTS_MAX`].
    pub history_events_max: Option<u64>,
    /// See [`VARIABLE_BYTES_MAX`].
    pub variable_bytes_max: Option<usize>,
    /// See [`ASSIGN_BYTES_MAX`].
    pub assign_bytes_max: Option<usize>,
    /// See [`VARIABLES_BYTES_MAX`].
    pub variables_bytes_max: Option<usize>,
    /// See [`STANDARD_DURATION_SECONDS_MAX`].
    pub standard_duration_seconds_max: Option<i64>,
    /// See [`EXPRESS_DURATION_SECONDS_MAX`].
    pub express_duration_seconds_max: Option<i64>,
    /// See [`INLINE_MAP_CONCURRENCY_MAX`].
    pub inline_map_concurrency_max: Option<u32>,
    /// See [`MAP_RUN_CONCURRENCY_MAX`].
    pub map_run_concurrency_max: Option<u32>,
    /// See [`OPEN_EXECUTIONS_MAX`].
    pub open_executions_max: Option<u64>,
    /// See [`OPEN_MAP_RUNS_MAX`].
    pub open_map_runs_max: Option<u64>,
    /// See [`STATE_MACHINES_MAX`].
    pub state_machines_max: Option<u64>,
    /// See [`ACTIVITIES_MAX`].
    pub activities_max: Option<u64>,
    /// See [`VERSIONS_MAX`].
    pub versions_max: Option<u64>,
    /// See [`ALIASES_MAX`].
    pub aliases_max: Option<u64>,
    /// See [`READER_ITEMS_MAX`].
    pub reader_items_max: Option<u64>,
    /// See [`REDRIVE_WINDOW_DAYS`].
    pub redrive_window_days: Option<i64>,
    /// See [`HTTP_TASK_SECONDS_MAX`].
    pub http_task_seconds_max: Option<i64>,
}

impl Limits {
    /// The service's own limits.
    pub const SERVICE: Limits = Limits {
        payload_bytes_max: Some(PAYLOAD_BYTES_MAX),
        definition_bytes_max: Some(DEFINITION_BYTES_MAX),
        history_events_max: Some(HISTORY_EVENTS_MAX),
        variable_bytes_max: Some(VARIABLE_BYTES_MAX),
        assign_bytes_max: Some(ASSIGN_BYTES_MAX),
        variables_bytes_max: Some(VARIABLES_BYTES_MAX),
        standard_duration_seconds_max: Some(STANDARD_DURATION_SECONDS_MAX),
        express_duration_seconds_max: Some(EXPRESS_DURATION_SECONDS_MAX),
        inline_map_concurrency_max: Some(INLINE_MAP_CONCURRENCY_MAX),
        map_run_concurrency_max: Some(MAP_RUN_CONCURRENCY_MAX),
        open_executions_max: Some(OPEN_EXECUTIONS_MAX),
        open_map_runs_max: Some(OPEN_MAP_RUNS_MAX),
        state_machines_max: Some(STATE_MACHINES_MAX),
        activities_max: Some(ACTIVITIES_MAX),
        versions_max: Some(VERSIONS_MAX),
        aliases_max: Some(ALIASES_MAX),
        reader_items_max: Some(READER_ITEMS_MAX),
        redrive_window_days: Some(REDRIVE_WINDOW_DAYS),
        http_task_seconds_max: Some(HTTP_TASK_SECONDS_MAX),
    };

    /// No limits at all.
    pub const NONE: Limits = Limits {
        payload_bytes_max: None,
        definition_bytes_max: None,
        history_events_max: None,
        variable_bytes_max: None,
        assign_bytes_max: None,
        variables_bytes_max: None,
        standard_duration_seconds_max: None,
        express_duration_seconds_max: None,
        inline_map_concurrency_max: None,
        map_run_concurrency_max: None,
        open_executions_max: None,
        open_map_runs_max: None,
        state_machines_max: None,
        activities_max: None,
        versions_max: None,
        aliases_max: None,
        reader_items_max: None,
        redrive_window_days: None,
        http_task_seconds_max: None,
    };
}

impl Default for Limits {
    fn default() -> Limits {
        Limits::SERVICE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_the_services() {
        let limits = Limits::default();
        assert_eq!(limits.payload_bytes_max, Some(256 * 1024));
        assert_eq!(limits.history_events_max, Some(25_000));
        assert_ne!(limits, Limits::NONE);
    }

    #[test]
    fn throttles() {
        let check = |operation: &str, large: (u32, u32), other: (u32, u32)| {
            assert_eq!(throttle(operation), Throttle::new(large, other), "{operation}");
        };
        check("StartExecution", (1_300, 300), (800, 150));
        check("SendTaskHeartbeat", (3_000, 500), (1_500, 300));
        check("StopExecution", (1_000, 200), (500, 25));
        check("DescribeExecution", (300, 15), (250, 10));
        check("DescribeStateMachine", (200, 20), (200, 20));
        check("DescribeActivity", (200, 1), (200, 1));
        check("UntagResource", (200, 1), (200, 1));
        check("ListExecutions", (200, 5), (100, 2));
        check("CreateStateMachine", (100, 1), (100, 1));
        check("TestState", (1, 1), (1, 1));
    }
}
