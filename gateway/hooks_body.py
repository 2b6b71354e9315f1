"""Reads the body of a call and makes the event's input of it."""

from email.message import Message
from typing import Any
from urllib.parse import parse_qsl

from fastapi import Request
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect

from contracts.hooks import HookSpec
from contracts.json_values import read_json
from gateway.hooks_errors import (
    HookBodyInvalid,
    HookBodyTooLarge,
    HookBodyUnsupported,
)

_FORM = "application/x-www-form-urlencoded"
_MAX_FIELDS = 1_000


async def read_body(request: Request, most: int) -> bytes:
    """Return the body; raises HookBodyTooLarge above `most` bytes.

    Not more than that is ever held in memory, whatever length the caller announces.
    """
    refusal = HookBodyTooLarge(f"The body has more than {most} bytes.")
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced[:18]) > most:
        raise refusal
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > most:
                raise refusal
    except ClientDisconnect:
        raise HookBodyInvalid("The connection ended inside of the body.") from None
    return bytes(body)


def input_of(spec: HookSpec, headers: Headers, body: bytes) -> Any:
    """Return the input that a call gives to the hook's event.

    Raises HookBodyInvalid or HookBodyUnsupported.
    """
    value = _value(headers.get("content-type", ""), body)
    if not spec.pass_headers:
        return value
    found = {name: headers[name] for name in spec.pass_headers if name in headers}
    return {"body": value, "headers": found}


def _value(content_type: str, body: bytes) -> Any:
    if not body:
        return None
    kind, charset = _parsed(content_type)
    if charset not in ("utf-8", "utf8", "us-ascii"):
        raise HookBodyUnsupported("The body's charset is not UTF-8.")
    if kind == "application/json" or kind.endswith("+json"):
        return _json(body)
    if kind == _FORM:
        return _form(body)
    if kind.startswith("text/"):
        return _text(body)
    raise HookBodyUnsupported(
        "The Content-Type is missing or is not one that becomes an input."
    )


def _parsed(content_type: str) -> tuple[str, str]:
    message = Message()
    # The library takes nonsense for text; here nothing is guessed.
    known = "/" in content_type
    message["content-type"] = content_type if known else "application/octet-stream"
    charset = message.get_content_charset("utf-8")
    return message.get_content_type(), charset


def _json(body: bytes) -> Any:
    try:
        return read_json(body)
    except ValueError as error:
        raise HookBodyInvalid(f"body: {error}") from None


def _text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise HookBodyInvalid(f"body: not valid UTF-8 at byte {error.start}") from None


def _form(body: bytes) -> dict[str, str | list[str]]:
    """Return the fields of a form; one that comes often is a list."""
    try:
        pairs = parse_qsl(
            _text(body),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=_MAX_FIELDS,
        )
    except UnicodeDecodeError:
        raise HookBodyInvalid("body: a field is not UTF-8 once decoded") from None
    except ValueError:
        raise HookBodyInvalid(
            f"body: not a form of at most {_MAX_FIELDS} fields `name=value`"
        ) from None
    found: dict[str, str | list[str]] = {}
    for name, value in pairs:
        before = found.get(name)
        if before is None:
            found[name] = value
        elif isinstance(before, list):
            before.append(value)
        else:
            found[name] = [before, value]
    return found
