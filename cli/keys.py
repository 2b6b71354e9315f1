"""`cronium keys`: the keys that encrypt what Temporal stores."""

import asyncio
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from cli.errors import problem_at
from cli.options import AsJson, Config, StateDir, load
from cli.terminal import answers, note, safe, table
from contracts.encryption_errors import EncryptionError

if TYPE_CHECKING:
    from worker.codec import Key, KeyFile
    from worker.settings import Settings

DEFAULT_NAME = "encryption-keys.json"
# As many running executions are looked at before a key is removed.
MOST_LOOKED_AT = 1000

File = Annotated[
    Path | None,
    typer.Option("--file", metavar="FILE", help="Key file; default is the setting's."),
]
NewId = Annotated[
    str | None, typer.Option("--id", metavar="ID", help="Its id; default is made up.")
]
To = Annotated[
    str | None,
    typer.Option("--to", metavar="ID", help="Use a key that is there already."),
]
KeyId = Annotated[str, typer.Argument(metavar="ID", help="As `keys list` shows it.")]
Force = Annotated[bool, typer.Option("--force", help="Even if runs still need it.")]


class KeyNeeded(EncryptionError):
    """The key cannot be removed now."""


class EncryptionOff(EncryptionError):
    """No file of keys is set."""

    hint = (
        "`cronium keys generate` makes one; then set CRONIUM_ENCRYPTION_KEYS_FILE, or "
        "`encryption: {keys_file: …}` in the settings file."
    )


def build() -> typer.Typer:
    """Return the group of commands."""
    group = typer.Typer(
        help="Keys that encrypt what Temporal stores.",
        no_args_is_help=True,
        rich_markup_mode="rich",
    )
    for name, function in (
        ("generate", generate),
        ("list", list_),
        ("rotate", rotate),
        ("remove", remove),
    ):
        group.command(name)(function)
    return group


def generate(
    file: File = None,
    key_id: NewId = None,
    config: Config = None,
    state_dir: StateDir = None,
) -> int:
    """Make a key. The first one of a file writes at once, others only read.

    Examples:

      cronium keys generate --file /etc/cronium/keys.json
    """
    from worker.codec.keys import KeyFile, read_keys, write_keys

    settings = load(config, state_dir)
    path = file or settings.encryption.keys_file or settings.state_dir / DEFAULT_NAME
    made = _generated(key_id)
    if path.exists():
        found = read_keys(path)
        _absent(found, made.id)
        write_keys(path, found.model_copy(update={"keys": [*found.keys, made]}))
        note(f"{made.id} is in {path} and reads; `cronium keys rotate --to {made.id}`")
        note("makes it write, once every process of yours has it")
    else:
        write_keys(path, KeyFile(active=made.id, keys=[made]))
        note(f"{made.id} is in {path} and writes")
        if settings.encryption.keys_file is None:
            note(f"turn encryption on with CRONIUM_ENCRYPTION_KEYS_FILE={path}")
    print(made.id)
    return 0


def list_(
    file: File = None,
    as_json: AsJson = False,
    config: Config = None,
    state_dir: StateDir = None,
) -> int:
    """List the keys, never their values. Equal check values mean equal keys.

    Examples:

      cronium keys list --json
    """
    _, found = _opened(file, config, state_dir)
    if as_json:
        rows = [
            {
                "id": key.id,
                "active": key.id == found.active,
                "created": key.created.isoformat() if key.created else None,
                "check": key.check,
            }
            for key in found.keys
        ]
        print(json.dumps(rows, indent=2))
        return 0
    shown = table(("key", "use", "made", "check"))
    for key in found.keys:
        shown.add_row(
            safe(key.id),
            Text("writes and reads" if key.id == found.active else "reads"),
            Text(f"{key.created:%Y-%m-%d}" if key.created else "–"),
            Text(key.check),
        )
    answers().print(shown)
    return 0


def rotate(
    to: To = None,
    file: File = None,
    config: Config = None,
    state_dir: StateDir = None,
) -> int:
    """Write with a new key from now on; the old ones stay and read.

    Without --to the key is made now. With several machines let all of them have it
    before one writes with it: `keys generate`, copy the file, then `keys rotate --to`.

    Examples:

      cronium keys rotate

      cronium keys rotate --to 2026-11-26-4f2a9c
    """
    from worker.codec.keys import write_keys

    path, found = _opened(file, config, state_dir)
    keys = found.keys
    if to is None:
        made = _generated(None)
        to, keys = made.id, [*keys, made]
    elif found.find(to) is None:
        raise problem_at("--to", "there is no key of this id in the file")
    write_keys(path, found.model_copy(update={"active": to, "keys": keys}))
    note(f"{to} writes now; running processes notice within seconds")
    print(to)
    return 0


def remove(
    key_id: KeyId,
    force: Force = False,
    file: File = None,
    config: Config = None,
    state_dir: StateDir = None,
) -> int:
    """Remove a key that only reads. What was written with it can be read no more.

    Examples:

      cronium keys remove 2025-11-26-0c1d2e
    """
    from worker.codec.keys import write_keys

    path, found = _opened(file, config, state_dir)
    if found.find(key_id) is None:
        raise problem_at("ID", "there is no key of this id in the file")
    if key_id == found.active:
        raise KeyNeeded(
            f"{key_id} is the key that writes", hint="First `cronium keys rotate`."
        )
    if not force:
        _refuse_if_used(load(config, state_dir), key_id)
    kept = [key for key in found.keys if key.id != key_id]
    write_keys(path, found.model_copy(update={"keys": kept}))
    note(f"{key_id} is gone; histories that it wrote cannot be read any more")
    return 0


def settings_with_keys(settings: "Settings", file: Path | None = None) -> Path:
    """Return where the keys are.

    Raises:
        EncryptionOff: Nobody has said so.
    """
    path = file or settings.encryption.keys_file
    if path is None:
        raise EncryptionOff("no file of keys is set")
    return path


def _opened(
    file: Path | None, config: Path | None, state_dir: Path | None
) -> "tuple[Path, KeyFile]":
    from worker.codec.keys import read_keys

    path = settings_with_keys(load(config, state_dir), file)
    return path, read_keys(path)


def _refuse_if_used(settings: "Settings", key_id: str) -> None:
    from cli.execution import connect
    from cli.stack import find
    from worker.codec.survey import keys_in_use

    stack = find(settings)
    if stack is None:
        raise KeyNeeded(
            "no Temporal server is known that could tell whether runs need the key",
            hint="Start it, or say `--force` if nothing written with it matters.",
        )

    async def asked() -> set[str]:
        return await keys_in_use(await connect(settings, stack), MOST_LOOKED_AT)

    if key_id in asyncio.run(asked()):
        raise KeyNeeded(
            f"executions run that were begun with {key_id}",
            hint="Wait for them, or say `--force`: without the key they stand still.",
        )


def _generated(key_id: str | None) -> "Key":
    from worker.codec.keys import KEY_ID_PATTERN, Key

    if key_id is not None and not re.fullmatch(KEY_ID_PATTERN, key_id):
        raise problem_at("--id", "expected up to 64 letters, digits, `.`, `_` and `-`")
    return Key.generate(key_id)


def _absent(found: "KeyFile", key_id: str) -> None:
    if found.find(key_id) is not None:
        raise problem_at("--id", "the file has a key of this id already")
