"""One whole stack for all tests of this folder."""

from collections.abc import AsyncIterator
from typing import Any

import docker
import pytest

from tests.stack import Stack, running_stack


@pytest.fixture(scope="session")
async def stack(
    docker_client: docker.APIClient, temporal_binary: str, tmp_path_factory: Any
) -> AsyncIterator[Stack]:
    directory = tmp_path_factory.mktemp("stack")
    async with running_stack(directory, temporal_binary, docker_client) as running:
        yield running
