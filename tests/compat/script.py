"""Runs a script of a run's directory without a container, with the real launcher."""

import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from contracts.events import EventType
from contracts.names import RUN_DIRECTORY
from engines.docker.rundir import LAUNCHER, RunDirectories
from tests.compat.channel import EXECUTION, TOKEN

BASE_ENV = {"PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"}


@dataclass
class Ran:
    """How a script ended."""

    code: int
    out: str
    err: str


@dataclass
class Bench:
    """A place to run scripts in, one at a time.

    Args:
        parent: Where the run's directory is made.
        address: The channel, as a path of a socket or as a URL; None for none.
        path: PATH of the script.
    """

    parent: Path
    address: str | None = None
    path: str = os.environ["PATH"]
    documents: dict[str, bytes] = field(default_factory=dict)

    @property
    def directory(self) -> Path:
        return self.parent / "run"

    def environment(self) -> dict[str, str]:
        """What the executor sets for a script."""
        env = {
            **BASE_ENV,
            "CRONIUM_EXECUTION_TOKEN": TOKEN,
            "CRONIUM_EXECUTION_ID": EXECUTION,
            "CRONIUM_RUN_DIR": str(self.directory),
        }
        if self.address is not None:
            tcp = self.address.startswith("http")
            env["CRONIUM_RUNTIME_API" if tcp else "CRONIUM_SOCKET"] = self.address
        return env

    def run(
        self,
        language: EventType,
        script: str,
        seconds: float = 60,
        **env: str,
    ) -> Ran:
        """Run a script as the sandbox's first process would."""
        RunDirectories(self.parent).create(
            "run",
            event_type=language,
            script=script,
            env={**self.environment(), **env},
            documents=self.documents,
        )
        start = self.directory / LAUNCHER
        text = start.read_text().replace(f"{RUN_DIRECTORY}/", f"{self.directory}/")
        start.unlink()
        start.write_text(text)
        done = subprocess.run(
            ["/bin/sh", str(start)],
            env={"PATH": self.path, "HOME": str(self.parent), "LANG": "C.UTF-8"},
            cwd=self.parent,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=seconds,
        )
        return Ran(done.returncode, done.stdout.decode(), done.stderr.decode())
