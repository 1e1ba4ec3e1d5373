//! `Custom::Activity`: the properties of `AWS::StepFunctions::Activity`.

use model::arn::ActivityArn;
use model::json::{Text, Value};
use service::ErrorType;

use super::answer::Data;
use super::owner::{self, Ownership, Tags};
use super::state_machine::encryption;
use super::{Physical, Tools, exists_already, properties};
use crate::call::{Refused, ask, object, text};

/// An activity as its properties want it.
struct Desired {
    name: Option<Text>,
    tags: Tags,
    encryption: Option<Value>,
}

fn desired(properties: &Value) -> Result<Desired, String> {
    properties::read(properties, |members| Desired {
        name: members.text("Name"),
        tags: owner::tags(members),
        encryption: encryption(members),
    })
}

fn said(refused: Refused) -> String {
    refused.to_string()
}

/// Creates it.
pub async fn create(tools: &Tools<'_>, properties: &Value, physical: &Physical) -> Result<Data, String> {
    make(tools, &desired(properties)?, physical).await
}

async fn make(tools: &Tools<'_>, desired: &Desired, physical: &Physical) -> Result<Data, String> {
    let name = desired.name.clone().unwrap_or_else(|| owner::generated(tools.caller, "activity"));
    let arn = ActivityArn::new(tools.home, &name).map_err(|error| format!("Name: {error}"))?;
    let mut request = vec![("name", text(&name)), ("tags", owner::tagged(tools.caller, &desired.tags))];
    if let Some(encryption) = &desired.encryption {
        request.push(("encryptionConfiguration", encryption.clone()));
    }
    let before = physical.set(arn.as_str().into());
    let created = ask(tools.api, "CreateActivity", request.into_iter().collect()).await;
    match created {
        Err(refused) if refused.error_type != ErrorType::ActivityAlreadyExists => return Err(said(refused)),
        created => {
            // Creating what is there already is no error of the API, unless it is encrypted otherwise.
            let is_ours =
                owner::of(tools.api, tools.caller, arn.as_str()).await.map_err(said)? == Ownership::Ours;
            if !is_ours || created.is_err() {
                physical.set(before);
                return Err(exists_already(arn.as_str()));
            }
        }
    }
    owner::retag(tools.api, tools.caller, arn.as_str(), &desired.tags, &[]).await.map_err(said)?;
    Ok(data(&arn, name))
}

/// Changes its tags, or makes another one.
pub async fn update(
    tools: &Tools<'_>,
    properties: &Value,
    old: &Value,
    physical: &Physical,
) -> Result<Data, String> {
    let mut desired = desired(properties)?;
    let Ok(current) = ActivityArn::parse(&physical.get()) else {
        return make(tools, &desired, physical).await;
    };
    let current_name = current.as_str().rsplit(':').next().unwrap_or_default();
    let is_encrypted_as_before =
        properties.get("EncryptionConfiguration") == old.get("EncryptionConfiguration");
    if desired.name.is_none() && old.get("Name").is_none() && is_encrypted_as_before {
        // Whatever it was called when it was made.
        desired.name = Some(current_name.into());
    }
    if desired.name.as_deref() != Some(current_name) {
        return make(tools, &desired, physical).await;
    }
    if !is_encrypted_as_before {
        return Err(format!(
            "EncryptionConfiguration of {current} cannot be changed; give the activity another Name"
        ));
    }
    match owner::of(tools.api, tools.caller, current.as_str()).await.map_err(said)? {
        Ownership::Nobody => return make(tools, &desired, physical).await,
        Ownership::Ours | Ownership::Others => {}
    }
    let old_tags = owner::tag_keys(old);
    owner::retag(tools.api, tools.caller, current.as_str(), &desired.tags, &old_tags).await.map_err(said)?;
    Ok(data(&current, current_name.into()))
}

/// Deletes it, if it is the stack's.
pub async fn delete(tools: &Tools<'_>, physical: &Physical) -> Result<Data, String> {
    let Ok(arn) = ActivityArn::parse(&physical.get()) else { return Ok(Data::new()) };
    match owner::of(tools.api, tools.caller, arn.as_str()).await.map_err(said)? {
        Ownership::Ours => {
            ask(tools.api, "DeleteActivity", object([("activityArn", text(arn.as_str()))]))
                .await
                .map_err(said)?;
        }
        Ownership::Nobody => {}
        Ownership::Others => tracing::warn!(arn = arn.as_str(), "it is not the stack's, and stays"),
    }
    Ok(Data::new())
}

fn data(arn: &ActivityArn, name: Text) -> Data {
    vec![("Arn", arn.as_str().into()), ("Name", name)]
}
