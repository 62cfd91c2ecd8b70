"""The checks. Each takes a started server and raises `Failure`.

Checks are independent: each begins with the invocation that starts the function.
"""

import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from real_servers.outcome import Failure, expect, shorten
from real_servers.servers import CargoLambda, ManagedRie, Reply, Rie, Server

Check = Callable[[Server], None]

# The response of the function `streaming`, which sends ten words a second, and its part when it fails midway.
TEXT = "Each of these words is sent as soon as it is ready, without waiting for the last.\n"
PARTIAL_TEXT = "Each of these words is "
STREAM_SECONDS = 0.1 * (len(TEXT.split()) - 1)


def greets(server: Server) -> None:
    expect(server.invoke({"name": "World"}).seen(), (200, {"message": "Hello, World!"}))


def echoes(server: Server) -> None:
    text = 'naïve 日本語 🦀 "quoted" back\\slash \n\t\u0001 \u2028'
    numbers = [0, -1, 2**53 + 1, 0.5, -1.25e-7]
    expect_echo(server, {"ключ": {"deep": [[], {}, [{"er": [None, True, text, ""]}]]}, "numbers": numbers})


def echoes_5_mib(server: Server) -> None:
    # No eight characters are repeated, so that a lost, doubled or swapped piece makes a difference.
    expect_echo(server, {"big": "".join(f"{n:08x}" for n in range(5 * 1024 * 1024 // 8))})


def expect_echo(server: Server, event: object) -> None:
    expect(server.invoke(event).seen(), (200, event))


def keeps_one_connection(server: Server) -> None:
    expect_echo(server, {"number": 0})
    before = server.function_connections()
    expect(f"{len(before)} open to the Runtime API", "1 open to the Runtime API")
    for number in range(1, 501):
        expect_echo(server, {"number": number})
    expect(f"afterwards {server.function_connections()}", f"afterwards {before}")


def streams(server: Server) -> None:
    reply = server.invoke({})
    expect((reply.status, reply.payload()), (200, TEXT))
    # Pauses are never shorter than requested, so a body that takes less than half of the time was buffered.
    if server.passes_on_pieces and reply.seconds < STREAM_SECONDS / 2:
        raise Failure(f"the body arrived within {reply.seconds:.2f} s, but sending it takes {STREAM_SECONDS:.2f} s")


def survives(event: object, expect_failure: Callable[[Server, Reply], None], serves: Check) -> Check:
    """The caller receives the failure each time, and the same process serves the next event."""

    def check(server: Server) -> None:
        expect_failure(server, server.invoke(event))
        process = server.function_process()
        expect_failure(server, server.invoke(event))
        serves(server)
        expect(f"function process {server.function_process()}", f"function process {process}")

    return check


def error(message: str, error_type: str, header: str | None = None) -> Callable[[Server, Reply], None]:
    """The caller receives JSON with this message and type, and this value of the header Error-Type."""

    def check(server: Server, reply: Reply) -> None:
        _, body = reply.seen()
        seen = body if isinstance(body, dict) else {}
        matches = message in str(seen.get("errorMessage")) and re.fullmatch(error_type, str(seen.get("errorType") or ""))
        if reply.status != server.failure_status or not matches:
            expected = f"{server.failure_status} and JSON with errorType {error_type} and errorMessage '...{message}...'"
            raise Failure(f"got {shorten(reply.seen())}, expected {expected}")
        if header:
            expect(f"Error-Type: {reply.headers['Error-Type']}", f"Error-Type: {header}")

    return check


def is_truncated(_: Server, reply: Reply) -> None:
    # The error is in the trailers, which neither server forwards when it runs one invocation at a time: the caller
    # receives what looks like a complete response.
    expect((reply.status, reply.payload()), (200, PARTIAL_TEXT))


def serves_four_at_once(server: Server) -> None:
    begun = time.monotonic()
    with ThreadPoolExecutor(4) as callers:
        list(callers.map(lambda n: expect_waited(server, {"wait_ms": 1000, "n": n}), range(4)))
    # Waits are never shorter than requested: with fewer than four at a time, it would take at least two seconds.
    if (seconds := time.monotonic() - begun) >= 2:
        raise Failure(f"four concurrent waits of one second took {seconds:.2f} s")


def keeps_four_connections(server: Server) -> None:
    expect_waited(server, {"n": 0})
    before = server.function_connections()
    expect(f"{len(before)} open to the Runtime API", "4 open to the Runtime API")
    with ThreadPoolExecutor(8) as callers:
        list(callers.map(lambda n: expect_waited(server, {"n": n}), range(1, 201)))
    expect(f"afterwards {server.function_connections()}", f"afterwards {before}")


def expect_waited(server: Server, event: dict[str, int]) -> None:
    expect(server.invoke(event).seen(), (200, {"event": event, "waited_ms": event.get("wait_ms", 0)}))


def reports_initialisation(server: Server) -> None:
    # Not `Runtime.ExitError`.
    report = {"errorMessage": "TIMES: environment variable not found", "errorType": "Error", "stackTrace": []}
    expect(server.invoke({}).seen(), (502, report))


def marks(server: Server) -> None:
    expect(server.invoke({}).seen(), (200, {"marked": True, "marked in a task": True}))


def sells(server: Server, reply: Reply) -> None:
    expect(reply.seen(), (200, {"sold": "pear"}))


def sells_again(server: Server) -> None:
    sells(server, server.invoke({"item": "pear"}))


# Checks by function. Each function is started once per server and executor.
ONE_AT_A_TIME: dict[str, dict[str, Check]] = {
    "hello": {"hello": greets},
    "failures": {
        "echo": echoes,
        "error": survives({"do": "error"}, error("asked to fail", r".+"), echoes),
        "panic": survives({"do": "panic"}, error("asked to panic", r"Function\.Panic"), echoes),
        "5 MiB": echoes_5_mib,
        "500 on one connection": keeps_one_connection,
    },
    "pipelining": {
        "pipelined echo": echoes,
        "pipelined 5 MiB": echoes_5_mib,
        "500 pipelined on one connection": keeps_one_connection,
    },
    "streaming": {
        "stream": streams,
        "interrupted stream": survives({"fail": True}, is_truncated, streams),
    },
}
# The servers report a failed initialisation differently.
OF_RIE: dict[str, dict[str, Check]] = {
    **ONE_AT_A_TIME,
    "init": {"failed initialisation": reports_initialisation},
    "current": {"current invocation": marks},
    "wait-until": {"work after the response": survives({"item": "pear"}, sells, sells_again)},
}
MANY_AT_ONCE: dict[str, dict[str, Check]] = {
    "concurrency": {
        "four at once": serves_four_at_once,
        "200 on four connections": keeps_four_connections,
    },
    "current": {"current invocation": marks},
    "failures": {
        "error": survives({"do": "error"}, error("asked to fail", r".+", "Function.Error"), echoes),
        "panic": survives({"do": "panic"}, error("asked to panic", r"Function\.Panic", "Function.Panic"), echoes),
    },
    "streaming": {
        "stream": streams,
        # This server forwards the error of the trailers, instead of the part of the stream.
        "interrupted stream": survives(
            {"fail": True}, error("the source ran dry", r".+", "Function.Error"), streams
        ),
    },
}
CHECKS: tuple[tuple[type[Server], dict[str, dict[str, Check]]], ...] = (
    (Rie, OF_RIE),
    (ManagedRie, MANY_AT_ONCE),
    (CargoLambda, ONE_AT_A_TIME),
)
