"""Stands between a worker and the Docker socket, and lets through what we do ourselves.

Whoever can write to the Docker socket is root on the host. The worker needs few
calls of it, and makes containers of one shape alone. The guard holds the socket in the
worker's place: it knows those calls and that shape, and refuses all else, so that a
worker that was taken over is not a host that was taken over.
"""

from engines.docker.guard.errors import CallRefused
from engines.docker.guard.server import Guard

__all__ = ["CallRefused", "Guard"]
