"""Who read which log, and whose token was refused, is written down; no token is."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from gateway.auditing import REFUSALS_PER_MINUTE
from gateway.tokens import Scope
from tests.gateway.conftest import Gateway, messages, numbered, record
from worker.audit import OFF, write_audit


@pytest.fixture
def lines(tmp_path: Path) -> Iterator[Any]:
    file = tmp_path / "audit.jsonl"
    write_audit(str(file))

    def read() -> list[dict[str, Any]]:
        return [json.loads(line) for line in file.read_text().splitlines()]

    yield read
    write_audit(OFF)


async def test_readers_are_written_down(gateway: Gateway, lines: Any) -> None:
    await gateway.store(
        record("x1", "RUNNING"), numbered("x1", 1, 3), record("x1", "SUCCESS", stored=3)
    )
    ann = gateway.headers(Scope.USER, "ann")
    bob = gateway.headers(Scope.USER, "bob")
    path = "/api/executions/x1"
    assert (await gateway.get(path, headers=ann)).status_code == 200
    assert (await gateway.get(path + "/logs", headers=ann)).status_code == 200
    assert (await gateway.get(path + "/log.txt", headers=ann)).status_code == 200
    # What is not shown is not read.
    assert (await gateway.get(path + "/logs", headers=bob)).status_code == 404
    async with gateway.socket(
        "/executions/x1/logs", gateway.token(Scope.EXECUTION, "x1")
    ) as socket:
        assert (await messages(socket))[-1]["type"] == "end"

    found = [line for line in lines() if line.pop("time")]
    shown = {"executionId": "x1", "user": "ann", "address": "127.0.0.1"}
    rest = "GET /api/executions/{execution_id}"
    assert found == [
        {"kind": "executionRead", **shown, "by": "user:ann", "call": rest},
        {"kind": "logRead", **shown, "by": "user:ann", "call": rest + "/logs"},
        {"kind": "logRead", **shown, "by": "user:ann", "call": rest + "/log.txt"},
        {
            "kind": "logRead",
            **shown,
            "by": "execution:x1",
            "call": "WebSocket /executions/{execution_id}/logs",
        },
    ]


async def test_refused_tokens_are_written_down_without_the_token(
    gateway: Gateway, lines: Any
) -> None:
    expired = "abc.def.ghi-planted"
    for headers in ({"Authorization": f"Bearer {expired}"}, {"Authorization": ""}):
        answer = await gateway.get("/api/executions?token=planted-2", headers=headers)
        assert answer.status_code == 401
    ingest = gateway.headers(Scope.INGEST)
    assert (await gateway.get("/api/executions", headers=ingest)).status_code == 401
    path = f"/executions/x1/logs?token={expired}"
    async with gateway.socket(path, token="") as socket:
        with pytest.raises(ConnectionClosed):
            await asyncio.wait_for(socket.recv(), 10)

    found = lines()
    assert [line["kind"] for line in found] == ["tokenRefused"] * 4
    assert [line["call"] for line in found] == [
        *["GET /api/executions"] * 3,
        "WebSocket /executions/{execution_id}/logs",
    ]
    assert found[1]["reason"] == "The request has no token."
    assert "scope ingest" in found[2]["reason"]
    assert "planted" not in json.dumps(found)
    text = (await gateway.get("/metrics")).text
    assert "cronium_gateway_tokens_refused_total 4.0" in text


async def test_who_knocks_without_end_does_not_fill_the_disk(
    gateway: Gateway, lines: Any
) -> None:
    knocks = REFUSALS_PER_MINUTE + 40
    async with gateway.http(headers={}) as http:
        for _ in range(knocks):
            await http.get("/api/executions")
    assert REFUSALS_PER_MINUTE <= len(lines()) < knocks
    text = (await gateway.get("/metrics")).text
    assert f"cronium_gateway_tokens_refused_total {knocks}.0" in text


async def test_requests_are_counted_by_the_pattern_of_their_address(
    gateway: Gateway,
) -> None:
    for execution in ("x1", "x2", "x3"):
        await gateway.get(f"/api/executions/{execution}")
    await gateway.get("/no/such/address")
    text = (await gateway.get("/metrics")).text
    pattern = 'endpoint="/api/executions/{execution_id}",method="GET"'
    assert f"cronium_api_requests_total{{{pattern}}} 3.0" in text
    errors = f'cronium_api_errors_total{{code="404",{pattern}}} 3.0'
    assert errors in text
    assert f"cronium_api_request_duration_seconds_count{{{pattern}}} 3.0" in text
    assert 'cronium_api_requests_total{endpoint="other",method="GET"} 1.0' in text
    assert "x1" not in text
    for part in ("database", "writer", "storage"):
        assert f'cronium_gateway_ready{{part="{part}"}} 1.0' in text
