"""A workflow that calls many services, on the emulator: services.py BINARIES.

Runs it in memory with `stepwright run`, on `stepwright dev`, and on the installation; every result and one
error of each service are compared with the documented conventions: names of members, times, bodies, errors
and causes.
"""

import hashlib
import json
import re
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from checks import check, done, equal, section, until
from emulator import REGION, start
from jobs import JobServer
from scene import ECHO, Scene

ACCOUNT = "000000000000"
ANY = "<any>"
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.(\d{3}|\d{6}|\d{9}))?Z")
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
#: What an object has whose body is a text: the text's JSON.
TEXT = b'"text data"'
#: What is no text.
BINARY = b"\xff\xfe\x00\x01"

#: Name, resource, arguments (JSONata), what has to be in the result.
CALLS = [
    ("CreateTable", "aws-sdk:dynamodb:createTable", {
        "TableName": "{% $name %}",
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    }, {"TableDescription": {"TableName": "<name>", "CreationDateTime": TIME, "TableArn": ANY}}),
    ("PutItem", "dynamodb:putItem", {
        "TableName": "{% $name %}",
        "Item": {"id": {"S": "1"}, "yes": {"BOOL": True}, "none": {"NULL": True}, "many": {"SS": ["a", "b"]}},
    }, {"SdkHttpMetadata": {"HttpStatusCode": 200, "AllHttpHeaders": ANY}, "SdkResponseMetadata": {"RequestId": ANY}}),
    ("GetItem", "dynamodb:getItem", {"TableName": "{% $name %}", "Key": {"id": {"S": "1"}}},
     {"Item": {"id": {"S": "1"}, "yes": {"BOOL": True}, "none": {"NULL": True}, "many": {"SS": ["a", "b"]}}}),
    ("SdkGetItem", "aws-sdk:dynamodb:getItem", {"TableName": "{% $name %}", "Key": {"id": {"S": "1"}}},
     {"Item": {"id": {"S": "1"}, "yes": {"Bool": True}, "none": {"Nul": True}, "many": {"Ss": ["a", "b"]}}}),
    ("Query", "aws-sdk:dynamodb:query", {
        "TableName": "{% $name %}",
        "KeyConditionExpression": "id = :id",
        "ExpressionAttributeValues": {":id": {"S": "1"}},
    }, {"Count": 1, "ScannedCount": 1, "Items": ANY}),
    ("CreateBucket", "aws-sdk:s3:createBucket", {"Bucket": "{% $name %}"}, {}),
    ("PutText", "aws-sdk:s3:putObject", {"Bucket": "{% $name %}", "Key": "text", "Body": "text data"}, {"ETag": ANY}),
    ("GetText", "aws-sdk:s3:getObject", {"Bucket": "{% $name %}", "Key": "text"},
     {"Body": '"text data"', "ContentLength": 11, "ETag": f'"{hashlib.md5(TEXT).hexdigest()}"', "Metadata": {},
      "LastModified": TIME}),
    ("PutJson", "aws-sdk:s3:putObject", {"Bucket": "{% $name %}", "Key": "a b/c.json", "Body": {"Dict": "Value"}},
     {"ETag": ANY}),
    ("GetJson", "aws-sdk:s3:getObject", {"Bucket": "{% $name %}", "Key": "a b/c.json"}, {"Body": '{"Dict":"Value"}'}),
    ("GetBinary", "aws-sdk:s3:getObject", {"Bucket": "prepared", "Key": "binary"}, {"Body": "//4AAQ=="}),
    ("HeadObject", "aws-sdk:s3:headObject", {"Bucket": "{% $name %}", "Key": "text"}, {"ContentLength": 11}),
    ("ListObjects", "aws-sdk:s3:listObjectsV2", {"Bucket": "{% $name %}"},
     {"KeyCount": 2, "Contents": [{"Key": "a b/c.json", "Size": 16}, {"Key": "text", "LastModified": TIME}]}),
    ("CreateQueue", "aws-sdk:sqs:createQueue", {"QueueName": "{% $name %}"}, {"QueueUrl": ANY}),
    ("SendMessage", "sqs:sendMessage", {
        "QueueUrl": "{% $results.CreateQueue.QueueUrl %}",
        "MessageBody": {"a": 1},
        "MessageAttributes": {"of": {"DataType": "String", "StringValue": "x"}},
    }, {"MD5OfMessageBody": "bb6cb5c68df4652941caf652a366f2d8", "MD5OfMessageAttributes": ANY, "MessageId": UUID,
        "SdkHttpMetadata": ANY}),
    ("ReceiveMessage", "aws-sdk:sqs:receiveMessage", {"QueueUrl": "{% $results.CreateQueue.QueueUrl %}"},
     {"Messages": [{"Body": '{"a":1}', "Md5OfBody": "bb6cb5c68df4652941caf652a366f2d8", "ReceiptHandle": ANY}]}),
    ("CreateTopic", "aws-sdk:sns:createTopic", {"Name": "{% $name %}"}, {"TopicArn": ANY}),
    ("Publish", "sns:publish", {"TopicArn": "{% $results.CreateTopic.TopicArn %}", "Message": {"b": 2}, "Subject": "s"},
     {"MessageId": UUID, "SdkHttpMetadata": ANY, "SdkResponseMetadata": {"RequestId": ANY}}),
    ("PutEvents", "events:putEvents", {"Entries": [{"Detail": {"c": 3}, "DetailType": "d", "Source": "s"}]},
     {"Entries": [{"EventId": UUID}], "FailedEntryCount": 0}),
    ("ListEventBuses", "aws-sdk:eventbridge:listEventBuses", {}, {"EventBuses": ANY}),
    ("CreateSecret", "aws-sdk:secretsmanager:createSecret", {"Name": "{% $name %}", "SecretString": "hidden"},
     {"Arn": ANY, "Name": "<name>", "VersionId": ANY}),
    ("GetSecret", "aws-sdk:secretsmanager:getSecretValue", {"SecretId": "{% $name %}"},
     {"SecretString": "hidden", "CreatedDate": TIME}),
    ("PutParameter", "aws-sdk:ssm:putParameter", {"Name": "{% $name %}", "Value": "v", "Type": "String"}, {"Version": 1}),
    ("GetParameter", "aws-sdk:ssm:getParameter", {"Name": "{% $name %}"},
     {"Parameter": {"Name": "<name>", "Value": "v", "LastModifiedDate": TIME, "Arn": ANY}}),
    ("CreateKey", "aws-sdk:kms:createKey", {}, {"KeyMetadata": {"KeyId": ANY, "Enabled": True, "CreationDate": TIME}}),
    ("Encrypt", "aws-sdk:kms:encrypt", {"KeyId": "{% $results.CreateKey.KeyMetadata.KeyId %}", "Plaintext": "p"},
     {"CiphertextBlob": ANY, "KeyId": ANY}),
    ("GetCallerIdentity", "aws-sdk:sts:getCallerIdentity", {}, {"Account": ACCOUNT, "Arn": ANY, "UserId": ANY}),
    ("CreateRole", "aws-sdk:iam:createRole", {"RoleName": "{% $name %}", "AssumeRolePolicyDocument": {"Version": "2012-10-17"}},
     {"Role": {"RoleName": "<name>", "CreateDate": TIME, "Arn": ANY}}),
    ("ListRoles", "aws-sdk:iam:listRoles", {}, {"IsTruncated": False, "Roles": ANY}),
    ("DescribeVpcs", "aws-sdk:ec2:describeVpcs", {"Filters": [{"Name": "isDefault", "Values": ["true"]}]},
     {"Vpcs": [{"VpcId": ANY, "IsDefault": True, "CidrBlock": ANY}]}),
    ("PutMetricData", "aws-sdk:cloudwatch:putMetricData", {
        "Namespace": "{% $name %}", "MetricData": [{"MetricName": "m", "Value": 1.5, "Timestamp": "{% $now() %}"}],
    }, {}),
    ("ListMetrics", "aws-sdk:cloudwatch:listMetrics", {"Namespace": "{% $name %}"},
     {"Metrics": [{"MetricName": "m", "Namespace": "<name>"}]}),
    ("CreateLogGroup", "aws-sdk:cloudwatchlogs:createLogGroup", {"LogGroupName": "{% $name %}"}, {}),
    ("DescribeLogGroups", "aws-sdk:cloudwatchlogs:describeLogGroups", {"LogGroupNamePrefix": "{% $name %}"},
     {"LogGroups": [{"LogGroupName": "<name>", "CreationTime": ANY}]}),
    ("Invoke", "lambda:invoke", {"FunctionName": "echo", "Payload": {"in": [1]}},
     {"Payload": {"in": [1]}, "StatusCode": 200, "SdkHttpMetadata": ANY}),
    ("GetFunction", "aws-sdk:lambda:getFunctionConfiguration", {"FunctionName": "echo"},
     {"FunctionName": "echo", "Handler": "index.handler", "Timeout": 30}),
    ("ListStateMachines", "aws-sdk:sfn:listStateMachines", {}, {"StateMachines": ANY}),
]  # fmt: skip

