//! `stepwright destroy`: removes an installation.

use std::collections::BTreeMap;

use aws_sdk_cloudformation::error::ProvideErrorMetadata as _;
use aws_sdk_cloudformation::types::{Capability, Parameter};
use aws_sdk_s3::types::{Delete, ObjectIdentifier};

use crate::args::{DestroyArgs, When};
use crate::deploy::bucket;
use crate::exit::Exit;
use crate::stack::{self, Cloud, Failure, Stack, told};
use crate::terminal::Style;

/// The parameter of the template that keeps table and bucket, and what it says then.
const RETAIN: &str = "RetainData";

/// Objects that a bucket is emptied of at most; many times what an installation of a year has.
const OBJECTS_PAGES_MAX: usize = 100_000;

/// A bucket that something was written to meanwhile is emptied again.
const ATTEMPTS_MAX: usize = 3;

/// Runs the command.
pub fn destroy(args: &DestroyArgs, color: When) -> Exit {
    stack::command(color, async |style| {
        let cloud = Cloud::new(&args.stack, style).await?;
        let stack = cloud.existing().await?;
        if stack.is_busy() {
            return Err(Failure::usage(format!("the stack is {}: wait for its end", stack.status)));
        }
        println!("stack {} in {} will be deleted, with its functions and queues", cloud.name, cloud.region());
        let retains = stack.parameters.get(RETAIN).is_some_and(|value| value == "true");
        println!("{}", intention(retains && !args.delete_data, &stack, style));
        if !cloud.confirm("Delete it?", args.yes)? {
            return Ok(Exit::Aborted);
        }
        if retains && args.delete_data && !release(&cloud, &stack).await? {
            return Ok(Exit::Failed);
        }
        let empties = args.delete_data || !retains;
        let mut kept = BTreeMap::new();
        for _ in 0..ATTEMPTS_MAX {
            if empties && let Some(name) = stack.output("BucketName") {
                empty(&cloud, name).await?;
            }
            let known = cloud.history(&stack.id).await?;
            let deleted = cloud.client().delete_stack().stack_name(&stack.id).send().await;
            deleted.map_err(|error| told("the stack cannot be deleted", &error))?;
            let (left, skipped) = cloud.follow(&stack.id, known).await?;
            kept.extend(skipped.into_iter().map(|name| (name, ())));
            match left {
                Some(left) if left.status != "DELETE_COMPLETE" => {
                    let reason = left.reason.unwrap_or_default();
                    eprintln!("{}: the stack is {}: {reason}", style.warning("warning"), left.status);
                }
                _ => {
                    println!("{}", style.success("deleted"));
                    for name in kept.keys() {
                        println!("kept: {name}");
                    }
                    return Ok(Exit::Success);
                }
            }
        }
        Err(format!("the stack could not be deleted in {ATTEMPTS_MAX} attempts; its events above say why")
            .into())
    })
}

fn intention(keeps: bool, stack: &Stack, style: Style) -> String {
    let name = |output: &str| stack.output(output).unwrap_or("the stack's").to_owned();
    let (table, bucket) = (name("TableName"), name("BucketName"));
    if keeps {
        format!(
            "kept: the table {table} and the bucket {bucket}, with all executions (--delete-data deletes them as well)"
        )
    } else {
        style.warning(&format!("the table {table} and the bucket {bucket} go with it, and all executions"))
    }
}

/// Lets the stack delete what it was told to keep.
async fn release(cloud: &Cloud, stack: &Stack) -> Result<bool, Failure> {
    let known = cloud.history(&stack.id).await?;
    let parameters = stack.parameters.keys().map(|name| {
        let parameter = Parameter::builder().parameter_key(name);
        if name == RETAIN { parameter.parameter_value("false") } else { parameter.use_previous_value(true) }
            .build()
    });
    let updated = cloud
        .client()
        .update_stack()
        .stack_name(&stack.id)
        .use_previous_template(true)
        .set_parameters(Some(parameters.collect()))
        .capabilities(Capability::CapabilityIam)
        .capabilities(Capability::CapabilityAutoExpand)
        .send()
        .await;
    match updated {
        Ok(_) => {}
        Err(error) if error.message().is_some_and(|message| message.contains("No updates")) => {
            return Ok(true);
        }
        Err(error) => return Err(told("the stack cannot be told to delete its data", &error).into()),
    }
    let (now, _) = cloud.follow(&stack.id, known).await?;
    Ok(now.is_some_and(|now| now.is_good()))
}

/// Deletes every version of every object: CloudFormation deletes empty buckets only.
async fn empty(cloud: &Cloud, name: &str) -> Result<(), Failure> {
    let s3 = bucket::client(&cloud.sdk);
    for _ in 0..OBJECTS_PAGES_MAX {
        let page = s3.list_object_versions().bucket(name).send().await;
        let page = match page {
            Ok(page) => page,
            Err(error) if error.code() == Some("NoSuchBucket") => return Ok(()),
            Err(error) => return Err(told(&format!("the bucket {name} cannot be listed"), &error).into()),
        };
        let versions = page.versions.unwrap_or_default().into_iter().map(|it| (it.key, it.version_id));
        let markers = page.delete_markers.unwrap_or_default().into_iter().map(|it| (it.key, it.version_id));
        let objects: Result<Vec<ObjectIdentifier>, _> = versions
            .chain(markers)
            .filter_map(|(key, version)| Some((key?, version)))
            .map(|(key, version)| ObjectIdentifier::builder().key(key).set_version_id(version).build())
            .collect();
        let objects =
            objects.map_err(|error| format!("the bucket {name} has an object without a key: {error}"))?;
        if objects.is_empty() {
            return Ok(());
        }
        let delete = Delete::builder().set_objects(Some(objects)).quiet(true).build();
        let delete = delete.map_err(|error| format!("the bucket {name} cannot be emptied: {error}"))?;
        let deleted = s3.delete_objects().bucket(name).delete(delete).send().await;
        let deleted =
            deleted.map_err(|error| told(&format!("the bucket {name} cannot be emptied"), &error))?;
        if let Some(error) = deleted.errors.unwrap_or_default().first() {
            let message = error.message.as_deref().unwrap_or("it does not say why");
            return Err(format!("the bucket {name} cannot be emptied: {message}").into());
        }
    }
    Err(format!("the bucket {name} has too many objects to be emptied from here: give it a lifecycle rule")
        .into())
}
