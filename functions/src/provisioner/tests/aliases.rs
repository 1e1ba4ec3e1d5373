//! Aliases of a state machine.

use super::*;

const LIVE: &str = "arn:aws:states:us-east-1:123456789012:stateMachine:shop-orders:live";

impl Stack {
    /// With the state machine that the samples are about.
    async fn with_machine() -> Stack {
        let stack = Stack::new().await;
        stack.done(&sample("provisioner/state-machine-create")).await;
        stack
    }

    /// Where an alias leads: numbers of versions and their weights.
    async fn routes(&self, alias: &str) -> String {
        let found = self.scene.call("DescribeStateMachineAlias", &[("stateMachineAliasArn", alias)]).await;
        let Ok(found) = found else { return "nowhere".to_owned() };
        let routes = found.get("routingConfiguration").and_then(Value::as_array).unwrap();
        let shown = |route: &Value| {
            let version = member(route, "stateMachineVersionArn").rsplit(':').next().unwrap();
            format!("{version}*{}", route.get("weight").unwrap())
        };
        routes.iter().map(shown).collect::<Vec<_>>().join(" ")
    }
}

#[tokio::test(start_paused = true)]
async fn an_alias_follows_its_state_machine_or_names_versions() {
    let stack = Stack::with_machine().await;
    let create = sample("provisioner/alias-create");
    for _ in 0..2 {
        let told = stack.done(&create).await;
        assert_eq!(told.physical_id, LIVE);
        assert_eq!((member(&told.data, "Arn"), member(&told.data, "Name")), (LIVE, "live"));
        assert_eq!(stack.routes(LIVE).await, "1*100");
    }
    // The state machine has changed, and with it the property that only tells of it.
    stack.done(&sample("provisioner/state-machine-update")).await;
    let update = sample("provisioner/alias-update");
    let follows = create.get("ResourceProperties").unwrap().to_json();
    let followed = with_properties(&update, &follows.replace("INITIAL", "another"));
    let told = stack.done(&followed).await;
    assert_eq!((told.physical_id.as_str(), stack.routes(LIVE).await.as_str()), (LIVE, "2*100"));
    assert!(member(&told.data, "StateMachineVersionArn").ends_with(":shop-orders:2"));
    assert_eq!(stack.done(&update).await.physical_id, LIVE);
    assert_eq!(stack.routes(LIVE).await, "1*90 2*10");
    // Another name is another alias; CloudFormation then deletes the old one.
    let renamed = update.get("ResourceProperties").unwrap().to_json().replace("live", "next");
    let next = stack.done(&with_properties(&update, &renamed)).await.physical_id;
    assert_eq!(next, LIVE.replace("live", "next"));
    for _ in 0..2 {
        stack.done(&sample("provisioner/alias-delete")).await;
        assert_eq!(
            (stack.routes(LIVE).await, stack.routes(&next).await),
            ("nowhere".to_owned(), "1*90 2*10".to_owned())
        );
    }
    // What somebody has deleted is made again.
    assert_eq!(stack.done(&update).await.physical_id, LIVE);
    assert_eq!(stack.routes(LIVE).await, "1*90 2*10");
    // With the state machine gone, so are its aliases.
    stack.done(&sample("provisioner/state-machine-delete")).await;
    stack.done(&sample("provisioner/alias-delete")).await;
}

#[tokio::test(start_paused = true)]
async fn an_alias_that_cannot_be_is_refused() {
    let stack = Stack::with_machine().await;
    let create = sample("provisioner/alias-create");
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
                r#"{{"RoutingConfiguration": [{{"StateMachineVersionArn": "{ORDERS}", "Weight": 100}}]}}"#
            ),
            "is not the ARN of a version",
        ),
        (
            format!(
                r#"{{"RoutingConfiguration": [{{"StateMachineVersionArn": "{ORDERS}:7", "Weight": 100}}]}}"#
            ),
            "ResourceNotFound",
        ),
        (format!(r#"{{"StateMachineArn": "{ORDERS}-none"}}"#), "StateMachineDoesNotExist"),
    ] {
        let told = stack.failed(&with_properties(&create, &properties), expected).await;
        assert!(!told.physical_id.starts_with("arn:"), "{told:?}");
    }
    // One of this name leads elsewhere: the Delete that follows a failed Create leaves it.
    stack.done(&create).await;
    stack.done(&sample("provisioner/state-machine-update")).await;
    let told = stack.failed(&create, "already exists").await;
    assert!(!told.physical_id.starts_with("arn:"), "{told:?}");
    let delete = with(&sample("provisioner/alias-delete"), [("PhysicalResourceId", text(&told.physical_id))]);
    stack.done(&delete).await;
    assert_eq!(stack.routes(LIVE).await, "1*100");
    // An alias has a name of its own where none is given.
    let unnamed = format!(r#"{{"StateMachineArn": "{ORDERS}"}}"#);
    let told = stack.done(&with_properties(&create, &unnamed)).await;
    assert!(told.physical_id.contains(":shop-Live-"), "{told:?}");
}
