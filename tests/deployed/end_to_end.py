"""The installation as its users meet it: end_to_end.py BINARIES.

SAM deploys the unmodified template on an emulator; boto3, unmodified, works through the proxy,
whose signatures are verified as AWS would. Prints a line for each check and a summary.
"""

import io
import json
import shutil
import sys
import time
import urllib.request
import uuid
import zipfile
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from between import Answer, Between
from checks import check, done, equal, section, until
from emulator import CREDENTIALS, REGION, ROOT
from scene import ECHO, REFUSE, Scene

pipeline_told = []


def what_the_emulator_lacks(request, forward):
    """CodePipeline takes the results of jobs; Scheduler names each delivery."""
    if request.operation.startswith("CodePipeline"):
        pipeline_told.append((request.operation.split(".")[1], json.loads(request.body)))
        return Answer(200, b"{}", "application/x-amz-json-1.1")
    if request.path.startswith("/schedules/"):
        # One name for all of its deliveries, of which the first counts.
        request.body = request.body.replace(b"<aws.scheduler.execution-id>", str(uuid.uuid4()).encode())
    return forward(request)


def rest(scene, url, method, path, body=None, service="execute-api"):
    """A request to a REST route, signed for a service."""
    host = urlsplit(url).netloc
    request = AWSRequest(method, f"http://{host}{path}", data=body, headers={"Content-Type": "application/json"})
    SigV4Auth(Credentials(*CREDENTIALS), service, REGION).add_auth(request)
    headers = {**dict(request.headers.items()), "Host": host}
    sent = urllib.request.Request(scene.gateway.url + path, data=body and body.encode(), headers=headers, method=method)
    try:
        with urllib.request.urlopen(sent, timeout=60) as answer:
            return answer.status, json.loads(answer.read()), answer.headers
    except HTTPError as error:
        return error.code, json.loads(error.read()), error.headers


def runs_to_the_end(scene):
    section("an execution runs to its end by way of SQS and DynamoDB")
    machine = scene.machine("order", {
        "Charge": {"Type": "Task", "Resource": scene.echo, "Next": "Rest"},
        "Rest": {"Type": "Wait", "Seconds": 3, "Next": "Both"},
        "Both": {"Type": "Parallel", "Next": "Each", "ResultPath": "$.both", "Branches": [
            {"StartAt": "Ship", "States": {"Ship": {
                "Type": "Task", "End": True, "Resource": "arn:aws:states:::lambda:invoke",
                "Parameters": {"FunctionName": "echo", "Payload.$": "$"}, "OutputPath": "$.Payload.id"}}},
            {"StartAt": "Tell", "States": {"Tell": {"Type": "Pass", "Result": "told", "End": True}}},
        ]},
        "Each": {"Type": "Map", "ItemsPath": "$.items", "ResultPath": "$.items", "End": True, "ItemProcessor": {
            "StartAt": "Pick", "States": {"Pick": {"Type": "Task", "Resource": scene.echo, "End": True}}}},
    })  # fmt: skip
    execution = scene.start(machine, {"id": 7, "items": [1, 2, 3]}, name="first")
    found = scene.ended(execution)
    equal("it succeeded", found["status"], "SUCCEEDED")
    output = {"id": 7, "items": [1, 2, 3], "both": [7, "told"]}
    equal("with its output", json.loads(found.get("output", "null")), output)
    types = scene.types(execution)
    equal("functions were called", types.count("LambdaFunctionSucceeded"), 4)
    equal("the history is whole", (types[0], types[-1]), ("ExecutionStarted", "ExecutionSucceeded"))
    listed = scene.states.list_executions(stateMachineArn=machine, statusFilter="SUCCEEDED")["executions"]
    equal("it is listed", [one["executionArn"] for one in listed], [execution])
    again = scene.states.exceptions.ExecutionAlreadyExists
    try:
        scene.start(machine, {"other": True}, name="first")
        check("its name is taken", False)
    except again:
        check("its name is taken", True)
    large = {"text": "x" * 200_000}
    found = scene.ended(scene.start(scene.machine("large", {
        "A": {"Type": "Task", "Resource": scene.echo, "Next": "B"},
        "B": {"Type": "Task", "Resource": scene.echo, "End": True},
    }), large))  # fmt: skip
    equal("payloads of 200 KB go through", json.loads(found.get("output", "null")), large)
    stopped = scene.start(scene.machine("stopped", {"W": {"Type": "Wait", "Seconds": 9000, "End": True}}))
    scene.states.stop_execution(executionArn=stopped, error="Stop", cause="enough")
    equal("it can be stopped", scene.ended(stopped)["status"], "ABORTED")


