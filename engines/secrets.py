"""Where the values of named secrets come from: a directory, variables, a service."""

import asyncio
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Protocol

from contracts.errors import SecretUnavailable


class Source(Protocol):
    """Something that is asked last, over the network."""

    def find(self, name: str) -> str | None:
        """Return the value, or None when the name is not known there.

        Raises:
            SecretsUnavailable: Nobody can say now.
        """


class SecretStore:
    """Resolve secret names on the worker, at the last moment.

    Args:
        environment: The worker's own variables.
        allowed: Names or globs of the variables that may be given out.
        directory: Directory with one file per secret; its name is the file's name.
        service: Asked for what is in neither.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        allowed: list[str],
        directory: Path | None = None,
        service: Source | None = None,
    ) -> None:
        self._environment = environment
        self._allowed = allowed
        self._directory = directory
        self._service = service

    def resolve(self, name: str) -> str:
        """Return the value of a secret; may wait for the network.

        Raises:
            SecretUnavailable: No source knows the name; the message names the name
                alone.
            SecretsUnavailable: The source that may know it does not answer.
        """
        if self._directory is not None:
            file = self._directory / name
            # The contract's pattern has no "/", so a name cannot leave the directory.
            if file.is_file():
                return file.read_text().removesuffix("\n")
        if any(fnmatchcase(name, pattern) for pattern in self._allowed):
            value = self._environment.get(name)
            if value is not None:
                return value
        found = self._service.find(name) if self._service is not None else None
        if found is not None:
            return found
        raise SecretUnavailable(f"the secret {name} does not exist on this worker")

    async def value(self, name: str) -> str:
        """Return the value of a secret without holding anybody up; see `resolve`."""
        return await asyncio.to_thread(self.resolve, name)
