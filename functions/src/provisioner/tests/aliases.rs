//! Aliases, over a stand-in for the operations of versions and aliases.

use std::collections::BTreeMap;

use service::ErrorType;

use super::*;
use crate::call::Refused;

const LIVE: &str = "arn:aws:states:us-east-1:123456789012:stateMachine:shop-orders:live";

/// Versions and aliases of state machines, by the rules of the API reference.
#[derive(Default)]
struct Aliases {
    /// The newest version of each state machine; a test publishes more.
    versions: Mutex<BTreeMap<String, u32>>,
    /// Description and routes of each alias.
    aliases: Mutex<BTreeMap<String, (String, Value)>>,
}

#[async_trait::async_trait]
impl Api for Aliases {
    async fn call(&self, operation: &'static str, request: Value) -> Result<Value, Refused> {
        let refused = |error_type| Err(Refused { operation, error_type, message: "why".to_owned() });
        let mut aliases = self.aliases.lock().unwrap();
        let alias = member(&request, "stateMachineAliasArn").to_owned();
        let routes = request.get("routingConfiguration").cloned().unwrap_or(Value::Null);
        let state = (member(&request, "description").to_owned(), routes.clone());
        match operation {
            "PublishStateMachineVersion" => {
                let machine = member(&request, "stateMachineArn");
                let version = *self.versions.lock().unwrap().entry(machine.to_owned()).or_insert(1);
                Ok(object([("stateMachineVersionArn", text(&format!("{machine}:{version}")))]))
            }
            "CreateStateMachineAlias" => {
                let version = member(&routes.as_array().unwrap()[0], "stateMachineVersionArn").to_owned();
                let arn = format!("{}:{}", version.rsplit_once(':').unwrap().0, member(&request, "name"));
                if aliases.get(&arn).is_some_and(|existing| *existing != state) {
                    return refused(ErrorType::ConflictException);
                }
                aliases.insert(arn.clone(), state);
                Ok(object([("stateMachineAliasArn", text(&arn))]))
            }
            "UpdateStateMachineAlias" => match aliases.get_mut(&alias) {
                None => refused(ErrorType::ResourceNotFound),
                Some(existing) => {
                    *existing = state;
                    Ok(Value::object())
                }
            },
            "DeleteStateMachineAlias" => match aliases.remove(&alias) {
                None => refused(ErrorType::ResourceNotFound),
                Some(_) => Ok(Value::object()),
            },
            _ => refused(ErrorType::UnknownOperationException),
        }
    }
}

impl Aliases {
    fn routes(&self) -> Vec<(String, String)> {
        let aliases = self.aliases.lock().unwrap();
        let shown = |route: &Value| {
            format!(
                "{}*{}",
                member(route, "stateMachineVersionArn").rsplit(':').next().unwrap(),
                route.get("weight").unwrap()
            )
        };
        aliases
            .iter()
            .map(|(arn, (_, routes))| {
                (arn.clone(), routes.as_array().unwrap().iter().map(shown).collect::<Vec<_>>().join(" "))
            })
            .collect()
    }
}

impl Stack {
    async fn ask_aliases(&self, aliases: &Aliases, event: &Value) -> Told {
        let Scene { home, queues, .. } = &self.scene;
        self.ask_inside(Ok(Inside { api: aliases, home, queues: queues.as_ref() }), event).await
    }
}

