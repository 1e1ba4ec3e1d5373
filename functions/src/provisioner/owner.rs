//! Whose a resource is: tags say which resource of which stack made it.
//!
//! CloudFormation delivers requests more than once, and answers to a failed Create with a Delete.
//! Neither may touch what somebody else has made under the same name.

use model::json::{Text, Value};
use model::limits::NAME_CHARS_MAX;
use service::ErrorType;

use super::properties::Members;
use super::request::Caller;
use crate::call::{Api, Refused, ask, member, object, text};
use crate::digest::digest;

/// Tags that begin so belong to the provisioner.
const PREFIX: &str = "stepwright:";
/// The tag that holds the ARN of the stack.
const STACK: &str = "stepwright:stack-id";
/// The tag that holds the resource's name in the template.
const LOGICAL: &str = "stepwright:logical-id";

/// Tags of a resource.
pub type Tags = Vec<(Text, Text)>;

/// Whose a resource is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ownership {
    /// It is the one that the caller asks about.
    Ours,
    /// Somebody else's.
    Others,
    /// There is none.
    Nobody,
}

/// Reads `Tags`.
pub fn tags(members: &Members<'_>) -> Tags {
    let tags =
        members.structures("Tags", |tag| (tag.required_text("Key"), tag.text("Value").unwrap_or_default()));
    let tags = tags.unwrap_or_default();
    if let Some((key, _)) = tags.iter().find(|(key, _)| key.starts_with(PREFIX)) {
        members
            .refuse("Tags", format_args!("has the key `{key}`: those that begin with {PREFIX} are reserved"));
    }
    tags
}

/// The keys of the tags of earlier properties, as far as they can be read.
pub fn tag_keys(properties: &Value) -> Vec<Text> {
    let tags = properties.get("Tags").and_then(Value::as_array);
    tags.map(|tags| tags.iter().map(|tag| member(tag, "Key").into()).collect()).unwrap_or_default()
}

/// What the API takes: the tags of the template, and whose the resource is.
pub fn tagged(caller: &Caller, tags: &Tags) -> Value {
    let owner = [(STACK, caller.stack_id.as_str()), (LOGICAL, caller.logical_id.as_str())];
    let all = tags.iter().map(|(key, value)| (key.as_str(), value.as_str())).chain(owner);
    all.map(|(key, value)| object([("key", text(key)), ("value", text(value))])).collect()
}

/// Whose the resource of this ARN is.
pub async fn of(api: &dyn Api, caller: &Caller, arn: &str) -> Result<Ownership, Refused> {
    let listed = match ask(api, "ListTagsForResource", object([("resourceArn", text(arn))])).await {
        Ok(listed) => listed,
        Err(refused) if refused.error_type == ErrorType::ResourceNotFound => return Ok(Ownership::Nobody),
        Err(refused) => return Err(refused),
    };
    let tag = |key: &str| {
        let tags = listed.get("tags").and_then(Value::as_array)?;
        tags.iter().find(|tag| member(tag, "key") == key).map(|tag| member(tag, "value").to_owned())
    };
    let is_ours = tag(STACK).as_deref() == Some(caller.stack_id.as_str())
        && tag(LOGICAL).as_deref() == Some(caller.logical_id.as_str());
    Ok(if is_ours { Ownership::Ours } else { Ownership::Others })
}

/// Brings the tags of a resource to what the template says. Tags that others gave it stay.
pub async fn retag(
    api: &dyn Api,
    caller: &Caller,
    arn: &str,
    tags: &Tags,
    old: &[Text],
) -> Result<(), Refused> {
    let request = object([("resourceArn", text(arn)), ("tags", tagged(caller, tags))]);
    ask(api, "TagResource", request).await?;
    let gone = old.iter().filter(|key| !key.starts_with(PREFIX) && tags.iter().all(|(kept, _)| kept != *key));
    let gone: Vec<Value> = gone.map(|key| text(key)).collect();
    if !gone.is_empty() {
        let request = object([("resourceArn", text(arn)), ("tagKeys", gone.into())]);
        ask(api, "UntagResource", request).await?;
    }
    Ok(())
}

/// A name that nobody chose: the stack's, the resource's, and what only this one has. `salt` is what
/// makes it another resource although stack and template call it the same.
pub fn generated(caller: &Caller, salt: &str) -> Text {
    const STACK_CHARS: usize = 40;
    const LOGICAL_CHARS: usize = 24;
    const HASH_CHARS: usize = NAME_CHARS_MAX - STACK_CHARS - LOGICAL_CHARS - 4;
    let part = |text: &str, chars: usize| -> String {
        text.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(chars).collect()
    };
    let hash = digest(&[&caller.stack_id, &caller.logical_id, salt]);
    let (stack, logical) = (part(caller.stack_name(), STACK_CHARS), part(&caller.logical_id, LOGICAL_CHARS));
    format!("{stack}-{logical}-{}", &hash[..HASH_CHARS]).into()
}

/// The physical id of what does not exist.
pub fn placeholder(caller: &Caller) -> Text {
    format!("not-created-{}", generated(caller, &caller.request_id)).into()
}

#[cfg(test)]
mod tests {
    use model::name::check_alias_name;

    use super::*;

    #[test]
    fn names_are_made_of_stack_and_resource() {
        let long = "s".repeat(128);
        for (stack, logical) in [("app", "Orders"), (long.as_str(), &"L".repeat(255)), ("", "")] {
            let caller = Caller {
                response_url: "".into(),
                stack_id: format!("arn:aws:cloudformation:us-east-1:123456789012:stack/{stack}/6b5a").into(),
                request_id: "r".into(),
                logical_id: logical.into(),
            };
            let name = generated(&caller, "STANDARD");
            assert_eq!(check_alias_name(&name), Ok(()), "{name}");
            assert_eq!(name, generated(&Caller { request_id: "again".into(), ..caller.clone() }, "STANDARD"));
            assert_ne!(name, generated(&caller, "EXPRESS"));
            let other = Caller { stack_id: format!("{}x", caller.stack_id).into(), ..caller.clone() };
            assert_ne!(name, generated(&other, "STANDARD"));
            assert!(!placeholder(&caller).starts_with("arn:"));
        }
    }
}
