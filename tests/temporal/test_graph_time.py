"""Graphs that take months, on a Temporal server that skips time."""

from typing import Any

from contracts.results import Status
from tests.temporal.scripted import FAILS, SUCCEEDS, Script, Scripted

EVENT = {"type": "bash", "script": "true"}
DAY = 86_400.0
# How much later than asked a timer may fire, in seconds of the skipped time.
LATE = 60.0


def took(row: Any) -> float:
    return float(row.ended_at - row.started_at)


async def play(quick: Scripted, script: Script, graph: dict[str, Any]) -> Any:
    result, _ = await quick.play_graph(script, graph, patience=120)
    return result, {row.node: row for row in result.nodes}


async def test_a_wait_of_ninety_days_takes_ninety_days(quick: Scripted) -> None:
    nodes = {
        "w": {"kind": "wait", "seconds": 90 * DAY},
        "a": {"event": EVENT, "after": "w"},
    }
    result, rows = await play(quick, Script(nodes={}, heartbeat=30), {"nodes": nodes})
    assert result.status is Status.SUCCESS
    assert 90 * DAY <= took(rows["w"]) < 90 * DAY + LATE


async def test_an_approval_expires_after_a_week_and_its_alarm_is_sent(
    quick: Scripted,
) -> None:
    nodes = {
        "ok": {"kind": "approval", "expiresSeconds": 7 * DAY},
        "alarm": {"event": EVENT, "after": {"ok": "on_failure"}},
    }
    result, rows = await play(quick, Script(nodes={}, heartbeat=30), {"nodes": nodes})
    assert (result.status, rows["ok"].status) == (Status.SUCCESS, Status.TIMEOUT)
    assert 7 * DAY <= took(rows["ok"]) < 7 * DAY + LATE
    assert rows["alarm"].status is Status.SUCCESS


async def test_a_run_is_ended_by_its_limit_while_it_waits(quick: Scripted) -> None:
    nodes = {"ok": {"kind": "approval"}, "a": {"event": EVENT, "after": "ok"}}
    graph = {"nodes": nodes, "timeoutSeconds": 30 * DAY}
    result, rows = await play(quick, Script(nodes={}, heartbeat=30), graph)
    assert result.status is Status.TIMEOUT
    assert {row.status for row in rows.values()} == {Status.CANCELLED}


async def test_long_back_offs_between_tries_are_kept(quick: Scripted) -> None:
    slow = {**EVENT, "retries": 2, "backoff": {"initialSeconds": 3600, "factor": 2,
            "maxSeconds": DAY}}  # fmt: skip
    script = Script(nodes={"a": [FAILS, FAILS, SUCCEEDS]}, heartbeat=30)
    result, rows = await play(quick, script, {"nodes": {"a": {"event": slow}}})
    assert result.status is Status.SUCCESS
    assert rows["a"].attempts == 3
    assert 3 * 3600 <= took(rows["a"]) < 3 * 3600 + LATE
