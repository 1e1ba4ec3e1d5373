"""What may go wrong around the installation: faults.py BINARIES.

Everything that functions ask of AWS goes through a proxy that refuses, loses, repeats and delays; drivers
are killed. Every execution still ends, none is lost, no effect is repeated.
"""

import json
import os
import random
import signal
import sys
import time
from collections import Counter
from pathlib import Path

from between import Answer, Between
from checks import check, done, equal, section, until
from emulator import QUICK
from scene import REFUSE, Scene


class Faults:
    """What goes wrong, as a share of requests; the same for the same seed and order of requests."""

    def __init__(self):
        self.random = random.Random(7)
        self.throttled = self.lost = self.repeated = self.delayed = 0.0
        self.bus_works = True
        self.queue = None
        self.counts = Counter()

    def happens(self, name):
        happens = self.random.random() < getattr(self, name)
        self.counts[name] += happens
        return happens

    def hook(self, request, forward):
        service, _, operation = request.operation.partition(".")
        if service == "DynamoDB":
            if self.happens("throttled"):
                return refusal("com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException")
            if operation == "PutItem" and self.happens("lost"):
                # Applied, and nobody hears of it.
                forward(request)
                return None
        if operation == "SendMessage" and self.queue in request.body.decode(errors="replace"):
            if self.happens("delayed"):
                body = json.loads(request.body)
                body["DelaySeconds"] = min(900, body.get("DelaySeconds", 0) + 2)
                request.body = json.dumps(body).encode()
            if self.happens("repeated"):
                forward(request)
        if operation == "PutEvents" and not self.bus_works:
            self.counts["bus"] += 1
            return Answer(503, b'{"__type":"InternalException"}', "application/x-amz-json-1.1")
        return forward(request)


def refusal(kind):
    return Answer(400, json.dumps({"__type": kind, "message": "slower"}).encode())


def task(name, following=None, seconds=0, **more):
    """A state that calls `effect`."""
    following = {"Next": following} if following else {"End": True}
    payload = {"execution.$": "$$.Execution.Name", "task": name, "seconds": seconds}
    return {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "ResultPath": None,
            "Parameters": {"FunctionName": "effect", "Payload": payload}, **following, **more}  # fmt: skip


def drivers():
    """Processes of the step-driver."""
    found = []
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        try:
            environment = (process / "environ").read_bytes().split(b"\0")
            program = os.readlink(process / "exe")
        except OSError:
            continue
        if b"_HANDLER=step-driver" in environment and "bootstrap" in program:
            found.append(int(process.name))
    return found


def start(scene, machine, name):
    """Starts an execution. Where the answer of the first attempt was lost, the next may find that it
    has ended already."""
    try:
        return scene.start(machine, name=name)
    except scene.states.exceptions.ExecutionAlreadyExists:
        return f"{machine.replace(':stateMachine:', ':execution:')}:{name}"


def messages_and_rows(scene, faults):
    section("messages come twice and late, the table is throttled, answers get lost")
    names = ["A", "B", "C"]
    states = {name: task(name, following) for name, following in zip(names, [*names[1:], None])}
    machine = scene.machine("chain", states)
    parked = scene.machine("parked", {"W": {"Type": "Wait", "Seconds": 3, "Next": "T"}, "T": task("T")})
    faults.throttled, faults.lost, faults.repeated, faults.delayed = 0.2, 0.1, 0.3, 0.3
    started = [start(scene, machine, f"chain-{number}") for number in range(20)]
    started += [start(scene, parked, f"parked-{number}") for number in range(10)]
    ends = Counter(scene.ended(execution, 180)["status"] for execution in started)
    faults.throttled = faults.lost = faults.repeated = faults.delayed = 0.0
    equal("every execution ends well", ends, {"SUCCEEDED": len(started)})
    expected = {f"chain-{number}/{name}" for number in range(20) for name in names}
    expected |= {f"parked-{number}/T" for number in range(10)}
    equal("no effect is missing or done twice", scene.called(), dict.fromkeys(expected, 1))
    for kind in ("throttled", "lost", "repeated", "delayed"):
        check(f"requests were {kind}", faults.counts[kind] > 3, faults.counts)
    histories = [scene.history(execution) for execution in started[:5]]
    ids = all([event["id"] for event in one] == list(range(1, len(one) + 1)) for one in histories)
    check("histories have no gap", ids)


