//! Which resources a Task may name, and which arguments an optimized integration must be given.

use model::json::Text;

use crate::state::{Pattern, Resource};

/// Why a text is not a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unrecognized {
    /// It is no ARN at all.
    NotAnArn,
    /// An ARN that names nothing that a Task can call.
    Unknown,
}

/// Says whether an SDK integration exists: `(service, action)` as in
/// `arn:aws:states:::aws-sdk:<service>:<action>`.
pub type SdkAction = fn(&str, &str) -> bool;

/// The integration patterns that an action supports.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Supports {
    /// Request-response only.
    Response,
    /// And `.waitForTaskToken`.
    Token,
    /// And `.sync`.
    Sync,
    /// And both.
    SyncToken,
    /// `states:startExecution`: also `.sync:2`.
    Everything,
}

use Supports::{Everything, Response, Sync, SyncToken, Token};

/// The optimized integrations. Source: developer guide, "Integrating services with Step Functions".
const OPTIMIZED: &[(&str, Supports, &[&str])] = &[
    ("apigateway", Token, &["invoke"]),
    ("athena", Sync, &["startQueryExecution"]),
    ("athena", Response, &["stopQueryExecution", "getQueryExecution", "getQueryResults"]),
    ("batch", Sync, &["submitJob"]),
    ("bedrock", Token, &["invokeModel"]),
    ("bedrock", Sync, &["createModelCustomizationJob"]),
    ("codebuild", Sync, &["startBuild", "startBuildBatch", "retryBuildBatch"]),
    (
        "codebuild",
        Response,
        &["stopBuild", "batchDeleteBuilds", "batchGetReports", "stopBuildBatch", "deleteBuildBatch"],
    ),
    ("databrew", Sync, &["startJobRun"]),
    ("dynamodb", Response, &["getItem", "putItem", "updateItem", "deleteItem"]),
    ("ecs", SyncToken, &["runTask"]),
    (
        "eks",
        Sync,
        &[
            "createCluster",
            "deleteCluster",
            "createNodegroup",
            "deleteNodegroup",
            "createFargateProfile",
            "deleteFargateProfile",
        ],
    ),
    ("eks", Sync, &["runJob"]),
    ("eks", Response, &["call"]),
    ("elasticmapreduce", Sync, &["createCluster", "terminateCluster", "addStep"]),
    (
        "elasticmapreduce",
        Response,
        &[
            "cancelStep",
            "setClusterTerminationProtection",
            "modifyInstanceFleetByName",
            "modifyInstanceGroupByName",
        ],
    ),
    ("emr-containers", Response, &["createVirtualCluster"]),
    ("emr-containers", Sync, &["deleteVirtualCluster", "startJobRun"]),
    (
        "emr-serverless",
        Sync,
        &[
            "createApplication",
            "startApplication",
            "stopApplication",
            "deleteApplication",
            "startJobRun",
            "cancelJobRun",
        ],
    ),
    ("events", Token, &["putEvents"]),
    ("glue", Sync, &["startJobRun"]),
    ("http", Response, &["invoke"]),
    ("lambda", Token, &["invoke"]),
    ("mediaconvert", Sync, &["createJob"]),
    (
        "sagemaker",
        Sync,
        &[
            "createTrainingJob",
            "createTransformJob",
            "createProcessingJob",
            "createHyperParameterTuningJob",
            "createLabelingJob",
        ],
    ),
    ("sagemaker", Response, &["createEndpoint", "createEndpointConfig", "createModel", "updateEndpoint"]),
    ("sns", Token, &["publish"]),
    ("sqs", Token, &["sendMessage"]),
    ("states", Everything, &["startExecution"]),
];

