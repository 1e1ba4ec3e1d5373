//! `stepwright deploy`: installs on AWS, by a change set of CloudFormation.
//!
//! Reading order: [`deploy`], `artefacts` (template and zips), `bucket` (where CloudFormation takes them
//! from), [`Plan`] (parameters), [`proposed`] (the change set).

mod artefacts;
pub mod bucket;

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use aws_sdk_cloudformation::types::{
    Capability, ChangeAction, ChangeSetStatus, ChangeSetType, Parameter, Replacement, ResourceChange,
};

use crate::args::{DeployArgs, When};
use crate::exit::Exit;
use crate::stack::{self, Cloud, Failure, Stack, told};
use crate::terminal::Style;
use artefacts::{Template, architecture, locate};
use bucket::Bucket;

/// Between two looks at a change set that is being made.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How long one may take: transforms of large templates take a minute.
const LOOKS_MAX: usize = 600;

/// Runs the command.
pub fn deploy(args: &DeployArgs, color: When) -> Exit {
    stack::command(color, async |style| {
        let template = Template::read(args)?;
        let zips = zips(args, &template)?;
        let plan = Plan::new(args, &template, &zips)?;
        let cloud = Cloud::new(&args.stack, style).await?;
        let before = cloud.find().await?;
        check(before.as_ref())?;

        let bucket = Bucket::open(&cloud.sdk, args.s3_bucket.as_deref()).await?;
        let mut uploaded = BTreeMap::new();
        for (name, content) in zips {
            uploaded.insert(name, bucket.uri(&bucket.upload(content, ".zip").await?));
        }
        let text = template.with(&uploaded).into_bytes();
        let url = bucket.url(&bucket.upload(text, ".yaml").await?);

        let Some(change_set) = proposed(&cloud, before.as_ref(), &url, &plan).await? else {
            println!("no changes: the stack {} in {} is up to date", cloud.name, cloud.region());
            return Ok(Exit::Success);
        };
        println!("stack {} in {}:", cloud.name, cloud.region());
        for change in &change_set.changes {
            println!("  {}", line(change, style));
        }
        let is_wanted = cloud.confirm("Do this?", args.yes);
        if !matches!(is_wanted, Ok(true)) {
            discard(&cloud, &change_set.id, before.is_none().then_some(&change_set.stack)).await;
            return is_wanted.map(|_| Exit::Aborted);
        }
        let known = cloud.history(&change_set.stack).await?;
        let executed = cloud.client().execute_change_set().change_set_name(&change_set.id).send().await;
        executed.map_err(|error| told("the changes cannot be made", &error))?;
        let (stack, _) = cloud.follow(&change_set.stack, known).await?;
        let Some(stack) = stack.filter(Stack::is_good) else {
            return Err(format!("the stack {} was not deployed; its events above say why", cloud.name).into());
        };
        println!("{}\n", style.success("deployed"));
        cloud.print_outputs(&stack);
        if stack.output("Url").is_some() {
            println!("\n{}", next(&cloud));
        }
        Ok(Exit::Success)
    })
}

/// What can be done with it now.
fn next(cloud: &Cloud) -> String {
    format!(
        "Call it with unmodified SDKs:\n  stepwright proxy --stack {name} --region {region}\n  \
         AWS_ENDPOINT_URL_SFN=http://127.0.0.1:8083 aws stepfunctions list-state-machines --region {region}",
        name = cloud.name,
        region = cloud.region()
    )
}

/// The local files that the template names, read.
fn zips(args: &DeployArgs, template: &Template) -> Result<Vec<(String, Vec<u8>)>, Failure> {
    let read = |name: &str| {
        let path = locate(args, name)?;
        let content = std::fs::read(&path)
            .map_err(|error| Failure::usage(format!("{} cannot be read: {error}", path.display())))?;
        Ok((name.to_owned(), content))
    };
    template.local_files().into_iter().map(read).collect()
}

