//! Templates and folders, as tables: what is written, what comes of it.

use std::fs;

use model::json::Value;

use super::*;

const PLAIN: Style = Style { color: false, graphics: false };

const PASS: &str = r#"{"StartAt": "A", "States": {"A": {"Type": "Pass", "End": true}}}"#;

fn options(parameters: &[(&str, &str)]) -> LoadOptions {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    LoadOptions {
        home: Home::new("aws", "eu-west-1", "111111111111"),
        parameters: parameters.iter().map(owned).collect(),
        substitutions: Vec::new(),
        machines: Vec::new(),
        default_role: "arn:aws:iam::111111111111:role/stepwright".to_owned(),
    }
}

/// Loads files that stand in one folder: their names and texts.
fn load_files(files: &[(&str, &str)], source: &str, options: &LoadOptions) -> Loaded {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("it is in a folder")).expect("it is made");
        fs::write(path, text).expect("it is written");
    }
    load(&[folder.path().join(source)], options)
}

fn rendered(loaded: &Loaded) -> String {
    loaded.findings.iter().map(|found| found.render(PLAIN)).collect()
}

fn names(loaded: &Loaded) -> Vec<&str> {
    loaded.machines.iter().map(|machine| machine.name.as_str()).collect()
}

#[test]
fn folders_have_definitions_and_broken_ones_do_not_hide_others() {
    let files = [
        ("orders.asl.json", PASS),
        ("ship/machine.asl.yaml", "StartAt: A\nStates:\n  A:\n    Type: Pass\n    End: true\n"),
        ("broken.asl.json", "{\"StartAt\": \"B\", \"States\": {}}"),
        ("other.json", "{}"),
        ("twice/orders.asl.json", PASS),
    ];
    let loaded = load_files(&files, ".", &options(&[]));
    assert_eq!(names(&loaded), ["orders", "ship"]);
    assert_eq!(loaded.refused, ["broken"]);
    assert_eq!(loaded.machines[0].definition, PASS, "JSON stays as it was written");
    assert_eq!(Value::parse(&loaded.machines[1].definition).unwrap(), Value::parse(PASS).unwrap());
    let text = rendered(&loaded);
    assert!(text.contains("error[") && text.contains("broken.asl.json:1:"), "{text}");
    assert!(text.contains("state machine `orders` is also defined by"), "{text}");
}

#[test]
fn settings_of_a_machine_are_by_its_name() {
    let definition =
        r#"{"StartAt": "A", "States": {"A": {"Type": "Pass", "Result": "${Who}", "End": true}}}"#;
    let settings = MachineSettings {
        express: true,
        role_arn: Some("arn:aws:iam::1:role/r".to_owned()),
        substitutions: vec![("Who".to_owned(), "me".to_owned())],
    };
    let options = LoadOptions { machines: vec![("hello".to_owned(), settings)], ..options(&[]) };
    let loaded = load_files(&[("hello.asl.json", definition)], "hello.asl.json", &options);
    let machine = &loaded.machines[0];
    assert!(machine.express && machine.definition.contains("\"Result\":\"me\""), "{machine:?}");
    assert_eq!(machine.role_arn, "arn:aws:iam::1:role/r");
}

const TEMPLATE: &str = r#"
Transform: AWS::Serverless-2016-10-31
Parameters:
  Stage: {Type: String, Default: dev}
  Secret: {Type: String}
Conditions:
  IsProd: !Equals [!Ref Stage, prod]
Mappings:
  Sizes: {dev: {Retries: 1}, prod: {Retries: 5}}
