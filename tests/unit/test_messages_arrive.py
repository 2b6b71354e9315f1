"""Messages through Apprise to real receivers on loopback."""

import asyncio
import io
import json
import logging
from collections.abc import Iterator
from urllib.parse import parse_qs

import pytest

from contracts.actions import MessageFormat, MessageTarget
from contracts.errors import DeliveryFailed, SecretUnavailable, TargetInvalid
from engines.notify import Notifier, checked, mask
from engines.secrets import SecretStore
from tests.conftest import pick_port
from tests.http_servers import LOOPBACK, Seen, ok, redirect, serving
from tests.receivers import mail_server


def notifier(**secrets: str) -> Notifier:
    return Notifier(SecretStore(secrets, ["*"]), LOOPBACK)


def url(port: int, scheme: str = "json", rest: str = "") -> MessageTarget:
    return MessageTarget(url=f"{scheme}://127.0.0.1:{port}/{rest}")


async def test_a_json_receiver_gets_subject_body_and_kind() -> None:
    async with serving(ok()) as server:
        target = url(server.port, rest="hook")
        await notifier().send(target, "It\nfailed", "größer\n<b>", good=False)
    (seen,) = server.seen
    body = json.loads(seen.body)
    assert seen.target == "/hook"
    assert (body["title"], body["message"]) == ("It failed", "größer\n<b>")
    assert body["type"] == "failure"


async def test_a_form_receiver_gets_fields() -> None:
    async with serving(ok()) as server:
        await notifier().send(url(server.port, "form"), "S", "B", good=True)
    fields = parse_qs(server.seen[0].body.decode())
    assert (fields["title"], fields["message"]) == (["S"], ["B"])
    assert fields["type"] == ["success"]


async def test_a_slack_compatible_webhook_gets_markdown() -> None:
    async with serving(ok()) as server:
        target = MessageTarget(secret="CHAT")
        chat = f"mmost://127.0.0.1:{server.port}/3ccdd113474722377935511fc85d3dd4"
        await notifier(CHAT=chat).send(
            target, "S", "**B**", format=MessageFormat.MARKDOWN
        )
    (seen,) = server.seen
    assert seen.target == "/hooks/3ccdd113474722377935511fc85d3dd4"
    assert "**B**" in json.loads(seen.body)["text"]


async def test_a_mail_target_gets_a_mail() -> None:
    async with mail_server() as box:
        address = (
            f"mailto://127.0.0.1:{box.port}/?from=cronium@example.org"
            "&to=ada@example.org&mode=insecure"
        )
        await notifier(MAIL=address).send(
            MessageTarget(secret="MAIL"), "Down", "the body", good=False
        )
    (mail,) = box.mails
    assert mail["Subject"] == "Down"
    assert box.recipients == [["ada@example.org"]]
    assert "the body" in mail.as_string()


@pytest.mark.parametrize("status", ["500 No", "403 No"])
async def test_a_receiver_that_refuses_is_told_with_its_reason(status: str) -> None:
    async with serving(ok(status=status)) as server:
        with pytest.raises(DeliveryFailed) as caught:
            await notifier().send(url(server.port), "S", "B")
    assert str(caught.value).startswith("json://… did not take the message: ")
    assert status[:3] in str(caught.value)


async def test_nobody_there_is_told() -> None:
    with pytest.raises(DeliveryFailed, match="A Connection error occurred"):
        await notifier().send(url(pick_port()), "S", "B")


async def test_errors_of_messages_sent_at_once_are_kept_apart() -> None:
    async def answer(seen: Seen, writer: asyncio.StreamWriter) -> bytes:
        await asyncio.sleep(0.1)
        return ok(status=f"{seen.target.strip('/')} No")

    async with serving(answer) as server:
        one = notifier()
        sent = await asyncio.gather(
            *(one.send(url(server.port, rest=str(s)), "S", "B") for s in (501, 502)),
            return_exceptions=True,
        )
    assert [("501" in str(e), "502" in str(e)) for e in sent] == [
        (True, False),
        (False, True),
    ]


