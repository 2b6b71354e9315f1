"""Tool actions of scripts: mail, Slack, Discord and tools by name, all for real."""

import json
import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme

from contracts.errors import (
    CroniumError,
    DeliveryFailed,
    DeliveryRefused,
    RequestRefused,
    SecretUnavailable,
    TargetInvalid,
    ToolUnknown,
)
from engines.mail import server_of
from engines.notify import Notifier
from engines.posts import Poster
from engines.secrets import SecretStore
from engines.tools import ToolActions, ToolConfig
from tests.conftest import pick_port
from tests.http_servers import ok, serving
from tests.receivers import mail_server
from worker.compose import tool_config
from worker.settings import SettingsError, load_settings

CONFIG = ToolConfig("MAIL", "SLACK", "DISCORD", {"Pager": "PAGER"})
MAIL = {"to": ["ada@example.org"], "subject": "Hi", "body": "the text"}


def tools(config: ToolConfig = CONFIG, **secrets: str) -> ToolActions:
    store = SecretStore(secrets, ["*"])
    return ToolActions(config, store, Notifier(store), Poster())


def smtp(port: int, user: str = "", scheme: str = "smtp") -> str:
    return f"{scheme}://{user}127.0.0.1:{port}?from=Cronium <cronium@example.org>"


async def send_mail(port: int, user: str = "", **config: Any) -> dict[str, Any]:
    made = tools(MAIL=smtp(port, user))
    return await made.execute("email", "send_message", {**MAIL, **config})


async def problem(tool: str, config: dict[str, Any], **secrets: str) -> str:
    with pytest.raises(RequestRefused) as caught:
        await tools(**secrets).execute(tool, "send_message", config)
    return str(caught.value)


async def test_one_mail_goes_to_all_and_bcc_is_not_shown() -> None:
    async with mail_server() as box:
        result = await send_mail(
            box.port,
            to=["Ada <ada@example.org>", "bob@example.org"],
            cc="carl@example.org",
            bcc=["dora@example.org"],
            replyTo="ops@example.org",
            subject="Größe",
        )
    assert result == {"success": True, "tool": "email", "action": "send_message"}
    (mail,) = box.mails
    assert box.recipients == [
        ["ada@example.org", "bob@example.org", "carl@example.org", "dora@example.org"]
    ]
    assert mail["To"] == "Ada <ada@example.org>, bob@example.org"
    assert (mail["Cc"], mail["Bcc"]) == ("carl@example.org", None)
    assert (mail["Subject"], mail["Reply-To"]) == ("Größe", "ops@example.org")
    assert mail["From"] == "Cronium <cronium@example.org>"
    assert mail.get_content().strip() == "the text"


@pytest.mark.parametrize(
    ("given", "shown"), [(True, "<b>x</b>"), ("<i>y</i>", "<i>y</i>")]
)
async def test_html_goes_beside_the_text(given: Any, shown: str) -> None:
    async with mail_server() as box:
        await send_mail(box.port, body="<b>x</b>", html=given)
    part = box.mails[0].get_body(("html",))
    assert part is not None
    assert part.get_content().strip() == shown


async def test_commas_part_addresses_as_the_bash_helper_has_them() -> None:
    async with mail_server() as box:
        await send_mail(box.port, to="ada@example.org, bob@example.org")
    assert box.recipients == [["ada@example.org", "bob@example.org"]]


async def test_a_recipient_that_is_refused_is_told() -> None:
    async with mail_server(refused={"bob@example.org"}) as box:
        result = await send_mail(box.port, cc="bob@example.org")
    assert result["refused"] == ["bob@example.org"]
    assert box.recipients == [["ada@example.org"]]


@pytest.mark.parametrize(
    ("refusal", "error"),
    [("550 no such user", DeliveryRefused), ("450 try later", DeliveryFailed)],
)
async def test_no_recipient_at_all_is_an_error(
    refusal: str, error: type[CroniumError]
) -> None:
    async with mail_server(refused={"ada@example.org"}, refusal=refusal) as box:
        with pytest.raises(error, match=f"none of the recipients .{refusal[:3]}."):
            await send_mail(box.port)


