"""Webhooks: who may start what, and that a call starts it once."""

import asyncio
import contextlib
import json
import time
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import sqlalchemy as sa
from temporalio.client import Client

from contracts.events import Trigger
from contracts.graphs import GraphRequest
from gateway import hooks_check, hooks_receive
from gateway.hooks_upkeep import HookUpkeep
from gateway.schema import hook_marks
from gateway.tokens import Scope
from tests.gateway.conftest import Gateway, Start
from tests.gateway.hooks import (
    EVENT,
    GRAPH,
    Sender,
    asked,
    error_of,
    github,
    hook_spec,
    manage,
    new_hook,
    runs,
    started,
)
from worker.settings import load_settings
from worker.starts import TemporalStarts

FORM = "application/x-www-form-urlencoded"


@pytest.fixture
async def hooked(start: Start, starts: TemporalStarts) -> Gateway:
    """A gateway whose hooks reach Temporal."""
    return await start(starts=starts, public_url="https://cronium.example.com")


async def test_a_signed_call_starts_the_event_with_its_body_as_input(
    hooked: Gateway, client: Client
):
    sender = await new_hook(hooked)
    answer = await sender.call({"ref": "main", "n": 7})
    assert answer.status_code == 202
    found = answer.json()
    identifier = found["executionId"]
    assert found == {
        "executionId": identifier,
        "workflowId": f"event:deploy:{identifier}",
        "duplicate": False,
        "links": {
            "execution": f"https://cronium.example.com/api/executions/{identifier}",
            "logs": f"https://cronium.example.com/logs/{identifier}",
        },
    }
    request = await started(client, answer)
    assert request.input == {"ref": "main", "n": 7}
    assert (request.user, request.trigger) == ("ann", Trigger.WEBHOOK)
    assert request.event.script == EVENT["script"]


async def test_a_call_starts_a_whole_graph(hooked: Gateway, client: Client):
    sender = await new_hook(hooked, event=None, workflow=GRAPH)
    answer = await sender.call({"ref": "main"}, Idempotency_Key="k")
    assert answer.status_code == 202, answer.text
    execution = answer.json()["executionId"]
    workflow = answer.json()["workflowId"]
    assert workflow == f"graph:release:{execution}"
    request = await asked(client, workflow, GraphRequest)
    assert [node.id for node in request.workflow.nodes] == ["build", "ship"]
    assert request.input == {"ref": "main"}
    assert (request.user, request.trigger) == ("ann", Trigger.WEBHOOK)
    again = await sender.call({"ref": "main"}, Idempotency_Key="k")
    assert again.json() == answer.json() | {"duplicate": True}


@pytest.mark.parametrize(
    ("kind", "body", "value"),
    [
        ("application/json", b"[1, 2.5]", [1, 2.5]),
        ("application/vnd.x+json; charset=utf-8", b'{"a": null}', {"a": None}),
        (FORM, b"a=1&b=x+y&a=2", {"a": ["1", "2"], "b": "x y"}),
        ("text/plain", "grün".encode(), "grün"),
        ("", b"", None),
    ],
    ids=["json", "kind-of-json", "form", "text", "nothing"],
)
async def test_json_forms_and_text_become_input(
    hooked: Gateway, client: Client, kind: str, body: bytes, value: Any
):
    sender = await new_hook(hooked)
    headers = sender.signed(body) | {"Content-Type": kind}
    answer = await sender.send(body, headers)
    assert answer.status_code == 202, answer.text
    assert (await started(client, answer)).input == value


async def test_chosen_headers_are_passed_beside_the_body(
    hooked: Gateway, client: Client
):
    sender = await new_hook(hooked, passHeaders=["X-GitHub-Event", "X-Absent"])
    answer = await sender.call(1, X_GitHub_Event="push", X_Other="no")
    value = (await started(client, answer)).input
    assert value == {"body": 1, "headers": {"x-github-event": "push"}}


