//! `Custom::StateMachine`: the properties of `AWS::StepFunctions::StateMachine`, and `Schedules`.

use model::arn::StateMachineArn;
use model::json::{Text, Value};
use service::ErrorType;

use super::answer::Data;
use super::definition::Definition;
use super::owner::{self, Ownership, Tags};
use super::properties::{self, Members};
use super::schedules::{self, Schedule};
use super::{Physical, Tools, exists_already};
use crate::call::{Refused, ask, member, object, text};

/// A state machine as its properties want it.
#[derive(Debug)]
struct Desired {
    name: Option<Text>,
    machine_type: Text,
    definition: Definition,
    role_arn: Text,
    logging: Value,
    tracing: Value,
    encryption: Option<Value>,
    tags: Tags,
    schedules: Vec<Schedule>,
}

fn desired(properties: &Value) -> Result<Desired, String> {
    properties::read(properties, |members| Desired {
        name: members.text("StateMachineName"),
        machine_type: members.text("StateMachineType").unwrap_or_else(|| "STANDARD".into()),
        definition: Definition::read(members),
        role_arn: members.required_text("RoleArn"),
        logging: logging(members),
        tracing: members
            .structure("TracingConfiguration", |tracing| {
                object([("enabled", tracing.flag("Enabled").unwrap_or(false).into())])
            })
            .unwrap_or_else(|| object([("enabled", false.into())])),
        encryption: encryption(members),
        tags: owner::tags(members),
        schedules: schedules::read(members),
    })
}

/// `LoggingConfiguration`; where there is none, nothing is logged, also after an update.
fn logging(members: &Members<'_>) -> Value {
    let given = members.structure("LoggingConfiguration", |logging| {
        let destinations = logging.structures("Destinations", |destination| {
            let group =
                destination.structure("CloudWatchLogsLogGroup", |group| group.required_text("LogGroupArn"));
            let group = object([("logGroupArn", text(&group.unwrap_or_default()))]);
            object([("cloudWatchLogsLogGroup", group)])
        });
        let flag = logging.flag("IncludeExecutionData").unwrap_or(false);
        let level = logging.text("Level").unwrap_or_else(|| "OFF".into());
        let mut given = vec![("level", text(&level)), ("includeExecutionData", flag.into())];
        if let Some(destinations) = destinations {
            given.push(("destinations", destinations.into()));
        }
        given.into_iter().collect()
    });
    given.unwrap_or_else(|| object([("level", text("OFF")), ("includeExecutionData", false.into())]))
}

/// `EncryptionConfiguration`.
pub fn encryption(members: &Members<'_>) -> Option<Value> {
    members.structure("EncryptionConfiguration", |encryption| {
        let mut given = vec![("type", text(&encryption.required_text("Type")))];
        if let Some(key) = encryption.text("KmsKeyId") {
            given.push(("kmsKeyId", text(&key)));
        }
        if let Some(seconds) = encryption.integer("KmsDataKeyReusePeriodSeconds") {
            given.push(("kmsDataKeyReusePeriodSeconds", seconds.into()));
        }
        given.into_iter().collect()
    })
}

/// Creates it.
pub async fn create(tools: &Tools<'_>, properties: &Value, physical: &Physical) -> Result<Data, String> {
    let desired = desired(properties)?;
    let name = desired.name.clone().unwrap_or_else(|| owner::generated(tools.caller, &desired.machine_type));
    let arn =
        StateMachineArn::new(tools.home, &name).map_err(|error| format!("StateMachineName: {error}"))?;
    ensure(tools, &arn, &desired, physical).await
}

/// Changes it in place, or makes another one where it cannot be changed; CloudFormation then deletes
/// the old one.
pub async fn update(
    tools: &Tools<'_>,
    properties: &Value,
    old: &Value,
    physical: &Physical,
) -> Result<Data, String> {
    let desired = desired(properties)?;
    let before = physical.get();
    let Ok(current) = StateMachineArn::parse(&before) else {
        // What was never created.
        return create(tools, properties, physical).await;
    };
    let described = describe(tools, current.as_str()).await?;
    let is_same_type = described.as_ref().is_none_or(|found| member(found, "type") == desired.machine_type);
    let name = match &desired.name {
        Some(name) => name.clone(),
        // Whatever it was called when it was made.
        None if is_same_type && old.get("StateMachineName").is_none() => name_of(&current),
        None => owner::generated(tools.caller, &desired.machine_type),
    };
    let arn =
        StateMachineArn::new(tools.home, &name).map_err(|error| format!("StateMachineName: {error}"))?;
    if arn == current {
        let Some(described) = described else { return ensure(tools, &arn, &desired, physical).await };
        if !is_same_type {
            return Err(format!(
                "StateMachineType of {arn} cannot be changed under the same name; give StateMachineName another value"
            ));
        }
        change(tools, &arn, &desired, &described, &owner::tag_keys(old)).await?;
        return finish(tools, &arn, &desired, &schedules::names(old)).await;
    }
    let is_new = describe(tools, arn.as_str()).await?.is_none();
    let ensured = ensure(tools, &arn, &desired, physical).await;
    if ensured.is_err() {
        // CloudFormation knows the old one only, and goes on with it.
        physical.set(before);
        let schedules = schedules::entry_names(&desired.schedules);
        if is_new && let Err(error) = remove(tools, arn.as_str(), &schedules).await {
            tracing::warn!(arn = arn.as_str(), error, "a replacement that failed is left over");
        }
    }
    ensured
}

