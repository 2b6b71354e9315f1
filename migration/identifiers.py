"""Ids of what is written: made of names, each used once, the same every time."""

import re


class Identifiers:
    """Gives out ids; a name that came before gets a number.

    Args:
        most: Most characters of an id.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._used: set[str] = set()

    def new(self, name: str, otherwise: str) -> str:
        """Return an id that was not given out yet.

        Args:
            name: What it is made of.
            otherwise: What it is made of when nothing of the name can be used.
        """
        words = re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-").lower()
        first = (words or otherwise)[: self._most].strip("-")
        found, number = first, 2
        while found in self._used:
            tail = f"-{number}"
            found, number = first[: self._most - len(tail)] + tail, number + 1
        self._used.add(found)
        return found
