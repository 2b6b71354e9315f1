"""The way to the executor: HTTP/1.1 over a Unix socket or TCP, and when to try again.

Only what this needs of HTTP is here, because importing a full client would cost every
script more than the call itself. Heavy modules are imported on the first call.
"""

from __future__ import annotations

import os
import time

from cronium._errors import CroniumAPIError, CroniumError, CroniumTimeoutError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    import ssl
    from typing import BinaryIO

OUTAGE_SECONDS = 30.0
"""How long a worker may be away before calls fail, where nobody says how long."""
LONGEST_PAUSE = 1.0
AWAY = (502, 503, 504)
UNIX = "unix:"


class Connection:
    """One kept-alive connection, of the process that opened it."""

    def __init__(self, stream: socket.socket) -> None:
        self.stream = stream
        self.reader: BinaryIO = stream.makefile("rb")
        self.owner = os.getpid()

    def exchange(self, request: bytes) -> tuple[int, bytes, bool]:
        """Send a request; return status, body and whether to keep the connection."""
        try:  # noqa: SIM105 (contextlib costs more than all of this)
            self.stream.sendall(request)
        except (BrokenPipeError, ConnectionResetError):
            # Whoever refuses a body that is too large answers before it has read it.
            pass
        line = self.reader.readline()
        if not line.startswith(b"HTTP/1."):
            raise ConnectionResetError("the connection was closed before an answer")
        headers = self._headers()
        keep = headers.get(b"connection", b"").lower() != b"close"
        return int(line.split()[1]), self._body(headers), keep and line[7:8] == b"1"

    def close(self) -> None:
        """Close both ends of what this holds."""
        self.reader.close()
        self.stream.close()

    def _headers(self) -> dict[bytes, bytes]:
        found: dict[bytes, bytes] = {}
        while True:
            name, colon, value = self.reader.readline().partition(b":")
            if not colon:
                return found
            found[name.strip().lower()] = value.strip()

    def _body(self, headers: dict[bytes, bytes]) -> bytes:
        if headers.get(b"transfer-encoding", b"").lower() == b"chunked":
            return b"".join(iter(self._chunk, b""))
        if b"content-length" in headers:
            return self._read(int(headers[b"content-length"]))
        return b""

    def _chunk(self) -> bytes:
        data = self._read(int(self.reader.readline().split(b";")[0] or b"0", 16))
        self.reader.readline()
        return data

    def _read(self, size: int) -> bytes:
        data = self.reader.read(size)
        if len(data) < size:
            raise ConnectionResetError("the connection was closed inside an answer")
        return data


