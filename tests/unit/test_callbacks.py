"""Callbacks and other POSTs against real servers on loopback."""

import asyncio
import hashlib
import hmac
import json
from typing import Any

import pytest

from contracts.actions import CallbackAction
from contracts.errors import DeliveryFailed, DeliveryRefused, SecretUnavailable
from contracts.limits import MAX_CALLBACK_BODY_BYTES
from contracts.results import ExecutionResult, Status, TargetResult
from engines.callback import CallbackSender, body_of, signature
from engines.http import AddressPolicy, GuardedTransport, HttpConfig
from engines.posts import Poster
from engines.secrets import SecretStore
from tests.conftest import pick_port
from tests.http_servers import LOOPBACK, Seen, ok, redirect, serving

NOW = 1_700_000_000.0
SECRETS = SecretStore({"KEY": "s3cret", "TOKEN": "t0ken"}, ["KEY", "TOKEN"])
SENDER = CallbackSender(SECRETS, Poster(clock=lambda: NOW))
RESULT = ExecutionResult(
    execution_id="x1", event_id="e", event_name="e", status=Status.SUCCESS,
    output={"größe": 1},
)  # fmt: skip


def callback(url: str, **fields: Any) -> CallbackAction:
    return CallbackAction.model_validate({"url": url, "secret": "KEY", **fields})


async def send(url: str, **fields: Any) -> int:
    return await SENDER.send(callback(url, **fields), RESULT, "x1.a0")


async def failure(answer: bytes) -> DeliveryFailed:
    async with serving(answer) as server:
        with pytest.raises(DeliveryFailed) as caught:
            await send(server.url)
    return caught.value


def test_the_signature_is_what_others_compute() -> None:
    # printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac key
    assert signature(b"key", "1700000000", b'{"a":1}') == (
        "v1=a438e398bfafc57e4396bb7fc2304422f0f768e965d073ca313cb52e22e6ad03"
    )


async def test_a_result_arrives_signed_in_camel_case() -> None:
    async with serving(ok(status="204 No Content")) as server:
        headers = [
            {"name": "Authorization", "secret": "TOKEN"},
            {"name": "X-A", "value": "1"},
        ]
        status = await send(server.url + "/hook?a=b", headers=headers)
    assert status == 204
    (seen,) = server.seen
    assert (seen.method, seen.target) == ("POST", "/hook?a=b")
    body = json.loads(seen.body)
    assert (body["executionId"], body["output"]) == ("x1", {"größe": 1})
    assert seen.one("content-type") == "application/json"
    assert (seen.one("authorization"), seen.one("x-a")) == ("t0ken", "1")
    assert seen.one("x-cronium-delivery") == "x1.a0"
    assert seen.one("x-cronium-timestamp") == "1700000000"
    expected = hmac.new(b"s3cret", b"1700000000." + seen.body, hashlib.sha256)
    assert seen.one("x-cronium-signature") == "v1=" + expected.hexdigest()
    assert seen.all("x-cronium-cut") == []


@pytest.mark.parametrize("status", [400, 401, 404, 410, 422])
async def test_a_refusal_is_final(status: int) -> None:
    async with serving(ok(status=f"{status} No")) as server:
        with pytest.raises(DeliveryRefused, match=f"answered with {status}"):
            await send(server.url)


@pytest.mark.parametrize("status", [429, 500, 502, 503])
async def test_trouble_of_the_receiver_may_pass(status: int) -> None:
    error = await failure(ok(status=f"{status} No"))
    assert str(error) == f"the callback was answered with {status}"
    assert error.retry_after is None


