"""What can be written as JSON in UTF-8: checks of values that pydantic lets pass.

A lone surrogate is half of a character. Python makes one of the JSON text `"\\ud800"`,
and of a byte of a command line that is not UTF-8; it cannot be written back. NaN and
Infinity have no form in JSON: pydantic makes null of them without a word.
"""

import json
import re
from typing import Annotated, Any

from pydantic import AfterValidator

from contracts import limits

LONE_SURROGATE = "half of a character (a lone surrogate), which is not valid text"
MAX_KEY_CHARS = 40
"""Of a key in a path: keys are the user's, and may be as long as the input."""

Place = tuple[str | int, ...]


class MisplacedValue(ValueError):
    """A value inside a field cannot be written.

    Args:
        place: Where, from the field on.
        message: What is wrong; never the value.
    """

    def __init__(self, place: Place, message: str) -> None:
        super().__init__(message)
        self.place = place


def utf8_size(text: str) -> int:
    """Return how many bytes a text has in UTF-8.

    Raises:
        ValueError: It has a lone surrogate; the message says where.
    """
    try:
        return len(text.encode())
    except UnicodeEncodeError as error:
        raise ValueError(f"character {error.start + 1} is {LONE_SURROGATE}") from None


def json_size(value: Any) -> int:
    """Return how many bytes a value has as compact JSON in UTF-8.

    Raises:
        MisplacedValue: Something in it is not JSON, not text, or nested too deep.
    """
    return len(json_bytes(value))


def json_text(value: Any) -> str:
    """Return a value as compact JSON that every parser reads.

    Raises:
        MisplacedValue: Something in it is not JSON, not text, or nested too deep.
    """
    try:
        # One quick pass; only a value that is refused is searched in Python.
        text = json.dumps(
            value, ensure_ascii=False, allow_nan=False, separators=(",", ":")
        )
        text.encode()
    except (TypeError, ValueError, RecursionError):
        raise _first_fault(value) from None
    if text.count("[") + text.count("{") > limits.MAX_JSON_DEPTH and _too_deep(value):
        raise _first_fault(value)
    return text


def json_bytes(value: Any) -> bytes:
    """Return `json_text` in UTF-8: integers of any size, which orjson refuses.

    Raises:
        MisplacedValue: Something in it is not JSON, not text, or nested too deep.
    """
    return json_text(value).encode()


def _too_deep(value: Any) -> bool:
    level: list[Any] = [[value]]
    for _ in range(limits.MAX_JSON_DEPTH + 1):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list | tuple)
        ]
    return bool(level)


def _first_fault(value: Any) -> MisplacedValue:
    """Return what is wrong first, in the order of the JSON text."""
    waiting: list[tuple[Place, Any]] = [((), value)]
    while waiting:
        place, item = waiting.pop()
        message = _fault_of(item, len(place))
        if message:
            return MisplacedValue(place, message)
        if isinstance(item, dict):
            waiting += [((*place, _key(k)), item[k]) for k in reversed(item)]
        elif isinstance(item, list | tuple):
            waiting += [((*place, i), item[i]) for i in reversed(range(len(item)))]
    return MisplacedValue((), "this is not a JSON value")


def _fault_of(item: Any, depth: int) -> str:
    if isinstance(item, dict | list | tuple):
        if depth >= limits.MAX_JSON_DEPTH:
            return f"nested more than {limits.MAX_JSON_DEPTH} levels deep"
        keys = item if isinstance(item, dict) else ()
        return next((fault for fault in map(_fault_of_key, keys) if fault), "")
    if isinstance(item, str):
        return _fault_of_text(item)
    if isinstance(item, float):
        is_number = float("-inf") < item < float("inf")
        return "" if is_number else "NaN and Infinity are not JSON: use null or a text"
    if item is None or isinstance(item, int):
        return ""
    return f"{type(item).__name__} is not a type of JSON"


def _fault_of_key(key: Any) -> str:
    if isinstance(key, tuple):
        return "a key is a tuple, not a text"
    fault = _fault_of(key, 0)
    return f"in a key: {fault}" if fault else ""


def _fault_of_text(text: str) -> str:
    try:
        utf8_size(text)
    except ValueError as error:
        return str(error)
    return ""


def _key(key: Any) -> str:
    """Return a key as a part of a path: short, and without control characters."""
    text = key if isinstance(key, str) else json.dumps(key)
    short = text[:MAX_KEY_CHARS] + ("…" if len(text) > MAX_KEY_CHARS else "")
    return short if re.fullmatch(r"[\w-]+…?", short) else json.dumps(short)


def _checked_json(value: Any) -> Any:
    json_size(value)
    return value


def _checked_text(text: str) -> str:
    utf8_size(text)
    return text


WireJson = Annotated[Any, AfterValidator(_checked_json)]
"""Any JSON value that can be written."""
WireText = Annotated[str, AfterValidator(_checked_text)]
"""A text that can be written."""
