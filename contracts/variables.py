"""The rules of variables: which keys and values may be stored."""

import re
from typing import Any

from contracts.errors import VariableRefused
from contracts.limits import MAX_VARIABLE_CHARS, MAX_VARIABLE_KEY_LENGTH
from contracts.wire_text import json_text

KEY_PATTERN = r"[A-Za-z_][A-Za-z0-9_.-]*"
RESERVED_PREFIXES = ("CRONIUM_", "SYSTEM_", "NODE_")
RESERVED_NAMES = frozenset({"PATH", "HOME"})
KEY_RULE = (
    "letters, digits, `_`, `.` and `-`, a letter or `_` first, at most "
    f"{MAX_VARIABLE_KEY_LENGTH} characters. A_NAME_LIKE_THIS is best: lower case is "
    "taken so that scripts of older versions go on to work"
)


def is_key(key: str) -> bool:
    """Return whether a variable of this name could be stored at all."""
    return (
        len(key) <= MAX_VARIABLE_KEY_LENGTH
        and re.fullmatch(KEY_PATTERN, key) is not None
        and key not in RESERVED_NAMES
        and not key.startswith(RESERVED_PREFIXES)
    )


def check_key(key: str) -> None:
    """Refuse a key that may not be written.

    Raises:
        VariableRefused: The message says the rule.
    """
    if is_key(key):
        return
    for prefix in RESERVED_PREFIXES:
        if key.startswith(prefix):
            raise VariableRefused(
                f"key: names that begin with {prefix} are reserved",
                hint="Choose another name.",
            )
    if key in RESERVED_NAMES:
        raise VariableRefused(
            f"key: {key} is reserved", hint=f"Choose another name, such as MY_{key}."
        )
    raise VariableRefused("key: not a name that can be stored", hint=f"Use {KEY_RULE}.")


def value_text(value: Any) -> str:
    """Return the JSON text of a value that may be stored.

    Raises:
        VariableRefused: It is too long, or has a part that is not JSON.
    """
    try:
        text = json_text(value)
    except ValueError as error:
        raise VariableRefused(f"value: {error}") from None
    if len(text) > MAX_VARIABLE_CHARS:
        raise VariableRefused(
            f"value: {len(text)} characters of JSON, at most {MAX_VARIABLE_CHARS} "
            "are allowed",
            hint="Store large data elsewhere and keep its address in the variable.",
        )
    return text
