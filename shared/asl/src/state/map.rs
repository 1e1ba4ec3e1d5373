use model::json::Text;
use query::{jsonata, jsonpath};

use super::{Catcher, Flow, Retrier, Transition};
use crate::machine::ScopeId;
use crate::template::{Field, Template};

/// Runs its processor for every item.
#[derive(Clone, Debug)]
pub struct Map {
    /// Data flow.
    pub flow: Flow,
    /// `ItemsPath` or `Items`.
    pub items: Items,
    /// `ItemSelector`, or `Parameters` under its legacy name.
    pub item_selector: Option<Template>,
    /// `ItemProcessor`, or `Iterator` under its legacy name.
    pub processor: ScopeId,
    /// Set when `ProcessorConfig.Mode` is `DISTRIBUTED`.
    pub distributed: Option<Box<Distributed>>,
    /// `MaxConcurrency` or `MaxConcurrencyPath`; 0 or absent is the engine's limit.
    pub max_concurrency: Option<Field<i64>>,
    /// `ToleratedFailureCount` or `ToleratedFailureCountPath`; default 0.
    pub tolerated_failure_count: Option<Field<i64>>,
    /// `ToleratedFailurePercentage` or `ToleratedFailurePercentagePath`, 0–100; default 0.
    pub tolerated_failure_percentage: Option<Field<f64>>,
    /// `Retry`.
    pub retry: Vec<Retrier>,
    /// `Catch`.
    pub catch: Vec<Catcher>,
    /// `Next` or `End`.
    pub transition: Transition,
}

/// Where the items come from.
#[derive(Clone, Debug, Default)]
pub enum Items {
    /// The effective input itself.
    #[default]
    Input,
    /// JSONPath `ItemsPath`.
    Path(jsonpath::Path),
    /// JSONata `Items`: `{% … %}`.
    Query(jsonata::Expression),
    /// JSONata `Items`: an array or object written in the definition, perhaps with expressions inside.
    Template(Template),
}

/// What only a distributed Map has.
#[derive(Clone, Debug)]
pub struct Distributed {
    /// `ProcessorConfig.ExecutionType`.
    pub execution_type: ExecutionType,
    /// `Label`, at most 40 characters. Absent: generated from the state's name.
    pub label: Option<Text>,
    /// `ItemReader`.
    pub item_reader: Option<ItemReader>,
    /// `ItemBatcher`.
    pub item_batcher: Option<ItemBatcher>,
    /// `ResultWriter`.
    pub result_writer: Option<ResultWriter>,
}

/// What the children of a distributed Map are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExecutionType {
    /// `STANDARD`
    Standard,
    /// `EXPRESS`
    Express,
}

/// `ItemReader`.
#[derive(Clone, Debug)]
pub struct ItemReader {
    /// `Resource`: `arn:aws:states:::s3:getObject` or `…:s3:listObjectsV2`.
    pub resource: Text,
    /// `Parameters` or `Arguments`.
    pub arguments: Option<Template>,
    /// `ReaderConfig`.
    pub config: ReaderConfig,
}

/// `ReaderConfig`. Enumerated members are kept as the language spells them.
#[derive(Clone, Debug, Default)]
pub struct ReaderConfig {
    /// `InputType`: `CSV`, `JSON`, `JSONL`, `PARQUET` or `MANIFEST`.
    pub input_type: Option<Text>,
    /// `ManifestType`: `ATHENA_DATA` or `S3_INVENTORY`.
    pub manifest_type: Option<Text>,
    /// `Transformation`: `NONE` or `LOAD_AND_FLATTEN`.
    pub transformation: Option<Text>,
    /// `CSVHeaderLocation`: `FIRST_ROW` or `GIVEN`.
    pub csv_header_location: Option<Text>,
    /// `CSVHeaders`.
    pub csv_headers: Option<Vec<Text>>,
    /// `CSVDelimiter`: `COMMA`, `PIPE`, `SEMICOLON`, `SPACE` or `TAB`.
    pub csv_delimiter: Option<Text>,
    /// `ItemsPointer`: a JSON Pointer into a JSON file.
    pub items_pointer: Option<Text>,
    /// `MaxItems` or `MaxItemsPath`, at most 100,000,000.
    pub max_items: Option<Field<i64>>,
}

/// `ItemBatcher`.
#[derive(Clone, Debug, Default)]
pub struct ItemBatcher {
    /// `MaxItemsPerBatch` or `MaxItemsPerBatchPath`.
    pub max_items_per_batch: Option<Field<i64>>,
    /// `MaxInputBytesPerBatch` or `MaxInputBytesPerBatchPath`, at most 262,144.
    pub max_input_bytes_per_batch: Option<Field<i64>>,
    /// `BatchInput`.
    pub batch_input: Option<Template>,
}

/// `ResultWriter`.
#[derive(Clone, Debug)]
pub struct ResultWriter {
    /// `Resource`: `arn:aws:states:::s3:putObject`.
    pub resource: Option<Text>,
    /// `Parameters` or `Arguments`.
    pub arguments: Option<Template>,
    /// `WriterConfig`.
    pub config: Option<WriterConfig>,
}

/// `WriterConfig`.
#[derive(Clone, Debug, Default)]
pub struct WriterConfig {
    /// `OutputType`: `JSON` or `JSONL`.
    pub output_type: Option<Field<Text>>,
    /// `Transformation`: `NONE`, `COMPACT` or `FLATTEN`.
    pub transformation: Option<Field<Text>>,
}
