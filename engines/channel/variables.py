"""What the channel asks of a store of variables."""

from typing import Any, Final, Protocol


class Unset:
    """The type of `UNSET`: null is a value like any other."""


UNSET: Final = Unset()


class VariableStore(Protocol):
    """Variables of users. Every call raises VariableError and nothing else.

    `once` is an idempotency key: a call that is made again with the same one is
    applied once. "" is none.
    """

    async def get(self, user: str, key: str) -> Any:
        """Return a value; raises VariableNotFound."""

    async def set(
        self,
        user: str,
        key: str,
        value: Any,
        *,
        expected: Any = UNSET,
        if_absent: bool = False,
        once: str = "",
    ) -> Any:
        """Store a value, on a condition if one is given; raises VariableConflict."""

    async def delete(self, user: str, key: str, *, once: str = "") -> bool:
        """Delete a variable; return whether it was set."""

    async def list(self, user: str, prefix: str, limit: int) -> dict[str, Any]:
        """Return the variables whose keys begin with `prefix`.

        Raises VariableRefused when their JSON has more than `limit` characters.
        """

    async def increment(
        self, user: str, key: str, by: float, *, once: str = ""
    ) -> int | float:
        """Add to a number and return the sum; raises NotANumber."""

    async def append(
        self, user: str, key: str, value: Any, separator: str = "", *, once: str = ""
    ) -> Any:
        """Append and return the whole; raises NotAppendable."""
