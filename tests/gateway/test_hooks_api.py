"""Keeping hooks: made, shown, changed, given new secrets, deleted; sealed at rest."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from gateway.hooks_upkeep import HookUpkeep
from gateway.keys import replace_key, signing_key
from gateway.schema import hooks
from gateway.sealing import SealBroken, is_current, seal, unseal
from gateway.tokens import Scope, mint
from tests.gateway.conftest import SECRET, Gateway, Start
from tests.gateway.hooks import (
    GRAPH,
    Sender,
    error_of,
    github,
    hook_spec,
    manage,
    new_hook,
)
from worker.starts import TemporalStarts

OTHER = "fedcba9876543210" * 4


async def test_a_secret_is_shown_once_and_an_address_always(
    start: Start, database_url: str
):
    gateway = await start(
        database_url=database_url, public_url="https://c.example.com/"
    )
    made = (
        await manage(gateway, "POST", json=hook_spec(allowFrom=["10.0.0.0/8"]))
    ).json()
    assert made["secret"].startswith("crnhook_")
    assert made["url"].startswith("https://c.example.com/hooks/")
    assert made["secrets"] == 1
    assert made["hook"]["allowFrom"] == ["10.0.0.0/8"]
    assert made["hook"]["event"]["script"] == "echo hi"
    shown = (await manage(gateway, "GET", "/h1")).json()
    del made["secret"]
    assert shown == made
    assert (await manage(gateway, "GET")).json() == {"hooks": [made]}


async def test_neither_key_nor_secret_is_in_the_database(
    start: Start, database_url: str
):
    gateway = await start(database_url=database_url)
    made = (await manage(gateway, "POST", json=hook_spec())).json()
    rotated = (await manage(gateway, "POST", "/h1/rotate", json={})).json()
    async with gateway.services.database.reader.connect() as connection:
        rows = (await connection.execute(sa.select(hooks))).all()
    stored = repr(rows)
    key = made["url"].rpartition("/")[2]
    for private in (key, made["secret"], rotated["secret"]):
        assert len(private) >= 32
        assert private not in stored
        assert private.removeprefix("crnhook_")[:20] not in stored


async def test_hooks_are_listed_in_order_of_their_ids(start: Start, database_url: str):
    gateway = await start(database_url=database_url)
    for name in ("b", "B", "a-1", "a.1"):
        await new_hook(gateway, name)
    found = (await manage(gateway, "GET")).json()["hooks"]
    assert [h["hook"]["id"] for h in found] == ["B", "a-1", "a.1", "b"]


async def test_an_id_is_given_once(start: Start, database_url: str):
    gateway = await start(database_url=database_url)
    await new_hook(gateway)
    answer = await manage(gateway, "POST", json=hook_spec())
    assert error_of(answer) == (409, "HookExists")
    assert len((await manage(gateway, "GET")).json()["hooks"]) == 1


async def test_what_is_not_there_is_unknown(gateway: Gateway):
    for method, path, body in (
        ("GET", "/h1", None),
        ("PUT", "/h1", hook_spec()),
        ("POST", "/h1/rotate", {}),
        ("POST", "/h1/sign", {"body": ""}),
    ):
        answer = await manage(gateway, method, path, json=body)
        assert error_of(answer) == (404, "HookUnknown")
    assert (await manage(gateway, "DELETE", "/h1")).json() == {"deleted": False}


@pytest.mark.parametrize(
    ("fields", "path", "message"),
    [
        ({"allowFrom": ["10.0.0.0/8", "SECRET"]}, "allowFrom", "[1] is no address"),
        ({"allowFrom": ["10.0.0.1/8"]}, "allowFrom", "expected one such as"),
        ({"signatures": []}, "signatures", "at least 1"),
        ({"signatures": ["github", "github"]}, "signatures", "given twice"),
        ({"passHeaders": ["Authorization"]}, "passHeaders", "not passed on"),
        ({"passHeaders": ["a b"]}, "passHeaders[0]", "pattern"),
        ({"toleranceSeconds": 5}, "toleranceSeconds", "greater than or equal to 10"),
        ({"maxBodyBytes": 1 << 30}, "maxBodyBytes", "less than or equal to 524288"),
        ({"callsPerMinute": 0}, "callsPerMinute", "greater than or equal to 1"),
        ({"secret": "SECRET"}, "secret", "not permitted"),
        ({"id": "a/b"}, "id", "pattern"),
        ({"event": {"id": "x"}}, "event.name", "required"),
        ({"event": None}, "", "give either `event` or `workflow`"),
        ({"workflow": GRAPH}, "", "give either `event` or `workflow`"),
        (
            {"event": None, "workflow": GRAPH | {"edges": [{"from": "build"}]}},
            "workflow",
            "edges[0]: expected",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_field_that_breaks_a_rule_is_named_without_its_value(
    gateway: Gateway, fields: dict[str, Any], path: str, message: str
):
    answer = await manage(gateway, "POST", json=hook_spec() | fields)
    assert error_of(answer) == (422, "RequestRefused")
    said = answer.json()["error"]["message"]
    assert (f"body.{path}:" if path else "body:") in said
    assert message in said
    assert "SECRET" not in answer.text


async def test_targets_by_name_are_refused_since_there_is_no_inventory(
    gateway: Gateway,
):
    event = hook_spec()["event"] | {"targets": ["web1"]}
    answer = await manage(gateway, "POST", json=hook_spec() | {"event": event})
    assert "event.targets[0]" in answer.json()["error"]["message"]


async def test_a_credential_in_the_event_is_refused_and_not_repeated(gateway: Gateway):
    server = {
        "id": "a",
        "name": "a",
        "address": "192.0.2.7",
        "username": "deploy",
        "credentials": {"password": {"value": "hunter2-planted"}},
    }
    spec = hook_spec()
    spec["event"] = {**spec["event"], "targets": [server]}
    answer = await manage(gateway, "POST", json=spec)
    assert answer.status_code == 422
    said = answer.json()["error"]["message"]
    assert "event.targets[0].credentials.password.value" in said
    assert "hunter2" not in answer.text


async def test_a_change_keeps_address_and_secret(start: Start, starts: TemporalStarts):
    gateway = await start(starts=starts)
    sender = await new_hook(gateway)
    changed = await manage(
        gateway, "PUT", "/h1", json=hook_spec(callsPerMinute=7, enabled=False)
    )
    assert changed.json()["hook"]["callsPerMinute"] == 7
    assert (await sender.call({})).status_code == 404
    await manage(gateway, "PUT", "/h1", json=hook_spec())
    assert (await sender.call({})).status_code == 202
    answer = await manage(gateway, "PUT", "/h1", json=hook_spec("h2"))
    assert error_of(answer) == (422, "InvalidPath")


async def test_two_secrets_are_good_while_one_is_replaced(
    start: Start, starts: TemporalStarts
):
    gateway = await start(starts=starts)
    first = await new_hook(gateway)
    answer = await manage(gateway, "POST", "/h1/rotate", json={"graceSeconds": 60})
    assert answer.json()["secrets"] == 2
    second = Sender(gateway, first.path, answer.json()["secret"])
    assert first.secret != second.secret
    for number, sender in enumerate((first, second)):
        assert (await sender.call({"n": number})).status_code == 202

    later = time.time() + 61
    gateway.services.hooks.clock = lambda: later
    late = await first.send(b"{}", first.signed(b"{}"))
    assert error_of(late) == (401, "HookSignatureInvalid")
    assert (await manage(gateway, "GET", "/h1")).json()["secrets"] == 1
    gateway.services.hooks.clock = time.time

    answer = await manage(gateway, "POST", "/h1/rotate", json={"graceSeconds": 0})
    third = Sender(gateway, first.path, answer.json()["secret"])
    for sender, status in ((first, 401), (second, 401), (third, 202)):
        assert (await sender.call({"last": True})).status_code == status


async def test_secrets_that_are_replaced_at_once_are_not_lost(
    start: Start, starts: TemporalStarts, database_url: str
):
    gateways = [await start(starts=starts, database_url=database_url) for _ in range(2)]
    first = await new_hook(gateways[0])
    answers = await asyncio.gather(
        *(manage(g, "POST", "/h1/rotate", json={}) for g in gateways * 3)
    )
    secrets = [answer.json()["secret"] for answer in answers]
    statuses = [
        (await Sender(gateways[0], first.path, secret).call({"n": number})).status_code
        for number, secret in enumerate(secrets)
    ]
    # The newest and the one before it.
    assert sorted(statuses) == [202] * 2 + [401] * 4


async def test_a_call_can_be_signed_for_a_test(start: Start, starts: TemporalStarts):
    gateway = await start(starts=starts)
    sender = await new_hook(gateway)
    hub = await new_hook(gateway, "hub", signatures=["github"])
    for identifier, path in (("h1", sender.path), ("hub", hub.path)):
        body = '{"grün": 1}'
        answer = await manage(
            gateway, "POST", f"/{identifier}/sign", json={"body": body}
        )
        signed = answer.json()
        assert signed["url"] == path
        headers = signed["headers"] | {"Content-Type": "application/json"}
        done = await sender.__class__(gateway, path, "").send(body.encode(), headers)
        assert done.status_code == 202, done.text
    assert github(hub.secret, body.encode()).items() <= headers.items()


async def test_a_new_key_of_the_gateway_loses_no_hook(
    start: Start, starts: TemporalStarts, tmp_path: Path
):
    file = tmp_path / "secret"
    file.write_text(SECRET)
    gateway = await start(starts=starts, secret_file=file)
    sender = await new_hook(gateway)
    replace_key(file, 0)
    # What a second does: the file is looked at again.
    gateway.services._secret._look_at = 0.0
    services = gateway.services
    assert services.secret.splitlines()[0] != SECRET
    assert (await sender.call({"n": 1})).status_code == 202
    # The gateway's own upkeep, which begins with it, may have been quicker.
    await services.hooks.reseal()
    assert await services.hooks.reseal() == 0
    # Now not even the former key is needed.
    file.write_text(signing_key(file.read_text()))
    services._secret._look_at = 0.0
    assert len(services.secret.splitlines()) == 1
    assert (await sender.call({"n": 2})).status_code == 202


async def test_upkeep_seals_anew_once_per_key(gateway: Gateway):
    await new_hook(gateway)
    services = gateway.services
    secret = f"{OTHER}\n{SECRET} 1\n"
    before = services._secret._secret
    services._secret._secret = secret
    upkeep = HookUpkeep(services.hooks, services.ledger, lambda: secret)
    await upkeep.work()
    services._secret._secret = OTHER
    assert (await services.hooks.opened("h1")).secrets
    services._secret._secret = before


async def test_a_lost_key_of_the_gateway_is_said_and_can_be_mended(
    start: Start, starts: TemporalStarts
):
    first = await start(starts=starts)
    sender = await new_hook(first)
    second = await start(starts=starts, secret=OTHER)
    sender.gateway = second

    async def manage_second(method: str, path: str, **options: Any) -> Any:
        async with second.http(headers={"Authorization": f"Bearer {token}"}) as client:
            return await client.request(method, f"/api/hooks{path}", **options)

    token = mint(OTHER, Scope.SERVICE, subject="s")
    assert error_of(await sender.call({})) == (503, "HookSecretLost")
    shown = await manage_second("GET", "/h1")
    assert shown.json()["url"].endswith("/hooks/…")
    made = await manage_second("POST", "/h1/rotate", json={"graceSeconds": 0})
    assert made.status_code == 200
    mended = Sender(second, sender.path, made.json()["secret"])
    assert (await mended.call({})).status_code == 202


def test_what_is_sealed_opens_in_its_place_alone():
    sealed = seal(SECRET, "hook/a/secret", "text")
    assert unseal(SECRET, "hook/a/secret", sealed) == "text"
    assert seal(SECRET, "hook/a/secret", "text") != sealed
    assert is_current(SECRET, "hook/a/secret", sealed)
    assert not is_current(OTHER, "hook/a/secret", sealed)
    damaged = ("A" if sealed[20] != "A" else "B").join((sealed[:20], sealed[21:]))
    for secret, place, text in (
        (SECRET, "hook/b/secret", sealed),
        (OTHER, "hook/a/secret", sealed),
        (SECRET, "hook/a/secret", damaged),
        (SECRET, "hook/a/secret", ""),
    ):
        with pytest.raises(SealBroken):
            unseal(secret, place, text)
    former = f"{OTHER}\n{SECRET} 1"
    assert unseal(former, "hook/a/secret", sealed) == "text"


def test_sealed_texts_are_never_alike():
    assert len({seal(SECRET, "p", "t") for _ in range(100)}) == 100
