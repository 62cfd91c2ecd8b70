"""How a check fails: in words, and in time."""

import contextlib
import json
import signal
from collections.abc import Iterator


class Failure(Exception):
    """What a check has to complain about, in words. No OSError: the polling loops suppress those."""


def expect(got: object, wanted: object) -> None:
    # As JSON, because Python takes 1, 1.0 and True for equal.
    if json.dumps(got, sort_keys=True) != json.dumps(wanted, sort_keys=True):
        raise Failure(f"got {shorten(got)}, wanted {shorten(wanted)}")


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
    raise Failure("time is up")
