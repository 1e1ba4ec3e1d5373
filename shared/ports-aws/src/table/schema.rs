//! How the table looks. Whoever creates it (a template, [`create`]) uses these names.
//!
//! | attribute | type | what |
//! | --- | --- | --- |
//! | `p`, `s` | S | partition key and sort key |
//! | `r` | N | revision |
//! | `m`, `b` | B | summary and body; absent when empty |
//! | `t` | N | expiry in seconds since the epoch: the TTL attribute |
//! | `p1`, `s1` | S | partition and place in the index `first` |
//! | `p2`, `s2` | S | the same of `second` |
//! | `o1`, `o2` | S | sort key of an entry whose place is too long to hold it |
//!
//! Names are short because they are stored, and paid for, with every row. Both indexes are global
//! and project `m` and their `o` attribute beside the keys. The table is paid for by request,
//! and the time to live is enabled on `t`.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
    ProjectionType, ScalarAttributeType, TableStatus, TimeToLiveSpecification,
};
use ports::{Clock, Index, TableError};

use super::fault;
use crate::config::{Timeouts, limits, retries};
use crate::fault::Fault;

/// Partition key.
pub const PARTITION: &str = "p";
/// Sort key.
pub const SORT: &str = "s";
/// Revision.
pub const REVISION: &str = "r";
/// Summary.
pub const SUMMARY: &str = "m";
/// Body.
pub const BODY: &str = "b";
/// Expiry: the TTL attribute.
pub const EXPIRES: &str = "t";

/// Names of a secondary index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexNames {
    /// Of the index.
    pub index: &'static str,
    /// Of its partition key.
    pub partition: &'static str,
    /// Of its sort key: the place of the entry.
    pub place: &'static str,
    /// Of the attribute with the sort key of an entry where the place does not hold it.
    pub overflow: &'static str,
}

/// The index [`Index::First`].
pub const FIRST: IndexNames = IndexNames { index: "first", partition: "p1", place: "s1", overflow: "o1" };
/// The index [`Index::Second`].
pub const SECOND: IndexNames = IndexNames { index: "second", partition: "p2", place: "s2", overflow: "o2" };

/// The names of an index.
pub const fn names(index: Index) -> IndexNames {
    match index {
        Index::First => FIRST,
        Index::Second => SECOND,
    }
}

/// How long [`create`] waits for the table.
const CREATED_WITHIN: Duration = Duration::from_secs(120);
/// Between two looks at it.
const LOOK_MILLIS: i64 = 200;

/// Creates the table and waits until it can be used. For tests and trials: an installation has it
/// from its template.
pub async fn create(
    sdk: &SdkConfig,
    table: &str,
    timeouts: Timeouts,
    clock: &dyn Clock,
) -> Result<(), TableError> {
    let config = aws_sdk_dynamodb::config::Builder::from(sdk)
        .retry_config(retries())
        .timeout_config(limits(timeouts, timeouts.blob_attempt))
        .build();
    let client = Client::from_conf(config);
    let incomplete = |error: BuildError| TableError::Unavailable(error.to_string());
    let mut request = client.create_table().table_name(table).billing_mode(BillingMode::PayPerRequest);
    let keys = [PARTITION, SORT, FIRST.partition, FIRST.place, SECOND.partition, SECOND.place];
    for name in keys {
        let attribute = AttributeDefinition::builder()
            .attribute_name(name)
            .attribute_type(ScalarAttributeType::S)
            .build()
            .map_err(incomplete)?;
        request = request.attribute_definitions(attribute);
    }
    for key in key_schema(PARTITION, SORT).map_err(incomplete)? {
        request = request.key_schema(key);
    }
    for index in [FIRST, SECOND] {
        let projection = Projection::builder()
            .projection_type(ProjectionType::Include)
            .non_key_attributes(SUMMARY)
            .non_key_attributes(index.overflow)
            .build();
        let index = GlobalSecondaryIndex::builder()
            .index_name(index.index)
            .set_key_schema(Some(key_schema(index.partition, index.place).map_err(incomplete)?.into()))
            .projection(projection)
            .build()
            .map_err(incomplete)?;
        request = request.global_secondary_indexes(index);
    }
    let failed = |fault: Fault, operation| fault::of_read(&fault, operation, table);
    request.send().await.map_err(|error| failed(Fault::of(error), "CreateTable"))?;

    let until = clock.now().plus_millis(i64::try_from(CREATED_WITHIN.as_millis()).unwrap_or(i64::MAX));
    loop {
        let described = client.describe_table().table_name(table).send().await;
        let described = described.map_err(|error| failed(Fault::of(error), "DescribeTable"))?;
        let status = described.table.and_then(|table| table.table_status);
        if status == Some(TableStatus::Active) {
            break;
        }
        if clock.now() >= until {
            return Err(TableError::Unavailable(format!(
                "the table {table} is still not active: {status:?}"
            )));
        }
        clock.sleep_until(clock.now().plus_millis(LOOK_MILLIS)).await;
    }
    let expiry = TimeToLiveSpecification::builder().enabled(true).attribute_name(EXPIRES).build();
    let request = client
        .update_time_to_live()
        .table_name(table)
        .time_to_live_specification(expiry.map_err(incomplete)?);
    request.send().await.map_err(|error| failed(Fault::of(error), "UpdateTimeToLive"))?;
    Ok(())
}

fn key_schema(partition: &str, sort: &str) -> Result<[KeySchemaElement; 2], BuildError> {
    let key = |name: &str, kind| KeySchemaElement::builder().attribute_name(name).key_type(kind).build();
    Ok([key(partition, KeyType::Hash)?, key(sort, KeyType::Range)?])
}
