"""The TypeScript client, by its own tests: alone, and with a stack of processes."""

from pathlib import Path

import docker
import pytest

from contracts.names import RUNNER_IMAGE
from tests.typescript.conftest import (
    CLIENT,
    ROOT,
    checked,
    environment,
    kept_environment,
)

ALONE = ["package", "errors", "environment", "stored", "codec"]
WITH_STACK = ["events", "logs", "workflows", "schedules"]
ENCRYPTED = ["encrypted"]
SECONDS = 300
"""Of each file, however busy the machine is; alone, it takes less than a tenth."""
pytestmark = pytest.mark.timeout(2 * SECONDS)


def run(client: Path, name: str, env: dict[str, str]) -> None:
    limit = f"--test-timeout={SECONDS * 1000}"
    file = f"test/{name}.test.mjs"
    checked("node", "--test", limit, file, cwd=client, env=env, seconds=SECONDS)


@pytest.mark.parametrize("name", ALONE)
def test_the_client_by_itself(client: Path, name: str) -> None:
    run(client, name, kept_environment())


@pytest.mark.parametrize("name", WITH_STACK)
def test_the_client_with_a_stack(client: Path, state: Path, name: str) -> None:
    run(client, name, environment(state))


@pytest.mark.parametrize("name", ENCRYPTED)
def test_the_client_with_a_stack_that_encrypts(
    client: Path, encrypted_state: Path, name: str
) -> None:
    keys = {"CRONIUM_ENCRYPTION_KEYS_FILE": str(encrypted_state / "keys.json")}
    run(client, name, {**environment(encrypted_state), **keys})


def run_on_oldest(client: Path, names: list[str], *options: str) -> None:
    """Run tests with the Node.js of the runner image, the oldest that is supported."""
    checked(
        *("docker", "run", "--rm", "--user", "0", "--entrypoint", "node", *options),
        *("--volume", f"{ROOT}:{ROOT}:ro", "--workdir", str(client), RUNNER_IMAGE),
        *("--test", *(f"test/{name}.test.mjs" for name in names)),
        cwd=client,
        seconds=SECONDS,
    )


def test_the_oldest_node_runs_the_client(
    client: Path, docker_client: docker.APIClient
) -> None:
    version = ("docker", "run", "--rm", "--network", "none", "--entrypoint", "node")
    assert checked(*version, RUNNER_IMAGE, "--version", cwd=client).startswith("v18.")
    run_on_oldest(client, ALONE, "--network", "none")


def test_the_oldest_node_runs_events(client: Path, state: Path) -> None:
    run_on_oldest(
        client,
        ["events"],
        *("--network", "host", "--env", f"CRONIUM_STATE_DIR={state}"),
        *("--volume", f"{state}:{state}:ro"),
    )


def test_no_file_of_tests_is_left_out() -> None:
    files = {file.name.partition(".")[0] for file in CLIENT.glob("test/*.test.mjs")}
    assert files == {*ALONE, *WITH_STACK, *ENCRYPTED}


def test_the_types_say_what_the_values_are(client: Path) -> None:
    checked("npm", "run", "--silent", "typecheck", cwd=client)