Resources:
  Fetch:
    Type: AWS::Serverless::Function
    Properties: {FunctionName: !Sub 'fetch-${Stage}'}
  Store:
    Type: AWS::Lambda::Function
  Table:
    Type: AWS::DynamoDB::Table
  Approve:
    Type: AWS::StepFunctions::Activity
    Properties: {Name: !Sub 'approve-${Stage}'}
  Role:
    Type: AWS::IAM::Role
  Orders:
    Type: AWS::Serverless::StateMachine
    Properties:
      Name: !Join ['-', [orders, !Ref Stage]]
      Role: !GetAtt Role.Arn
      DefinitionUri: workflows/orders.asl.json
      DefinitionSubstitutions:
        Fetch: !GetAtt Fetch.Arn
        Approve: !Ref Approve
        Region: !Ref AWS::Region
      Tags: {Stage: !Ref Stage}
      Tracing: {Enabled: true}
      Logging:
        Level: ALL
        Destinations: [{CloudWatchLogsLogGroup: {LogGroupArn: !Sub 'arn:aws:logs:${AWS::Region}:${AWS::AccountId}:log-group:x:*'}}]
  Inline:
    Type: AWS::StepFunctions::StateMachine
    Properties:
      StateMachineType: EXPRESS
      RoleArn: !Sub 'arn:${AWS::Partition}:iam::${AWS::AccountId}:role/x'
      Tags: [{Key: a, Value: b}]
      Definition:
        StartAt: Call
        States:
          Call:
            Type: Task
            Resource: !GetAtt Store.Arn
            Parameters: {Table: !Ref Table, Next: !Ref Orders}
            Retry: [{ErrorEquals: [States.ALL], MaxAttempts: !FindInMap [Sizes, !Ref Stage, Retries]}]
            TimeoutSeconds: !If [IsProd, 60, !Ref AWS::NoValue]
            End: true
  Written:
    Type: AWS::StepFunctions::StateMachine
    Properties:
      DefinitionString: !Sub |
        {"StartAt": "A", "States": {"A": {"Type": "Pass", "Result": "${Store.Arn} ${!Kept}", "End": true}}}
  OnlyProd:
    Type: AWS::Serverless::StateMachine
    Condition: IsProd
    Properties: {DefinitionUri: nowhere.asl.json}
"#;

const ORDERS: &str = r#"{"StartAt": "A", "States": {
    "A": {"Type": "Task", "Resource": "${Fetch}", "Next": "B"},
    "B": {"Type": "Task", "Resource": "${Approve}", "Next": "C"},
    "C": {"Type": "Pass", "Result": "${Region}", "End": true}}}"#;

#[test]
fn a_template_becomes_machines_and_activities() {
    let files = [("template.yaml", TEMPLATE), ("workflows/orders.asl.json", ORDERS)];
    for source in ["template.yaml", "."] {
        let loaded = load_files(&files, source, &options(&[]));
        assert_eq!(rendered(&loaded), "", "{source}");
        assert_eq!(names(&loaded), ["orders-dev", "Inline", "Written"]);
        assert_eq!(loaded.activities, ["approve-dev"]);
        assert_eq!(loaded.files.len(), 2);
        let [orders, inline, written] = &loaded.machines[..] else { panic!("three machines") };

        for part in [
            "\"arn:aws:lambda:eu-west-1:111111111111:function:fetch-dev\"",
            "\"arn:aws:states:eu-west-1:111111111111:activity:approve-dev\"",
            "\"Result\":\"eu-west-1\"",
        ] {
            assert!(orders.definition.contains(part), "{part}: {}", orders.definition);
        }
        assert_eq!(orders.role_arn, "arn:aws:iam::111111111111:role/Role");
        assert_eq!(orders.tags, BTreeMap::from([("Stage".to_owned(), "dev".to_owned())]));
        let logging = r#"{"level":"ALL","destinations":[{"cloudWatchLogsLogGroup":{"logGroupArn":"arn:aws:logs:eu-west-1:111111111111:log-group:x:*"}}]}"#;
        assert_eq!(orders.logging.as_ref().map(Value::to_json).as_deref(), Some(logging));
        assert_eq!(orders.tracing.as_ref().map(Value::to_json).as_deref(), Some("{\"enabled\":true}"));

        assert!(inline.express);
        let call = Value::parse(&inline.definition).unwrap();
        let call =
            call.get("States").and_then(|states| states.get("Call")).expect("the state is there").clone();
        let expected = r#"{"Type":"Task","Resource":"arn:aws:lambda:eu-west-1:111111111111:function:Store","Parameters":{"Table":"Table","Next":"arn:aws:states:eu-west-1:111111111111:stateMachine:orders-dev"},"Retry":[{"ErrorEquals":["States.ALL"],"MaxAttempts":1}],"End":true}"#;
        assert_eq!(call.to_json(), expected);
        assert_eq!(inline.role_arn, "arn:aws:iam::111111111111:role/x");
        assert!(written.definition.contains("function:Store ${Kept}"), "{}", written.definition);
    }
}

