"""Following a log: no gap, no duplicate, and nobody waits for a slow reader."""

import asyncio
import json
import random

import pytest
from websockets.exceptions import ConnectionClosed

from gateway import viewers
from gateway.tokens import Scope
from tests.gateway.conftest import (
    PATIENCE,
    Gateway,
    Start,
    batch,
    lines_in,
    messages,
    numbered,
    record,
    until,
)


async def _write(gateway: Gateway, execution: str, total: int, size: int = 20) -> None:
    async with gateway.worker() as worker:
        await worker.store(record(execution, "RUNNING"))
        for first in range(1, total + 1, size):
            await worker.send(numbered(execution, first, size))
            await asyncio.sleep(0)
            if first % 500 == 1:
                await asyncio.sleep(0.002)
        await worker.send(record(execution, "SUCCESS", stored=total))
        await worker.answered()


def _is_whole(lines: list[dict], first: int, last: int) -> bool:
    return [line["seq"] for line in lines] == list(range(first, last + 1))


async def test_viewers_that_join_at_any_moment_see_every_line_once(gateway: Gateway):
    total = 6_000
    chance = random.Random(7)

    async def join(wait: float, from_seq: int) -> None:
        await asyncio.sleep(wait)
        async with gateway.viewer("x", from_seq) as socket:
            found = await messages(socket)
        assert _is_whole(lines_in(found), from_seq, total)
        assert found[-1] == {
            "type": "end",
            "status": "SUCCESS",
            "lastSeq": total,
            "complete": True,
        }

    joining = [
        join(chance.random() * 0.5, chance.choice((1, 1, 17, 500, 2_000)))
        for _ in range(12)
    ]
    await asyncio.gather(_write(gateway, "x", total), *joining)


async def test_a_viewer_that_reconnects_all_the_time_rebuilds_the_same_log(
    gateway: Gateway,
):
    total = 5_000
    writing = asyncio.create_task(_write(gateway, "x", total))
    log: list[dict] = []
    ended = False
    while not ended:
        async with gateway.viewer("x", len(log) + 1) as socket:
            fresh: list[dict] = []
            async for text in socket:
                message = json.loads(text)
                fresh += message.get("lines", [])
                ended = message["type"] == "end"
                if len(fresh) >= 300:
                    break
        log += fresh
    await writing
    assert log == await gateway.log("x")
    assert _is_whole(log, 1, total)


async def test_a_viewer_sees_each_status_and_the_close_code(gateway: Gateway):
    async with gateway.viewer("x") as socket:
        await gateway.store(record("x", "PENDING"))
        assert json.loads(await socket.recv())["status"] == "PENDING"
        await gateway.store(record("x", "RUNNING"), batch("x", 1, "<b>hi</b>"))
        assert json.loads(await socket.recv())["status"] == "RUNNING"
        assert json.loads(await socket.recv())["lines"][0]["text"] == "<b>hi</b>"
        await gateway.store(record("x", "FAILURE", stored=1))
        rest = await messages(socket)
    assert [message["type"] for message in rest] == ["status", "end"]
    assert socket.close_code == 1000


async def test_the_end_waits_for_lines_that_the_worker_counted(gateway: Gateway):
    await gateway.store(record("x", "SUCCESS", stored=2), batch("x", 1, "a"))
    async with gateway.viewer("x") as socket:
        assert json.loads(await socket.recv())["type"] == "status"
        assert json.loads(await socket.recv())["type"] == "lines"
        await gateway.store(batch("x", 2, "b"))
        rest = await messages(socket)
    assert [message["type"] for message in rest] == ["lines", "end"]
    assert rest[-1]["complete"] is True