@pytest.fixture
def own_log() -> Iterator[io.StringIO]:
    """What the worker's own log has at its most talkative."""
    text, root = io.StringIO(), logging.getLogger()
    handler, level = logging.StreamHandler(text), root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield text
    root.setLevel(level)
    root.removeHandler(handler)


async def test_no_credential_of_a_target_is_in_an_error_or_a_log(
    own_log: io.StringIO,
) -> None:
    logging.getLogger("shown").debug("the log is read")
    secret = f"jsons://ada:hunter2secret@127.0.0.1:{pick_port()}/t0ken-in-path"
    with pytest.raises(DeliveryFailed) as caught:
        await notifier(CHAT=secret).send(MessageTarget(secret="CHAT"), "S", "B")
    with pytest.raises(TargetInvalid) as refused:
        await notifier(CHAT="slack://hunter2secret").send(
            MessageTarget(secret="CHAT"), "S", "B"
        )
    told = str(caught.value) + str(refused.value) + own_log.getvalue()
    assert "the log is read" in told
    assert "hunter2secret" not in told
    assert "t0ken-in-path" not in told
    assert "secret CHAT" in str(caught.value)


def test_parts_of_an_address_are_masked_in_either_spelling() -> None:
    address = "slack://T0KEN%2FA/B0KENB?to=ada%40example"
    assert mask("T0KEN%2FA T0KEN/A B0KENB 404", address) == "*** *** *** 404"


@pytest.mark.parametrize("scheme", ["dbus", "syslog", "gnome", "windows"])
async def test_the_worker_itself_is_no_target(scheme: str) -> None:
    for target in (
        MessageTarget(url=f"{scheme}://localhost"),
        MessageTarget(secret="LOCAL"),
    ):
        with pytest.raises(TargetInvalid, match="worker's own machine"):
            await notifier(LOCAL=f"{scheme}://localhost").send(target, "S", "B")


@pytest.mark.parametrize(
    "address",
    [
        "discord://1/2?template=/etc/passwd",
        "discord://1/2?a=b;Template=x",
        "discord://1/2?a=b?%74emplate=x",
        "json://h#?keyfile=x",
        "json://h/?x=%2Fetc%2Fpasswd",
        "json://h/?x=file:///etc/passwd",
        "json://h/?+template=x",
    ],
)
def test_files_of_the_worker_are_only_named_in_secrets(address: str) -> None:
    with pytest.raises(TargetInvalid, match="only taken from a secret"):
        checked(address, "discord://…")


def test_other_options_are_taken() -> None:
    address = "json://h/?format=markdown&to=a%2Fb"
    assert checked(address, "json://…") == address


@pytest.mark.parametrize("address", ["nosuch://host", "json://", "slack://x"])
async def test_an_address_that_nothing_can_be_sent_to_is_refused(address: str) -> None:
    with pytest.raises(TargetInvalid, match="is not a usable address"):
        await notifier().send(MessageTarget(url=address), "S", "B")


async def test_a_secret_that_is_not_there_is_named() -> None:
    with pytest.raises(SecretUnavailable, match="CHAT"):
        await notifier().send(MessageTarget(secret="CHAT"), "S", "B")


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("json://169.254.169.254/latest", "169.254.169.254"),
        ("json://localhost:1/x", "localhost"),
        ("form://2130706433/", "2130706433"),
        ("mailto://u:p@example.org?smtp=10.0.0.1", "10.0.0.1"),
        ("gotify://192.168.0.1/token123", "192.168.0.1"),
    ],
)
async def test_a_target_in_an_event_does_not_lead_into_the_worker_s_network(
    address: str, host: str
) -> None:
    closed = Notifier(SecretStore({}, []))
    with pytest.raises(TargetInvalid, match=f"{host} has a .* address"):
        await closed.send(MessageTarget(url=address), "S", "B")


async def test_a_target_in_an_event_does_not_redirect() -> None:
    async with serving(ok()) as inner, serving(redirect(inner.url)) as outer:
        with pytest.raises(DeliveryFailed):
            await notifier().send(url(outer.port), "S", "B")
    assert (len(outer.seen), inner.seen) == (1, [])
