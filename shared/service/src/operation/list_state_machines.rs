//! ListStateMachines, in the order of the names.

use model::arn::StateMachineArn;
use model::json::{Text, Value};

use super::page::{TOKEN_CHARS_MAX, page};
use crate::error::ApiError;
use crate::service::Inner;
use crate::token::{self, Listing};
use crate::wire::{Answer, read};

const LISTING: Listing<'_> = Listing { operation: "ListStateMachines", arguments: &[] };

pub(super) async fn run(service: &Inner, body: &Value) -> Result<Value, ApiError> {
    let page = read(body, |members| page(members, TOKEN_CHARS_MAX))?;
    let now = service.clock.now();
    let after: Option<Text> = token::position(LISTING, page.token.as_deref(), now)?;
    let listed = service.registry.list_state_machines(after.as_deref(), page.limit).await?;
    let last = listed.rows.last().map(|row| row.name.clone()).filter(|_| listed.more);
    let shown = |row: journal::registry::StateMachineListing| {
        let arn = StateMachineArn::new(service.home(), &row.name);
        let arn =
            arn.map_err(|error| ApiError::internal(format!("a state machine is listed wrongly: {error}")))?;
        let item = Answer::new()
            .with("stateMachineArn", arn)
            .with("name", row.name)
            .with("type", Text::new_static(row.machine_type.as_str()))
            .with_time("creationDate", row.created_at);
        Ok(Value::from(item))
    };
    let items = listed.rows.into_iter().map(shown).collect::<Result<Vec<Value>, ApiError>>()?;
    let answer = Answer::new()
        .with("stateMachines", items)
        .with_some("nextToken", last.map(|name| token::issue(LISTING, name, now)));
    Ok(answer.into())
}
