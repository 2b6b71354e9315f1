"""A real gateway on a free port with a real SQLite file, and clients for it."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from gateway.config import GatewayConfig
from gateway.server import GatewayServer
from gateway.services import Services
from gateway.tokens import Scope, mint
from tests.caller import plain_http
from tests.gateway.postgres import Postgres, running_postgres
from worker.settings import load_settings
from worker.starts import TemporalStarts
from worker.temporal import connect as connect_temporal

SECRET = "0123456789abcdef" * 4
PATIENCE = 20.0


class Gateway:
    """A running gateway as its clients see it, plus its inside for the hard cases."""

    def __init__(self, config: GatewayConfig) -> None:
        self.config = config
        self.server = GatewayServer(config)
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(self.server.serve())
        await asyncio.wait_for(self.server.listening.wait(), PATIENCE)

    async def stop(self) -> None:
        self.server.should_exit = True
        assert self._task is not None
        await self._task

    @property
    def services(self) -> Services:
        app: Any = self.server.config.loaded_app
        while not hasattr(app, "state"):
            app = app.app
        return app.state.services

    def token(self, scope: Scope = Scope.SERVICE, subject: str = "tests") -> str:
        return mint(SECRET, scope, subject=subject)

    def headers(self, scope: Scope = Scope.SERVICE, subject: str = "tests") -> Any:
        return {"Authorization": f"Bearer {self.token(scope, subject)}"}

    def socket(self, path: str, token: str | None = None, **options: Any) -> connect:
        token = self.token() if token is None else token
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        options = {"max_size": None, "compression": None, **options}
        address = f"ws://127.0.0.1:{self.server.port}{path}"
        return connect(address, additional_headers=headers, **options)

    def viewer(self, execution: str, from_seq: int = 1, **options: Any) -> connect:
        return self.socket(
            f"/executions/{execution}/logs?fromSeq={from_seq}", **options
        )

    @asynccontextmanager
    async def http(self, **options: Any) -> AsyncIterator[httpx.AsyncClient]:
        options = {"headers": self.headers(), **options}
        base = f"http://127.0.0.1:{self.server.port}"
        async with plain_http(base_url=base, **options) as client:
            yield client

    async def get(self, path: str, **options: Any) -> httpx.Response:
        async with self.http(**options) as client:
            return await client.get(path)

    @asynccontextmanager
    async def worker(self) -> AsyncIterator["Worker"]:
        async with self.socket("/ingest", self.token(Scope.INGEST)) as socket:
            yield Worker(socket)

    async def store(self, *records: dict[str, Any]) -> list[dict[str, Any]]:
        async with self.worker() as worker:
            return await worker.store(*records)

    async def log(self, execution: str) -> list[dict[str, Any]]:
        """Return the whole log through REST."""
        found: list[dict[str, Any]] = []
        page = {"nextSeq": 1, "lines": [0]}
        while page["lines"]:
            path = f"/api/executions/{execution}/logs?fromSeq={page['nextSeq']}"
            page = (await self.get(path)).json()
            found += page["lines"]
        return found


class Worker:
    """A worker's side of `/ingest`."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.last = 0

    async def send(self, record: dict[str, Any]) -> int:
        self.last += 1
        await self.socket.send(json.dumps({"id": self.last, "record": record}))
        return self.last

    async def reply(self) -> dict[str, Any]:
        return json.loads(await asyncio.wait_for(self.socket.recv(), PATIENCE))

    async def answered(self) -> list[dict[str, Any]]:
        """Return the replies up to the one for the last message."""
        replies = [await self.reply()]
        while replies[-1]["id"] < self.last:
            replies.append(await self.reply())
        return replies

    async def store(self, *records: dict[str, Any]) -> list[dict[str, Any]]:
        for record in records:
            await self.send(record)
        return await self.answered()


def batch(execution: str, first: int, *lines: str, **more: Any) -> dict[str, Any]:
    """Return a batch of lines as a worker sends it."""
    return {
        "kind": "lines",
        "executionId": execution,
        "target": "local",
        "attempt": 1,
        "stream": "stdout",
        "firstSeq": first,
        "timestamp": time.time(),
        "lines": list(lines),
    } | more


def numbered(execution: str, first: int, count: int, **more: Any) -> dict[str, Any]:
    """Return a batch whose lines say their own number."""
    return batch(execution, first, *map(str, range(first, first + count)), **more)


def record(execution: str, status: str, **more: Any) -> dict[str, Any]:
    """Return an execution record as a worker sends it."""
    stored = more.pop("stored", None)
    if stored is not None:
        more["result"] = {
            "executionId": execution,
            "eventId": "e1",
            "eventName": "An event",
            "status": status,
            "logs": {"stored": stored},
        }
    return {
        "kind": "execution",
        "executionId": execution,
        "eventId": "e1",
        "eventName": "An event",
        "eventType": "bash",
        "user": "ann",
        "trigger": "manual",
        "status": status,
        "timestamp": time.time(),
        "workflowId": f"event:e1:{execution}",
    } | more


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    """Wait for something that nothing tells us about."""
    async with asyncio.timeout(PATIENCE):
        while not await holds():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def messages(socket: ClientConnection) -> list[dict[str, Any]]:
    """Return everything that a viewer is sent until it is closed."""
    found = []
    # Only the codes 1000 and 1001 end the loop without this exception.
    with contextlib.suppress(ConnectionClosed):
        async with asyncio.timeout(PATIENCE):
            async for message in socket:
                found.append(json.loads(message))
    return found


def lines_in(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the lines in a viewer's messages."""
    return [line for m in found if m["type"] == "lines" for line in m["lines"]]


Start = Callable[..., Awaitable[Gateway]]


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    """Start gateways with settings of the test's own; all on one database."""
    running: list[Gateway] = []
    config = GatewayConfig(f"sqlite:///{tmp_path}/data/logs.db", SECRET, port=0)

    async def begin(**settings: Any) -> Gateway:
        gateway = Gateway(replace(config, **settings))
        await gateway.start()
        running.append(gateway)
        return gateway

    yield begin
    for gateway in running:
        await gateway.stop()


@pytest.fixture
async def gateway(start: Start) -> Gateway:
    """A gateway with default settings."""
    return await start()


@pytest.fixture(scope="package")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server for all tests that want one."""
    with running_postgres() as server:
        yield server


@pytest.fixture(scope="package")
async def temporal(temporal_binary: str) -> AsyncIterator[str]:
    """Address of a Temporal server; nothing polls it."""
    async with await WorkflowEnvironment.start_local(
        dev_server_existing_path=temporal_binary
    ) as env:
        yield env.client.service_client.config.target_host


@pytest.fixture
async def client(temporal: str) -> Client:
    """A client of that server."""
    return await connect_temporal(load_settings(temporal={"address": temporal}))


@pytest.fixture
def starts(temporal: str) -> TemporalStarts:
    """What hooks start executions with."""
    return TemporalStarts(load_settings(temporal={"address": temporal}))


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database, once of each kind that the gateway supports."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/data/logs.db"
    server: Postgres = request.getfixturevalue("postgres")
    return server.new_database()
