//! Rows on DynamoDB.

mod fault;
mod item;
mod place;
mod range;
pub mod schema;

use std::collections::HashMap;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::types::AttributeValue;
use model::json::Text;
use ports::table::PAGE_BYTES_MAX;
use ports::{
    Condition, IndexPage, IndexPosition, IndexQuery, IndexRow, Key, Order, Page, Query, Row, TableError,
};

use crate::config::{Timeouts, limits, retries};
use crate::fault::Fault;
use item::Item;
use range::{Range, is_behind};
use schema::{PARTITION, REVISION, SORT};

/// A table on DynamoDB, as [`schema`] describes it.
///
/// Reads by key and by range are strongly consistent. Reads of an index lag behind writes, as a
/// rule by less than a second; [`schema`]'s indexes are global, and cannot be read otherwise.
///
/// A write is sent once. Rows vanish up to some days after `expires_at`, which is kept in whole
/// seconds, rounded up. An item has the key of its row once more per index entry, so that the
/// largest rows that [`Row::check`] allows may not fit if their keys are long.
#[derive(Clone)]
pub struct Table {
    /// Sends once.
    writes: Client,
    /// Sends again what failed.
    reads: Client,
    name: Text,
}

impl Table {
    /// The table of this name or ARN.
    pub fn new(sdk: &SdkConfig, name: impl Into<Text>, timeouts: Timeouts) -> Table {
        let config = aws_sdk_dynamodb::config::Builder::from(sdk)
            .timeout_config(limits(timeouts, timeouts.attempt))
            .retry_config(RetryConfig::disabled())
            .build();
        let reads = config.to_builder().retry_config(retries()).build();
        Table { writes: Client::from_conf(config), reads: Client::from_conf(reads), name: name.into() }
    }

    /// One page, at most `limit` items of a range.
    async fn page(&self, range: &Ranged<'_>, limit: usize, start: Option<Item>) -> Result<Found, TableError> {
        let mut request = self
            .reads
            .query()
            .table_name(self.name.as_str())
            .set_index_name(range.index.map(str::to_owned))
            // An index that is global has no consistent reads.
            .consistent_read(range.index.is_none())
            .scan_index_forward(range.order == Order::Ascending)
            .limit(i32::try_from(limit).unwrap_or(i32::MAX))
            .set_exclusive_start_key(start)
            .expression_attribute_names("#p", range.partition_name)
            .expression_attribute_names("#s", range.sort_name)
            .expression_attribute_values(":p", AttributeValue::S(range.partition.to_owned()))
            .expression_attribute_values(":to", AttributeValue::S(range.range.upper.clone()));
        request = match &range.range.lower {
            Some(lower) => request
                .key_condition_expression("#p = :p AND #s BETWEEN :from AND :to")
                .expression_attribute_values(":from", AttributeValue::S(lower.clone())),
            None => request.key_condition_expression("#p = :p AND #s <= :to"),
        };
        let found =
            request.send().await.map_err(|error| fault::of_read(&Fault::of(error), "Query", &self.name))?;
        Ok(Found { items: found.items.unwrap_or_default(), last: found.last_evaluated_key })
    }

    /// The first of a range that `decode` accepts, and whether there may be more.
    async fn read<T>(
        &self,
        range: &Ranged<'_>,
        limit: usize,
        mut start: Option<Item>,
        decode: impl Fn(Item) -> Result<Option<T>, TableError>,
        bytes: impl Fn(&T) -> usize,
    ) -> Result<(Vec<T>, bool), TableError> {
        let limit = limit.max(1);
        let (mut taken, mut taken_bytes) = (Vec::new(), 0);
        loop {
            let found = self.page(range, limit, start).await?;
            for item in found.items {
                let Some(row) = decode(item)? else { continue };
                taken_bytes += bytes(&row);
                // The port counts a little more than DynamoDB does.
                let is_full = taken.len() >= limit || taken_bytes > PAGE_BYTES_MAX;
                if is_full && !taken.is_empty() {
                    return Ok((taken, true));
                }
                taken.push(row);
            }
            start = found.last;
            if start.is_none() || !taken.is_empty() {
                return Ok((taken, start.is_some()));
            }
        }
    }
}

/// A range of the table or of an index.
struct Ranged<'a> {
    index: Option<&'static str>,
    partition_name: &'static str,
    sort_name: &'static str,
    partition: &'a str,
    range: Range,
    order: Order,
}

/// Where a query goes on: what is left of its range.
struct Onward<'a, P> {
    from: &'a Text,
    to: &'a Text,
    /// Behind this one, which lies in the range.
    after: Option<&'a P>,
}

impl<'a, P> Onward<'a, P> {
    /// None when nothing is left.
    fn new(
        from: &'a Text,
        to: &'a Text,
        order: Order,
        after: Option<&'a P>,
        sort: impl Fn(&'a P) -> &'a Text,
    ) -> Option<Onward<'a, P>> {
        let (mut from, mut to, mut left) = (from, to, None);
        if let Some(after) = after {
            match (order, sort(after)) {
                (Order::Ascending, sort) if sort >= from => (from, left) = (sort, Some(after)),
                (Order::Descending, sort) if sort <= to => (to, left) = (sort, Some(after)),
                (Order::Ascending | Order::Descending, _) => {}
            }
        }
        (from <= to && !to.is_empty()).then_some(Onward { from, to, after: left })
    }

    /// The key to start behind, or else, when it is none that an item can have, the place that
    /// rows have to be behind.
    fn start(&self, key: impl Fn(&P) -> Option<Item>) -> (Option<Item>, Option<&'a P>) {
        let start = self.after.and_then(key);
        let behind = self.after.filter(|_| start.is_none());
        (start, behind)
    }
}

