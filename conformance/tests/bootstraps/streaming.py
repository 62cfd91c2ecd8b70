#!/usr/bin/env python3
"""A Lambda runtime with streaming, SnapStart and many invocations at once, for tests of the suite."""

import base64
import http.client
import json
import os
import sys
import threading
import time

API = os.environ["AWS_LAMBDA_RUNTIME_API"]
INIT = os.environ.get("CONFORMANCE_INIT")
WORKERS = int(os.environ.get("AWS_LAMBDA_MAX_CONCURRENCY", "1"))
ERROR = {"errorType": "OutOfStock", "errorMessage": "no apples left", "stackTrace": []}


def call(connection, method, path, body=None, headers={}):
    connection.request(method, "/2018-06-01/runtime" + path, body, headers)
    reply = connection.getresponse()
    return reply, reply.read()


def stream(connection, path, event):
    connection.putrequest("POST", "/2018-06-01/runtime" + path)
    connection.putheader("Lambda-Runtime-Function-Response-Mode", "streaming")
    connection.putheader("Transfer-Encoding", "chunked")
    connection.putheader("Content-Type", "application/vnd.awslambda.http-integration-response")
    connection.putheader("Trailer", "Lambda-Runtime-Function-Error-Type")
    connection.putheader("Trailer", "Lambda-Runtime-Function-Error-Body")
    connection.endheaders()

    def chunk(data):
        if data:
            connection.send(b"%x\r\n%s\r\n" % (len(data), data))

    chunk(b'{"statusCode":200}' + b"\0" * 8)
    for _ in range(event.get("empty", 0)):
        chunk(b"")
    for n in range(event.get("chunks", 0)):
        time.sleep(event.get("every_ms", 0) / 1000)
        chunk(bytes([97 + n % 26]) * event.get("bytes", 1))
    trailers = b""
    if event.get("then") in ("error", "panic"):
        message = "the source ran dry" if event["then"] == "error" else "asked to panic midway"
        body = base64.b64encode(json.dumps({"errorType": "Error", "errorMessage": message}).encode())
        trailers += b"Lambda-Runtime-Function-Error-Type: Function.Error\r\n"
        trailers += b"Lambda-Runtime-Function-Error-Body: " + body + b"\r\n"
    connection.send(b"0\r\n" + trailers + b"\r\n")
    return connection.getresponse().read()


def work():
    connection = http.client.HTTPConnection(API)
    while True:
        reply, body = call(connection, "GET", "/invocation/next")
        invocation = "/invocation/" + reply.headers["Lambda-Runtime-Aws-Request-Id"]
        event = json.loads(body)
        operation = event.get("do") if isinstance(event, dict) else None
        if isinstance(event, dict):
            time.sleep(event.get("after_ms", 0) / 1000)
        if operation == "stream":
            stream(connection, invocation + "/response", event)
        elif operation == "error":
            call(connection, "POST", invocation + "/error", json.dumps(ERROR))
        else:
            call(connection, "POST", invocation + "/response", body)


def fail(path, error_type):
    connection = http.client.HTTPConnection(API)
    call(connection, "POST", path, json.dumps(ERROR), {"Lambda-Runtime-Function-Error-Type": error_type})
    sys.exit(1)


if os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"] == "snap-start":
    if INIT == "before snapshot":
        fail("/init/error", "Runtime.BeforeSnapshotError")
    if call(http.client.HTTPConnection(API), "GET", "/restore/next")[0].status != 200:
        sys.exit(1)
    if INIT == "after restore":
        fail("/restore/error", "Runtime.AfterRestoreError")
for _ in range(1, WORKERS):
    threading.Thread(target=work).start()
work()