async def test_an_unknown_key_and_a_hook_that_is_off_answer_alike(hooked: Gateway):
    sender = await new_hook(hooked, enabled=False)
    unknown = Sender(hooked, "/hooks/" + "x" * 32, sender.secret)
    answers = [await s.call({}) for s in (sender, unknown)]
    unsigned = await unknown.send(b"{}", {"Content-Type": "application/json"})
    assert [error_of(a) for a in answers] == [(404, "HookUnknown")] * 2
    assert answers[0].content == answers[1].content == unsigned.content
    assert answers[0].headers.keys() == answers[1].headers.keys()


async def test_an_unknown_key_costs_the_same_check_of_a_signature(
    hooked: Gateway, monkeypatch: pytest.MonkeyPatch
):
    checked: list[str] = []

    def watched(given: str, expected: list[str]) -> bool:
        checked.append(given)
        return False

    monkeypatch.setattr(hooks_receive, "is_signed", watched)
    monkeypatch.setattr(hooks_check, "is_signed", watched)
    known = await new_hook(hooked)
    for sender in (known, Sender(hooked, "/hooks/nobody", known.secret)):
        await sender.call({})
    assert len(checked) == 2


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"X-Cronium-Signature": "v1=" + "0" * 64}, "HookSignatureInvalid"),
        ({"X-Cronium-Signature": ""}, "HookSignatureInvalid"),
        ({"X-Cronium-Signature": "v1=\u00e9"}, "HookSignatureInvalid"),
        ({"X-Cronium-Timestamp": "1"}, "HookSignatureInvalid"),
        ({"X-Cronium-Timestamp": None}, "HookSignatureInvalid"),
        ({"X-Cronium-Signature": None}, "HookUnsigned"),
    ],
    ids=["wrong", "empty", "not-ascii", "other-time", "no-time", "none"],
)
async def test_a_call_that_is_not_signed_right_is_refused(
    hooked: Gateway,
    client: Client,
    request: pytest.FixtureRequest,
    change: dict[str, str | None],
    kind: str,
):
    event = f"bad-{request.node.callspec.id}"
    sender = await new_hook(hooked, event=event)
    headers: Any = sender.signed(b"{}") | change
    encoded = {k: v.encode("latin1") for k, v in headers.items() if v is not None}
    answer = await sender.send(b"{}", encoded)
    assert error_of(answer) == (401, kind)
    assert "WWW-Authenticate" not in answer.headers
    assert sender.secret not in answer.text
    assert (await sender.call({})).status_code == 202
    assert await runs(client, event, 1) == 1


async def test_another_body_does_not_fit_the_signature(hooked: Gateway):
    sender = await new_hook(hooked)
    answer = await sender.send(b'{"a": 2}', sender.signed(b'{"a": 1}'))
    assert error_of(answer) == (401, "HookSignatureInvalid")


