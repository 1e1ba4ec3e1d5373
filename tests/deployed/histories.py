"""The same executions on the installation and in memory: histories.py BINARIES CORPUS.

Takes cases of the recorded corpus whose tasks, if they have any, are plain Lambda functions, runs each
through Lambda, SQS and DynamoDB and on `stepwright dev --in-memory`, and compares what clients see.
"""

import json
import re
import subprocess
import sys
import threading
from pathlib import Path

import boto3

from checks import check, done, equal, section, until
from emulator import CREDENTIALS, REGION, start
from scene import ECHO, Scene

ACCOUNT = "000000000000"
#: How many cases of an area are taken at most, evenly from all.
CASES_OF_AREA = 6
#: What gives something else each time, or depends on when, on how busy this machine is, or on what else
#: is called.
VARYING = re.compile(
    r"UUID|uuid\(|andom|\$now\(|\$millis\(|shuffle|waitForTaskToken|\.sync|:activity:|aws-sdk|http:invoke"
    r"|HeartbeatSeconds|TimeoutSeconds"
)


def tasks(definition):
    """The resources of a definition's Task states."""
    if isinstance(definition, dict):
        own = [definition.get("Resource")] if definition.get("Type") == "Task" else []
        return own + [found for value in definition.values() for found in tasks(value)]
    return [found for value in definition for found in tasks(value)] if isinstance(definition, list) else []


def is_short(definition):
    """Whether it waits for some seconds at most."""
    text = json.dumps(definition)
    waits = [int(seconds) for seconds in re.findall(r'"(?:Seconds|IntervalSeconds|TimeoutSeconds)": (\d+)', text)]
    return "Timestamp" not in text and "SecondsPath" not in text and sum(waits) < 10


def function_of(resource):
    found = re.fullmatch(r"arn:aws:lambda:us-east-1:\d+:function:([\w-]+)", resource)
    return found and found.group(1)


def slice_of(corpus):
    """Cases by name, and the functions that they call."""
    found, functions = {}, set()
    for path in sorted(Path(corpus, "execution").rglob("*.json")):
        case = json.loads(path.read_text())
        definition, text = case["definition"], json.dumps(case["definition"])
        resources = tasks(definition)
        names = {function_of(resource) for resource in resources if isinstance(resource, str)}
        named = re.findall(r'"FunctionName": "(?:arn:aws:lambda:us-east-1:\d+:function:)?([\w-]+)"', text)
        plain = all(isinstance(resource, str) for resource in resources)
        invokes = names == {None} and {*resources} == {"arn:aws:states:::lambda:invoke"} and named
        if (
            case["workflowType"] == "STANDARD"
            and plain
            and (not resources or None not in names or invokes)
            and not case.get("stopExecution")
            and not case.get("nondeterministic")
            and not VARYING.search(text)
            and is_short(definition)
        ):
            found[case["name"]] = (case, {*named} if invokes else names - {None})
    areas = {}
    for name, case in found.items():
        areas.setdefault(name.split("/")[0], []).append((name, case))
    taken = dict(case for cases in areas.values() for case in cases[:: -(-len(cases) // CASES_OF_AREA)])
    for _, names in taken.values():
        functions |= names
    return {name: case for name, (case, _) in taken.items()}, functions


def local(value):
    """In the account of the emulator."""
    return json.loads(re.sub(r"111111111111|222222222222", ACCOUNT, json.dumps(value)))


def run(states, role, number, case):
    """Starts a case; nothing when it is refused, which both have to do alike."""
    try:
        machine = states.create_state_machine(
            name=f"case-{number}", definition=json.dumps(local(case["definition"])), roleArn=role
        )["stateMachineArn"]
        started = states.start_execution(
            stateMachineArn=machine, name=f"run-{number}", input=json.dumps(local(case["input"]))
        )
        return started["executionArn"]
    except states.exceptions.ClientError as error:
        return error.response["Error"]


def seen(states, execution):
    """What clients see of an execution, but for the times and what a function's call answers beside
    its payload."""
    if isinstance(execution, dict):
        return execution

    def look():
        found = states.describe_execution(executionArn=execution)
        return found if found["status"] != "RUNNING" else None

    found = until(look, 90) or states.describe_execution(executionArn=execution)
    pages = states.get_paginator("get_execution_history").paginate(executionArn=execution, includeExecutionData=True)
    events = [event for page in pages for event in page["events"]]
    for event in events:
        event.pop("timestamp")
    outcome = {name: found.get(name) for name in ("status", "output", "error", "cause")}
    text = json.dumps([outcome, events], default=str)
    # Ids and dates of requests to Lambda.
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "<uuid>", text)
    text = re.sub(r"(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{64}(?![A-Za-z0-9+/])", "<id>", text)
    text = re.sub(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", "<date>", text)
    text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "<time>", text)
    return json.loads(text)


class InMemory:
    """`stepwright dev`, with everything in memory."""

    def __init__(self, scene):
        command = [scene.binaries / "stepwright", "dev", "--in-memory", "--port", "0", "--no-watch", "--log", "warn",
                   "--account", ACCOUNT, "--lambda-endpoint", scene.emulator.url]  # fmt: skip
        self.process = start(
            command,
            cwd=scene.installation.folder.name,
            env=scene.emulator.environment(),
            stdout=subprocess.PIPE,
        )
        for line in self.process.stdout:
            found = re.search(r"http://127\.0\.0\.1:\d+", line)
            if found:
                break
        threading.Thread(target=self.process.stdout.read, daemon=True).start()
        self.states = boto3.client(
            "stepfunctions",
            endpoint_url=found.group(0),
            region_name=REGION,
            aws_access_key_id=CREDENTIALS[0],
            aws_secret_access_key=CREDENTIALS[1],
        )


def main():
    section("sam deploy")
    cases, functions = slice_of(sys.argv[2])
    # Every wait up to ten seconds is slept or sent, so that none waits for a minute.
    scene = Scene(sys.argv[1], DelaySeconds=20)
    for name in sorted(functions):
        scene.emulator.function(name, ECHO, scene.role)
    memory = InMemory(scene)
    check("cases with and without functions are taken", len(cases) > 50 and functions, (len(cases), functions))
    section(f"{len(cases)} cases")
    started = [
        (name, run(scene.states, scene.role, number, case), run(memory.states, scene.role, number, case))
        for number, (name, case) in enumerate(cases.items())
    ]
    for name, deployed, local_one in started:
        equal(name, seen(scene.states, deployed), seen(memory.states, local_one))
    done("histories")


if __name__ == "__main__":
    main()
