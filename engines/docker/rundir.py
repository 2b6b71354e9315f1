"""A run's directory on the host: script, input, event, environment and helper.

It is mounted read-only at /run/cronium, so nothing of the user's is ever on a command
line or in `docker inspect`. Nothing that a script writes is read from it.
"""

import json
import os
import re
import secrets
import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path

import sdk
from contracts.events import EventType
from contracts.names import RUN_DIRECTORY
from engines.scripts import (
    INTERPRETERS,
    MISSING_CODE,
    MODULE,
    MODULE_CHECK,
    environment_file,
    may_be_module,
    quoted,
)

# The parent is closed to other users of the host; inside the sandbox only uid 1000
# lives, so the files themselves can be readable.
PARENT_MODE = 0o700
DIRECTORY_MODE = 0o755
FILE_MODE = 0o444
EXECUTABLE_MODE = 0o555

LAUNCHER = "start"
LABELS = "labels.json"
# Not a run key: what has another kind of name is never taken for a run's.
WARM_PREFIX = "warm-"
# See `names.run_key`.
RUN_KEY = re.compile("[0-9a-f]{16,64}")
MISSING_MARK = "cronium: not in this image: "


def launcher(event_type: EventType, maybe_module: bool = False) -> str:
    """Return the sh program that sets the environment and becomes the script.

    Args:
        event_type: Whose interpreter it is for.
        maybe_module: The script may be an ES module, which is there as such as well.
    """
    interpreter, script = INTERPRETERS[event_type]
    path = f"{RUN_DIRECTORY}/{script}"
    check = ""
    if maybe_module:
        check = (
            f"NODE_OPTIONS= node -e {quoted(MODULE_CHECK)} {path} >/dev/null 2>&1 || "
            f"exec node {RUN_DIRECTORY}/{MODULE}\n"
        )
    return (
        f"command -v {interpreter} >/dev/null 2>&1 || "
        f'{{ echo "{MISSING_MARK}{interpreter}" >&2; exit {MISSING_CODE}; }}\n'
        f". {RUN_DIRECTORY}/environment\n"
        f"{sdk.environment(RUN_DIRECTORY)}"
        f"{check}exec {interpreter} {path}\n"
    )


class RunDirectories:
    """The directory that holds one directory per running sandbox.

    Args:
        parent: Where they are made; better on a tmpfs, since resolved secrets are
            among the files.
    """

    def __init__(self, parent: Path) -> None:
        self.parent = parent

    def create(
        self,
        key: str,
        *,
        event_type: EventType,
        script: str,
        env: dict[str, str],
        documents: dict[str, bytes],
    ) -> Path:
        """Write a run's directory, replacing what an earlier life left there."""
        self.remove(key)
        self._write_sdk(self._make(key))
        return self.fill(
            key, event_type=event_type, script=script, env=env, documents=documents
        )

    def create_warm(self) -> tuple[str, Path]:
        """Make a directory for a run that is not known yet; return its id and path.

        What all runs have is in it already.
        """
        name = secrets.token_hex(8)
        directory = self._make(WARM_PREFIX + name)
        self._write_sdk(directory)
        return name, directory

    def adopt(self, name: str, key: str) -> Path:
        """Make a directory that was made in advance a run's own."""
        self.remove(key)
        return (self.parent / (WARM_PREFIX + name)).rename(self.parent / key)

    def remove_warm(self, name: str) -> None:
        """Remove a directory that was made in advance."""
        shutil.rmtree(self.parent / (WARM_PREFIX + name), ignore_errors=True)

    def fill(
        self,
        key: str,
        *,
        event_type: EventType,
        script: str,
        env: dict[str, str],
        documents: dict[str, bytes],
    ) -> Path:
        """Write what is a run's own into its directory."""
        directory = self.parent / key
        module = may_be_module(event_type, script)
        texts = {
            LAUNCHER: launcher(event_type, module),
            INTERPRETERS[event_type][1]: script,
            "environment": environment_file(env),
        }
        if module:
            texts[MODULE] = script
        for name, text in texts.items():
            _write(directory / name, text.encode("utf-8", "surrogatepass"))
        for name, data in documents.items():
            _write(directory / name, data)
        return directory

    def _make(self, name: str) -> Path:
        self.parent.mkdir(mode=PARENT_MODE, parents=True, exist_ok=True)
        self.parent.chmod(PARENT_MODE)
        directory = self.parent / name
        directory.mkdir(mode=DIRECTORY_MODE)
        directory.chmod(DIRECTORY_MODE)  # mkdir's mode is cut by the umask
        return directory

    def _write_sdk(self, directory: Path) -> None:
        for name, data in sdk.carried().items():
            mode = EXECUTABLE_MODE if sdk.executable(name) else FILE_MODE
            _write(directory / name, data, mode)

    def has(self, key: str) -> bool:
        """Whether there is a directory of this run."""
        return (self.parent / key).is_dir()

    def environment(self, key: str) -> dict[str, str]:
        """Return the variables that a run was started with; none when it is gone."""
        try:
            text = (self.parent / key / "environment").read_bytes()
        except OSError:
            return {}
        words = shlex.split(text.decode("utf-8", "surrogatepass"))
        pairs = (word.partition("=") for word in words if word != "export")
        return {name: value for name, _, value in pairs}

    def labels(self, key: str) -> Mapping[str, str]:
        """Return the labels of a sandbox that was made before its run was known."""
        try:
            found = json.loads((self.parent / key / LABELS).read_bytes())
        except (OSError, ValueError):
            return {}
        return {str(name): str(value) for name, value in found.items()}

    def remove(self, key: str) -> None:
        """Remove a run's directory; one that is not there is fine."""
        shutil.rmtree(self.parent / key, ignore_errors=True)

    def present_warm(self) -> list[str]:
        """Return the ids of the directories that were made in advance."""
        return [
            path.name.removeprefix(WARM_PREFIX)
            for path in self.parent.glob(WARM_PREFIX + "*")
        ]

    def present(self) -> list[str]:
        """Return the run keys that have a directory.

        What has another kind of name is somebody else's: the operator may have chosen
        a directory that is not ours alone.
        """
        if not self.parent.is_dir():
            return []
        return [
            entry.name
            for entry in self.parent.iterdir()
            if RUN_KEY.fullmatch(entry.name) and entry.is_dir()
        ]


def _make(folder: Path) -> None:
    if not folder.is_dir():
        _make(folder.parent)
        folder.mkdir()
        folder.chmod(DIRECTORY_MODE)


def _write(path: Path, data: bytes, mode: int = FILE_MODE) -> None:
    _make(path.parent)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        os.fchmod(descriptor, mode)