/// Whether a partition can have this name: DynamoDB refuses a query for another.
fn can_be_partition(partition: &Text) -> bool {
    Key::new(partition.clone(), "s").check().is_ok()
}

struct Found {
    items: Vec<Item>,
    last: Option<Item>,
}

/// What a condition is for DynamoDB: the expression, its names and its values.
type Expression = (String, HashMap<String, String>, Option<HashMap<String, AttributeValue>>);

fn expression(condition: Condition) -> Option<Expression> {
    let name = |alias: &str, name: &str| HashMap::from([(alias.to_owned(), name.to_owned())]);
    match condition {
        Condition::Always => None,
        Condition::Absent => Some(("attribute_not_exists(#p)".to_owned(), name("#p", PARTITION), None)),
        Condition::Revision(revision) => Some((
            "#r = :r".to_owned(),
            name("#r", REVISION),
            Some(HashMap::from([(":r".to_owned(), AttributeValue::N(revision.to_string()))])),
        )),
    }
}

#[async_trait]
impl ports::Table for Table {
    async fn get(&self, key: &Key) -> Result<Option<Row>, TableError> {
        if key.check().is_err() {
            return Ok(None);
        }
        let request = self.reads.get_item().table_name(self.name.as_str()).set_key(Some(item::key(key)));
        let found = request.consistent_read(true).send().await;
        let found = found.map_err(|error| fault::of_read(&Fault::of(error), "GetItem", &self.name))?;
        found.item.map(item::decode).transpose()
    }

    async fn put(&self, row: Row, condition: Condition) -> Result<(), TableError> {
        row.check()?;
        let mut request =
            self.writes.put_item().table_name(self.name.as_str()).set_item(Some(item::encode(&row)?));
        if let Some((expression, names, values)) = expression(condition) {
            request = request
                .condition_expression(expression)
                .set_expression_attribute_names(Some(names))
                .set_expression_attribute_values(values);
        }
        let of_write = |fault| fault::of_write(&fault, "PutItem", &self.name, &row.key.to_string());
        request.send().await.map_err(|error| of_write(Fault::of(error)))?;
        Ok(())
    }

    async fn delete(&self, key: &Key, condition: Condition) -> Result<(), TableError> {
        if key.check().is_err() {
            return match condition {
                Condition::Always | Condition::Absent => Ok(()),
                Condition::Revision(_) => Err(TableError::Conflict),
            };
        }
        let mut request =
            self.writes.delete_item().table_name(self.name.as_str()).set_key(Some(item::key(key)));
        if let Some((expression, names, values)) = expression(condition) {
            request = request
                .condition_expression(expression)
                .set_expression_attribute_names(Some(names))
                .set_expression_attribute_values(values);
        }
        let of_write = |fault| fault::of_write(&fault, "DeleteItem", &self.name, &key.to_string());
        request.send().await.map_err(|error| of_write(Fault::of(error)))?;
        Ok(())
    }

    async fn query(&self, query: &Query) -> Result<Page, TableError> {
        let Query { partition, from, to, order, after, limit } = query;
        let Some(onward) = Onward::new(from, to, *order, after.as_ref(), |sort| sort) else {
            return Ok(Page::default());
        };
        let range = Range::new(onward.from.to_string(), onward.to.to_string());
        // Behind the only key that is left there is nothing; DynamoDB would not start there.
        let is_used_up = onward.after.is_some() && onward.from == onward.to;
        let Some(range) = range.filter(|_| !is_used_up && can_be_partition(partition)) else {
            return Ok(Page::default());
        };
        let (start, behind) = onward.start(|sort| {
            let key = Key { partition: partition.clone(), sort: sort.clone() };
            key.check().is_ok().then(|| item::key(&key))
        });
        let ranged = Ranged {
            index: None,
            partition_name: PARTITION,
            sort_name: SORT,
            partition,
            range,
            order: *order,
        };
        let wanted = |row: &Row| {
            let sort = &row.key.sort;
            sort >= from && sort <= to && behind.is_none_or(|after| is_behind(sort, after, *order))
        };
        let decode = |item| item::decode(item).map(|row| Some(row).filter(&wanted));
        let (rows, more) = self.read(&ranged, *limit, start, decode, Row::bytes).await?;
        Ok(Page { rows, more })
    }

    async fn query_index(&self, query: &IndexQuery) -> Result<IndexPage, TableError> {
        let IndexQuery { index, partition, from, to, order, after, limit } = query;
        let names = schema::names(*index);
        let after = after.as_ref();
        let Some(onward) = Onward::new(from, to, *order, after, |after: &IndexPosition| &after.sort) else {
            return Ok(IndexPage::default());
        };
        let range = Range::new(place::before(onward.from), place::behind(onward.to));
        let Some(range) = range.filter(|_| can_be_partition(partition)) else {
            return Ok(IndexPage::default());
        };
        let (start, behind) = onward.start(|position| {
            let can_be = position.key.check().is_ok() && Key::new("p", position.sort.clone()).check().is_ok();
            can_be.then(|| item::index_key(names, partition, position))
        });
        let ranged = Ranged {
            index: Some(names.index),
            partition_name: names.partition,
            sort_name: names.place,
            partition,
            range,
            order: *order,
        };
        let wanted = |row: &IndexRow| {
            let position = &row.position;
            position.sort >= *from
                && position.sort <= *to
                && behind.is_none_or(|after| is_behind(position, after, *order))
        };
        let decode = |item| item::decode_entry(item, names).map(|row| Some(row).filter(&wanted));
        let bytes = |row: &IndexRow| row.bytes(partition.len());
        let (rows, more) = self.read(&ranged, *limit, start, decode, bytes).await?;
        Ok(IndexPage { rows, more })
    }
}
