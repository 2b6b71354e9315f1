"""Where the values of named secrets come from: allowed variables or a directory."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path

from contracts.errors import SecretUnavailable


class SecretStore:
    """Resolve secret names on the worker, at the last moment.

    Args:
        environment: The worker's own variables.
        allowed: Names or globs of the variables that may be given out.
        directory: Directory with one file per secret; its name is the file's name.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        allowed: list[str],
        directory: Path | None = None,
    ) -> None:
        self._environment = environment
        self._allowed = allowed
        self._directory = directory

    def resolve(self, name: str) -> str:
        """Return the value of a secret.

        Raises:
            SecretUnavailable: No source knows the name; the message names the name
                alone.
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
        raise SecretUnavailable(f"the secret {name} does not exist on this worker")
