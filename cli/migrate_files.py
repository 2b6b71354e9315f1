"""Write the files of a migration: again and again, but never over somebody's work.

A record of digests tells files as they were written from files that were edited since.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cli.errors import problem_at
from contracts.errors import CroniumError

RECORD = ".cronium-migrate.json"
SHOWN = 20


class FilesEdited(CroniumError):
    """Files would be replaced that somebody has edited, or has written."""

    hint = "Name another directory with --out, or replace them with --force."


@dataclass
class Written:
    """What became of each file, by its path below the directory."""

    new: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    same: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    """Edited files that the migration no longer has."""


def write_files(directory: Path, texts: Mapping[str, str], force: bool) -> Written:
    """Write all files, or none.

    Args:
        directory: Where; it is made.
        texts: Path below it → text.
        force: Whether edited files are replaced.

    Raises:
        FilesEdited: Some were edited; nothing was written.
        InvalidRequest: The directory cannot be read or written.
    """
    try:
        return _write(directory, texts, force)
    except OSError as error:
        message = f"cannot write {error.filename or directory}: {error.strerror}"
        raise problem_at("--out", message) from None


def _write(directory: Path, texts: Mapping[str, str], force: bool) -> Written:
    record, done, edited = _record(directory), Written(), []
    for path, text in texts.items():
        there = _digest_of(directory / path)
        if there is None:
            done.new.append(path)
        elif there == _digest(text.encode()):
            done.same.append(path)
        else:
            done.changed.append(path)
            if there != record.get(path):
                edited.append(path)
    if edited and not force:
        shown = ", ".join(edited[:SHOWN])
        more = f" and {len(edited) - SHOWN} more" if len(edited) > SHOWN else ""
        raise FilesEdited(f"edited, or not of a migration: {shown}{more}")
    for path in record.keys() - texts.keys():
        there = _digest_of(directory / path)
        if there == record[path]:
            (directory / path).unlink()
            done.removed.append(path)
        elif there is not None:
            done.kept.append(path)
    for path in done.new + done.changed:
        _put(directory / path, texts[path])
    digests = {path: _digest(text.encode()) for path, text in sorted(texts.items())}
    _put(directory / RECORD, json.dumps(digests, indent=1) + "\n")
    return done


def _record(directory: Path) -> dict[str, str]:
    try:
        data = json.loads((directory / RECORD).read_text())
    except (FileNotFoundError, ValueError):
        return {}
    inside = data.items() if isinstance(data, dict) else ()
    return {
        path: digest
        for path, digest in inside
        if not Path(path).is_absolute() and ".." not in Path(path).parts
    }


def _digest_of(file: Path) -> str | None:
    try:
        return _digest(file.read_bytes())
    except FileNotFoundError:
        return None


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _put(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(handle, "w") as stream:
            stream.write(text)
        os.chmod(name, 0o644)
        os.replace(name, file)
    except BaseException:
        os.unlink(name)
        raise
