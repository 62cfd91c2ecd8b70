#!/usr/bin/env python3
"""Starts a Lambda runtime and gives its requests fixed replies, to reproduce what happens without any other tool.

    reply.py REPLY ... -- COMMAND ...

The n-th request gets the n-th reply, an HTTP message in which \\r\\n may be written as \\n; `event` stands for an event.
Later requests wait. Everything that the runtime sends is printed, and how it ended within three seconds.
"""

import os
import socket
import subprocess
import sys
import threading

EVENT = """HTTP/1.1 200 OK
Content-Type: application/json
Lambda-Runtime-Aws-Request-Id: 8476a536-e9f4-11e8-9739-2dfe598c3fcd
Lambda-Runtime-Deadline-Ms: 4102444800000
Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:us-east-1:123456789012:function:f
Content-Length: 2

{}"""

at = sys.argv.index("--")
replies, command = sys.argv[1:at], sys.argv[at + 1 :]
listener = socket.create_server(("127.0.0.1", 0))


def serve(connection):
    while request := connection.recv(65536):
        print(request.decode(errors="replace"))
        if not replies:
            continue
        reply = replies.pop(0).encode().decode("unicode_escape")
        reply = EVENT if reply == "event" else reply
        head, _, body = reply.partition("\n\n")
        connection.sendall((head.replace("\n", "\r\n") + "\r\n\r\n" + body).encode())


def accept():
    while True:
        threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()


threading.Thread(target=accept, daemon=True).start()
address = "127.0.0.1:%d" % listener.getsockname()[1]
variables = {"AWS_LAMBDA_FUNCTION_NAME": "f", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128", "AWS_LAMBDA_FUNCTION_VERSION": "1",
             "AWS_LAMBDA_LOG_GROUP_NAME": "g", "AWS_LAMBDA_LOG_STREAM_NAME": "s", "_HANDLER": "handler.handler"}
process = subprocess.Popen(command, env=os.environ | variables | {"AWS_LAMBDA_RUNTIME_API": address})
try:
    code = process.wait(timeout=3)
    print(f"the command ended with {code}" + (f": signal {-code}" if code < 0 else ""))
except subprocess.TimeoutExpired:
    print("the command still runs")
    process.kill()
