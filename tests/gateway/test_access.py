"""Who gets in, how often, from which pages, and what every answer carries."""

import asyncio
import contextlib
import json
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from gateway.rates import Rates, address_key
from gateway.tokens import Scope
from tests.gateway.conftest import (
    PATIENCE,
    Gateway,
    Start,
    batch,
    lines_in,
    messages,
    record,
)
from tests.gateway.hooks import hook_spec

OPEN = {
    "/health",
    "/live",
    "/ready",
    "/metrics",
    "/logs/{execution_id}",
    # A signature is asked for instead of a token.
    "/hooks/{key}",
}
PAGE = "https://app.example.com"
MUST = (
    "Content-Security-Policy",
    "X-Content-Type-Options",
    "X-Frame-Options",
    "Referrer-Policy",
    "Cross-Origin-Opener-Policy",
    "Cross-Origin-Resource-Policy",
    "Permissions-Policy",
    "Cache-Control",
)


async def _operations(gateway: Gateway) -> list[tuple[str, str]]:
    document = (await gateway.get("/openapi.json")).json()
    return [
        (method.upper(), path)
        for path, operations in document["paths"].items()
        for method in operations
    ]


async def test_every_operation_but_the_known_open_ones_wants_a_token(
    gateway: Gateway,
):
    operations = await _operations(gateway)
    assert {path for _, path in operations} >= OPEN
    closed = [(m, p) for m, p in operations if p not in OPEN]
    assert len(closed) >= 17
    async with gateway.http(headers={}) as client:
        for method, path in closed:
            place = path.replace("{", "").replace("}", "")
            # Whatever is wrong besides: first of all the caller is nobody.
            answer = await client.request(method, place, json={"value": 1, "body": ""})
            assert answer.status_code in (401, 422), (method, path)
            if answer.status_code == 422:
                body = await _valid_body(gateway, method, path)
                answer = await client.request(method, place, json=body)
            assert answer.status_code == 401, (method, path)


async def _valid_body(gateway: Gateway, method: str, path: str) -> dict[str, Any]:
    bodies = {
        "/api/hooks": hook_spec(),
        "/api/hooks/{hook}": hook_spec(),
        "/api/hooks/{hook}/rotate": {},
        "/api/users/{user}/variables/{key}/increment": {},
    }
    return bodies[path]


async def test_one_user_finds_nothing_of_anothers(start: Start, database_url: str):
    gateway = await start(database_url=database_url)
    await gateway.store(
        record("x", "RUNNING"),
        batch("x", 1, "private"),
        record("x", "SUCCESS", stored=1),
    )
    async with gateway.http() as client:
        await client.put("/api/users/ann/variables/A", json={"value": "private"})
    for scope, subject in (
        (Scope.USER, "bob"),
        (Scope.USER, ""),
        (Scope.USER, "Ann"),
        (Scope.USER, "ann "),
        (Scope.EXECUTION, "y"),
    ):
        headers = gateway.headers(scope, subject)
        await _finds_nothing(gateway, headers)
        token = gateway.token(scope, subject)
        async with gateway.viewer("x", token=token) as socket:
            assert await _read(socket, 0.3) == []
    mine = gateway.token(Scope.USER, "ann")
    async with gateway.viewer("x", token=mine) as socket:
        assert [x["text"] for x in lines_in(await messages(socket))] == ["private"]


async def _read(socket: ClientConnection, seconds: float) -> list[Any]:
    """Return what comes until the socket is closed, or for so long."""
    found = []
    with contextlib.suppress(ConnectionClosed, TimeoutError):
        async with asyncio.timeout(seconds):
            while True:
                found.append(await socket.recv())
    return found


async def _finds_nothing(gateway: Gateway, headers: dict[str, str]) -> None:
    async with gateway.http(headers=headers) as client:
        for path in ("/api/executions/x", "/api/executions/x/logs"):
            assert (await client.get(path)).status_code == 404
        for query in ("", "?user=ann", "?status=SUCCESS", "?before=999"):
            listed = await client.get(f"/api/executions{query}")
            assert listed.json()["executions"] == []
        place = "/api/users/ann/variables"
        for method, path, body in (
            ("GET", "", None),
            ("GET", "/A", None),
            ("PUT", "/A", {"value": 1}),
            ("DELETE", "/A", None),
            ("POST", "/A/increment", {}),
            ("POST", "/A/append", {"value": 1}),
        ):
            answer = await client.request(method, place + path, json=body)
            assert answer.status_code in (401, 404), (method, path)
            assert "private" not in answer.text


