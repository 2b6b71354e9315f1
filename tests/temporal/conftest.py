"""One whole stack for all tests of this folder."""

from collections.abc import AsyncIterator
from typing import Any

import docker
import pytest

from tests.stack import Stack, running_stack
from tests.temporal.scripted import Scripted, scripted_server


@pytest.fixture(scope="session")
async def stack(
    docker_client: docker.APIClient, temporal_binary: str, tmp_path_factory: Any
) -> AsyncIterator[Stack]:
    directory = tmp_path_factory.mktemp("stack")
    async with running_stack(directory, temporal_binary, docker_client) as running:
        yield running


@pytest.fixture(scope="session")
async def server(temporal_binary: str) -> AsyncIterator[Scripted]:
    """A Temporal server for hosts that do as a test says."""
    async with scripted_server(temporal_binary) as running:
        yield running
