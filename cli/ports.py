"""Ports for the local stack: the usual ones when they are free."""

import socket

from contracts.errors import CroniumError

LOOPBACK = "127.0.0.1"


class PortTaken(CroniumError):
    """A port that was asked for is in use."""

    hint = "Leave the option out, and a free port is chosen."


def choose(wanted: dict[str, int | None], usual: dict[str, int]) -> dict[str, int]:
    """Return a free port for each name in `usual`.

    Args:
        wanted: Ports that the user insists on.
        usual: Ports to prefer otherwise; 0 is any.

    Raises:
        PortTaken: A wanted one is in use.
    """
    chosen: dict[str, int] = {}
    for name, port in wanted.items():
        if port:
            if port in chosen.values() or not is_free(port):
                raise PortTaken(f"port {port} is in use")
            chosen[name] = port
    for name, port in usual.items():
        while name not in chosen:
            if port and port not in chosen.values() and is_free(port):
                chosen[name] = port
            else:
                port = _any_free()
    return chosen


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


def _any_free() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port
