"""From an event's request to the bytes that are sent: values, secrets, encodings."""

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import httpx

from contracts import limits
from contracts.errors import HttpRequestInvalid
from contracts.http import CONTROL, Credential, HttpRequestSpec, Pair
from contracts.inline_secrets import CREDENTIAL_HEADERS
from engines.http.payload import Payload, encode
from engines.http.templates import Secrets, Templates
from engines.http.urls import checked_url, host_of, origin, with_query

USER_AGENT = "cronium-executor"
# Only what is decompressed under a limit is asked for.
ACCEPT_ENCODING = "gzip, deflate"
# Forms of credentials that are shorter are no secrets worth the name.
MIN_CREDENTIAL_CHARS = 4


@dataclass(frozen=True, slots=True)
class HeaderLine:
    """One header as it is sent."""

    name: str
    value: bytes
    private: bool = False
    """Whether it is for the first origin alone, and not for the log."""


@dataclass(frozen=True, slots=True)
class PreparedRequest:
    """A request with nothing left to fill in."""

    method: str
    url: httpx.URL
    headers: tuple[HeaderLine, ...]
    content: bytes = b""
    private_content: bool = False
    """Whether a secret is in the body."""
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """What must be masked wherever it turns up."""
    ca_certificates: str | None = field(default=None, repr=False)

    def has(self, name: str) -> bool:
        """Return whether a header is there."""
        return any(line.name.lower() == name for line in self.headers)

    def redirected(self, status: int, url: httpx.URL) -> "PreparedRequest":
        """Return the request that follows a redirect, without others' credentials."""
        headers, method, content = self.headers, self.method, self.content
        if not _same_trust(self.url, url):
            headers = tuple(line for line in headers if not line.private)
        if status == 303 or (status in (301, 302) and method == "POST"):
            # What every browser does, and RFC 9110 allows for 301 and 302.
            method, content = "HEAD" if method == "HEAD" else "GET", b""
            headers = tuple(
                line
                for line in headers
                if line.name.lower() not in ("content-type", "content-length")
            )
        return replace(self, method=method, url=url, headers=headers, content=content)

    def leaks_to(self, url: httpx.URL) -> bool:
        """Return whether sending it there gives a secret of the body away."""
        return bool(
            self.content and self.private_content and not _same_trust(self.url, url)
        )


def prepare(
    spec: HttpRequestSpec, data: Mapping[str, Any], resolve: Callable[[str], str]
) -> PreparedRequest:
    """Fill in a request.

    Args:
        spec: The request of the event.
        data: What expressions may read: `input`, `event`.
        resolve: Returns the value of a secret.

    Raises:
        HttpRequestInvalid: No request can be made of it; the field is named, and no
            value is in the message.
        SecretUnavailable: A secret does not exist.
    """
    return _Preparation(spec, data, resolve).request()


class _Preparation:
    def __init__(
        self,
        spec: HttpRequestSpec,
        data: Mapping[str, Any],
        resolve: Callable[[str], str],
    ) -> None:
        self._spec = spec
        self._secrets = Secrets(resolve)
        self._templates = Templates(data, self._secrets)
        self._plain: list[str] = []
        """Credentials that stand in the event itself: masked all the same."""

    def request(self) -> PreparedRequest:
        spec = self._spec
        url = self._url()
        headers = self._headers() + self._authorization()
        before = len(self._secrets.values)
        given = {line.name.lower(): line.value for line in headers}
        payload = encode(
            spec.body, given.get("content-type"), self._templates, self._secrets
        )
        private_content = len(self._secrets.values) > before
        ca = spec.tls.ca_secret and self._secrets.get(spec.tls.ca_secret)
        secrets = [v for v in self._secrets.values if v != ca]
        return PreparedRequest(
            method=spec.method.value,
            url=url,
            headers=_complete(headers, payload, spec.method.value),
            content=payload.content,
            private_content=private_content,
            secrets=tuple(dict.fromkeys([*secrets, *self._plain])),
            ca_certificates=ca or None,
        )

    def _url(self) -> httpx.URL:
        where = "event.http.url"
        text = self._templates.url(where, self._spec.url, limits.MAX_URL_CHARS)
        pairs = [
            (pair.name, self._value(f"event.http.query[{index}]", pair))
            for index, pair in enumerate(self._spec.query)
        ]
        return with_query(checked_url(where, text), pairs)

    def _value(self, where: str, pair: Pair | Credential) -> str:
        if pair.secret is not None:
            return self._secrets.get(pair.secret)
        limit = limits.MAX_HTTP_VALUE_CHARS
        return self._templates.text(f"{where}.value", pair.value or "", limit)

    def _headers(self) -> list[HeaderLine]:
        lines = []
        for index, header in enumerate(self._spec.headers):
            where = f"event.http.headers[{index}]"
            before = len(self._secrets.values)
            value = self._value(where, header)
            private = len(self._secrets.values) > before
            if header.name.lower() in CREDENTIAL_HEADERS:
                private = True
                self._remember(value, *value.split(" ")[1:])
            lines.append(_line(f"{where}.value", header.name, value, private))
        return lines

    def _authorization(self) -> list[HeaderLine]:
        auth = self._spec.auth
        if auth is None:
            return []
        where = "event.http.auth"
        if auth.kind == "bearer":
            words = self._value(f"{where}.token", auth.token)
            self._remember(words)
            return [_line(f"{where}.token", "Authorization", f"Bearer {words}", True)]
        user = self._value(f"{where}.username", auth.username)
        password = self._value(f"{where}.password", auth.password)
        if ":" in user:
            raise HttpRequestInvalid(f"{where}.username: a user name has no colon")
        words = base64.b64encode(f"{user}:{password}".encode()).decode()
        self._remember(password, words)
        return [_line(where, "Authorization", f"Basic {words}", True)]

    def _remember(self, *values: str) -> None:
        self._plain += [v for v in values if len(v) >= MIN_CREDENTIAL_CHARS]


def _line(where: str, name: str, value: str, private: bool) -> HeaderLine:
    if CONTROL.search(value):
        raise HttpRequestInvalid(
            f"{where}: a header value cannot hold line breaks or control codes"
        )
    try:
        return HeaderLine(name, value.strip(" \t").encode(), private)
    except UnicodeEncodeError:
        raise HttpRequestInvalid(f"{where}: this is not text") from None


def _complete(
    given: list[HeaderLine], payload: Payload, method: str
) -> tuple[HeaderLine, ...]:
    named = {line.name.lower() for line in given}
    lines = [
        HeaderLine(name, value.encode())
        for name, value in (
            ("User-Agent", USER_AGENT),
            ("Accept", "*/*"),
            ("Accept-Encoding", ACCEPT_ENCODING),
        )
        if name.lower() not in named
    ]
    if payload.replaces_type:
        given = [line for line in given if line.name.lower() != "content-type"]
    lines += given
    if payload.content_type:
        lines.append(HeaderLine("Content-Type", payload.content_type.encode()))
    if payload.content or method in ("POST", "PUT", "PATCH"):
        size = str(len(payload.content)).encode()
        lines.append(HeaderLine("Content-Length", size))
    return tuple(lines)


def _same_trust(old: httpx.URL, new: httpx.URL) -> bool:
    """Return whether what one URL was told may be told the other."""
    if origin(old) == origin(new):
        return True
    # What went to a host in the clear may go to it under TLS.
    return origin(old) == ("http", host_of(new), 80) and origin(new) == (
        "https",
        host_of(old),
        443,
    )
