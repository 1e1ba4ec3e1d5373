//! CreateStateMachineAlias, DescribeStateMachineAlias, UpdateStateMachineAlias,
//! DeleteStateMachineAlias, ListStateMachineAliases.

use journal::registry::{Alias, AliasChange, AliasOutcome, Qualifier, Route};
use model::arn::StateMachineArn;
use model::json::{Text, Value};
use model::limits::{ALIAS_ROUTES_MAX, ALIAS_WEIGHTS_SUM};
use model::name::check_alias_name;
use model::status::ValidationExceptionReason;
use model::timestamp::Timestamp;

use super::create_state_machine::DESCRIPTION;
use super::page::{TOKEN_CHARS_MAX, page};
use super::qualified::{alias_arn, version_arn};
use crate::error::ApiError;
use crate::name;
use crate::service::Inner;
use crate::token::{self, Listing};
use crate::wire::{ARN, Answer, Members, NAME, Rule, read};

const ALIAS_NAME: Rule =
    NAME.matching(r"^(?=.*[a-zA-Z_\-\.])[a-zA-Z0-9_\-\.]+$", |name| check_alias_name(name).is_ok());

/// An entry of `routingConfiguration` as it was sent.
struct RouteRequest {
    version_arn: Text,
    weight: i64,
}

/// `routingConfiguration`.
fn routes(members: &Members<'_>) -> Option<Vec<RouteRequest>> {
    let routes = members.structures("routingConfiguration", |route| RouteRequest {
        version_arn: route.required_text("stateMachineVersionArn", &ARN),
        weight: route.required_integer("weight", 0..=ALIAS_WEIGHTS_SUM).unwrap_or_default(),
    })?;
    let shown: Vec<String> = routes
        .iter()
        // A longer list is quoted in part, as every long value is.
        .take(2 * ALIAS_ROUTES_MAX)
        .map(|RouteRequest { version_arn, weight }| {
            format!("RoutingConfigurationListItem(stateMachineVersionArn={version_arn}, weight={weight})")
        })
        .collect();
    let shown = format!("[{}]", shown.join(", "));
    members.check_length("routingConfiguration", routes.len(), 1..=ALIAS_ROUTES_MAX, &shown);
    Some(routes)
}

/// The state machine of all routes, and the routes. Source: conformance case
/// `error_create_alias_invalid_router_configs`; the order of the checks is not recorded.
fn checked(routes: &[RouteRequest]) -> Result<(StateMachineArn, Vec<Route>), ApiError> {
    let arns: Vec<&str> = routes.iter().map(|route| route.version_arn.as_str()).collect();
    let refused = |what: &str| {
        ApiError::invalid_routes(format!(
            "Routing configuration must contain {what}. Received: [{}]",
            arns.join(", ")
        ))
    };
    if arns.iter().enumerate().any(|(at, arn)| arns[..at].contains(arn)) {
        return Err(refused("distinct state machine version ARNs"));
    }
    let mut machine: Option<StateMachineArn> = None;
    let mut numbers = Vec::new();
    for route in routes {
        let name::Machine::Of(arn, Some(Qualifier::Version(number))) =
            name::state_machine(&route.version_arn)?
        else {
            return Err(refused("state machine version ARNs"));
        };
        if machine.as_ref().is_some_and(|machine| *machine != arn) {
            return Err(refused("version ARNs of one state machine"));
        }
        machine = Some(arn);
        numbers.push(number);
    }
    let weights: Vec<i64> = routes.iter().map(|route| route.weight).collect();
    if weights.iter().sum::<i64>() != ALIAS_WEIGHTS_SUM {
        let weights: Vec<String> = weights.iter().map(i64::to_string).collect();
        let sum = ALIAS_WEIGHTS_SUM;
        let received = weights.join(", ");
        return Err(ApiError::invalid_routes(format!(
            "Sum of routing configuration weights must equal {sum}. Received: [{received}]"
        )));
    }
    let machine = machine.ok_or_else(|| refused("state machine version ARNs"))?;
    let routes = numbers
        .into_iter()
        .zip(weights)
        .map(|(version, weight)| Route { version, weight: weight.unsigned_abs() });
    Ok((machine, routes.collect()))
}

/// The same again is no error, and answers as the first time.
pub(super) async fn create(service: &Inner, body: &Value) -> Result<Value, ApiError> {
    let (description, name, routes) = read(body, |members| {
        let description = members.text("description", &DESCRIPTION);
        let name = members.required_text("name", &ALIAS_NAME);
        if !members.has("routingConfiguration") {
            members.missing("routingConfiguration", false);
        }
        (description, name, routes(members).unwrap_or_default())
    })?;
    let (arn, routes) = checked(&routes)?;
    let now = service.clock.now();
    let alias = Alias { name, description, routes, created_at: now, updated_at: now };
    let aliases_max = service.limits.aliases_max;
    let made = match service.registry.create_alias(&arn, &alias, aliases_max).await? {
        AliasOutcome::Done(made) => made,
        AliasOutcome::Exists(existing)
            if existing.description == alias.description && existing.routes == alias.routes =>
        {
            existing
        }
        AliasOutcome::Exists(_) => return Err(ApiError::alias_exists()),
        AliasOutcome::Missing => return Err(missing_route(service, &arn, &alias.routes).await?),
        AliasOutcome::TooMany => return Err(ApiError::quota_exceeded("aliases", &arn, aliases_max)),
    };
    let answer = Answer::new()
        .with("stateMachineAliasArn", alias_arn(&arn, &made.name))
        .with_time("creationDate", made.created_at);
    Ok(answer.into())
}

