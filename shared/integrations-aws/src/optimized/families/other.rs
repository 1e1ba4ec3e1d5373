//! Services that run containers and builds, store items, and pass messages on.

use super::{JOB, REASON, ask, plain, starts};
use crate::failure::Style;
use crate::optimized::table::{Action, Change, Family, From, Job, Part};

/// Everything else but what has a file of its own: `http`, `apigateway`, `eks:call`, `eks:runJob`.
pub(crate) const OTHER: &[Family] = &[
    Family {
        name: "batch",
        service: "batch",
        style: Style::First { prefix: "Batch", base: "AWSBatchException", service: "AWSBatch" },
        metadata: true,
        actions: &[starts(
            "submitJob",
            Job {
                marks: &[Change::Environment(
                    "ContainerOverrides",
                    "MANAGED_BY_AWS",
                    "STARTED_BY_STEP_FUNCTIONS",
                )],
                poll: ask("describeJobs", &[("Jobs", From::AnswerList("JobId"))]),
                state: "Jobs.0.Status",
                succeeded: &["SUCCEEDED"],
                failed: &["FAILED"],
                result: Part::At("Jobs.0"),
                cancel: Some(ask(
                    "terminateJob",
                    &[("JobId", From::Answer("JobId")), ("Reason", From::Text(REASON))],
                )),
                ..JOB
            },
        )],
    },
    Family {
        name: "codebuild",
        service: "codebuild",
        style: Style::First { prefix: "CodeBuild", base: "AWSCodeBuildException", service: "AWSCodeBuild" },
        metadata: true,
        actions: &[
            starts(
                "startBuild",
                Job {
                    poll: ask("batchGetBuilds", &[("Ids", From::AnswerList("Build.Id"))]),
                    state: "Builds.0.BuildStatus",
                    succeeded: &["SUCCEEDED"],
                    failed: &["FAILED", "FAULT", "TIMED_OUT", "STOPPED"],
                    result: Part::Under("Builds.0", "Build"),
                    cancel: Some(ask("stopBuild", &[("Id", From::Answer("Build.Id"))])),
                    ..JOB
                },
            ),
            starts("startBuildBatch", BUILD_BATCH),
            starts("retryBuildBatch", BUILD_BATCH),
            plain("stopBuild"),
            plain("batchDeleteBuilds"),
            plain("batchGetReports"),
            plain("stopBuildBatch"),
            plain("deleteBuildBatch"),
        ],
    },
    Family {
        name: "dynamodb",
        service: "dynamodb",
        style: Style::First {
            prefix: "DynamoDB",
            base: "AmazonDynamoDBException",
            service: "AmazonDynamoDBv2",
        },
        metadata: true,
        actions: &[plain("getItem"), plain("putItem"), plain("updateItem"), plain("deleteItem")],
    },
    Family {
        name: "ecs",
        service: "ecs",
        style: Style::First { prefix: "ECS", base: "AmazonECSException", service: "AmazonECS" },
        metadata: true,
        actions: &[starts(
            "runTask",
            Job {
                marks: &[Change::Default("StartedBy", "AWS Step Functions")],
                poll: ask(
                    "describeTasks",
                    &[("Cluster", From::Argument("Cluster")), ("Tasks", From::AnswerList("Tasks.0.TaskArn"))],
                ),
                state: "Tasks.0.LastStatus",
                succeeded: &["STOPPED"],
                exit_codes: true,
                result: Part::At("Tasks.0"),
                cancel: Some(ask(
                    "stopTask",
                    &[
                        ("Cluster", From::Argument("Cluster")),
                        ("Task", From::Answer("Tasks.0.TaskArn")),
                        ("Reason", From::Text(REASON)),
                    ],
                )),
                ..JOB
            },
        )],
    },
    Family {
        name: "eks",
        service: "eks",
        style: Style::First { prefix: "EKS", base: "AmazonEKSException", service: "AmazonEKS" },
        metadata: true,
        actions: &[
            starts("createCluster", Job { succeeded: &["ACTIVE"], failed: &["FAILED"], ..EKS_CLUSTER }),
            starts("deleteCluster", Job { failed: &["FAILED"], ends_absent: true, ..EKS_CLUSTER }),
            starts(
                "createNodegroup",
                Job { succeeded: &["ACTIVE"], failed: &["CREATE_FAILED", "DEGRADED"], ..EKS_NODEGROUP },
            ),
            starts(
                "deleteNodegroup",
                Job { failed: &["DELETE_FAILED", "DEGRADED"], ends_absent: true, ..EKS_NODEGROUP },
            ),
            starts(
                "createFargateProfile",
                Job { succeeded: &["ACTIVE"], failed: &["CREATE_FAILED"], ..EKS_PROFILE },
            ),
            starts(
                "deleteFargateProfile",
                Job { failed: &["DELETE_FAILED"], ends_absent: true, ..EKS_PROFILE },
            ),
        ],
    },
    Family {
        name: "sns",
        service: "sns",
        style: Style::First { prefix: "SNS", base: "AmazonSNSException", service: "AmazonSNS" },
        metadata: true,
        actions: &[plain("publish")],
    },
    Family {
        name: "sqs",
        service: "sqs",
        style: Style::First { prefix: "SQS", base: "AmazonSQSException", service: "AmazonSQS" },
        metadata: true,
        actions: &[plain("sendMessage")],
    },
    Family {
        name: "events",
        service: "eventbridge",
        style: Style::First {
            prefix: "EventBridge",
            base: "AmazonEventBridgeException",
            service: "AmazonEventBridge",
        },
        metadata: false,
        actions: &[plain("putEvents")],
    },
    Family {
        name: "states",
        service: "sfn",
        style: Style::First {
            prefix: "StepFunctions",
            base: "AWSStepFunctionsException",
            service: "AWSStepFunctions",
        },
        metadata: true,
        actions: &[Action {
            parameters: &[Change::Default("Input", "{}")],
            ..starts(
                "startExecution",
                Job {
                    poll: ask("describeExecution", &[("ExecutionArn", From::Answer("ExecutionArn"))]),
                    state: "Status",
                    succeeded: &["SUCCEEDED"],
                    failed: &["FAILED", "TIMED_OUT", "ABORTED"],
                    // What the service does not tell there. Source: recorded executions.
                    result: Part::Without(&[
                        "RedriveCount",
                        "RedriveDate",
                        "RedriveStatus",
                        "RedriveStatusReason",
                    ]),
                    cancel: Some(ask("stopExecution", &[("ExecutionArn", From::Answer("ExecutionArn"))])),
                    ..JOB
                },
            )
        }],
    },
];

