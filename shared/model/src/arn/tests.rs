use proptest::prelude::*;

use super::*;

const HOME: &str = "arn:aws:states:us-east-1:111111111111";

fn text(text: &str) -> Text {
    text.into()
}

#[test]
fn every_kind() {
    let check = |rest: &str, resource: Resource| {
        let arn = Arn { home: Home::new("aws", "us-east-1", "111111111111"), resource };
        let expected = format!("{HOME}:{rest}");
        assert_eq!(arn.to_string(), expected);
        assert_eq!(Arn::parse(&expected), Ok(arn.clone()));
        assert!(rest.starts_with(arn.resource.type_name()), "{rest}");
        let stored = serde_json::to_string(&arn).unwrap();
        assert_eq!(stored, format!("{expected:?}"));
        assert_eq!(serde_json::from_str::<Arn>(&stored).unwrap(), arn);
    };
    let (m, label, name, id) = (text("m.1"), text("l-1"), text("e"), text("5f1c"));
    check("stateMachine:m.1", Resource::StateMachine { name: m.clone() });
    check("stateMachine:m.1:7", Resource::Version { state_machine: m.clone(), version: 7 });
    check("stateMachine:m.1:PROD", Resource::Alias { state_machine: m.clone(), alias: text("PROD") });
    check("stateMachine:m.1:7.0", Resource::Alias { state_machine: m.clone(), alias: text("7.0") });
    check(
        "stateMachine:m.1/l-1",
        Resource::MapStateMachine { state_machine: m.clone(), label: label.clone() },
    );
    check("execution:m.1:e", Resource::Execution { state_machine: m.clone(), name: name.clone() });
    check(
        "execution:m.1/l-1:e",
        Resource::MapExecution { state_machine: m.clone(), label: label.clone(), name: name.clone() },
    );
    let express = |label| Resource::ExpressExecution {
        state_machine: m.clone(),
        label,
        name: name.clone(),
        id: id.clone(),
    };
    check("express:m.1:e:5f1c", express(None));
    check("express:m.1/l-1:e:5f1c", express(Some(label.clone())));
    check("mapRun:m.1/l-1:5f1c", Resource::MapRun { state_machine: m.clone(), label, id: id.clone() });
    check("activity:a", Resource::Activity { name: text("a") });
}

#[test]
fn other_partitions() {
    for partition in ["aws-cn", "aws-us-gov", "aws-iso-b"] {
        let arn = format!("arn:{partition}:states:cn-north-1:000000000000:activity:a");
        assert_eq!(Arn::parse(&arn).unwrap().to_string(), arn);
    }
}

#[test]
fn refusals() {
    let check = |arn: &str, message: &str| {
        assert_eq!(Arn::parse(arn).map_err(|error| error.to_string()), Err(message.to_string()), "{arn}");
    };
    // The first two messages are recorded.
    check("not_a_valid_arn", "Invalid ARN prefix: not_a_valid_arn");
    check("", "Invalid ARN prefix: ");
    check("arn:aws", "Invalid ARN prefix: arn:aws");
    check("arn:gcp:states:r:1:activity:a", "Invalid ARN prefix: arn:gcp:states:r:1:activity:a");
    check("arn:aws:lambda:us-east-1:111111111111:function:f", {
        "Invalid ARN prefix: arn:aws:lambda:us-east-1:111111111111:function:f"
    });
    check(
        "arn:aws:states:::lambda:invoke",
        "invalid Region \"\" in the ARN \"arn:aws:states:::lambda:invoke\"",
    );
    check(
        "arn:aws:states:us-east-1:1:activity:a",
        "invalid account \"1\" in the ARN \"arn:aws:states:us-east-1:1:activity:a\", must be 12 digits",
    );
    check(HOME, "Resource type not valid in this context: ");
    check(&format!("{HOME}:table:t"), "Resource type not valid in this context: table");
    check(&format!("{HOME}:statemachine:t"), "Resource type not valid in this context: statemachine");
    let of = |rest: &str, message: &str| {
        let arn = format!("{HOME}:{rest}");
        check(&arn, &message.replace("ARN", &format!("ARN {arn:?}")));
    };
    of("activity", "the name \"\" in the ARN is empty");
    of("activity:a:b", "the ARN does not have the form activity:<name>");
    of("stateMachine:", "the state machine name \"\" in the ARN is empty");
    of("stateMachine:m:", "the alias \"\" in the ARN is empty");
    of("stateMachine:m/", "the label \"\" in the ARN is empty");
    of("stateMachine:m:0", "invalid version \"0\" in the ARN, must be a number from 1 without leading zeros");
    of(
        "stateMachine:m:99999999999999999999",
        "invalid version \"99999999999999999999\" in the ARN, must be a number from 1 without leading zeros",
    );
    of("mapRun:m:id", "the ARN does not have the form mapRun:<state machine>/<label>:<id>");
    of("express:m:e", "the ARN does not have the form express:<state machine>:<name>:<id>");
    of("execution:m:", "the name \"\" in the ARN is empty");
    of("execution:m", {
        "the ARN does not have the form execution:<state machine>:<name> or execution:<state machine>/<label>:<name>"
    });
    of("execution:m:a b", {
        "the name \"a b\" in the ARN has ' ' (U+0020) at position 2, where no white space may stand"
    });
    for rest in ["stateMachine:m/l:1", "stateMachine:m:1:2", "stateMachine:m/l/l", "execution:m/l/l:e"] {
        assert!(Arn::parse(&format!("{HOME}:{rest}")).is_err(), "{rest}");
    }
    check(&"a".repeat(2001), "the ARN has 2001 characters, more than 2000");
}

