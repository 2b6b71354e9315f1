"""What is stored, how often, and in which order."""

import asyncio
import base64
import json
from typing import Any

import pytest
from sqlalchemy.exc import DataError, OperationalError
from websockets.exceptions import ConnectionClosed

from gateway.intake import REFUSED_BY_DATABASE
from gateway.tokens import Scope
from gateway.transaction import Transaction
from tests.gateway.conftest import (
    Gateway,
    Start,
    batch,
    messages,
    numbered,
    record,
)


async def test_lines_sent_again_after_a_reconnect_are_stored_once(gateway: Gateway):
    await gateway.store(numbered("x", 1, 50))
    await gateway.store(numbered("x", 1, 50), numbered("x", 31, 40))
    log = await gateway.log("x")
    assert [line["text"] for line in log] == [str(n) for n in range(1, 71)]
    assert [line["seq"] for line in log] == list(range(1, 71))


async def test_a_batch_that_was_overtaken_by_a_later_one_is_still_stored(
    gateway: Gateway,
):
    await gateway.store(numbered("x", 101, 10), numbered("x", 1, 105))
    log = await gateway.log("x")
    assert sorted(line["streamSeq"] for line in log) == list(range(1, 111))
    assert [line["seq"] for line in log] == list(range(1, 111))


async def test_two_connections_at_once_give_one_contiguous_seq(gateway: Gateway):
    async def send(stream: str) -> None:
        async with gateway.worker() as worker:
            for first in range(1, 1001, 10):
                await worker.send(numbered("x", first, 10, stream=stream))
            await worker.answered()

    await asyncio.gather(send("stdout"), send("stderr"))
    log = await gateway.log("x")
    assert [line["seq"] for line in log] == list(range(1, 2001))
    for stream in ("stdout", "stderr"):
        mine = [line["streamSeq"] for line in log if line["stream"] == stream]
        assert mine == list(range(1, 1001))


async def test_what_waits_is_acknowledged_together(gateway: Gateway):
    replies = await gateway.store(*(numbered("x", n, 1) for n in range(1, 301)))
    assert replies[-1] == {"type": "ack", "id": 300, "reason": ""}
    ids = [reply["id"] for reply in replies]
    assert ids == sorted(ids)
    assert len(await gateway.log("x")) == 300


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"lines": ["SECRET" * 20_000]}, "record.lines[0]"),
        ({"stream": "SECRET"}, "record.stream"),
        ({"firstSeq": 0}, "record.firstSeq"),
        ({"firstSeq": 2**60}, "record.firstSeq"),
        ({"attempt": 2**40}, "record.attempt"),
        ({"timestamp": 1e30}, "record.timestamp"),
        ({"raw": {"0": "SECRET!"}}, "record.raw.0"),
        ({"raw": {"7": "QQ=="}}, "record.raw.7"),
        ({"raw": {"0": "A" * 100_000}}, "record.raw.0"),
        ({"lines": ["SECRET", "b"], "dropped": 3}, "record.lines"),
        ({"dropped": -3}, "record.dropped"),
        ({"target": ""}, "record.target"),
        ({"target": "a\0b"}, "record"),
        ({"executionId": "x" * 101}, "record.executionId"),
        ({"kind": "SECRET"}, "record"),
        ({"lines": ["SECRET"] * 10_001}, "record.lines"),
        ({"lines": 7}, "record.lines"),
    ],
)
async def test_a_poison_record_is_refused_and_its_neighbours_are_stored(
    gateway: Gateway, change: dict[str, Any], place: str
):
    replies = await gateway.store(
        batch("x", 1, "before"),
        batch("x", 2, "SECRET") | change,
        batch("x", 2, "after"),
    )
    refused = [reply for reply in replies if reply["type"] == "refused"]
    assert [reply["id"] for reply in refused] == [2]
    assert refused[0]["reason"].startswith(place + ":")
    assert "SECRET" not in refused[0]["reason"]
    assert replies[-1]["type"] == "ack"
    assert [line["text"] for line in await gateway.log("x")] == ["before", "after"]