#[test]
fn parameters_are_given_from_outside() {
    let files = [("template.yaml", TEMPLATE), ("workflows/orders.asl.json", ORDERS)];
    let loaded = load_files(
        &files,
        "template.yaml",
        &options(&[("Stage", "prod"), ("Fetch.Arn", "arn:aws:lambda:x:1:function:y")]),
    );
    assert_eq!(names(&loaded), ["orders-prod", "Inline", "Written"]);
    assert!(loaded.machines[0].definition.contains("arn:aws:lambda:x:1:function:y"));
    assert!(loaded.machines[1].definition.contains("\"TimeoutSeconds\":60"));
    assert!(loaded.machines[1].definition.contains("\"MaxAttempts\":5"));
    assert_eq!(loaded.refused, ["OnlyProd"]);
    assert!(rendered(&loaded).contains("nowhere.asl.json`: there is no such file"), "{}", rendered(&loaded));
}

/// One state machine with these properties, beside some resources.
fn check_refused(properties: &str, expected: &[&str]) {
    let template = format!(
        "Parameters:\n  P: {{Type: String}}\n  S: {{Type: 'AWS::SSM::Parameter::Value<String>', Default: /x}}\n\
         Conditions:\n  Loop: !Not [!Condition Loop]\nResources:\n  Vpc:\n    Type: AWS::EC2::Vpc\n  Self:\n    \
         Type: AWS::SQS::Queue\n    Properties: {{QueueName: !GetAtt Self.QueueName}}\n  M:\n    \
         Type: AWS::StepFunctions::StateMachine\n    Properties:\n{properties}"
    );
    let loaded = load_files(&[("t.yaml", &template)], "t.yaml", &options(&[]));
    let text = rendered(&loaded);
    assert_eq!(names(&loaded), Vec::<&str>::new(), "{properties}: {text}");
    for part in expected {
        assert!(text.contains(part), "{properties}: {part}: {text}");
    }
}

#[test]
fn what_cannot_be_known_is_told_with_its_line_and_what_to_do() {
    let result = |value: &str| {
        format!(
            "      Definition:\n        StartAt: A\n        States:\n          A:\n            Type: Pass\n            \
             Result: {value}\n            End: true\n"
        )
    };
    for (value, expected) in [
        (
            "!Ref P",
            &["t.yaml:20:21: error", "the parameter `P` has no value", "help: give --parameter P=VALUE"][..],
        ),
        ("!Ref S", &["help: give --parameter S=VALUE"]),
        ("!Ref Nope", &["`Nope` is neither a parameter nor a resource", "--parameter Nope=VALUE"]),
        (
            "!GetAtt Vpc.CidrBlock",
            &["of a resource of type AWS::EC2::Vpc", "--parameter Vpc.CidrBlock=VALUE"],
        ),
        ("!GetAtt Nope.Arn", &["`Nope` is no resource", "--parameter Nope.Arn=VALUE"]),
        ("!GetAtt Self.Arn", &["leads to itself"]),
        ("!Sub '${P}'", &["--parameter P=VALUE"]),
        ("!Sub '${Vpc.Id}'", &["--parameter Vpc.Id=VALUE"]),
        ("!ImportValue shared-table", &["of another stack", "--parameter shared-table=VALUE"]),
        ("!FindInMap [A, b, c]", &["the mapping `A` has nothing under `b`, `c`"]),
        ("!Select [3, [a, b]]", &["Fn::Select selects nothing"]),
        ("!Join [a]", &["`Fn::Join` takes a list of 2 arguments"]),
        ("!If [Loop, a, b]", &["leads to itself"]),
        ("!If [None, a, b]", &["there is no condition `None`"]),
        ("!GetAZs us-east-1", &["the function `Fn::GetAZs` is not known here"]),
        ("!Cidr [a, 1, 2]", &["`Fn::Cidr`"]),
    ] {
        check_refused(&result(value), expected);
    }
    check_refused(&result("a\n            Typ: x"), &["error[SCHEMA_VALIDATION_FAILED]", "t.yaml:2"]);
    check_refused(
        "      DefinitionS3Location: {Bucket: b, Key: k}\n",
        &["is in S3, which is not read", "DefinitionUri"],
    );
    check_refused("      DefinitionUri: s3://b/k\n", &["is in S3, which is not read"]);
    check_refused("      StateMachineName: x\n", &["`M` has no definition"]);
    check_refused("      StateMachineType: FAST\n      DefinitionString: '{}'\n", &["`FAST` is no type"]);
    check_refused("      DefinitionString: '{}'\n", &["t.yaml (M.DefinitionString):1:1: error["]);
    check_refused(
        &format!("      StateMachineName: 'a b'\n      DefinitionString: '{PASS}'\n"),
        &["the name of the state machine"],
    );
}

