//! The template of an installation, and that of the example on it: what no emulator checks. The
//! names and limits in it are compared with the sources that they come from. What the linters of
//! CloudFormation and SAM say is asked of the tools that `scripts/sam.sh` installs.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic, in its helpers too")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use asl::{Format, document};
use driver::Config;
use model::json::Value;
use model::limits;
use ports_aws::config::SOURCE;
use ports_aws::table::schema;

const TEMPLATE: &str = "template.yaml";
const EXAMPLE: &str = "examples/sam-app/template.yaml";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn yaml(path: &str) -> Value {
    document::read(&text(path), Format::Yaml).unwrap_or_else(|error| panic!("{path}: {error:?}")).to_value()
}

/// The sources of the functions, without their tests.
fn sources() -> String {
    let mut all = String::new();
    let mut folders = vec![root().join("functions/src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if !path.ends_with("tests.rs") {
                let text = fs::read_to_string(&path).unwrap();
                all.push_str(text.split("#[cfg(test)]\nmod tests {").next().unwrap());
            }
        }
    }
    all
}

/// What stands at a path of members and places.
fn at<'v>(value: &'v Value, path: &[&str]) -> &'v Value {
    path.iter().fold(value, |value, name| {
        let item = name.parse::<usize>().ok().and_then(|place| value.as_array()?.get(place));
        item.or_else(|| value.get(name)).unwrap_or_else(|| panic!("no {name} of {path:?} in {value}"))
    })
}

fn members(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value.as_object().into_iter().flat_map(|members| members.iter().map(|(name, value)| (&**name, value)))
}

/// Texts of a list, or the one that stands in its place.
fn texts(value: &Value) -> BTreeSet<&str> {
    match value.as_array() {
        Some(all) => all.iter().filter_map(Value::as_str).collect(),
        None => value.as_str().into_iter().collect(),
    }
}

/// Name and properties of the resources of a type.
fn resources<'t>(template: &'t Value, kind: &'static str) -> impl Iterator<Item = (&'t str, &'t Value)> {
    members(at(template, &["Resources"]))
        .filter(move |(_, resource)| at(resource, &["Type"]).as_str() == Some(kind))
        .map(|(name, resource)| (name, at(resource, &["Properties"])))
}

fn functions(template: &Value) -> impl Iterator<Item = (&str, &Value)> {
    resources(template, "AWS::Serverless::Function")
}

/// The least and the largest number that a property may have: its own, or those of its parameter.
fn range(template: &Value, value: &Value) -> (f64, f64) {
    if let Some(number) = value.as_f64() {
        return (number, number);
    }
    let name = at(value, &["Ref"]).as_str().unwrap();
    let bound = |bound| at(template, &["Parameters", name, bound]).as_f64().unwrap();
    (bound("MinValue"), bound("MaxValue"))
}

fn default(template: &Value, name: &str) -> f64 {
    at(template, &["Parameters", name, "Default"]).as_f64().unwrap()
}

/// Every value in a tree with the names that lead to it.
fn walk<'v>(value: &'v Value, path: &str, found: &mut Vec<(String, &'v Value)>) {
    found.push((path.to_owned(), value));
    for (name, value) in members(value) {
        walk(value, &format!("{path}/{name}"), found);
    }
    for (place, value) in value.as_array().into_iter().flat_map(|items| items.iter().enumerate()) {
        walk(value, &format!("{path}/{place}"), found);
    }
}

fn values(template: &Value) -> Vec<(String, &Value)> {
    let mut found = Vec::new();
    walk(template, "", &mut found);
    found
}