async def test_a_user_is_counted_and_others_are_not_held_up(start: Start):
    # The second request is early for ten seconds, on a slow machine as well.
    gateway = await start(requests_per_minute=6)
    ann = gateway.headers(Scope.USER, "ann")
    assert await _statuses(gateway, ann, 2) == [200, 429]
    answer = await gateway.get("/api/executions", headers=ann)
    assert answer.json()["error"]["type"] == "RateLimited"
    assert int(answer.headers["Retry-After"]) >= 1
    async with gateway.viewer("x", token=gateway.token(Scope.USER, "ann")) as socket:
        with pytest.raises(ConnectionClosed) as closed:
            await asyncio.wait_for(socket.recv(), PATIENCE)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4429
    for scope, subject in ((Scope.USER, "bob"), (Scope.EXECUTION, "ann")):
        headers = gateway.headers(scope, subject)
        found = await gateway.get("/api/executions", headers=headers)
        assert found.status_code == 200
    for _ in range(30):
        assert (await gateway.get("/api/executions")).status_code == 200


async def test_a_user_may_ask_for_ten_seconds_worth_at_once(start: Start):
    gateway = await start(requests_per_minute=60)
    ann = gateway.headers(Scope.USER, "ann")
    assert await _statuses(gateway, ann, 10) == [200] * 10
    # However slow this is, it is quicker than one a second.
    assert 429 in await _statuses(gateway, ann, 100)


async def _statuses(gateway: Gateway, headers: dict[str, str], times: int) -> list[int]:
    """Ask so often, one after the other."""
    return [
        (await gateway.get("/api/executions", headers=headers)).status_code
        for _ in range(times)
    ]


async def test_zero_counts_nobody(start: Start):
    gateway = await start(requests_per_minute=0)
    headers = gateway.headers(Scope.USER, "ann")
    async with gateway.http(headers=headers) as client:
        for _ in range(300):
            assert (await client.get("/api/executions?limit=1")).status_code == 200


def test_a_bucket_drains_evenly_and_holds_its_burst():
    now = [100.0]
    rates = Rates(clock=lambda: now[0])
    assert [rates.take("a", 60, 3) for _ in range(3)] == [0.0] * 3
    assert rates.take("a", 60, 3) == pytest.approx(1.0)
    assert rates.take("b", 60, 3) == 0.0
    now[0] += 1.0
    assert rates.take("a", 60, 3) == 0.0
    assert rates.take("a", 60, 3) == pytest.approx(1.0)
    now[0] += 3600
    assert [rates.take("a", 60, 3) for _ in range(3)] == [0.0] * 3
    assert rates.take("a", 60, 3) > 0


def test_what_is_counted_is_bounded():
    rates = Rates(clock=lambda: 0.0, size=100)
    for number in range(1000):
        rates.take(number, 1, 1)
    assert len(rates._full_at) == 100
    assert rates.take(999, 1, 1) > 0
    assert rates.take(0, 1, 1) == 0.0


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("nonsense", "unknown"),
    ],
)
def test_one_caller_has_one_bucket(address: str, key: str):
    assert address_key(address) == key


async def test_cross_origin_calls_are_for_configured_pages_alone(start: Start):
    gateway = await start(cors_origins=(PAGE,))
    asked = {
        "Access-Control-Request-Method": "PUT",
        "Access-Control-Request-Headers": "authorization,idempotency-key",
    }
    async with gateway.http(headers={}) as client:
        for origin, status in ((PAGE, 200), ("https://evil.example", 400)):
            answer = await client.options(
                "/api/users/ann/variables/A", headers=asked | {"Origin": origin}
            )
            assert answer.status_code == status
        for origin in (PAGE + ":8443", PAGE + ".evil.example", "null", "http" + PAGE):
            answer = await client.get("/live", headers={"Origin": origin})
            assert "Access-Control-Allow-Origin" not in answer.headers
        answer = await client.get("/live", headers={"Origin": PAGE})
        assert answer.headers["Access-Control-Allow-Origin"] == PAGE
        assert "Origin" in answer.headers["Vary"]
        # Tokens are sent by hand: a page gets nothing from a visitor's cookies.
        assert "Access-Control-Allow-Credentials" not in answer.headers


async def test_without_configured_origins_nothing_is_allowed(gateway: Gateway):
    answer = await gateway.get("/live", headers={"Origin": PAGE})
    assert not [h for h in answer.headers if h.startswith("access-control")]