def killed_drivers(scene):
    section("drivers are killed in the middle of tasks")
    if not Path("/proc").exists():
        print("left out: processes are found by /proc, which is not here")
        return
    retry = [{"ErrorEquals": ["States.TaskFailed"], "IntervalSeconds": 1, "MaxAttempts": 5}]
    once = scene.machine("once", {"Slow": task("Slow", "After", 10), "After": task("After")})
    again = scene.machine("again", {"Slow": task("Slow", "After", 10, Retry=retry), "After": task("After")})
    both = [scene.start(machine, name=f"{name}-{number}")
            for number in range(2) for machine, name in ((once, "once"), (again, "again"))]  # fmt: skip
    called = until(lambda: sum("Slow" in name for name in scene.called()) == len(both), 30)
    running = Counter(scene.ended(execution, 0)["status"] for execution in both)
    check("the tasks have begun, and none has ended", called and running == {"RUNNING": len(both)}, (called, running))
    pids = drivers()
    check("there are drivers", pids)
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    ended = {execution.rsplit(":", 1)[1]: scene.ended(execution, 120) for execution in both}
    calls = scene.called()
    for number in range(2):
        found = ended[f"once-{number}"]
        outcome = (found["status"], found.get("error"))
        equal("a task whose outcome is unknown fails", outcome, ("FAILED", "States.TaskFailed"))
        check("and says so", "unknown" in found.get("cause", ""), found)
        equal("it never runs twice", calls[f"once-{number}/Slow"], 1)
        equal("unless its state says so", ended[f"again-{number}"]["status"], "SUCCEEDED")
        equal("then once more", calls[f"again-{number}/Slow"], 2)
        equal("and what follows once", calls[f"again-{number}/After"], 1)


def unavailable_bus(scene, faults):
    """Begun early: a failure goes past a bus that does not work for more than a minute."""
    faults.bus_works = False
    return scene.start(scene.failing, name="past-the-bus"), time.monotonic()


def past_the_bus(scene, faults, begun):
    section("the bus does not work")
    execution, at = begun
    told = []

    def look():
        told.extend(json.loads(message["Message"]) for message in scene.messages(scene.failures))
        return any(event["detail"]["executionArn"] == execution for event in told)

    check("the failure is told all the same", until(look, 200), faults.counts)
    events = [event for event in told if event["detail"]["executionArn"] == execution]
    equal("straight to the topic, and marked so", {event["delivery"] for event in events}, {"direct"})
    check("after a minute", time.monotonic() - at > 60)
    equal("however often, it is one event", len({event["id"] for event in events}), 1)
    equal("the execution has ended", scene.ended(execution, 60)["status"], "FAILED")
    faults.bus_works = True
    later = scene.start(scene.failing, name="by-the-bus")
    scene.ended(later)
    found = until(lambda: [json.loads(message["Message"]) for message in scene.messages(scene.failures)], 30)
    equal("then it does again", [event["delivery"] for event in found or []], ["bus"])


def described(scene, execution):
    """An execution once it has ended; nothing while it cannot be read."""
    states = scene.emulator.client("stepfunctions", scene.proxy.url, retries=0)
    try:
        found = states.describe_execution(executionArn=execution)
    except states.exceptions.ClientError:
        return None
    return found if found["status"] != "RUNNING" else None