#[test]
fn a_queue_hides_messages_for_as_long_as_its_function_runs() {
    let template = yaml(TEMPLATE);
    let mut checked = 0;
    for (name, function) in functions(&template) {
        let events = function.get("Events").into_iter().flat_map(members);
        for (_, event) in events.filter(|(_, event)| at(event, &["Type"]).as_str() == Some("SQS")) {
            let source = at(event, &["Properties"]);
            let queue = at(source, &["Queue", "Fn::GetAtt", "0"]).as_str().unwrap();
            let queue = at(&template, &["Resources", queue, "Properties"]);
            let (hidden, runs) = (at(queue, &["VisibilityTimeout"]), at(function, &["Timeout"]));
            let is_long_enough = hidden == runs || range(&template, hidden).0 >= range(&template, runs).1;
            assert!(is_long_enough, "{name} runs for {runs}, its queue hides messages for {hidden}");
            assert_eq!(at(queue, &["RedrivePolicy", "maxReceiveCount"]).as_i64(), Some(3));
            let dead = at(queue, &["RedrivePolicy", "deadLetterTargetArn", "Fn::GetAtt", "0"]);
            let dead = at(&template, &["Resources", dead.as_str().unwrap(), "Properties"]);
            let kept = |queue| at(queue, &["MessageRetentionPeriod"]).as_i64().unwrap();
            assert!(kept(dead) > kept(queue), "a message has most of its age when it becomes a dead letter");
            assert_eq!(at(source, &["BatchSize"]).as_i64(), Some(10));
            assert_eq!(at(source, &["MaximumBatchingWindowInSeconds"]).as_i64(), Some(0));
            assert!(texts(at(source, &["FunctionResponseTypes"])).contains("ReportBatchItemFailures"));
            checked += 1;
        }
    }
    assert_eq!(checked, 1);
}

