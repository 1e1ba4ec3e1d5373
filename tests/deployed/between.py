"""What stands between functions and the emulator, or in front of it: forwards requests, and may
answer them itself, change them, send them twice or lose them."""

import http.client
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, quote, urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "proxy-connection"}


class Request:
    """A request on its way."""

    def __init__(self, method, path, headers, body):
        self.method, self.path, self.headers, self.body = method, path, headers, body

    def header(self, name):
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    def set_header(self, name, value):
        self.headers = [(key, old) for key, old in self.headers if key.lower() != name.lower()]
        self.headers.append((name, value))

    @property
    def operation(self):
        """The operation of AWS JSON, as `SQS.SendMessage`, without the date of its service."""
        target = self.header("x-amz-target") or ""
        return re.sub(r"_\d{8}", "", target.removeprefix("Amazon"))

    @property
    def service(self):
        """The service that it was signed for."""
        found = re.search(r"Credential=[^/]+/\d+/[^/]*/([^/]+)/", self.header("authorization") or "")
        return found and found.group(1)


class Answer:
    """An answer in place of the emulator's."""

    def __init__(self, status, body=b"", content_type="application/x-amz-json-1.0", headers=()):
        self.status, self.body = status, body
        self.headers = [("Content-Type", content_type), *headers]


class Between:
    """Forwards to `target` (host:port). `hook(request, forward)` decides what becomes of a request;
    by default it is forwarded."""

    def __init__(self, target, hook=lambda request, forward: forward(request)):
        self.target, self.hook = target, hook
        self.connections = threading.local()
        between = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # Head and body in one packet: with two, delayed acknowledgements cost 40 ms each time.
            wbufsize = -1

            def handle_one(self):
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length)
                request = Request(self.command, self.path, list(self.headers.items()), body)
                try:
                    answer = between.hook(request, between.forward)
                except OSError as error:
                    answer = Answer(502, str(error).encode(), "text/plain")
                if answer is None:
                    # As a connection that breaks.
                    self.close_connection = True
                    return
                self.send_response_only(answer.status)
                for name, value in answer.headers:
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(answer.body)

            do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = handle_one

            def log_message(self, *_):
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 256

            def handle_error(self, *_):
                """Clients that go away are none of the test's concern."""

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def forward(self, request):
        """The emulator's answer."""
        for attempt in range(2):
            connection = getattr(self.connections, "to", None)
            if connection is None:
                connection = http.client.HTTPConnection(self.target, timeout=1000)
                self.connections.to = connection
            headers = [(name, value) for name, value in request.headers if name.lower() not in HOP_BY_HOP]
            headers = [(name, value) for name, value in headers if name.lower() != "content-length"]
            try:
                connection.putrequest(request.method, request.path, skip_host=True, skip_accept_encoding=True)
                for name, value in headers:
                    connection.putheader(name, value)
                connection.putheader("Content-Length", str(len(request.body)))
                connection.endheaders(request.body)
                answered = connection.getresponse()
                body = answered.read()
                break
            except (http.client.HTTPException, OSError):
                # A kept connection that the other side has closed meanwhile.
                connection.close()
                self.connections.to = None
                if attempt:
                    raise
        dropped = HOP_BY_HOP | {"content-length", "content-type"}
        kept = [(name, value) for name, value in answered.getheaders() if name.lower() not in dropped]
        return Answer(answered.status, body, answered.getheader("Content-Type", ""), kept)


class Front(Between):
    """A front of AWS with IAM authorisation: recomputes the signature of each request for `service`
    before it passes it on; counts those that it let through, keeps why it refused others."""

    def __init__(self, target, service, credentials, region="us-east-1"):
        self.service, self.region, self.verified, self.refused = service, region, 0, []
        self.credentials = Credentials(*credentials)
        super().__init__(target, self.verify)

    def verify(self, request, forward):
        reason = self.wrong(request)
        if reason:
            self.refused.append(reason)
            return Answer(403, b'{"Message":"Forbidden"}', "application/json")
        self.verified += 1
        return forward(request)

    def wrong(self, request):
        """What is wrong with a signature; nothing when it is right."""
        authorization = request.header("authorization") or ""
        parts = dict(part.split("=", 1) for part in re.findall(r"\w+=[^, ]+", authorization))
        if not {"Credential", "SignedHeaders", "Signature"} <= parts.keys():
            return f"not signed: {authorization!r}"
        scope = parts["Credential"].split("/", 1)[1]
        date = request.header("x-amz-date") or ""
        expected = f"{date[:8]}/{self.region}/{self.service}/aws4_request"
        if scope != expected:
            return f"signed for {scope}, not {expected}"
        split = urlsplit(request.path)
        signed = AWSRequest(request.method, f"http://{request.header('host')}{split.path}", data=request.body)
        signed.params = dict(parse_qsl(split.query, keep_blank_values=True))
        for name in parts["SignedHeaders"].split(";"):
            signed.headers[name] = request.header(name) or ""
        signed.context["timestamp"] = date
        auth = SigV4Auth(self.credentials, self.service, self.region)
        # The path is signed as it was sent, escaped once more.
        auth._normalize_url_path = lambda path: quote(path or "/", safe="/~")
        wanted = auth.signature(auth.string_to_sign(signed, auth.canonical_request(signed)), signed)
        return None if wanted == parts["Signature"] else f"the signature is not that of {request.path}"
