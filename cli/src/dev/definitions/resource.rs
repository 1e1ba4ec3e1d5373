//! What resources of a template are called: the values of `Ref` and `Fn::GetAtt`.
//!
//! Source: CloudFormation resource reference, "Return values" of each type.

use model::arn::Home;

/// What is known of a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known<'t> {
    /// `AWS::…::…`
    pub kind: &'t str,
    /// Its name: the property that names it, else its logical id.
    pub name: String,
}

/// The property that names a resource of this type.
pub fn name_property(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "AWS::Serverless::Function" | "AWS::Lambda::Function" | "AWS::Lambda::Version" => "FunctionName",
        "AWS::Serverless::StateMachine"
        | "AWS::StepFunctions::Activity"
        | "AWS::Events::EventBus"
        | "AWS::SSM::Parameter"
        | "AWS::SecretsManager::Secret"
        | "AWS::Lambda::Alias"
        | "AWS::Glue::Job"
        | "AWS::Kinesis::Stream" => "Name",
        "AWS::StepFunctions::StateMachine" => "StateMachineName",
        "AWS::SQS::Queue" => "QueueName",
        "AWS::SNS::Topic" => "TopicName",
        "AWS::DynamoDB::Table" | "AWS::DynamoDB::GlobalTable" | "AWS::Serverless::SimpleTable" => "TableName",
        "AWS::S3::Bucket" => "BucketName",
        "AWS::IAM::Role" => "RoleName",
        "AWS::Logs::LogGroup" => "LogGroupName",
        "AWS::ECS::Cluster" => "ClusterName",
        "AWS::ECS::TaskDefinition" => "Family",
        "AWS::Batch::JobQueue" => "JobQueueName",
        "AWS::Batch::JobDefinition" => "JobDefinitionName",
        _ => return None,
    })
}

impl Known<'_> {
    /// What `Ref` gives. A type that is not known here has its name, which is right for most.
    pub fn reference(&self, home: &Home) -> String {
        let name = &self.name;
        match self.kind {
            "AWS::Serverless::StateMachine"
            | "AWS::StepFunctions::StateMachine"
            | "AWS::StepFunctions::Activity"
            | "AWS::SNS::Topic"
            | "AWS::Lambda::Alias"
            | "AWS::Lambda::Version"
            | "AWS::SecretsManager::Secret"
            | "AWS::ECS::TaskDefinition"
            | "AWS::Batch::JobQueue"
            | "AWS::Batch::JobDefinition" => self.arn(home).unwrap_or_else(|| name.clone()),
            "AWS::SQS::Queue" => {
                let suffix = if home.partition == "aws-cn" { ".cn" } else { "" };
                format!("https://sqs.{}.amazonaws.com{suffix}/{}/{name}", home.region, home.account)
            }
            _ => name.clone(),
        }
    }

    /// What `Fn::GetAtt` gives, where it can be known.
    pub fn attribute(&self, attribute: &str, home: &Home) -> Option<String> {
        match attribute {
            "Arn" | "TopicArn" | "JobQueueArn" | "ActivityArn" => self.arn(home),
            "Name" | "QueueName" | "TopicName" => Some(self.name.clone()),
            "QueueUrl" => (self.kind == "AWS::SQS::Queue").then(|| self.reference(home)),
            _ => None,
        }
    }

    fn arn(&self, home: &Home) -> Option<String> {
        let name = &self.name;
        let resource = match self.kind {
            "AWS::Serverless::Function"
            | "AWS::Lambda::Function"
            | "AWS::Lambda::Alias"
            | "AWS::Lambda::Version" => {
                return Some(if name.starts_with("arn:") {
                    name.clone()
                } else {
                    arn(home, "lambda", true, &format!("function:{name}"))
                });
            }
            "AWS::Serverless::StateMachine" | "AWS::StepFunctions::StateMachine" => {
                ("states", "stateMachine:")
            }
            "AWS::StepFunctions::Activity" => ("states", "activity:"),
            "AWS::Events::EventBus" => ("events", "event-bus/"),
            "AWS::SecretsManager::Secret" => ("secretsmanager", "secret:"),
            "AWS::Kinesis::Stream" => ("kinesis", "stream/"),
            "AWS::SQS::Queue" => ("sqs", ""),
            "AWS::SNS::Topic" => ("sns", ""),
            "AWS::DynamoDB::Table" | "AWS::DynamoDB::GlobalTable" | "AWS::Serverless::SimpleTable" => {
                ("dynamodb", "table/")
            }
            "AWS::S3::Bucket" => return Some(format!("arn:{}:s3:::{name}", home.partition)),
            "AWS::IAM::Role" => return Some(arn(home, "iam", false, &format!("role/{name}"))),
            "AWS::Logs::LogGroup" => return Some(arn(home, "logs", true, &format!("log-group:{name}:*"))),
            "AWS::KMS::Key" => ("kms", "key/"),
            "AWS::ECS::Cluster" => ("ecs", "cluster/"),
            "AWS::ECS::TaskDefinition" => {
                return Some(arn(home, "ecs", true, &format!("task-definition/{name}:1")));
            }
            "AWS::Batch::JobQueue" => ("batch", "job-queue/"),
            "AWS::Batch::JobDefinition" => {
                return Some(arn(home, "batch", true, &format!("job-definition/{name}:1")));
            }
            _ => return None,
        };
        let (service, kind) = resource;
        Some(arn(home, service, true, &format!("{kind}{name}")))
    }
}