/// Members that the arguments of an optimized integration must have.
/// Source: refusals of ValidateStateMachineDefinition.
const REQUIRED: &[(&str, &str, &[&str])] = &[
    ("dynamodb", "getItem", &["TableName", "Key"]),
    ("dynamodb", "putItem", &["TableName", "Item"]),
    ("ecs", "runTask", &["TaskDefinition"]),
    ("events", "putEvents", &["Entries"]),
    ("glue", "startJobRun", &["JobName"]),
    ("lambda", "invoke", &["FunctionName"]),
    ("sns", "publish", &["Message"]),
    ("sqs", "sendMessage", &["QueueUrl", "MessageBody"]),
    ("states", "startExecution", &["StateMachineArn"]),
];

/// SDK actions that Step Functions does not offer. Source: developer guide, "Learning to use
/// AWS service SDK integrations", unsupported API actions.
const EXCLUDED: &[(&str, &[&str])] = &[
    ("applicationdiscovery", &["describeExportConfigurations", "exportConfigurations"]),
    ("bedrockruntime", &["invokeModelWithResponseStream", "converseStream"]),
    (
        "bedrockagentruntime",
        &["invokeAgent", "invokeFlow", "invokeInlineAgent", "optimizePrompt", "retrieveAndGenerateStream"],
    ),
    ("cloudwatchlogs", &["startLiveTail"]),
    (
        "codedeploy",
        &[
            "batchGetDeploymentInstances",
            "getDeploymentInstance",
            "listDeploymentInstances",
            "skipWaitTimeForInstanceTermination",
        ],
    ),
    ("comprehendmedical", &["detectEntities"]),
    ("dataexchange", &["sendApiAsset"]),
    (
        "directconnect",
        &[
            "allocateConnectionOnInterconnect",
            "describeConnectionLoa",
            "describeConnectionsOnInterconnect",
            "describeInterconnectLoa",
        ],
    ),
    ("efs", &["createTags"]),
    ("emr", &["describeJobFlows"]),
    (
        "iot",
        &["attachPrincipalPolicy", "listPrincipalPolicies", "detachPrincipalPolicy", "listPolicyPrincipals"],
    ),
    ("iotdeviceadvisor", &["listTestCases"]),
    ("iotsitewise", &["invokeAssistant"]),
    ("kinesis", &["subscribeToShard"]),
    ("lambda", &["invokeAsync", "invokeWithResponseStream"]),
    ("lexruntimev2", &["startConversation"]),
    ("mediapackage", &["rotateChannelCredentials"]),
    ("qbusiness", &["chat"]),
    ("rdsdata", &["executeSql"]),
    ("s3", &["selectObjectContent"]),
    ("sagemakerruntime", &["invokeEndpointWithResponseStream"]),
    ("shield", &["deleteSubscription"]),
    ("sts", &["assumeRole", "assumeRoleWithSAML", "assumeRoleWithWebIdentity"]),
];

/// The members that the arguments of `service:action` must have.
pub(crate) fn required_arguments(service: &str, action: &str) -> &'static [&'static str] {
    REQUIRED.iter().find(|(s, a, _)| *s == service && *a == action).map_or(&[], |(_, _, names)| names)
}

/// The resource that `arn` names and that a Task can call.
pub(crate) fn recognize(arn: &Text, sdk_action: Option<SdkAction>) -> Result<Resource, Unrecognized> {
    let resource = by_form(arn)?;
    match &resource {
        Resource::Integration { service, action, pattern, .. }
            if !exists(service, action, *pattern, sdk_action) =>
        {
            Err(Unrecognized::Unknown)
        }
        _ => Ok(resource),
    }
}

/// The resource that `arn` names, whether or not a service offers it.
pub(crate) fn by_form(arn: &Text) -> Result<Resource, Unrecognized> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let [prefix, partition, service, region, account, rest] = parts.as_slice() else {
        return Err(Unrecognized::NotAnArn);
    };
    if *prefix != "arn" || partition.is_empty() {
        return Err(Unrecognized::NotAnArn);
    }
    if !is_partition(partition) {
        return Err(Unrecognized::Unknown);
    }
    let found = match *service {
        "lambda" if !region.is_empty() && !account.is_empty() => lambda(arn, rest),
        "states" if !region.is_empty() && !account.is_empty() => rest
            .strip_prefix("activity:")
            .filter(|name| is_name(name))
            .map(|_| Resource::Activity { arn: arn.clone() }),
        "states" if account.is_empty() => integration(arn, rest),
        _ => None,
    };
    found.ok_or(Unrecognized::Unknown)
}

