//! Services that work on data and models.

use super::{JOB, ask, plain, starts};
use crate::failure::Style;
use crate::optimized::table::{Action, Change, Family, From, Job, Lookup, Part};

/// See the module.
pub(crate) const DATA: &[Family] = &[
    Family {
        name: "athena",
        service: "athena",
        style: Style::First { prefix: "Athena", base: "AmazonAthenaException", service: "AmazonAthena" },
        metadata: true,
        actions: &[
            starts(
                "startQueryExecution",
                Job {
                    poll: ask("getQueryExecution", &[("QueryExecutionId", From::Answer("QueryExecutionId"))]),
                    state: "QueryExecution.Status.State",
                    succeeded: &["SUCCEEDED"],
                    failed: &["FAILED", "CANCELLED"],
                    cancel: Some(ask(
                        "stopQueryExecution",
                        &[("QueryExecutionId", From::Answer("QueryExecutionId"))],
                    )),
                    ..JOB
                },
            ),
            plain("stopQueryExecution"),
            plain("getQueryExecution"),
            plain("getQueryResults"),
        ],
    },
    Family {
        name: "bedrock",
        service: "bedrock",
        style: Style::Second { prefix: "Bedrock" },
        metadata: false,
        actions: &[starts(
            "createModelCustomizationJob",
            Job {
                poll: ask("getModelCustomizationJob", &[("JobIdentifier", From::Answer("JobArn"))]),
                state: "Status",
                succeeded: &["Completed"],
                failed: &["Failed", "Stopped"],
                cancel: Some(ask("stopModelCustomizationJob", &[("JobIdentifier", From::Answer("JobArn"))])),
                ..JOB
            },
        )],
    },
    Family {
        name: "databrew",
        service: "databrew",
        style: Style::Second { prefix: "GlueDataBrew" },
        metadata: false,
        actions: &[starts(
            "startJobRun",
            Job {
                poll: ask(
                    "describeJobRun",
                    &[("Name", From::Argument("Name")), ("RunId", From::Answer("RunId"))],
                ),
                state: "State",
                succeeded: &["SUCCEEDED"],
                failed: &["FAILED", "STOPPED", "TIMEOUT"],
                cancel: Some(ask(
                    "stopJobRun",
                    &[("Name", From::Argument("Name")), ("RunId", From::Answer("RunId"))],
                )),
                ..JOB
            },
        )],
    },
    Family {
        name: "elasticmapreduce",
        service: "emr",
        style: Style::First {
            prefix: "ElasticMapReduce",
            base: "AmazonElasticMapReduceException",
            service: "AmazonElasticMapReduce",
        },
        metadata: true,
        actions: &[
            Action {
                operation: "runJobFlow",
                result: &[Change::Rename("JobFlowId", "ClusterId")],
                ..starts(
                    "createCluster",
                    Job {
                        poll: ask("describeCluster", &[("ClusterId", From::Answer("ClusterId"))]),
                        state: "Cluster.Status.State",
                        succeeded: &["WAITING"],
                        failed: &["TERMINATED", "TERMINATED_WITH_ERRORS"],
                        result: Part::WholeAnd("ClusterId"),
                        slow: true,
                        ..JOB
                    },
                )
            },
            Action {
                operation: "terminateJobFlows",
                parameters: &[Change::Wrap("ClusterId", "JobFlowIds")],
                ..starts(
                    "terminateCluster",
                    Job {
                        poll: ask("describeCluster", &[("ClusterId", From::Argument("ClusterId"))]),
                        state: "Cluster.Status.State",
                        succeeded: &["TERMINATED"],
                        failed: &["TERMINATED_WITH_ERRORS"],
                        slow: true,
                        ..JOB
                    },
                )
            },
            Action {
                operation: "addJobFlowSteps",
                parameters: &[Change::Rename("ClusterId", "JobFlowId"), Change::Wrap("Step", "Steps")],
                result: &[Change::First("StepIds", "StepId")],
                ..starts(
                    "addStep",
                    Job {
                        poll: ask(
                            "describeStep",
                            &[("ClusterId", From::Argument("ClusterId")), ("StepId", From::Answer("StepId"))],
                        ),
                        state: "Step.Status.State",
                        succeeded: &["COMPLETED"],
                        failed: &["FAILED", "CANCELLED", "INTERRUPTED"],
                        cancel: Some(ask(
                            "cancelSteps",
                            &[
                                ("ClusterId", From::Argument("ClusterId")),
                                ("StepIds", From::AnswerList("StepId")),
                            ],
                        )),
                        slow: true,
                        ..JOB
                    },
                )
            },
            Action {
                operation: "cancelSteps",
                parameters: &[Change::Wrap("StepId", "StepIds")],
                result: &[Change::First("CancelStepsInfoList", "CancelStepsInfo")],
                ..plain("cancelStep")
            },
            Action {
                operation: "setTerminationProtection",
                parameters: &[Change::Wrap("ClusterId", "JobFlowIds")],
                ..plain("setClusterTerminationProtection")
            },
            Action {
                operation: "modifyInstanceFleet",
                parameters: &[Change::Lookup(&Lookup {
                    name: "InstanceFleetName",
                    operation: "listInstanceFleets",
                    of: "ClusterId",
                    list: "InstanceFleets",
                    into: ("InstanceFleet", "InstanceFleetId"),
                    listed: false,
                })],
                ..plain("modifyInstanceFleetByName")
            },
            Action {
                operation: "modifyInstanceGroups",
                parameters: &[
                    Change::Lookup(&Lookup {
                        name: "InstanceGroupName",
                        operation: "listInstanceGroups",
                        of: "ClusterId",
                        list: "InstanceGroups",
                        into: ("InstanceGroup", "InstanceGroupId"),
                        listed: true,
                    }),
                    Change::Rename("InstanceGroup", "InstanceGroups"),
                ],
                ..plain("modifyInstanceGroupByName")
            },
        ],
    },
    Family {
        name: "emr-containers",
        service: "emrcontainers",
        style: Style::Second { prefix: "EMRContainers" },
        metadata: false,
        actions: &[
            plain("createVirtualCluster"),
            starts(
                "deleteVirtualCluster",
                Job {
                    poll: ask("describeVirtualCluster", &[("Id", From::Argument("Id"))]),
                    state: "VirtualCluster.State",
                    succeeded: &["TERMINATED"],
                    failed: &["ARRESTED"],
                    result: Part::At("VirtualCluster"),
                    ..JOB
                },
            ),
            starts(
                "startJobRun",
                Job {
                    poll: ask(
                        "describeJobRun",
                        &[
                            ("VirtualClusterId", From::Argument("VirtualClusterId")),
                            ("Id", From::Answer("Id")),
                        ],
                    ),
                    state: "JobRun.State",
                    succeeded: &["COMPLETED"],
                    failed: &["FAILED", "CANCELLED"],
                    result: Part::At("JobRun"),
                    cancel: Some(ask(
                        "cancelJobRun",
                        &[
                            ("VirtualClusterId", From::Argument("VirtualClusterId")),
                            ("Id", From::Answer("Id")),
                        ],
                    )),
                    ..JOB
                },
            ),
        ],
    },
    Family {
        name: "emr-serverless",
        service: "emrserverless",
        style: Style::Second { prefix: "EmrServerless" },
        metadata: false,
        actions: &[
            starts(
                "createApplication",
                Job {
                    poll: ask("getApplication", &[("ApplicationId", From::Answer("ApplicationId"))]),
                    succeeded: &["CREATED", "STARTED"],
                    failed: &["TERMINATED"],
                    cancel: Some(ask(
                        "deleteApplication",
                        &[("ApplicationId", From::Answer("ApplicationId"))],
                    )),
                    ..EMR_APPLICATION
                },
            ),
            Action {
                result: &[Change::Argument("ApplicationId")],
                ..starts(
                    "startApplication",
                    Job {
                        succeeded: &["STARTED"],
                        failed: &["TERMINATED"],
                        cancel: Some(ask(
                            "stopApplication",
                            &[("ApplicationId", From::Argument("ApplicationId"))],
                        )),
                        ..EMR_APPLICATION
                    },
                )
            },
            Action {
                result: &[Change::Argument("ApplicationId")],
                ..starts(
                    "stopApplication",
                    Job { succeeded: &["STOPPED"], failed: &["TERMINATED"], ..EMR_APPLICATION },
                )
            },
            Action {
                result: &[Change::Argument("ApplicationId")],
                ..starts("deleteApplication", Job { succeeded: &["TERMINATED"], ..EMR_APPLICATION })
            },
            starts(
                "startJobRun",
                Job {
                    poll: ask(
                        "getJobRun",
                        &[
                            ("ApplicationId", From::Argument("ApplicationId")),
                            ("JobRunId", From::Answer("JobRunId")),
                        ],
                    ),
                    state: "JobRun.State",
                    succeeded: &["SUCCESS"],
                    failed: &["FAILED", "CANCELLED"],
                    result: Part::At("JobRun"),
                    cancel: Some(ask(
                        "cancelJobRun",
                        &[
                            ("ApplicationId", From::Argument("ApplicationId")),
                            ("JobRunId", From::Answer("JobRunId")),
                        ],
                    )),
                    ..JOB
                },
            ),
            starts(
                "cancelJobRun",
                Job {
                    poll: ask(
                        "getJobRun",
                        &[
                            ("ApplicationId", From::Argument("ApplicationId")),
                            ("JobRunId", From::Argument("JobRunId")),
                        ],
                    ),
                    state: "JobRun.State",
                    succeeded: &["CANCELLED"],
                    failed: &["FAILED", "SUCCESS"],
                    result: Part::At("JobRun"),
                    ..JOB
                },
            ),
        ],
    },
    Family {
        name: "glue",
        service: "glue",
        style: Style::First { prefix: "Glue", base: "AWSGlueException", service: "AWSGlue" },
        metadata: true,
        actions: &[Action {
            result: &[Change::Argument("JobName")],
            ..starts(
                "startJobRun",
                Job {
                    poll: ask(
                        "getJobRun",
                        &[("JobName", From::Argument("JobName")), ("RunId", From::Answer("JobRunId"))],
                    ),
                    state: "JobRun.JobRunState",
                    succeeded: &["SUCCEEDED"],
                    failed: &["FAILED", "TIMEOUT", "ERROR", "EXPIRED", "STOPPED"],
                    result: Part::At("JobRun"),
                    cancel: Some(ask(
                        "batchStopJobRun",
                        &[
                            ("JobName", From::Argument("JobName")),
                            ("JobRunIds", From::AnswerList("JobRunId")),
                        ],
                    )),
                    ..JOB
                },
            )
        }],
    },
    Family {
        name: "mediaconvert",
        service: "mediaconvert",
        style: Style::Second { prefix: "MediaConvert" },
        metadata: false,
        actions: &[starts(
            "createJob",
            Job {
                poll: ask("getJob", &[("Id", From::Answer("Job.Id"))]),
                state: "Job.Status",
                succeeded: &["COMPLETE"],
                failed: &["ERROR", "CANCELED"],
                cancel: Some(ask("cancelJob", &[("Id", From::Answer("Job.Id"))])),
                ..JOB
            },
        )],
    },
    Family {
        name: "sagemaker",
        service: "sagemaker",
        style: Style::First {
            prefix: "SageMaker",
            base: "AmazonSageMakerException",
            service: "AmazonSageMaker",
        },
        metadata: true,
        actions: &[
            starts(
                "createTrainingJob",
                Job {
                    poll: ask(
                        "describeTrainingJob",
                        &[("TrainingJobName", From::Argument("TrainingJobName"))],
                    ),
                    state: "TrainingJobStatus",
                    cancel: Some(ask(
                        "stopTrainingJob",
                        &[("TrainingJobName", From::Argument("TrainingJobName"))],
                    )),
                    ..SAGEMAKER
                },
            ),
            starts(
                "createTransformJob",
                Job {
                    poll: ask(
                        "describeTransformJob",
                        &[("TransformJobName", From::Argument("TransformJobName"))],
                    ),
                    state: "TransformJobStatus",
                    cancel: Some(ask(
                        "stopTransformJob",
                        &[("TransformJobName", From::Argument("TransformJobName"))],
                    )),
                    ..SAGEMAKER
                },
            ),
            starts(
                "createProcessingJob",
                Job {
                    poll: ask(
                        "describeProcessingJob",
                        &[("ProcessingJobName", From::Argument("ProcessingJobName"))],
                    ),
                    state: "ProcessingJobStatus",
                    cancel: Some(ask(
                        "stopProcessingJob",
                        &[("ProcessingJobName", From::Argument("ProcessingJobName"))],
                    )),
                    ..SAGEMAKER
                },
            ),
            starts(
                "createHyperParameterTuningJob",
                Job {
                    poll: ask(
                        "describeHyperParameterTuningJob",
                        &[("HyperParameterTuningJobName", From::Argument("HyperParameterTuningJobName"))],
                    ),
                    state: "HyperParameterTuningJobStatus",
                    cancel: Some(ask(
                        "stopHyperParameterTuningJob",
                        &[("HyperParameterTuningJobName", From::Argument("HyperParameterTuningJobName"))],
                    )),
                    ..SAGEMAKER
                },
            ),
            starts(
                "createLabelingJob",
                Job {
                    poll: ask(
                        "describeLabelingJob",
                        &[("LabelingJobName", From::Argument("LabelingJobName"))],
                    ),
                    state: "LabelingJobStatus",
                    cancel: Some(ask(
                        "stopLabelingJob",
                        &[("LabelingJobName", From::Argument("LabelingJobName"))],
                    )),
                    ..SAGEMAKER
                },
            ),
            plain("createEndpoint"),
            plain("createEndpointConfig"),
            plain("createModel"),
            plain("updateEndpoint"),
        ],
    },
];

const EMR_APPLICATION: Job = Job {
    poll: ask("getApplication", &[("ApplicationId", From::Argument("ApplicationId"))]),
    state: "Application.State",
    result: Part::At("Application"),
    ..JOB
};

const SAGEMAKER: Job = Job { succeeded: &["Completed"], failed: &["Failed", "Stopped"], ..JOB };