#[tokio::test(start_paused = true)]
async fn an_alias_follows_its_state_machine_or_names_versions() {
    let (stack, aliases) = (Stack::new().await, Aliases::default());
    let create = sample("provisioner/alias-create");
    for _ in 0..2 {
        let told = stack.ask_aliases(&aliases, &create).await;
        assert_eq!((told.succeeded, told.physical_id.as_str()), (true, LIVE), "{}", told.reason);
        assert_eq!((member(&told.data, "Arn"), member(&told.data, "Name")), (LIVE, "live"));
        assert_eq!(aliases.routes(), [(LIVE.to_owned(), "1*100".to_owned())]);
    }
    // The state machine has changed, and with it the property that only tells of it.
    aliases.versions.lock().unwrap().values_mut().for_each(|version| *version = 2);
    let update = sample("provisioner/alias-update");
    let followed = with(&update, [("ResourceProperties", create.get("ResourceProperties").unwrap().clone())]);
    let told = stack.ask_aliases(&aliases, &followed).await;
    assert_eq!(
        (told.physical_id.as_str(), member(&told.data, "StateMachineVersionArn").rsplit(':').next()),
        (LIVE, Some("2"))
    );
    assert_eq!(aliases.routes(), [(LIVE.to_owned(), "2*100".to_owned())]);
    let told = stack.ask_aliases(&aliases, &update).await;
    assert_eq!(aliases.routes(), [(told.physical_id, "1*90 2*10".to_owned())]);
    // Another name is another alias.
    let renamed = update.get("ResourceProperties").unwrap().to_json().replace("live", "next");
    let told = stack.ask_aliases(&aliases, &with_properties(&update, &renamed)).await;
    assert_eq!((told.succeeded, told.physical_id), (true, LIVE.replace("live", "next")));
    for _ in 0..2 {
        assert!(stack.ask_aliases(&aliases, &sample("provisioner/alias-delete")).await.succeeded);
        assert_eq!(aliases.routes().len(), 1);
    }
    // What somebody has deleted is made again.
    let told = stack.ask_aliases(&aliases, &update).await;
    assert_eq!((told.succeeded, told.physical_id.as_str(), aliases.routes().len()), (true, LIVE, 2));
}

#[tokio::test(start_paused = true)]
async fn an_alias_that_cannot_be_is_refused() {
    let (stack, aliases) = (Stack::new().await, Aliases::default());
    let create = sample("provisioner/alias-create");
    let version = "arn:aws:states:us-east-1:123456789012:stateMachine:shop-orders";
    for (properties, expected) in [
        ("{}".to_owned(), "exactly one of them has to be there"),
        (r#"{"StateMachineArn": "a", "RoutingConfiguration": []}"#.to_owned(), "exactly one of them"),
        (
            r#"{"StateMachineArn": "a", "DeploymentPreference": {}}"#.to_owned(),
            "DeploymentPreference is not available",
        ),
        (
            r#"{"RoutingConfiguration": [{"Weight": "x"}]}"#.to_owned(),
            "RoutingConfiguration[0].StateMachineVersionArn is missing",
        ),
        (
            format!(
                r#"{{"RoutingConfiguration": [{{"StateMachineVersionArn": "{version}", "Weight": 100}}]}}"#
            ),
            "is not the ARN of a version",
        ),
    ] {
        let told = stack.ask_aliases(&aliases, &with_properties(&create, &properties)).await;
        assert!(!told.succeeded && told.reason.contains(expected), "{told:?}");
    }
    let other = format!(
        r#"{{"Name": "live", "RoutingConfiguration": [{{"StateMachineVersionArn": "{version}:7", "Weight": "100"}}]}}"#
    );
    assert!(stack.ask_aliases(&aliases, &with_properties(&create, &other)).await.succeeded);
    let told = stack.ask_aliases(&aliases, &create).await;
    assert!(
        !told.succeeded && told.reason.contains("already exists") && !told.physical_id.starts_with("arn:"),
        "{told:?}"
    );
    // So that the Delete that follows leaves it.
    let delete = with(&sample("provisioner/alias-delete"), [("PhysicalResourceId", text(&told.physical_id))]);
    assert!(stack.ask_aliases(&aliases, &delete).await.succeeded);
    assert_eq!(aliases.routes(), [(LIVE.to_owned(), "7*100".to_owned())]);
    // An alias has a name of its own where none is given.
    let unnamed = format!(r#"{{"StateMachineArn": "{version}"}}"#);
    let told = stack.ask_aliases(&aliases, &with_properties(&create, &unnamed)).await;
    assert!(told.physical_id.contains(":shop-Live-"), "{told:?}");
}