#[test]
fn templates_do_not_grow_without_end() {
    let check = |links: usize, letters: usize, expected: &str| {
        let mut template = format!(
            "Resources:\n  Q0: {{Type: AWS::SQS::Queue, Properties: {{QueueName: {}}}}}\n",
            "x".repeat(letters)
        );
        for number in 1..links {
            let before = number - 1;
            let name = format!("!Sub '${{Q{before}.QueueName}}${{Q{before}.QueueName}}'");
            template.push_str(&format!(
                "  Q{number}:\n    Type: AWS::SQS::Queue\n    Properties: {{QueueName: {name}}}\n"
            ));
        }
        let last = links - 1;
        template.push_str(&format!(
            "  M:\n    Type: AWS::StepFunctions::StateMachine\n    Properties: {{DefinitionString: !GetAtt Q{last}.QueueName}}\n"
        ));
        let loaded = load_files(&[("t.yaml", &template)], "t.yaml", &options(&[]));
        assert!(rendered(&loaded).contains(expected), "{links} {letters}: {}", rendered(&loaded));
        assert!(loaded.machines.is_empty());
    };
    check(12, 8_000, "comes to more than can be held");
    check(24, 8, "comes to more than can be held");
    check(64, 8, "nested too deeply");
}

#[test]
fn deep_templates_do_not_overflow() {
    let nested = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
    let template = |value: &str| {
        format!(
            r#"{{"Resources": {{"M": {{"Type": "AWS::StepFunctions::StateMachine", "Properties": {{"Definition": {value}}}}}}}}}"#
        )
    };
    let loaded = load_files(&[("t.json", &template(&nested(390)))], "t.json", &options(&[]));
    assert!(rendered(&loaded).contains("Definition must be"), "{}", rendered(&loaded));
    let functions = format!("{}\"x\"{}", r#"{"Fn::Join": ["", ["#.repeat(100), "]]}".repeat(100));
    let loaded = load_files(&[("t.json", &template(&functions))], "t.json", &options(&[]));
    assert!(rendered(&loaded).contains("nested too deeply"), "{}", rendered(&loaded));
}

#[test]
fn files_that_cannot_be_read_are_told() {
    let loaded = load_files(&[], "none.asl.json", &options(&[]));
    assert!(rendered(&loaded).contains("there is no such file"), "{}", rendered(&loaded));
    let loaded = load_files(&[("t.yaml", "Resources: 'x\n")], "t.yaml", &options(&[]));
    assert!(rendered(&loaded).contains("t.yaml:1:"), "{}", rendered(&loaded));
}