class Channel:
    """Makes calls to one address. Safe to share between threads and over a fork.

    Args:
        address: `unix:<path>`, or an http(s) URL whose path is put before each path.
        headers: Sent with every request.
        outage: Seconds that an executor may be away before calls fail.
    """

    def __init__(
        self, address: str, headers: dict[str, str], outage: float = OUTAGE_SECONDS
    ) -> None:
        self.address = address
        self.headers = headers
        self.ssl_context: ssl.SSLContext | None = None
        self.outage = outage
        self._idle: list[Connection] = []
        self._split()

    def call(
        self,
        method: str,
        path: str,
        body: bytes | None,
        *,
        timeout: float,
        tries: int,
        pause: float,
        outage: float | None = None,
    ) -> tuple[int, bytes]:
        """Return status and body of the answer; a status below 500.

        Args:
            timeout: Seconds for one request.
            tries: Requests in total while the answer is 500.
            pause: Seconds before the second request; doubled after each.
            outage: Seconds that the executor may be away, when that is less than usual.

        Raises:
            CroniumAPIError: The executor kept answering with a status of 500 or above.
            CroniumTimeoutError: It did not answer in time.
            CroniumError: It could not be reached for `outage` seconds.
        """
        request = self._request(method, path, body)
        limit = self.outage if outage is None else min(outage, self.outage)
        begin, errors = time.monotonic(), 0
        while True:
            problem: CroniumError
            try:
                status, reply = self._once(request, timeout)
            except OSError as error:
                problem = self._unreachable(error, timeout, limit)
            else:
                if status < 500:
                    return status, reply
                problem = CroniumAPIError(status, message_of(status, reply))
                errors += status not in AWAY
            if errors >= tries or time.monotonic() + pause - begin > limit:
                raise problem
            time.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    def close(self) -> None:
        """Close the idle connections; the next call opens a new one."""
        while self._idle:
            self._idle.pop().close()

    def _once(self, request: bytes, timeout: float) -> tuple[int, bytes]:
        while True:
            connection, fresh = self._connection(timeout)
            try:
                status, reply, keep = connection.exchange(request)
            except ConnectionError:
                connection.close()
                if fresh:
                    raise
                continue  # it was closed while idle, which says nothing of the server
            except BaseException:
                connection.close()
                raise
            if keep:
                self._idle.append(connection)
            else:
                connection.close()
            return status, reply

    def _connection(self, timeout: float) -> tuple[Connection, bool]:
        while self._idle:
            try:
                kept = self._idle.pop()
            except IndexError:  # another thread was faster
                break
            if kept.owner == os.getpid():
                kept.stream.settimeout(timeout)
                return kept, False
        return Connection(self._open(timeout)), True

    def _open(self, timeout: float) -> socket.socket:
        import socket

        if self.address.startswith(UNIX):
            stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            stream.settimeout(timeout)
            try:
                stream.connect(self.address[len(UNIX) :])
            except BaseException:
                stream.close()
                raise
            return stream
        stream = socket.create_connection((self._host, self._port), timeout)
        if not self._secure:
            return stream
        import ssl

        context = self.ssl_context or ssl.create_default_context()
        return context.wrap_socket(stream, server_hostname=self._host)

    def _split(self) -> None:
        self._prefix, self._host_line = "", "cronium"
        if self.address.startswith(UNIX):
            return
        from urllib.parse import urlsplit

        url = urlsplit(self.address)
        if url.scheme not in ("http", "https") or not url.hostname:
            raise CroniumError(
                f"CRONIUM_RUNTIME_API is {self.address!r}: expected an address that "
                "begins with http:// or https://."
            )
        self._secure = url.scheme == "https"
        self._host, self._host_line = url.hostname, url.netloc.rpartition("@")[2]
        self._port = url.port or (443 if self._secure else 80)
        self._prefix = url.path.rstrip("/")

    def _request(self, method: str, path: str, body: bytes | None) -> bytes:
        lines = [f"{method} {self._prefix}{path} HTTP/1.1", f"Host: {self._host_line}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        if method != "GET":
            # A request that is sent again because its answer was lost is done once.
            lines.append(f"Idempotency-Key: {os.urandom(16).hex()}")
        if body is not None:
            lines.append(f"Content-Length: {len(body)}")
        elif method != "GET":
            lines.append("Content-Length: 0")
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + (body or b"")

    def _unreachable(
        self, error: OSError, timeout: float, limit: float
    ) -> CroniumError:
        import socket

        # They are one class from Python 3.10 on only.
        if isinstance(error, (socket.timeout, TimeoutError)):
            return CroniumTimeoutError(
                f"The executor did not answer within {timeout:g} s. "
                "Try again later, or look at the worker's log."
            )
        return CroniumError(
            f"The executor cannot be reached at {self.address}: {error}. "
            f"It was tried for up to {limit:g} s; is the worker running?"
        )


def message_of(status: int, reply: bytes) -> str:
    """Return what an error's answer says, whatever it is made of."""
    import json

    try:
        said = json.loads(reply.decode())
        return str(said.get("message") or said["error"])
    except (ValueError, AttributeError, KeyError, TypeError):
        text = reply.decode("utf-8", "replace").strip()
        return text[:500] or f"the executor answered with status {status} and no text"
