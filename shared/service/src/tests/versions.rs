//! Versions and aliases.

use super::*;

/// A definition that says which one it is.
fn definition(n: usize) -> String {
    format!(r#"{{"StartAt":"P","States":{{"P":{{"Type":"Pass","Result":{n},"End":true}}}}}}"#)
}

/// A state machine with `count` versions.
async fn versions(site: &Site, name: &str, count: usize) -> Text {
    let arn = site.machine(name, &definition(0)).await;
    for n in 1..=count {
        let request = format!(
            r#"{{"stateMachineArn":"{arn}","definition":{},"roleArn":"{ROLE}{n}","publish":true,"versionDescription":"v{n}"}}"#,
            Value::from(definition(n).as_str()).to_json()
        );
        let updated = site.ok("UpdateStateMachine", &json(&request)).await;
        assert_eq!(text(&updated, "stateMachineVersionArn"), format!("{arn}:{n}"));
    }
    arn
}

async fn alias(site: &Site, name: &str, routes: &[(&str, i64)]) -> Text {
    let request = json(&format!(r#"{{"name":"{name}","routingConfiguration":{}}}"#, routing(routes)));
    text(&site.ok("CreateStateMachineAlias", &request).await, "stateMachineAliasArn").into()
}

fn routing(routes: &[(&str, i64)]) -> String {
    let item =
        |(arn, weight): &(&str, i64)| format!(r#"{{"stateMachineVersionArn":"{arn}","weight":{weight}}}"#);
    format!("[{}]", routes.iter().map(item).collect::<Vec<_>>().join(","))
}

fn items<'v>(page: &'v Value, list: &str, member: &str) -> Vec<&'v str> {
    page.get(list).unwrap().as_array().unwrap().iter().map(|item| text(item, member)).collect()
}

async fn finished(site: &Site, execution: &str) -> Value {
    for _ in 0..100 {
        let described = site.describe(execution).await;
        if text(&described, "status") != "RUNNING" {
            return described;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{execution} does not end")
}

#[tokio::test(start_paused = true)]
async fn a_version_stays_what_it_was() {
    let site = Site::new().await;
    let arn = versions(&site, "m", 2).await;
    for n in [1, 2] {
        let version = format!("{arn}:{n}");
        let described = site.ok("DescribeStateMachine", &object([("stateMachineArn", &version)])).await;
        assert_eq!(text(&described, "stateMachineArn"), version);
        assert_eq!(text(&described, "definition"), definition(n));
        assert_eq!(text(&described, "description"), format!("v{n}"));
        assert_eq!(text(&described, "roleArn"), format!("{ROLE}{n}"));

        let execution = site.start(&version, &format!("e{n}")).await;
        let ended = finished(&site, &execution).await;
        assert_eq!(text(&ended, "output"), n.to_string());
        assert_eq!(text(&ended, "stateMachineArn"), arn.as_str());
        assert_eq!(text(&ended, "stateMachineVersionArn"), version);
        assert_eq!(ended.get("stateMachineAliasArn"), None);
        let about = object([("executionArn", &execution)]);
        let run = site.ok("DescribeStateMachineForExecution", &about).await;
        assert_eq!(
            (text(&run, "stateMachineArn"), text(&run, "definition")),
            (arn.as_str(), &*definition(n))
        );
        assert_eq!(text(&run, "roleArn"), format!("{ROLE}{n}"));
        let events = site.ok("GetExecutionHistory", &about).await;
        let started = events.get("events").unwrap().as_array().unwrap()[0].clone();
        let details = started.get("executionStartedEventDetails").unwrap();
        assert_eq!(text(details, "stateMachineVersionArn"), version);
        assert_eq!(text(details, "roleArn"), format!("{ROLE}{n}"));
    }
    let missing = format!("{arn}:3");
    let about = object([("stateMachineArn", &missing)]);
    let gone = (ErrorType::StateMachineDoesNotExist, format!("State Machine Does Not Exist: '{missing}'"));
    for operation in ["DescribeStateMachine", "StartExecution", "ListExecutions"] {
        assert_eq!(site.refused(operation, &about).await, gone, "{operation}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_alias_leads_to_its_versions_by_their_weights() {
    let site = Site::new().await;
    let arn = versions(&site, "m", 3).await;
    let (first, third) = (format!("{arn}:1"), format!("{arn}:3"));
    let prod = alias(&site, "PROD", &[(&first, 75), (&third, 25)]).await;
    assert_eq!(prod, format!("{arn}:PROD"));
    let mut outputs = Vec::new();
    for n in 0..80 {
        let execution = site.start(&prod, &format!("e{n}")).await;
        let ended = finished(&site, &execution).await;
        let version = text(&ended, "stateMachineVersionArn").to_owned();
        assert!(version == first || version == third);
        assert_eq!(version, format!("{arn}:{}", text(&ended, "output")));
        assert_eq!(text(&ended, "stateMachineAliasArn"), prod.as_str());
        outputs.push(text(&ended, "output").to_owned());
    }
    let share = outputs.iter().filter(|output| *output == "1").count();
    assert!((45..75).contains(&share), "{share} of 80");
    // The same seed, the same choices.
    let again = Site::new().await;
    let arn = versions(&again, "m", 3).await;
    let prod = alias(&again, "PROD", &[(&first, 75), (&third, 25)]).await;
    for (n, output) in outputs.iter().enumerate().take(20) {
        let execution = again.start(&prod, &format!("e{n}")).await;
        assert_eq!(text(&finished(&again, &execution).await, "output"), output, "{n}");
    }
    // Of an alias, the version is described that most executions run.
    let described = again.ok("DescribeStateMachine", &object([("stateMachineArn", &prod)])).await;
    assert_eq!(text(&described, "stateMachineArn"), format!("{arn}:1"));
}

#[tokio::test(start_paused = true)]
async fn executions_are_listed_by_version_and_alias() {
    let site = Site::new().await;
    let arn = versions(&site, "m", 2).await;
    let (first, second) = (format!("{arn}:1"), format!("{arn}:2"));
    let prod = alias(&site, "PROD", &[(&first, 100)]).await;
    for (n, started) in [&arn, first.as_str(), &second, &prod, &prod].into_iter().enumerate() {
        let execution = site.start(started, &format!("e{n}")).await;
        finished(&site, &execution).await;
        site.clock.jump(10);
    }
    let check = async |listed: &str, expected: &[&str]| {
        let (mut names, mut token) = (Vec::new(), None::<String>);
        loop {
            let request = match &token {
                None => json(&format!(r#"{{"stateMachineArn":"{listed}","maxResults":1}}"#)),
                Some(token) => {
                    json(&format!(r#"{{"stateMachineArn":"{listed}","maxResults":1,"nextToken":"{token}"}}"#))
                }
            };
            let page = site.ok("ListExecutions", &request).await;
            names.extend(items(&page, "executions", "name").into_iter().map(str::to_owned));
            token = page.get("nextToken").and_then(Value::as_str).map(str::to_owned);
            if token.is_none() {
                break;
            }
        }
        assert_eq!(names, expected, "{listed}");
    };
    check(&arn, &["e4", "e3", "e2", "e1", "e0"]).await;
    check(&first, &["e4", "e3", "e1"]).await;
    check(&second, &["e2"]).await;
    check(&prod, &["e4", "e3"]).await;
    // A page token belongs to the list that gave it.
    let page =
        site.ok("ListExecutions", &json(&format!(r#"{{"stateMachineArn":"{first}","maxResults":1}}"#))).await;
    let other = object([("stateMachineArn", &prod), ("nextToken", text(&page, "nextToken"))]);
    assert_eq!(site.refused("ListExecutions", &other).await.0, ErrorType::InvalidToken);
}

#[tokio::test(start_paused = true)]
async fn publishing() {
    let site = Site::new().await;
    let arn = site.machine("m", PASS).await;
    let publish = async |rest: &str| {
        site.ok("PublishStateMachineVersion", &json(&format!(r#"{{"stateMachineArn":"{arn}"{rest}}}"#))).await
    };
    let first = publish(r#","revisionId":"INITIAL","description":"d""#).await;
    assert_eq!(names(&first), ["creationDate", "stateMachineVersionArn"]);
    site.clock.jump(5_000);
    assert_eq!(publish(r#","description":"other""#).await, first);
    let update = object([("stateMachineArn", &arn), ("definition", WAIT)]);
    let revision = text(&site.ok("UpdateStateMachine", &update).await, "revisionId").to_owned();
    let request = object([("stateMachineArn", &arn), ("revisionId", "INITIAL")]);
    assert_eq!(
        site.refused("PublishStateMachineVersion", &request).await,
        (
            ErrorType::ConflictException,
            format!(
                "Failed to publish the State Machine version for revision INITIAL. The current State Machine revision is {revision}."
            )
        )
    );
    let second = publish(&format!(r#","revisionId":"{revision}""#)).await;
    assert_eq!(text(&second, "stateMachineVersionArn"), format!("{arn}:2"));
    for wrong in [format!("{arn}:1"), format!("{arn}:a"), format!("{HOME}:stateMachine:n")] {
        assert_eq!(
            site.refused("PublishStateMachineVersion", &object([("stateMachineArn", &wrong)])).await,
            (ErrorType::StateMachineDoesNotExist, format!("State Machine Does Not Exist: '{wrong}'"))
        );
    }
    let list = async |rest: &str| {
        site.ok("ListStateMachineVersions", &json(&format!(r#"{{"stateMachineArn":"{arn}"{rest}}}"#))).await
    };
    let (one, two) = (format!("{arn}:1"), format!("{arn}:2"));
    let all = list("").await;
    assert_eq!(items(&all, "stateMachineVersions", "stateMachineVersionArn"), [&two, &one]);
    let page = list(r#","maxResults":1"#).await;
    assert_eq!(items(&page, "stateMachineVersions", "stateMachineVersionArn"), [&two]);
    let page = list(&format!(r#","nextToken":"{}""#, text(&page, "nextToken"))).await;
    assert_eq!(items(&page, "stateMachineVersions", "stateMachineVersionArn"), [&one]);
    assert_eq!(page.get("nextToken"), None);

    // Creating with a version, and again.
    let create = |rest: &str| {
        let definition = Value::from(PASS).to_json();
        json(&format!(r#"{{"name":"n","definition":{definition},"roleArn":"{ROLE}"{rest}}}"#))
    };
    let with = create(r#","publish":true,"versionDescription":"d""#);
    let created = site.ok("CreateStateMachine", &with).await;
    assert_eq!(text(&created, "stateMachineVersionArn"), format!("{HOME}:stateMachine:n:1"));
    assert_eq!(site.ok("CreateStateMachine", &with).await, created);
    for rest in ["", r#","publish":true"#, r#","publish":true,"versionDescription":"other""#] {
        let refused = site.refused("CreateStateMachine", &create(rest)).await;
        assert_eq!(refused.0, ErrorType::StateMachineAlreadyExists, "{rest}");
    }
}

#[tokio::test(start_paused = true)]
async fn limits_of_versions_and_aliases() {
    let limits = Limits { versions_max: Some(2), aliases_max: Some(1), ..Limits::default() };
    let site = Site::with(limits).await;
    let arn = versions(&site, "m", 2).await;
    let update = format!(
        r#"{{"stateMachineArn":"{arn}","definition":{},"publish":true}}"#,
        Value::from(PASS).to_json()
    );
    let too_many = (
        ErrorType::ServiceQuotaExceededException,
        format!("Too many versions: '{arn}' can have at most 2 versions"),
    );
    assert_eq!(site.refused("UpdateStateMachine", &json(&update)).await, too_many);
    let described = site.ok("DescribeStateMachine", &object([("stateMachineArn", &arn)])).await;
    assert_eq!(text(&described, "definition"), definition(2), "nothing was changed");
    site.ok("UpdateStateMachine", &json(&update.replace(r#""publish":true"#, r#""publish":false"#))).await;
    let about = object([("stateMachineArn", &arn)]);
    assert_eq!(site.refused("PublishStateMachineVersion", &about).await, too_many);
    site.ok("DeleteStateMachineVersion", &object([("stateMachineVersionArn", &format!("{arn}:1"))])).await;
    let published = site.ok("PublishStateMachineVersion", &about).await;
    assert_eq!(text(&published, "stateMachineVersionArn"), format!("{arn}:3"));

    alias(&site, "a", &[(&format!("{arn}:2"), 100)]).await;
    let request =
        json(&format!(r#"{{"name":"b","routingConfiguration":{}}}"#, routing(&[(&format!("{arn}:2"), 100)])));
    let refused = site.refused("CreateStateMachineAlias", &request).await;
    let too_many = format!("Too many aliases: '{arn}' can have at most 1 aliases");
    assert_eq!(refused, (ErrorType::ServiceQuotaExceededException, too_many));
}

#[tokio::test(start_paused = true)]
async fn aliases_created_changed_and_deleted() {
    let site = Site::new().await;
    let arn = versions(&site, "m", 2).await;
    let (first, second) = (format!("{arn}:1"), format!("{arn}:2"));
    let a = alias(&site, "a", &[(&first, 100)]).await;
    let about = object([("stateMachineAliasArn", &a)]);
    let described = site.ok("DescribeStateMachineAlias", &about).await;
    assert_eq!(
        names(&described),
        ["creationDate", "name", "routingConfiguration", "stateMachineAliasArn", "updateDate"]
    );
    assert_eq!(described.get("updateDate"), described.get("creationDate"));
    site.clock.jump(5_000);
    let b = alias(&site, "b", &[(&first, 50), (&second, 50)]).await;
    // The same again, later.
    assert_eq!(alias(&site, "a", &[(&first, 100)]).await, a);

    let list = async |listed: &str, rest: &str| {
        site.ok("ListStateMachineAliases", &json(&format!(r#"{{"stateMachineArn":"{listed}"{rest}}}"#))).await
    };
    let arns = |page: &Value| -> Vec<String> {
        items(page, "stateMachineAliases", "stateMachineAliasArn").into_iter().map(str::to_owned).collect()
    };
    assert_eq!(arns(&list(&arn, "").await), [a.as_str(), &b]);
    assert_eq!(arns(&list(&first, "").await), [a.as_str(), &b]);
    assert_eq!(arns(&list(&second, "").await), [b.as_str()]);
    let page = list(&arn, r#","maxResults":1"#).await;
    assert_eq!(arns(&page), [a.as_str()]);
    let page = list(&arn, &format!(r#","nextToken":"{}""#, text(&page, "nextToken"))).await;
    assert_eq!((arns(&page), page.get("nextToken")), (vec![b.to_string()], None));

    let deleted = async |version: &str| {
        site.service
            .call(
                "DeleteStateMachineVersion",
                object([("stateMachineVersionArn", version)]).to_json().as_bytes(),
            )
            .await
    };
    let refused = deleted(&first).await;
    assert_eq!((refused.status, refused.error_type), (409, Some(ErrorType::ConflictException)));
    assert!(refused.body.contains("aliases referencing this version: [a, b]"), "{}", refused.body);

    let update = |rest: &str| json(&format!(r#"{{"stateMachineAliasArn":"{a}"{rest}}}"#));
    let moved =
        update(&format!(r#","description":"","routingConfiguration":{}"#, routing(&[(&second, 100)])));
    let updated = site.ok("UpdateStateMachineAlias", &moved).await;
    site.clock.jump(5_000);
    assert_eq!(site.ok("UpdateStateMachineAlias", &moved).await, updated, "nothing changed");
    let described = site.ok("DescribeStateMachineAlias", &about).await;
    assert_eq!(described.get("updateDate"), updated.get("updateDate"));
    assert_eq!(text(&described, "description"), "");
    let routes = described.get("routingConfiguration").unwrap();
    assert_eq!(*routes, json(&routing(&[(&second, 100)])));

    site.ok("DeleteStateMachineAlias", &object([("stateMachineAliasArn", &b)])).await;
    assert_eq!(deleted(&first).await.status, 200);
    assert_eq!(deleted(&first).await.status, 200);
    let missing = "Request references a resource that does not exist.".to_owned();
    let gone = object([("stateMachineAliasArn", &b)]);
    assert_eq!(
        site.refused("DescribeStateMachineAlias", &gone).await,
        (ErrorType::ResourceNotFound, missing.clone())
    );
    let back = update(&format!(r#","routingConfiguration":{}"#, routing(&[(&first, 100)])));
    assert_eq!(
        site.refused("UpdateStateMachineAlias", &back).await,
        (ErrorType::ResourceNotFound, missing.clone())
    );
    let create = json(&format!(r#"{{"name":"c","routingConfiguration":{}}}"#, routing(&[(&first, 100)])));
    assert_eq!(
        site.refused("CreateStateMachineAlias", &create).await,
        (ErrorType::ResourceNotFound, missing)
    );

    // All of them go with the state machine.
    let running = site.start(&a, "e").await;
    site.ok("DeleteStateMachine", &object([("stateMachineArn", &arn)])).await;
    assert_eq!(text(&finished(&site, &running).await, "stateMachineAliasArn"), a.as_str());
    assert_eq!(site.refused("DescribeStateMachineAlias", &about).await.0, ErrorType::ResourceNotFound);
    let listed = object([("stateMachineArn", &arn)]);
    for operation in ["ListStateMachineAliases", "ListStateMachineVersions"] {
        assert_eq!(site.refused(operation, &listed).await.0, ErrorType::StateMachineDoesNotExist);
    }
    let started = object([("stateMachineArn", &a)]);
    assert_eq!(
        site.refused("StartExecution", &started).await,
        (ErrorType::StateMachineDoesNotExist, format!("State Machine Does Not Exist: '{a}'"))
    );
}

#[tokio::test(start_paused = true)]
async fn alias_requests_that_are_refused() {
    let site = Site::new().await;
    let arn = versions(&site, "m", 2).await;
    let other = versions(&site, "n", 1).await;
    let (first, second, other) = (format!("{arn}:1"), format!("{arn}:2"), format!("{other}:1"));
    let check = async |name: &str, routing: &str, error_type: ErrorType, message: &str| {
        let request = json(&format!(r#"{{"name":"{name}","routingConfiguration":{routing}}}"#));
        let refused = site.refused("CreateStateMachineAlias", &request).await;
        assert_eq!(refused, (error_type, message.to_owned()), "{name} {routing}");
    };
    let validation = ErrorType::ValidationException;
    let one = |rest: &str| format!("1 validation error detected: {rest}");
    let fine = routing(&[(&first, 100)]);
    let pattern = r"failed to satisfy constraint: Member must satisfy regular expression pattern: ^(?=.*[a-zA-Z_\-\.])[a-zA-Z0-9_\-\.]+$";
    check("12", &fine, validation, &one(&format!("Value '12' at 'name' {pattern}"))).await;
    check("a b", &fine, validation, &one(&format!("Value 'a b' at 'name' {pattern}"))).await;
    check("", &fine, validation, &one("Value '' at 'name' failed to satisfy constraint: Member must have length greater than or equal to 1")).await;
    check("a", "[]", validation, &one("Value '[]' at 'routingConfiguration' failed to satisfy constraint: Member must have length greater than or equal to 1")).await;
    check(
        "a",
        "null",
        validation,
        &one("Value null at 'routingConfiguration' failed to satisfy constraint: Member must not be null"),
    )
    .await;
    check("a", &routing(&[(&first, -1)]), validation, &one("Value '-1' at 'routingConfiguration.1.member.weight' failed to satisfy constraint: Member must have value greater than or equal to 0")).await;
    check("a", &format!(r#"[{{"stateMachineVersionArn":"{first}"}}]"#), validation, &one("Value null at 'routingConfiguration.1.member.weight' failed to satisfy constraint: Member must not be null")).await;
    check(
        "a",
        &routing(&[(&first, 99)]),
        validation,
        "Sum of routing configuration weights must equal 100. Received: [99]",
    )
    .await;
    check("a", &routing(&[(&first, 50), (&first, 50)]), validation, &format!("Routing configuration must contain distinct state machine version ARNs. Received: [{first}, {first}]")).await;
    check(
        "a",
        &routing(&[(&arn, 100)]),
        validation,
        &format!("Routing configuration must contain state machine version ARNs. Received: [{arn}]"),
    )
    .await;
    check("a", &routing(&[(&first, 50), (&other, 50)]), validation, &format!("Routing configuration must contain version ARNs of one state machine. Received: [{first}, {other}]")).await;
    check("a", &routing(&[("x", 100)]), ErrorType::InvalidArn, "Invalid Arn: 'Invalid ARN prefix: x'").await;

    let a = alias(&site, "a", &[(&first, 100)]).await;
    let taken = "Failed to create alias because an alias with the same name and a different routing configuration already exists.";
    check("a", &routing(&[(&second, 100)]), ErrorType::ConflictException, taken).await;
    let request = json(&format!(
        r#"{{"stateMachineAliasArn":"{a}","routingConfiguration":{}}}"#,
        routing(&[(&other, 100)])
    ));
    assert_eq!(site.refused("UpdateStateMachineAlias", &request).await.0, validation);
    let nothing = object([("stateMachineAliasArn", &a)]);
    assert_eq!(site.refused("UpdateStateMachineAlias", &nothing).await.0, validation);
    // An ARN of another kind.
    let kind = (
        ErrorType::InvalidArn,
        "Invalid Arn: 'Resource type not valid in this context: stateMachine'".to_owned(),
    );
    for wrong in [arn.as_str(), &first] {
        let request = object([("stateMachineAliasArn", wrong)]);
        for operation in ["DescribeStateMachineAlias", "DeleteStateMachineAlias"] {
            assert_eq!(site.refused(operation, &request).await, kind);
        }
    }
    for wrong in [arn.as_str(), &a] {
        let request = object([("stateMachineVersionArn", wrong)]);
        assert_eq!(site.refused("DeleteStateMachineVersion", &request).await, kind);
    }
    let missing = object([("stateMachineArn", &format!("{arn}:9"))]);
    assert_eq!(site.refused("ListStateMachineAliases", &missing).await.0, ErrorType::ResourceNotFound);
}