@pytest.mark.parametrize("change", [{"user": "u" * 300}, {"eventName": "a\0"}])
async def test_an_execution_record_that_does_not_fit_is_refused(
    gateway: Gateway, change: dict[str, Any]
):
    replies = await gateway.store(record("x", "RUNNING") | change)
    assert replies[-1]["type"] == "refused"


@pytest.mark.parametrize(
    "frame", ["not json", "[]", '{"id": "SECRET"}', b"bytes", "{}"]
)
async def test_a_frame_without_a_readable_id_is_refused_by_its_position(
    gateway: Gateway, frame: str | bytes
):
    async with gateway.worker() as worker:
        await worker.store(batch("x", 1, "a"))
        await worker.socket.send(frame)
        worker.last += 1
        assert (await worker.reply())["type"] == "refused"
        assert (await worker.store(batch("x", 2, "b")))[-1]["id"] == 3


async def test_text_that_is_not_unicode_is_refused(gateway: Gateway):
    async with gateway.worker() as worker:
        frame = json.dumps({"id": 1, "record": batch("x", 1, "\ud800")})
        await worker.socket.send(frame)
        assert (await worker.reply())["type"] == "refused"


async def test_a_record_that_the_database_refuses_costs_only_itself(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
):
    add = Transaction.add

    async def picky(self: Transaction, item: Any) -> None:
        if getattr(item, "lines", None) == ["poison"]:
            raise DataError("insert", {}, Exception("no"))
        await add(self, item)

    monkeypatch.setattr(Transaction, "add", picky)
    async with gateway.worker() as worker:
        for number, text in enumerate(("a", "poison", "b"), 1):
            await worker.send(batch("x", number, text))
        replies = await worker.answered()
    assert {"type": "refused", "id": 2, "reason": REFUSED_BY_DATABASE} in replies
    assert [line["text"] for line in await gateway.log("x")] == ["a", "b"]
    assert [line["seq"] for line in await gateway.log("x")] == [1, 2]


async def test_a_message_that_is_too_large_costs_only_itself(gateway: Gateway):
    huge = ["y" * 60_000] * 80
    replies = await gateway.store(batch("x", 1, *huge), batch("x", 1, "small"))
    assert [reply["type"] for reply in replies] == ["refused", "ack"]
    assert [line["text"] for line in await gateway.log("x")] == ["small"]


async def test_a_nul_character_is_shown_and_its_bytes_are_kept(gateway: Gateway):
    await gateway.store(batch("x", 1, "a\0b"))
    (line,) = await gateway.log("x")
    assert line["text"] == "a\u2400b"
    assert base64.b64decode(line["raw"]) == b"a\0b"


async def test_a_final_status_is_never_taken_back(gateway: Gateway):
    await gateway.store(
        record("x", "RUNNING", timestamp=10.0),
        record("x", "SUCCESS", timestamp=20.0, stored=0),
        record("x", "RUNNING", timestamp=30.0),
        record("x", "PENDING", timestamp=5.0),
    )
    found = (await gateway.get("/api/executions/x")).json()
    assert found["status"] == "SUCCESS"
    assert found["startedAt"] == "1970-01-01T00:00:10Z"
    assert found["finishedAt"] == "1970-01-01T00:00:20Z"
    assert found["result"]["status"] == "SUCCESS"


async def test_of_two_statuses_of_one_kind_the_later_wins(gateway: Gateway):
    await gateway.store(
        record("x", "RUNNING", timestamp=10.0), record("x", "PENDING", timestamp=5.0)
    )
    assert (await gateway.get("/api/executions/x")).json()["status"] == "RUNNING"
    await gateway.store(
        record("x", "FAILURE", timestamp=30.0), record("x", "LOST", timestamp=20.0)
    )
    assert (await gateway.get("/api/executions/x")).json()["status"] == "FAILURE"


async def test_actions_that_were_done_after_the_end_are_added_to_it(
    gateway: Gateway,
):
    end = record("x", "SUCCESS", stored=1, timestamp=20.0)
    row = {"index": 0, "when": "always", "kind": "callback", "status": "SUCCESS"}
    later = record("x", "SUCCESS", stored=1, timestamp=20.0)
    later["result"]["actions"] = [row]
    await gateway.store(batch("x", 1, "one"), end)
    async with gateway.viewer("x") as viewer:
        assert (await messages(viewer))[-1]["type"] == "end"
    await gateway.store(later)
    found = (await gateway.get("/api/executions/x")).json()
    assert found["result"]["actions"][0]["status"] == "SUCCESS"
    assert found["finishedAt"].startswith("1970-01-01T00:00:20")
    async with gateway.viewer("x") as viewer:
        assert (await messages(viewer))[-1]["type"] == "end"


