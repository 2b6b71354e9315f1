"""Rows of an export, read field by field; what is wrong is kept with its path."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

from pydantic.alias_generators import to_camel

from contracts.validation import Problem

Choice = TypeVar("Choice", bound=StrEnum)
NEVER_NAMED = 40
"""Most characters of a name in the export that a message repeats."""


@dataclass(frozen=True)
class Row:
    """One row of a table, its columns in camelCase.

    A field that does not fit adds a problem and reads as if it were not there, so that
    one pass over an export finds everything that is wrong with it.
    """

    data: Mapping[str, Any]
    path: str
    """Where it stands in the export: `events[3]`."""
    problems: list[Problem]

    def wrong(self, field: str, message: str) -> None:
        """Keep a problem of a field."""
        self.problems.append(Problem(path=f"{self.path}.{field}", message=message))

    def text(self, field: str, default: str = "") -> str:
        """Return a text; null and a missing one are the default."""
        value = self.data.get(field)
        if value is None:
            return default
        if isinstance(value, str):
            return value
        self.wrong(field, "expected a text")
        return default

    def identity(self, field: str = "id") -> str:
        """Return an id, which is a number or a text; it must be there."""
        value = self.data.get(field)
        if isinstance(value, str) and value.strip():
            return value
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        self.wrong(field, "expected an id: a number or a text")
        return ""

    def maybe_identity(self, field: str) -> str | None:
        """Return an id, or None when there is none."""
        return None if self.data.get(field) is None else self.identity(field)

    def number(self, field: str, default: int, least: int = 0) -> int:
        """Return a whole number of at least `least`."""
        value = self.data.get(field)
        if value is None:
            return default
        if isinstance(value, int) and not isinstance(value, bool) and value >= least:
            return value
        self.wrong(field, f"expected a whole number from {least}")
        return default

    def flag(self, field: str) -> bool:
        """Return a truth value; null is false."""
        value = self.data.get(field)
        if value is None or isinstance(value, bool):
            return bool(value)
        self.wrong(field, "expected true or false")
        return False

    def choice(self, field: str, kind: type[Choice], default: Choice) -> Choice:
        """Return one of the app's words."""
        value = self.data.get(field)
        if value is None:
            return default
        try:
            return kind(value)
        except ValueError:
            self.wrong(field, f"expected one of {', '.join(kind)}")
            return default

    def items(self, field: str) -> list[Any]:
        """Return a list, or the list that a text of JSON is."""
        value = self.parsed(field)
        if value is None:
            return []
        if isinstance(value, list):
            return value
        self.wrong(field, "expected a list")
        return []

    def parsed(self, field: str) -> Any:
        """Return a JSON value, which the app may have stored as text."""
        value = self.data.get(field)
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value) if value.strip() else None
        except ValueError:
            self.wrong(field, "expected JSON")
            return None

    def rows(self, field: str) -> list["Row"]:
        """Return the rows that stand inside of this one."""
        return rows_of(self.items(field), f"{self.path}.{field}", self.problems)


def rows_of(values: Iterable[Any], path: str, problems: list[Problem]) -> list[Row]:
    """Return the rows of a list."""
    found = []
    for index, value in enumerate(values):
        place = f"{path}[{index}]"
        if isinstance(value, dict):
            data = {to_camel(str(name)): item for name, item in value.items()}
            found.append(Row(data, place, problems))
        else:
            problems.append(Problem(path=place, message="expected a row with columns"))
    return found