async def test_lines_that_never_come_are_not_waited_for_for_ever(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(viewers, "MISSING_LINES_SECONDS", 0.2)
    await gateway.store(record("x", "LOST", stored=5), batch("x", 1, "a"))
    async with gateway.viewer("x") as socket:
        end = (await messages(socket))[-1]
    assert end == {"type": "end", "status": "LOST", "lastSeq": 1, "complete": False}


async def test_a_slow_reader_is_cut_off_and_can_resume_while_others_see_all(
    start: Start,
):
    gateway = await start(send_timeout=0.5, viewer_buffer_lines=2_000)
    # More than the buffers of the system hold for a reader that does not read.
    total, text = 20_000, "y" * 1_500
    slow = await gateway.viewer("x", max_queue=1, ping_interval=None)

    async def write() -> None:
        async with gateway.worker() as worker:
            for first in range(1, total + 1, 100):
                await worker.send(batch("x", first, *[text] * 100))
            await worker.send(record("x", "SUCCESS", stored=total))
            await worker.answered()

    async def watch() -> list[dict]:
        async with gateway.viewer("x") as socket:
            return await messages(socket)

    watching = asyncio.create_task(watch())
    await write()
    assert _is_whole(lines_in(await watching), 1, total)

    async def cut_off() -> bool:
        return "cut_offs_total 1.0" in (await gateway.get("/metrics")).text

    await until(cut_off)
    found = await messages(slow)
    assert found[-1]["type"] == "cutoff"
    assert slow.close_code == 4008
    seen = lines_in(found)
    assert _is_whole(seen, 1, found[-1]["resumeFrom"] - 1)
    assert len(seen) < total
    async with gateway.viewer("x", found[-1]["resumeFrom"]) as socket:
        seen += lines_in(await messages(socket))
    assert _is_whole(seen, 1, total)


async def test_nothing_is_kept_in_memory_without_viewers(gateway: Gateway):
    await gateway.store(numbered("x", 1, 100))
    async with gateway.viewer("x") as socket:
        await socket.recv()
        assert gateway.services.hub.channel("x") is not None

    async def forgotten() -> bool:
        return gateway.services.hub.channel("x") is None

    await until(forgotten)


async def test_the_kept_lines_are_bounded_and_older_ones_come_from_the_store(
    start: Start,
):
    gateway = await start(viewer_buffer_lines=50)
    async with gateway.viewer("x") as socket:
        await gateway.store(record("x", "RUNNING"))
        await socket.recv()
        for first in range(1, 1001, 40):
            await gateway.store(numbered("x", first, 40))
        channel = gateway.services.hub.channel("x")
        assert channel is not None
        assert channel.read(1) is None
        assert channel.read(990) is not None
        await gateway.store(record("x", "SUCCESS", stored=1000))
        assert _is_whole(lines_in(await messages(socket)), 1, 1000)


async def _close_code(connection: object) -> int:
    async with connection as socket:  # type: ignore[attr-defined]
        with pytest.raises(ConnectionClosed) as closed:
            await asyncio.wait_for(socket.recv(), PATIENCE)
    assert closed.value.rcvd is not None
    return closed.value.rcvd.code


@pytest.mark.parametrize("token", ["", "nonsense", "ingest"])
async def test_a_viewer_without_a_good_token_is_closed_with_4401(
    gateway: Gateway, token: str
):
    if token == "ingest":
        token = gateway.token(Scope.INGEST)
    assert await _close_code(gateway.viewer("x", token=token)) == 4401


async def test_a_token_for_another_execution_is_closed_with_4404(gateway: Gateway):
    await gateway.store(record("x", "RUNNING"))
    token = gateway.token(Scope.EXECUTION, "y")
    assert await _close_code(gateway.viewer("x", token=token)) == 4404


async def test_another_users_execution_looks_like_an_unknown_one(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(viewers, "APPEAR_SECONDS", 0.2)
    await gateway.store(record("x", "RUNNING"))
    token = gateway.token(Scope.USER, "bob")
    assert await _close_code(gateway.viewer("x", token=token)) == 4404
    assert await _close_code(gateway.viewer("unknown", token=token)) == 4404


@pytest.mark.parametrize("place", ["query", "subprotocol", "header"])
async def test_a_user_may_follow_their_own_execution(gateway: Gateway, place: str):
    await gateway.store(record("x", "SUCCESS", stored=1), batch("x", 1, "mine"))
    token = gateway.token(Scope.USER, "ann")
    path = "/executions/x/logs?fromSeq=nonsense"
    if place == "query":
        connection = gateway.socket(f"{path}&token={token}", "")
    elif place == "subprotocol":
        offered = ["cronium.logs.v1", f"bearer.{token}"]
        connection = gateway.socket(path, "", subprotocols=offered)
    else:
        connection = gateway.socket(path, token)
    async with connection as socket:
        assert [line["text"] for line in lines_in(await messages(socket))] == ["mine"]
        expected = "cronium.logs.v1" if place == "subprotocol" else None
        assert socket.subprotocol == expected


async def test_a_user_may_wait_for_an_execution_whose_lines_come_first(
    gateway: Gateway,
):
    token = gateway.token(Scope.USER, "ann")
    async with gateway.viewer("x", token=token) as socket:
        await gateway.store(batch("x", 1, "early"))
        await gateway.store(record("x", "SUCCESS", stored=1))
        found = await messages(socket)
    assert [line["text"] for line in lines_in(found)] == ["early"]


async def test_a_server_that_ends_tells_its_viewers(start: Start):
    gateway = await start()
    await gateway.store(record("x", "RUNNING"))
    async with gateway.viewer("x") as socket:
        await socket.recv()
        await gateway.stop()
        with pytest.raises(ConnectionClosed) as closed:
            await socket.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1012
    await gateway.start()
