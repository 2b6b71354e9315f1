"""Ports for the local stack: the usual ones when they are free."""

import random
import socket
from pathlib import Path

from contracts.errors import CroniumError

LOOPBACK = "127.0.0.1"
FIRST = 20_000
TRIES = 100
_OUTGOING = Path("/proc/sys/net/ipv4/ip_local_port_range")
_CHOICE = random.SystemRandom()
_KEPT: dict[int, socket.socket] = {}


class PortTaken(CroniumError):
    """A port that was asked for is in use."""

    hint = "Leave the option out, and a free port is chosen."


def choose(wanted: dict[str, int | None], usual: dict[str, int]) -> dict[str, int]:
    """Return a free port for each name in `usual`, kept for this process.

    Two stacks that start at the same moment both find a port free before either of them
    listens; one of them would then talk to the other's gateway.

    Args:
        wanted: Ports that the user insists on.
        usual: Ports to prefer otherwise; 0 is any.

    Raises:
        PortTaken: A wanted one is in use.
    """
    chosen: dict[str, int] = {}
    for name, port in wanted.items():
        if port:
            if port in chosen.values() or not _keep(port):
                raise PortTaken(f"port {port} is in use")
            chosen[name] = port
    for name, port in usual.items():
        while name not in chosen:
            if port and port not in chosen.values() and _keep(port):
                chosen[name] = port
            else:
                port = any_free()
    return chosen


def _keep(port: int) -> bool:
    """Keep a port for this process; False when it is in use, or kept by another one."""
    if not is_free(port):
        return False
    if port not in _KEPT:
        mark = socket.socket(socket.AF_UNIX)
        try:
            # A name without a file: the kernel forgets it with the process.
            mark.bind(f"\0cronium-port-{port}")
        except OSError:
            mark.close()
            return False
        _KEPT[port] = mark
    return True


def is_free(port: int) -> bool:
    """Return whether a server could listen on a port of the loopback address."""
    with socket.socket() as probe:
        # As servers do: a connection of the last owner that lingers is no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def any_free() -> int:
    """Return a port that nothing uses, kept for this process.

    It is below the range from which the kernel takes the ports of outgoing connections:
    such a one could occupy it while a part that has it is between two lives.
    """
    for _ in range(TRIES):
        port = _CHOICE.randrange(FIRST, max(_outgoing(), FIRST + 1))
        if _keep(port):
            return port
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        left: int = probe.getsockname()[1]
        return left


def _outgoing() -> int:
    """Lowest port of outgoing connections; 0 where it cannot be read."""
    try:
        return int(_OUTGOING.read_text("ascii").split()[0])
    except (OSError, ValueError, IndexError):
        return 0
