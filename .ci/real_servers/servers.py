"""The servers: how each is started, invoked and stopped."""

import contextlib
import http.client
import json
import os
import platform
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from real_servers.outcome import Failure, time_limit
from real_servers.wheels import ROOT, WORK, Wheel

# A server reports that the function timed out before the check itself times out.
CHECK_SECONDS, FUNCTION_SECONDS, STOP_SECONDS = 60, 30, 10
LOG_TAIL_BYTES = 4000

# The only place where RIE, as a host of Managed Instances, looks for the function.
BOOTSTRAP = Path("/var/task/bootstrap")


@dataclass(frozen=True)
class Reply:
    """The reply to the caller of an invocation."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes
    seconds: float  # from the first piece of the body to its end

    def seen(self) -> tuple[int, Any]:
        """The status, and the body as JSON, or as text if it is not JSON."""
        try:
            return self.status, json.loads(self.body)
        except ValueError:
            return self.status, self.body.decode(errors="replace")

    def payload(self) -> str:
        """The streamed body, without the prelude that RIE leaves before it."""
        return self.body.rpartition(bytes(8))[2].decode(errors="replace")


class Server:
    """A server with one function: start it, invoke the function any number of times, stop it."""

    name: ClassVar[str]
    wheel: ClassVar[Wheel]
    path: ClassVar[str]  # of its Invoke API
    failure_status: ClassVar[int]  # of the reply to the caller if the handler fails
    passes_on_pieces: ClassVar[bool]  # forwards a streamed body as it arrives, instead of at its end

    def __init__(self, function: Path) -> None:
        self.function = function
        self.port = free_port()
        self.api_port = self.port  # of the Runtime API
        self.children: dict[str, subprocess.Popen[bytes]] = {}
        self.log = WORK / f"{self.name}-{function.name}.log"
        self.log.write_bytes(b"")

    def start(self) -> None:
        raise NotImplementedError

    def function_process(self) -> int:
        """The function's process id; raises Failure if it is not running."""
        raise NotImplementedError

    def invoke(self, event: object) -> Reply:
        self.check_children()
        body = json.dumps(event, ensure_ascii=False).encode()
        caller = http.client.HTTPConnection("127.0.0.1", self.port, timeout=CHECK_SECONDS)
        with contextlib.closing(caller):
            caller.request("POST", self.path, body, {"Content-Type": "application/json"})
            response = caller.getresponse()
            pieces = [response.read1(1 << 20)]
            begun = time.monotonic()
            while piece := response.read1(1 << 20):
                pieces.append(piece)
            seconds = time.monotonic() - begun
            pieces.append(response.read())  # nothing, or an error: read1 does not report a truncated body
        return Reply(response.status, response.headers, b"".join(pieces), seconds)

    def function_connections(self) -> list[str]:
        """The function's established connections to the Runtime API, by socket inode."""
        process = Path(f"/proc/{self.function_process()}")
        established = set()
        for table in ("tcp", "tcp6"):
            for line in (process / "net" / table).read_text().splitlines()[1:]:
                _, _, remote, state, _, _, _, _, _, inode, *_ = line.split()
                if int(remote.rpartition(":")[2], 16) == self.api_port and state == "01":
                    established.add(f"socket:[{inode}]")
        return sorted(established & {os.readlink(fd) for fd in (process / "fd").iterdir()})

    def spawn(self, command: list[str], cwd: Path, **variables: str) -> subprocess.Popen[bytes]:
        env = {**os.environ, **variables}
        with open(self.log, "ab") as log:
            # In a new session, by which stop() finds all processes that it starts, in any process group.
            child = subprocess.Popen(
                command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        self.children[Path(command[0]).name] = child
        return child

    def wait_until_listening(self) -> None:
        # Without a request, because cargo-lambda treats any request as an invocation.
        while True:
            self.check_children()
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
                return
            time.sleep(0.05)

    def check_children(self) -> None:
        for name, child in self.children.items():
            if child.poll() is not None:
                raise Failure(f"{name} exited with code {child.returncode}")

    def stop(self) -> None:
        for child in self.children.values():
            with time_limit(STOP_SECONDS):
                while running := processes(session=child.pid):
                    for pid in running:
                        with contextlib.suppress(ProcessLookupError):
                            os.kill(pid, signal.SIGKILL)
                    time.sleep(0.02)
                child.wait()

    def log_tail(self) -> str:
        lines = self.log.read_bytes()[-LOG_TAIL_BYTES:].decode(errors="replace").splitlines()
        return "\n".join(f"     | {line}" for line in lines or ["the log is empty"])


class Rie(Server):
    """AWS's emulator. Starts the function on the first invocation, and again after it exits."""

    name = "rie"
    machine = "arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64"
    wheel = Wheel("aws-sam-cli", "1.170.0", f"samcli/local/rapid/aws-lambda-rie-{machine}")
    path = "/2015-03-31/functions/function/invocations"
    failure_status = 200
    passes_on_pieces = False
    variables: ClassVar[dict[str, str]] = {}

    def start(self) -> None:
        self.api_port = free_port()
        command = [str(self.wheel.binary()), "--runtime-interface-emulator-address", f"127.0.0.1:{self.port}"]
        command += ["--runtime-api-address", f"127.0.0.1:{self.api_port}", str(self.function)]
        timeout = {"AWS_LAMBDA_FUNCTION_TIMEOUT": str(FUNCTION_SECONDS)}
        self.rie = self.spawn(command, cwd=WORK, **timeout, **self.variables)
        self.wait_until_listening()

    def function_process(self) -> int:
        running = [pid for pid, parent in processes(session=self.rie.pid).items() if parent == self.rie.pid]
        if len(running) != 1:
            raise Failure(f"{len(running)} processes run the function, expected 1")
        return running[0]


class ManagedRie(Rie):
    """The same emulator as a host of Lambda Managed Instances: several invocations at a time in one process."""

    name = "rie-managed"
    variables: ClassVar[dict[str, str]] = {"AWS_LAMBDA_MAX_CONCURRENCY": "4"}

    def start(self) -> None:
        # It starts the function immediately, so the file is needed only briefly.
        with at_bootstrap(self.function):
            super().start()
            while not self.runs_the_function():
                self.check_children()
                time.sleep(0.02)

    def runs_the_function(self) -> bool:
        with contextlib.suppress(Failure, OSError):  # not started yet
            return Path(f"/proc/{self.function_process()}/exe").samefile(self.function)
        return False

    def invoke(self, event: object) -> Reply:
        # It refuses an invocation if no worker is waiting; Lambda would choose another instance.
        deadline = time.monotonic() + FUNCTION_SECONDS
        while True:
            reply = super().invoke(event)
            if reply.seen() != (400, {"errorType": "Runtime.Unavailable"}) or time.monotonic() > deadline:
                return reply
            time.sleep(0.002)


class CargoLambda(Server):
    """`cargo lambda watch`, serving the Runtime API without starting the function, which this class does."""

    name = "cargo-lambda"
    wheel = Wheel("cargo-lambda", "1.9.2", ".data/scripts/cargo-lambda")
    path = "/2015-03-31/functions/_/invocations"
    failure_status = 500
    passes_on_pieces = True

    def start(self) -> None:
        command = [str(self.wheel.binary()), "lambda", "watch", "--only-lambda-apis"]
        command += ["--invoke-address", "127.0.0.1", "--invoke-port", str(self.port)]
        self.spawn(command, cwd=ROOT)  # it needs the folder of a cargo project, and does not use it
        self.wait_until_listening()
        variables = {"RUNTIME_API": f"http://127.0.0.1:{self.port}/.rt", "FUNCTION_NAME": "_"}
        variables |= {"FUNCTION_VERSION": "1", "FUNCTION_MEMORY_SIZE": "4096"}
        env = {f"AWS_LAMBDA_{name}": value for name, value in variables.items()}
        self.running = self.spawn([str(self.function)], cwd=WORK, **env)

    def function_process(self) -> int:
        self.check_children()
        return self.running.pid


@contextlib.contextmanager
def at_bootstrap(function: Path) -> Iterator[None]:
    """Links BOOTSTRAP to the function, and restores the previous file afterwards."""
    created = not BOOTSTRAP.parent.exists()
    kept = BOOTSTRAP.with_name("bootstrap.kept")
    try:
        BOOTSTRAP.parent.mkdir(parents=True, exist_ok=True)
        if os.path.lexists(kept):
            raise FileExistsError(f"{kept} is left over from a killed run")
        if os.path.lexists(BOOTSTRAP):
            BOOTSTRAP.rename(kept)
        BOOTSTRAP.symlink_to(function)
    except OSError as error:
        raise Failure(f"cannot link {BOOTSTRAP} to the function, which this server needs: {error}") from error
    try:
        yield
    finally:
        BOOTSTRAP.unlink(missing_ok=True)
        if os.path.lexists(kept):
            kept.rename(BOOTSTRAP)
        if created:
            BOOTSTRAP.parent.rmdir()


def processes(session: int) -> dict[int, int]:
    """The running processes of a session, by id, with their parents."""
    found = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it may have exited
            state, parent, _, its_session = stat.read_text(errors="replace").rpartition(")")[2].split()[:4]
            if int(its_session) == session and state != "Z":
                found[int(stat.parent.name)] = int(parent)
    return found


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
