"""Answers as a shell wants them: text, so that a script needs no program for JSON.

Who sends `Accept: text/x-cronium` gets the one part of the answer that the call is for:
text as it is, other values as JSON, and of a refusal its message. A full stop follows,
because a shell drops the line ends at the end of what it reads. What is large or has a
character that a shell cannot hold is answered as JSON all the same.
"""

import json
from typing import Any

from contracts.json_values import read_json
from contracts.limits import KIB
from engines.channel.messages import Request
from engines.channel.routes import TOOL_ACTION

MEDIA_TYPE = "text/x-cronium"
END = b"."
# So that reading and laying out costs the worker a few milliseconds at most: each line
# of a value that is nested deep begins with much white space.
MAX_BYTES = 64 * KIB
MAX_LAID_OUT_BYTES = 16 * KIB
# The part that is meant, and whether it is laid out for people to read.
_PARTS: dict[str, tuple[str | None, bool]] = {
    "GET input": (None, True),
    "GET context": (None, True),
    "GET variables": ("variables", True),
    TOOL_ACTION: (None, True),
    "GET condition": ("condition", False),
    "GET variable": ("value", False),
    "PUT variable": ("value", False),
    "POST variable/increment": ("value", False),
    "POST variable/append": ("value", False),
}


def wanted(request: Request) -> bool:
    """Return whether the script asks for text."""
    return request.header(b"accept") == MEDIA_TYPE


def success(call: str, data: bytes) -> bytes | None:
    """Return the answer of a call that was done, or None if it has to be JSON.

    Args:
        call: The name of its route.
        data: What it found, as JSON.
    """
    part, laid_out = _PARTS.get(call, (None, False))
    if len(data) > (MAX_LAID_OUT_BYTES if laid_out else MAX_BYTES):
        return None
    if call not in _PARTS:
        return END
    try:
        value = read_json(data)
    except ValueError:
        return None
    return _ended(_text(value if part is None else value[part], laid_out))


def failure(message: str) -> bytes | None:
    """Return the answer of a call that was refused, or None if it has to be JSON."""
    return _ended(message)


def _text(value: Any, laid_out: bool) -> str:
    if laid_out:
        return json.dumps(value, ensure_ascii=False, indent=2)
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _ended(text: str) -> bytes | None:
    if "\0" in text:
        return None
    try:
        return text.encode() + END
    except UnicodeEncodeError:
        return None