async def test_after_a_restart_seq_goes_on(start: Start):
    first = await start()
    await first.store(numbered("x", 1, 10))
    await first.stop()
    second = await start()
    await second.store(numbered("x", 6, 10), numbered("x", 1, 5, stream="stderr"))
    log = await second.log("x")
    assert [line["seq"] for line in log] == list(range(1, 21))
    await first.start()


async def test_another_process_that_wrote_meanwhile_is_noticed(start: Start):
    one, other = await start(), await start()
    await one.store(numbered("x", 1, 10))
    await other.store(numbered("x", 11, 10))
    await one.store(numbered("x", 21, 10), numbered("x", 11, 5))
    log = await one.log("x")
    assert [line["seq"] for line in log] == list(range(1, 31))
    assert [line["streamSeq"] for line in log] == list(range(1, 31))


async def test_a_database_that_fails_acknowledges_nothing_and_recovers(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
):
    store = gateway.services.store

    async def full(*_: object) -> None:
        raise OperationalError("insert", {}, Exception("disk full"))

    with monkeypatch.context() as patch:
        patch.setattr(store, "_commit", full)
        async with gateway.worker() as worker:
            await worker.send(batch("x", 1, "a"))
            with pytest.raises(ConnectionClosed) as closed:
                await worker.reply()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1013
        answer = await gateway.get("/ready")
        assert answer.status_code == 503
        assert "storage" in answer.json()["error"]["message"]
        assert (await gateway.get("/health")).json()["status"] == "degraded"
    await gateway.store(batch("x", 1, "a"))
    assert (await gateway.get("/ready")).status_code == 200
    assert len(await gateway.log("x")) == 1


async def test_an_unforeseen_error_does_not_end_the_writer(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
):
    async def broken(*_: object) -> None:
        raise LookupError

    with monkeypatch.context() as patch:
        patch.setattr(gateway.services.store, "_commit", broken)
        with pytest.raises(ConnectionClosed):
            await gateway.store(batch("x", 1, "a"))
    await gateway.store(batch("x", 1, "a"))
    assert len(await gateway.log("x")) == 1


@pytest.mark.parametrize("token", ["", "nonsense", "viewer"])
async def test_ingest_without_a_good_token_is_closed_with_4401(
    gateway: Gateway, token: str
):
    if token == "viewer":
        token = gateway.token(Scope.USER, "ann")
    async with gateway.socket("/ingest", token) as socket:
        with pytest.raises(ConnectionClosed) as closed:
            await socket.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4401


async def test_a_sender_waits_when_too_much_is_queued(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("gateway.intake._MAX_WAITING_CHARS", 1_000)
    async with gateway.worker() as worker:
        for first in range(1, 2001, 100):
            await worker.send(numbered("x", first, 100))
        assert (await worker.answered())[-1]["id"] == 20
    assert len(await gateway.log("x")) == 2000


async def test_a_drop_mark_keeps_its_count(gateway: Gateway):
    await gateway.store(batch("x", 1, "a"), batch("x", 51, "dropped", dropped=50))
    assert [line["dropped"] for line in await gateway.log("x")] == [0, 50]
    assert json.dumps(await gateway.log("x"))


async def test_a_number_of_any_size_is_stored_and_blocks_nobody(gateway: Gateway):
    ended = record("x", "SUCCESS", stored=2)
    ended["result"]["output"] = 2**70
    replies = await gateway.store(
        batch("x", 1, "INFO many", stream="log", data={"0": {"fields": {"n": 2**70}}}),
        batch("x", 2, "INFO next", stream="log"),
        ended,
    )
    assert {reply["type"] for reply in replies} == {"ack"}
    log = await gateway.log("x")
    assert [line["data"] for line in log] == [{"fields": {"n": 2**70}}, None]
    found = (await gateway.get("/api/executions/x")).json()
    assert found["result"]["output"] == 2**70
