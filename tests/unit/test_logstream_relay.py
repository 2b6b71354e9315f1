"""The relay against a real WebSocket server that misbehaves in every way."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from http import HTTPStatus
from pathlib import Path

import orjson
import pytest
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.http11 import Request, Response

from contracts.logs import ExecutionRecord, LineBatch, Stream
from contracts.results import Status
from logstream import Relay, Spool, SpoolDirectory, relay

PATIENCE = 20


class Gateway:
    """Stores by identity and answers as a test wants."""

    def __init__(self) -> None:
        self.stored: dict[tuple[object, ...], str] = {}
        self.arrivals: list[str] = []
        self.connections = 0
        self.tokens: list[str] = []
        self.accepted = "good"
        self.drop_after: Callable[[], int] | None = None
        self.refuse: Callable[[str], bool] = lambda text: False
        self.before_ack: Callable[[], Awaitable[object]] | None = None
        self.order_broken = False

    def check(self, connection: ServerConnection, request: Request) -> Response | None:
        token = request.headers["Authorization"].removeprefix("Bearer ")
        self.tokens.append(token)
        if token != self.accepted:
            return connection.respond(HTTPStatus.FORBIDDEN, "no\n")
        return None

    async def take(self, connection: ServerConnection) -> None:
        self.connections += 1
        left = self.drop_after() if self.drop_after else None
        expected = 1
        async for frame in connection:
            message = orjson.loads(frame)
            self.order_broken |= message["id"] != expected
            expected += 1
            record = message["record"]
            text = record["lines"][0] if record["kind"] == "lines" else record["kind"]
            if left is not None:
                left -= 1
                if left < 0:
                    connection.transport.abort()
                    return
            if self.refuse(text):
                reply = {"type": "refused", "id": message["id"], "reason": "too odd"}
                await connection.send(orjson.dumps(reply), text=True)
                continue
            self.store(record, text)
            if self.before_ack:
                await self.before_ack()
            await connection.send(
                orjson.dumps({"type": "ack", "id": message["id"]}), text=True
            )

    def store(self, record: dict[str, object], text: str) -> None:
        if record["kind"] == "lines":
            LineBatch.model_validate(record)
            self.stored[record["executionId"], record["firstSeq"]] = text
        else:
            self.stored[record["executionId"], record["status"]] = text
        self.arrivals.append(text)


@contextlib.asynccontextmanager
async def listening(gateway: Gateway, port: int = 0) -> AsyncIterator[int]:
    server: Server = await serve(
        gateway.take, "127.0.0.1", port, process_request=gateway.check
    )
    async with server:
        yield server.sockets[0].getsockname()[1]


@contextlib.asynccontextmanager
async def relaying(
    port: int, spools: SpoolDirectory, token: Callable[[], str] = lambda: "good"
) -> AsyncIterator[Relay]:
    made = Relay(f"ws://127.0.0.1:{port}/ingest", token, spools)
    running = asyncio.ensure_future(made.run())
    try:
        yield made
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


def write(spool: Spool, count: int, begin: int = 1) -> None:
    for number in range(begin, begin + count):
        record = LineBatch(
            execution_id=spool.name,
            target="local",
            attempt=1,
            stream=Stream.STDOUT,
            first_seq=number,
            timestamp=1.0,
            lines=[f"{spool.name} {number}"],
        )
        assert spool.append(record.model_dump_json(by_alias=True).encode())


def expected(name: str, count: int) -> dict[tuple[object, ...], str]:
    return {(name, n): f"{name} {n}" for n in range(1, count + 1)}


@pytest.fixture(autouse=True)
def quick_reconnect(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "FIRST_WAIT", 0.005)
    monkeypatch.setattr(relay, "LONGEST_WAIT", 0.05)


@pytest.mark.parametrize("seed", range(4))
async def test_connections_that_die_at_any_moment_lose_nothing(
    seed: int, tmp_path: Path
) -> None:
    dice = random.Random(seed)
    gateway, spools = Gateway(), SpoolDirectory(tmp_path)
    gateway.drop_after = lambda: dice.randrange(0, 120)
    opened = [spools.open(f"run{i}") for i in range(3)]
    async with listening(gateway) as port, relaying(port, spools) as made:
        for begin in range(1, 301, 50):
            for spool in opened:
                write(spool, 50, begin)
            await asyncio.sleep(0)
        for spool in opened:
            spool.complete()
        assert await made.drained(PATIENCE)
    everything = expected("run0", 300) | expected("run1", 300) | expected("run2", 300)
    assert gateway.stored == everything
    assert gateway.connections > 1
    assert not gateway.order_broken
    assert list(spools.spools) == ["executions"], "what was delivered is deleted"
    assert made.lag_bytes == 0


async def test_late_answers_hold_back_the_window_and_lose_nothing(
    tmp_path: Path,
) -> None:
    gateway, spools, gate = Gateway(), SpoolDirectory(tmp_path), asyncio.Event()
    gateway.before_ack = gate.wait
    spool = spools.open("run")
    write(spool, 600)
    async with listening(gateway) as port, relaying(port, spools) as made:
        assert not await made.drained(0.2)
        assert spool.acked == 0
        gate.set()
        assert await made.drained(PATIENCE)
    assert gateway.stored == expected("run", 600)


async def test_a_window_that_is_never_answered_is_bounded(tmp_path: Path) -> None:
    taken = 0
    full = asyncio.Event()

    async def swallow(connection: ServerConnection) -> None:
        nonlocal taken
        async for _ in connection:
            taken += 1
            if taken == relay.WINDOW_MESSAGES:
                full.set()

    spools = SpoolDirectory(tmp_path)
    write(spools.open("run"), 2 * relay.WINDOW_MESSAGES)
    async with serve(swallow, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with relaying(port, spools) as made:
            await asyncio.wait_for(full.wait(), PATIENCE)
            assert not await made.drained(0.2)
    assert taken == relay.WINDOW_MESSAGES


@pytest.mark.parametrize("bad", [1, 7, 20])
async def test_a_refused_record_blocks_nobody(bad: int, tmp_path: Path) -> None:
    gateway, spools = Gateway(), SpoolDirectory(tmp_path)
    gateway.refuse = lambda text: text == f"odd {bad}"
    odd, fine = spools.open("odd"), spools.open("fine")
    write(odd, 20)
    write(fine, 20)
    odd.complete()
    fine.complete()
    async with listening(gateway) as port, relaying(port, spools) as made:
        assert await made.drained(PATIENCE)
    wanted = expected("odd", 20) | expected("fine", 20)
    del wanted["odd", bad]
    assert gateway.stored == wanted
    assert made.refused == 1
    assert list(spools.spools) == ["executions"]


async def test_a_flood_in_one_spool_does_not_hold_up_another(tmp_path: Path) -> None:
    gateway, spools = Gateway(), SpoolDirectory(tmp_path)
    write(spools.open("flood"), 5000)
    write(spools.open("quiet"), 1)
    async with listening(gateway) as port, relaying(port, spools) as made:
        assert await made.drained(PATIENCE)
    assert gateway.arrivals.index("quiet 1") < 3000


async def test_a_gateway_that_comes_up_later_gets_everything(
    tmp_path: Path, free_port: int, caplog: pytest.LogCaptureFixture
) -> None:
    gateway, spools = Gateway(), SpoolDirectory(tmp_path)
    spool = spools.open("run")
    write(spool, 10)
    async with relaying(free_port, spools) as made:
        assert not await made.drained(0.1)
        assert not made.connected
        async with listening(gateway, free_port):
            assert await made.drained(PATIENCE)
            assert made.connected
    assert gateway.stored == expected("run", 10)
    warnings = [r for r in caplog.records if "no connection" in r.message]
    assert len(warnings) == 1, "said once, not at every try"


async def test_a_refused_token_is_replaced_at_the_next_try_and_never_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    gateway, spools = Gateway(), SpoolDirectory(tmp_path)
    tokens = iter(["stale-token-1", "stale-token-2"])
    write(spools.open("run"), 3)
    async with (
        listening(gateway) as port,
        relaying(port, spools, lambda: next(tokens, "good")) as made,
    ):
        assert await made.drained(PATIENCE)
    assert gateway.tokens == ["stale-token-1", "stale-token-2", "good"]
    assert "403" in caplog.text
    assert "stale-token" not in caplog.text


async def test_lines_of_a_dead_worker_are_delivered_by_the_next(tmp_path: Path) -> None:
    gateway, before = Gateway(), SpoolDirectory(tmp_path)
    spool = before.open("run")
    write(spool, 5)
    spool.ack(spool.size)
    write(spool, 5, begin=6)
    after = SpoolDirectory(tmp_path)
    async with listening(gateway) as port, relaying(port, after) as made:
        assert await made.drained(PATIENCE)
    assert gateway.arrivals == [f"run {n}" for n in range(6, 11)]


async def test_records_follow_after_their_spool_was_emptied(tmp_path: Path) -> None:
    gateway, spools = Gateway(), SpoolDirectory(tmp_path)
    spool = spools.spools["executions"]

    def record(number: int) -> ExecutionRecord:
        return ExecutionRecord(
            execution_id=f"x{number}",
            event_id="e",
            event_name="n" * 2000,
            event_type="bash",
            user="u",
            trigger="api",
            status=Status.RUNNING,
            timestamp=1.0,
            workflow_id="w",
        )

    async with listening(gateway) as port, relaying(port, spools) as made:
        for number in range(600):
            spools.record(record(number))
        assert await made.drained(PATIENCE)
        spools.tidy()
        assert spool.epoch >= 1
        for number in range(600, 610):
            spools.record(record(number))
        assert await made.drained(PATIENCE)
    assert set(gateway.stored) == {(f"x{n}", "RUNNING") for n in range(610)}


@pytest.mark.parametrize("count", [1, 2, 5])
async def test_a_name_that_is_used_again_begins_at_its_beginning(
    count: int, tmp_path: Path
) -> None:
    gateway, spools = Gateway(), SpoolDirectory(tmp_path)
    async with listening(gateway) as port, relaying(port, spools) as made:
        for begin, length in ((1, 2), (10, count)):
            # A try that is run again after a failed pull has the same name.
            spool = spools.open("run")
            assert spool.name == "run"
            write(spool, length, begin)
            spool.complete()
            assert await made.drained(PATIENCE)
            assert list(spools.spools) == ["executions"]
    numbers = [1, 2, *range(10, 10 + count)]
    assert gateway.stored == {("run", n): f"run {n}" for n in numbers}
    assert gateway.connections == 1


async def test_a_record_that_cannot_be_sent_does_not_end_the_relay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    gateway, spools = Gateway(), SpoolDirectory(tmp_path)
    spool = spools.open("run")
    write(spool, 3)
    real, failures = Spool.read, iter([OverflowError("odd")])

    def read_once_badly(
        self: Spool, offset: int, budget: int
    ) -> list[tuple[int, bytes]]:
        for error in failures:
            raise error
        return real(self, offset, budget)

    monkeypatch.setattr(Spool, "read", read_once_badly)
    async with listening(gateway) as port, relaying(port, spools) as made:
        assert await made.drained(PATIENCE)
    assert gateway.stored == expected("run", 3)
    assert "OverflowError" in caplog.text
