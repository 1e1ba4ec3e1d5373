"""What every test of the installation begins with: emulator, installation, the proxy in front of it,
functions to call and a role to call them with."""

import json
import re
import subprocess
import sys
import tempfile
import threading
import zipfile
from pathlib import Path

from between import Front
from checks import until
from emulator import CREDENTIALS, Emulator, Installation, start

ECHO = """
def handler(event, context):
    return event
"""
REFUSE = """
class CardRefused(Exception):
    pass

def handler(event, context):
    raise CardRefused("the card was refused")
"""
#: Notes that it was called, by the name of the execution and the state, and takes a while.
EFFECT = """
import time
import boto3

table = boto3.client("dynamodb", region_name="us-east-1")

def handler(event, context):
    key = {"id": {"S": event["execution"] + "/" + event["task"]}}
    table.update_item(TableName="effects", Key=key, UpdateExpression="ADD times :one",
                      ExpressionAttributeValues={":one": {"N": "1"}})
    time.sleep(event.get("seconds", 0))
    return {"done": event["task"]}
"""


class Scene:
    """`endpoint(port)` says where functions find AWS, if not at the emulator itself."""

    def __init__(self, binaries, endpoint=None, **parameters):
        self.binaries = Path(binaries)
        self.emulator = Emulator(endpoint)
        self.at_first = self.emulator.what_there_is()
        self.installation = Installation(self.emulator, binaries, **parameters)
        self.outputs = self.installation.outputs
        target = f"127.0.0.1:{self.emulator.port}"
        self.front = Front(target, "lambda", CREDENTIALS)
        self.gateway = Front(target, "execute-api", CREDENTIALS)
        self.proxy = Proxy(self)
        self.states = self.emulator.client("stepfunctions", self.proxy.url)
        self.role = self.task_role()

    def task_role(self):
        """A role of state machines, as the README says that it has to be."""
        trust = {
            "Version": "2012-10-17",
            "Statement": [{
                "Effect": "Allow",
                "Principal": {"AWS": self.outputs["DriverRoleArn"]},
                "Action": "sts:AssumeRole",
                "Condition": {"StringEquals": {"sts:ExternalId": self.outputs["ExternalId"]}},
            }],
        }  # fmt: skip
        created = self.emulator.client("iam").create_role(
            Path="/stepwright/", RoleName="tasks", AssumeRolePolicyDocument=json.dumps(trust)
        )
        return created["Role"]["Arn"]

    def effects(self):
        """The function `effect`, and the table that it notes calls in."""
        self.emulator.client("dynamodb").create_table(
            TableName="effects",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        )
        return self.emulator.function("effect", EFFECT, self.role)

    def called(self):
        """How often `effect` was called, by execution and state."""
        pages = self.emulator.client("dynamodb").get_paginator("scan").paginate(TableName="effects")
        items = [item for page in pages for item in page["Items"]]
        return {item["id"]["S"]: int(item["times"]["N"]) for item in items}

    def machine(self, name, states, start=None, **more):
        definition = {"StartAt": start or next(iter(states)), "States": states}
        return self.states.create_state_machine(
            name=name, definition=json.dumps(definition), roleArn=self.role, **more
        )["stateMachineArn"]

    def start(self, machine, value=None, **more):
        return self.states.start_execution(
            stateMachineArn=machine, input=json.dumps({} if value is None else value), **more
        )["executionArn"]

    def ended(self, execution, seconds=60):
        """The execution once it has ended, or as it is after so long."""

        def look():
            found = self.states.describe_execution(executionArn=execution)
            return found if found["status"] != "RUNNING" else None

        return until(look, seconds) or self.states.describe_execution(executionArn=execution)

    def history(self, execution):
        pages = self.states.get_paginator("get_execution_history").paginate(
            executionArn=execution, includeExecutionData=True
        )
        return [event for page in pages for event in page["events"]]

    def types(self, execution):
        return [event["type"] for event in self.history(execution)]

    def subscribed(self, topic, name):
        """A queue that gets what a topic is told."""
        sqs, sns = self.emulator.client("sqs"), self.emulator.client("sns")
        url = sqs.create_queue(QueueName=name)["QueueUrl"]
        found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=found["Attributes"]["QueueArn"])
        return url

    def messages(self, queue):
        """What waits in a queue; it is taken out."""
        sqs, bodies = self.emulator.client("sqs"), []
        while True:
            received = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
            if not received:
                return bodies
            for message in received:
                bodies.append(json.loads(message["Body"]))
                sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])

    def visible(self, queue):
        """How many messages a queue has, the hidden and the delayed included."""
        names = ["", "NotVisible", "Delayed"]
        names = [f"ApproximateNumberOfMessages{name}" for name in names]
        found = self.emulator.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=names)
        return sum(int(found["Attributes"][name]) for name in names)


class Proxy:
    """`stepwright-proxy` out of the layer, as a program of its own: the emulator starts no
    extensions."""

    def __init__(self, scene):
        self.folder = tempfile.TemporaryDirectory()
        with zipfile.ZipFile(Path(scene.installation.folder.name) / "dist/layer.zip") as layer:
            program = Path(layer.extract("extensions/stepwright-proxy", self.folder.name))
        program.chmod(0o755)
        # The signature is for the URL; the way there leads to who verifies it.
        self.process = start(
            [program, "--url", scene.outputs["Url"], "--listen", "127.0.0.1:0", "--connect-to", scene.front.url],
            env=scene.emulator.environment(),
            stdout=subprocess.PIPE,
        )
        said = self.process.stdout.readline()
        found = re.match(r"(http://\S+) leads to", said)
        if not found:
            sys.exit(f"the proxy does not start: {said}")
        self.url = found.group(1)
        threading.Thread(target=self.process.stdout.read, daemon=True).start()
