"""The AWS CLI, unmodified, against a running server: aws_cli.py ENDPOINT LAMBDA_ENDPOINT.

Runs the `aws` that is installed beside this Python. Prints a line for each check and a summary;
ends with 1 when a check failed.
"""

import json
import os
import subprocess
import sys
import time
import urllib.request
import uuid

ENDPOINT, LAMBDA_ENDPOINT = sys.argv[1:3]
AWS = [sys.executable, os.path.join(os.path.dirname(sys.executable), "aws")]
ROLE = "arn:aws:iam::123456789012:role/workflows"
PASS = {"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}}
RUN = uuid.uuid4().hex[:8]
passed = failed = 0


def check(name, condition, seen=None):
    global passed, failed
    if condition:
        passed += 1
        print(f"ok      {name}")
    else:
        failed += 1
        print(f"FAILED  {name}: {seen!r}")


def command(operation, *arguments):
    options = ["--endpoint-url", ENDPOINT, "--region", "us-east-1", "--output", "json", "--cli-read-timeout", "70"]
    return [*AWS, "stepfunctions", operation, *options, *arguments]


def aws(operation, *arguments):
    ran = subprocess.run(command(operation, *arguments), capture_output=True, text=True, timeout=120)
    if ran.returncode != 0:
        raise RuntimeError(f"{operation}: {ran.stderr}")
    return json.loads(ran.stdout) if ran.stdout.strip() else None


def refused(name, error, operation, *arguments):
    ran = subprocess.run(command(operation, *arguments), capture_output=True, text=True, timeout=120)
    check(name, ran.returncode != 0 and f"({error})" in ran.stderr, ran)


def ended(arn):
    for _ in range(30):
        found = aws("describe-execution", "--execution-arn", arn)
        if found["status"] != "RUNNING":
            break
    return found


def create(name, definition):
    created = aws(
        "create-state-machine", "--name", f"{name}-{RUN}", "--definition", json.dumps(definition), "--role-arn", ROLE
    )
    return created["stateMachineArn"]


machine = create("cli", PASS)
described = aws("describe-state-machine", "--state-machine-arn", machine)
check("describe", json.loads(described["definition"]) == PASS, described)
other = {**PASS, "Comment": "second"}
aws("update-state-machine", "--state-machine-arn", machine, "--definition", json.dumps(other))
described = aws("describe-state-machine", "--state-machine-arn", machine)
check("update", json.loads(described["definition"]) == other, described)

started = [
    aws("start-execution", "--state-machine-arn", machine, "--name", f"{number}", "--input", '{"n": 1}')["executionArn"]
    for number in range(3)
]
found = [ended(arn) for arn in started]
check("start and wait", all(one["status"] == "SUCCEEDED" and json.loads(one["output"]) == {"n": 1} for one in found), found)
listed = aws("list-executions", "--state-machine-arn", machine, "--page-size", "1")["executions"]
check("list, page by page", [one["executionArn"] for one in listed] == started[::-1], listed)
first = aws("list-executions", "--state-machine-arn", machine, "--max-items", "2")
check("list, cut short", len(first["executions"]) == 2 and first.get("NextToken"), first)
history = aws("get-execution-history", "--execution-arn", started[0], "--page-size", "3")["events"]
check("history", [event["id"] for event in history] == [1, 2, 3, 4], history)

published = aws("publish-state-machine-version", "--state-machine-arn", machine, "--description", "first")
version = published["stateMachineVersionArn"]
routing = f"stateMachineVersionArn={version},weight=100"
alias = aws("create-state-machine-alias", "--name", "PROD", "--routing-configuration", routing)["stateMachineAliasArn"]
execution = aws("start-execution", "--state-machine-arn", alias)["executionArn"]
found = ended(execution)
told = (found["stateMachineVersionArn"], found["stateMachineAliasArn"])
check("start by way of an alias", told == (f"{machine}:1", f"{machine}:PROD"), found)
refused("a version with an alias", "ConflictException", "delete-state-machine-version", "--state-machine-version-arn", version)

waits = create("cli-wait", {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 600, "End": True}}})
execution = aws("start-execution", "--state-machine-arn", waits)["executionArn"]
aws("stop-execution", "--execution-arn", execution, "--error", "Enough", "--cause", "of this")
stopped = ended(execution)
check("stop", (stopped["status"], stopped.get("error")) == ("ABORTED", "Enough"), stopped)

aws("tag-resource", "--resource-arn", machine, "--tags", "key=a,value=1", "key=b,value=2")
aws("untag-resource", "--resource-arn", machine, "--tag-keys", "a")
tags = aws("list-tags-for-resource", "--resource-arn", machine)["tags"]
check("tags", tags == [{"key": "b", "value": "2"}], tags)

valid = aws("validate-state-machine-definition", "--definition", '{"StartAt": "A", "States": {}}')
check("validate", valid["result"] == "FAIL" and valid["diagnostics"], valid)

activity = aws("create-activity", "--name", f"cli-{RUN}")["activityArn"]
works = create("cli-activity", {"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": activity, "End": True}}})
execution = aws("start-execution", "--state-machine-arn", works, "--input", '{"x": 1}')["executionArn"]
task = aws("get-activity-task", "--activity-arn", activity, "--worker-name", "cli")
check("activity task", json.loads(task["input"]) == {"x": 1}, task)
aws("send-task-heartbeat", "--task-token", task["taskToken"])
aws("send-task-success", "--task-token", task["taskToken"], "--task-output", '{"y": 2}')
found = ended(execution)
check("activity result", json.loads(found.get("output", "0")) == {"y": 2}, found)

calls = create(
    "cli-callback",
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
name = f"cli-{RUN}"
execution = aws("start-execution", "--state-machine-arn", calls, "--name", name)["executionArn"]
token = ""
for _ in range(200):
    if token:
        break
    with urllib.request.urlopen(f"{LAMBDA_ENDPOINT}/tokens/{name}") as response:
        token = response.read().decode()
    time.sleep(0.05)
aws("send-task-failure", "--task-token", token, "--error", "No", "--cause", "declined")
found = ended(execution)
check("callback", (found["status"], found.get("error")) == ("FAILED", "No"), found)

refused("no such execution", "ExecutionDoesNotExist", "describe-execution", "--execution-arn", f"{execution}-not")
refused("invalid ARN", "InvalidArn", "describe-state-machine", "--state-machine-arn", "nonsense")
refused("taken", "ExecutionAlreadyExists", "start-execution", "--state-machine-arn", machine, "--name", "0", "--input", "1")

for arn in [machine, waits, works, calls]:
    aws("delete-state-machine", "--state-machine-arn", arn)
aws("delete-activity", "--activity-arn", activity)
left = [one["name"] for one in aws("list-state-machines")["stateMachines"] if one["name"].endswith(RUN)]
check("delete", left == [], left)
print(f"aws cli: {passed} passed, {failed} failed")
sys.exit(1 if failed else 0)