def poison(scene):
    section("what cannot be read lands in the dead letters")
    # The first record also says who it is; a later one is damaged.
    machine = scene.machine("damaged", {"A": task("A", "W"), "W": {"Type": "Wait", "Seconds": 9000, "End": True}})
    execution = scene.start(machine, name="damaged")
    check("it waits", until(lambda: "WaitStateEntered" in scene.types(execution), 30))
    dynamodb = scene.emulator.client("dynamodb")
    table = scene.outputs["TableName"]
    rows = [
        item
        for page in dynamodb.get_paginator("scan").paginate(TableName=table)
        for item in page["Items"]
        if item["p"]["S"] == "x/damaged:damaged" and item["s"]["S"].startswith("r/")
    ]
    newest = max(rows, key=lambda item: item["s"]["S"])
    cut = newest["b"]["B"][:-10]
    dynamodb.update_item(
        TableName=table, Key={"p": newest["p"], "s": newest["s"]}, UpdateExpression="SET b = :b",
        ExpressionAttributeValues={":b": {"B": cut}},
    )  # fmt: skip
    # Nothing is to move it by itself for long; who stops it makes a message, once.
    states = scene.emulator.client("stepfunctions", scene.proxy.url, retries=0)
    try:
        states.stop_execution(executionArn=execution)
        check("who stops it is told", False)
    except states.exceptions.ClientError as error:
        check("who stops it is told", "cannot be read" in str(error), error)
    dead = scene.outputs["DeadLettersUrl"]
    check("its message lands in the dead letters", until(lambda: scene.visible(dead), 120, 0.5))
    found = until(lambda: described(scene, execution), 60) or {"status": None}
    equal("it is failed", (found["status"], found.get("error")), ("FAILED", "States.Runtime"))
    check("with the reason", "cannot be read" in found.get("cause", ""), found)
    check("the sweeper clears the dead letters", until(lambda: not scene.visible(dead), 120, 0.5))
    alarms = scene.emulator.client("cloudwatch").describe_alarms()["MetricAlarms"]
    watched = {dimension["Value"] for alarm in alarms for dimension in alarm["Dimensions"]}
    check("which an alarm watches", dead.rsplit("/", 1)[1] in watched, watched)


def side_by_side(scene):
    section("an older and a newer deployment work side by side")
    machine = scene.machine("rolling", {"A": task("A", "B", 15), "B": task("B")})
    before = set(drivers()) if Path("/proc").exists() else set()
    started = [scene.start(machine, name=f"older-{number}") for number in range(6)]
    begun = until(lambda: any("older" in name for name in scene.called()), 30)
    check("the older deployment is in the middle of tasks", begun, scene.called())
    scene.installation.parameters["LogLevel"] = "warn"
    scene.installation.deploy()
    started += [scene.start(machine, name=f"newer-{number}") for number in range(6)]
    ends = Counter(scene.ended(execution, 120)["status"] for execution in started)
    equal("every execution ends well", ends, {"SUCCEEDED": len(started)})
    names = {f"{age}-{number}/{name}" for age in ("older", "newer") for number in range(6) for name in "AB"}
    calls = scene.called()
    equal("each task was called once", {name: calls.get(name) for name in names}, dict.fromkeys(names, 1))
    if before:
        check("new processes have taken over", set(drivers()) - before, before)


def main():
    section("sam deploy")
    faults, made = Faults(), {}

    def endpoint(port):
        made["between"] = Between(f"127.0.0.1:{port}", faults.hook)
        return made["between"].url

    scene = Scene(sys.argv[1], endpoint)
    faults.queue = scene.outputs["QueueUrl"].rsplit("/", 1)[1]
    scene.effects()
    refuse = scene.emulator.function("refuse", REFUSE, scene.role)
    scene.failures = scene.subscribed(scene.outputs["TopicArn"], "failures")
    scene.failing = scene.machine("failing", {"F": {"Type": "Task", "Resource": refuse, "End": True}})
    bus = unavailable_bus(scene, faults)
    messages_and_rows(scene, faults)
    past_the_bus(scene, faults, bus)
    killed_drivers(scene)
    side_by_side(scene)
    poison(scene)
    section("what is left")
    left = until(lambda: scene.visible(scene.outputs["QueueUrl"]) == 0, 3 * QUICK["DriverTimeout"])
    equal("no message is left", left, True)
    done("faults")


if __name__ == "__main__":
    main()