@pytest.mark.parametrize(
    ("origin", "code"),
    [
        (None, None),
        (PAGE, None),
        ("http://{host}", None),
        ("https://{host}", None),
        ("https://evil.example", 4403),
        ("null", 4403),
        ("http://127.0.0.1:1", None),
        ("http://localhost:3000", None),
        ("http://localhost.evil.example", 4403),
        ("http://192.0.2.7", 4403),
    ],
    ids=[
        *("program", "configured", "own", "own-tls", "other", "sandboxed"),
        *("other-port", "localhost", "almost-localhost", "other-host"),
    ],
)
async def test_websockets_are_for_our_own_and_configured_pages(
    start: Start, origin: str | None, code: int | None
):
    gateway = await start(cors_origins=(PAGE,))
    await gateway.store(record("x", "SUCCESS", stored=0))
    if origin is not None:
        origin = origin.format(host=f"127.0.0.1:{gateway.server.port}")
    for path in ("/executions/x/logs", "/ingest"):
        async with gateway.socket(path, origin=origin) as socket:
            await _read(socket, PATIENCE if code else 0.3)
        closed = socket.close_code
        assert (closed == 4403) is (code == 4403), (path, closed)
        if code:
            assert "origin" in str(socket.close_reason)


async def test_an_announced_body_above_the_limit_is_not_waited_for(gateway: Gateway):
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.server.port)
    head = (
        "PUT /api/users/ann/variables/A HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: Bearer {gateway.token()}\r\n"
        "Content-Type: application/json\r\nContent-Length: 99999999\r\n\r\n{"
    )
    writer.write(head.encode())
    answer = await asyncio.wait_for(reader.read(), PATIENCE)
    writer.close()
    assert answer.startswith(b"HTTP/1.1 413")
    assert b'"type":"HttpError"' in answer


async def test_bodies_are_limited_by_place(gateway: Gateway):
    large = json.dumps({"value": "x" * (600 << 10)}).encode()

    async def unannounced() -> Any:
        for start in range(0, len(large), 1 << 16):
            yield large[start : start + (1 << 16)]

    async with gateway.http() as client:
        for content in (large, unannounced()):
            answer = await client.put("/api/users/ann/variables/A", content=content)
            assert answer.status_code == 413
        script = {"id": "h", "event": {"script": "x" * (600 << 10)}}
        answer = await client.post("/api/hooks", json=script)
        assert answer.status_code == 422
        answer = await client.post("/api/hooks", content=b"x" * (5 << 20))
        assert answer.status_code == 413


async def test_every_kind_of_answer_carries_the_headers(
    start: Start, monkeypatch: pytest.MonkeyPatch
):
    gateway = await start(requests_per_minute=6)

    async def broken(_: str) -> None:
        raise LookupError("inside")

    monkeypatch.setattr(gateway.services.reads, "find", broken)
    user = gateway.headers(Scope.USER, "ann")
    wanted = [
        ("/live", 200, {}),
        ("/logs/x", 200, {}),
        ("/docs", 200, {}),
        ("/api/executions", 401, {"Authorization": "Bearer x"}),
        ("/nowhere", 404, {}),
        ("/api/executions?limit=x", 422, None),
        ("/api/executions", 200, user),
        ("/api/executions", 429, user),
        ("/api/executions/x/logs", 500, None),
    ]
    for path, status, headers in wanted:
        options = {} if headers is None else {"headers": headers}
        answer = await gateway.get(path, **options)
        assert answer.status_code == status, path
        assert [h for h in MUST if h not in answer.headers] == [], (path, status)
        assert "Server" not in answer.headers
        assert "Strict-Transport-Security" not in answer.headers


async def test_tls_is_insisted_on_where_a_trusted_proxy_says_that_it_is_there(
    start: Start,
):
    said = {"X-Forwarded-Proto": "https"}
    trusting = await start(trusted_proxies=("127.0.0.0/8",))
    answer = await trusting.get("/live", headers=said)
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
    answer = await (await start()).get("/live", headers=said)
    assert "Strict-Transport-Security" not in answer.headers


async def test_methods_that_are_not_there_are_refused(gateway: Gateway):
    async with gateway.http() as client:
        for method in ("TRACE", "PATCH", "CONNECT"):
            answer: httpx.Response = await client.request(method, "/api/executions")
            assert answer.status_code == 405
