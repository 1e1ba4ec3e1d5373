//! What operations do, as far as names tell: which only read, and which Step Functions leaves out.

use serde_json::Value;

/// What operations that only read begin with.
const VERBS: [&str; 9] = ["BatchGet", "Describe", "Get", "Head", "List", "Lookup", "Query", "Scan", "Search"];

/// Operations that read by their names and do more: they make, use up or move on something, or start
/// a query that costs.
const DO_MORE: [(&str, &str); 17] = [
    ("appconfigdata", "GetLatestConfiguration"),
    ("athena", "GetSession"),
    ("cognitoidentity", "GetCredentialsForIdentity"),
    ("cognitoidentity", "GetId"),
    ("cognitoidentity", "GetOpenIdToken"),
    ("cognitoidentity", "GetOpenIdTokenForDeveloperIdentity"),
    ("dynamodbstreams", "GetRecords"),
    ("ecr", "GetAuthorizationToken"),
    ("iotdata", "GetRetainedMessage"),
    ("mturk", "GetQualificationScore"),
    ("redshift", "GetClusterCredentials"),
    ("redshift", "GetClusterCredentialsWithIAM"),
    ("redshiftserverless", "GetCredentials"),
    ("sfn", "GetActivityTask"),
    ("sts", "GetFederationToken"),
    ("sts", "GetSessionToken"),
    ("timestreamquery", "Query"),
];

/// Whether an operation changes nothing, so that it may be repeated: the model says so, or it has
/// the verb of one.
pub fn reads(service: &str, operation: &str, of: &Value) -> bool {
    if DO_MORE.contains(&(service, operation)) {
        return false;
    }
    let named = VERBS.iter().any(|verb| {
        let behind = operation.strip_prefix(verb).and_then(|behind| behind.chars().next());
        operation == *verb || behind.is_some_and(|c| c.is_ascii_uppercase())
    });
    let writes = matches!(of["http"]["method"].as_str(), Some("PUT" | "DELETE" | "PATCH"));
    of["readonly"] == true || (named && !writes)
}

/// Operations that Step Functions does not offer (developer guide, "Unsupported API actions for
/// supported services"). Those with streams of events are left out by that.
const EXCLUDED: [(&str, &str); 42] = [
    ("applicationdiscovery", "DescribeExportConfigurations"),
    ("applicationdiscovery", "ExportConfigurations"),
    ("bedrockagentruntime", "InvokeAgent"),
    ("bedrockagentruntime", "InvokeFlow"),
    ("bedrockagentruntime", "InvokeInlineAgent"),
    ("bedrockagentruntime", "OptimizePrompt"),
    ("bedrockagentruntime", "RetrieveAndGenerateStream"),
    ("bedrockruntime", "ConverseStream"),
    ("bedrockruntime", "InvokeModelWithResponseStream"),
    ("cloudwatchlogs", "StartLiveTail"),
    ("codedeploy", "BatchGetDeploymentInstances"),
    ("codedeploy", "GetDeploymentInstance"),
    ("codedeploy", "ListDeploymentInstances"),
    ("codedeploy", "SkipWaitTimeForInstanceTermination"),
    ("comprehendmedical", "DetectEntities"),
    ("dataexchange", "SendApiAsset"),
    ("directconnect", "AllocateConnectionOnInterconnect"),
    ("directconnect", "DescribeConnectionLoa"),
    ("directconnect", "DescribeConnectionsOnInterconnect"),
    ("directconnect", "DescribeInterconnectLoa"),
    ("efs", "CreateTags"),
    ("elastictranscoder", "TestRole"),
    ("emr", "DescribeJobFlows"),
    ("iot", "AttachPrincipalPolicy"),
    ("iot", "DetachPrincipalPolicy"),
    ("iot", "ListPolicyPrincipals"),
    ("iot", "ListPrincipalPolicies"),
    ("iotdeviceadvisor", "ListTestCases"),
    ("iotsitewise", "InvokeAssistant"),
    ("kinesis", "SubscribeToShard"),
    ("lambda", "InvokeAsync"),
    ("lambda", "InvokeWithResponseStream"),
    ("lexruntimev2", "StartConversation"),
    ("mediapackage", "RotateChannelCredentials"),
    ("qbusiness", "Chat"),
    ("rdsdata", "ExecuteSql"),
    ("s3", "SelectObjectContent"),
    ("sagemakerruntime", "InvokeEndpointWithResponseStream"),
    ("shield", "DeleteSubscription"),
    ("sts", "AssumeRole"),
    ("sts", "AssumeRoleWithSAML"),
    ("sts", "AssumeRoleWithWebIdentity"),
];

/// Whether Step Functions does not offer an operation.
pub fn excluded(service: &str, operation: &str) -> bool {
    let outdated = service == "securitylake" && operation.contains("Datalake");
    outdated || EXCLUDED.contains(&(service, operation))
}
