//! What results tell of the HTTP exchange: `SdkHttpMetadata` and `SdkResponseMetadata`.

use aws_wire::protocol::Response;
use model::json::{Map, Text, Value};

/// How the service spells headers, whatever case they arrive in. Others keep what they have.
/// Source: recorded outputs.
const HEADER_NAMES: [&str; 10] = [
    "Content-Length",
    "Content-Type",
    "Date",
    "Server",
    "X-Amz-Executed-Version",
    "X-Amz-Log-Result",
    "X-Amzn-Trace-Id",
    "x-amz-crc32",
    "x-amzn-Remapped-Content-Length",
    "x-amzn-RequestId",
];

/// Services that spell `Connection` with a capital.
const CAPITAL: [&str; 2] = ["dynamodb", "lambda"];

/// Adds what an answer of a service tells of its exchange.
pub(crate) fn add(members: &mut Map, response: &Response, service: &str) {
    let capital = CAPITAL.contains(&service);
    let headers = || response.headers.iter().map(|(name, value)| (spelled(name, capital), value.as_str()));
    let mut all: Vec<(Text, Vec<Value>)> = Vec::new();
    for (name, value) in headers() {
        match all.iter_mut().find(|(other, _)| *other == name) {
            Some((_, values)) => values.push(value.into()),
            None => all.push((name, vec![value.into()])),
        }
    }
    let all: Value = all.into_iter().map(|(name, values)| (name, Value::from(values))).collect();
    let mut last: Map = headers().map(|(name, value)| (name, Value::from(value))).collect();
    last.sort_by(|one, _, other, _| one.to_ascii_lowercase().cmp(&other.to_ascii_lowercase()));
    let status = Value::from(u32::from(response.status));
    let http = [("AllHttpHeaders", all), ("HttpHeaders", Value::from(last)), ("HttpStatusCode", status)];
    let request_id = response.header("x-amzn-RequestId").map(|id| ("RequestId", Value::from(id)));
    members.insert("SdkHttpMetadata".into(), http.into_iter().collect());
    members.insert("SdkResponseMetadata".into(), request_id.into_iter().collect());
}

fn spelled(name: &str, capital: bool) -> Text {
    if name.eq_ignore_ascii_case("connection") {
        return Text::new_static(if capital { "Connection" } else { "connection" });
    }
    let known = HEADER_NAMES.iter().find(|known| known.eq_ignore_ascii_case(name));
    known.map_or_else(|| Text::from(name), |known| Text::new_static(known))
}
