"""A function on AWS's Python runtime."""

import base64
import json
import sys


def handler(event, context):
    if isinstance(event, dict) and "rawPath" in event:
        return url(event)
    match event:
        case {"fail": message}:
            raise ValueError(message)
        case {"log": line}:
            print(line)
            print("on stderr", file=sys.stderr)
            return None
        case {"context": _}:
            client_context = context.client_context
            return {
                "arn": context.invoked_function_arn,
                "tenant": getattr(context, "tenant_id", None),
                "custom": client_context and client_context.custom,
                "memory": context.memory_limit_in_mb,
                "requestId": context.aws_request_id,
            }
        case {"size": size}:
            return "x" * size
        case {"sleep": seconds}:
            import time

            time.sleep(seconds)
    return event


def url(event):
    path = event["rawPath"]
    if path == "/binary":
        body = base64.b64encode(bytes(range(256))).decode()
        return {"statusCode": 200, "headers": {"Content-Type": "image/png"}, "body": body, "isBase64Encoded": True}
    if path == "/plain":
        return {"message": "Hello"}
    if path == "/fail":
        raise ValueError("no page")
    return {
        "statusCode": 201,
        "headers": {"Content-Type": "application/json", "X-Path": path},
        "cookies": ["session=1; Path=/", "theme=dark"],
        "body": json.dumps(event),
    }