/// Whether the stack can be changed as it is.
fn check(stack: Option<&Stack>) -> Result<(), Failure> {
    let Some(stack) = stack else { return Ok(()) };
    if stack.is_busy() {
        return Err(Failure::usage(format!("the stack is {}: wait for its end", stack.status)));
    }
    if matches!(
        stack.status.as_str(),
        "ROLLBACK_COMPLETE" | "ROLLBACK_FAILED" | "CREATE_FAILED" | "DELETE_FAILED"
    ) {
        return Err(Failure::usage(format!(
            "the stack is {}, which CloudFormation cannot change: `stepwright destroy` removes it",
            stack.status
        )));
    }
    Ok(())
}

/// What parameters are to be.
struct Plan {
    declared: Vec<String>,
    given: BTreeMap<String, String>,
}

/// The parameter that says what the zips were built for.
const ARCHITECTURE: &str = "Architecture";

impl Plan {
    fn new(args: &DeployArgs, template: &Template, zips: &[(String, Vec<u8>)]) -> Result<Plan, Failure> {
        let declared = template.parameters.clone();
        let mut given = BTreeMap::new();
        for parameter in &args.parameters {
            if !declared.contains(&parameter.name) {
                let names = declared.join(", ");
                let message = format!("the template has no parameter `{}`; it has {names}", parameter.name);
                return Err(Failure::usage(message));
            }
            given.insert(parameter.name.clone(), parameter.value.clone());
        }
        let built = zips.iter().find_map(|(name, zip)| Some((name, architecture(zip)?)));
        if let Some((name, built)) = built.filter(|_| declared.iter().any(|name| name == ARCHITECTURE)) {
            let said = given.entry(ARCHITECTURE.to_owned()).or_insert_with(|| built.to_owned());
            if said != built {
                return Err(Failure::usage(format!("{name} was built for {built}, not for {said}")));
            }
        }
        Ok(Plan { declared, given })
    }

    /// What is given, and everything else as it is.
    fn parameters(&self, before: Option<&Stack>) -> Vec<Parameter> {
        let of = |name: &String| {
            let parameter = Parameter::builder().parameter_key(name);
            if let Some(value) = self.given.get(name) {
                return Some(parameter.parameter_value(value).build());
            }
            let was = before.is_some_and(|stack| stack.parameters.contains_key(name));
            was.then(|| parameter.use_previous_value(true).build())
        };
        self.declared.iter().filter_map(of).collect()
    }
}

/// Changes that CloudFormation would make.
struct ChangeSet {
    id: String,
    stack: String,
    changes: Vec<ResourceChange>,
}

/// Lets CloudFormation say what would change; none when nothing would.
async fn proposed(
    cloud: &Cloud,
    before: Option<&Stack>,
    url: &str,
    plan: &Plan,
) -> Result<Option<ChangeSet>, Failure> {
    let is_new = before.is_none_or(|stack| stack.status == "REVIEW_IN_PROGRESS");
    let millis = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis();
    let created = cloud
        .client()
        .create_change_set()
        .stack_name(&cloud.name)
        .change_set_name(format!("stepwright-{millis}"))
        .change_set_type(if is_new { ChangeSetType::Create } else { ChangeSetType::Update })
        .template_url(url)
        .set_parameters(Some(plan.parameters(before)))
        .capabilities(Capability::CapabilityIam)
        .capabilities(Capability::CapabilityAutoExpand)
        .send()
        .await;
    let created = created.map_err(|error| told("CloudFormation refuses the template", &error))?;
    let (Some(id), Some(stack)) = (created.id, created.stack_id) else {
        return Err("CloudFormation answered without a change set".to_owned().into());
    };
    for _ in 0..LOOKS_MAX {
        let found = cloud.client().describe_change_set().change_set_name(&id).send().await;
        let found = found.map_err(|error| told("the change set cannot be read", &error))?;
        match found.status {
            Some(ChangeSetStatus::CreateComplete) => {
                let changes = changes(cloud, &id).await?;
                return Ok(Some(ChangeSet { id, stack, changes }));
            }
            Some(ChangeSetStatus::CreatePending | ChangeSetStatus::CreateInProgress) => {
                tokio::time::sleep(LOOK_EVERY).await;
            }
            _ => {
                let reason = found.status_reason.unwrap_or_default();
                discard(cloud, &id, before.is_none().then_some(&stack)).await;
                let is_empty = reason.contains("didn't contain changes") || reason.contains("No updates");
                return if is_empty {
                    Ok(None)
                } else {
                    Err(format!("nothing was changed: {reason}").into())
                };
            }
        }
    }
    Err("CloudFormation does not say what would change: look at the stack's change sets".to_owned().into())
}

