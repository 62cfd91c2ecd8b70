"""The checks. Each gets a started server and raises what it has to complain about.

None builds on another one: each begins with whatever invocation it needs to have the function running.
"""

import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from real_servers.outcome import Failure, expect, shorten
from real_servers.servers import Answer, CargoLambda, ManagedRie, Rie, Server

Check = Callable[[Server], None]

# What the function `streaming` sends, a word every tenth of a second, and what is left of it when it fails midway.
TEXT = "Each of these words is sent as soon as it is there, and nobody waits for the last.\n"
TORN_TEXT = "Each of these words is "
STREAM_SECONDS = 0.1 * (len(TEXT.split()) - 1)


def greets(server: Server) -> None:
    expect(server.invoke({"name": "World"}).seen(), (200, {"message": "Hello, World!"}))


def echoes(server: Server) -> None:
    text = 'naïve 日本語 🦀 "quoted" back\\slash \n\t\u0001 \u2028'
    numbers = [0, -1, 2**53 + 1, 0.5, -1.25e-7]
    expect_echo(server, {"ключ": {"deep": [[], {}, [{"er": [None, True, text, ""]}]]}, "numbers": numbers})


def echoes_5_mib(server: Server) -> None:
    # Every eight characters are different, so that a lost, doubled or swapped piece is seen.
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
    answer = server.invoke({})
    expect((answer.status, answer.payload()), (200, TEXT))
    # The function never pauses for less than it says, so a body that takes half that long was not sent at its end.
    if server.passes_on_pieces and answer.seconds < STREAM_SECONDS / 2:
        raise Failure(f"the words came within {answer.seconds:.2f} s, while sending takes {STREAM_SECONDS:.2f} s")


def survives(event: object, expect_failure: Callable[[Server, Answer], None], serves: Check) -> Check:
    """The caller sees the failure, every time, and the same process goes on serving."""

    def check(server: Server) -> None:
        expect_failure(server, server.invoke(event))
        process = server.function_process()
        expect_failure(server, server.invoke(event))
        serves(server)
        expect(f"function process {server.function_process()}", f"function process {process}")

    return check


def error(message: str, error_type: str, header: str | None = None) -> Callable[[Server, Answer], None]:
    """The caller is told of it by JSON with these, and by this value of the header Error-Type."""

    def check(server: Server, answer: Answer) -> None:
        _, body = answer.seen()
        seen = body if isinstance(body, dict) else {}
        told = message in str(seen.get("errorMessage")) and re.fullmatch(error_type, str(seen.get("errorType") or ""))
        if answer.status != server.failure_status or not told:
            wanted = f"{server.failure_status} and JSON with errorType {error_type} and errorMessage '...{message}...'"
            raise Failure(f"got {shorten(answer.seen())}, wanted {wanted}")
        if header:
            expect(f"Error-Type: {answer.headers['Error-Type']}", f"Error-Type: {header}")

    return check


def breaks_off(_: Server, answer: Answer) -> None:
    # That it is torn is told in trailers. Neither server passes them on where there is one invocation at a time: the
    # caller cannot tell this from an end.
    expect((answer.status, answer.payload()), (200, TORN_TEXT))


def serves_four_at_once(server: Server) -> None:
    begun = time.monotonic()
    with ThreadPoolExecutor(4) as callers:
        list(callers.map(lambda n: expect_waited(server, {"wait_ms": 1000, "n": n}), range(4)))
    # No wait is shorter than it says, so if only three went on at a time it would take two of them.
    if (seconds := time.monotonic() - begun) >= 2:
        raise Failure(f"four that wait for a second each took {seconds:.2f} s together")


def keeps_four_connections(server: Server) -> None:
    expect_waited(server, {"n": 0})
    before = server.function_connections()
    expect(f"{len(before)} open to the Runtime API", "4 open to the Runtime API")
    with ThreadPoolExecutor(8) as callers:
        list(callers.map(lambda n: expect_waited(server, {"n": n}), range(1, 201)))
    expect(f"afterwards {server.function_connections()}", f"afterwards {before}")


def expect_waited(server: Server, event: dict[str, int]) -> None:
    expect(server.invoke(event).seen(), (200, {"event": event, "waited_ms": event.get("wait_ms", 0)}))


# Function, then its checks: each function is started once for every server and executor.
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
        "torn stream": survives({"fail": True}, breaks_off, streams),
    },
}
MANY_AT_ONCE: dict[str, dict[str, Check]] = {
    "concurrency": {
        "four at once": serves_four_at_once,
        "200 on four connections": keeps_four_connections,
    },
    "failures": {
        "error": survives({"do": "error"}, error("asked to fail", r".+", "Function.Error"), echoes),
        "panic": survives({"do": "panic"}, error("asked to panic", r"Function\.Panic", "Function.Panic"), echoes),
    },
    "streaming": {
        "stream": streams,
        # Here the trailers reach the caller, in place of what was streamed before.
        "torn stream": survives(
            {"fail": True}, error("the source of words ran dry", r".+", "Function.Error"), streams
        ),
    },
}
CHECKS: tuple[tuple[type[Server], dict[str, dict[str, Check]]], ...] = (
    (Rie, ONE_AT_A_TIME),
    (ManagedRie, MANY_AT_ONCE),
    (CargoLambda, ONE_AT_A_TIME),
)
