//! `Custom::Installation`, a resource of the installation's own template: when it is deleted, what was
//! made at run time goes, which CloudFormation does not know.

use integrations::activity::queue_name;
use model::json::{Text, Value};

use super::answer::Data;
use super::{Physical, Tools, objects, properties};
use crate::call::{ask, member, object, text};

/// There is one of it.
const PHYSICAL_ID: &str = "installation";

struct Desired {
    bucket: Text,
    retains: bool,
}

fn desired(properties: &Value) -> Result<Desired, String> {
    properties::read(properties, |members| Desired {
        bucket: members.required_text("BucketName"),
        retains: members.flag("RetainData").unwrap_or(true),
    })
}

/// Nothing is to do while it is there.
pub fn keep(properties: &Value, physical: &Physical) -> Result<Data, String> {
    desired(properties)?;
    physical.set(PHYSICAL_ID.into());
    Ok(Data::new())
}

/// Removes the queues of activities, and what is in the bucket unless that is retained.
pub async fn delete(tools: &Tools<'_>, properties: &Value, physical: &Physical) -> Result<Data, String> {
    if physical.get() != PHYSICAL_ID {
        // What was never created.
        return Ok(Data::new());
    }
    let Desired { bucket, retains } = desired(properties)?;
    let mut next: Option<Text> = None;
    loop {
        let request = match &next {
            None => Value::object(),
            Some(token) => object([("nextToken", text(token))]),
        };
        let listed =
            ask(tools.api, "ListActivities", request).await.map_err(|refused| refused.to_string())?;
        for activity in
            listed.get("activities").and_then(Value::as_array).into_iter().flat_map(|all| all.iter())
        {
            let arn = member(activity, "activityArn");
            let removed = tools.queues.remove(&queue_name(arn)).await;
            removed.map_err(|error| format!("the queue of {arn} cannot be removed: {error}"))?;
        }
        next = Some(Text::from(member(&listed, "nextToken"))).filter(|token| !token.is_empty());
        if next.is_none() {
            break;
        }
    }
    if !retains {
        objects::empty(tools.objects, &bucket).await?;
    }
    Ok(Data::new())
}
