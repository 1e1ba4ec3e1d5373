"""boto3, unmodified, against a running server: boto3_client.py ENDPOINT LAMBDA_ENDPOINT.

Prints a line for each check and a summary; ends with 1 when a check failed.
"""

import json
import sys
import threading
import time
import urllib.request
import uuid

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

ENDPOINT, LAMBDA_ENDPOINT = sys.argv[1:3]
ROLE = "arn:aws:iam::123456789012:role/workflows"
PASS = {"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}}
WAIT = {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 600, "End": True}}}
RUN = uuid.uuid4().hex[:8]

client = boto3.client(
    "stepfunctions",
    endpoint_url=ENDPOINT,
    region_name="us-east-1",
    config=Config(retries={"max_attempts": 1}, read_timeout=70),
)
passed = failed = 0


def check(name, condition, seen=None):
    global passed, failed
    if condition:
        passed += 1
        print(f"ok      {name}")
    else:
        failed += 1
        print(f"FAILED  {name}: {seen!r}")


def raises(name, error, call, /, **request):
    """`error` is a class of the client, or the code of one that has no class."""
    try:
        answer = call(**request)
    except ClientError as raised:
        code = raised.response["Error"]["Code"]
        same = code == error if isinstance(error, str) else isinstance(raised, error)
        told = raised.response["Error"]["Message"] and raised.response["ResponseMetadata"]["RequestId"]
        check(name, same and told, raised.response)
    else:
        check(name, False, answer)


def ended(arn, seconds=30):
    until = time.monotonic() + seconds
    while True:
        found = client.describe_execution(executionArn=arn)
        if found["status"] != "RUNNING" or time.monotonic() > until:
            return found
        time.sleep(0.05)


def create(name, definition, **more):
    request = {"name": f"{name}-{RUN}", "definition": json.dumps(definition), "roleArn": ROLE, **more}
    return client.create_state_machine(**request)["stateMachineArn"]


def state_machines():
    errors = client.exceptions
    arn = create("pass", PASS, tags=[{"key": "team", "value": "a"}])
    check("create", arn.endswith(f":stateMachine:pass-{RUN}"), arn)
    check("create again", create("pass", PASS) == arn)
    found = client.describe_state_machine(stateMachineArn=arn)
    same = json.loads(found["definition"]) == PASS and found["type"] == "STANDARD"
    check("describe", same and found["status"] == "ACTIVE" and found["roleArn"] == ROLE, found)
    check("creation date", abs(time.time() - found["creationDate"].timestamp()) < 600, found)
    other = {**PASS, "Comment": "second"}
    updated = client.update_state_machine(stateMachineArn=arn, definition=json.dumps(other))
    found = client.describe_state_machine(stateMachineArn=arn)
    same = found["revisionId"] == updated["revisionId"]
    check("update", json.loads(found["definition"]) == other and same, found)
    raises("update nothing", errors.MissingRequiredParameter, client.update_state_machine, stateMachineArn=arn)
    raises(
        "create another of the name", errors.StateMachineAlreadyExists, client.create_state_machine,
        name=f"pass-{RUN}", definition=json.dumps(WAIT), roleArn=ROLE,
    )
    raises(
        "invalid definition", errors.InvalidDefinition, client.create_state_machine,
        name=f"bad-{RUN}", definition='{"StartAt": "X", "States": {}}', roleArn=ROLE,
    )
    raises(
        "invalid name", errors.InvalidName, client.create_state_machine,
        name="a b", definition=json.dumps(PASS), roleArn=ROLE,
    )
    raises("no ARN", errors.InvalidArn, client.describe_state_machine, stateMachineArn="nonsense")
    raises(
        "no such state machine", errors.StateMachineDoesNotExist, client.describe_state_machine,
        stateMachineArn=f"{arn}-not",
    )
    raises(
        "enumeration", "ValidationException", client.list_executions,
        stateMachineArn=arn, statusFilter="succeeded",
    )
    listed = client.get_paginator("list_state_machines").paginate(PaginationConfig={"PageSize": 1})
    arns = [machine["stateMachineArn"] for page in listed for machine in page["stateMachines"]]
    check("list", arns.count(arn) == 1, arns)
    return arn


