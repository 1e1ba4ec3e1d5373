//! Requests of CloudFormation over ports in memory, in virtual time.

use std::sync::Mutex;

use super::objects::fixture::Held;
use super::schedules::fixture::Group;
use super::*;
use crate::call::{member, object, text};
use crate::scene::{Scene, sample};

mod aliases;

const ORDERS: &str = "arn:aws:states:us-east-1:123456789012:stateMachine:shop-orders";
const LEFT: Duration = Duration::from_secs(60);
const PASS: &str = r#"{"StartAt": "P", "States": {"P": {"Type": "Pass", "End": true}}}"#;

/// The answers that were put.
#[derive(Default)]
struct Answers(Mutex<Vec<(String, String)>>);

#[async_trait::async_trait]
impl Replies for Answers {
    async fn put(&self, url: &str, body: String) -> Result<(), String> {
        self.0.lock().unwrap().push((url.to_owned(), body));
        Ok(())
    }
}

/// A stack, and what its resources are made of.
struct Stack {
    scene: Scene,
    group: Group,
    objects: Held,
    answers: Answers,
}

/// What CloudFormation was told.
#[derive(Debug)]
struct Told {
    succeeded: bool,
    reason: String,
    physical_id: String,
    data: Value,
}

impl Stack {
    async fn new() -> Stack {
        let (group, objects, answers) = (Group::default(), Held::default(), Answers::default());
        Stack { scene: Scene::new().await, group, objects, answers }
    }

    async fn ask(&self, event: &Value) -> Told {
        let Scene { service, home, queues, .. } = &self.scene;
        self.ask_inside(Ok(Inside { api: service, home, queues: queues.as_ref() }), event).await
    }

    async fn ask_inside(&self, inside: Result<Inside<'_>, String>, event: &Value) -> Told {
        let Stack { group, objects, answers, .. } = self;
        let outside = Outside { scheduler: Ok(group), objects, replies: answers };
        handle(async { inside }, &outside, event, LEFT).await.unwrap();
        let (url, body) = answers.0.lock().unwrap().pop().unwrap();
        assert_eq!(url, member(event, "ResponseURL"));
        let body = Value::parse(&body).unwrap();
        for name in ["StackId", "RequestId", "LogicalResourceId"] {
            assert_eq!(body.get(name), event.get(name));
        }
        Told {
            succeeded: member(&body, "Status") == "SUCCESS",
            reason: member(&body, "Reason").to_owned(),
            physical_id: member(&body, "PhysicalResourceId").to_owned(),
            data: body.get("Data").unwrap().clone(),
        }
    }

    async fn done(&self, event: &Value) -> Told {
        let told = self.ask(event).await;
        assert!(told.succeeded, "{}", told.reason);
        told
    }

    async fn failed(&self, event: &Value, expected: &str) -> Told {
        let told = self.ask(event).await;
        assert!(!told.succeeded && told.reason.contains(expected), "{told:?}");
        told
    }

    async fn machine(&self, arn: &str) -> Option<Value> {
        self.scene.call("DescribeStateMachine", &[("stateMachineArn", arn)]).await.ok()
    }

    async fn machines(&self) -> Vec<String> {
        self.scene.list("ListStateMachines", "", "stateMachines", "name").await
    }

    async fn tags(&self, arn: &str) -> Vec<String> {
        let listed = self.scene.call("ListTagsForResource", &[("resourceArn", arn)]).await.unwrap();
        let tags = listed.get("tags").and_then(Value::as_array).unwrap();
        let mut keys: Vec<String> = tags.iter().map(|tag| member(tag, "key").to_owned()).collect();
        keys.sort();
        keys
    }

    fn schedules(&self) -> Vec<String> {
        self.group.0.lock().unwrap().keys().map(|name| name[17..].to_owned()).collect()
    }
}

