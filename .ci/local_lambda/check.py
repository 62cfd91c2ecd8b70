"""Real clients of the command: check.py EMULATOR. Prints a line for each check, and exits 1 if one fails."""

import base64
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from pathlib import Path

import boto3
import botocore.config
import botocore.exceptions

EMULATOR = sys.argv[1]
FUNCTIONS = Path(__file__).resolve().parent / "functions"
PYTHON = [sys.executable, "-m", "awslambdaric", "app.handler"]
NODE = ["node", "stream.mjs"]
LIMIT = 60
# The clients must not look for credentials, and not use a proxy.
os.environ |= {
    "AWS_ACCESS_KEY_ID": "any",
    "AWS_SECRET_ACCESS_KEY": "any",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "NO_PROXY": "127.0.0.1",
}


class Emulator:
    """A command that serves."""

    def __init__(self, function: list[str], *options: str):
        command = [EMULATOR, "--port", "0", *options, "--", *function]
        self.process = subprocess.Popen(command, cwd=FUNCTIONS, stderr=subprocess.PIPE, text=True)
        self.log = ""
        for line in self.process.stderr:
            self.log += line
            if found := re.search(r"curl (http://\S+)/$", line):
                self.url = found[1]
            if "status page" in line:
                break
        else:
            raise AssertionError(f"the emulator ended: {self.log}")
        threading.Thread(target=self.read, daemon=True).start()
        config = botocore.config.Config(retries={"total_max_attempts": 1}, read_timeout=LIMIT)
        self.client = boto3.client("lambda", endpoint_url=self.url, config=config)

    def read(self):
        for line in self.process.stderr:
            self.log += line

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        assert self.process.wait(LIMIT) == 0

    def invoke(self, event, **parameters):
        reply = self.client.invoke(FunctionName="function", Payload=json.dumps(event), **parameters)
        return reply, json.loads(reply["Payload"].read() or "null")

    def curl(self, *arguments: str) -> str:
        command = ["curl", "-sS", "--max-time", str(LIMIT), *arguments]
        return subprocess.run(command, check=True, capture_output=True, timeout=LIMIT).stdout.decode("latin-1")


def wait_until(condition, what: str):
    until = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < until, what
        time.sleep(0.01)


def invoke_of_boto3(scratch):
    with Emulator(PYTHON, "--memory", "256") as emulator:
        reply, payload = emulator.invoke({"a": [1, "ä"]})
        assert (reply["StatusCode"], reply["ExecutedVersion"], payload) == (200, "$LATEST", {"a": [1, "ä"]})
        assert "FunctionError" not in reply and "LogResult" not in reply

        reply, payload = emulator.invoke({"fail": "no such name"})
        assert reply["FunctionError"] == "Unhandled"
        assert (payload["errorType"], payload["errorMessage"]) == ("ValueError", "no such name")

        reply, _ = emulator.invoke({"log": "a line"}, LogType="Tail")
        log = base64.b64decode(reply["LogResult"]).decode()
        assert re.fullmatch(r"START RequestId: (\S+) Version: \$LATEST\n(?s:.*)END RequestId: \1\nREPORT RequestId: \1\t.*\n", log), log
        assert "a line" in log and "on stderr" in log, log

        custom = base64.b64encode(json.dumps({"custom": {"a": "b"}}).encode()).decode()
        reply, payload = emulator.invoke({"context": 1}, Qualifier="prod", ClientContext=custom, TenantId="blue")
        assert payload["arn"].endswith(":function:function:prod"), payload
        assert payload["custom"] == {"a": "b"} and payload["memory"] in (256, "256"), payload
        assert payload["tenant"] in ("blue", None), payload
        assert payload["requestId"] == reply["ResponseMetadata"]["RequestId"]

        reply = emulator.client.invoke(FunctionName="arn:aws:lambda:eu-west-1:123456789012:function:other:7", Payload='{"context":1}')
        assert json.load(reply["Payload"])["arn"] == "arn:aws:lambda:eu-west-1:123456789012:function:other:7"

        assert emulator.invoke(1, InvocationType="DryRun")[0]["StatusCode"] == 204
        # Without a payload the event is an empty object.
        assert json.load(emulator.client.invoke(FunctionName="function")["Payload"]) == {}
        # The runtime itself limits responses, or the command does.
        reply, payload = emulator.invoke({"size": 7_000_000})
        assert reply["FunctionError"] == "Unhandled" and "payload size" in payload["errorMessage"], payload