#[test]
fn delays_are_such_as_sqs_takes() {
    let template = yaml(TEMPLATE);
    for name in ["DelaySeconds", "SweepAheadSeconds"] {
        let (_, most) = range(&template, &Value::parse(&format!(r#"{{"Ref": "{name}"}}"#)).unwrap());
        assert!(most <= 900.0, "{name} may be {most}");
        assert!(default(&template, name) <= most);
    }
    for (name, queue) in resources(&template, "AWS::SQS::Queue") {
        let delay = queue.get("DelaySeconds").map_or(0.0, |delay| range(&template, delay).1);
        assert!(delay <= 900.0, "{name}: {delay}");
    }
    // The sweeper comes once a minute and must not leave a gap between what it has seen.
    assert!(at(&template, &["Parameters", "SweepAheadSeconds", "MinValue"]).as_f64() > Some(60.0));
    // A task that begins at the end of a shift has the rest of the run.
    assert!(default(&template, "ShiftSeconds") < default(&template, "DriverTimeout"));
    let explained = default(&template, "DelaySeconds") + default(&template, "DriverTimeout");
    assert!(default(&template, "AlarmAgeSeconds") > explained);
}

#[test]
fn defaults_are_those_of_the_sources() {
    let template = yaml(TEMPLATE);
    let config = Config::default();
    let seconds = |millis: i64| millis as f64 / 1_000.0;
    for (name, expected) in [
        ("LeaseSeconds", seconds(config.lease_millis)),
        ("SleepSeconds", seconds(config.sleep_millis_max)),
        ("DelaySeconds", seconds(config.delay_millis_max)),
        ("ShiftSeconds", seconds(config.shift_millis.unwrap())),
        ("SweepAheadSeconds", seconds(config.sweep_ahead_millis)),
        ("PayloadBytes", limits::PAYLOAD_BYTES_MAX as f64),
        ("RetentionDays", limits::RETENTION_DAYS as f64),
    ] {
        assert_eq!(default(&template, name), expected, "{name}");
    }
}

/// Variables that the sources read and the template leaves alone.
const NOT_SET: [(&str, &str); 1] =
    [("STEPWRIGHT_SHARDS", "a table keeps the number that it began with: the default of the sources")];

#[test]
fn functions_have_the_environment_that_they_read() {
    let template = yaml(TEMPLATE);
    let sources = sources();
    let names = regex_lite::Regex::new(r#""(STEPWRIGHT_[A-Z_]+)""#).unwrap();
    let read: BTreeSet<&str> =
        names.captures_iter(&sources).map(|found| found.get(1).unwrap().as_str()).collect();
    let required = regex_lite::Regex::new(r#"(?:required|text)\("(STEPWRIGHT_[A-Z_]+)"\)"#).unwrap();
    let settings = text("functions/src/settings.rs");
    let settings = settings.split("#[cfg(test)]").next().unwrap();
    // Every function reads the settings.
    let required: BTreeSet<&str> =
        required.captures_iter(settings).map(|found| found.get(1).unwrap().as_str()).collect();
    assert!(required.len() >= 7, "{required:?}");

    let variables = |value: &'_ Value| -> BTreeSet<String> {
        let own = value.get("Environment").map(|environment| at(environment, &["Variables"]));
        own.into_iter().flat_map(members).map(|(name, _)| name.to_owned()).collect()
    };
    let of_all = variables(at(&template, &["Globals", "Function"]));
    let mut set = of_all.clone();
    for (name, function) in functions(&template) {
        let of_this: BTreeSet<String> = variables(function).union(&of_all).cloned().collect();
        let missing: Vec<_> = required.iter().filter(|name| !of_this.contains(**name)).collect();
        assert!(missing.is_empty(), "{name} lacks {missing:?}");
        set.extend(of_this);
    }
    let expected: BTreeSet<String> = read
        .iter()
        .filter(|name| !NOT_SET.iter().any(|(other, _)| *name == other))
        .map(|name| (*name).to_owned())
        .collect();
    assert_eq!(set, expected);
    // The whole of an environment has 4 KB: the long ones are bounded.
    for name in ["Triggers", "TaskRoles", "ExternalId"] {
        let most = at(&template, &["Parameters", name, "MaxLength"]).as_i64().unwrap();
        assert!(most <= 2_048, "{name}: {most}");
    }
}

#[test]
fn every_handler_is_one_that_the_binary_knows() {
    let template = yaml(TEMPLATE);
    let main = text("functions/src/main.rs");
    let known = regex_lite::Regex::new(r#"\("([a-z-]+)", Function::"#).unwrap();
    let known: BTreeSet<&str> =
        known.captures_iter(&main).map(|found| found.get(1).unwrap().as_str()).collect();
    let used: BTreeSet<&str> =
        functions(&template).map(|(_, function)| at(function, &["Handler"]).as_str().unwrap()).collect();
    assert_eq!(used, known);
    for (name, function) in functions(&template) {
        assert_eq!(at(function, &["CodeUri"]).as_str(), Some("dist/functions.zip"), "{name}");
        assert!(function.get("LoggingConfig").is_some(), "{name} logs where nothing is ever removed");
    }
    assert_eq!(at(&template, &["Globals", "Function", "Runtime"]).as_str(), Some("provided.al2023"));
}

#[test]
fn the_table_is_that_of_the_schema() {
    let template = yaml(TEMPLATE);
    let table = at(&template, &["Resources", "Table", "Properties"]);
    let keys = |schema: &Value| -> Vec<(String, String)> {
        let key = |name: &str, key: &Value| at(key, &[name]).as_str().unwrap().to_owned();
        let schema = schema.as_array().unwrap();
        schema.iter().map(|one| (key("AttributeName", one), key("KeyType", one))).collect()
    };
    let expected = |partition: &str, sort: &str| {
        vec![(partition.to_owned(), "HASH".to_owned()), (sort.to_owned(), "RANGE".to_owned())]
    };
    assert_eq!(keys(at(table, &["KeySchema"])), expected(schema::PARTITION, schema::SORT));
    let indexes = at(table, &["GlobalSecondaryIndexes"]).as_array().unwrap();
    assert_eq!(indexes.len(), 2);
    for (index, names) in indexes.iter().zip([schema::FIRST, schema::SECOND]) {
        assert_eq!(at(index, &["IndexName"]).as_str(), Some(names.index));
        assert_eq!(keys(at(index, &["KeySchema"])), expected(names.partition, names.place));
        assert_eq!(at(index, &["Projection", "ProjectionType"]).as_str(), Some("INCLUDE"));
        let projected = texts(at(index, &["Projection", "NonKeyAttributes"]));
        assert_eq!(projected, BTreeSet::from([schema::SUMMARY, names.overflow]));
    }
    let attributes = at(table, &["AttributeDefinitions"]).as_array().unwrap();
    let attributes: BTreeSet<(&str, &str)> = attributes
        .iter()
        .map(|one| {
            (at(one, &["AttributeName"]).as_str().unwrap(), at(one, &["AttributeType"]).as_str().unwrap())
        })
        .collect();
    let (first, second) = (schema::FIRST, schema::SECOND);
    let names =
        [schema::PARTITION, schema::SORT, first.partition, first.place, second.partition, second.place];
    assert_eq!(attributes, names.into_iter().map(|name| (name, "S")).collect());
    let expiry = at(table, &["TimeToLiveSpecification"]);
    assert_eq!(at(expiry, &["AttributeName"]).as_str(), Some(schema::EXPIRES));
    assert_eq!(at(expiry, &["Enabled"]).as_bool(), Some(true));
    assert_eq!(at(table, &["BillingMode"]).as_str(), Some("PAY_PER_REQUEST"));
}

#[test]
fn data_is_retained_where_the_parameter_says_so() {
    let template = yaml(TEMPLATE);
    assert_eq!(at(&template, &["Parameters", "RetainData", "Default"]).as_str(), Some("true"));
    let expected = Value::parse(r#"{"Fn::If": ["RetainsData", "Retain", "Delete"]}"#).unwrap();
    for name in ["Table", "Bucket"] {
        for policy in ["DeletionPolicy", "UpdateReplacePolicy"] {
            assert_eq!(at(&template, &["Resources", name, policy]), &expected, "{name}: {policy}");
        }
    }
    // Who writes is gone before the bucket is emptied.
    for name in ["ApiRole", "DriverRole", "SweeperRole"] {
        assert_eq!(at(&template, &["Resources", name, "DependsOn"]).as_str(), Some("Installation"));
    }
}

#[test]
fn the_rule_tells_of_failures_as_the_direct_way_does() {
    let template = yaml(TEMPLATE);
    let rule = at(&template, &["Resources", "FailureRule", "Properties"]);
    let pattern = at(rule, &["EventPattern"]);
    assert_eq!(texts(at(pattern, &["source"])), BTreeSet::from([SOURCE]));
    for detail_type in texts(at(pattern, &["detail-type"])) {
        assert!(text("shared/driver/src/end.rs").contains(&format!("\"{detail_type}\"")), "{detail_type}");
    }
    let statuses = texts(at(pattern, &["detail", "status"]));
    assert_eq!(statuses, BTreeSet::from(["ABORTED", "FAILED", "TIMED_OUT"]));

    let transformer = at(rule, &["Targets", "0", "InputTransformer"]);
    let written = at(transformer, &["InputTemplate"]).as_str().unwrap();
    let variables = regex_lite::Regex::new("<([a-z]+)>").unwrap();
    let used: BTreeSet<&str> =
        variables.captures_iter(written).map(|found| found.get(1).unwrap().as_str()).collect();
    let paths = at(transformer, &["InputPathsMap"]);
    assert_eq!(used, members(paths).map(|(name, _)| name).collect());
    let message = Value::parse(&variables.replace_all(written, "null")).unwrap();
    let envelope = text("shared/ports-aws/src/bus/envelope.rs");
    let direct = envelope.split("let mut members = vec![").nth(1).unwrap().split("];").next().unwrap();
    let names = regex_lite::Regex::new(r#"\("([a-z-]+)", "#).unwrap();
    let direct: Vec<&str> = names.captures_iter(direct).map(|found| found.get(1).unwrap().as_str()).collect();
    assert_eq!(members(&message).map(|(name, _)| name).collect::<Vec<_>>(), direct);
}

#[test]
fn alarms_reach_the_topic_of_alarms() {
    let template = yaml(TEMPLATE);
    let topic = Value::parse(r#"[{"Ref": "AlarmTopic"}]"#).unwrap();
    let mut metrics = BTreeSet::new();
    for (name, alarm) in resources(&template, "AWS::CloudWatch::Alarm") {
        assert_eq!(at(alarm, &["AlarmActions"]), &topic, "{name}");
        assert!(alarm.get("TreatMissingData").is_some(), "{name}");
        metrics.insert(at(alarm, &["MetricName"]).as_str().unwrap());
    }
    let expected = BTreeSet::from([
        "ApproximateAgeOfOldestMessage",
        "ApproximateNumberOfMessagesVisible",
        "Errors",
        "NumberOfMessagesReceived",
        "ReadThrottleEvents",
        "Throttles",
        "WriteThrottleEvents",
    ]);
    assert_eq!(metrics, expected);
    assert!(
        at(&template, &["Resources", "SweeperAlarm", "Properties", "TreatMissingData"])
            == &Value::from("breaching")
    );
}

/// What each role may do, by the statements of its policy.
const ROLES: [(&str, &[(&str, &str)]); 6] = [
    (
        "ApiRole",
        &[
            ("Rows", "dynamodb:GetItem dynamodb:PutItem dynamodb:DeleteItem dynamodb:Query"),
            ("Listings", "dynamodb:Query"),
            ("Blobs", "s3:GetObject s3:PutObject"),
            ("AbsentBlobs", "s3:ListBucket"),
            ("WakeUps", "sqs:SendMessage"),
            (
                "Activities",
                "sqs:CreateQueue sqs:DeleteMessage sqs:DeleteQueue sqs:GetQueueUrl sqs:ReceiveMessage \
                 sqs:SetQueueAttributes",
            ),
            ("StatusEvents", "events:PutEvents"),
            ("FailuresPastTheBus", "sns:Publish"),
            ("Logs", "logs:CreateLogStream logs:PutLogEvents"),
        ],
    ),
    (
        "DriverRole",
        &[
            ("Rows", "dynamodb:GetItem dynamodb:PutItem dynamodb:Query"),
            ("Listings", "dynamodb:Query"),
            ("Blobs", "s3:GetObject s3:PutObject"),
            ("AbsentBlobs", "s3:ListBucket"),
            (
                "Messages",
                "sqs:ChangeMessageVisibility sqs:DeleteMessage sqs:GetQueueAttributes sqs:ReceiveMessage \
                 sqs:SendMessage",
            ),
            ("Activities", "sqs:GetQueueUrl sqs:SendMessage"),
            ("TaskRoles", "sts:AssumeRole"),
            ("StatusEvents", "events:PutEvents"),
            ("FailuresPastTheBus", "sns:Publish"),
            ("Logs", "logs:CreateLogStream logs:PutLogEvents"),
        ],
    ),
    (
        "SweeperRole",
        &[
            ("Rows", "dynamodb:GetItem dynamodb:PutItem dynamodb:DeleteItem dynamodb:Query"),
            ("Listings", "dynamodb:Query"),
            ("Blobs", "s3:GetObject s3:PutObject s3:DeleteObject"),
            ("AbsentBlobs", "s3:ListBucket"),
            ("WakeUps", "sqs:SendMessage"),
            ("DeadLetters", "sqs:DeleteMessage sqs:ReceiveMessage"),
            ("Logs", "logs:CreateLogStream logs:PutLogEvents"),
        ],
    ),
    (
        "TriggerRole",
        &[
            ("Rows", "dynamodb:GetItem dynamodb:PutItem dynamodb:Query"),
            ("Blobs", "s3:GetObject s3:PutObject"),
            ("AbsentBlobs", "s3:ListBucket"),
            ("WakeUps", "sqs:SendMessage"),
            ("StatusEvents", "events:PutEvents"),
            ("FailuresPastTheBus", "sns:Publish"),
            ("Jobs", "codepipeline:PutJobFailureResult codepipeline:PutJobSuccessResult"),
            ("Undelivered", "sqs:SendMessage"),
            ("Logs", "logs:CreateLogStream logs:PutLogEvents"),
        ],
    ),
    ("SchedulerRole", &[("Trigger", "lambda:InvokeFunction")]),
    (
        "ProvisionerRole",
        &[
            ("Rows", "dynamodb:GetItem dynamodb:PutItem dynamodb:DeleteItem dynamodb:Query"),
            ("Listings", "dynamodb:Query"),
            ("Blobs", "s3:GetObject s3:PutObject s3:DeleteObject"),
            ("AbsentBlobs", "s3:ListBucket"),
            ("Activities", "sqs:CreateQueue sqs:DeleteQueue sqs:GetQueueUrl sqs:SetQueueAttributes"),
            ("Schedules", "scheduler:CreateSchedule scheduler:DeleteSchedule scheduler:UpdateSchedule"),
            ("RoleOfSchedules", "iam:PassRole"),
            ("Definitions", "s3:GetObject s3:GetObjectVersion"),
            ("Logs", "logs:CreateLogStream logs:PutLogEvents"),
        ],
    ),
];

/// Managed policies that a role may have, and why.
const MANAGED: [(&str, &str); 1] =
    [("AWSLambdaVPCAccessExecutionRole", "network interfaces of functions in a VPC, and there alone")];

/// Statements with `*` for every resource or for more than one action, each with its reason.
const STARS: [(&str, &str); 2] = [
    ("Jobs", "these two actions of CodePipeline know no resources: a job is named by its id alone"),
    ("OnlyEncryptedTransport", "it denies"),
];

#[test]
fn roles_may_do_what_is_expected_of_them() {
    let template = yaml(TEMPLATE);
    let mut found: BTreeMap<&str, BTreeMap<&str, BTreeSet<&str>>> = BTreeMap::new();
    for (name, role) in resources(&template, "AWS::IAM::Role") {
        let policies = at(role, &["Policies"]).as_array().unwrap();
        assert_eq!(policies.len(), 1, "{name}");
        for statement in at(&policies[0], &["PolicyDocument", "Statement"]).as_array().unwrap().iter() {
            // One that a condition adds.
            let statement = statement.get("Fn::If").map_or(statement, |one| at(one, &["1"]));
            assert_eq!(at(statement, &["Effect"]).as_str(), Some("Allow"), "{name}");
            let sid = at(statement, &["Sid"]).as_str().unwrap();
            let earlier = found.entry(name).or_default().insert(sid, texts(at(statement, &["Action"])));
            assert_eq!(earlier, None, "{name}: {sid}");
        }
        for (path, value) in values(role.get("ManagedPolicyArns").unwrap_or(&Value::Null)) {
            let arn = value.as_str().filter(|_| path.ends_with("Fn::Sub"));
            let is_known = |arn: &str| MANAGED.iter().any(|(known, _)| arn.ends_with(&format!("/{known}")));
            assert!(arn.is_none_or(is_known), "{name}: {arn:?}");
        }
    }
    let expected: BTreeMap<&str, BTreeMap<&str, BTreeSet<&str>>> = ROLES
        .iter()
        .map(|(name, statements)| {
            let statements = statements.iter();
            (*name, statements.map(|(sid, actions)| (*sid, actions.split_whitespace().collect())).collect())
        })
        .collect();
    assert_eq!(found, expected);
    // A role of the template has its policy in the template: none is made by SAM.
    for (name, function) in functions(&template) {
        assert!(function.get("Role").is_some() && function.get("Policies").is_none(), "{name}");
    }
}

/// Whether a resource is everything there is.
fn is_everything(resource: &str) -> bool {
    resource == "*" || resource.split(':').nth(5).is_some_and(|last| last == "*")
}

#[test]
fn stars_are_few_and_have_a_reason() {
    for path in [TEMPLATE, EXAMPLE] {
        let template = yaml(path);
        let mut checked = 0;
        for (place, statement) in values(&template) {
            let Some(actions) = statement.get("Action").filter(|_| statement.get("Effect").is_some()) else {
                continue;
            };
            checked += 1;
            let sid = statement.get("Sid").and_then(Value::as_str).unwrap_or_default();
            let excused = STARS.iter().any(|(known, _)| *known == sid);
            for action in texts(actions) {
                assert!(!action.contains('*') || excused, "{path}{place}: {action}");
            }
            for word in ["NotAction", "NotResource", "NotPrincipal"] {
                assert!(statement.get(word).is_none(), "{path}{place}: {word}");
            }
            let resource = statement.get("Resource").unwrap_or(&Value::Null);
            for (_, value) in values(resource) {
                let is_too_wide = value.as_str().is_some_and(is_everything);
                assert!(!is_too_wide || excused, "{path}{place}: {resource}");
            }
            let anybody = statement.get("Principal").is_some_and(|principal| {
                values(principal).iter().any(|(_, value)| value.as_str() == Some("*"))
            });
            let denies = at(statement, &["Effect"]).as_str() == Some("Deny");
            assert!(!anybody || denies, "{path}{place}: everybody");
            // A service acts for others too: it has to say for whom.
            let service = statement.get("Principal").and_then(|principal| principal.get("Service"));
            let needs_condition =
                service.is_some_and(|service| service.as_str() != Some("lambda.amazonaws.com"));
            assert!(!needs_condition || statement.get("Condition").is_some(), "{path}{place}: {statement}");
        }
        assert!(checked >= 3, "{path}: {checked} statements");
        for (name, permission) in resources(&template, "AWS::Lambda::Permission") {
            let says = |property| permission.get(property).is_some();
            assert!(says("SourceArn") || says("SourceAccount"), "{path}: {name}");
        }
    }
    assert!(is_everything("arn:aws:s3:::*") && !is_everything("arn:aws:s3:::b/*"));
}

#[test]
fn who_calls_from_outside_is_authorised() {
    for path in [TEMPLATE, EXAMPLE] {
        let template = yaml(path);
        for (name, route) in resources(&template, "AWS::ApiGatewayV2::Route") {
            assert_eq!(at(route, &["AuthorizationType"]).as_str(), Some("AWS_IAM"), "{path}: {name}");
        }
        for (name, function) in functions(&template) {
            let url = function.get("FunctionUrlConfig").map(|url| at(url, &["AuthType"]).as_str());
            assert!(url.is_none_or(|auth| auth == Some("AWS_IAM")), "{path}: {name}");
        }
    }
}

#[test]
fn outputs_are_those_that_clients_read() {
    let template = yaml(TEMPLATE);
    let outputs = at(&template, &["Outputs"]);
    for name in [
        "Url",
        "HttpApiUrl",
        "TableName",
        "BucketName",
        "QueueUrl",
        "DeadLettersUrl",
        "BusName",
        "TopicArn",
        "ExternalId",
        "TriggerArn",
        "ProvisionerArn",
        "ProxyLayerArn",
        "DriverRoleArn",
    ] {
        assert!(outputs.get(name).is_some(), "{name}");
    }
    let exports = |name: &str| at(outputs, &[name, "Export", "Name", "Fn::Sub"]).as_str().unwrap().to_owned();
    assert_eq!(exports("ProvisionerArn"), "${AWS::StackName}-Provisioner");

    let exported: BTreeSet<String> = members(outputs)
        .filter(|(_, output)| output.get("Export").is_some())
        .map(|(name, _)| exports(name).replace("${AWS::StackName}", "${Installation}"))
        .collect();
    let example = yaml(EXAMPLE);
    let imports: Vec<String> = values(&example)
        .iter()
        .filter(|(path, _)| path.ends_with("/Fn::ImportValue/Fn::Sub"))
        .map(|(_, value)| value.as_str().unwrap().to_owned())
        .collect();
    assert!(imports.len() >= 5, "{imports:?}");
    for import in imports {
        assert!(exported.contains(&import), "{import} is not exported");
    }
}

#[test]
fn the_example_fills_in_what_its_definition_asks_for() {
    let example = yaml(EXAMPLE);
    let given = at(&example, &["Resources", "Orders", "Properties", "DefinitionSubstitutions"]);
    let definition = text("examples/sam-app/machine.asl.yaml");
    let asked = regex_lite::Regex::new(r"\$\{([A-Za-z]+)\}").unwrap();
    let asked: BTreeSet<&str> =
        asked.captures_iter(&definition).map(|found| found.get(1).unwrap().as_str()).collect();
    assert_eq!(members(given).map(|(name, _)| name).collect::<BTreeSet<_>>(), asked);
}

/// Runs a tool that `scripts/sam.sh` installs, which has to find nothing. Under CI it has to be there.
fn lint(tool: &str, arguments: &[&str]) {
    let path = root().join(".tools/sam/bin").join(tool);
    if !path.exists() {
        let message = format!("{tool} is not installed: run scripts/sam.sh");
        assert!(std::env::var_os("CI").is_none(), "{message}");
        println!("skipped: {message}");
        return;
    }
    for template in [TEMPLATE, EXAMPLE] {
        let ran = Command::new(&path)
            .args(arguments)
            .arg(template)
            .current_dir(root())
            .env("SAM_CLI_TELEMETRY", "0")
            .env("AWS_DEFAULT_REGION", "us-east-1")
            .env("AWS_CONFIG_FILE", "/dev/null")
            .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env_remove("AWS_PROFILE")
            .output()
            .unwrap();
        let said =
            format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
        assert!(ran.status.success(), "{tool} {template}: {said}");
        println!("{tool} {template}: {}", said.trim());
    }
}

#[test]
fn cfn_lint_finds_nothing() {
    lint("cfn-lint", &["--include-checks", "I", "--template"]);
}

#[test]
fn sam_validate_finds_nothing() {
    lint("sam", &["validate", "--lint", "--template"]);
}