/// Removes a change set that is not wanted, and the empty stack that came with it. It is no matter if
/// they stay: the next deployment takes what it finds.
async fn discard(cloud: &Cloud, change_set: &str, stack: Option<&String>) {
    let _ = cloud.client().delete_change_set().change_set_name(change_set).send().await;
    if let Some(stack) = stack {
        let _ = cloud.client().delete_stack().stack_name(stack).send().await;
    }
}

async fn changes(cloud: &Cloud, id: &str) -> Result<Vec<ResourceChange>, Failure> {
    let mut found = Vec::new();
    let mut token = None;
    loop {
        let page =
            cloud.client().describe_change_set().change_set_name(id).set_next_token(token).send().await;
        let page = page.map_err(|error| told("the change set cannot be read", &error))?;
        found
            .extend(page.changes.unwrap_or_default().into_iter().filter_map(|change| change.resource_change));
        token = page.next_token;
        if token.is_none() {
            return Ok(found);
        }
    }
}

fn line(change: &ResourceChange, style: Style) -> String {
    let replaces = matches!(change.replacement, Some(Replacement::True | Replacement::Conditional));
    let action = match &change.action {
        Some(ChangeAction::Add) => style.success("create "),
        Some(ChangeAction::Modify) if replaces => style.error("replace"),
        Some(ChangeAction::Modify) => style.warning("change "),
        Some(ChangeAction::Remove) => style.error("delete "),
        other => other.as_ref().map(ChangeAction::as_str).unwrap_or_default().to_owned(),
    };
    let name = change.logical_resource_id.as_deref().unwrap_or_default();
    format!("{action}  {name}  {}", style.dim(change.resource_type.as_deref().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stack(parameters: &[&str]) -> Stack {
        Stack {
            id: "id".to_owned(),
            status: "CREATE_COMPLETE".to_owned(),
            reason: None,
            parameters: parameters.iter().map(|name| ((*name).to_owned(), "old".to_owned())).collect(),
            outputs: Vec::new(),
            changed: None,
        }
    }

    #[test]
    fn parameters_stay_as_they_are_unless_given() {
        let plan = Plan {
            declared: ["A", "B", "C"].map(str::to_owned).to_vec(),
            given: BTreeMap::from([("B".to_owned(), "new".to_owned())]),
        };
        let check = |before: Option<&Stack>, expected: &[(&str, Option<&str>)]| {
            let found = plan.parameters(before);
            let found: Vec<_> = found
                .iter()
                .map(|it| (it.parameter_key().unwrap_or_default(), it.parameter_value()))
                .collect();
            assert_eq!(found, expected);
        };
        check(None, &[("B", Some("new"))]);
        check(Some(&stack(&["A", "B", "Gone"])), &[("A", None), ("B", Some("new"))]);
    }

    #[test]
    fn stacks_that_cannot_be_changed_are_refused() {
        for (status, expected) in [
            ("CREATE_COMPLETE", true),
            ("UPDATE_ROLLBACK_COMPLETE", true),
            ("REVIEW_IN_PROGRESS", true),
            ("UPDATE_IN_PROGRESS", false),
            ("ROLLBACK_COMPLETE", false),
            ("DELETE_FAILED", false),
        ] {
            let stack = Stack { status: status.to_owned(), ..stack(&[]) };
            assert_eq!(check(Some(&stack)).is_ok(), expected, "{status}");
        }
        assert!(check(None).is_ok());
    }
}