@pytest.fixture
def certified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """A certificate for the server, its authority trusted as an operator would."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
async def test_a_password_goes_over_tls(scheme: str, certified: ssl.SSLContext) -> None:
    async with mail_server(certified, starttls=scheme == "smtp") as box:
        made = tools(MAIL=smtp(box.port, "ada%40x:right@", scheme))
        await made.execute("email", "send-email", MAIL)
    assert box.logins == [(b"ada@x", b"right")]
    assert len(box.mails) == 1


async def test_a_wrong_password_is_told_without_it(certified: ssl.SSLContext) -> None:
    async with mail_server(certified, starttls=True) as box:
        with pytest.raises(DeliveryRefused) as caught:
            await send_mail(box.port, "ada:wr0ng@")
    assert "does not accept user and password" in str(caught.value)
    assert "wr0ng" not in str(caught.value)


async def test_a_password_is_not_sent_in_clear_text() -> None:
    async with mail_server() as box:
        with pytest.raises(DeliveryRefused, match="offers no TLS"):
            await send_mail(box.port, "ada:right@")
    assert box.logins == []


async def test_a_certificate_of_nobody_is_not_trusted(
    certified: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    async with mail_server(certified, starttls=True) as box:
        with pytest.raises(DeliveryFailed, match="certificate is not trusted"):
            await send_mail(box.port)
    assert box.mails == []


async def test_a_mail_server_that_is_away_may_come_back() -> None:
    with pytest.raises(DeliveryFailed, match="does not answer"):
        await send_mail(pick_port())


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"to": []}, "to: expected 1 to 50 recipients"),
        ({"to": ["nobody"]}, "to: expected addresses"),
        ({"to": ["a@b", 3]}, "config.to: expected an address or a list"),
        ({"to": ["a@b.example"] * 51}, "to: expected 1 to 50"),
        ({"cc": "x"}, "cc: expected addresses"),
        ({"subject": "a\nBcc: eve@example.org"}, "line break"),
        ({"to": ["a@b.example\nBcc: eve@example.org"]}, ""),
        ({"body": ""}, "config.body: required"),
        ({"body": 3}, "config.body: expected text"),
        ({"html": 3}, "config.html: expected"),
        ({"attachments": []}, "config.attachments: unknown field; known: bcc, body"),
    ],
)
async def test_a_mail_that_cannot_be_is_refused_by_its_field(
    config: dict[str, Any], said: str
) -> None:
    async with mail_server() as box:
        assert said in await problem("email", {**MAIL, **config}, MAIL=smtp(box.port))
    assert box.mails == []


@pytest.mark.parametrize(
    "url",
    ["smtp://h", "http://h?from=a@b", "smtp://h:x?from=a@b", "", "smtps://?from=a@b"],
)
def test_a_server_that_is_none_is_refused_unseen(url: str) -> None:
    with pytest.raises(TargetInvalid, match="the mail server's URL cannot be used"):
        server_of(url)


async def test_slack_gets_what_the_script_gave() -> None:
    config = {
        "channel": "#ops", "text": "hi", "blocks": [{"type": "divider"}],
        "iconEmoji": ":bell:", "username": "bot",
    }  # fmt: skip
    async with serving(ok()) as server:
        made = tools(SLACK=server.url + "/services/T/B/x")
        result = await made.execute("slack", "send_message", config)
    assert (result["success"], result["status"]) == (True, 200)
    (seen,) = server.seen
    sent = json.loads(seen.body)
    assert seen.target == "/services/T/B/x"
    assert (sent["channel"], sent["text"]) == ("#ops", "hi")
    assert (sent["blocks"], sent["icon_emoji"]) == ([{"type": "divider"}], ":bell:")


async def test_discord_gets_content_and_embeds_without_the_channel() -> None:
    config = {"channelId": "42", "content": "hi", "embeds": [{"title": "t"}]}
    async with serving(ok(status="204 No Content")) as server:
        made = tools(DISCORD=server.url)
        result = await made.execute("discord", "discord-send-message", config)
    assert result["status"] == 204
    assert json.loads(server.seen[0].body) == {
        "content": "hi", "embeds": [{"title": "t"}],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "error"),
    [("404 Not Found", DeliveryRefused), ("429 Slow", DeliveryFailed)],
)
async def test_a_webhook_that_refuses_is_an_error(
    answer: str, error: type[CroniumError]
) -> None:
    async with serving(ok(status=answer)) as server:
        with pytest.raises(error, match=f"to slack was answered with {answer[:3]}"):
            await tools(SLACK=server.url).execute(
                "slack", "send_message", {"text": "hi"}
            )


async def test_a_message_without_text_is_refused() -> None:
    assert "config.text: required" in await problem("slack", {}, SLACK="http://h")
    assert "config.content: " in await problem(
        "discord", {"channelId": "4"}, DISCORD="http://h"
    )


async def test_any_apprise_address_is_a_tool_by_its_name() -> None:
    async with serving(ok()) as server:
        made = tools(PAGER=f"json://127.0.0.1:{server.port}")
        await made.execute("pager", "send_message", {"message": "up", "subject": "S"})
    sent = json.loads(server.seen[0].body)
    assert (sent["title"], sent["message"]) == ("S", "up")


async def test_an_apprise_address_takes_text_alone() -> None:
    said = await problem("slack", {"text": "x", "blocks": []}, SLACK="json://h")
    assert "config.blocks: only a webhook URL takes it" in said
    assert "config.format: expected one of text" in await problem(
        "pager", {"message": "x", "format": "pdf"}, PAGER="json://h"
    )


async def test_unknown_tools_and_actions_are_told_with_those_there_are() -> None:
    with pytest.raises(ToolUnknown, match="there is: discord, email, pager, slack"):
        await tools().execute("teams", "send_message", {})
    with pytest.raises(ToolUnknown, match="it has: send_message"):
        await tools(MAIL="x").execute("email", "read", {})
    with pytest.raises(ToolUnknown, match="there is: none"):
        await tools(ToolConfig()).execute("email", "send_message", {})


async def test_a_tool_whose_secret_is_missing_is_told() -> None:
    with pytest.raises(SecretUnavailable, match="MAIL"):
        await tools().execute("email", "send_message", MAIL)


def test_an_operator_sets_tools_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("notify: {email_secret: SMTP, tools: {pager: PAGER_URL}}")
    made = tool_config(load_settings(file))
    assert made.secrets == {"email": "SMTP", "pager": "PAGER_URL"}
    monkeypatch.setenv("CRONIUM_NOTIFY_TOOLS", "pager=P, matrix=M")
    assert tool_config(load_settings(file)).secrets == {
        "email": "SMTP", "pager": "P", "matrix": "M",
    }  # fmt: skip
    monkeypatch.setenv("CRONIUM_NOTIFY_TOOLS", "pager")
    with pytest.raises(SettingsError, match="pager=PAGER_URL"):
        load_settings(file)
