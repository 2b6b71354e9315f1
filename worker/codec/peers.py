"""Whose process is at the other end of a connection on this machine, as Linux tells.

A browser on the developer's own machine can show no token of ours. The kernel's table
of TCP connections says which user owns its socket, which nobody can pretend.
"""

import ipaddress
import os
import sys
from pathlib import Path

ESTABLISHED = "01"
TABLES = {4: Path("/proc/net/tcp"), 6: Path("/proc/net/tcp6")}
_LOCAL, _REMOTE, _STATE, _USER = 1, 2, 3, 7

End = tuple[str, int]


def is_own_user(client: End, server: End) -> bool:
    """Return whether a connection was opened by a process of our own user.

    Args:
        client: Address and port of the other end.
        server: Address and port of ours.

    Returns:
        False as well for what is not on this machine, and where there is no such table.
    """
    return _user_of(client, server) == os.geteuid()


def _user_of(client: End, server: End) -> int | None:
    try:
        version = ipaddress.ip_address(client[0]).version
        # From the other end's view, its own address is the local one.
        ends = (_as_kernel(client), _as_kernel(server))
        lines = TABLES[version].read_text().splitlines()
    except (ValueError, OSError):
        return None
    for line in lines[1:]:
        fields = line.split()
        if (fields[_LOCAL], fields[_REMOTE]) == ends and fields[_STATE] == ESTABLISHED:
            return int(fields[_USER])
    return None


def _as_kernel(end: End) -> str:
    """Return an address as the table has it: words in the machine's byte order."""
    packed = ipaddress.ip_address(end[0]).packed
    words = [packed[at : at + 4] for at in range(0, len(packed), 4)]
    if sys.byteorder == "little":
        words = [word[::-1] for word in words]
    return f"{b''.join(words).hex().upper()}:{end[1]:04X}"