const BUILD_BATCH: Job = Job {
    poll: ask("batchGetBuildBatches", &[("Ids", From::AnswerList("BuildBatch.Id"))]),
    state: "BuildBatches.0.BuildBatchStatus",
    succeeded: &["SUCCEEDED"],
    failed: &["FAILED", "FAULT", "TIMED_OUT", "STOPPED"],
    result: Part::Under("BuildBatches.0", "BuildBatch"),
    cancel: Some(ask("stopBuildBatch", &[("Id", From::Answer("BuildBatch.Id"))])),
    ..JOB
};

const EKS_CLUSTER: Job =
    Job { poll: ask("describeCluster", &[("Name", From::Argument("Name"))]), state: "Cluster.Status", ..JOB };

const EKS_NODEGROUP: Job = Job {
    poll: ask(
        "describeNodegroup",
        &[("ClusterName", From::Argument("ClusterName")), ("NodegroupName", From::Argument("NodegroupName"))],
    ),
    state: "Nodegroup.Status",
    ..JOB
};

const EKS_PROFILE: Job = Job {
    poll: ask(
        "describeFargateProfile",
        &[
            ("ClusterName", From::Argument("ClusterName")),
            ("FargateProfileName", From::Argument("FargateProfileName")),
        ],
    ),
    state: "FargateProfile.Status",
    ..JOB
};
