"""One whole stack for all tests of this folder."""

from collections.abc import AsyncIterator
from typing import Any

import docker
import pytest
from temporalio.testing import WorkflowEnvironment

from tests.stack import Stack, running_stack
from tests.temporal.scripted import Scripted, scripted_server
from worker.temporal import data_converter


@pytest.fixture(scope="package")
async def stack(
    docker_client: docker.APIClient, temporal_binary: str, tmp_path_factory: Any
) -> AsyncIterator[Stack]:
    directory = tmp_path_factory.mktemp("stack")
    async with running_stack(directory, temporal_binary, docker_client) as running:
        yield running


@pytest.fixture(scope="package")
async def server(temporal_binary: str) -> AsyncIterator[Scripted]:
    """A Temporal server for hosts that do as a test says."""
    async with scripted_server(temporal_binary) as running:
        yield running


@pytest.fixture(scope="package")
async def skipping(temporal_binary: str) -> AsyncIterator[WorkflowEnvironment]:
    """A server whose clock runs ahead: while everybody waits, or when it is told to."""
    async with await WorkflowEnvironment.start_time_skipping_v2(
        dev_server_existing_path=temporal_binary,
        dev_server_extra_args=[
            "--dynamic-config-value",
            "frontend.WorkflowTimeSkippingEnabled=true",
        ],
        data_converter=data_converter,
    ) as environment:
        yield environment


@pytest.fixture(scope="package")
def quick(skipping: WorkflowEnvironment) -> Scripted:
    """Hosts that do as a test says, on the server whose clock runs ahead."""
    return Scripted(skipping.client, "quick")