fn arn(home: &Home, service: &str, regional: bool, resource: &str) -> String {
    let region = if regional { home.region.as_str() } else { "" };
    format!("arn:{}:{service}:{region}:{}:{resource}", home.partition, home.account)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_and_attributes() {
        let home = Home::new("aws", "eu-west-1", "111111111111");
        let check = |kind: &str, attribute: Option<&str>, expected: Option<&str>| {
            let known = Known { kind, name: "n".to_owned() };
            let found = match attribute {
                None => Some(known.reference(&home)),
                Some(attribute) => known.attribute(attribute, &home),
            };
            assert_eq!(found.as_deref(), expected, "{kind} {attribute:?}");
        };
        let function = "arn:aws:lambda:eu-west-1:111111111111:function:n";
        check("AWS::Lambda::Function", None, Some("n"));
        check("AWS::Lambda::Function", Some("Arn"), Some(function));
        check("AWS::Serverless::Function", Some("Arn"), Some(function));
        check("AWS::Lambda::Alias", None, Some(function));
        let machine = "arn:aws:states:eu-west-1:111111111111:stateMachine:n";
        check("AWS::Serverless::StateMachine", None, Some(machine));
        check("AWS::StepFunctions::StateMachine", Some("Arn"), Some(machine));
        check("AWS::StepFunctions::StateMachine", Some("Name"), Some("n"));
        check("AWS::StepFunctions::Activity", None, Some("arn:aws:states:eu-west-1:111111111111:activity:n"));
        check("AWS::SQS::Queue", None, Some("https://sqs.eu-west-1.amazonaws.com/111111111111/n"));
        check("AWS::SQS::Queue", Some("Arn"), Some("arn:aws:sqs:eu-west-1:111111111111:n"));
        check("AWS::SQS::Queue", Some("QueueName"), Some("n"));
        check("AWS::SNS::Topic", None, Some("arn:aws:sns:eu-west-1:111111111111:n"));
        check("AWS::S3::Bucket", Some("Arn"), Some("arn:aws:s3:::n"));
        check("AWS::IAM::Role", Some("Arn"), Some("arn:aws:iam::111111111111:role/n"));
        check("AWS::Logs::LogGroup", Some("Arn"), Some("arn:aws:logs:eu-west-1:111111111111:log-group:n:*"));
        check("AWS::DynamoDB::Table", None, Some("n"));
        check("AWS::EC2::Vpc", None, Some("n"));
        check("AWS::EC2::Vpc", Some("CidrBlock"), None);
    }
}
