"""Stands in for services that run jobs, whose states a test sets; and a worker in a process of its own."""

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import boto3

#: By what each operation is called: the state that it tells of, and what it answers with it.
ANSWERS = {
    "AWSGlue.StartJobRun": lambda state: {"JobRunId": "jr_1"},
    "AWSGlue.GetJobRun": lambda state: {"JobRun": {"Id": "jr_1", "JobName": "job", "JobRunState": state}},
    "AWSGlue.BatchStopJobRun": lambda state: {},
    "AmazonAthena.StartQueryExecution": lambda state: {"QueryExecutionId": "q-1"},
    "AmazonAthena.GetQueryExecution": lambda state: {
        "QueryExecution": {"QueryExecutionId": "q-1", "Status": {"State": state, "SubmissionDateTime": 1680596446.117}}
    },
    "AmazonAthena.StopQueryExecution": lambda state: {},
    "CodeBuild_20161006.StartBuild": lambda state: {"build": {"id": "b:1", "buildStatus": "IN_PROGRESS"}},
    "CodeBuild_20161006.BatchGetBuilds": lambda state: {"builds": [{"id": "b:1", "buildStatus": state}]},
    "CodeBuild_20161006.StopBuild": lambda state: {"build": {"id": "b:1", "buildStatus": "STOPPED"}},
}


class JobServer:
    """`states`: the state of each service's jobs, by what its operations begin with. `calls`: what was
    asked, in order."""

    def __init__(self):
        self.states, self.calls = {}, []
        jobs = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                target = self.headers["X-Amz-Target"]
                jobs.calls.append(target)
                answer = json.dumps(ANSWERS[target](jobs.states.get(target.split(".")[0]))).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/x-amz-json-1.1")
                self.send_header("x-amzn-RequestId", "r")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def work(sqs_url, queue, states_url):
    """Takes one message out of a queue, and answers the task whose token is in it."""
    options = {"region_name": "us-east-1", "aws_access_key_id": "test", "aws_secret_access_key": "test"}
    sqs = boto3.client("sqs", endpoint_url=sqs_url, **options)
    states = boto3.client("stepfunctions", endpoint_url=states_url, **options)
    messages = []
    while not messages:
        messages = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=1).get("Messages", [])
    body = json.loads(messages[0]["Body"])
    states.send_task_success(taskToken=body["token"], output=json.dumps({"worked": body["on"]}))


if __name__ == "__main__":
    work(*sys.argv[1:])
