"""The TypeScript client, by its own tests: alone, and with a stack of processes."""

from pathlib import Path

import pytest

from tests.typescript.conftest import CLIENT, checked, environment, kept_environment

ALONE = ["package", "errors", "environment", "stored"]
WITH_STACK = ["events", "logs"]
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


def test_no_file_of_tests_is_left_out() -> None:
    files = {file.name.partition(".")[0] for file in CLIENT.glob("test/*.test.mjs")}
    assert files == {*ALONE, *WITH_STACK}


def test_the_types_say_what_the_values_are(client: Path) -> None:
    checked("npm", "run", "--silent", "typecheck", cwd=client)
