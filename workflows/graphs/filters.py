"""The filters and tests of expressions: those whose results and work are bounded."""

import json
from collections.abc import Callable
from typing import Any

from jinja2 import StrictUndefined, pass_context
from jinja2 import filters as theirs
from jinja2 import tests as their_tests
from jinja2.runtime import Context

from contracts.json_values import read_json
from contracts.limits import MAX_INPUT_BYTES

Filter = Callable[..., Any]

MAPPABLE = (
    "lower", "upper", "trim", "string", "int", "float", "length", "first", "last",
    "abs", "round", "tojson", "keys", "values",
)  # fmt: skip
MAX_DEFAULT = 100


class TooLargeError(Exception):
    """What an expression makes is larger than any input may be."""


def given(value: Any) -> Any:
    """Return a value; what is missing says so instead."""
    if isinstance(value, StrictUndefined):
        str(value)
    return value


def bounded_add(left: Any, right: Any) -> Any:
    """Add two numbers, or join two texts or two lists.

    Raises:
        TooLargeError: The result would be longer than an input may be.
        TypeError: They are not two of a kind.
    """
    for kind in (str, list):
        if isinstance(given(left), kind) and isinstance(given(right), kind):
            _bound(len(left) + len(right))
            return left + right
    if isinstance(left, int | float) and isinstance(right, int | float):
        return left + right
    raise TypeError("`+` is for two numbers, two texts or two lists")


def as_text(value: Any) -> str:
    """Return a JSON value as it stands in text."""
    if isinstance(given(value), str):
        return str(value)
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _bound(size: int) -> None:
    if size > MAX_INPUT_BYTES:
        raise TooLargeError


def _default(value: Any, other: Any = "", boolean: bool = False) -> Any:
    missing = value is None or isinstance(value, StrictUndefined)
    return other if missing or (boolean and not value) else value


def _join(value: Any, separator: str = "") -> str:
    texts = [as_text(item) for item in given(value)]
    _bound(sum(map(len, texts)) + len(separator) * len(texts))
    return separator.join(texts)


def _replace(value: Any, old: str, new: str) -> str:
    text = as_text(value)
    if not old:
        raise TypeError("`replace` needs a text to look for")
    _bound(len(text) + text.count(old) * len(new))
    return text.replace(old, new)


def _split(value: Any, separator: str | None = None) -> list[str]:
    return as_text(value).split(separator)


def _keys(value: Any) -> list[Any]:
    return list(_mapping(value))


def _values(value: Any) -> list[Any]:
    return list(_mapping(value).values())


def _items(value: Any) -> list[Any]:
    return [[key, item] for key, item in _mapping(value).items()]


def _mapping(value: Any) -> dict[str, Any]:
    if not isinstance(given(value), dict):
        raise TypeError("`keys`, `values` and `items` are for objects")
    return dict(value)


def _listed(function: Filter) -> Filter:
    """Return one of Jinja2's filters that gives a list instead of a generator."""

    def filtered(*args: Any, **kwargs: Any) -> list[Any]:
        return list(function(*args, **kwargs))

    # Jinja2 tells by these marks what a filter wants first.
    filtered.__dict__.update(function.__dict__)
    return filtered


def _integer(value: Any) -> int:
    # Not Jinja2's: that takes 0 for what is no number.
    return int(given(value))


def _float(value: Any) -> float:
    return float(given(value))


def _to_json(value: Any) -> str:
    # Several in a row double every quote each time.
    text = json.dumps(given(value), ensure_ascii=False)
    _bound(len(text))
    return text


@pass_context
def _map(context: Context, value: Any, *args: Any, **kwargs: Any) -> list[Any]:
    """Take a field of each item, or put each through a filter.

    Only through one that makes no item larger: a list may be long.
    """
    if args not in [(name,) for name in MAPPABLE] and (args or not kwargs):
        raise TypeError("`map` takes attribute=… or one of " + ", ".join(MAPPABLE))
    other = kwargs.get("default")
    if isinstance(other, str | list | dict) and len(other) > MAX_DEFAULT:
        raise TypeError("`map` takes only a short default")
    return list(theirs.sync_do_map(context, value, *args, **kwargs))


FILTERS: dict[str, Filter] = {
    "default": _default,
    "d": _default,
    "length": lambda value: len(given(value)),
    "count": lambda value: len(given(value)),
    "first": lambda value: given(value)[0] if value else None,
    "last": lambda value: given(value)[-1] if value else None,
    "join": _join,
    "lower": lambda value: as_text(value).lower(),
    "upper": lambda value: as_text(value).upper(),
    "trim": lambda value: as_text(value).strip(),
    "replace": _replace,
    "split": _split,
    "string": as_text,
    "int": _integer,
    "float": _float,
    "round": lambda value, digits=0: round(given(value), digits),
    "abs": lambda value: abs(given(value)),
    "sum": lambda value: sum(given(value)),
    "min": lambda value: min(given(value)),
    "max": lambda value: max(given(value)),
    "sort": theirs.do_sort,
    "unique": _listed(theirs.do_unique),
    "reverse": lambda value: given(value)[::-1],
    "list": lambda value: list(given(value)),
    "keys": _keys,
    "values": _values,
    "items": _items,
    "map": _map,
    "select": _listed(theirs.sync_do_select),
    "reject": _listed(theirs.sync_do_reject),
    "selectattr": _listed(theirs.sync_do_selectattr),
    "rejectattr": _listed(theirs.sync_do_rejectattr),
    "tojson": _to_json,
    "fromjson": lambda value: read_json(as_text(value)),
}
_THEIRS: dict[str, Any] = dict(their_tests.TESTS)
TESTS: dict[str, Filter] = {
    name: _THEIRS[name]
    for name in (
        "defined", "undefined", "none", "true", "false", "boolean", "number", "string",
        "integer", "float", "mapping", "sequence", "in", "eq", "ne", "lt", "le", "gt",
        "ge", "==", "!=", "<", "<=", ">", ">=", "odd", "even", "divisibleby",
    )
}  # fmt: skip