@pytest.mark.parametrize(("seconds", "side"), [(-400, "behind"), (400, "ahead of")])
async def test_a_time_far_from_now_is_stale_and_says_by_how_much(
    hooked: Gateway, seconds: int, side: str
):
    sender = await new_hook(hooked)
    at = int(time.time()) + seconds
    answer = await sender.send(b"{}", sender.signed(b"{}", at))
    assert error_of(answer) == (401, "HookStale")
    message = answer.json()["error"]["message"]
    assert side in message
    assert "at most 300 s" in message
    near = await sender.send(b"{}", sender.signed(b"{}", at - seconds // 2))
    assert near.status_code == 202


async def test_only_who_knows_the_secret_hears_of_the_clock(hooked: Gateway):
    sender = await new_hook(hooked)
    headers = sender.signed(b"{}", 1) | {"X-Cronium-Signature": "v1=00"}
    assert error_of(await sender.send(b"{}", headers))[1] == "HookSignatureInvalid"


async def test_a_call_that_is_sent_again_by_somebody_else_starts_nothing(
    hooked: Gateway, client: Client
):
    sender = await new_hook(hooked, event="replayed")
    headers = sender.signed(b"{}")
    assert (await sender.send(b"{}", headers)).status_code == 202
    for more in ({}, {"Idempotency_Key": "another"}):
        answer = await sender.send(b"{}", headers, **more)
        assert error_of(answer) == (409, "HookReplayed")
    assert await runs(client, "replayed", 1) == 1


async def test_a_retry_with_its_key_is_answered_with_the_same_execution(
    hooked: Gateway, client: Client
):
    sender = await new_hook(hooked, event="retried")
    first = await sender.call({"a": 1}, Idempotency_Key="k1")
    at = int(time.time()) - 5
    body = b'{"a": 1}'
    again = await sender.send(body, sender.signed(body, at), Idempotency_Key="k1")
    verbatim = await sender.send(body, sender.signed(body, at), Idempotency_Key="k1")
    for answer in (again, verbatim):
        assert answer.status_code == 202
        assert answer.json() == first.json() | {"duplicate": True}
    # The signature of the retry is worth nothing with another key either.
    other = await sender.send(body, sender.signed(body, at), Idempotency_Key="k2")
    assert error_of(other) == (409, "HookReplayed")
    changed = await sender.call({"a": 2}, Idempotency_Key="k1")
    assert error_of(changed) == (409, "HookConflict")
    assert await runs(client, "retried", 1) == 1
    await sender.call({"a": 2}, Idempotency_Key="k3")
    assert await runs(client, "retried", 2) == 2


async def test_calls_at_the_same_moment_start_one_execution(
    start: Start,
    starts: TemporalStarts,
    database_url: str,
    client: Client,
    request: pytest.FixtureRequest,
):
    gateways = [await start(starts=starts, database_url=database_url) for _ in range(2)]
    event = f"once-{request.node.callspec.id}"
    sender = await new_hook(gateways[0], event=event)
    senders = [Sender(g, sender.path, sender.secret) for g in gateways] * 4
    body = b'{"at": "once"}'
    headers = sender.signed(body) | {"Idempotency-Key": "once"}
    answers = await asyncio.gather(*(s.send(body, headers) for s in senders))
    assert {a.status_code for a in answers} == {202}
    assert len({a.json()["executionId"] for a in answers}) == 1
    assert await runs(client, event, 1) == 1


async def test_a_new_hook_of_a_former_ones_id_starts_anew(
    hooked: Gateway, client: Client
):
    for _ in range(2):
        sender = await new_hook(hooked, event="anew")
        answer = await sender.call({}, Idempotency_Key="same")
        assert (answer.status_code, answer.json()["duplicate"]) == (202, False)
        assert (await manage(hooked, "DELETE", "/h1")).json() == {"deleted": True}
        assert (await sender.call({})).status_code == 404
    assert await runs(client, "anew", 2) == 2


async def test_githubs_signature_is_taken_where_the_hook_says_so(
    hooked: Gateway, client: Client
):
    body = b'{"zen": 1}'
    strict = await new_hook(hooked, "strict")
    json_type = {"Content-Type": "application/json"}
    answer = await strict.send(body, github(strict.secret, body) | json_type)
    assert error_of(answer) == (401, "HookUnsigned")
    assert "X-Cronium-Signature" in answer.json()["error"]["hint"]

    sender = await new_hook(hooked, "open", signatures=["github"])
    headers = github(sender.secret, body) | json_type
    first = await sender.send(body, headers, X_GitHub_Delivery="d1")
    assert (await started(client, first)).input == {"zen": 1}
    again = await sender.send(body, headers, X_GitHub_Delivery="d1")
    assert again.json() == first.json() | {"duplicate": True}
    replayed = await sender.send(body, headers, X_GitHub_Delivery="d2")
    assert error_of(replayed) == (409, "HookReplayed")
    own = await sender.call({"zen": 2})
    assert error_of(own) == (401, "HookUnsigned")


async def test_addresses_off_the_list_are_blocked_before_anything_is_read(
    hooked: Gateway,
):
    sender = await new_hook(hooked, allowFrom=["192.0.2.0/24"])
    answer = await sender.send(b"x" * 300_000, {})
    assert error_of(answer) == (403, "HookAddressBlocked")
    spoofed = await sender.call({}, X_Forwarded_For="192.0.2.7")
    assert error_of(spoofed) == (403, "HookAddressBlocked")
    local = await new_hook(hooked, "local", allowFrom=["::1", "127.0.0.0/8"])
    assert (await local.call({})).status_code == 202


@pytest.mark.parametrize(
    ("forwarded", "status"),
    [
        ("192.0.2.7", 202),
        ("203.0.113.5, 192.0.2.7", 202),
        ("192.0.2.7, 203.0.113.5", 403),
        ("192.0.2.7, 10.1.1.1", 202),
        ("192.0.2.7, nonsense", 403),
        ("", 403),
    ],
)
async def test_only_a_trusted_proxy_names_the_address(
    start: Start, starts: TemporalStarts, forwarded: str, status: int
):
    proxies = ("127.0.0.1", "10.0.0.0/8")
    gateway = await start(starts=starts, trusted_proxies=proxies)
    sender = await new_hook(gateway, allowFrom=["192.0.2.0/24"])
    assert (await sender.call({}, X_Forwarded_For=forwarded)).status_code == status


async def test_too_many_calls_are_told_when_to_come_again(hooked: Gateway):
    sender = await new_hook(hooked, callsPerMinute=30)
    answers = [await sender.call({"n": n}) for n in range(5)]
    assert [a.status_code for a in answers] == [202, 202, 202, 429, 429]
    assert error_of(answers[3]) == (429, "RateLimited")
    assert 1 <= int(answers[3].headers["Retry-After"]) <= 2
    # Another hook has a bucket of its own, and wrong calls take nothing from it.
    other = await new_hook(hooked, "other", callsPerMinute=10)
    for _ in range(5):
        await other.send(b"{}", {"X-Cronium-Signature": "v1=0"})
    assert (await other.call({})).status_code == 202


async def test_a_flood_of_wrong_signatures_is_slowed_down(hooked: Gateway):
    sender = await new_hook(hooked)
    wrong = {"X-Cronium-Signature": "v1=0", "Connection": "close"}
    async with hooked.http(headers={}) as client:
        statuses = [
            (await client.post(sender.path, content=b"{}", headers=wrong)).status_code
            for _ in range(70)
        ]
    assert statuses[:60] == [401] * 60
    assert 429 in statuses[60:]


async def test_a_body_above_the_limit_is_refused_announced_or_not(hooked: Gateway):
    sender = await new_hook(hooked, maxBodyBytes=1000)
    body = json.dumps("x" * 998).encode()
    assert (await sender.send(body)).status_code == 202
    larger = json.dumps("x" * 999).encode()
    assert error_of(await sender.send(larger)) == (413, "HookBodyTooLarge")

    async def unannounced() -> Any:
        for _ in range(11):
            yield b"x" * 100

    async def endless() -> Any:
        while True:
            yield b"x" * 65536
            await asyncio.sleep(0)

    async with hooked.http(headers={}) as client:
        answer = await client.post(sender.path, content=unannounced())
        assert error_of(answer) == (413, "HookBodyTooLarge")
        # Cut off in the middle of a chunk; the answer may or may not come through.
        with contextlib.suppress(httpx.TransportError):
            answer = await client.post(sender.path, content=endless())
            assert error_of(answer) == (413, "HookBodyTooLarge")


@pytest.mark.parametrize(
    ("kind", "body", "status", "message"),
    [
        ("application/json", b'{"a": 1,\n "b": }', 400, "line 2 column 7"),
        ("application/json", b'{"a": NaN}', 400, "NaN is not a JSON number"),
        ("application/json", b'"\xff"', 400, "not valid UTF-8 at byte 1"),
        ("application/json", b"[" * 9000, 400, "levels deep"),
        ("application/json", b"[" * 150 + b"]" * 150, 422, "input"),
        ("application/json", b'"\\ud800"', 422, "input"),
        ("text/plain", b"a\xff", 400, "not valid UTF-8 at byte 1"),
        ("text/plain; charset=latin1", b"a", 415, "charset is not UTF-8"),
        (FORM, b"a=%ff", 400, "not UTF-8"),
        (FORM, b"a&&b", 400, "not a form"),
        ("multipart/form-data; boundary=x", b"--x--", 415, "Content-Type"),
        ("nonsense", b"a", 415, "Content-Type"),
        ("", b"a", 415, "Content-Type"),
    ],
)
async def test_a_body_that_cannot_be_input_is_refused_with_the_place(
    hooked: Gateway, kind: str, body: bytes, status: int, message: str
):
    sender = await new_hook(hooked)
    headers = sender.signed(body) | {"Content-Type": kind}
    answer = await sender.send(body, headers)
    assert answer.status_code == status, answer.text
    assert message in answer.json()["error"]["message"]
    # Nothing was taken: the sender may correct its mistake in the same second.
    assert (await sender.call({"corrected": True})).status_code == 202


async def test_without_temporal_a_call_can_be_sent_again_until_it_is_started(
    start: Start, temporal: str, client: Client, free_port: int
):
    away = TemporalStarts(load_settings(temporal={"address": f"127.0.0.1:{free_port}"}))
    gateway = await start(starts=away)
    sender = await new_hook(gateway)
    headers = sender.signed(b"{}")
    answer = await sender.send(b"{}", headers)
    assert error_of(answer) == (503, "HooksUnavailable")
    assert int(answer.headers["Retry-After"]) > 0
    again = await start(
        starts=TemporalStarts(load_settings(temporal={"address": temporal}))
    )
    sender.gateway = again
    done = await sender.send(b"{}", headers)
    assert (done.status_code, done.json()["duplicate"]) == (202, False)
    assert (await started(client, done)).input == {}
    assert error_of(await sender.send(b"{}", headers)) == (409, "HookReplayed")


async def test_a_gateway_that_starts_nothing_says_so(gateway: Gateway):
    sender = await new_hook(gateway)
    answer = await sender.call({})
    assert error_of(answer) == (503, "HooksUnavailable")
    assert "cronium gateway" in answer.json()["error"]["hint"]


async def test_what_has_expired_is_forgotten(hooked: Gateway):
    sender = await new_hook(hooked)
    await sender.call({}, Idempotency_Key="k")
    services = hooked.services

    async def marks() -> int:
        async with services.database.reader.connect() as connection:
            query = sa.select(sa.func.count()).select_from(hook_marks)
            return int((await connection.execute(query)).scalar_one())

    upkeep = HookUpkeep(services.hooks, services.ledger, lambda: services.secret)
    await upkeep.work()
    assert await marks() == 2
    async with services.database.writer.begin() as connection:
        await connection.execute(sa.update(hook_marks).values(expires_at=1.0))
    await upkeep.work()
    assert await marks() == 0


async def test_every_outcome_is_counted(hooked: Gateway):
    sender = await new_hook(hooked)
    headers = sender.signed(b"{}") | {"Idempotency-Key": "k"}
    for given in (headers, headers, {}):
        await sender.send(b"{}", given)
    text = (await hooked.get("/metrics")).text
    for outcome in ("started", "duplicate", "HookUnsigned"):
        assert f'cronium_gateway_hook_calls_total{{outcome="{outcome}"}} 1.0' in text


@pytest.mark.parametrize(
    "key", ["", ".", "%2e%2e", "a/b", "x" * 300, quote("ü"), "%00", "' OR 1=1 --"]
)
async def test_odd_keys_find_nothing(hooked: Gateway, key: str):
    sender = Sender(hooked, f"/hooks/{key}", "s")
    assert (await sender.call({})).status_code in (404, 405, 422)


async def test_another_scope_than_service_keeps_no_hooks(hooked: Gateway):
    await new_hook(hooked)
    for scope in (Scope.USER, Scope.EXECUTION, Scope.INGEST):
        for method, path in (
            ("GET", ""),
            ("POST", ""),
            ("GET", "/h1"),
            ("PUT", "/h1"),
            ("DELETE", "/h1"),
            ("POST", "/h1/rotate"),
            ("POST", "/h1/sign"),
        ):
            answer = await manage(
                hooked, method, path, scope, json=hook_spec() if path == "" else {}
            )
            assert error_of(answer) == (401, "TokenRefused"), (scope, method, path)
    assert len((await manage(hooked, "GET")).json()["hooks"]) == 1
