"""A channel server with its store in memory, and clients on its Unix sockets."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx

from contracts.errors import VariableConflict, VariableError, VariableNotFound
from contracts.json_values import same_json
from engines.channel import (
    UNSET,
    Channel,
    ChannelRun,
    ChannelServer,
    new_token,
)

TOKEN = new_token()


class MemoryVariables:
    """Variables of users in a dictionary; `problem` makes every call fail."""

    def __init__(self) -> None:
        self.values: dict[tuple[str, str], Any] = {}
        self.once: list[str] = []
        self.problem: VariableError | None = None

    def _check(self, once: str = "") -> None:
        self.once.append(once)
        if self.problem is not None:
            raise self.problem

    async def get(self, user: str, key: str) -> Any:
        self._check()
        if (user, key) not in self.values:
            raise VariableNotFound("the variable is not set.")
        return self.values[user, key]

    async def set(
        self,
        user: str,
        key: str,
        value: Any,
        *,
        expected: Any = UNSET,
        if_absent: bool = False,
        once: str = "",
    ) -> Any:
        self._check(once)
        known = self.values.get((user, key), UNSET)
        if if_absent and known is not UNSET:
            raise VariableConflict("the variable is set already.")
        if expected is not UNSET and not same_json(known, expected):
            raise VariableConflict("the variable has another value.")
        self.values[user, key] = value
        return value

    async def delete(self, user: str, key: str, *, once: str = "") -> bool:
        self._check(once)
        return self.values.pop((user, key), UNSET) is not UNSET

    async def list(self, user: str, prefix: str, limit: int) -> dict[str, Any]:
        self._check()
        return {
            key: value
            for (owner, key), value in self.values.items()
            if owner == user and key.startswith(prefix)
        }

    async def increment(
        self, user: str, key: str, by: float, *, once: str = ""
    ) -> int | float:
        self._check(once)
        total: int | float = self.values.get((user, key), 0) + by
        self.values[user, key] = total
        return total

    async def append(
        self, user: str, key: str, value: Any, separator: str = "", *, once: str = ""
    ) -> Any:
        self._check(once)
        known = self.values.get((user, key))
        self.values[user, key] = known + separator + value if known else value
        return self.values[user, key]


class Channels:
    """A server and the runs of a test, by execution id."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.variables = MemoryVariables()
        self.server = ChannelServer(self.variables)

    def run(self, execution: str = "x1", **changes: Any) -> ChannelRun:
        run = ChannelRun(
            execution_id=execution,
            user="ann",
            token=TOKEN,
            state_file=self.directory / "state" / f"{execution}.json",
            input=b'{"n": 1}',
            context={"id": "e1"},
        )
        return replace(run, **changes)

    def path(self, execution: str = "x1") -> Path:
        directory = self.directory / "run" / execution
        directory.mkdir(parents=True, exist_ok=True)
        return directory / "api.sock"

    async def open(self, execution: str = "x1", **changes: Any) -> Channel:
        run = self.run(execution, **changes)
        return await self.server.open(run, self.path(execution))

    @asynccontextmanager
    async def client(
        self, execution: str = "x1", token: str = TOKEN, **options: Any
    ) -> AsyncIterator[httpx.AsyncClient]:
        transport = httpx.AsyncHTTPTransport(uds=str(self.path(execution)))
        options = {"timeout": 30, **options}
        if token:
            options["headers"] = {"Authorization": f"Bearer {token}"}
        async with httpx.AsyncClient(
            transport=transport, base_url="http://cronium", **options
        ) as client:
            yield client

    async def raw(
        self, execution: str = "x1"
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_unix_connection(str(self.path(execution)))


def head(method: str, path: str, *headers: str, token: str = TOKEN) -> bytes:
    """A request's head as a client of one's own might write it."""
    lines = [f"{method} {path} HTTP/1.1", "Host: cronium"]
    if token:
        lines.append(f"Authorization: Bearer {token}")
    return ("\r\n".join([*lines, *headers]) + "\r\n\r\n").encode()
