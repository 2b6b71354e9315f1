"""Messages and callbacks as the real activities send them, tried by a real Temporal."""

import base64
import hashlib
import hmac
import json
import time
from typing import Any

import pytest
from temporalio.client import WorkflowHandle, WorkflowHistory

from activities import ActionActivities
from contracts.results import ActionResult, Status
from engines.callback import CallbackSender
from engines.notify import Notifier
from engines.posts import Poster
from engines.secrets import SecretStore
from tests.conftest import pick_port
from tests.http_servers import LOOPBACK, Answer, Seen, ok, serving
from tests.receivers import mail_server
from tests.temporal.scripted import FAILS, SUCCEEDS, Script, Scripted, ends

KEY = "k3y-of-the-receiver"


async def variables(user: str) -> dict[str, Any]:
    return {"OWNER": f"owner of {user}"}


def real(**secrets: str) -> ActionActivities:
    store = SecretStore({"KEY": KEY, **secrets}, ["*"])
    return ActionActivities(
        Notifier(store, LOOPBACK), CallbackSender(store, Poster()), variables
    )


def answers(*replies: bytes) -> Answer:
    left = list(replies)

    async def answer(seen: Seen, writer: Any) -> bytes:
        return left.pop(0)

    return answer


async def row_of(
    server: Scripted, action: dict[str, Any], step: Any = SUCCEEDS, **secrets: str
) -> tuple[ActionResult, WorkflowHandle[Any, Any]]:
    script = Script(run=[step])
    result, handle = await server.play(script, real=real(**secrets), actions=[action])
    (row,) = result.actions
    return row, handle


def callback(url: str, **fields: Any) -> dict[str, Any]:
    return {"kind": "callback", "url": url, "secret": "KEY", **fields}


def message(*urls: str, **fields: Any) -> dict[str, Any]:
    return {
        "kind": "message", "targets": [{"url": url} for url in urls], "body": "b",
        **fields,
    }  # fmt: skip


def everything_in(history: WorkflowHistory) -> str:
    """All payloads of a history as text."""
    found: list[str] = []

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            if isinstance(value.get("data"), str):
                found.append(base64.b64decode(value["data"]).decode())
            value = list(value.values())
        if isinstance(value, list):
            for item in value:
                walk(item)

    walk(json.loads(history.to_json()))
    return "\n".join(found)


async def test_a_callback_is_sent_until_it_arrives(server: Scripted) -> None:
    away = ok(status="500 Oh")
    async with serving(answers(away, away, ok())) as receiver:
        row, _ = await row_of(server, callback(receiver.url))
    assert (row.status, row.http_status, row.attempts) == (Status.SUCCESS, 200, 3)
    assert len(receiver.seen) == 3
    assert len({seen.one("x-cronium-delivery") for seen in receiver.seen}) == 1
    stamps = [seen.one("x-cronium-timestamp") for seen in receiver.seen]
    assert stamps == sorted(stamps)
    assert stamps[0] < stamps[-1]
    for seen, stamp in zip(receiver.seen, stamps, strict=True):
        signed = stamp.encode() + b"." + seen.body
        digest = hmac.new(KEY.encode(), signed, hashlib.sha256).hexdigest()
        assert seen.one("x-cronium-signature") == "v1=" + digest
        assert json.loads(seen.body)["status"] == "SUCCESS"


async def test_a_receiver_that_asks_for_time_gets_it(server: Scripted) -> None:
    busy = ok(b"", "Retry-After: 4", status="429 Slow")
    began = time.monotonic()
    async with serving(answers(busy, ok())) as receiver:
        row, _ = await row_of(server, callback(receiver.url))
    assert (row.status, row.attempts) == (Status.SUCCESS, 2)
    assert 4 <= time.monotonic() - began < 20


async def test_a_refusal_is_not_tried_again(server: Scripted) -> None:
    async with serving(ok(status="410 Gone")) as receiver:
        row, _ = await row_of(server, callback(receiver.url), FAILS)
    assert row.error is not None
    assert (row.status, row.attempts) == (Status.FAILURE, 1)
    assert (row.error.type, row.error.retryable) == ("DeliveryRefused", False)
    assert len(receiver.seen) == 1


