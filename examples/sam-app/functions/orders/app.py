"""Behind POST /orders: starts an execution for the order in the body and answers with its ARN.

An order that is posted again is not executed again, since the execution has its name.
"""

import base64
import json
import os
import re

import boto3

states = boto3.client("stepfunctions")
ALIAS = os.environ["STATE_MACHINE_ALIAS"]


def answer(status, body):
    return {"statusCode": status, "headers": {"content-type": "application/json"}, "body": json.dumps(body)}


def handler(event, context):
    body = event.get("body") or ""
    try:
        if event.get("isBase64Encoded"):
            body = base64.b64decode(body)
        order = json.loads(body)
        name = order["id"]
    except (ValueError, TypeError, KeyError):
        return answer(400, {"message": "the body has to be a JSON object with an id"})
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9_-]{1,80}", name):
        return answer(400, {"message": "the id has to be up to 80 letters, digits, - or _"})
    try:
        started = states.start_execution(stateMachineArn=ALIAS, name=name, input=json.dumps(order))
    except states.exceptions.ExecutionAlreadyExists:
        return answer(409, {"message": f"there is another order {name}"})
    return answer(202, {"executionArn": started["executionArn"]})
