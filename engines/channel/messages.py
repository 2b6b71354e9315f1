"""Requests in, replies out: bodies of bounded size and time, one shape of answer."""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from contracts.limits import KIB, MIB
from contracts.wire_text import json_text
from engines.channel.refusals import CallRefusedError, bad_request, too_large

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

JSON_TYPE = "application/json"

# An answer goes out in pieces, each when the one before is taken: a script that does
# not read holds this much of the worker's memory and no more.
SLICE_BYTES = 64 * KIB
# Most clients read an answer only after they have sent all: so much of a body that is
# too large is still taken off their hands, and so much of one whose call is refused
# before it is read: a flood of those has to cost little.
DISCARDED_BYTES = 8 * MIB
DISCARDED_UNREAD_BYTES = 64 * KIB
DISCARD_SECONDS = 2.0


class Request:
    """One request on a run's socket."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.method: str = scope["method"]
        self.raw_path: bytes = scope["raw_path"]
        self._query: bytes = scope["query_string"]
        self._headers: dict[bytes, bytes] = dict(scope["headers"])
        self._receive = receive
        self._more = True
        self._begun = False
        self.call = ""
        """Name of the call, once it is known."""

    def header(self, name: bytes) -> str:
        """Return a header, or ""."""
        return self._headers.get(name, b"").decode("latin-1").strip()

    def query(self, name: str) -> str:
        """Return a parameter of the query, or ""."""
        try:
            pairs = parse_qsl(
                self._query.decode("ascii"), True, errors="strict", max_num_fields=20
            )
        except ValueError:
            raise bad_request("the query is not valid") from None
        return dict(pairs).get(name, "")

    async def body(self, limit: int, seconds: float) -> bytes:
        """Return the body.

        Raises:
            CallRefusedError: 413 above `limit` bytes, 408 when it does not come within
                `seconds`, 400 when the script hung up.
        """
        self._begun = True
        declared = self.header(b"content-length")
        if declared.isdecimal() and int(declared) > limit:
            raise await self._too_large(limit)
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(seconds):
                while self._more:
                    part = await self._part()
                    size += len(part)
                    if size > limit:
                        raise await self._too_large(limit)
                    parts.append(part)
        except TimeoutError:
            raise CallRefusedError(
                408, "timeout", f"the body did not come within {seconds:g} s"
            ) from None
        return b"".join(parts)

    @property
    def unread(self) -> bool:
        """Whether the connection is of no use for a next request."""
        has_body = b"content-length" in self._headers
        return self._more and (has_body or b"transfer-encoding" in self._headers)

    async def leave_body(self) -> None:
        """Take in a small body that nobody has asked for, so that the refusal is read.

        Who still sends when the connection closes gets a broken pipe in its place.
        """
        if self.unread and not self._begun:
            await self._discard(DISCARDED_UNREAD_BYTES)

    async def _part(self) -> bytes:
        message = await self._receive()
        if message["type"] != "http.request":
            raise bad_request("the connection ended in the middle of the body")
        self._more = message.get("more_body", False)
        part: bytes = message.get("body", b"")
        return part

    async def _too_large(self, limit: int) -> CallRefusedError:
        await self._discard(DISCARDED_BYTES)
        return too_large(f"the body has more than {limit} bytes")

    async def _discard(self, left: int) -> None:
        if self.header(b"expect").lower() == "100-continue":
            return
        with contextlib.suppress(TimeoutError, CallRefusedError):
            async with asyncio.timeout(DISCARD_SECONDS):
                while self._more and left > 0:
                    left -= len(await self._part())


def checked(name: str, value: Any) -> str:
    """Return a part of a body as JSON; refuses what other parsers could not read."""
    try:
        return json_text(value)
    except ValueError as error:
        raise bad_request(f"{name}: {error}") from None


def encode(value: Any) -> bytes:
    """Return a value as JSON."""
    return json_text(value).encode()


def success(data: bytes) -> bytes:
    """Return the answer of a call that was done; `data` is JSON."""
    return b'{"success":true,"data":' + data + b"}"


def failure(refusal: CallRefusedError) -> bytes:
    """Return the answer of a call that was not done."""
    answer = {"error": refusal.word, "message": refusal.message}
    return json.dumps(answer).encode()


async def respond(
    send: Send,
    status: int,
    body: bytes,
    *,
    media_type: str = JSON_TYPE,
    retry_after: int | None = None,
    close: bool = False,
) -> None:
    """Send an answer, as fast as it is taken."""
    headers = [
        (b"content-type", media_type.encode()),
        (b"content-length", b"%d" % len(body)),
    ]
    if retry_after is not None:
        headers.append((b"retry-after", b"%d" % retry_after))
    if close:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    for part, last in _slices(body):
        await send({"type": "http.response.body", "body": part, "more_body": not last})


def _slices(body: bytes) -> Iterable[tuple[bytes, bool]]:
    for begin in range(0, len(body), SLICE_BYTES):
        end = begin + SLICE_BYTES
        yield body[begin:end], end >= len(body)