fn lambda(arn: &Text, rest: &str) -> Option<Resource> {
    let name = rest.strip_prefix("function:")?;
    let (name, qualifier) =
        name.split_once(':').map_or((name, None), |(name, qualifier)| (name, Some(qualifier)));
    let fits = |text: &str| {
        !text.is_empty()
            && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '$' | '.'))
    };
    (fits(name) && qualifier.is_none_or(fits)).then(|| Resource::Lambda { arn: arn.clone() })
}

fn integration(arn: &Text, rest: &str) -> Option<Resource> {
    let (service, call) = match rest.strip_prefix("aws-sdk:") {
        Some(sdk) => {
            let (name, call) = sdk.split_once(':')?;
            (&rest[.."aws-sdk:".len() + name.len()], call)
        }
        None => rest.split_once(':')?,
    };
    let (action, suffix) = call.split_once('.').map_or((call, ""), |(action, suffix)| (action, suffix));
    let pattern = match suffix {
        "" if call == action => Pattern::RequestResponse,
        "sync" => Pattern::Sync,
        "sync:2" => Pattern::Sync2,
        "waitForTaskToken" => Pattern::WaitForTaskToken,
        _ => return None,
    };
    Some(Resource::Integration {
        arn: arn.clone(),
        service: Text::new(service),
        action: Text::new(action),
        pattern,
    })
}

/// Whether a service offers the action with this pattern.
fn exists(service: &str, action: &str, pattern: Pattern, sdk_action: Option<SdkAction>) -> bool {
    match service.strip_prefix("aws-sdk:") {
        Some(name) => {
            is_sdk_action(name, action, sdk_action)
                && matches!(pattern, Pattern::RequestResponse | Pattern::WaitForTaskToken)
        }
        None => supports(service, action).is_some_and(|supports| takes(supports, pattern)),
    }
}

fn supports(service: &str, action: &str) -> Option<Supports> {
    OPTIMIZED
        .iter()
        .find(|(name, _, actions)| *name == service && actions.contains(&action))
        .map(|(_, supports, _)| *supports)
}

fn takes(supports: Supports, pattern: Pattern) -> bool {
    match pattern {
        Pattern::RequestResponse => true,
        Pattern::Sync => matches!(supports, Sync | SyncToken | Everything),
        Pattern::Sync2 => supports == Everything,
        Pattern::WaitForTaskToken => matches!(supports, Token | SyncToken | Everything),
    }
}

fn is_sdk_action(service: &str, action: &str, sdk_action: Option<SdkAction>) -> bool {
    let named = !service.is_empty()
        && service.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        && action.bytes().next().is_some_and(|b| b.is_ascii_alphabetic())
        && action.bytes().all(|b| b.is_ascii_alphanumeric());
    let excluded = EXCLUDED.iter().any(|(name, actions)| *name == service && actions.contains(&action));
    named && !excluded && sdk_action.is_none_or(|exists| exists(service, action))
}