def tags(arn):
    client.tag_resource(resourceArn=arn, tags=[{"key": "stage", "value": "test"}, {"key": "team", "value": "b"}])
    listed = client.list_tags_for_resource(resourceArn=arn)["tags"]
    expected = {"team": "b", "stage": "test"}
    check("tag", {tag["key"]: tag["value"] for tag in listed} == expected, listed)
    client.untag_resource(resourceArn=arn, tagKeys=["team", "other"])
    listed = client.list_tags_for_resource(resourceArn=arn)["tags"]
    check("untag", listed == [{"key": "stage", "value": "test"}], listed)
    raises(
        "tags of nothing", client.exceptions.ResourceNotFound, client.list_tags_for_resource,
        resourceArn=f"{arn}-not",
    )


def executions(arn):
    errors = client.exceptions
    text = json.dumps({"emoji": "é😀", "number": 1.5e300, "list": [None, True]}, ensure_ascii=False)
    started = client.start_execution(stateMachineArn=arn, name=f"first-{RUN}", input=text, traceHeader="Root=1")
    found = ended(started["executionArn"])
    same = json.loads(found["input"]) == json.loads(text) == json.loads(found["output"])
    check("start and describe", found["status"] == "SUCCEEDED" and same, found)
    check("times", started["startDate"] == found["startDate"] <= found["stopDate"], found)
    check("trace header", found.get("traceHeader") == "Root=1", found)
    machine = client.describe_state_machine_for_execution(executionArn=started["executionArn"])
    check("describe for execution", machine["stateMachineArn"] == arn, machine)
    unnamed = {client.start_execution(stateMachineArn=arn)["executionArn"] for _ in range(6)}
    check("unnamed", len(unnamed) == 6, unnamed)
    for one in unnamed:
        ended(one)
    pages = list(
        client.get_paginator("list_executions").paginate(
            stateMachineArn=arn, statusFilter="SUCCEEDED", PaginationConfig={"PageSize": 2}
        )
    )
    listed = [execution["executionArn"] for page in pages for execution in page["executions"]]
    check("list executions", set(listed) == unnamed | {started["executionArn"]} and len(listed) == 7, listed)
    check("pages", [len(page["executions"]) for page in pages][:3] == [2, 2, 2], pages)
    check("newest first", listed[-1] == started["executionArn"], listed)
    paginator = client.get_paginator("get_execution_history")
    events = [
        event
        for page in paginator.paginate(executionArn=started["executionArn"], PaginationConfig={"PageSize": 1})
        for event in page["events"]
    ]
    types = ["ExecutionStarted", "PassStateEntered", "PassStateExited", "ExecutionSucceeded"]
    check("history", [event["type"] for event in events] == types, events)
    check("ids", [event["id"] for event in events] == [1, 2, 3, 4], events)
    backwards = client.get_execution_history(executionArn=started["executionArn"], reverseOrder=True)["events"]
    check("history backwards", backwards[::-1] == events, backwards)
    bare = client.get_execution_history(executionArn=started["executionArn"], includeExecutionData=False)["events"]
    check("history without data", "input" not in bare[0]["executionStartedEventDetails"], bare[0])
    raises(
        "the name is taken", errors.ExecutionAlreadyExists, client.start_execution,
        stateMachineArn=arn, name=f"first-{RUN}", input="{}",
    )
    raises("input", errors.InvalidExecutionInput, client.start_execution, stateMachineArn=arn, input="{")
    raises(
        "no such execution", errors.ExecutionDoesNotExist, client.describe_execution,
        executionArn=started["executionArn"] + "-not",
    )
    raises(
        "page token", errors.InvalidToken, client.list_executions,
        stateMachineArn=arn, nextToken="nonsense",
    )


