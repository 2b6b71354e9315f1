"""What a write makes of a variable's value: set, increment and append as functions."""

import math
from typing import Any

from contracts.errors import (
    NotANumber,
    NotAppendable,
    VariableConflict,
    VariableRefused,
)
from contracts.json_values import same_json
from gateway.models import AppendVariable, IncrementVariable, SetVariable, Variable


def replaced(before: Variable | None, wish: SetVariable) -> Any:
    """Return the new value if the conditions hold; raises VariableConflict."""
    if wish.if_absent and before is not None:
        raise VariableConflict("The variable is set already.")
    wants_value = "expected" in wish.model_fields_set
    if (wants_value or wish.expected_version is not None) and before is None:
        raise VariableConflict(
            "The variable is not set, so it cannot be what was expected.",
            hint="Use `ifAbsent` to set it for the first time.",
        )
    if wants_value and before and not same_json(before.value, wish.expected):
        raise VariableConflict("The variable has another value than expected.")
    version = wish.expected_version
    if version is not None and before and before.version != version:
        raise VariableConflict(
            f"The variable is at version {before.version}, not {version}."
        )
    return wish.value


def incremented(before: Variable | None, wish: IncrementVariable) -> int | float:
    """Return the sum; raises NotANumber, or VariableRefused when it is too large."""
    value = before.value if before is not None else 0
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise NotANumber(f"The variable is {_kind(value)}, not a number.")
    try:
        total = value + wish.by
    except OverflowError:
        total = math.inf
    if isinstance(total, float) and not math.isfinite(total):
        raise VariableRefused("by: the sum is too large for a number")
    return total


def appended(before: Variable | None, wish: AppendVariable) -> Any:
    """Return the longer string or list; raises NotAppendable."""
    if before is None:
        return wish.value if isinstance(wish.value, str) else [wish.value]
    if isinstance(before.value, list):
        return [*before.value, wish.value]
    if isinstance(before.value, str) and isinstance(wish.value, str):
        between = wish.separator if before.value else ""
        return before.value + between + wish.value
    if isinstance(before.value, str):
        raise NotAppendable(
            f"The variable is a string, and {_kind(wish.value)} cannot be added to it.",
            hint="Append a string, or keep a list in the variable.",
        )
    raise NotAppendable(
        f"The variable is {_kind(before.value)}, neither string nor list."
    )


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    kinds = {bool: "a boolean", str: "a string", list: "a list", dict: "an object"}
    return kinds.get(type(value), "a number")
