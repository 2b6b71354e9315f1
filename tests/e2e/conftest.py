"""The product as a user has it: the command, and a stack of processes behind it."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import docker
import pytest

from tests.conftest import RUN
from tests.remains import remove_remains

COMMAND = str(Path(sys.executable).parent / "cronium")
Cronium = Callable[..., subprocess.CompletedProcess[str]]


def environment(state: Path) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("CRONIUM_")}
    return {
        **kept,
        "CRONIUM_STATE_DIR": str(state),
        "CRONIUM_DOCKER_RUN_DIR": str(state / "run"),
        "CRONIUM_INSTANCE": f"{RUN}-e2e-{os.getpid()}",
        "CRONIUM_HTTP_ALLOWED_HOSTS": "127.0.0.1",
        "CRONIUM_SECRETS_DIRECTORY": str(state / "secrets"),
        "PYTHONUNBUFFERED": "1",
    }


@pytest.fixture(scope="package")
def state(
    docker_client: docker.APIClient, temporal_binary: str, tmp_path_factory: Any
) -> Iterator[Path]:
    """The state directory of a background stack that all tests here use."""
    directory: Path = tmp_path_factory.mktemp("state")
    (directory / "secrets").mkdir()
    begun = subprocess.run(
        [COMMAND, "dev", "--background"],
        env=environment(directory),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert begun.returncode == 0, begun.stderr
    yield directory
    try:
        subprocess.run(
            [COMMAND, "down"], env=environment(directory), check=True, timeout=60
        )
    finally:
        remove_remains(environment(directory)["CRONIUM_INSTANCE"])


@pytest.fixture(scope="package")
def cronium(state: Path) -> Cronium:
    """Runs the command to its end."""

    def run(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [COMMAND, *arguments],
            env=environment(state),
            capture_output=True,
            text=options.pop("text", True),
            timeout=options.pop("timeout", 60),
            **options,
        )

    return run


@pytest.fixture
def secret(state: Path) -> Callable[[str, str], None]:
    """Gives the worker a secret."""

    def give(name: str, value: str) -> None:
        (state / "secrets" / name).write_text(value)

    return give


class Receiver(BaseHTTPRequestHandler):
    """Takes every request and keeps it."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.server.seen.append(  # type: ignore[attr-defined]
            Taken(self.command, self.path, dict(self.headers), body)
        )
        answer = b'{"taken": true}'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_PUT = do_POST

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


class Taken(NamedTuple):
    """A request that came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Listening:
    """A receiver on loopback."""

    port: int
    seen: list[Taken]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@pytest.fixture
def receiver() -> Iterator[Listening]:
    """A server that takes whatever comes."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    server.seen = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield Listening(server.server_port, server.seen)  # type: ignore[attr-defined]
    server.shutdown()
    server.server_close()
    thread.join()
