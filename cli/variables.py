"""`cronium var`: look at the variables that scripts share, and change them."""

import asyncio
import json
import re
import sys
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.text import Text

from cli.errors import EXIT_FAILURE, problem_at
from cli.options import AsJson, Config, StateDir, load
from cli.terminal import answers, note, safe, table
from contracts.events import EventRequest
from contracts.json_values import read_json
from contracts.names import ID_PATTERN

PAGE = 1_000
SHOWN_CHARS = 60
DEFAULT_USER: str = EventRequest.model_fields["user"].default

Key = Annotated[str, typer.Argument(metavar="KEY", help="Name of the variable.")]
Value = Annotated[
    str, typer.Argument(metavar="VALUE", help="JSON, else text; `-` reads stdin.")
]
Prefix = Annotated[
    str, typer.Argument(metavar="[PREFIX]", help="Only keys that begin with this.")
]
User = Annotated[str, typer.Option("--user", "-u", help="Whose variables.")]
AsText = Annotated[
    bool, typer.Option("--string", help="Store VALUE as text, whatever it looks like.")
]
IfAbsent = Annotated[
    bool, typer.Option("--if-absent", help="Only if the variable is not set.")
]
Expected = Annotated[
    str | None,
    typer.Option("--expected", metavar="VALUE", help="Only if this is its value now."),
]
Description = Annotated[
    str | None, typer.Option("--description", help="What the variable is for.")
]


def build() -> typer.Typer:
    """Return the group of commands."""
    group = typer.Typer(
        help="Variables that scripts share: typed JSON values, per user.",
        no_args_is_help=True,
        rich_markup_mode="rich",
    )
    for name, function in (
        ("get", get),
        ("set", set_),
        ("list", list_),
        ("delete", delete),
    ):
        group.command(name)(function)
    return group


def get(
    key: Key,
    user: User = DEFAULT_USER,
    as_json: AsJson = False,
    config: Config = None,
    state_dir: StateDir = None,
) -> int:
    """Print a variable: text as it is, everything else as JSON.

    Examples:

      cronium var get LAST_RUN

      cronium var get LAST_RUN --json | jq .version
    """
    found = _call("GET", user, key, config, state_dir)
    if as_json:
        _print_json(found)
    elif isinstance(found["value"], str):
        print(found["value"])
    else:
        print(json.dumps(found["value"], ensure_ascii=False))
    return 0


def set_(
    key: Key,
    value: Value,
    user: User = DEFAULT_USER,
    as_text: AsText = False,
    if_absent: IfAbsent = False,
    expected: Expected = None,
    description: Description = None,
    as_json: AsJson = False,
    config: Config = None,
    state_dir: StateDir = None,
) -> int:
    """Set a variable. VALUE is JSON when it is JSON, and text otherwise.

    Examples:

      cronium var set LIMIT 20

      cronium var set ZIP 01234 --string

      cronium var set STATE '{"page": 2}' --expected '{"page": 1}'

      echo '[1, 2]' | cronium var set LIST -
    """
    body: dict[str, Any] = {"value": _parsed(_read(value), as_text)}
    if if_absent:
        body["ifAbsent"] = True
    if expected is not None:
        body["expected"] = _parsed(expected, as_text)
    if description is not None:
        body["description"] = description
    stored = _call("PUT", user, key, config, state_dir, json=body)
    if as_json:
        _print_json(stored)
    else:
        note(f"{key} is set (version {stored['version']})")
    return 0


def list_(
    prefix: Prefix = "",
    user: User = DEFAULT_USER,
    as_json: AsJson = False,
    config: Config = None,
    state_dir: StateDir = None,
) -> int:
    """List variables in order of their keys.

    Examples:

      cronium var list

      cronium var list BACKUP_ --json | jq 'map(.key)'
    """
    found = _all(prefix, user, config, state_dir)
    if as_json:
        _print_json(found)
        return 0
    if not found:
        note("No variables.")
        return 0
    shown = table(
        ("Key", "Value", "Version", "Updated", "Description"),
        fold=("Value", "Description"),
    )
    for variable in found:
        shown.add_row(
            Text(variable["key"]),
            safe(_short(variable["value"])),
            str(variable["version"]),
            _time(variable["updatedAt"]),
            safe(variable["description"]),
        )
    answers().print(shown)
    return 0


def delete(
    key: Key,
    user: User = DEFAULT_USER,
    config: Config = None,
    state_dir: StateDir = None,
) -> int:
    """Delete a variable; the exit status is 1 when it was not set.

    Examples:

      cronium var delete LAST_RUN
    """
    if _call("DELETE", user, key, config, state_dir)["deleted"]:
        note(f"{key} is deleted")
        return 0
    note(f"{key} was not set")
    return EXIT_FAILURE


def _call(
    method: str, user: str, key: str, config: Any, state_dir: Any, **options: Any
) -> Any:
    from cli.gateway import call
    from cli.stack import require

    if key in ("", ".", ".."):
        # An address with such a part would mean another place.
        raise problem_at("KEY", "not the name of a variable")
    path = f"{_place(user)}/{quote(key, safe='')}"
    stack = require(load(config, state_dir))
    return asyncio.run(call(stack, method, path, **options))


def _all(prefix: str, user: str, config: Any, state_dir: Any) -> list[dict[str, Any]]:
    from cli.gateway import call
    from cli.stack import require

    stack = require(load(config, state_dir))
    path = _place(user)

    async def reading() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        after: str | None = ""
        while after is not None:
            wanted = {"prefix": prefix, "after": after, "limit": PAGE}
            page = await call(stack, "GET", path, params=wanted)
            found += page["variables"]
            after = page["nextAfter"]
        return found

    return asyncio.run(reading())


def _place(user: str) -> str:
    if not re.fullmatch(ID_PATTERN, user):
        raise problem_at("--user", "expected letters, digits, `.`, `_` and `-`")
    return f"/api/users/{user}/variables"


def _read(value: str) -> str:
    return sys.stdin.read() if value == "-" else value


def _parsed(value: str, as_text: bool) -> Any:
    if as_text:
        return value
    try:
        return read_json(value)
    except ValueError:
        return value.removesuffix("\n")


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= SHOWN_CHARS else text[: SHOWN_CHARS - 1] + "…"


def _time(text: str) -> str:
    return datetime.fromisoformat(text).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _print_json(value: Any) -> None:
    print(json.dumps(value, ensure_ascii=False, indent=2))