def errors_of_boto3(scratch):
    with Emulator(PYTHON, "--name", "mine", "--timeout", "1") as emulator:
        exceptions = emulator.client.exceptions
        for name, payload, wanted in [
            ("mine", "{", exceptions.InvalidRequestContentException),
            ("other", "{}", exceptions.ResourceNotFoundException),
            ("mine", json.dumps("x" * 6 * 1024 * 1024), exceptions.RequestTooLargeException),
        ]:
            try:
                emulator.client.invoke(FunctionName=name, Payload=payload)
                raise AssertionError(f"{wanted.__name__} is missing")
            except wanted:
                pass
        reply = emulator.client.invoke(FunctionName="mine", Payload='{"sleep": 60}')
        payload = json.load(reply["Payload"])
        assert reply["FunctionError"] == "Unhandled" and "Task timed out after 1.00 seconds" in payload["errorMessage"], payload
        large = json.dumps({"sleep": 60, "padding": "x" * 1_000_000})
        try:
            for _ in range(200):
                emulator.client.invoke(FunctionName="mine", InvocationType="Event", Payload=large)
            raise AssertionError("200 asynchronous events of 1 MB were accepted: expected a limit")
        except exceptions.TooManyRequestsException:
            pass


def asynchronous_invocations_of_boto3(scratch):
    failures = scratch / "failures"
    with Emulator(PYTHON, "--on-failure", str(failures)) as emulator:
        reply, _ = emulator.invoke({"fail": "again"}, InvocationType="Event")
        assert reply["StatusCode"] == 202
        wait_until(lambda: failures.read_text().endswith("\n"), "the failure is not reported")
        record = json.loads(failures.read_text())
        assert record["requestContext"]["requestId"] == reply["ResponseMetadata"]["RequestId"]
        assert record["requestContext"]["approximateInvokeCount"] == 3
        assert record["requestPayload"] == {"fail": "again"}
        assert record["responsePayload"]["errorType"] == "ValueError"
        assert emulator.log.count("REPORT ") == 3


def streams_of_boto3(scratch):
    def start(emulator, event, **parameters):
        reply = emulator.client.invoke_with_response_stream(FunctionName="function", Payload=json.dumps(event), **parameters)
        return reply, iter(reply["EventStream"])

    until = scratch / "until"
    with Emulator(NODE) as emulator:
        reply, events = start(emulator, {"until": str(until)}, LogType="Tail")
        assert (reply["StatusCode"], reply["ResponseStreamContentType"]) == (200, "application/vnd.amazon.eventstream")
        headers = reply["ResponseMetadata"]["HTTPHeaders"]
        assert headers["x-amzn-remapped-content-type"] == "text/plain", headers
        assert next(events)["PayloadChunk"]["Payload"] == b"first\n"
        # The function waits for this file before it writes the next chunk.
        until.touch()
        assert next(events)["PayloadChunk"]["Payload"] == b"second\n"
        complete = next(events)["InvokeComplete"]
        assert "ErrorCode" not in complete and b"REPORT" in base64.b64decode(complete["LogResult"]), complete
        assert next(events, None) is None

        _, events = start(emulator, {"abort": "it broke"})
        *chunks, last = events
        assert b"".join(chunk["PayloadChunk"]["Payload"] for chunk in chunks) == b"first\nsecond\n"
        assert last["InvokeComplete"]["ErrorCode"] == "Function.Midway", last
        assert json.loads(last["InvokeComplete"]["ErrorDetails"])["errorMessage"] == "it broke"

        # Invoke collects the stream.
        assert emulator.client.invoke(FunctionName="function", Payload="{}")["Payload"].read() == b"first\nsecond\n"
        try:
            emulator.client.invoke_with_response_stream(FunctionName="function", Payload="{")
            raise AssertionError("InvalidRequestContentException is missing")
        except emulator.client.exceptions.InvalidRequestContentException:
            pass
    with Emulator(PYTHON) as emulator:
        _, events = start(emulator, {"a": 1})
        assert [list(event) for event in events] == [["PayloadChunk"], ["InvokeComplete"]]
        _, events = start(emulator, {"fail": "at once"})
        [last] = events
        assert "at once" in last["InvokeComplete"]["ErrorDetails"], last


