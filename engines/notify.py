"""Messages through Apprise: one URL per target, whatever service stands behind it."""

import asyncio
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from urllib.parse import unquote

from apprise import Apprise, AppriseAsset, NotifyFormat, NotifyType
from apprise.plugins import NotifyBase

from contracts.actions import MessageFormat, MessageTarget
from contracts.errors import DeliveryFailed, TargetInvalid
from engines.secrets import SecretStore

# Apprise bounds each of its connections by itself; this bounds all of one message.
SEND_SECONDS = 60.0
# They speak to the desktop or the log of the worker's machine.
LOCAL_SCHEMES = frozenset(
    {
        "blink1", "dbus", "deltachat", "glib", "gnome", "kde", "macosx", "qt",
        "syslog", "windows",
    }
)  # fmt: skip
# Options that name a file of the worker. In a secret they are the operator's own.
FILE_OPTIONS = frozenset(
    {"keyfile", "subfile", "template", "pgpkey", "pgp", "key", "cert", "cacert", "ca"}
)
SHORTEST_CREDENTIAL = 6

_problems: ContextVar[list[str] | None] = ContextVar("apprise_problems", default=None)


class _Collector(logging.Handler):
    """Keeps what Apprise says of the message that is being sent, for its error."""

    def emit(self, record: logging.LogRecord) -> None:
        """See base class."""
        found = _problems.get()
        if found is not None:
            found.append(record.getMessage())


logging.getLogger("apprise").addHandler(_Collector(logging.WARNING))
# What it says is in our errors, masked; as it is it may have addresses in it.
logging.getLogger("apprise").propagate = False
logging.getLogger("urllib3").setLevel(logging.WARNING)


class Notifier:
    """Sends messages.

    Args:
        secrets: Where the URLs of targets are looked up.
    """

    def __init__(self, secrets: SecretStore) -> None:
        self._secrets = secrets
        self._asset = AppriseAsset(
            app_id="Cronium",
            app_desc="Cronium",
            app_url="",
            storage_mode="memory",
            plugin_paths=[],
            secure_logging=True,
        )

    async def send(
        self,
        target: MessageTarget,
        subject: str,
        body: str,
        *,
        format: MessageFormat = MessageFormat.TEXT,
        good: bool | None = None,
    ) -> None:
        """Send one message to one target.

        Args:
            target: Where to.
            subject: One line, or "".
            body: The text.
            format: What the body is written in.
            good: Whether the news is good; None is neither. Services show it.

        Raises:
            SecretUnavailable: The target's secret is not there.
            TargetInvalid: The URL is none that a message can be sent to.
            DeliveryFailed: It was not taken.
        """
        if target.secret is not None:
            url = self._secrets.resolve(target.secret).strip()
        else:
            url = checked(str(target.url), target.label)
        await self.send_to(url, target.label, subject, body, format=format, good=good)

    async def send_to(
        self,
        url: str,
        label: str,
        subject: str,
        body: str,
        *,
        format: MessageFormat = MessageFormat.TEXT,
        good: bool | None = None,
    ) -> None:
        """Send one message to a URL that is trusted; see `send`.

        Args:
            url: An Apprise URL.
            label: How errors name it.
            subject: As for `send`.
            body: As for `send`.
            format: As for `send`.
            good: As for `send`.
        """
        with _collecting() as problems:
            # The first one loads all of Apprise's services, which takes a second.
            service = await asyncio.to_thread(self._service, url, label)
            if service is None:
                why = mask(_why(problems), url)
                raise TargetInvalid(f"{label} is not a usable address{why}")
            kind = {None: NotifyType.INFO, True: NotifyType.SUCCESS}
            sending = service.async_notify(
                title=" ".join(subject.split()),
                body=body,
                body_format=NotifyFormat(format.value),
                notify_type=kind.get(good, NotifyType.FAILURE),
            )
            try:
                taken = await asyncio.wait_for(sending, SEND_SECONDS)
            except TimeoutError:
                raise DeliveryFailed(
                    f"{label} did not take the message within {SEND_SECONDS:g} s"
                ) from None
        if not taken:
            raise DeliveryFailed(
                f"{label} did not take the message{mask(_why(problems), url)}"
            )

    def _service(self, url: str, label: str) -> NotifyBase | None:
        scheme = url.partition("://")[0].lower()
        if scheme in LOCAL_SCHEMES:
            raise TargetInvalid(f"{label}: {scheme} speaks to the worker's own machine")
        try:
            return Apprise.instantiate(url, asset=self._asset)
        except (TypeError, ValueError):
            return None


def checked(url: str, label: str) -> str:
    """Return a user's URL, unless it would have files of the worker read.

    Raises:
        TargetInvalid: It would.
    """
    # As Apprise reads them: `;` and `&` part options, and a `#` ends nothing.
    options = [
        (unquote(name).strip().lstrip("+-:").lower(), unquote(value).strip().lower())
        for name, _, value in (
            part.partition("=") for part in re.split("[?&;]", url.partition("?")[2])
        )
    ]
    named = sorted({name for name, _ in options if name in FILE_OPTIONS})
    paths = any(value.startswith(("/", "~", "file:")) for _, value in options)
    if named or paths:
        raise TargetInvalid(
            f"{label}: options that name files of the worker "
            f"({', '.join(named) or 'a path'}) are only taken from a secret"
        )
    return url


def mask(text: str, url: str) -> str:
    """Return a text without the parts of a URL that may be credentials."""
    whole = url.partition("://")[2]
    parts = {part for part in re.split(r"[/:@?&=#,]+", whole) if part}
    for part in sorted(parts | {unquote(part) for part in parts}, key=len)[::-1]:
        if len(part) >= SHORTEST_CREDENTIAL:
            text = text.replace(part, "***")
    return text


@contextmanager
def _collecting() -> Iterator[list[str]]:
    found: list[str] = []
    token = _problems.set(found)
    try:
        yield found
    finally:
        _problems.reset(token)


def _why(problems: list[str]) -> str:
    return f": {problems[-1].strip()[:300]}" if problems else ""
