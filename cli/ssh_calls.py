"""What the command asks of the SSH engine: the one place that knows its functions."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from contracts.errors import CroniumError

if TYPE_CHECKING:
    from contracts.servers import ServerSpec
    from worker.settings import Settings


class SshMissing(CroniumError):
    """This installation cannot speak SSH."""


async def scan(address: str, port: int, seconds: float) -> list[Any]:
    """Return the keys that a server shows: `algorithm`, `fingerprint`, `line`.

    Raises:
        SshMissing: The engine is not installed.
        CroniumError: The server cannot be reached.
    """
    keys: list[Any] = await _engine("scan")(address, port, seconds=seconds)
    return keys


async def check(settings: "Settings", server: "ServerSpec") -> Any:
    """Return what was found on a server.

    Returns:
        A record with `interpreters` (name → version, None when missing), `disk_free`
        (bytes where runs are kept), `clock_offset` (seconds ahead of ours), `took`
        (seconds until the login was done).

    Raises:
        SshMissing: The engine is not installed.
        CroniumError: The server cannot be used.
    """
    return await _engine("check")(settings, server)


def _engine(function: str) -> Any:
    try:
        return getattr(import_module("engines.ssh"), function)
    except (ImportError, AttributeError):
        raise SshMissing("the SSH engine of this installation cannot do this") from None
