"""A run's directory on the host: script, input, event and environment.

It is mounted read-only at /run/cronium, so nothing of the user's is ever on a command
line or in `docker inspect`. Nothing that a script writes is read from it.
"""

import os
import shlex
import shutil
from pathlib import Path

from contracts.events import EventType

# The parent is closed to other users of the host; inside the sandbox only uid 1000
# lives, so the files themselves can be readable.
PARENT_MODE = 0o700
DIRECTORY_MODE = 0o755
FILE_MODE = 0o444

INTERPRETERS = {
    EventType.BASH: ("bash", "script.sh"),
    EventType.PYTHON: ("python3", "script.py"),
    EventType.NODEJS: ("node", "script.js"),
}
LAUNCHER = "start"
MISSING_MARK = "cronium: not in this image: "
MISSING_CODE = 127


def launcher(event_type: EventType) -> str:
    """Return the sh program that sets the environment and becomes the script."""
    interpreter, script = INTERPRETERS[event_type]
    return (
        f"command -v {interpreter} >/dev/null 2>&1 || "
        f'{{ echo "{MISSING_MARK}{interpreter}" >&2; exit {MISSING_CODE}; }}\n'
        f". /run/cronium/environment\n"
        f"exec {interpreter} /run/cronium/{script}\n"
    )


def quoted(value: str) -> str:
    """Return a value as one single-quoted sh word."""
    return "'" + value.replace("'", "'\\''") + "'"


def environment_file(env: dict[str, str]) -> str:
    """Return the sh text that exports the variables; values are data, never code."""
    return "".join(f"export {name}={quoted(value)}\n" for name, value in env.items())


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
        self.parent.mkdir(mode=PARENT_MODE, parents=True, exist_ok=True)
        self.parent.chmod(PARENT_MODE)
        self.remove(key)
        directory = self.parent / key
        directory.mkdir(mode=DIRECTORY_MODE)
        directory.chmod(DIRECTORY_MODE)  # mkdir's mode is cut by the umask
        texts = {
            LAUNCHER: launcher(event_type),
            INTERPRETERS[event_type][1]: script,
            "environment": environment_file(env),
        }
        for name, text in texts.items():
            _write(directory / name, text.encode("utf-8", "surrogatepass"))
        for name, data in documents.items():
            _write(directory / name, data)
        return directory

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

    def remove(self, key: str) -> None:
        """Remove a run's directory; one that is not there is fine."""
        shutil.rmtree(self.parent / key, ignore_errors=True)

    def present(self) -> list[str]:
        """Return the run keys that have a directory."""
        if not self.parent.is_dir():
            return []
        return [entry.name for entry in self.parent.iterdir() if entry.is_dir()]


def _write(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        os.fchmod(descriptor, FILE_MODE)
