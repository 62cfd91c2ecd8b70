#!/usr/bin/env python3
"""A Lambda runtime with the handler of CONTRACT.md, written from AWS's documentation of the Runtime API alone:

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html
"""

import http.client
import json
import os
import sys
import time

API = os.environ["AWS_LAMBDA_RUNTIME_API"]


class OutOfStock(Exception):
    pass


def call(method, path, body=None, headers={}):
    connection = http.client.HTTPConnection(API)
    connection.request(method, "/2018-06-01/runtime" + path, body, headers)
    reply = connection.getresponse()
    body = reply.read()
    connection.close()
    if reply.status >= 500:
        sys.exit(f"the API cannot recover: {reply.status}")
    return reply, body


def report(path, error):
    body = {"errorType": type(error).__name__, "errorMessage": str(error), "stackTrace": []}
    call("POST", path, json.dumps(body), {"Lambda-Runtime-Function-Error-Type": "Function." + type(error).__name__})


def handle(event, headers):
    operation = event.get("do") if isinstance(event, dict) else None
    if isinstance(event, dict):
        time.sleep(event.get("after_ms", 0) / 1000)
    if operation == "context":
        members = {"request_id": "Aws-Request-Id", "invoked_function_arn": "Invoked-Function-Arn",
                   "xray_trace_id": "Trace-Id", "tenant_id": "Aws-Tenant-Id", "deadline": "Deadline-Ms"}
        context = {name: headers["Lambda-Runtime-" + header] for name, header in members.items()}
        context["deadline"] = int(context["deadline"])
        client, identity = (json.loads(headers["Lambda-Runtime-" + name] or "null")
                            for name in ("Client-Context", "Cognito-Identity"))
        ids = identity and {"identityId": identity["cognitoIdentityId"], "identityPoolId": identity["cognitoIdentityPoolId"]}
        return context | {"client_context": client, "identity": ids}
    if operation == "large":
        return "x" * event["bytes"]
    if operation == "error":
        raise OutOfStock("no apples left")
    if operation == "panic":
        raise RuntimeError("asked to panic")
    if operation == "exit":
        os._exit(event["code"])
    return event


if os.environ.get("CONFORMANCE_INIT") == "error":
    report("/init/error", OutOfStock("no apples left"))
    sys.exit(1)
while True:
    reply, event = call("GET", "/invocation/next")
    if reply.status != 200:
        sys.exit(f"no event: {reply.status}")
    invocation = "/invocation/" + reply.headers["Lambda-Runtime-Aws-Request-Id"]
    try:
        response = json.dumps(handle(json.loads(event), reply.headers))
    except Exception as error:
        report(invocation + "/error", error)
    else:
        call("POST", invocation + "/response", response)