#: The emulator gives one with every service.
EXTENDED = r"(, Extended Request ID: \S+)?"
NO_KEY = r"(.+ )?\(Service: S3, Status Code: 404, Request ID: .+\) \(SDK Attempt Count: 1\)"


def second(service, status):
    """The cause of an SDK integration's error."""
    return rf".+ \(Service: {service}, Status Code: {status}, Request ID: \S+{EXTENDED}\) \(SDK Attempt Count: 1\)"


def first(service, status, code):
    """The cause of an optimized integration's error."""
    return rf".+ \(Service: {service}; Status Code: {status}; Error Code: {code}; Request ID: \S+; Proxy: null\)"


#: Name, resource, arguments, error and cause.
FAULTS = [
    ("NoTable", "dynamodb:getItem", {"TableName": "absent", "Key": {"id": {"S": "1"}}},
     "DynamoDB.ResourceNotFoundException", first("AmazonDynamoDBv2", 400, "ResourceNotFoundException")),
    ("SdkNoTable", "aws-sdk:dynamodb:describeTable", {"TableName": "absent"},
     "DynamoDb.ResourceNotFoundException", second("DynamoDb", 400)),
    ("NoKey", "aws-sdk:s3:getObject", {"Bucket": "prepared", "Key": "absent"}, "S3.NoSuchKeyException", NO_KEY),
    ("NoHead", "aws-sdk:s3:headObject", {"Bucket": "prepared", "Key": "absent"}, "S3.NoSuchKeyException", NO_KEY),
    ("NoQueue", "aws-sdk:sqs:getQueueUrl", {"QueueName": "absent"}, "Sqs.QueueDoesNotExistException", second("Sqs", 400)),
    ("NoTopic", "sns:publish", {"TopicArn": f"arn:aws:sns:{REGION}:{ACCOUNT}:absent", "Message": "m"},
     "SNS.NotFoundException", first("AmazonSNS", 404, "NotFound(Exception)?")),
    ("NoBus", "aws-sdk:eventbridge:describeEventBus", {"Name": "absent"},
     "EventBridge.ResourceNotFoundException", second("EventBridge", 400)),
    ("NoSecret", "aws-sdk:secretsmanager:getSecretValue", {"SecretId": "absent"},
     "SecretsManager.ResourceNotFoundException", second("SecretsManager", 400)),
    ("NoParameter", "aws-sdk:ssm:getParameter", {"Name": "absent"}, "Ssm.ParameterNotFoundException", second("Ssm", 400)),
    ("NoKmsKey", "aws-sdk:kms:describeKey", {"KeyId": "00000000-0000-4000-8000-000000000000"},
     "Kms.NotFoundException", second("Kms", 400)),
    ("NoRole", "aws-sdk:iam:getRole", {"RoleName": "absent"}, "Iam.NoSuchEntityException", second("Iam", 404)),
    ("NoVpc", "aws-sdk:ec2:deleteVpc", {"VpcId": "vpc-0123456789abcdef0"}, "Ec2.Ec2Exception", second("Ec2", 400)),
    ("NoLogGroup", "aws-sdk:cloudwatchlogs:describeLogStreams", {"LogGroupName": "absent"},
     "CloudWatchLogs.ResourceNotFoundException", second("CloudWatchLogs", 400)),
    ("NoFunction", "lambda:invoke", {"FunctionName": "absent"},
     "Lambda.ResourceNotFoundException", first("AWSLambda", 404, "ResourceNotFoundException")),
    ("SdkNoFunction", "aws-sdk:lambda:getFunction", {"FunctionName": "absent"},
     "Lambda.ResourceNotFoundException", second("Lambda", 404)),
    ("NoMachine", "aws-sdk:sfn:describeStateMachine",
     {"StateMachineArn": f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:absent"},
     "Sfn.StateMachineDoesNotExistException", second("Sfn", 400)),
]  # fmt: skip


def definition():
    """The calls one after the other, each in a state of its own; then the faults, each caught."""
    states = {"Begin": {"Type": "Pass", "Assign": {"name": "{% $states.input.name %}", "results": {}}}}
    for name, resource, arguments, _ in CALLS:
        states[name] = {"Type": "Task", "Resource": f"arn:aws:states:::{resource}", "Arguments": arguments}
        states[name]["Assign"] = {"results": "{% $merge([$results, {'" + name + "': $states.result}]) %}"}
    for name, resource, arguments, _, _ in FAULTS:
        states[name] = {"Type": "Task", "Resource": f"arn:aws:states:::{resource}", "Arguments": arguments}
        assign = {"results": "{% $merge([$results, {'" + name + "': $states.errorOutput}]) %}"}
        states[name]["Catch"] = [{"ErrorEquals": ["States.ALL"], "Assign": assign}]
    names = list(states)
    for name, after in zip(names, [*names[1:], "End"]):
        states[name]["Next"] = after
        for caught in states[name].get("Catch", []):
            caught["Next"] = after
    states["End"] = {"Type": "Succeed", "Output": "{% $results %}"}
    return {"QueryLanguage": "JSONata", "StartAt": "Begin", "States": states}


def differs(found, expected, name, at="$"):
    """Where what was found is not what is expected, which may be a part of it."""
    if expected is ANY:
        return None
    if isinstance(expected, re.Pattern):
        return None if isinstance(found, str) and expected.fullmatch(found) else f"{at} is {found!r}"
    if isinstance(expected, dict):
        if not isinstance(found, dict):
            return f"{at} is {found!r}"
        missing = [key for key in expected if key not in found]
        if missing:
            return f"{at} has no {missing}, but {list(found)}"
        return next(filter(None, (differs(found[key], expected[key], name, f"{at}.{key}") for key in expected)), None)
    if isinstance(expected, list):
        if not isinstance(found, list) or len(found) != len(expected):
            return f"{at} is {found!r}"
        pairs = enumerate(zip(found, expected))
        return next(filter(None, (differs(one, other, name, f"{at}[{n}]") for n, (one, other) in pairs)), None)
    expected = name if expected == "<name>" else expected
    return None if found == expected else f"{at} is {found!r}, not {expected!r}"


def judge(way, name, results):
    for call, resource, _, expected in CALLS:
        equal(f"{way}: {resource}", differs(results.get(call), expected, name), None)
    for fault, resource, _, error, cause in FAULTS:
        told = results.get(fault) or {}
        right = told.get("Error") == error and re.fullmatch(cause, told.get("Cause", ""))
        check(f"{way}: {resource} fails with {error}", right, told)


def prepare(scene):
    s3 = scene.emulator.client("s3")
    s3.create_bucket(Bucket="prepared")
    s3.put_object(Bucket="prepared", Key="binary", Body=BINARY)
    scene.emulator.function("echo", ECHO, scene.role)


def in_memory(scene, definition):
    with tempfile.TemporaryDirectory() as at:
        path = Path(at) / "services.asl.json"
        path.write_text(json.dumps(definition))
        command = [scene.binaries / "stepwright", "run", path, "--input", '{"name":"inmemory"}', "--account", ACCOUNT]
        environment = scene.emulator.environment()
        del environment["AWS_ENDPOINT_URL"]
        ran = subprocess.run(
            [*map(str, command), "--endpoint", scene.emulator.url],
            env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        )  # fmt: skip
        check("run: it succeeds", ran.returncode == 0, ran.stderr[-600:])
        judge("run", "inmemory", json.loads(ran.stdout) if ran.returncode == 0 else {})
        refused = subprocess.run(
            [*map(str, command)], env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True
        )
        said = refused.stderr
        check("run: without an endpoint it says how to give one", "--endpoint dynamodb=URL" in said, said[-500:])
        equal("run: without an endpoint nothing is called", refused.returncode, 2)


def callback(scene, way, url):
    """A task that another process answers."""
    sqs = scene.emulator.client("sqs")
    queue = sqs.create_queue(QueueName=f"callback-{way}")["QueueUrl"]
    arguments = {"QueueUrl": queue, "MessageBody": {"token": "{% $states.context.Task.Token %}", "on": [1]}}
    task = {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken", "Arguments": arguments}
    machine = scene.states.create_state_machine(
        name="callback",
        roleArn=scene.role,
        definition=json.dumps({"QueryLanguage": "JSONata", "StartAt": "Ask", "States": {"Ask": {**task, "End": True}}}),
    )["stateMachineArn"]
    execution = scene.start(machine)
    command = [sys.executable, Path(__file__).parent / "jobs.py", scene.emulator.url, queue, url]
    subprocess.run([*map(str, command)], check=True, timeout=60)
    found = scene.ended(execution)
    equal(f"{way}: a task that another process answers", json.loads(found.get("output", "{}")), {"worked": [1]})


#: Service, resource, parameters, the states in which its jobs run and have ended, what ends one.
JOBS = [
    ("AWSGlue", "glue:startJobRun.sync", {"JobName": "job"}, "RUNNING", "SUCCEEDED", "FAILED", "BatchStopJobRun",
     {"Id": "jr_1", "JobName": "job", "JobRunState": ANY}),
    ("AmazonAthena", "athena:startQueryExecution.sync", {"QueryString": "q"}, "QUEUED", "SUCCEEDED", "CANCELLED",
     "StopQueryExecution",
     {"QueryExecution": {"QueryExecutionId": "q-1", "Status": {"State": ANY, "SubmissionDateTime": 1680596446117}}}),
    ("CodeBuild_20161006", "codebuild:startBuild.sync", {"ProjectName": "p"}, "IN_PROGRESS", "SUCCEEDED", "FAULT",
     "StopBuild", {"Build": {"Id": "b:1", "BuildStatus": ANY}}),
]  # fmt: skip


def jobs_on_dev(scene, server):
    """Jobs whose states are set here: they run, they end, they fail, they are stopped."""
    machines = {}
    for service, resource, parameters, *_ in JOBS:
        task = {"Type": "Task", "Resource": f"arn:aws:states:::{resource}", "Parameters": parameters, "End": True}
        machines[service] = scene.machine(service, {"Run": task})
    for kind in ("succeeds", "fails", "is stopped"):
        server.calls.clear()
        started = {}
        for service, _, _, running, *_ in JOBS:
            server.states[service] = running
            started[service] = scene.start(machines[service])
        asked = lambda service: sum(1 for call in server.calls if call.startswith(service))  # noqa: E731
        until(lambda: all(asked(service) >= 2 for service in started), 30)
        for service, resource, _, _, succeeded, failed, *_ in JOBS:
            status = scene.states.describe_execution(executionArn=started[service])["status"]
            equal(f"dev: {resource} runs while its job does", status, "RUNNING")
            if kind != "is stopped":
                server.states[service] = succeeded if kind == "succeeds" else failed
        for service, resource, *_, cancel, expected in JOBS:
            execution = started[service]
            if kind == "is stopped":
                scene.states.stop_execution(executionArn=execution)
                ended = until(lambda: f"{service}.{cancel}" in server.calls, 30)
                check(f"dev: the job of {resource} ends with its execution", ended, server.calls)
                continue
            found = scene.ended(execution, 60)
            if kind == "succeeds":
                output = json.loads(found.get("output", "null"))
                equal(f"dev: {resource} gives its job", differs(output, expected, None), None)
                equal(f"dev: {resource} gives nothing more", list(output), list(expected))
            else:
                equal(f"dev: {resource} fails with its job", found.get("error"), "States.TaskFailed")
                cause = json.loads(found.get("cause", "null"))
                equal(f"dev: its cause is the job of {resource}", differs(cause, expected, None), None)


def on_dev(scene, definition):
    with tempfile.TemporaryDirectory() as at:
        (Path(at) / "services.asl.json").write_text(json.dumps(definition))
        server = JobServer()
        places = {"all": scene.emulator.url, **dict.fromkeys(("glue", "athena", "codebuild"), server.url)}
        lines = [f'{service} = "{url}"' for service, url in places.items()]
        (Path(at) / "stepwright.toml").write_text("\n".join(["[dev.endpoints]", *lines, ""]))
        environment = scene.emulator.environment()
        del environment["AWS_ENDPOINT_URL"]
        program = start(
            [scene.binaries / "stepwright", "dev", "--in-memory", "--port", "0", "--no-watch", "--account", ACCOUNT],
            cwd=at, env=environment, stdout=subprocess.PIPE,
        )  # fmt: skip
        url = next(found.group(0) for found in (re.search(r"http://127\.0\.0\.1:\d+", line) for line in program.stdout) if found)
        threading.Thread(target=program.stdout.read, daemon=True).start()
        scene.states, deployed = scene.emulator.client("stepfunctions", url), scene.states
        arn = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:services"
        found = scene.ended(scene.start(arn, {"name": "ondev"}), 120)
        equal("dev: it succeeds", found["status"], "SUCCEEDED")
        judge("dev", "ondev", json.loads(found.get("output", "{}")))
        section("jobs and callbacks on dev")
        callback(scene, "dev", url)
        jobs_on_dev(scene, server)
        scene.states = deployed
        program.stdin.close()


def on_installation(scene, definition):
    machine = scene.states.create_state_machine(
        name="services", definition=json.dumps(definition), roleArn=scene.role
    )["stateMachineArn"]
    found = scene.ended(scene.start(machine, {"name": "deployed"}), 180)
    equal("deployed: it succeeds", found["status"], "SUCCEEDED")
    judge("deployed", "deployed", json.loads(found.get("output", "{}")))
    callback(scene, "deployed", scene.proxy.url)


def main():
    section("sam deploy")
    scene = Scene(sys.argv[1])
    prepare(scene)
    workflow = definition()
    section("in memory")
    in_memory(scene, workflow)
    section("on dev")
    on_dev(scene, workflow)
    section("deployed")
    on_installation(scene, workflow)
    done("services")


if __name__ == "__main__":
    main()
