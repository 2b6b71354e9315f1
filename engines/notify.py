"""Messages through Apprise: one URL per target, whatever service stands behind it."""

import asyncio
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from urllib.parse import unquote

import httpcore
from apprise import Apprise, AppriseAsset, NotifyFormat, NotifyType
from apprise.plugins import NotifyBase

from contracts.actions import MessageFormat, MessageTarget
from contracts.errors import DeliveryFailed, TargetInvalid
from engines.http.addresses import AddressPolicy
from engines.http.failures import ExchangeFailed
from engines.http.wire import check_addresses, resolve
from engines.secrets import SecretStore

# Apprise bounds each of its connections by itself; this bounds all of one message.
SEND_SECONDS = 60.0
RESOLVE_SECONDS = 10.0
PUBLIC_ONLY = AddressPolicy()
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
        addresses: Which hosts a URL in an event may name; those in a secret are the
            operator's own.
    """

    def __init__(
        self, secrets: SecretStore, addresses: AddressPolicy = PUBLIC_ONLY
    ) -> None:
        self._secrets = secrets
        self._addresses = addresses
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
            url = (await self._secrets.value(target.secret)).strip()
        else:
            url = checked(str(target.url), target.label)
        await self.send_to(
            url,
            target.label,
            subject,
            body,
            format=format,
            good=good,
            trusted=target.secret is not None,
        )

    async def send_to(
        self,
        url: str,
        label: str,
        subject: str,
        body: str,
        *,
        format: MessageFormat = MessageFormat.TEXT,
        good: bool | None = None,
        trusted: bool = True,
    ) -> None:
        """Send one message to a URL; see `send`.

        Args:
            url: An Apprise URL.
            label: How errors name it.
            subject: As for `send`.
            body: As for `send`.
            format: As for `send`.
            good: As for `send`.
            trusted: Whether the URL may lead into the worker's own network.
        """
        with _collecting() as problems:
            # The first one loads all of Apprise's services, which takes a second.
            service = await asyncio.to_thread(self._service, url, label)
            if service is None:
                why = mask(_why(problems), url)
                raise TargetInvalid(f"{label} is not a usable address{why}")
            if not trusted:
                await self._check_hosts(service, label)
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

    async def _check_hosts(self, service: NotifyBase, label: str) -> None:
        """Keep a user's target out of the worker's own network.

        Apprise looks the name up again when it connects, so a name server that gives
        two answers gets past this; a redirect does not.
        """
        service.redirects = False
        for host in _hosts_of(service):
            try:
                found = await resolve(host, 0, RESOLVE_SECONDS)
            except (ExchangeFailed, httpcore.ConnectTimeout):
                # Nothing can be sent there; Apprise says so in its own words.
                continue
            try:
                check_addresses(self._addresses, host, found)
            except ExchangeFailed as error:
                raise TargetInvalid(
                    f"{label}: {error.info.message}", hint=error.info.hint
                ) from None

    def _service(self, url: str, label: str) -> NotifyBase | None:
        scheme = url.partition("://")[0].lower()
        if scheme in LOCAL_SCHEMES:
            raise TargetInvalid(f"{label}: {scheme} speaks to the worker's own machine")
        try:
            return Apprise.instantiate(url, asset=self._asset)
        except (TypeError, ValueError):
            return None


def _hosts_of(service: NotifyBase) -> list[str]:
    """Return the hosts that a URL's author chose; none of a service on the internet."""
    if "host" not in service.template_tokens:
        return []
    # The domain of a mail's sender is no place that is connected to.
    host = getattr(service, "smtp_host", "") or service.host
    return [host] if host else []


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
