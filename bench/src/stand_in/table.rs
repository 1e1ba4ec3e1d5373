//! A table of DynamoDB: the operations, conditions and key expressions that the adapter uses.
//!
//! Items stay as they were sent, so that nothing here knows what is stored. Indexes are read from the
//! items themselves. A page has no limit in bytes.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Map, Value, json};

use super::Refused;

/// The table's key: names of its partition key and its sort key, as the template has them.
const KEY: [&str; 2] = ["p", "s"];
/// What a write is answered whose condition does not hold.
pub(super) const CONDITION_FAILED: &str = "ConditionalCheckFailedException";

/// Items by their keys.
#[derive(Default)]
pub(super) struct Table {
    items: Mutex<Items>,
}

type Items = BTreeMap<[String; 2], Value>;

impl Table {
    pub(super) fn call(&self, operation: &str, request: &Value) -> Result<Value, Refused> {
        let mut items = self.items.lock().unwrap_or_else(PoisonError::into_inner);
        match operation {
            "GetItem" => Ok(match items.get(&key(&request["Key"])?) {
                Some(item) => json!({"Item": item}),
                None => json!({}),
            }),
            "PutItem" => {
                let key = key(&request["Item"])?;
                check(&items, &key, request)?;
                items.insert(key, request["Item"].clone());
                Ok(json!({}))
            }
            "DeleteItem" => {
                let key = key(&request["Key"])?;
                check(&items, &key, request)?;
                items.remove(&key);
                Ok(json!({}))
            }
            "Query" => query(&items, request),
            _ => Err(Refused::unknown(format_args!("DynamoDB {operation}"))),
        }
    }
}

fn invalid(what: &str) -> Refused {
    Refused { code: "ValidationException", message: format!("{what} is not what this table knows") }
}

/// The text of an attribute.
fn text<'v>(item: &'v Value, name: &str) -> Option<&'v str> {
    item[name]["S"].as_str()
}

fn key(item: &Value) -> Result<[String; 2], Refused> {
    let [partition, sort] = KEY.map(|name| text(item, name).map(str::to_owned));
    Ok([partition.ok_or_else(|| invalid("a key"))?, sort.ok_or_else(|| invalid("a key"))?])
}

/// Whether the condition of a write holds.
fn check(items: &MutexGuard<'_, Items>, key: &[String; 2], request: &Value) -> Result<(), Refused> {
    let item = items.get(key);
    let holds = match request["ConditionExpression"].as_str() {
        None => true,
        Some("attribute_not_exists(#p)") => item.is_none(),
        Some("#r = :r") => {
            let name = request["ExpressionAttributeNames"]["#r"].as_str();
            let name = name.ok_or_else(|| invalid("a name"))?;
            item.is_some_and(|item| item[name] == request["ExpressionAttributeValues"][":r"])
        }
        Some(other) => return Err(invalid(other)),
    };
    if holds {
        return Ok(());
    }
    Err(Refused { code: CONDITION_FAILED, message: "The conditional request failed".to_owned() })
}

