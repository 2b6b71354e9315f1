"""A Unix socket that appears ready and whole, also where one was before."""

import asyncio
import contextlib
import os
import secrets
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

BACKLOG = 128
# So many connections are taken at a time: a flood of them has to queue behind others.
ACCEPTED_AT_ONCE = 16
# The directory is closed to other users of the host; in the sandbox anybody may ask.
SOCKET_MODE = 0o666


class UnixListener:
    """A listening Unix socket."""

    def __init__(self, server: asyncio.AbstractServer, path: Path, inode: int) -> None:
        self._server = server
        self._path = path
        self._inode = inode

    @classmethod
    async def open(cls, path: Path, protocol: Callable[[], Any]) -> "UnixListener":
        """Listen at `path`.

        Made under another name and renamed, so that a client finds the old one, or the
        new one, and never one that refuses. Raises OSError.
        """
        draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            _bind(listener, draft)
            os.chmod(draft, SOCKET_MODE)
            inode = draft.stat().st_ino
            listener.setblocking(False)
            loop = asyncio.get_running_loop()
            server = await loop.create_unix_server(
                protocol, sock=listener, backlog=ACCEPTED_AT_ONCE
            )
            # The loop has taken note of the number; the kernel may keep more waiting.
            listener.listen(BACKLOG)
            os.rename(draft, path)
        except BaseException:
            listener.close()
            draft.unlink(missing_ok=True)
            raise
        return cls(server, path, inode)

    def close(self) -> None:
        """Stop listening and remove the socket, unless another has taken its place."""
        self._server.close()
        with contextlib.suppress(OSError):
            if self._path.stat().st_ino == self._inode:
                self._path.unlink()


def _bind(listener: socket.socket, path: Path) -> None:
    # The address of a Unix socket has 107 bytes, less than many a directory's name.
    # Through its descriptor every directory is short.
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        listener.bind(f"/proc/self/fd/{directory}/{path.name}")
    finally:
        os.close(directory)
