"""The handler of CONTRACT.md, for awslambdaric: python3 -m awslambdaric handler.handler"""

import os
import time

from snapshot_restore_py import register_after_restore, register_before_snapshot


class OutOfStock(Exception):
    pass


def fail(*_):
    raise OutOfStock("no apples left")


init = os.environ.get("CONFORMANCE_INIT")
if init == "error":
    fail()
if init == "before snapshot":
    register_before_snapshot(fail)
if init == "after restore":
    register_after_restore(fail)


def handler(event, context):
    if not isinstance(event, dict):
        return event
    time.sleep(event.get("after_ms", 0) / 1000)
    operation = event.get("do")
    if operation is None:
        return event
    if operation == "context":
        return describe(context)
    if operation == "large":
        return "x" * event["bytes"]
    if operation == "error":
        fail()
    if operation == "panic":
        raise RuntimeError("asked to panic")
    if operation == "exit":
        os._exit(event["code"])
    raise ValueError(f"unknown operation: {operation}")


def describe(context):
    client, identity = context.client_context, context.identity
    if identity and not identity.cognito_identity_id:
        identity = None
    return {
        "request_id": context.aws_request_id,
        "deadline": int(time.time() * 1000) + context.get_remaining_time_in_millis(),
        "invoked_function_arn": context.invoked_function_arn,
        "xray_trace_id": os.environ.get("_X_AMZN_TRACE_ID"),
        "tenant_id": context.tenant_id,
        "client_context": client and {"custom": client.custom, "env": client.env},
        "identity": identity
        and {"identityId": identity.cognito_identity_id, "identityPoolId": identity.cognito_identity_pool_id},
    }
