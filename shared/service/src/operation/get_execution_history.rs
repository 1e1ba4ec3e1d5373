//! GetExecutionHistory.

use journal::execution::{HistoryPage, HistoryQuery};
use model::json::Value;
use ports::Order;

use super::page::{TOKEN_CHARS_MAX, page};
use crate::error::ApiError;
use crate::name;
use crate::service::Inner;
use crate::token::{self, Listing};
use crate::wire::{ARN, Answer, read};

pub(super) async fn run(service: &Inner, body: &Value) -> Result<Value, ApiError> {
    let (text, page, reverse, include) = read(body, |members| {
        (
            members.required_text("executionArn", &ARN),
            page(members, TOKEN_CHARS_MAX),
            members.boolean("reverseOrder").unwrap_or(false),
            members.boolean("includeExecutionData").unwrap_or(true),
        )
    })?;
    let arn = name::execution(&text)?;
    let order = if reverse { Order::Descending } else { Order::Ascending };
    let arguments = [Some(arn.as_str()), Some(if reverse { "newest first" } else { "oldest first" })];
    let listing = Listing { operation: "GetExecutionHistory", arguments: &arguments };
    let now = service.clock.now();
    let after: Option<u64> = token::position(listing, page.token.as_deref(), now)?;
    let query = HistoryQuery { order, after, limit: page.limit, include_payloads: include };
    let found = service.executions.history(&arn, &query).await?;
    let HistoryPage { events, more } = found.ok_or_else(|| ApiError::execution_does_not_exist(&arn))?;
    let last = events.last().map(|event| event.id).filter(|_| more);
    let answer = Answer::new()
        .with("events", events.iter().map(|event| event.to_api(include)).collect::<Value>())
        .with_some("nextToken", last.map(|id| token::issue(listing, id, now)));
    Ok(answer.into())
}