def failures_are_told(scene):
    section("a failure reaches who subscribed")
    machine = scene.machine("failing", {"Charge": {"Type": "Task", "Resource": scene.refuse, "End": True}})
    execution = scene.start(machine, {"card": "secret"})
    found = scene.ended(execution)
    equal("it failed", found["status"], "FAILED")
    # The emulator's word for whatever a handler raises.
    error = "Runtime.HandlerError"
    equal("with the function's error", found.get("error"), error)
    told = []

    def look():
        told.extend(json.loads(message["Message"]) for message in scene.messages(scene.failures))
        return next((event for event in told if event["detail"]["executionArn"] == execution), None)

    event = until(look, 30)
    if not check("a subscriber of the topic was told", event, told):
        return
    equal("as the service would tell it", event["detail-type"], "Step Functions Execution Status Change")
    equal("under a source of its own", event["source"], "stepwright.states")
    equal("about the execution", (event["resources"], event["region"]), ([execution], REGION))
    detail = event["detail"]
    equal("with error and cause", (detail["status"], detail["error"]), ("FAILED", error))
    check("the cause is the function's", "the card was refused" in detail["cause"], detail)
    equal("by way of the bus", event["delivery"], "bus")
    names = {event["detail"]["stateMachineArn"].rsplit(":", 1)[1] for event in told}
    check("nobody is told of what succeeded", names <= {"failing", "stopped"}, names)


def callbacks(scene):
    section("callbacks")
    activity = scene.states.create_activity(name="packing")["activityArn"]
    machine = scene.machine("packed", {"Pack": {"Type": "Task", "Resource": activity, "End": True}})
    execution = scene.start(machine, {"box": 1})
    work = scene.states.get_activity_task(activityArn=activity, workerName="w")
    equal("a worker gets the task of an activity", json.loads(work.get("input", "null")), {"box": 1})
    scene.states.send_task_heartbeat(taskToken=work["taskToken"])
    scene.states.send_task_success(taskToken=work["taskToken"], output='{"packed": true}')
    found = scene.ended(execution)
    equal("and its answer resumes the execution", json.loads(found.get("output", "null")), {"packed": True})
    try:
        scene.states.send_task_success(taskToken=work["taskToken"], output="{}")
        check("it answers once", False)
    except ClientError as error:
        equal("it answers once", error.response["Error"]["Code"], "TaskTimedOut")


def waits(scene):
    """Begun early: the long one is found by the sweeper, which comes once a minute."""
    machine = scene.machine("waits", {
        "Message": {"Type": "Wait", "Seconds": 3, "Next": "Sweep"},
        "Sweep": {"Type": "Wait", "Seconds": 8, "End": True},
    })  # fmt: skip
    return scene.start(machine)


def ends_of_waits(scene, execution):
    section("timers")
    found = scene.ended(execution, 150)
    equal("a wait beyond messages ends", found["status"], "SUCCEEDED")
    entered = {event["type"]: event["timestamp"] for event in scene.history(execution)}
    took = (entered["ExecutionSucceeded"] - entered["ExecutionStarted"]).total_seconds()
    check("none ends early", took >= 11, took)


def rule(scene):
    """Begun early: a rule of a user's own, with a cron expression and a constant."""
    machine = scene.machine("nightly", {"P": {"Type": "Pass", "End": True}})
    events = scene.emulator.client("events")
    events.put_rule(Name="nightly", ScheduleExpression="cron(* * * * ? *)")
    constant = json.dumps({"stateMachineArn": machine, "input": {"from": "the rule"}})
    events.put_targets(Rule="nightly", Targets=[{"Id": "t", "Arn": scene.outputs["TriggerArn"], "Input": constant}])
    return machine


