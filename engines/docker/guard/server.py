"""The guard at work: a socket of its own, in front of the daemon's."""

import asyncio
import contextlib
import json
import logging
import os
import re
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from contracts import names
from engines.docker.engine import DockerEngine
from engines.docker.guard import bodies
from engines.docker.guard.calls import Call, Kind, understood
from engines.docker.guard.errors import CallRefused
from engines.docker.guard.wire import CHUNK, Away, Caller, Request, asked, connected
from engines.docker.network import NAME as EGRESS_NETWORK
from engines.docker.network import NETWORK_ROLE

logger = logging.getLogger(__name__)

FORBIDDEN, NOT_FOUND, OK = 403, 404, 200
# For its owner and its group: the worker is in the group.
SOCKET_MASK = 0o117
IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/@-]{0,400}")
ABOUT_CONTAINER = (Kind.OWN, Kind.START, Kind.RENAME, Kind.ATTACH)
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class NotThere(Exception):
    """The daemon does not know what a call is about; the text is its answer."""

    def __init__(self, body: bytes) -> None:
        super().__init__()
        self.body = body


class Guard:
    """Lets through what an engine with the same settings does.

    Args:
        engine: Ours; its socket is the daemon's own.
    """

    def __init__(self, engine: DockerEngine) -> None:
        self._engine = engine
        self._socket = engine.config.socket
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task[None]] = set()

    async def open(self, path: Path) -> None:
        """Listen at a path; a socket that an earlier life left there is replaced.

        Raises:
            OSError: The path cannot be had.
        """
        before = os.umask(SOCKET_MASK)
        try:
            self._server = await asyncio.start_unix_server(self._serve, str(path))
        finally:
            os.umask(before)

    async def close(self) -> None:
        """Listen no more and let go of all connections."""
        if self._server is not None:
            self._server.close()
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        caller = Caller(reader, writer)
        try:
            # Without an answer a worker sees what it would see of the daemon itself.
            with contextlib.suppress(Away, OSError):
                while request := await self._next(caller):
                    if not await self._while_there(
                        caller, self._answer(caller, request)
                    ):
                        break
        except asyncio.CancelledError:
            # Our own end: asyncio would report it as an error of the server's.
            pass
        finally:
            writer.close()
            self._serving.discard(task)

    async def _next(self, caller: Caller) -> Request | None:
        try:
            return await caller.request()
        except CallRefused as error:
            await self._refuse(caller, "a request", error)
            return None

    async def _while_there(
        self, caller: Caller, answering: Coroutine[Any, Any, bool]
    ) -> bool:
        """Answer for as long as somebody wants to know."""
        work = asyncio.ensure_future(answering)
        gone = asyncio.ensure_future(caller.gone())
        try:
            await asyncio.wait([work, gone], return_when=asyncio.FIRST_COMPLETED)
            return work.done() and work.result()
        finally:
            for task in (work, gone):
                task.cancel()
            await asyncio.gather(work, gone, return_exceptions=True)

    async def _answer(self, caller: Caller, request: Request) -> bool:
        try:
            call = understood(request.method, request.target)
            container, body = await self._checked(call, request)
        except CallRefused as error:
            return await self._refuse(caller, request.method, error)
        except NotThere as missing:
            return await caller.whole(NOT_FOUND, missing.body)
        target = call.target(container)
        if call.kind is Kind.ATTACH:
            await self._attach(caller, target)
            return False
        async with asked(
            self._socket, call.method, target, request.headers, body
        ) as answer:
            await caller.begin(answer.status, answer.headers)
            async for piece in answer.pieces():
                await caller.data(piece)
        return await caller.end()

    async def _refuse(self, caller: Caller, what: str, error: CallRefused) -> bool:
        logger.warning("refused %s: %s", what, error)
        text = json.dumps({"message": f"guard: {error}. {error.user_hint}"})
        return await caller.whole(FORBIDDEN, text.encode())

    async def _attach(self, caller: Caller, target: str) -> None:
        """Pass on what the daemon sends, from the first byte; nothing goes to it."""
        head = (
            f"POST {target} HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\n"
            "Upgrade: tcp\r\nContent-Length: 0\r\n\r\n"
        )
        async with connected(self._socket) as (reader, writer):
            writer.write(head.encode())
            while data := await reader.read(CHUNK):
                await caller.raw(data)

    async def _checked(self, call: Call, request: Request) -> tuple[str | None, bytes]:
        """Return the id of the container that a call is about, and the body to send.

        Raises:
            CallRefused: It is not for the likes of us.
            NotThere: There is no such container or network.
        """
        if call.kind in (Kind.CREATE, Kind.NETWORK_CREATE):
            return None, self._made(call, request)
        if request.body.strip() not in (b"", b"{}", b"null"):
            raise CallRefused("this call has no body")
        if call.kind is Kind.LIST:
            self._check_filters(call.query.get("filters", ""))
        elif call.kind is Kind.PULL:
            self._check_pull(call.query)
        elif call.kind is Kind.NETWORK_OWN:
            await self._check_network(call)
        elif call.kind in ABOUT_CONTAINER:
            return await self._own_container(call), b""
        return None, b""

    def _made(self, call: Call, request: Request) -> bytes:
        try:
            body = json.loads(request.body)
        except (ValueError, RecursionError):
            raise CallRefused("the body is not JSON") from None
        if not isinstance(body, dict):
            raise CallRefused("the body is no mapping")
        if call.kind is Kind.CREATE:
            bodies.check_container(self._engine, call.query.get("name", ""), body)
        else:
            bodies.check_network(self._engine, body)
        # Written anew: the daemon reads what was checked, whatever its parser does
        # with keys that are there twice.
        return json.dumps(body).encode()

    async def _own_container(self, call: Call) -> str:
        """Return the id of a container that is ours; a name may change its owner."""
        found = await self._inspect(f"/containers/{call.container}/json")
        labels = (found.get("Config") or {}).get("Labels") or {}
        if labels.get(names.LABEL_INSTANCE) != self._engine.config.instance:
            raise CallRefused("this container is not of this instance")
        if call.kind is Kind.RENAME:
            bodies.check_name(call.query.get("name", ""))
        if call.kind is Kind.START:
            for mount in (found.get("HostConfig") or {}).get("Mounts") or []:
                bodies.check_source(self._engine.config, str(mount.get("Source")))
        return str(found["Id"])

    async def _check_network(self, call: Call) -> None:
        name = call.names["network"]
        if not EGRESS_NETWORK.fullmatch(name):
            raise CallRefused("this network is none of the executor's")
        found = await self._inspect(f"/networks/{name}")
        if (found.get("Labels") or {}).get(names.LABEL_ROLE) != NETWORK_ROLE:
            raise CallRefused("this network is none of the executor's")

    async def _inspect(self, target: str) -> dict[str, Any]:
        async with asked(self._socket, "GET", target, [], b"") as answer:
            body = await answer.body()
            if answer.status == NOT_FOUND:
                raise NotThere(body)
            if answer.status != OK:
                raise Away
        return dict(json.loads(body))

    def _check_filters(self, text: str) -> None:
        """Let a worker list what is its own, and what is on a network of ours."""
        try:
            filters = json.loads(text or "{}")
            labels = filters.get("label") or []
            networks = filters.get("network") or []
        except (ValueError, RecursionError, AttributeError):
            raise CallRefused("?filters= cannot be read") from None
        ours = f"{names.LABEL_INSTANCE}={self._engine.config.instance}"
        if isinstance(labels, list) and ours in labels:
            return
        if not isinstance(networks, list) or len(networks) != 1:
            raise CallRefused("?filters= must name the instance or one network")
        if not EGRESS_NETWORK.fullmatch(str(networks[0])):
            raise CallRefused("?filters= names a network that is not the executor's")

    def _check_pull(self, query: dict[str, str]) -> None:
        if self._engine.config.pull_policy == "never":
            raise CallRefused("the pull policy is `never`")
        if not IMAGE.fullmatch(query.get("fromImage", "")):
            raise CallRefused("?fromImage= is not the name of an image")