/// Deletes it with its schedules, if it is the stack's.
pub async fn delete(tools: &Tools<'_>, properties: &Value, physical: &Physical) -> Result<Data, String> {
    let physical = physical.get();
    if StateMachineArn::parse(&physical).is_ok() {
        remove(tools, &physical, &schedules::names(properties)).await?;
    }
    Ok(Data::new())
}

async fn remove(tools: &Tools<'_>, arn: &str, schedules: &[Text]) -> Result<(), String> {
    match owner::of(tools.api, tools.caller, arn).await.map_err(|refused| refused.to_string())? {
        Ownership::Others => {
            tracing::warn!(arn, "it is not the stack's, and stays");
            return Ok(());
        }
        Ownership::Ours | Ownership::Nobody => {}
    }
    schedules::bring(tools.scheduler, arn, schedules, &[], &tools.caller.request_id).await?;
    let deleted = ask(tools.api, "DeleteStateMachine", object([("stateMachineArn", text(arn))])).await;
    deleted.map(|_| ()).map_err(|refused| refused.to_string())
}

/// Creates it, or finds that an earlier delivery of the request did.
async fn ensure(
    tools: &Tools<'_>,
    arn: &StateMachineArn,
    desired: &Desired,
    physical: &Physical,
) -> Result<Data, String> {
    let definition = desired.definition.text(tools.objects).await?;
    let mut request = vec![
        ("name", text(&name_of(arn))),
        ("type", text(&desired.machine_type)),
        ("definition", text(&definition)),
        ("roleArn", text(&desired.role_arn)),
        ("loggingConfiguration", desired.logging.clone()),
        ("tracingConfiguration", desired.tracing.clone()),
        ("tags", owner::tagged(tools.caller, &desired.tags)),
    ];
    if let Some(encryption) = &desired.encryption {
        request.push(("encryptionConfiguration", encryption.clone()));
    }
    // From here on there may be one: when the answer is lost, the Delete that follows finds it.
    let before = physical.set(arn.as_str().into());
    let created = ask(tools.api, "CreateStateMachine", request.into_iter().collect()).await;
    let is_taken = match &created {
        Ok(_) => false,
        Err(refused) if refused.error_type == ErrorType::StateMachineAlreadyExists => true,
        Err(refused) => return Err(refused.to_string()),
    };
    // Creating what is there already is no error of the API either.
    if owner::of(tools.api, tools.caller, arn.as_str()).await.map_err(|refused| refused.to_string())?
        != Ownership::Ours
    {
        physical.set(before);
        return Err(exists_already(arn.as_str()));
    }
    let found = describe(tools, arn.as_str()).await?;
    if let (true, Some(found)) = (is_taken, found) {
        if member(&found, "type") != desired.machine_type {
            return Err(format!(
                "{arn} exists already, with the StateMachineType {}",
                member(&found, "type")
            ));
        }
        change(tools, arn, desired, &found, &[]).await?;
    }
    finish(tools, arn, desired, &[]).await
}

/// Brings what is there to what it should be.
async fn change(
    tools: &Tools<'_>,
    arn: &StateMachineArn,
    desired: &Desired,
    described: &Value,
    old_tags: &[Text],
) -> Result<(), String> {
    let definition = desired.definition.text(tools.objects).await?;
    let mut request = vec![
        ("stateMachineArn", text(arn.as_str())),
        ("definition", text(&definition)),
        ("roleArn", text(&desired.role_arn)),
        ("loggingConfiguration", desired.logging.clone()),
        ("tracingConfiguration", desired.tracing.clone()),
    ];
    match &desired.encryption {
        Some(encryption) => request.push(("encryptionConfiguration", encryption.clone())),
        None if described.get("encryptionConfiguration").is_some() => {
            request.push(("encryptionConfiguration", object([("type", text("AWS_OWNED_KEY"))])));
        }
        None => {}
    }
    let said = |refused: Refused| refused.to_string();
    ask(tools.api, "UpdateStateMachine", request.into_iter().collect()).await.map_err(said)?;
    owner::retag(tools.api, tools.caller, arn.as_str(), &desired.tags, old_tags).await.map_err(said)
}

/// Its schedules, and what `Fn::GetAtt` gives.
async fn finish(
    tools: &Tools<'_>,
    arn: &StateMachineArn,
    desired: &Desired,
    before: &[Text],
) -> Result<Data, String> {
    let request_id = &tools.caller.request_id;
    schedules::bring(tools.scheduler, arn.as_str(), before, &desired.schedules, request_id).await?;
    let found = describe(tools, arn.as_str()).await?;
    let found = found.ok_or_else(|| format!("{arn} was deleted in the meantime"))?;
    // The first revision has no id of its own.
    let revision = Some(member(&found, "revisionId")).filter(|id| !id.is_empty()).unwrap_or("INITIAL");
    Ok(vec![
        ("Arn", arn.as_str().into()),
        ("Name", name_of(arn)),
        ("StateMachineRevisionId", revision.into()),
    ])
}

async fn describe(tools: &Tools<'_>, arn: &str) -> Result<Option<Value>, String> {
    let request = object([("stateMachineArn", text(arn)), ("includedData", text("METADATA_ONLY"))]);
    match ask(tools.api, "DescribeStateMachine", request).await {
        Ok(found) => Ok(Some(found)),
        Err(refused) if refused.error_type == ErrorType::StateMachineDoesNotExist => Ok(None),
        Err(refused) => Err(refused.to_string()),
    }
}

fn name_of(arn: &StateMachineArn) -> Text {
    arn.arn().resource.state_machine().cloned().unwrap_or_default()
}