def starts_of_rules(scene, machine):
    section("events")
    listed = until(lambda: scene.states.list_executions(stateMachineArn=machine)["executions"], 150)
    if check("a cron rule starts an execution", listed):
        found = scene.ended(listed[0]["executionArn"])
        equal("with its constant", (found["status"], json.loads(found["input"])), ("SUCCEEDED", {"from": "the rule"}))
    events = scene.emulator.client("events")
    events.remove_targets(Rule="nightly", Ids=["t"])
    events.delete_rule(Name="nightly")
    # Delivered twice, as EventBridge may.
    event = {"version": "0", "id": str(uuid.uuid4()), "source": "shop", "detail-type": "Order Placed",
             "account": "000000000000", "time": "2026-01-02T03:04:05Z", "region": REGION, "resources": [],
             "detail": {"order": 5}}  # fmt: skip
    functions = scene.emulator.client("lambda")
    for _ in range(2):
        answer = functions.invoke(FunctionName=scene.outputs["TriggerArn"], Payload=json.dumps(event))
        check("an event that is mapped is taken", "FunctionError" not in answer, answer["Payload"].read())
    mapped = scene.states.list_executions(stateMachineArn=scene.mapped)["executions"]
    equal("it starts one execution, however often it comes", len(mapped), 1)
    found = scene.ended(mapped[0]["executionArn"])
    equal("with the part that the mapping picks", json.loads(found["input"]), {"order": 5})


def rest_routes(scene):
    section("plain REST behind the HTTP API")
    url = scene.outputs["HttpApiUrl"]
    scene.machine("quick", {"A": {"Type": "Task", "Resource": scene.echo, "End": True}})
    status, body, _ = rest(scene, url, "POST", "/state-machines/quick/executions?mode=sync", '{"a": 1}')
    seen = (status, body.get("status"), body.get("output"))
    equal("a synchronous start answers with the end", seen, (200, "SUCCEEDED", '{"a":1}'))
    path = "/state-machines/quick/executions?mode=async&name=one"
    status, body, headers = rest(scene, url, "POST", path, "{}")
    equal("an asynchronous one is accepted", status, 202)
    where = headers["location"].replace(":", "%3A")
    scene.ended(body["executionArn"])
    status, body, _ = rest(scene, url, "GET", where)
    equal("and looked at where it says", (status, body.get("status")), (200, "SUCCEEDED"))
    status, body, _ = rest(scene, url, "GET", "/executions/quick:none")
    equal("what there is not is not found", (status, body.get("error")), (404, "ExecutionDoesNotExist"))
    parked = scene.start(scene.machine("parked", {"W": {"Type": "Wait", "Seconds": 9000, "End": True}}), name="p")
    status, _, _ = rest(scene, url, "DELETE", "/executions/parked%3Ap", '{"error": "E"}')
    equal("DELETE stops", (status, scene.ended(parked)["status"]), (200, "ABORTED"))
    status, body, _ = rest(scene, url, "POST", "/state-machines/quick/executions", "{}", "lambda")
    equal("who signs for another front is refused", (status, len(scene.gateway.refused)), (403, 1))


def pipelines(scene):
    section("CodePipeline")
    machine = scene.machine("built", {"W": {"Type": "Wait", "Seconds": 2, "Next": "A"},
                                      "A": {"Type": "Task", "Resource": scene.echo, "End": True}})  # fmt: skip
    failing = scene.machine("unbuilt", {"F": {"Type": "Fail", "Error": "Build", "Cause": "broken"}})
    s3, functions = scene.emulator.client("s3"), scene.emulator.client("lambda")
    s3.create_bucket(Bucket="artifacts")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("config/input.json", '{"commit": "abc"}')
    s3.put_object(Bucket="artifacts", Key="in.zip", Body=packed.getvalue())

    def job(name, parameters, continuation=None):
        data = {
            "actionConfiguration": {"configuration": {
                "FunctionName": "trigger", "UserParameters": json.dumps(parameters)}},
            "inputArtifacts": [{"name": "source", "revision": None, "location": {
                "type": "S3", "s3Location": {"bucketName": "artifacts", "objectKey": "in.zip"}}}],
            "outputArtifacts": [],
            "artifactCredentials": {"accessKeyId": "test", "secretAccessKey": "test", "sessionToken": "t"},
        }  # fmt: skip
        if continuation:
            data["continuationToken"] = continuation
        event = {"CodePipeline.job": {"id": name, "accountId": "000000000000", "data": data}}
        before = len(pipeline_told)
        functions.invoke(FunctionName=scene.outputs["TriggerArn"], Payload=json.dumps(event))
        return until(lambda: pipeline_told[before:], 20)

    parameters = {"StateMachineArn": machine, "ExecutionNamePrefix": "release", "InputType": "FilePath",
                  "Input": "config/input.json"}  # fmt: skip
    told = job(str(uuid.uuid4()), parameters)
    if not check("a job is answered", told and told[0][0] == "PutJobSuccessResult", told):
        return
    continuation = told[0][1].get("continuationToken")
    check("it goes on while the execution runs", continuation, told)
    found = scene.states.list_executions(stateMachineArn=machine)["executions"]
    equal("the execution has the prefix", [one["name"].startswith("release") for one in found], [True])
    described = scene.ended(found[0]["executionArn"])
    equal("and the input of the artifact's file", json.loads(described["input"]), {"commit": "abc"})
    told = job(told[0][1]["jobId"], parameters, continuation)
    ended = told and told[0]
    succeeded = ended and ended[0] == "PutJobSuccessResult" and "continuationToken" not in ended[1]
    check("it ends with the execution", succeeded, told)
    variables = ended[1].get("outputVariables", {})
    equal("and tells which it was", variables.get("ExecutionArn"), found[0]["executionArn"])
    second = str(uuid.uuid4())
    parameters = {"StateMachineArn": failing, "InputType": "Literal", "Input": "{}"}
    told = job(second, parameters)
    if told and told[0][1].get("continuationToken"):
        time.sleep(1)
        told = job(second, parameters, told[0][1]["continuationToken"])
    failed = told and told[0]
    equal("a failed execution fails its job", failed and failed[0], "PutJobFailureResult")
    check("with the reason", failed and "Build" in failed[1]["failureDetails"]["message"], failed)
    told = job(str(uuid.uuid4()), {"StateMachineArn": machine, "InputType": "FilePath", "Input": "missing.json"})
    equal("what cannot be started fails its job", told and told[0][0], "PutJobFailureResult")