/// A request with members of its own.
fn with<const N: usize>(event: &Value, members: [(&'static str, Value); N]) -> Value {
    let mut changed = event.as_object().unwrap().clone().into_map();
    for (name, value) in members {
        changed.insert(name.into(), value);
    }
    Value::from(changed)
}

/// A request with other properties.
fn with_properties(event: &Value, properties: &str) -> Value {
    with(event, [("ResourceProperties", Value::parse(properties).unwrap())])
}

fn machine_properties(others: &str) -> String {
    let definition = text(PASS).to_json();
    format!(r#"{{"DefinitionString": {definition}, "RoleArn": "arn:aws:iam::123456789012:role/r"{others}}}"#)
}

#[tokio::test(start_paused = true)]
async fn a_state_machine_is_created_changed_and_deleted() {
    let stack = Stack::new().await;
    let create = sample("provisioner/state-machine-create");
    // The second delivery finds what the first has made.
    for _ in 0..2 {
        let told = stack.done(&create).await;
        assert_eq!(told.physical_id, ORDERS);
        assert_eq!((member(&told.data, "Arn"), member(&told.data, "Name")), (ORDERS, "shop-orders"));
        assert!(!member(&told.data, "StateMachineRevisionId").is_empty());
        assert_eq!(stack.machines().await, ["shop-orders"]);
    }
    let found = stack.machine(ORDERS).await.unwrap();
    let definition = Value::parse(member(&found, "definition")).unwrap();
    let expected = r#"{"StartAt": "Wait", "TimeoutSeconds": 3600, "States": {
        "Wait": {"Type": "Wait", "Seconds": 5, "Next": "Done"}, "Done": {"Type": "Pass", "Result": "hello", "End": true}}}"#;
    assert_eq!(definition, Value::parse(expected).unwrap());
    assert_eq!(member(found.get("loggingConfiguration").unwrap(), "level"), "ERROR");
    let owner = ["stepwright:logical-id", "stepwright:stack-id"];
    assert_eq!(stack.tags(ORDERS).await, ["application", owner[0], owner[1], "team"]);
    let mut schedules = stack.schedules();
    schedules.sort();
    assert_eq!(schedules, ["nightly", "schedule-2"]);

    let revision = member(&found, "revisionId").to_owned();
    let told = stack.done(&sample("provisioner/state-machine-update")).await;
    assert_eq!(told.physical_id, ORDERS);
    assert_ne!(member(&told.data, "StateMachineRevisionId"), revision);
    let found = stack.machine(ORDERS).await.unwrap();
    assert_eq!(
        Value::parse(member(&found, "definition")).unwrap(),
        Value::parse(&PASS.replace('P', "Done").replace("Doneass", "Pass")).unwrap()
    );
    assert_eq!(
        member(found.get("loggingConfiguration").unwrap(), "level"),
        "OFF",
        "what the template no longer says"
    );
    assert_eq!(stack.tags(ORDERS).await, ["application", owner[0], owner[1]]);
    assert_eq!(stack.schedules(), ["nightly"]);
    let state = stack.group.0.lock().unwrap().values().next().unwrap().schedule.state.clone();
    assert_eq!(state.as_deref(), Some("DISABLED"));

    for _ in 0..2 {
        stack.done(&sample("provisioner/state-machine-delete")).await;
        assert!(stack.machines().await.is_empty() && stack.schedules().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_rollback_brings_back_what_was() {
    let stack = Stack::new().await;
    let (create, update) =
        (sample("provisioner/state-machine-create"), sample("provisioner/state-machine-update"));
    stack.done(&create).await;
    let before = stack.machine(ORDERS).await.unwrap();
    stack.done(&update).await;
    let properties = |name| update.get(name).unwrap().clone();
    let back = [
        ("ResourceProperties", properties("OldResourceProperties")),
        ("OldResourceProperties", properties("ResourceProperties")),
    ];
    assert_eq!(stack.done(&with(&update, back)).await.physical_id, ORDERS);
    let after = stack.machine(ORDERS).await.unwrap();
    for name in ["definition", "roleArn", "loggingConfiguration", "tracingConfiguration"] {
        assert_eq!(before.get(name), after.get(name), "{name}");
    }
    let mut schedules = stack.schedules();
    schedules.sort();
    assert_eq!(schedules, ["nightly", "schedule-2"]);
}

#[tokio::test(start_paused = true)]
async fn a_name_that_nobody_chose_lasts_until_the_type_changes() {
    let stack = Stack::new().await;
    let standard = Value::parse(&machine_properties("")).unwrap();
    let express = Value::parse(&machine_properties(r#", "StateMachineType": "EXPRESS""#)).unwrap();
    let create =
        with(&sample("provisioner/state-machine-create"), [("ResourceProperties", standard.clone())]);
    let first = stack.done(&create).await.physical_id;
    assert!(first.contains(":shop-Orders-"), "{first}");
    assert_eq!(stack.done(&create).await.physical_id, first, "delivered again");
    let request = sample("provisioner/state-machine-update");
    let update = |physical: &str, new: &Value, old: &Value| {
        with(
            &request,
            [
                ("PhysicalResourceId", text(physical)),
                ("ResourceProperties", new.clone()),
                ("OldResourceProperties", old.clone()),
            ],
        )
    };
    let tagged = Value::parse(&machine_properties(r#", "Tags": [{"Key": "a", "Value": "b"}]"#)).unwrap();
    assert_eq!(stack.done(&update(&first, &tagged, &standard)).await.physical_id, first);
    // Another type is another state machine; what was goes afterwards, unless it all comes back.
    let second = stack.done(&update(&first, &express, &tagged)).await.physical_id;
    assert_ne!(second, first);
    assert_eq!(stack.machines().await.len(), 2);
    assert_eq!(stack.done(&update(&second, &tagged, &express)).await.physical_id, first);
    let delete = with(
        &sample("provisioner/state-machine-delete"),
        [("PhysicalResourceId", text(&second)), ("ResourceProperties", express)],
    );
    stack.done(&delete).await;
    assert_eq!(stack.machines().await, [first.rsplit(':').next().unwrap()]);
}

#[tokio::test(start_paused = true)]
async fn another_name_is_another_state_machine() {
    let stack = Stack::new().await;
    stack.done(&sample("provisioner/state-machine-create")).await;
    let update = sample("provisioner/state-machine-update");
    let schedules = r#""Schedules": [{"Name": "nightly", "ScheduleExpression": "rate(1 day)"}]"#;
    let renamed = format!(r#", "StateMachineName": "shop-renamed", {schedules}"#);
    // What fails half-way leaves nothing, and the old one is still it.
    let broken = machine_properties(&renamed.replace("rate(1 day)", "never"));
    let told = stack.failed(&with_properties(&update, &broken), "CreateSchedule: ValidationException").await;
    assert_eq!((told.physical_id.as_str(), stack.machines().await), (ORDERS, vec!["shop-orders".to_owned()]));
    let told = stack.done(&with_properties(&update, &machine_properties(&renamed))).await;
    assert!(told.physical_id.ends_with(":shop-renamed"));
    assert_eq!(stack.schedules().len(), 3);
    // CloudFormation then deletes the old one, with its properties.
    let old = update.get("OldResourceProperties").unwrap().clone();
    stack.done(&with(&sample("provisioner/state-machine-delete"), [("ResourceProperties", old)])).await;
    assert_eq!(
        (stack.machines().await, stack.schedules()),
        (vec!["shop-renamed".to_owned()], vec!["nightly".to_owned()])
    );
    // A name that was given stands for one type.
    let express =
        machine_properties(r#", "StateMachineName": "shop-renamed", "StateMachineType": "EXPRESS""#);
    let update = with(&with_properties(&update, &express), [("PhysicalResourceId", text(&told.physical_id))]);
    stack.failed(&update, "cannot be changed under the same name").await;
}

#[tokio::test(start_paused = true)]
async fn what_is_somebody_else_s_is_not_touched() {
    let stack = Stack::new().await;
    // The very same, but made by hand.
    stack.scene.create("shop-orders", PASS).await;
    let create = sample("provisioner/state-machine-create");
    for properties in [
        machine_properties(r#", "StateMachineName": "shop-orders""#),
        create.get("ResourceProperties").unwrap().to_json(),
    ] {
        let told = stack.failed(&with_properties(&create, &properties), "already exists").await;
        assert!(!told.physical_id.starts_with("arn:"), "{}", told.physical_id);
        let delete = sample("provisioner/state-machine-delete");
        stack.done(&with(&delete, [("PhysicalResourceId", text(&told.physical_id))])).await;
        stack.done(&delete).await;
        assert_eq!(stack.machines().await, ["shop-orders"]);
    }
    let activity = sample("provisioner/activity-create");
    stack.scene.call("CreateActivity", &[("name", "shop-packing")]).await.unwrap();
    let told = stack.failed(&activity, "already exists").await;
    assert!(!told.physical_id.starts_with("arn:"));
    stack.done(&sample("provisioner/activity-delete")).await;
    assert_eq!(stack.scene.list("ListActivities", "", "activities", "name").await, ["shop-packing"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_is_told_and_leaves_nothing() {
    let stack = Stack::new().await;
    let create = sample("provisioner/state-machine-create");
    let role = r#""RoleArn": "arn:aws:iam::123456789012:role/r""#;
    for (properties, expected) in [
        ("{}".to_owned(), "RoleArn is missing"),
        (machine_properties(r#", "Name": "x""#), "Name is not a property that is known here"),
        (machine_properties(r#", "StateMachineType": "FAST""#), "ValidationException"),
        (machine_properties(r#", "StateMachineName": "a b""#), "StateMachineName: "),
        (machine_properties(r#", "Tags": [{"Key": "stepwright:x", "Value": ""}]"#), "are reserved"),
        (machine_properties(r#", "LoggingConfiguration": {"Level": "ALL"}"#), "InvalidLoggingConfiguration"),
        (
            format!(
                r#"{{"Definition": {{"StartAt": "P", "States": {{"P": {{"Type": "Pas", "End": "true"}}}}}}, {role}}}"#
            ),
            "/States/P/Type",
        ),
        (
            format!(r#"{{"DefinitionS3Location": {{"Bucket": "b", "Key": "k"}}, {role}}}"#),
            "definition b/k: NoSuchKey",
        ),
    ] {
        stack.failed(&with_properties(&create, &properties), expected).await;
        assert!(stack.machines().await.is_empty());
    }
    stack.failed(&with(&create, [("ResourceType", text("Custom::Thing"))]), "no resource of the type").await;
    stack.failed(&with(&create, [("ResourceProperties", text("x"))]), "not an object").await;
    // A failed Create is deleted by what it has named.
    let never = machine_properties(
        r#", "Schedules": [{"ScheduleExpression": "rate(1 day)"}, {"ScheduleExpression": "never"}]"#,
    );
    let told = stack.failed(&with_properties(&create, &never), "CreateSchedule").await;
    assert_eq!(stack.machines().await.len(), 1);
    let delete = with_properties(&sample("provisioner/state-machine-delete"), &never);
    stack.done(&with(&delete, [("PhysicalResourceId", text(&told.physical_id))])).await;
    assert!(stack.machines().await.is_empty() && stack.schedules().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_definition_may_lie_in_s3() {
    let stack = Stack::new().await;
    let yaml = "StartAt: P\nStates:\n  P: {Type: Wait, Seconds: ${Seconds}, End: true}\n";
    stack.objects.0.lock().unwrap().insert("b/k".to_owned(), yaml.into());
    let properties = r#"{"RoleArn": "arn:aws:iam::123456789012:role/r", "DefinitionSubstitutions": {"Seconds": "7"},
        "DefinitionS3Location": {"Bucket": "b", "Key": "k", "Version": ""}}"#;
    let told = stack.done(&with_properties(&sample("provisioner/state-machine-create"), properties)).await;
    let found = stack.machine(&told.physical_id).await.unwrap();
    let expected = r#"{"StartAt":"P","States":{"P":{"Type":"Wait","Seconds":7,"End":true}}}"#;
    assert_eq!(member(&found, "definition"), expected);
}

/// An API that never answers.
struct Silent;

#[async_trait::async_trait]
impl Api for Silent {
    async fn call(&self, _: &'static str, _: Value) -> Result<Value, crate::call::Refused> {
        std::future::pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn cloud_formation_is_told_whatever_happens() {
    let stack = Stack::new().await;
    let create = sample("provisioner/state-machine-create");
    let told = stack.ask_inside(Err("the installation cannot be opened".to_owned()), &create).await;
    assert!(!told.succeeded && told.reason.contains("cannot be opened"));
    let begun = tokio::time::Instant::now();
    let Scene { home, queues, .. } = &stack.scene;
    let told = stack.ask_inside(Ok(Inside { api: &Silent, home, queues: queues.as_ref() }), &create).await;
    assert!(!told.succeeded && told.reason.contains("ran out of time"));
    assert_eq!(begun.elapsed(), LEFT - MARGIN);
    // It may be there: the Delete that follows has to find it.
    assert_eq!(told.physical_id, ORDERS);
    // Nobody to tell.
    let outside = Outside { scheduler: Err("none"), objects: &stack.objects, replies: &stack.answers };
    let said =
        handle(async { Err("unused".to_owned()) }, &outside, &Value::object(), LEFT).await.unwrap_err();
    assert_eq!(said, "the event is no request of CloudFormation: it has no ResponseURL");
}

#[tokio::test(start_paused = true)]
async fn an_activity_is_created_changed_and_deleted() {
    let stack = Stack::new().await;
    let arn = "arn:aws:states:us-east-1:123456789012:activity:shop-packing";
    for _ in 0..2 {
        let told = stack.done(&sample("provisioner/activity-create")).await;
        assert_eq!((told.physical_id.as_str(), member(&told.data, "Name")), (arn, "shop-packing"));
    }
    assert_eq!(stack.tags(arn).await.len(), 4);
    let update = sample("provisioner/activity-update");
    assert_eq!(stack.done(&update).await.physical_id, arn);
    assert_eq!(stack.tags(arn).await.len(), 3);
    let generated = stack.done(&with_properties(&update, "{}")).await;
    assert!(member(&generated.data, "Name").starts_with("shop-Packing-"));
    let unnamed = with(
        &update,
        [("PhysicalResourceId", text(&generated.physical_id)), ("OldResourceProperties", Value::object())],
    );
    let again = stack.done(&with_properties(&unnamed, r#"{"Tags": [{"Key": "a", "Value": "b"}]}"#)).await;
    assert_eq!(again.physical_id, generated.physical_id);
    let encrypted = r#"{"Name": "shop-packing", "EncryptionConfiguration": {"Type": "CUSTOMER_MANAGED_KMS_KEY", "KmsKeyId": "k"}}"#;
    stack.failed(&with_properties(&update, encrypted), "cannot be changed").await;
    for _ in 0..2 {
        stack.done(&sample("provisioner/activity-delete")).await;
        assert_eq!(stack.scene.list("ListActivities", "", "activities", "name").await.len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn an_installation_leaves_nothing_behind() {
    let stack = Stack::new().await;
    stack.done(&sample("provisioner/activity-create")).await;
    let name =
        integrations::activity::queue_name("arn:aws:states:us-east-1:123456789012:activity:shop-packing");
    stack.objects.0.lock().unwrap().insert("stepwright-bucket/blob".to_owned(), Vec::new());
    let create = sample("provisioner/installation-create");
    // It needs no installation that works.
    let told = stack.ask_inside(Err("not yet".to_owned()), &create).await;
    assert_eq!((told.succeeded, told.physical_id.as_str()), (true, "installation"));
    let delete = sample("provisioner/installation-delete");
    let retained = with(
        &delete,
        [(
            "ResourceProperties",
            object([("BucketName", text("stepwright-bucket")), ("RetainData", text("true"))]),
        )],
    );
    stack.done(&retained).await;
    assert!(stack.scene.queues.open(&name).await.is_err());
    assert_eq!(stack.objects.0.lock().unwrap().len(), 1);
    stack.done(&delete).await;
    assert!(stack.objects.0.lock().unwrap().is_empty());
}
