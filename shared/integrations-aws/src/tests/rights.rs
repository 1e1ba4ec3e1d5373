use super::*;
use crate::Roles;

/// Stands in for STS and Lambda: a role called `r` gets the access key `KEY-r`, unless it is called
/// `closed`. Says of each request who signed it and what it was for.
async fn account(allowed: &str) -> (Services, Received) {
    let (url, received) = served(|request| {
        let (_, body) = request.split_once("\r\n\r\n").unwrap();
        let role = body.split_once("%3Arole%2F").map(|(_, rest)| rest.split('&').next().unwrap());
        match role {
            Some("closed") => answer(
                403,
                "",
                "<ErrorResponse><Error><Code>AccessDenied</Code><Message>not authorized to assume</Message></Error></ErrorResponse>",
            ),
            Some(role) => answer(
                200,
                "",
                &format!("<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>KEY-{role}</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>2999-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"),
            ),
            None => answer(200, "", "{}"),
        }
    })
    .await;
    let roles = Roles { external_id: "mine".into(), allowed: vec![allowed.into()] };
    (services(&url, Rights::StateMachines(roles)), received)
}

/// Who signed each request, and what it was for.
fn told(received: &Received) -> Vec<String> {
    let requests = std::mem::take(&mut *received.lock().unwrap());
    let told = requests.iter().map(|request| {
        let (head, body) = request.split_once("\r\n\r\n").unwrap();
        let signer = head.split_once("Credential=").unwrap().1.split('/').next().unwrap();
        let role = body.split_once("%3Arole%2F").map(|(_, rest)| rest.split('&').next().unwrap());
        let external_id = body.split_once("ExternalId=").map_or("", |(_, rest)| rest);
        match role {
            Some(role) => format!("{signer} assumes {role} {external_id}").trim_end().to_owned(),
            None => format!("{signer} calls"),
        }
    });
    told.collect()
}

fn role(name: &str) -> Text {
    format!("arn:aws:iam::123456789012:role/{name}").into()
}

#[tokio::test]
async fn a_call_has_the_rights_of_the_state_machine() {
    let (services, received) = account("arn:aws:iam::123456789012:role/m*").await;
    let function = || resource("arn:aws:lambda:us-east-1:123456789012:function:f");
    let performed = async |own: &str, machine: &str| {
        let call =
            Call { role_arn: Some(own).filter(|own| !own.is_empty()).map(role), ..call(function(), "{}") };
        let execution = Execution { role_arn: role(machine), ..execution() };
        let answer = services.call(&call, &execution).await;
        let requests = told(&received);
        match answer {
            Answer::Settled(TaskOutcome::Succeeded(_)) => (requests, String::new()),
            Answer::Settled(TaskOutcome::Failed { failure, .. }) => {
                assert_eq!(failure.error.as_deref(), Some("States.TaskFailed"));
                (requests, failure.cause.unwrap().to_string())
            }
            other => panic!("{other:?}"),
        }
    };
    let done = |requests: &[&str]| (requests.iter().map(|text| (*text).to_owned()).collect(), String::new());
    assert_eq!(performed("", "m").await, done(&["ANOTREAL assumes m mine", "KEY-m calls"]));
    assert_eq!(performed("", "m").await, done(&["KEY-m calls"]), "credentials are kept");
    let chain = ["ANOTREAL assumes m mine", "KEY-m assumes t", "KEY-t calls"];
    assert_eq!(performed("t", "m").await, done(&chain[1..]), "what was assumed is shared");
    let (requests, cause) = performed("closed", "m").await;
    assert_eq!(requests.last().unwrap(), "KEY-m assumes closed");
    assert_eq!(
        cause,
        "The role arn:aws:iam::123456789012:role/closed could not be assumed: not authorized to assume. Its trust policy has to let the state machine's role assume it."
    );
    let (requests, cause) = performed("", "other").await;
    assert_eq!(requests, Vec::<String>::new(), "what is not allowed is not tried");
    assert!(cause.ends_with("(its parameter TaskRoles)"), "{cause}");
}

#[tokio::test]
async fn secrets_are_in_no_error() {
    let (services, _) = account("arn:aws:iam::123456789012:role/*").await;
    let call = Call { role_arn: Some(role("closed")), ..call(integration("aws-sdk:sqs:listQueues"), "{}") };
    let execution = Execution { role_arn: role("m"), ..execution() };
    let answer = format!("{:?}", services.call(&call, &execution).await);
    for secret in ["ANOTREALSECRET", "notarealsessiontoken", "Signature=", "KEY-m"] {
        assert!(!answer.contains(secret), "{secret} is in {answer}");
    }
}
