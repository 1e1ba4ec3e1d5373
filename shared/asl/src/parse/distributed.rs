//! `ItemReader`, `ItemBatcher` and `ResultWriter`.

use model::json::SpannedKind;
use model::limits;

use super::Context;
use super::expression::{Roots, Sees};
use super::map::arguments_name;
use super::object::Object;
use super::state::StateContext;
use crate::state::{ItemBatcher, ItemReader, ReaderConfig, ResultWriter, WriterConfig};

const READERS: [&str; 2] = ["s3:getObject", "s3:listObjectsV2"];
const WRITERS: [&str; 1] = ["s3:putObject"];

const READER_CONFIG: &[&str] = &[
    "InputType",
    "ManifestType",
    "Transformation",
    "CSVHeaderLocation",
    "CSVHeaders",
    "CSVDelimiter",
    "ItemsPointer",
    "MaxItems",
];

impl Context<'_> {
    pub(super) fn item_reader(
        &mut self,
        object: &Object<'_, '_>,
        state: &StateContext<'_>,
    ) -> Option<ItemReader> {
        let node = object.get("ItemReader")?;
        let mut reader = self.object(node, object.at.member("ItemReader"))?;
        self.only_of_language(
            &mut reader,
            state,
            &["Resource", "ReaderConfig"],
            &["Parameters"],
            &["Arguments"],
        );
        self.required(&reader, &["Resource"]);
        let resource = self.storage_resource(&reader, &READERS);
        let arguments = self.reader_arguments(&reader, state);
        let config = self.reader_config(&reader, state);
        Some(ItemReader { resource: resource?, arguments, config: config.unwrap_or_default() })
    }

    /// The `Resource` of a reader or writer: one of `actions`.
    fn storage_resource(&mut self, object: &Object<'_, '_>, actions: &[&str]) -> Option<model::json::Text> {
        let resource = self.text(object, "Resource")?;
        let known = resource.strip_prefix("arn:").and_then(|rest| rest.split_once(":states:::")).is_some_and(
            |(partition, action)| {
                partition.starts_with("aws") && !partition.contains(':') && actions.contains(&action)
            },
        );
        if !known {
            let span = object.get("Resource")?.span;
            let message = "The field 'Resource' does not match any of the allowed values";
            self.schema(message, &object.at.member("Resource"), span);
        }
        known.then_some(resource)
    }

    fn reader_config(&mut self, reader: &Object<'_, '_>, state: &StateContext<'_>) -> Option<ReaderConfig> {
        let node = reader.get("ReaderConfig")?;
        let mut config = self.object(node, reader.at.member("ReaderConfig"))?;
        self.only_of_language(&mut config, state, READER_CONFIG, &["MaxItemsPath"], &[]);
        let input_type = self.one_of(&config, "InputType", &["CSV", "JSON", "JSONL", "PARQUET", "MANIFEST"]);
        let manifest_type = self.one_of(&config, "ManifestType", &["ATHENA_DATA", "S3_INVENTORY"]);
        let transformation = self.one_of(&config, "Transformation", &["NONE", "LOAD_AND_FLATTEN"]);
        let csv_header_location = self.one_of(&config, "CSVHeaderLocation", &["FIRST_ROW", "GIVEN"]);
        let csv_headers = config.get("CSVHeaders").and_then(|node| {
            let at = config.at.member("CSVHeaders");
            let items = self.filled_array(node, &at)?;
            self.texts(items, &at)
        });
        let csv_delimiter =
            self.one_of(&config, "CSVDelimiter", &["COMMA", "PIPE", "SEMICOLON", "SPACE", "TAB"]);
        match input_type.as_deref() {
            Some("CSV") if manifest_type.is_none() && !config.has("CSVHeaderLocation") => {
                self.schema("The field 'CSVHeaderLocation' is required", &config.at, config.span);
            }
            Some("JSON" | "JSONL" | "PARQUET") => {
                for name in ["CSVHeaderLocation", "CSVHeaders", "CSVDelimiter"] {
                    if config.has(name) {
                        self.unsupported(name, &config.at, config.span);
                    }
                }
            }
            _ => {}
        }
        if csv_header_location.as_deref() == Some("GIVEN") {
            self.required(&config, &["CSVHeaders"]);
        }
        if manifest_type.as_deref() == Some("S3_INVENTORY") && config.has("InputType") {
            self.unsupported("InputType", &config.at, config.span);
        }
        if transformation.as_deref() == Some("LOAD_AND_FLATTEN") {
            self.required(&config, &["InputType"]);
        }
        let items_max = i64::try_from(limits::READER_ITEMS_MAX).unwrap_or(i64::MAX);
        Some(ReaderConfig {
            input_type,
            manifest_type,
            transformation,
            csv_header_location,
            csv_headers,
            csv_delimiter,
            items_pointer: self.text(&config, "ItemsPointer"),
            max_items: self.integer_field(&config, state.language, "MaxItems", 0..=items_max, Roots::Data),
        })
    }

    pub(super) fn item_batcher(
        &mut self,
        object: &Object<'_, '_>,
        state: &StateContext<'_>,
    ) -> Option<ItemBatcher> {
        let node = object.get("ItemBatcher")?;
        let mut batcher = self.object(node, object.at.member("ItemBatcher"))?;
        self.only_of_language(
            &mut batcher,
            state,
            &["MaxItemsPerBatch", "MaxInputBytesPerBatch", "BatchInput"],
            &["MaxItemsPerBatchPath", "MaxInputBytesPerBatchPath"],
            &[],
        );
        let language = state.language;
        let bytes_max = i64::try_from(limits::BATCH_INPUT_BYTES_MAX).unwrap_or(i64::MAX);
        Some(ItemBatcher {
            max_items_per_batch: self.integer_field(
                &batcher,
                language,
                "MaxItemsPerBatch",
                0..=i64::MAX,
                Roots::Data,
            ),
            max_input_bytes_per_batch: self.integer_field(
                &batcher,
                language,
                "MaxInputBytesPerBatch",
                0..=bytes_max,
                Roots::Data,
            ),
            batch_input: self.template(&batcher, language, "BatchInput", Sees::INPUT),
        })
    }

    pub(super) fn result_writer(
        &mut self,
        object: &Object<'_, '_>,
        state: &StateContext<'_>,
    ) -> Option<ResultWriter> {
        let node = object.get("ResultWriter")?;
        let at = object.at.member("ResultWriter");
        let mut writer = self.object(node, at)?;
        if writer.members().is_empty() {
            self.empty(node, &at);
            return None;
        }
        self.only_of_language(
            &mut writer,
            state,
            &["Resource", "WriterConfig"],
            &["Parameters"],
            &["Arguments"],
        );
        let name = arguments_name(state.language);
        if writer.has("Resource") != writer.has(name) {
            self.required(&writer, &["Resource", name]);
        }
        let resource = self.storage_resource(&writer, &WRITERS);
        let arguments = self.reader_arguments(&writer, state);
        let config = self.writer_config(&writer, state);
        Some(ResultWriter { resource, arguments, config })
    }

    fn writer_config(&mut self, writer: &Object<'_, '_>, state: &StateContext<'_>) -> Option<WriterConfig> {
        let node = writer.get("WriterConfig")?;
        let mut config = self.object(node, writer.at.member("WriterConfig"))?;
        if matches!(&node.kind, SpannedKind::Object(members) if members.is_empty()) {
            self.empty(node, &config.at);
            return None;
        }
        let names = ["OutputType", "Transformation"];
        self.only(&mut config, &names);
        self.required(&config, &names);
        Some(WriterConfig {
            output_type: self.one_of_field(&config, state.language, "OutputType", &["JSON", "JSONL"]),
            transformation: self.one_of_field(
                &config,
                state.language,
                "Transformation",
                &["NONE", "COMPACT", "FLATTEN"],
            ),
        })
    }
}
