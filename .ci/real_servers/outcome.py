"""Failures and the time limit of checks."""

import contextlib
import json
import signal
from collections.abc import Iterator


class Failure(Exception):
    """The message of a failed check. Not an OSError, because the polling loops suppress those."""


def expect(got: object, expected: object) -> None:
    # Compared as JSON, because 1, 1.0 and True are equal in Python.
    if json.dumps(got, sort_keys=True) != json.dumps(expected, sort_keys=True):
        raise Failure(f"got {shorten(got)}, expected {shorten(expected)}")


def shorten(value: object) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= 300 else f"{text[:200]}... ({len(text)} characters)"


@contextlib.contextmanager
def time_limit(seconds: int) -> Iterator[None]:
    signal.signal(signal.SIGALRM, out_of_time)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)


def out_of_time(*_: object) -> None:
    raise Failure("the check timed out")