async def test_a_receiver_that_stays_away_is_given_up(server: Scripted) -> None:
    url = f"http://127.0.0.1:{pick_port()}"
    row, _ = await row_of(server, callback(url, retries=1))
    assert row.error is not None
    assert (row.status, row.attempts) == (Status.FAILURE, 2)
    assert row.error.message == "the callback did not arrive: connection refused"


async def test_a_target_that_has_the_message_does_not_get_it_again(
    server: Scripted,
) -> None:
    away = ok(status="503 Busy")
    async with (
        serving(ok()) as first,
        serving(answers(away, away, ok())) as second,
        serving(ok()) as third,
    ):
        urls = [f"json://127.0.0.1:{one.port}" for one in (first, second, third)]
        row, _ = await row_of(server, message(*urls))
    assert (row.status, row.notified, row.attempts) == (Status.SUCCESS, 3, 3)
    assert [len(one.seen) for one in (first, second, third)] == [1, 3, 1]


async def test_a_message_that_some_do_not_take_says_how_many(
    server: Scripted,
) -> None:
    async with serving(ok()) as one, serving(ok(status="500 Oh")) as other:
        urls = [f"json://127.0.0.1:{each.port}" for each in (one, other)]
        row, _ = await row_of(server, message(*urls, retries=0))
    assert row.error is not None
    assert row.status is Status.FAILURE
    assert row.error.message.endswith("(1 of 2 targets failed)")


async def test_a_message_tells_what_happened(server: Scripted) -> None:
    body = (
        "{{ event.name }} {{ status }} {{ exitCode }} {{ output.n }} "
        "{{ variables.OWNER }}"
    )
    action = message(subject="{{ event.id }}!", body=body)
    step = ends(Status.FAILURE, 3, output={"n": 7})
    async with mail_server() as box:
        action["targets"] = [{"secret": "MAIL"}]
        address = (
            f"mailto://127.0.0.1:{box.port}/?from=c@example.org&to=ada@example.org"
            "&mode=insecure"
        )
        row, _ = await row_of(server, action, step, MAIL=address)
    assert (row.status, row.notified) == (Status.SUCCESS, 1)
    (mail,) = box.mails
    assert mail["Subject"] == "test!"
    assert "a test FAILURE 3 7 owner of local" in mail.as_string()


async def test_a_template_that_cannot_be_rendered_is_told_at_once(
    server: Scripted,
) -> None:
    row, _ = await row_of(server, message("json://127.0.0.1", body="{{ nope }}"))
    assert row.error is not None
    assert (row.status, row.attempts) == (Status.FAILURE, 1)
    assert row.error.type == "TemplateInvalid"
    assert row.error.message.startswith("body: line 1: `nope` is not known")


async def test_no_secret_enters_a_history(server: Scripted) -> None:
    async with serving(answers(ok(status="500 Oh"), ok())) as receiver:
        chat = f"json://ada:hunter2secret@127.0.0.1:{receiver.port}"
        action = {
            "kind": "message", "targets": [{"secret": "CHAT"}],
            "body": "{{ variables.OWNER }}",
        }  # fmt: skip
        _, handle = await row_of(server, action, CHAT=chat)
        text = everything_in(await handle.fetch_history())
        assert len(receiver.seen) == 2
    async with serving(ok(status="400 No")) as receiver:
        _, handle = await row_of(server, callback(receiver.url))
        text += everything_in(await handle.fetch_history())
    assert "variables.OWNER" in text  # the template is; what it reads is not
    for hidden in ("hunter2secret", KEY, "owner of local"):
        assert hidden not in text


@pytest.mark.parametrize("kind", ["message", "callback"])
async def test_a_missing_secret_is_named_in_the_row(
    kind: str, server: Scripted
) -> None:
    action = callback("http://127.0.0.1:1", secret="NONE")
    if kind == "message":
        action = {"kind": kind, "targets": [{"secret": "NONE"}], "body": "b"}
    row, _ = await row_of(server, action)
    assert row.error is not None
    assert (row.error.type, row.attempts) == ("SecretUnavailable", 1)
    assert "NONE" in row.error.message