/// The refusal of routes to what does not exist.
async fn missing_route(
    service: &Inner,
    arn: &StateMachineArn,
    routes: &[Route],
) -> Result<ApiError, ApiError> {
    let machine = service.registry.state_machine(arn).await?;
    let is_there =
        |route: &&Route| machine.as_ref().is_some_and(|machine| machine.versions.has(route.version));
    let missing = routes.iter().find(|route| !is_there(route)).or(routes.first());
    Ok(ApiError::reference_not_found(
        &missing.map_or_else(|| Text::from(arn.as_str()), |route| version_arn(arn, route.version)),
    ))
}

pub(super) async fn describe(service: &Inner, body: &Value) -> Result<Value, ApiError> {
    let text = read(body, |members| members.required_text("stateMachineAliasArn", &ARN))?;
    let (arn, name) = name::alias(&text)?;
    let machine = service.registry.state_machine(&arn).await?;
    let alias = machine.as_ref().and_then(|machine| machine.alias(&name));
    let alias = alias.ok_or_else(|| ApiError::reference_not_found(&text))?;
    let route = |route: &Route| {
        let item = Answer::new()
            .with("stateMachineVersionArn", version_arn(&arn, route.version))
            .with("weight", i64::try_from(route.weight).unwrap_or(ALIAS_WEIGHTS_SUM));
        Value::from(item)
    };
    let answer = Answer::new()
        .with("stateMachineAliasArn", text)
        .with("name", name)
        .with_some("description", alias.description.clone())
        .with("routingConfiguration", alias.routes.iter().map(route).collect::<Value>())
        .with_time("creationDate", alias.created_at)
        .with_time("updateDate", alias.updated_at);
    Ok(answer.into())
}

pub(super) async fn update(service: &Inner, body: &Value) -> Result<Value, ApiError> {
    let (text, description, routes) = read(body, |members| {
        (
            members.required_text("stateMachineAliasArn", &ARN),
            members.text("description", &DESCRIPTION),
            routes(members),
        )
    })?;
    let (arn, name) = name::alias(&text)?;
    let routes = match routes.as_deref().map(checked).transpose()? {
        Some((machine, _)) if machine != arn => {
            let message = "Routing configuration must contain version ARNs of the alias's state machine";
            return Err(ApiError::invalid_routes(message));
        }
        Some((_, routes)) => Some(routes),
        None => None,
    };
    if description.is_none() && routes.is_none() {
        return Err(ApiError::validation_for(
            ValidationExceptionReason::MissingRequiredParameter,
            "Either the description or the routing configuration must be specified",
        ));
    }
    let change = AliasChange { description, routes };
    match service.registry.update_alias(&arn, &name, &change, service.clock.now()).await? {
        AliasOutcome::Done(alias) | AliasOutcome::Exists(alias) => {
            Ok(Answer::new().with_time("updateDate", alias.updated_at).into())
        }
        AliasOutcome::Missing => Err(ApiError::reference_not_found(&text)),
        AliasOutcome::TooMany => Err(ApiError::quota_exceeded("aliases", &arn, service.limits.aliases_max)),
    }
}

/// Deleting what is not there is no error (conformance case `delete_no_such_alias_arn`).
pub(super) async fn delete(service: &Inner, body: &Value) -> Result<Value, ApiError> {
    let text = read(body, |members| members.required_text("stateMachineAliasArn", &ARN))?;
    let (arn, name) = name::alias(&text)?;
    service.registry.delete_alias(&arn, &name).await?;
    Ok(Value::object())
}

/// In the order of their creation, as recorded; of a version, those that lead to it.
pub(super) async fn list(service: &Inner, body: &Value) -> Result<Value, ApiError> {
    let (text, page) = read(body, |members| {
        (members.required_text("stateMachineArn", &ARN), page(members, TOKEN_CHARS_MAX))
    })?;
    let (arn, qualifier) = name::state_machine(&text)?.qualified_unlabelled(&text)?;
    let arguments = [Some(text.as_str())];
    let listing = Listing { operation: "ListStateMachineAliases", arguments: &arguments };
    let now = service.clock.now();
    let after: Option<(Timestamp, Text)> = token::position(listing, page.token.as_deref(), now)?;
    let machine = service.registry.state_machine(&arn).await?;
    let machine = machine.ok_or_else(|| ApiError::state_machine_does_not_exist(&arn))?;
    let mut aliases: Vec<&Alias> = match qualifier {
        None => machine.aliases.iter().collect(),
        Some(Qualifier::Version(number)) if machine.versions.has(number) => {
            machine.aliases_of(number).collect()
        }
        Some(_) => return Err(ApiError::reference_not_found(&text)),
    };
    let place = |alias: &Alias| (alias.created_at, alias.name.clone());
    aliases.sort_by_key(|alias| place(alias));
    aliases.retain(|alias| after.as_ref().is_none_or(|after| place(alias) > *after));
    let last = aliases.get(page.limit - 1).filter(|_| aliases.len() > page.limit).map(|alias| place(alias));
    let shown = |alias: &&Alias| {
        let item = Answer::new()
            .with("stateMachineAliasArn", alias_arn(&arn, &alias.name))
            .with_time("creationDate", alias.created_at);
        Value::from(item)
    };
    let answer = Answer::new()
        .with("stateMachineAliases", aliases.iter().take(page.limit).map(shown).collect::<Value>())
        .with_some("nextToken", last.map(|last| token::issue(listing, last, now)));
    Ok(answer.into())
}
