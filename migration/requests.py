"""HTTP events: the request as the app stores it, made into `http` of an event."""

import json
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit, urlunsplit

from contracts.http import OWN_HEADERS, HttpMethod
from contracts.limits import MAX_URL_CHARS
from migration.context import Context
from migration.credentials import is_credential, names_credential
from migration.notes import Subject
from migration.rows import Row

WITH_BODY = ("POST", "PUT", "PATCH")
FORM = "application/x-www-form-urlencoded"
OPENING = "{{"


class RequestConverter:
    """Makes the request of one event.

    Args:
        context: The migration.
        row: The event.
        owner: The event's id here, which names of secrets begin with.
        subject: Where notes go.
    """

    def __init__(
        self, context: Context, row: Row, owner: str, subject: Subject
    ) -> None:
        self._vault, self._row = context.vault, row
        self._owner, self._subject = owner, subject

    def request(self) -> dict[str, Any]:
        """Return `http` of the event."""
        row = self._row
        method = row.choice("httpMethod", HttpMethod, HttpMethod.GET)
        url = row.text("httpUrl").strip()
        if not url or len(url) > MAX_URL_CHARS:
            row.wrong("httpUrl", f"required, with at most {MAX_URL_CHARS} characters")
        request: dict[str, Any] = {"method": method.value}
        request |= self._address(url)
        headers, media_type = self._headers()
        if headers:
            request["headers"] = headers
        body = row.text("httpBody")
        if body.strip() and method in WITH_BODY:
            request["body"] = self._body(body, media_type)
        elif body.strip():
            self._subject.changed(f"no body: the app sent none with {method.value}")
        if OPENING in url + body + json.dumps(headers):
            self._subject.do(
                "`{{` in a request begins an expression here: look whether each is one"
            )
        return request

    def _secret(self, what: str, purpose: str, value: str) -> str:
        purpose = f"{purpose} of {self._subject.where}"
        return self._vault.name(self._owner, what, purpose, value)

    def _address(self, url: str) -> dict[str, Any]:
        try:
            parts = urlsplit(url)
            user, password = parts.username, parts.password
        except ValueError:
            self._row.wrong("httpUrl", "expected a URL such as https://host/path")
            return {"url": "https://invalid.example"}
        found: dict[str, Any] = {}
        if user is not None:
            secret = self._secret("url password", "password in the URL", password or "")
            found["auth"] = {
                "kind": "basic",
                "username": unquote(user),
                "password": {"secret": secret},
            }
            self._subject.changed("user and password of the URL are in `auth`")
            parts = parts._replace(netloc=parts.netloc.rpartition("@")[2])
        return {"url": urlunsplit(self._without_credentials(parts)), **found}

    def _without_credentials(self, parts: SplitResult) -> SplitResult:
        pairs = []
        for pair in parts.query.split("&"):
            name, equals, value = pair.partition("=")
            if self._is_secret(unquote(name), unquote(value)):
                secret = self._secret(
                    f"query {name}", f"`{name}` in the URL's query", unquote(value)
                )
                value = f"{{{{ secrets.{secret} }}}}"
            pairs.append(f"{name}{equals}{value}")
        segments = []
        for index, segment in enumerate(parts.path.split("/")):
            if is_credential(segment):
                secret = self._secret(
                    f"url part {index}", f"part {index} of the URL's path", segment
                )
                segment = f"{{{{ secrets.{secret} }}}}"
            segments.append(segment)
        return parts._replace(query="&".join(pairs), path="/".join(segments))

    @staticmethod
    def _is_secret(name: str, value: str) -> bool:
        if not value or value.startswith(OPENING):
            return False
        return names_credential(name) or is_credential(value)

    def _headers(self) -> tuple[list[dict[str, Any]], str]:
        stored = self._row.parsed("httpHeaders") or []
        if isinstance(stored, dict):
            stored = [{"key": key, "value": value} for key, value in stored.items()]
        if not isinstance(stored, list):
            self._row.wrong("httpHeaders", "expected a list of {key, value}")
            stored = []
        headers, media_type = [], ""
        for index, item in enumerate(stored):
            name, value = _pair(item)
            if name is None or value is None:
                field = f"httpHeaders[{index}]"
                self._row.wrong(field, "expected {key, value}, both texts")
            elif name.lower() in OWN_HEADERS:
                self._subject.changed(f"the header {name.lower()} is set by itself")
            elif name:
                if name.lower() == "content-type":
                    media_type = value.partition(";")[0].strip().lower()
                headers.append(self._header(name, value))
        return headers, media_type

    def _header(self, name: str, value: str) -> dict[str, Any]:
        if not self._is_secret(name, value):
            return {"name": name, "value": value}
        purpose = f"whole value of the header {name}"
        return {"name": name, "secret": self._secret(name, purpose, value)}

    def _body(self, body: str, media_type: str) -> dict[str, Any]:
        try:
            parsed = json.loads(body)
        except ValueError:
            parsed = None
        if isinstance(parsed, dict | list):
            content = self._content(parsed, "")
            if content != parsed:
                if media_type == FORM and isinstance(content, dict):
                    fields = [_field(name, item) for name, item in content.items()]
                    return {"kind": "form", "fields": fields}
                return {"kind": "json", "content": content}
        elif media_type == FORM:
            return {"kind": "form", "fields": self._form(body)}
        elif is_credential(body):
            secret = self._secret("body", "whole body", body)
            return {"kind": "text", "text": f"{{{{ secrets.{secret} }}}}"}
        return {"kind": "text", "text": body}

    def _content(self, value: Any, name: str) -> Any:
        if isinstance(value, dict):
            return {key: self._content(item, key) for key, item in value.items()}
        if isinstance(value, list):
            return [self._content(item, name) for item in value]
        if isinstance(value, str) and self._is_secret(name, value):
            purpose = f"`{name}` in the body"
            return {"secret": self._secret(f"body {name}", purpose, value)}
        return value

    def _form(self, body: str) -> list[dict[str, Any]]:
        pairs = parse_qsl(body, keep_blank_values=True)
        return [_field(name, self._content(value, name)) for name, value in pairs]


def _field(name: str, value: Any) -> dict[str, Any]:
    if isinstance(value, dict) and set(value) == {"secret"}:
        return {"name": name, **value}
    return {"name": name, "value": _text(value)}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _pair(item: Any) -> tuple[str | None, str | None]:
    if not isinstance(item, dict):
        return None, None
    name, value = item.get("key", item.get("name")), item.get("value", "")
    texts = isinstance(name, str) and isinstance(value, str)
    return (name, value) if texts else (None, None)