#[test]
fn identities_take_their_kind_only() {
    let kind = |error: ArnError| error.to_string();
    let refused = ExecutionArn::parse(&format!("{HOME}:stateMachine:m")).map_err(kind);
    assert_eq!(refused, Err("Resource type not valid in this context: stateMachine".into()));
    let refused = StateMachineArn::parse(&format!("{HOME}:express:m:e:i")).map_err(kind);
    assert_eq!(refused, Err("Resource type not valid in this context: express".into()));
    assert!(StateMachineArn::parse(&format!("{HOME}:stateMachine:m:1")).is_err());
    assert!(MapRunArn::parse(&format!("{HOME}:activity:a")).is_err());
    assert!(ActivityArn::parse(&format!("{HOME}:mapRun:m/l:i")).is_err());
    assert!(serde_json::from_str::<ExecutionArn>("\"arn\"").is_err());
}

#[test]
fn an_identity_is_checked_also_when_made_from_parts() {
    let arn = Arn { home: Home::new("aws", "", "1"), resource: Resource::Activity { name: text("a:b") } };
    assert!(ActivityArn::try_from(arn).is_err());
}

#[test]
fn identities_lead_to_one_another() {
    let machine = StateMachineArn::new(&Home::new("aws", "us-east-1", "111111111111"), "m").unwrap();
    assert_eq!(machine.as_str(), format!("{HOME}:stateMachine:m"));
    let check = |execution: ExecutionArn, rest: &str, is_express: bool| {
        assert_eq!(execution.as_str(), format!("{HOME}:{rest}"));
        assert_eq!(execution.state_machine(), machine);
        assert_eq!(machine.arn().home.strip(execution.as_str()), Some(rest));
        assert_eq!(Home::new("aws", "us-east-2", "111111111111").strip(execution.as_str()), None);
        assert_eq!(Home::new("aws", "us-east-1", "11111111111").strip(execution.as_str()), None);
        assert_eq!(execution.name(), "e");
        assert_eq!(execution.is_express(), is_express);
    };
    check(machine.execution("e").unwrap(), "execution:m:e", false);
    check(machine.map_execution("l", "e").unwrap(), "execution:m/l:e", false);
    check(machine.express_execution("e", "i").unwrap(), "express:m:e:i", true);
    check(machine.express_map_execution("l", "e", "i").unwrap(), "express:m/l:e:i", true);
    let run = machine.map_run("l", "i").unwrap();
    assert_eq!(run.as_str(), format!("{HOME}:mapRun:m/l:i"));
    assert_eq!((run.state_machine(), run.label()), (machine.clone(), text("l")));
    // A name cannot smuggle in another part.
    assert!(machine.execution("e:f").is_err() && machine.map_run("l/k", "i").is_err());
    let home = Home::new("aws", "us-east-1", "111111111111");
    assert_eq!(ActivityArn::new(&home, "a").unwrap().to_string(), format!("{HOME}:activity:a"));
}

fn name() -> impl Strategy<Value = Text> {
    "[a-zA-Z0-9._@!()+='éß日-]{1,80}".prop_map(Text::from)
}

fn label() -> impl Strategy<Value = Text> {
    "[a-zA-Z0-9._-]{1,40}".prop_map(Text::from)
}

fn resource() -> impl Strategy<Value = Resource> {
    let alias = "[0-9]{0,3}[a-zA-Z_.-][a-zA-Z0-9_.-]{0,70}".prop_map(Text::from);
    prop_oneof![
        name().prop_map(|name| Resource::StateMachine { name }),
        (name(), 1..=u64::MAX)
            .prop_map(|(state_machine, version)| Resource::Version { state_machine, version }),
        (name(), alias).prop_map(|(state_machine, alias)| Resource::Alias { state_machine, alias }),
        (name(), label())
            .prop_map(|(state_machine, label)| Resource::MapStateMachine { state_machine, label }),
        (name(), name()).prop_map(|(state_machine, name)| Resource::Execution { state_machine, name }),
        (name(), label(), name()).prop_map(|(state_machine, label, name)| Resource::MapExecution {
            state_machine,
            label,
            name
        }),
        (name(), proptest::option::of(label()), name(), name()).prop_map(
            |(state_machine, label, name, id)| {
                Resource::ExpressExecution { state_machine, label, name, id }
            }
        ),
        (name(), label(), name()).prop_map(|(state_machine, label, id)| Resource::MapRun {
            state_machine,
            label,
            id
        }),
        name().prop_map(|name| Resource::Activity { name }),
    ]
}

proptest! {
    #[test]
    fn printing_then_parsing_is_identity(resource in resource(), region in "[a-z]{2}-[a-z]{4}-[1-9]", account in "[0-9]{12}") {
        let arn = Arn { home: Home::new("aws", region, account), resource };
        prop_assert_eq!(Arn::parse(&arn.to_string()), Ok(arn));
    }

    #[test]
    fn parsing_then_printing_is_identity(text in "arn:aws:states:us-east-1:111111111111:(stateMachine|execution|express|mapRun|activity)[:/a1.-]{0,12}") {
        if let Ok(arn) = Arn::parse(&text) {
            prop_assert_eq!(arn.to_string(), text);
        }
    }

    #[test]
    fn parsing_never_panics(text in "\\PC{0,60}|(arn|:|aws|states|stateMachine|[0-9]{12}|/){0,12}") {
        let _ = Arn::parse(&text);
    }
}