@pytest.mark.parametrize(
    ("header", "wait"),
    [
        ("7", 7.0),
        ("99999999999999", 300.0),
        ("Tue, 14 Nov 2023 22:13:50 GMT", 30.0),
        ("Tue, 14 Nov 2023 22:00:00 GMT", 0.0),
        ("soon", None),
        ("-5", None),
    ],
)
async def test_the_receiver_says_when_to_come_again(
    header: str, wait: float | None
) -> None:
    error = await failure(ok(b"", f"Retry-After: {header}", status="503 Busy"))
    assert error.retry_after == wait


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Moved", "308 Moved"])
async def test_a_redirect_is_not_followed(status: str) -> None:
    async with serving(ok()) as other, serving(redirect(other.url, status)) as server:
        with pytest.raises(DeliveryRefused, match="redirect 30"):
            await send(server.url)
    assert other.seen == []


async def test_a_slow_receiver_is_left() -> None:
    async def slow(seen: Seen, writer: asyncio.StreamWriter) -> None:
        # A byte now and then must not keep the connection for ever.
        for piece in b"HTTP/1.1 200 OK\r\nX-Slow: 1":
            writer.write(bytes([piece]))
            await writer.drain()
            await asyncio.sleep(0.1)

    async with serving(slow) as server:
        with pytest.raises(DeliveryFailed, match=r"not answered within 0\.5 s"):
            await send(server.url, timeoutSeconds=0.5)


async def test_an_answer_without_end_is_not_read() -> None:
    async def endless(seen: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\nx")
        await writer.drain()
        await asyncio.Event().wait()

    async with serving(endless) as server:
        assert await asyncio.wait_for(send(server.url), 5) == 200


async def test_nobody_there_may_pass_and_names_no_url() -> None:
    url = f"http://127.0.0.1:{pick_port()}/token-in-path"
    with pytest.raises(DeliveryFailed) as caught:
        await send(url)
    assert str(caught.value) == "the callback did not arrive: connection refused"


async def test_a_broken_answer_may_pass() -> None:
    error = await failure(b"this is not HTTP\r\n\r\n")
    assert str(error).startswith("the callback did not arrive: ")


async def test_a_key_that_is_not_there_is_named() -> None:
    with pytest.raises(SecretUnavailable, match="NOKEY"):
        await send("http://127.0.0.1:1", secret="NOKEY")


async def test_a_secret_with_a_line_break_cannot_add_a_header() -> None:
    secrets = SecretStore({"KEY": "k", "BAD": "a\r\nX-Evil: 1"}, ["*"])
    sender = CallbackSender(secrets, Poster())
    async with serving(ok()) as server:
        action = callback(server.url, headers=[{"name": "X-B", "secret": "BAD"}])
        with pytest.raises(DeliveryRefused, match="cannot be sent as HTTP"):
            await sender.send(action, RESULT, "x1.a0")
    assert server.seen == []


def guarded(policy: AddressPolicy) -> CallbackSender:
    config = HttpConfig(addresses=policy)
    return CallbackSender(SECRETS, Poster(lambda: GuardedTransport(config)))


async def test_a_callback_goes_where_http_events_may_go() -> None:
    async with serving(ok()) as server:
        action = callback(server.url)
        with pytest.raises(DeliveryRefused, match=r"127\.0\.0\.1 has a loopback"):
            await guarded(AddressPolicy()).send(action, RESULT, "x1.a0")
        assert server.connections == 0
        assert await guarded(LOOPBACK).send(action, RESULT, "x1.a0") == 200


async def test_a_name_that_has_no_address_is_told() -> None:
    # Too long for a label, so that no name server is asked.
    action = callback(f"https://{'x' * 64}.example/hook")
    with pytest.raises(DeliveryFailed, match="has no address"):
        await guarded(AddressPolicy()).send(action, RESULT, "x1.a0")


def test_a_result_that_is_too_large_goes_without_outputs() -> None:
    half = "x" * (MAX_CALLBACK_BODY_BYTES // 2)
    row = TargetResult(target="a", status=Status.SUCCESS, output=half)
    large = RESULT.model_copy(update={"output": half, "targets": [row]})
    body, cut = body_of(large)
    assert cut == "targets.output"
    assert json.loads(body)["output"] == half
    larger = RESULT.model_copy(update={"output": half * 2, "targets": [row]})
    body, cut = body_of(larger)
    assert cut == "output, targets.output"
    assert len(body) < 2000
