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

# A server that can tell that the function is late gets to say so before the check is out of time.
CHECK_SECONDS, FUNCTION_SECONDS, STOP_SECONDS = 60, 30, 10
LOG_TAIL_BYTES = 4000

# The only place where RIE, as a host of Managed Instances, looks for the function.
BOOTSTRAP = Path("/var/task/bootstrap")


@dataclass(frozen=True)
class Answer:
    """What the caller sees of an invocation."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes
    seconds: float  # from the first piece of the body to its end

    def seen(self) -> tuple[int, Any]:
        """The status and the JSON, or the text where it is no JSON."""
        try:
            return self.status, json.loads(self.body)
        except ValueError:
            return self.status, self.body.decode(errors="replace")

    def payload(self) -> str:
        """What was streamed, without the prelude that RIE leaves in front of it."""
        return self.body.rpartition(bytes(8))[2].decode(errors="replace")


class Server:
    """A server with one function behind it: start, then invoke as often as wanted, then stop."""

    name: ClassVar[str]
    wheel: ClassVar[Wheel]
    path: ClassVar[str]  # where it takes invocations
    failure_status: ClassVar[int]  # what the caller gets when the handler failed
    passes_on_pieces: ClassVar[bool]  # the caller gets what is streamed as it comes, not all of it at the end

    def __init__(self, function: Path) -> None:
        self.function = function
        self.port = free_port()
        self.api_port = self.port  # where it serves the Runtime API
        self.children: dict[str, subprocess.Popen[bytes]] = {}
        self.log = WORK / f"{self.name}-{function.name}.log"
        self.log.write_bytes(b"")

    def start(self) -> None:
        raise NotImplementedError

    def function_process(self) -> int:
        """The function's process id; a Failure when it does not run."""
        raise NotImplementedError

    def invoke(self, event: object) -> Answer:
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
            pieces.append(response.read())  # nothing, or an error: read1 takes a body that is cut off for whole
        return Answer(response.status, response.headers, b"".join(pieces), seconds)

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
            # In a session of its own: stop() then finds whatever it starts, in whichever process group.
            child = subprocess.Popen(
                command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        self.children[Path(command[0]).name] = child
        return child

    def wait_until_listening(self) -> None:
        # By a bare connection: cargo-lambda takes any request for an invocation.
        while True:
            self.check_children()
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
                return
            time.sleep(0.05)

    def check_children(self) -> None:
        for name, child in self.children.items():
            if child.poll() is not None:
                raise Failure(f"{name} has ended with {child.returncode}")

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
    """AWS's emulator. It starts the function at the first invocation, and again when it has died."""

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
            raise Failure(f"got {len(running)} processes that run the function, wanted 1")
        return running[0]


class ManagedRie(Rie):
    """The same emulator as a host of Lambda Managed Instances: many invocations at once in one process."""

    name = "rie-managed"
    variables: ClassVar[dict[str, str]] = {"AWS_LAMBDA_MAX_CONCURRENCY": "4"}

    def start(self) -> None:
        # It starts the function at once, so the place is taken for a moment only.
        with at_bootstrap(self.function):
            super().start()
            while not self.runs_the_function():
                self.check_children()
                time.sleep(0.02)

    def runs_the_function(self) -> bool:
        with contextlib.suppress(Failure, OSError):  # it has not been started yet
            return Path(f"/proc/{self.function_process()}/exe").samefile(self.function)
        return False

    def invoke(self, event: object) -> Answer:
        # It refuses an invocation for which no worker waits, where Lambda would send it to another instance.
        enough = time.monotonic() + FUNCTION_SECONDS
        while True:
            answer = super().invoke(event)
            if answer.seen() != (400, {"errorType": "Runtime.Unavailable"}) or time.monotonic() > enough:
                return answer
            time.sleep(0.002)


class CargoLambda(Server):
    """`cargo lambda watch` as a server of the Runtime API only: the function is started here."""

    name = "cargo-lambda"
    wheel = Wheel("cargo-lambda", "1.9.2", ".data/scripts/cargo-lambda")
    path = "/2015-03-31/functions/_/invocations"
    failure_status = 500
    passes_on_pieces = True

    def start(self) -> None:
        command = [str(self.wheel.binary()), "lambda", "watch", "--only-lambda-apis"]
        command += ["--invoke-address", "127.0.0.1", "--invoke-port", str(self.port)]
        self.spawn(command, cwd=ROOT)  # it insists on a cargo project, of which it uses nothing
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
    """Has the function at BOOTSTRAP, and puts back what was there before."""
    created = not BOOTSTRAP.parent.exists()
    kept = BOOTSTRAP.with_name("bootstrap.kept")
    try:
        BOOTSTRAP.parent.mkdir(parents=True, exist_ok=True)
        if os.path.lexists(kept):
            raise FileExistsError(f"a run that was killed has left {kept}")
        if os.path.lexists(BOOTSTRAP):
            BOOTSTRAP.rename(kept)
        BOOTSTRAP.symlink_to(function)
    except OSError as error:
        raise Failure(f"the function must be put at {BOOTSTRAP} for this server: {error}") from error
    try:
        yield
    finally:
        BOOTSTRAP.unlink(missing_ok=True)
        if os.path.lexists(kept):
            kept.rename(BOOTSTRAP)
        if created:
            BOOTSTRAP.parent.rmdir()


def processes(session: int) -> dict[int, int]:
    """The living processes of a session, each with its parent."""
    found = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it may have ended meanwhile
            state, parent, _, its_session = stat.read_text(errors="replace").rpartition(")")[2].split()[:4]
            if int(its_session) == session and state != "Z":
                found[int(stat.parent.name)] = int(parent)
    return found


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
