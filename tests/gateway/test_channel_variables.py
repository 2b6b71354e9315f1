"""The channel's variables in a real gateway, from a script's socket to the database."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from contracts.errors import (
    NotANumber,
    NotAppendable,
    VariableConflict,
    VariableError,
    VariableNotFound,
    VariableRefused,
    VariablesUnavailable,
)
from contracts.json_values import same_json
from engines.channel import ChannelRun, ChannelServer, GatewayVariables
from gateway.tokens import Scope
from tests.gateway.conftest import Gateway, Start

Connect = Callable[..., GatewayVariables]


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    """Return stores that are closed after the test."""
    made: list[GatewayVariables] = []

    def begin(gateway: Gateway, scope: Scope = Scope.SERVICE) -> GatewayVariables:
        url = f"http://127.0.0.1:{gateway.server.port}"
        made.append(GatewayVariables(url, lambda: gateway.token(scope, "worker")))
        return made[-1]

    yield begin
    for store in made:
        await store.close()


async def test_every_call_reaches_the_gateway(gateway: Gateway, connect: Connect):
    store = connect(gateway)
    for value in (0, 2**70, 1.5, False, None, "", "ü\u0000", [1], {"a": {}}):
        assert same_json(await store.set("ann", "A", value), value)
        found = await store.get("ann", "A")
        assert type(found) is type(value)
        assert same_json(found, value)
    assert await store.increment("ann", "N", 2) == 2
    assert await store.increment("ann", "N", 0.5) == 2.5
    assert await store.append("ann", "S", "a", ",") == "a"
    assert await store.append("ann", "S", "b", ",") == "a,b"
    assert await store.list("ann", "", 1000) == {"A": {"a": {}}, "N": 2.5, "S": "a,b"}
    assert await store.list("ann", "S", 1000) == {"S": "a,b"}
    assert await store.list("bob", "", 1000) == {}
    assert await store.delete("ann", "A") is True
    assert await store.delete("ann", "A") is False


async def test_refusals_of_the_gateway_keep_their_kind(
    gateway: Gateway, connect: Connect
):
    store = connect(gateway)
    await store.set("ann", "A", [])
    calls: list[tuple[Any, type[VariableError]]] = [
        (store.get("ann", "NOPE"), VariableNotFound),
        (store.get("bob", "A"), VariableNotFound),
        (store.increment("ann", "A", 1), NotANumber),
        (store.set("ann", "A", 1, if_absent=True), VariableConflict),
        (store.set("ann", "A", 1, expected=None), VariableConflict),
        (store.set("ann", "A", "x" * 10_000), VariableRefused),
        (store.set("ann", "PATH", 1), VariableRefused),
        (store.list("ann", "x" * 101, 1000), VariableRefused),
        (store.list("ann", "", 1), VariableRefused),
    ]
    for call, kind in calls:
        with pytest.raises(kind) as caught:
            await call
        assert type(caught.value) is kind
        assert str(caught.value)
    await store.set("ann", "A", 1)
    with pytest.raises(NotAppendable):
        await store.append("ann", "A", "x")


@pytest.mark.parametrize(
    "key", ["..", ".", "", "../../bob/variables/A", "A/../B", "?x=1", "#", "A%2fB"]
)
async def test_no_key_leads_to_another_users_variables(
    gateway: Gateway, connect: Connect, key: str
):
    store = connect(gateway)
    await store.set("bob", "A", "theirs")
    with pytest.raises(VariableNotFound):
        await store.get("ann", key)
    assert await store.delete("ann", key) is False
    for call in (store.set("ann", key, 1), store.increment("ann", key, 1)):
        with pytest.raises(VariableRefused):
            await call
    assert await store.get("bob", "A") == "theirs"


async def test_a_long_list_comes_in_pages(gateway: Gateway, connect: Connect):
    store = connect(gateway)
    text = "x" * 9_000
    await asyncio.gather(*(store.set("ann", f"K{n}", text) for n in range(60)))
    found = await store.list("ann", "K", 1_000_000)
    assert len(found) == 60
    with pytest.raises(VariableRefused, match="more than 500000"):
        await store.list("ann", "K", 500_000)


async def test_a_gateway_that_is_away_or_refuses_us_is_unavailable(
    start: Start, connect: Connect
):
    gateway = await start()
    for scope in (Scope.INGEST, Scope.USER):
        store = connect(gateway, scope)
        kind = VariablesUnavailable if scope is Scope.INGEST else VariableNotFound
        with pytest.raises(kind):
            await store.get("ann", "A")
    gone = GatewayVariables("http://127.0.0.1:1", gateway.token)
    with pytest.raises(VariablesUnavailable):
        await gone.increment("ann", "N", 1)
    await gone.close()


async def test_a_script_sees_503_until_the_gateway_is_back_and_is_counted_once(
    start: Start, connect: Connect, tmp_path: Path, free_port: int
):
    first = await start(port=free_port)
    store = connect(first)
    server = ChannelServer(store)
    run = ChannelRun(
        execution_id="x1",
        user="ann",
        token="t",
        state_file=tmp_path / "state.json",
        input=b"null",
    )
    channel = await server.open(run, tmp_path / "api.sock")
    transport = httpx.AsyncHTTPTransport(uds=str(tmp_path / "api.sock"))
    headers = {"Authorization": "Bearer t", "Idempotency-Key": "k1"}
    async with httpx.AsyncClient(
        transport=transport, base_url="http://cronium", headers=headers
    ) as http:
        path = "/executions/x1/variables/N/increment"
        answer = await http.post(path)
        assert answer.json()["data"] == {"key": "N", "value": 1}
        await first.stop()
        answer = await http.post(path)
        assert (answer.status_code, answer.json()["error"]) == (503, "unavailable")
        assert answer.headers["retry-after"] == "1"
        await start(port=free_port)
        answer = await http.post(path)
        assert answer.json()["data"] == {"key": "N", "value": 1}
        again = await http.post(path, headers={"Idempotency-Key": "k2"})
        assert again.json()["data"] == {"key": "N", "value": 2}
        await _measure(http)
    await server.close(channel)


async def _measure(http: httpx.AsyncClient) -> None:
    times = []
    for _ in range(100):
        begin = time.perf_counter()
        answer = await http.get("/executions/x1/variables/N")
        times.append(time.perf_counter() - begin)
        assert json.loads(answer.text)["data"]["value"] == 2
    print(f"get through channel and gateway: p50 {sorted(times)[50] * 1000:.1f} ms")
    assert sorted(times)[50] < 0.1
