"""Ports for the local stack: the usual ones when they are free."""

import socket

from contracts.errors import CroniumError

LOOPBACK = "127.0.0.1"


class PortTaken(CroniumError):
    """A port that was asked for is in use."""

    hint = "Leave the option out, and a free port is chosen."


def choose(wanted: int | None, usual: int, taken: set[int]) -> int:
    """Return a free port and add it to `taken`.

    Args:
        wanted: The port that the user insists on.
        usual: The port to prefer otherwise.
        taken: Ports given to others a moment ago.

    Raises:
        PortTaken: The wanted one is in use.
    """
    if wanted and (wanted in taken or not is_free(wanted)):
        raise PortTaken(f"port {wanted} is in use")
    port = wanted or usual
    while not port or port in taken or not is_free(port):
        port = _any_free()
    taken.add(port)
    return port


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