fn is_partition(text: &str) -> bool {
    text == "aws"
        || text
            .strip_prefix("aws-")
            .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'))
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().count() <= 80 && !text.contains([':', '/', ' '])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(arn: &str) -> Result<Resource, Unrecognized> {
        recognize(&Text::new(arn), None)
    }

    #[test]
    fn resources_that_a_task_can_call() {
        let table = [
            ("arn:aws:lambda:us-east-1:123456789012:function:f", "lambda", ""),
            ("arn:aws-cn:lambda:cn-north-1:123456789012:function:f:$LATEST", "lambda", ""),
            ("arn:aws:states:us-east-1:123456789012:activity:work", "activity", ""),
            ("arn:aws:states:::lambda:invoke", "lambda", ""),
            ("arn:aws:states:::sqs:sendMessage.waitForTaskToken", "sqs", ".waitForTaskToken"),
            ("arn:aws:states:::states:startExecution.sync:2", "states", ".sync:2"),
            ("arn:aws:states:::ecs:runTask.sync", "ecs", ".sync"),
            ("arn:aws:states:::aws-sdk:dynamodb:query", "aws-sdk:dynamodb", ""),
            ("arn:aws:states:::aws-sdk:s3:listBuckets.waitForTaskToken", "aws-sdk:s3", ".waitForTaskToken"),
            ("arn:aws-us-gov:states:::http:invoke", "http", ""),
        ];
        for (arn, service, suffix) in table {
            let found = check(arn).unwrap_or_else(|_| panic!("{arn}"));
            match found {
                Resource::Lambda { .. } => assert_eq!(service, "lambda", "{arn}"),
                Resource::Activity { .. } => assert_eq!(service, "activity", "{arn}"),
                Resource::Integration { service: found, pattern, .. } => {
                    assert_eq!((found.as_str(), pattern.suffix()), (service, suffix), "{arn}");
                }
            }
        }
    }

    #[test]
    fn resources_that_it_cannot_call() {
        let table = [
            ("", Unrecognized::NotAnArn),
            ("lambda", Unrecognized::NotAnArn),
            ("${Function}", Unrecognized::NotAnArn),
            ("arn:aws:lambda:us-east-1:123456789012:layer:f", Unrecognized::Unknown),
            ("arn:nowhere:states:::lambda:invoke", Unrecognized::Unknown),
            ("arn:aws:states:::dynamodb:query", Unrecognized::Unknown),
            ("arn:aws:states:::lambda:invoke.sync", Unrecognized::Unknown),
            ("arn:aws:states:::batch:submitJob.waitForTaskToken", Unrecognized::Unknown),
            ("arn:aws:states:::ecs:runTask.sync:2", Unrecognized::Unknown),
            ("arn:aws:states:::aws-sdk:s3:getObject.sync", Unrecognized::Unknown),
            ("arn:aws:states:::aws-sdk:sts:assumeRole", Unrecognized::Unknown),
            ("arn:aws:states:::aws-sdk:S3:getObject", Unrecognized::Unknown),
            ("arn:aws:states:::lambda:invoke.", Unrecognized::Unknown),
            ("arn:aws:sqs:us-east-1:123456789012:queue", Unrecognized::Unknown),
        ];
        for (arn, why) in table {
            assert_eq!(check(arn), Err(why), "{arn}");
        }
    }

    #[test]
    fn a_stored_resource_is_read_by_its_form() {
        for arn in [
            "arn:aws:lambda:us-east-1:123456789012:function:f:$LATEST",
            "arn:aws:states:us-east-1:123456789012:activity:work",
            "arn:aws:states:::states:startExecution.sync:2",
            "arn:aws:states:::aws-sdk:s3:getObject.waitForTaskToken",
            "arn:aws:states:::http:invoke",
        ] {
            assert_eq!(Resource::from_arn(&Text::new(arn)), check(arn).ok(), "{arn}");
        }
        let withdrawn = Text::new("arn:aws:states:::formerly:offered");
        assert_eq!(check(&withdrawn), Err(Unrecognized::Unknown));
        assert_eq!(Resource::from_arn(&withdrawn).map(|found| found.arn().clone()), Some(withdrawn));
        for arn in ["", "arn:aws:states:::lambda:invoke.later", "arn:aws:sqs:us-east-1:123456789012:queue"] {
            assert_eq!(Resource::from_arn(&Text::new(arn)), None, "{arn}");
        }
    }

    #[test]
    fn the_caller_may_know_the_sdk_better() {
        let only_s3: SdkAction = |service, _| service == "s3";
        let arn = |service: &str| Text::new(format!("arn:aws:states:::aws-sdk:{service}:getObject"));
        assert!(recognize(&arn("s3"), Some(only_s3)).is_ok());
        assert!(recognize(&arn("nosuch"), Some(only_s3)).is_err());
    }
}