def example_app(scene):
    """Deploys the example; its standing order is placed once a minute."""
    section("the example app, with custom resources of its own stack")
    at = Path(scene.installation.folder.name) / "sam-app"
    shutil.copytree(ROOT / "examples/sam-app", at)
    parameters = {"ProxyLayerArn": scene.outputs["ProxyLayerArn"], "DailyOrder": "rate(1 minute)",
                  "Architecture": scene.installation.parameters["Architecture"]}  # fmt: skip
    scene.emulator.deploy("shop", at, parameters)
    outputs, resources = scene.emulator.outputs("shop"), scene.emulator.resources("shop")
    # What Lambda starts from the layer, the emulator does not: one beside it serves both functions.
    functions = scene.emulator.client("lambda")
    for name in ("ApproveFunction", "OrdersFunction"):
        variables = functions.get_function_configuration(FunctionName=resources[name])["Environment"]["Variables"]
        check(f"{name} is led to the layer", variables["AWS_ENDPOINT_URL_SFN"] == "http://127.0.0.1:8083", variables)
        variables["AWS_ENDPOINT_URL_SFN"] = scene.proxy.url
        functions.update_function_configuration(FunctionName=resources[name], Environment={"Variables": variables})
    return outputs


def example_orders(scene, outputs):
    section("orders of the example app")
    machine = outputs["StateMachineArn"]
    described = scene.states.describe_state_machine(stateMachineArn=machine)
    check("its definition is filled in", "${" not in described["definition"], described["definition"])
    url = outputs["OrdersUrl"].removesuffix("/orders")
    order = {"id": "o1", "lines": [{"item": "chair", "count": 2, "price": 80}]}
    status, body, _ = rest(scene, url, "POST", "/orders", json.dumps(order))
    if equal("an order is taken by the app's own route", status, 202):
        found = scene.ended(body["executionArn"])
        equal("a worker approves it by its token", found.get("output"), '{"order":"o1","total":160}')
        check("it ran as the alias says", found.get("stateMachineAliasArn") == outputs["AliasArn"], found)
    order = {"id": "o2", "goods": True, "lines": [{"item": "nail", "count": 5, "price": 1}]}
    execution = scene.start(machine, order, name="o2")
    work = scene.states.get_activity_task(activityArn=outputs["ActivityArn"])
    scene.states.send_task_success(taskToken=work["taskToken"], output="{}")
    equal("a packer packs what is to be packed", scene.ended(execution)["status"], "SUCCEEDED")
    refused = {"id": "o3", "lines": [{"item": "yacht", "count": 1, "price": 90_000}]}
    found = scene.ended(scene.start(machine, refused, name="o3"))
    equal("what is too dear is refused", (found["status"], found.get("error")), ("FAILED", "Order.Refused"))
    queue = outputs["FailedOrdersUrl"]
    check("which the app's own queue is told", until(lambda: scene.messages(queue), 30))

    def placed():
        listed = scene.states.list_executions(stateMachineArn=machine)["executions"]
        return [one for one in listed if not one["name"].startswith("o")]

    standing = until(placed, 150)
    if check("its schedule places the standing order", standing):
        found = scene.ended(standing[0]["executionArn"])
        equal("with its input", json.loads(found["input"])["id"], "standing")