def versions():
    errors = client.exceptions
    first = create("versions", PASS, publish=True, versionDescription="first")
    one, two = f"{first}:1", f"{first}:2"
    result = {"StartAt": "P", "States": {"P": {"Type": "Pass", "Result": 2, "End": True}}}
    updated = client.update_state_machine(stateMachineArn=first, definition=json.dumps(result), publish=True)
    check("update and publish", updated["stateMachineVersionArn"] == two, updated)
    again = client.publish_state_machine_version(stateMachineArn=first, revisionId=updated["revisionId"])
    check("publish again", again["stateMachineVersionArn"] == two, again)
    raises(
        "publish another revision", errors.ConflictException, client.publish_state_machine_version,
        stateMachineArn=first, revisionId="INITIAL",
    )
    page = client.list_state_machine_versions(stateMachineArn=first, maxResults=1)
    rest = client.list_state_machine_versions(stateMachineArn=first, nextToken=page["nextToken"])
    listed = [item["stateMachineVersionArn"] for item in page["stateMachineVersions"] + rest["stateMachineVersions"]]
    check("list versions", listed == [two, one] and "nextToken" not in rest, listed)
    found = client.describe_state_machine(stateMachineArn=one)
    same = json.loads(found["definition"]) == PASS and found["description"] == "first"
    check("describe a version", same and found["stateMachineArn"] == one, found)

    def routed(weights):
        return [{"stateMachineVersionArn": arn, "weight": weight} for arn, weight in weights.items()]

    alias = client.create_state_machine_alias(name="PROD", routingConfiguration=routed({one: 90, two: 10}))
    alias = alias["stateMachineAliasArn"]
    check("create an alias", alias == f"{first}:PROD", alias)
    again = client.create_state_machine_alias(name="PROD", routingConfiguration=routed({one: 90, two: 10}))
    check("create an alias again", again["stateMachineAliasArn"] == alias, again)
    raises(
        "create another alias of the name", errors.ConflictException, client.create_state_machine_alias,
        name="PROD", routingConfiguration=routed({one: 100}),
    )
    raises(
        "weights that do not fit", errors.ValidationException, client.create_state_machine_alias,
        name="BETA", routingConfiguration=routed({one: 90, two: 11}),
    )
    client.update_state_machine_alias(
        stateMachineAliasArn=alias, description="moved", routingConfiguration=routed({two: 100})
    )
    found = client.describe_state_machine_alias(stateMachineAliasArn=alias)
    same = found["routingConfiguration"] == routed({two: 100}) and found["description"] == "moved"
    check("update an alias", same and found["updateDate"] >= found["creationDate"], found)
    listed = client.list_state_machine_aliases(stateMachineArn=two)["stateMachineAliases"]
    check("list aliases", [item["stateMachineAliasArn"] for item in listed] == [alias], listed)

    started = [
        client.start_execution(stateMachineArn=arn, input='{"in": 1}')["executionArn"] for arn in [first, one, alias]
    ]
    found = [ended(arn) for arn in started]
    check("run them", [json.loads(one["output"]) for one in found] == [2, {"in": 1}, 2], found)
    told = [(one.get("stateMachineVersionArn"), one.get("stateMachineAliasArn")) for one in found]
    check("what ran", told == [(None, None), (one, None), (two, alias)], told)
    for arn, expected in [(one, started[1:2]), (alias, started[2:])]:
        listed = client.list_executions(stateMachineArn=arn)["executions"]
        check("list their executions", [item["executionArn"] for item in listed] == expected, listed)

    raises(
        "delete a version with an alias", errors.ConflictException, client.delete_state_machine_version,
        stateMachineVersionArn=two,
    )
    client.delete_state_machine_alias(stateMachineAliasArn=alias)
    client.delete_state_machine_version(stateMachineVersionArn=two)
    raises(
        "no such alias", errors.ResourceNotFound, client.describe_state_machine_alias, stateMachineAliasArn=alias
    )
    raises("no such version", errors.StateMachineDoesNotExist, client.start_execution, stateMachineArn=two)
    return first


def stop():
    arn = create("wait", WAIT)
    started = client.start_execution(stateMachineArn=arn, name="one", input="{}")
    again = client.start_execution(stateMachineArn=arn, name="one", input="{}")
    check("start is idempotent", again["startDate"] == started["startDate"], again)
    running = client.list_executions(stateMachineArn=arn, statusFilter="RUNNING")["executions"]
    check("running", [execution["name"] for execution in running] == ["one"], running)
    client.stop_execution(executionArn=started["executionArn"], error="Enough", cause="of this")
    found = ended(started["executionArn"])
    told = (found["status"], found.get("error"), found.get("cause"))
    check("stop", told == ("ABORTED", "Enough", "of this") and "output" not in found, found)
    return arn


def validation():
    good = client.validate_state_machine_definition(definition=json.dumps(PASS))
    check("valid", good["result"] == "OK" and good["diagnostics"] == [], good)
    bad = client.validate_state_machine_definition(
        definition='{"StartAt": "A", "States": {"A": {"Type": "Pass"}}}', severity="WARNING"
    )
    check("not valid", bad["result"] == "FAIL" and bad["diagnostics"][0]["severity"] == "ERROR", bad)


