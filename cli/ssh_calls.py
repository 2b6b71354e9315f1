"""What the command asks of the SSH engine: the one place that knows its functions."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engines.ssh import HostKey, SshEngine
    from worker.settings import Settings

SCAN_SECONDS = 10.0


async def scan(address: str, port: int) -> "list[HostKey]":
    """Return the keys that a server shows.

    Raises:
        SshUnavailable: It cannot be reached.
    """
    from engines.ssh import scan as scan_server

    return await scan_server(address, port, seconds=SCAN_SECONDS)


@asynccontextmanager
async def engine(settings: "Settings") -> "AsyncIterator[SshEngine]":
    """Give an engine that logs in as the worker with these settings would."""
    from engines.secrets import SecretStore
    from engines.ssh import SshEngine
    from worker.compose import secret_sources, ssh_config

    secrets = SecretStore(*secret_sources(settings))
    made = SshEngine(ssh_config(settings, settings.instance), secrets)
    try:
        yield made
    finally:
        await made.close()