def example_changes(scene, outputs):
    section("changes of the example app")
    at = Path(scene.installation.folder.name) / "sam-app"
    definition = at / "machine.asl.yaml"
    definition.write_text(definition.read_text().replace("Comment: Prices", "Comment: Today prices"))
    parameters = {"ProxyLayerArn": scene.outputs["ProxyLayerArn"], "DailyOrderState": "DISABLED",
                  "Architecture": scene.installation.parameters["Architecture"]}  # fmt: skip
    scene.emulator.deploy("shop", at, parameters)
    machine = outputs["StateMachineArn"]
    described = scene.states.describe_state_machine(stateMachineArn=machine)
    check("an update changes the definition in place", "Today prices" in described["definition"], described)
    alias = scene.states.describe_state_machine_alias(stateMachineAliasArn=outputs["AliasArn"])
    routes = [route["stateMachineVersionArn"].rsplit(":", 1)[1] for route in alias["routingConfiguration"]]
    equal("and publishes a version for the alias", routes, ["2"])
    scheduled = scene.emulator.client("scheduler").list_schedules()["Schedules"]
    equal("the schedule rests", [one["State"] for one in scheduled], ["DISABLED"])
    scene.emulator.sam("delete", "--stack-name", "shop", "--no-prompts", cwd=at)
    names = [one["name"] for one in scene.states.list_state_machines()["stateMachines"]]
    check("a deleted stack takes its state machine along", "shop-orders" not in names, names)
    activities = [one["name"] for one in scene.states.list_activities()["activities"]]
    equal("and its activity", [name for name in activities if name.startswith("shop")], [])
    equal("and its schedule", scene.emulator.client("scheduler").list_schedules()["Schedules"], [])


def main():
    section("sam deploy")
    triggers = [{"source": "shop", "detail-type": "Order Placed", "stateMachineArn": "mapped", "InputPath": "$.detail"}]
    made = {}

    def endpoint(port):
        made["between"] = Between(f"127.0.0.1:{port}", what_the_emulator_lacks)
        return made["between"].url

    scene = Scene(sys.argv[1], endpoint, Triggers=json.dumps(triggers, separators=(",", ":")))
    check("the template is deployed", "Url" in scene.outputs, scene.outputs)
    scene.echo = scene.emulator.function("echo", ECHO, scene.role)
    scene.refuse = scene.emulator.function("refuse", REFUSE, scene.role)
    scene.failures = scene.subscribed(scene.outputs["TopicArn"], "failures")
    scene.mapped = scene.machine("mapped", {"P": {"Type": "Pass", "End": True}})
    waiting, ruled = waits(scene), rule(scene)
    app = example_app(scene)
    for scenario in (runs_to_the_end, failures_are_told, callbacks, rest_routes, pipelines):
        scenario(scene)
    example_orders(scene, app)
    ends_of_waits(scene, waiting)
    starts_of_rules(scene, ruled)
    example_changes(scene, app)
    section("what is left")
    equal("no message is left", until(lambda: scene.visible(scene.outputs["QueueUrl"]) == 0, 60), True)
    equal("no message came too often", scene.visible(scene.outputs["DeadLettersUrl"]), 0)
    equal("every event was delivered", scene.visible(scene.outputs["UndeliveredUrl"]), 0)
    check("the fronts let through what was signed for them", scene.front.verified > 100, scene.front.verified)
    equal("and had no other to refuse", scene.front.refused + scene.gateway.refused[1:], [])
    section("sam delete")
    made_by_test = {"functions echo", "functions refuse", "queues failures", "roles tasks", "buckets artifacts",
                    "logs /aws/lambda/echo", "logs /aws/lambda/refuse"}  # fmt: skip
    scene.installation.delete()
    left = scene.emulator.what_there_is() - made_by_test - scene.at_first
    # The bucket for deployments is SAM's own; functions that name no log group, as those of the app, get
    # one that is nobody's.
    left = {name for name in left if not name.startswith(("buckets aws-sam-cli-managed", "logs /aws/lambda/shop-"))}
    equal("nothing is left", sorted(left), [])
    done("end to end")


if __name__ == "__main__":
    main()
