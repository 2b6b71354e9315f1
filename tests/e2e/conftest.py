"""The product as a user has it: the command, and a stack of processes behind it."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

COMMAND = str(Path(sys.executable).parent / "cronium")
Cronium = Callable[..., subprocess.CompletedProcess[str]]


def environment(state: Path) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("CRONIUM_")}
    return {
        **kept,
        "CRONIUM_STATE_DIR": str(state),
        "CRONIUM_DOCKER_RUN_DIR": str(state / "run"),
        "CRONIUM_INSTANCE": f"e2e-{os.getpid()}",
        "PYTHONUNBUFFERED": "1",
    }


@pytest.fixture(scope="session")
def state(
    docker_client: docker.APIClient, temporal_binary: str, tmp_path_factory: Any
) -> Iterator[Path]:
    """The state directory of a background stack that all tests here use."""
    directory: Path = tmp_path_factory.mktemp("state")
    begun = subprocess.run(
        [COMMAND, "dev", "--background"],
        env=environment(directory),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert begun.returncode == 0, begun.stderr
    yield directory
    subprocess.run(
        [COMMAND, "down"], env=environment(directory), check=True, timeout=60
    )


@pytest.fixture(scope="session")
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
