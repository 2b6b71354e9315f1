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

from contracts.names import RUNNER_IMAGE
from tests.remains import remove_remains

# The processes of pytest-xdist inherit it from the one that starts them: what all of
# them make is told apart from what another run of the tests beside this one makes.
RUN = os.environ.setdefault("CRONTEST_RUN", "t" + secrets.token_hex(4))


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
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
