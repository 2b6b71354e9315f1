"""The body of a request: each kind as bytes with its content type."""

import base64
import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import httpx

from contracts import limits, names
from contracts.errors import HttpRequestInvalid
from contracts.http import (
    Body,
    FormBody,
    JsonBody,
    MultipartBody,
    Pair,
    Part,
    TextBody,
)
from engines.http.templates import Secrets, Templates, as_text

WHERE = "event.http.body"
JSON, FORM, MULTIPART = (
    "application/json",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
)
PLAIN = "text/plain; charset=utf-8"
# httpx takes fields as (name, (file name, content, content type)).
File = tuple[str | None, bytes, str | None]


@dataclass(frozen=True, slots=True)
class Payload:
    """A body as it is sent."""

    content: bytes = b""
    content_type: str | None = None
    """None when the event's own header says it."""
    replaces_type: bool = False
    """Whether the event's own header must go: it cannot know the boundary."""


def encode(
    body: Body | None, header: bytes | None, templates: Templates, secrets: Secrets
) -> Payload:
    """Return the bytes of a body.

    Args:
        body: What the event says.
        header: The event's own Content-Type.
        templates: Fills in expressions.
        secrets: Where named values come from.

    Raises:
        HttpRequestInvalid: It cannot be encoded, or is longer than allowed.
    """
    try:
        payload = _Encoder(templates, secrets).encode(body, header)
    except UnicodeEncodeError:
        raise HttpRequestInvalid(f"{WHERE}: this is not text") from None
    if len(payload.content) > limits.MAX_HTTP_REQUEST_BODY_BYTES:
        raise HttpRequestInvalid(
            f"{WHERE}: {len(payload.content)} bytes with its values put in, at most "
            f"{limits.MAX_HTTP_REQUEST_BODY_BYTES} allowed"
        )
    return payload


class _Encoder:
    def __init__(self, templates: Templates, secrets: Secrets) -> None:
        self._templates = templates
        self._secrets = secrets
        self._room = limits.MAX_HTTP_REQUEST_BODY_BYTES

    def encode(self, body: Body | None, header: bytes | None) -> Payload:
        if body is None:
            return Payload()
        if isinstance(body, TextBody):
            return self._text(body, header)
        if isinstance(body, MultipartBody):
            parts = [self._part(index, part) for index, part in enumerate(body.parts)]
            return _multipart(parts)
        if isinstance(body, FormBody):
            content = urlencode(self._pairs(body)).encode()
            return Payload(content, None if header else FORM)
        return self._json(body, header)

    def _json(self, body: JsonBody, header: bytes | None) -> Payload:
        value = self._filled(f"{WHERE}.content", body.content)
        try:
            content = json.dumps(value, ensure_ascii=False, allow_nan=False)
        except (ValueError, RecursionError):
            raise HttpRequestInvalid(f"{WHERE}.content: this is not JSON") from None
        return Payload(content.encode(), None if header else JSON)

    def _filled(self, where: str, value: Any, depth: int = 0) -> Any:
        if depth > limits.MAX_JSON_DEPTH:
            raise HttpRequestInvalid(
                f"{WHERE}.content: nested deeper than {limits.MAX_JSON_DEPTH} levels"
            )
        if isinstance(value, str):
            return self._bounded(where, self._templates.value(where, value, self._room))
        if isinstance(value, list):
            return [
                self._filled(f"{where}[{index}]", item, depth + 1)
                for index, item in enumerate(value)
            ]
        if isinstance(value, dict):
            if set(value) == {"secret"}:
                return self._secret(where, value["secret"])
            return {
                key: self._filled(f"{where}.{key}", item, depth + 1)
                for key, item in value.items()
            }
        return value

    def _secret(self, where: str, name: Any) -> str:
        if not isinstance(name, str) or not re.fullmatch(
            names.SECRET_NAME_PATTERN, name
        ):
            raise HttpRequestInvalid(
                f"{where}.secret: expected the name of a secret; to send a field "
                "`secret` of your own, use a body of kind text"
            )
        return self._secrets.get(name)

    def _bounded(self, where: str, value: Any) -> Any:
        """Count what expressions put in: a short event must not become a huge body."""
        self._room -= len(as_text(value))
        if self._room < 0:
            raise HttpRequestInvalid(f"{where}: the body is longer than allowed")
        return value

    def _pairs(self, body: FormBody) -> list[tuple[str, str]]:
        return [
            (pair.name, self._value(f"{WHERE}.fields[{index}]", pair))
            for index, pair in enumerate(body.fields)
        ]

    def _value(self, where: str, pair: Pair) -> str:
        if pair.secret is not None:
            return self._secrets.get(pair.secret)
        where = f"{where}.value"
        text = self._templates.text(where, pair.value or "", self._room)
        self._bounded(where, text)
        return text

    def _part(self, index: int, part: Part) -> tuple[str, File]:
        if part.base64 is not None:
            content = base64.b64decode(part.base64)
        else:
            content = self._value(f"{WHERE}.parts[{index}]", part).encode()
        return part.name, (part.filename, content, part.content_type)

    def _text(self, body: TextBody, header: bytes | None) -> Payload:
        text = self._templates.text(f"{WHERE}.text", body.text, self._room)
        if body.content_type is not None:
            return Payload(text.encode(), body.content_type, replaces_type=True)
        media_type = (
            (header or b"").partition(b";")[0].strip().lower().decode("latin-1")
        )
        fields = _json_of(text)
        if media_type in (FORM, MULTIPART) and isinstance(fields, dict):
            pairs = [(name, as_text(value)) for name, value in fields.items()]
            if media_type == FORM:
                return Payload(urlencode(pairs).encode())
            return _multipart([(name, (None, v.encode(), None)) for name, v in pairs])
        if header:
            return Payload(text.encode())
        return Payload(text.encode(), PLAIN if fields is _NOT_JSON else JSON)


_NOT_JSON = object()


def _json_of(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return _NOT_JSON


def _multipart(parts: list[tuple[str, File]]) -> Payload:
    request = httpx.Request("POST", "http://localhost", files=parts)
    return Payload(request.read(), request.headers["content-type"], replaces_type=True)
