//! `Custom::StateMachineAlias`: the properties of `AWS::StepFunctions::StateMachineAlias`, and
//! `StateMachineArn`, which publishes a version of the current revision and routes to it.
//!
//! `StateMachineRevisionId` means nothing by itself: with the attribute of a state machine of the
//! template in it, the alias is updated whenever the state machine is.

use model::json::{Text, Value};
use service::ErrorType;

use super::answer::Data;
use super::{Physical, Tools, exists_already, owner, properties};
use crate::call::{ask, member, object, text};

/// An alias as its properties want it.
struct Desired {
    name: Option<Text>,
    description: Text,
    /// Versions and their weights.
    routes: Vec<(Text, i64)>,
    /// The state machine of which a version is published.
    state_machine: Option<Text>,
}

fn desired(properties: &Value) -> Result<Desired, String> {
    properties::read(properties, |members| {
        // Only its changes count.
        members.text("StateMachineRevisionId");
        if members.value("DeploymentPreference").is_some() {
            members.refuse(
                "DeploymentPreference",
                "is not available here; give RoutingConfiguration the weights",
            );
        }
        let routes = members.structures("RoutingConfiguration", |route| {
            let version = route.required_text("StateMachineVersionArn");
            let weight = route.integer("Weight");
            if weight.is_none() {
                route.refuse("Weight", "is missing");
            }
            (version, weight.unwrap_or_default())
        });
        let state_machine = members.text("StateMachineArn");
        if routes.as_ref().is_some_and(Vec::is_empty) || routes.is_some() == state_machine.is_some() {
            members.refuse("RoutingConfiguration", "or StateMachineArn: exactly one of them has to be there");
        }
        Desired {
            name: members.text("Name"),
            description: members.text("Description").unwrap_or_default(),
            routes: routes.unwrap_or_default(),
            state_machine,
        }
    })
}

impl Desired {
    /// ARN of the state machine that it is an alias of.
    fn of(&self) -> Result<Text, String> {
        match (&self.state_machine, self.routes.first()) {
            (Some(state_machine), _) => Ok(state_machine.clone()),
            (None, Some((version, _))) => {
                let of =
                    version.rsplit_once(':').filter(|(_, number)| number.bytes().all(|b| b.is_ascii_digit()));
                of.map(|(of, _)| of.into()).ok_or_else(|| format!("{version} is not the ARN of a version"))
            }
            (None, None) => Err("there is no version to route to".to_owned()),
        }
    }

    fn name(&self, tools: &Tools<'_>) -> Text {
        self.name.clone().unwrap_or_else(|| owner::generated(tools.caller, "alias"))
    }

    /// Where it leads; a version is published for that where it follows a state machine.
    async fn routing(&self, tools: &Tools<'_>) -> Result<Value, String> {
        let routes = match &self.state_machine {
            None => self.routes.clone(),
            Some(state_machine) => {
                let request = object([("stateMachineArn", text(state_machine))]);
                // The same revision gives the same version.
                let published = ask(tools.api, "PublishStateMachineVersion", request).await;
                let published = published.map_err(|refused| refused.to_string())?;
                vec![(member(&published, "stateMachineVersionArn").into(), 100)]
            }
        };
        let route = |(version, weight): (Text, i64)| {
            object([("stateMachineVersionArn", text(&version)), ("weight", weight.into())])
        };
        Ok(routes.into_iter().map(route).collect())
    }
}

/// Creates it.
pub async fn create(tools: &Tools<'_>, properties: &Value, physical: &Physical) -> Result<Data, String> {
    make(tools, &desired(properties)?, physical).await
}

async fn make(tools: &Tools<'_>, desired: &Desired, physical: &Physical) -> Result<Data, String> {
    let (name, of) = (desired.name(tools), desired.of()?);
    let routing = desired.routing(tools).await?;
    let before = physical.set(format!("{of}:{name}").into());
    let request = object([
        ("name", text(&name)),
        ("description", text(&desired.description)),
        ("routingConfiguration", routing.clone()),
    ]);
    match ask(tools.api, "CreateStateMachineAlias", request).await {
        Ok(created) => {
            let arn = Text::from(member(&created, "stateMachineAliasArn"));
            physical.set(arn.clone());
            Ok(data(arn, name, &routing))
        }
        Err(refused) => {
            // Only one that leads elsewhere is in the way: the same request again is no error.
            physical.set(before);
            match refused.error_type {
                ErrorType::ConflictException => Err(exists_already(&format!("{of}:{name}"))),
                _ => Err(refused.to_string()),
            }
        }
    }
}

/// Changes it in place, or makes another one when its name or its state machine changes.
pub async fn update(tools: &Tools<'_>, properties: &Value, physical: &Physical) -> Result<Data, String> {
    let desired = desired(properties)?;
    let current = physical.get();
    let name = desired.name(tools);
    if format!("{}:{name}", desired.of()?) != current.as_str() {
        return make(tools, &desired, physical).await;
    }
    let routing = desired.routing(tools).await?;
    let request = object([
        ("stateMachineAliasArn", text(&current)),
        ("description", text(&desired.description)),
        ("routingConfiguration", routing.clone()),
    ]);
    match ask(tools.api, "UpdateStateMachineAlias", request).await {
        Ok(_) => Ok(data(current, name, &routing)),
        Err(refused) if refused.error_type == ErrorType::ResourceNotFound => {
            make(tools, &desired, physical).await
        }
        Err(refused) => Err(refused.to_string()),
    }
}

/// Deletes it; one that is not there is no error. Its versions stay with the state machine.
pub async fn delete(tools: &Tools<'_>, physical: &Physical) -> Result<Data, String> {
    let current = physical.get();
    if !current.starts_with("arn:") {
        return Ok(Data::new());
    }
    let request = object([("stateMachineAliasArn", text(&current))]);
    match ask(tools.api, "DeleteStateMachineAlias", request).await {
        Err(refused)
            if !matches!(
                refused.error_type,
                ErrorType::ResourceNotFound | ErrorType::StateMachineDoesNotExist
            ) =>
        {
            Err(refused.to_string())
        }
        _ => Ok(Data::new()),
    }
}

fn data(arn: Text, name: Text, routing: &Value) -> Data {
    let version = routing
        .as_array()
        .and_then(|routes| routes.first())
        .map(|route| member(route, "stateMachineVersionArn"));
    vec![("Arn", arn), ("Name", name), ("StateMachineVersionArn", version.unwrap_or_default().into())]
}