fn query(items: &MutexGuard<'_, Items>, request: &Value) -> Result<Value, Refused> {
    let name = |alias: &str| {
        request["ExpressionAttributeNames"][alias].as_str().ok_or_else(|| invalid("a name of a query"))
    };
    let value = |alias: &str| {
        text(&request["ExpressionAttributeValues"], alias).ok_or_else(|| invalid("a value of a query"))
    };
    let (partition_name, sort_name) = (name("#p")?, name("#s")?);
    let (partition, to) = (value(":p")?, value(":to")?);
    let from = match request["KeyConditionExpression"].as_str() {
        Some("#p = :p AND #s BETWEEN :from AND :to") => value(":from")?,
        Some("#p = :p AND #s <= :to") => "",
        other => return Err(invalid(other.unwrap_or("a query without a condition"))),
    };
    // Entries of an index with the same sort key need an order, too.
    let place = |item: &Value| [sort_name, KEY[0], KEY[1]].map(|name| text(item, name).map(str::to_owned));
    let mut found: Vec<_> = items
        .values()
        .filter(|item| text(item, partition_name) == Some(partition))
        .filter(|item| text(item, sort_name).is_some_and(|sort| (from..=to).contains(&sort)))
        .map(|item| (place(item), item))
        .collect();
    found.sort_by(|a, b| a.0.cmp(&b.0));
    let is_descending = request["ScanIndexForward"] == false;
    if is_descending {
        found.reverse();
    }
    if request["ExclusiveStartKey"].is_object() {
        let start = place(&request["ExclusiveStartKey"]);
        found.retain(|(place, _)| if is_descending { *place < start } else { *place > start });
    }
    let limit = request["Limit"].as_u64().and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
    let is_cut = found.len() > limit;
    found.truncate(limit);
    let page: Vec<&Value> = found.into_iter().map(|(_, item)| item).collect();
    let mut answer = json!({"Items": page, "Count": page.len()});
    if let Some(last) = page.last().filter(|_| is_cut) {
        let names = [KEY[0], KEY[1], partition_name, sort_name];
        let key: Map<String, Value> =
            names.into_iter().map(|name| (name.to_owned(), last[name].clone())).collect();
        answer["LastEvaluatedKey"] = Value::Object(key);
    }
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(partition: &str, sort: &str, revision: u32) -> Value {
        json!({"p": {"S": partition}, "s": {"S": sort}, "r": {"N": revision.to_string()}})
    }

    fn put(table: &Table, item: Value, revision: Option<u32>) -> Option<&'static str> {
        let condition = match revision {
            None => json!({"ConditionExpression": "attribute_not_exists(#p)",
                "ExpressionAttributeNames": {"#p": "p"}}),
            Some(revision) => json!({"ConditionExpression": "#r = :r",
                "ExpressionAttributeNames": {"#r": "r"},
                "ExpressionAttributeValues": {":r": {"N": revision.to_string()}}}),
        };
        let mut request = condition;
        request["Item"] = item;
        table.call("PutItem", &request).err().map(|refused| refused.code)
    }

    #[test]
    fn conditions_are_looked_at() {
        let table = Table::default();
        assert_eq!(put(&table, item("a", "1", 7), None), None);
        assert_eq!(put(&table, item("a", "1", 7), None), Some(CONDITION_FAILED));
        assert_eq!(put(&table, item("a", "1", 8), Some(7)), None);
        assert_eq!(put(&table, item("a", "1", 9), Some(7)), Some(CONDITION_FAILED));
        assert_eq!(put(&table, item("a", "2", 9), Some(7)), Some(CONDITION_FAILED));
        let key = json!({"Key": item("a", "1", 0)});
        let found = table.call("GetItem", &key).ok().expect("it is answered");
        assert_eq!(found["Item"], item("a", "1", 8));
        table.call("DeleteItem", &key).ok().expect("it is answered");
        assert_eq!(table.call("GetItem", &key).ok(), Some(json!({})));
        assert_eq!(table.call("Scan", &json!({})).err().map(|it| it.code), Some("UnknownOperationException"));
    }

    /// What a query finds page by page: revisions, with `|` between pages.
    fn pages(table: &Table, mut query: Value) -> String {
        let mut found = Vec::new();
        loop {
            let page = table.call("Query", &query).ok().expect("it is answered");
            let items = page["Items"].as_array().expect("a list");
            let revisions = items.iter().filter_map(|item| item["r"]["N"].as_str());
            found.push(revisions.collect::<Vec<_>>().join(" "));
            match page.get("LastEvaluatedKey") {
                Some(last) => query["ExclusiveStartKey"] = last.clone(),
                None => return found.join(" | "),
            }
        }
    }

    #[test]
    fn ranges_are_read_in_pages() {
        let table = Table::default();
        for revision in 1..=5_u32 {
            let mut item = item("a", &format!("{revision}"), revision);
            if revision != 3 {
                // Two of them have the same place in the index.
                let place = format!("{}", 9 - revision / 2);
                (item["p1"], item["s1"]) = (json!({"S": "listed"}), json!({"S": place}));
            }
            assert_eq!(put(&table, item, None), None);
        }
        assert_eq!(put(&table, item("b", "1", 6), None), None);
        let query =
            |names: [&str; 2], partition: &str, from: Option<&str>, limit: u32, is_ascending: bool| {
                let condition =
                    from.map_or("#p = :p AND #s <= :to", |_| "#p = :p AND #s BETWEEN :from AND :to");
                json!({
                    "KeyConditionExpression": condition,
                    "ExpressionAttributeNames": {"#p": names[0], "#s": names[1]},
                    "ExpressionAttributeValues":
                        {":p": {"S": partition}, ":from": {"S": from.unwrap_or_default()}, ":to": {"S": "8"}},
                    "Limit": limit,
                    "ScanIndexForward": is_ascending,
                })
            };
        let cases = [
            (query(KEY, "a", None, 10, true), "1 2 3 4 5"),
            (query(KEY, "a", None, 2, true), "1 2 | 3 4 | 5"),
            (query(KEY, "a", Some("2"), 2, false), "5 4 | 3 2"),
            (query(KEY, "c", None, 2, true), ""),
            (query(["p1", "s1"], "listed", None, 1, true), "4 | 5 | 2"),
            (query(["p1", "s1"], "listed", Some("7"), 2, false), "2 5 | 4"),
        ];
        for (query, expected) in cases {
            assert_eq!(pages(&table, query.clone()), expected, "{query}");
        }
    }
}
