"""Which keys a server shows, so that a person can vouch for them."""

import asyncio
from dataclasses import dataclass

import asyncssh

from contracts.server_errors import SshConnectFailed, SshConnectTimeout
from engines.ssh.algorithms import FAMILIES

SCAN_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class HostKey:
    """A key that a server showed. Nobody has vouched for it yet."""

    algorithm: str
    fingerprint: str
    """As `ssh-keygen -l` prints it on the server's console."""
    line: str
    """As `hostKeys` takes it."""


async def scan(
    address: str, port: int = 22, *, seconds: float = SCAN_SECONDS
) -> list[HostKey]:
    """Return the keys that a server shows; no login is sent.

    Args:
        address: Host name or IP address.
        port: Its port.
        seconds: How long each kind of key may take.

    Raises:
        SshConnectTimeout: It did not answer in time.
        SshConnectFailed: It cannot be reached, or shows no key.
    """
    place = f"{address}:{port}"
    found = []
    for family in FAMILIES:
        try:
            async with asyncio.timeout(seconds):
                key = await asyncssh.get_server_host_key(
                    address, port, server_host_key_algs=list(family), config=None
                )
        except (
            asyncssh.KeyExchangeFailed,
            asyncssh.ConnectionLost,
            ConnectionResetError,
        ):
            # OpenSSH hangs up when it has no key of the kind; with what we had sent
            # unread, that is a reset.
            continue
        except TimeoutError:
            raise SshConnectTimeout(
                f"{place} showed no key within {seconds:g} s"
            ) from None
        except (OSError, asyncssh.Error) as error:
            what = getattr(error, "strerror", None) or type(error).__name__
            raise SshConnectFailed(f"{place}: {what}") from None
        if key is not None:
            line = key.export_public_key().decode().strip()
            found.append(HostKey(key.get_algorithm(), key.get_fingerprint(), line))
    if not found:
        raise SshConnectFailed(f"{place} shows no key of a modern kind")
    return found
