"""The emulator of AWS, and the installation on it."""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import zipfile
from pathlib import Path

import boto3
from botocore.config import Config

ROOT = Path(__file__).resolve().parents[2]
REGION = "us-east-1"
CREDENTIALS = ("test", "test")
#: Thresholds in seconds, so that every path is taken soon.
QUICK = {
    "LeaseSeconds": 6,
    "SleepSeconds": 1,
    "DelaySeconds": 4,
    "ShiftSeconds": 10,
    "DriverTimeout": 60,
    "ApiTimeout": 60,
}


def start(command, **more):
    """Starts a program that ends with this process, however that ends: with the pipe to it."""
    watch = '"$@" & program=$!; cat >/dev/null; kill $program'
    return subprocess.Popen(["sh", "-c", watch, "sh", *map(str, command)], stdin=subprocess.PIPE, text=True, **more)


class Emulator:
    """ministack on a port of its own, until this process ends. `endpoint(port)` says where functions
    find AWS, if not at the emulator itself."""

    def __init__(self, endpoint=None):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = tempfile.NamedTemporaryFile("w+", prefix="ministack-", suffix=".log")
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": tempfile.gettempdir(),
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(self.port),
            "MINISTACK_HOST": "localhost",
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "LOG_LEVEL": "WARNING",
            "AWS_ENDPOINT_URL": endpoint(self.port) if endpoint else self.url,
        }
        program = ROOT / "shared/ports-aws/tests/emulators/ministack_until_eof.py"
        command = [ROOT / ".tools/ministack/bin/python", program]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=self.log, stderr=self.log, env=environment
        )
        end = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(f"{self.url}/_ministack/health", timeout=2).read()
                break
            except OSError:
                if time.monotonic() > end or self.process.poll() is not None:
                    sys.exit(f"the emulator does not start: {Path(self.log.name).read_text()[-2000:]}")
                time.sleep(0.1)

    def client(self, service, endpoint=None, retries=9):
        config = Config(retries={"max_attempts": retries}, read_timeout=120)
        return boto3.client(
            service,
            endpoint_url=endpoint or self.url,
            region_name=REGION,
            aws_access_key_id=CREDENTIALS[0],
            aws_secret_access_key=CREDENTIALS[1],
            config=config,
        )

    def environment(self):
        """What commands need to talk to it."""
        keep = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL") if name in os.environ}
        return {
            **keep,
            "HOME": tempfile.gettempdir(),
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": CREDENTIALS[0],
            "AWS_SECRET_ACCESS_KEY": CREDENTIALS[1],
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "SAM_CLI_TELEMETRY": "0",
        }

    def sam(self, *arguments, cwd=None):
        """Runs the SAM CLI; what it says."""
        ran = subprocess.run(
            [ROOT / ".tools/sam/bin/sam", *arguments],
            cwd=cwd,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if ran.returncode:
            sys.exit(f"sam {arguments[0]} failed: {self.failures()}\n{ran.stdout[-2000:]}")
        return ran.stdout

    def failures(self):
        """Why resources of stacks could not be made."""
        cloudformation, reasons = self.client("cloudformation"), []
        for stack in cloudformation.list_stacks()["StackSummaries"]:
            for event in cloudformation.describe_stack_events(StackName=stack["StackId"])["StackEvents"]:
                if event["ResourceStatus"].endswith("FAILED"):
                    reasons.append(f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason')}")
        return reasons

    def deploy(self, stack, folder, parameters):
        """Deploys the template in a folder."""
        quoted = {name: json.dumps(str(value)) for name, value in parameters.items()}
        overrides = [f"ParameterKey={name},ParameterValue={value}" for name, value in quoted.items()]
        self.sam(
            "deploy", "--template", "template.yaml", "--stack-name", stack, "--resolve-s3", "--no-progressbar",
            "--capabilities", "CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND", "--no-confirm-changeset",
            "--parameter-overrides", *overrides, cwd=folder,
        )  # fmt: skip

    def outputs(self, stack):
        described = self.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
        return {output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", [])}

    def resources(self, stack):
        """Physical names by logical ones."""
        found = self.client("cloudformation").describe_stack_resources(StackName=stack)["StackResources"]
        return {resource["LogicalResourceId"]: resource["PhysicalResourceId"] for resource in found}

    def what_there_is(self):
        """Names of everything that a stack may leave behind."""
        client = self.client
        sources = client("lambda").list_event_source_mappings()
        dashboards = client("cloudwatch").list_dashboards()
        lists = {
            "tables": client("dynamodb").list_tables()["TableNames"],
            "queues": [url.rsplit("/", 1)[1] for url in client("sqs").list_queues().get("QueueUrls", [])],
            "buckets": [bucket["Name"] for bucket in client("s3").list_buckets()["Buckets"]],
            "functions": [found["FunctionName"] for found in client("lambda").list_functions()["Functions"]],
            "layers": [found["LayerName"] for found in client("lambda").list_layers()["Layers"]],
            "sources": [found["UUID"] for found in sources["EventSourceMappings"]],
            "roles": [role["RoleName"] for role in client("iam").list_roles()["Roles"]],
            "topics": [topic["TopicArn"] for topic in client("sns").list_topics()["Topics"]],
            "buses": [bus["Name"] for bus in client("events").list_event_buses()["EventBuses"]],
            "rules": [rule["Name"] for rule in client("events").list_rules()["Rules"]],
            "schedules": [found["Name"] for found in client("scheduler").list_schedules()["Schedules"]],
            "groups": [found["Name"] for found in client("scheduler").list_schedule_groups()["ScheduleGroups"]],
            "apis": [api["ApiId"] for api in client("apigatewayv2").get_apis()["Items"]],
            "logs": [group["logGroupName"] for group in client("logs").describe_log_groups()["logGroups"]],
            "alarms": [alarm["AlarmName"] for alarm in client("cloudwatch").describe_alarms()["MetricAlarms"]],
            "dashboards": [found["DashboardName"] for found in dashboards["DashboardEntries"]],
        }
        return {f"{kind} {name}" for kind, names in lists.items() for name in names}

    def function(self, name, code, role, **more):
        """A function in Python from the text of its module."""
        with tempfile.TemporaryDirectory() as at:
            archive = Path(at) / "code.zip"
            with zipfile.ZipFile(archive, "w") as zipped:
                zipped.writestr("index.py", code)
            created = self.client("lambda").create_function(
                FunctionName=name,
                Runtime="python3.12",
                Handler="index.handler",
                Role=role,
                Code={"ZipFile": archive.read_bytes()},
                Timeout=30,
                **more,
            )
        return created["FunctionArn"]


def zip_one(archive, name, source):
    """An archive with one executable."""
    archive.parent.mkdir(parents=True, exist_ok=True)
    info = zipfile.ZipInfo(name)
    info.external_attr = 0o755 << 16
    info.compress_type = zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(archive, "w") as zipped, open(source, "rb") as file:
        with zipped.open(info, "w") as out:
            shutil.copyfileobj(file, out)


class Installation:
    """The template, deployed unmodified by SAM."""

    def __init__(self, emulator, binaries, name="stepwright", **parameters):
        self.emulator, self.name = emulator, name
        self.folder = tempfile.TemporaryDirectory()
        at = Path(self.folder.name)
        shutil.copy(ROOT / "template.yaml", at / "template.yaml")
        zip_one(at / "dist/functions.zip", "bootstrap", Path(binaries) / "bootstrap")
        zip_one(at / "dist/layer.zip", "extensions/stepwright-proxy", Path(binaries) / "stepwright-proxy")
        machine = os.uname().machine
        architecture = "arm64" if machine in ("arm64", "aarch64") else "x86_64"
        self.parameters = {**QUICK, "Architecture": architecture, "RetainData": "false", **parameters}
        self.deploy()

    def deploy(self, **parameters):
        self.parameters.update(parameters)
        self.emulator.deploy(self.name, self.folder.name, self.parameters)
        self.outputs = self.emulator.outputs(self.name)

    def delete(self):
        self.emulator.sam("delete", "--stack-name", self.name, "--no-prompts", cwd=self.folder.name)
