"""Tool actions of scripts: a mail, a Slack or Discord message, or a tool by its name.

A script names tool and action and gives a configuration; the address with its
credentials is the operator's, a secret that no script sees. The configurations are
those of the older app's helpers:

    email    {to, subject, body, cc, bcc, html, replyTo}   html: true, or the HTML text
    slack    {channel, text, blocks, attachments, username, icon_emoji, …}
    discord  {channelId, content, embeds, username, …}
    others   {message, subject, format}

Slack and Discord take what they know of it when the secret is the URL of a webhook
(https://…); a webhook posts to its own channel, whatever `channelId` says. Any other
Apprise URL gets the text alone.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from contracts.actions import MessageFormat
from contracts.errors import RequestRefused, ToolUnknown
from engines import mail
from engines.notify import Notifier
from engines.posts import Poster
from engines.secrets import SecretStore

POST_SECONDS = 15.0
SEND = "send_message"
# The older app's names of the same action.
SAME_ACTION = {
    "email": {"send-email", "send_email"},
    "slack": {"slack-send-message"},
    "discord": {"discord-send-message"},
}
MAIL_FIELDS = frozenset(
    {"to", "subject", "body", "cc", "bcc", "html", "replyTo", "reply_to"}
)
TEXT_FIELDS = ("message", "text", "body", "content")
SUBJECT_FIELDS = ("subject", "title")
RICH_FIELDS = frozenset({"blocks", "attachments", "embeds"})
SNAKE = {"iconEmoji": "icon_emoji", "iconUrl": "icon_url", "avatarUrl": "avatar_url"}


@dataclass(frozen=True, slots=True)
class ToolConfig:
    """Which tools there are: names of the secrets with their addresses.

    Args:
        email: Secret with the URL of a mail server.
        slack: Secret with a webhook URL or an Apprise URL.
        discord: The same for Discord.
        others: Any other tool: name → secret with an Apprise URL.
    """

    email: str | None = None
    slack: str | None = None
    discord: str | None = None
    others: Mapping[str, str] = field(default_factory=dict)

    @property
    def secrets(self) -> dict[str, str]:
        """Return tool → secret of all tools that are set up."""
        own = {"email": self.email, "slack": self.slack, "discord": self.discord}
        others = {name.lower(): secret for name, secret in self.others.items()}
        return {**others, **{name: s for name, s in own.items() if s}}


@dataclass(frozen=True, slots=True)
class ToolActions:
    """Does what scripts ask for.

    Args:
        config: Which tools there are.
        secrets: Where addresses are looked up.
        notifier: Sends through Apprise.
        poster: Sends to webhooks.
    """

    config: ToolConfig
    secrets: SecretStore
    notifier: Notifier
    poster: Poster

    async def execute(
        self, tool: str, action: str, config: dict[str, Any]
    ) -> dict[str, Any]:
        """Do one action; return what the script gets: `{"success": true, …}`.

        Raises:
            ToolUnknown: There is no such tool or action; the message names those there
                are.
            RequestRefused: The configuration does not fit; the message names the field.
            SecretUnavailable: The operator's secret is not there.
            DeliveryFailed: It was not taken; it may be later.
            DeliveryRefused: It was not taken.
        """
        tool = tool.strip().lower()
        address = (await self.secrets.value(self._secret(tool, action))).strip()
        if tool == "email":
            more = await self._mail(address, config)
        elif tool in ("slack", "discord") and address.startswith(
            ("https://", "http://")
        ):
            more = await self._webhook(tool, address, config)
        else:
            more = await self._message(tool, address, config)
        return {"success": True, "tool": tool, "action": action, **more}

    def _secret(self, tool: str, action: str) -> str:
        """Return the name of the secret with a tool's address."""
        known = self.config.secrets
        if tool not in known:
            there = ", ".join(sorted(known)) or "none"
            raise ToolUnknown(
                f"no tool named {tool[:100]!r} is set up here; there is: {there}"
            )
        if action not in {SEND, *SAME_ACTION.get(tool, ())}:
            raise ToolUnknown(f"{tool} has no action {action[:100]!r}; it has: {SEND}")
        return known[tool]

    async def _mail(self, address: str, config: dict[str, Any]) -> dict[str, Any]:
        unknown = sorted(set(config) - MAIL_FIELDS)
        if unknown:
            raise RequestRefused(
                f"config.{unknown[0]}: unknown field; known: "
                f"{', '.join(sorted(MAIL_FIELDS - {'reply_to'}))}"
            )
        body, html = _text(config, ("body",)), config.get("html", False)
        if html is True:
            html = body
        elif not isinstance(html, str | bool):
            raise RequestRefused("config.html: expected true, false or the HTML text")
        sent = mail.Mail(
            to=_list(config, "to"),
            subject=_optional(config, ("subject",)),
            text=body,
            html=html or None,
            cc=_list(config, "cc"),
            bcc=_list(config, "bcc"),
            reply_to=_list(config, "replyTo") or _list(config, "reply_to"),
        )
        refused = await mail.send(mail.server_of(address), sent)
        return {"refused": refused} if refused else {}

    async def _webhook(
        self, tool: str, url: str, config: dict[str, Any]
    ) -> dict[str, Any]:
        payload = {SNAKE.get(name, name): value for name, value in config.items()}
        for name in ("channelId", "channel_id"):
            payload.pop(name, None)
        text = "text" if tool == "slack" else "content"
        if not payload.get(text) and not RICH_FIELDS & set(payload):
            raise RequestRefused(f"config.{text}: required, but missing")
        status = await self.poster.post(
            url,
            json.dumps(payload).encode(),
            [("Content-Type", "application/json"), ("User-Agent", "cronium")],
            POST_SECONDS,
            f"the message to {tool}",
        )
        return {"status": status}

    async def _message(
        self, tool: str, url: str, config: dict[str, Any]
    ) -> dict[str, Any]:
        rich = sorted(RICH_FIELDS & set(config))
        if rich:
            raise RequestRefused(
                f"config.{rich[0]}: only a webhook URL takes it, and {tool} is not set "
                "up with one"
            )
        try:
            form = MessageFormat(config.get("format", "text"))
        except ValueError:
            raise RequestRefused(
                f"config.format: expected one of {', '.join(MessageFormat)}"
            ) from None
        await self.notifier.send_to(
            url,
            f"tool {tool}",
            _optional(config, SUBJECT_FIELDS),
            _text(config, TEXT_FIELDS),
            format=form,
        )
        return {}


def _text(config: dict[str, Any], names: tuple[str, ...]) -> str:
    text = _optional(config, names)
    if not text:
        raise RequestRefused(f"config.{names[0]}: required, but missing")
    return text


def _optional(config: dict[str, Any], names: tuple[str, ...]) -> str:
    for name in names:
        value = config.get(name)
        if value is not None:
            if not isinstance(value, str):
                raise RequestRefused(f"config.{name}: expected text")
            return value
    return ""


def _list(config: dict[str, Any], name: str) -> list[str]:
    """Return addresses: a list, or text with commas."""
    value = config.get(name)
    values = value if isinstance(value, list) else [value] if value else []
    if not all(isinstance(item, str) for item in values):
        raise RequestRefused(f"config.{name}: expected an address or a list of them")
    return [item for item in values if item.strip()]
