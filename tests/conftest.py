"""What all tests share: real parts are started or the run fails and says why."""

import gc
import os
import secrets
import shutil
import socket
import sys
import time
from pathlib import Path

import docker
import pytest

from cli.ports import is_free
from contracts.names import RUNNER_IMAGE
from tests.remains import remove_remains

# The processes of pytest-xdist inherit it from the one that starts them: what all of
# them make is told apart from what another run of the tests beside this one makes.
RUN = os.environ.setdefault("CRONTEST_RUN", "t" + secrets.token_hex(4))
PORTS: list[socket.socket] = []


def new_instance(kind: str = "test") -> str:
    """Return the id of an instance of ours that this run of the tests cleans up."""
    return f"{RUN}-{kind}-{secrets.token_hex(4)}"


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Give the Temporal core time to end, or the interpreter may abort at exit.

    And take away what instances of this run have left, whatever their fixtures did.
    """
    gc.collect()
    time.sleep(0.1)
    if hasattr(session.config, "workerinput"):
        # The others of pytest-xdist may still be at work.
        return
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    for name in remove_remains(RUN + "-"):
        if reporter is not None:
            reporter.ensure_newline()
            reporter.write_line(f"tests left {name}: removed now", yellow=True)


@pytest.fixture(scope="session")
def docker_client() -> docker.APIClient:
    """The daemon with the runner image; without them nothing can be shown."""
    client = docker.APIClient(base_url="unix:///var/run/docker.sock", version="auto")
    try:
        client.inspect_image(RUNNER_IMAGE)
    except docker.errors.ImageNotFound:
        pytest.fail(f"{RUNNER_IMAGE} is missing: run `make setup`", pytrace=False)
    return client


@pytest.fixture(scope="session")
def temporal_binary() -> str:
    """Path of the Temporal CLI that the dev extra installs."""
    beside = Path(sys.executable).parent / "temporal"
    found = str(beside) if beside.exists() else shutil.which("temporal")
    if found is None:
        pytest.fail("the Temporal CLI is missing: run `make setup`", pytrace=False)
    return found


@pytest.fixture
def free_port() -> int:
    """A port that nothing listens on."""
    return pick_port()


def pick_port() -> int:
    """A port of this test process alone, until it ends.

    It is below those of outgoing connections, one of which could take it while the part
    that has it is down, and beside those that `cli.ports` chooses from.
    """
    while True:
        port = 10_000 + secrets.randbelow(10_000)
        mark = socket.socket(socket.AF_UNIX)
        try:
            # A name without a file: the kernel forgets it with the process.
            mark.bind(f"\0cronium-test-port-{port}")
        except OSError:
            mark.close()
            continue
        if is_free(port):
            PORTS.append(mark)
            return port
        mark.close()