def activities():
    activity = client.create_activity(name=f"work-{RUN}", tags=[{"key": "k", "value": "v"}])["activityArn"]
    check("describe activity", client.describe_activity(activityArn=activity)["name"] == f"work-{RUN}")
    pages = client.get_paginator("list_activities").paginate(PaginationConfig={"PageSize": 1})
    listed = [item["activityArn"] for page in pages for item in page["activities"]]
    check("list activities", listed.count(activity) == 1, listed)
    state = {"Type": "Task", "Resource": activity, "TimeoutSeconds": 60, "HeartbeatSeconds": 30}
    catch = {"ErrorEquals": ["Bad"], "Next": "Caught"}
    arn = create(
        "activity",
        {"StartAt": "A", "States": {"A": {**state, "Catch": [catch], "End": True}, "Caught": {"Type": "Succeed"}}},
    )
    answers = []

    def worker():
        # The second poll waits before there is a task.
        for _ in range(2):
            task = client.get_activity_task(activityArn=activity, workerName="worker")
            order = json.loads(task["input"])
            client.send_task_heartbeat(taskToken=task["taskToken"])
            if order["good"]:
                client.send_task_success(taskToken=task["taskToken"], output=json.dumps({"did": order}))
            else:
                client.send_task_failure(taskToken=task["taskToken"], error="Bad", cause="asked for")
            answers.append(task["taskToken"])

    thread = threading.Thread(target=worker)
    thread.start()
    found = ended(client.start_execution(stateMachineArn=arn, input='{"good": true}')["executionArn"])
    check("worker succeeds", json.loads(found.get("output", "{}")) == {"did": {"good": True}}, found)
    execution = client.start_execution(stateMachineArn=arn, input='{"good": false}')["executionArn"]
    found = ended(execution)
    thread.join(60)
    output = json.loads(found.get("output", "{}"))
    check("worker fails", output == {"Error": "Bad", "Cause": "asked for"}, found)
    events = client.get_execution_history(executionArn=execution)["events"]
    workers = [event["activityStartedEventDetails"]["workerName"] for event in events if event["type"] == "ActivityStarted"]
    check("worker name", workers == ["worker"], workers)
    raises(
        "a token twice", client.exceptions.TaskTimedOut, client.send_task_success,
        taskToken=answers[0] if answers else "none", output="{}",
    )
    raises(
        "no token", client.exceptions.InvalidToken, client.send_task_success, taskToken="nonsense", output="{}"
    )
    client.delete_activity(activityArn=activity)
    raises(
        "no such activity", client.exceptions.ActivityDoesNotExist, client.describe_activity, activityArn=activity
    )
    return arn


def callback():
    arn = create(
        "callback",
        {
            "StartAt": "C",
            "States": {
                "C": {
                    "Type": "Task",
                    "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
                    "Parameters": {
                        "FunctionName": "callback",
                        "Payload": {"id.$": "$$.Execution.Name", "token.$": "$$.Task.Token"},
                    },
                    "End": True,
                }
            },
        },
    )
    name = f"callback-{RUN}"
    execution = client.start_execution(stateMachineArn=arn, name=name)["executionArn"]
    token = handed_out(name)
    client.send_task_success(taskToken=token, output='{"approved": true}')
    found = ended(execution)
    check("callback", json.loads(found.get("output", "{}")) == {"approved": True}, found)
    return arn


def handed_out(name):
    """The task token that the function `callback` was given by the execution `name`."""
    for _ in range(200):
        with urllib.request.urlopen(f"{LAMBDA_ENDPOINT}/tokens/{name}") as response:
            token = response.read().decode()
        if token:
            return token
        time.sleep(0.05)
    raise TimeoutError("the function was not called")


def delete(arns):
    for arn in arns:
        client.delete_state_machine(stateMachineArn=arn)
    for arn in arns:
        for _ in range(100):
            try:
                client.describe_state_machine(stateMachineArn=arn)
            except client.exceptions.StateMachineDoesNotExist:
                check("delete", True)
                break
            time.sleep(0.05)
        else:
            check("delete", False, arn)


arns = [state_machines()]
tags(arns[0])
executions(arns[0])
arns.append(versions())
arns.append(stop())
validation()
arns.append(activities())
arns.append(callback())
delete(arns)
print(f"boto3: {passed} passed, {failed} failed")
sys.exit(1 if failed else 0)