def the_function_url_by_curl(scratch):
    with Emulator(PYTHON) as emulator:
        url = emulator.url
        received = emulator.curl("-i", "-b", "a=1; b=2", "-H", "X-A: b", f"{url}/hello/World?x=1&x=2&y=%C3%A4")
        head, body = received.split("\r\n\r\n")
        event = json.loads(body)
        assert head.startswith("HTTP/1.1 201 Created\r\n") and "\r\nX-Path: /hello/World" in head, head
        assert head.count("Set-Cookie: ") == 2, head
        assert event["queryStringParameters"] == {"x": "1,2", "y": "ä"} and event["cookies"] == ["a=1", "b=2"], event
        assert event["headers"]["x-a"] == "b" and event["requestContext"]["http"]["method"] == "GET", event

        event = json.loads(emulator.curl("-d", "a=b&c=d", f"{url}/form"))
        assert (event["body"], event["isBase64Encoded"]) == ("a=b&c=d", False)
        binary = scratch / "binary"
        binary.write_bytes(bytes(range(256)) * 8)
        put = ["-T", str(binary), "-H", "Content-Type: application/octet-stream", "-H", "Expect: 100-continue"]
        event = json.loads(emulator.curl(*put, f"{url}/file"))
        assert event["isBase64Encoded"] and base64.b64decode(event["body"]) == binary.read_bytes()
        assert emulator.curl(f"{url}/binary").encode("latin-1") == bytes(range(256))
        assert emulator.curl(f"{url}/plain") == '{"message": "Hello"}'
        head = emulator.curl("-I", f"{url}/")
        assert head.startswith("HTTP/1.1 201 ") and re.search(r"Content-Length: [1-9]", head), head
        status = ["-o", "/dev/null", "-w", "%{http_code}"]
        assert emulator.curl(*status, f"{url}/fail") == "502"
        binary.write_bytes(b"x" * 5 * 1024 * 1024)
        assert emulator.curl(*status, *put, f"{url}/file") == "413"
        assert emulator.curl(*status, "-H", "Origin: http://example.com", f"{url}/") == "403"


def a_stream_by_curl(scratch):
    until = scratch / "until"
    with Emulator(NODE) as emulator:
        command = ["curl", "-sSN", "-i", "--max-time", str(LIMIT), f"{emulator.url}/?until={until}"]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as curl:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += curl.stdout.readline()
            assert head.startswith(b"HTTP/1.1 202 Accepted\r\n") and b"Content-Type: text/event-stream\r\n" in head, head
            assert curl.stdout.readline() == b"first\n"
            until.touch()
            assert curl.stdout.read() == b"second\n"
        assert curl.returncode == 0
        # The response is incomplete, and curl notices.
        aborted = subprocess.run(["curl", "-sSN", f"{emulator.url}/?abort=x"], capture_output=True, timeout=LIMIT)
        assert (aborted.returncode, aborted.stdout) == (18, b"first\nsecond\n"), aborted


CHECKS = [
    invoke_of_boto3,
    errors_of_boto3,
    asynchronous_invocations_of_boto3,
    streams_of_boto3,
    the_function_url_by_curl,
    a_stream_by_curl,
]


def main():
    failed = 0
    for check in CHECKS:
        with tempfile.TemporaryDirectory() as scratch:
            try:
                check(Path(scratch))
                print(f"ok   {check.__name__.replace('_', ' ')}", flush=True)
            except Exception:
                failed += 1
                print(f"FAIL {check.__name__.replace('_', ' ')}\n{traceback.format_exc()}", flush=True)
    print(f"{len(CHECKS) - failed} passed, {failed} failed")
    sys.exit(failed > 0)


main()
