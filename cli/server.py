"""`cronium server`: the inventory of servers, and whether they can be used."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from cli import ssh_calls
from cli.errors import EXIT_FAILURE, problem_at
from cli.inventory import (
    AT_HOST,
    DEFAULT_FILE,
    EVERY_SERVER,
    Inventory,
    append,
    read_inventory,
)
from cli.options import AsJson, Config, StateDir, load
from cli.terminal import answers, note, safe, table
from contracts.errors import CroniumError
from contracts.servers import ServerSpec

if TYPE_CHECKING:
    from engines.ssh import Checked
    from worker.settings import Settings

    Found = Checked | CroniumError

CHECKED_AT_ONCE = 20
LARGE_OFFSET = 5.0
GIB = 1 << 30

Servers = Annotated[
    Path | None,
    typer.Option("--servers", metavar="FILE", help="Inventory; default servers.yaml."),
]
Name = Annotated[str, typer.Argument(metavar="NAME", help="What people call it.")]
Destination = Annotated[
    str, typer.Argument(metavar="USER@HOST[:PORT]", help="Where it is.")
]
Wanted = Annotated[
    list[str] | None,
    typer.Argument(metavar="[TARGET]…", help="NAME, group:G, tag:T or user@host."),
]
Key = Annotated[
    str | None, typer.Option(metavar="SECRET", help="Name of the secret with the key.")
]
Passphrase = Annotated[
    str | None, typer.Option(metavar="SECRET", help="Name of that of the passphrase.")
]
Password = Annotated[
    str | None, typer.Option(metavar="SECRET", help="Name of that of the password.")
]
Agent = Annotated[bool, typer.Option("--agent", help="Ask the worker's SSH agent.")]
HostKey = Annotated[
    list[str] | None,
    typer.Option(metavar="KEY", help="`ssh-ed25519 AAAA…` or `SHA256:…`; repeatable."),
]
Group = Annotated[list[str] | None, typer.Option(help="Group; repeatable.")]
Tag = Annotated[list[str] | None, typer.Option(help="Tag; repeatable.")]


def build() -> typer.Typer:
    """Return the group of commands."""
    group = typer.Typer(
        help="Servers that scripts run on: `cronium run FILE --target NAME`.",
        no_args_is_help=True,
        rich_markup_mode="rich",
    )
    for name, function in (("add", add), ("list", list_), ("check", check)):
        group.command(name)(function)
    return group


def add(
    name: Name,
    destination: Destination,
    key: Key = None,
    passphrase: Passphrase = None,
    password: Password = None,
    agent: Agent = False,
    host_key: HostKey = None,
    group: Group = None,
    tag: Tag = None,
    servers: Servers = None,
) -> int:
    """Add a server to the inventory. Secrets are named, never written down.

    Examples:

      cronium server add web-1 deploy@10.0.0.11 --key DEPLOY_KEY --group web
    """
    match = AT_HOST.fullmatch(destination)
    if match is None:
        raise problem_at("USER@HOST", "expected user@host, user@host:port, user@[IPv6]")
    login: dict[str, Any] = {
        kind: {"secret": secret}
        for kind, secret in (
            ("key", key), ("passphrase", passphrase), ("password", password),
        )
        if secret is not None
    }  # fmt: skip
    entry = {
        "name": name,
        "address": match["six"] or match["host"],
        "port": int(match["port"]) if match["port"] else None,
        "username": match["user"],
        "credentials": {**login, "agent": True} if agent else login,
        "hostKeys": host_key,
        "groups": group,
        "tags": tag,
    }
    file = servers or DEFAULT_FILE
    append(file, {field: value for field, value in entry.items() if value})
    note(f"{name} is in {file}")
    if not host_key:
        note(
            f"its key is not pinned: `cronium ssh scan {match['host'] or match['six']}`"
        )
    return 0


def list_(
    wanted: Wanted = None, servers: Servers = None, as_json: AsJson = False
) -> int:
    """List the servers of the inventory.

    Examples:

      cronium server list

      cronium server list group:web tag:production
    """
    found = _selected(read_inventory(servers), wanted or ())
    if as_json:
        rows = [
            server.model_dump(mode="json", exclude_defaults=True) for server in found
        ]
        print(json.dumps(rows, indent=2, ensure_ascii=False))
        return 0
    shown = table(
        ("name", "login", "groups", "tags", "host key"), fold=("groups", "tags")
    )
    for server in found:
        shown.add_row(
            safe(server.name),
            safe(f"{server.username}@{server.address}:{server.port}"),
            safe(", ".join(server.groups)),
            safe(", ".join(server.tags)),
            Text("pinned" if server.host_keys else "known_hosts"),
        )
    answers().print(shown)
    return 0


def check(
    wanted: Wanted = None,
    servers: Servers = None,
    config: Config = None,
    state_dir: StateDir = None,
    as_json: AsJson = False,
) -> int:
    """Log in and look: host key, interpreters, disk, clock. Ends with 1 on trouble.

    Examples:

      cronium server check

      cronium server check web-1 group:db
    """
    found = _selected(read_inventory(servers), wanted or ())
    results = asyncio.run(_check_all(load(config, state_dir), found))
    if as_json:
        rows = [_check_json(*pair) for pair in zip(found, results, strict=True)]
        print(json.dumps(rows, indent=2, ensure_ascii=False))
    else:
        answers().print(check_table(found, results))
    return EXIT_FAILURE if any(isinstance(r, CroniumError) for r in results) else 0


def check_table(servers: Sequence[ServerSpec], results: "Sequence[Found]") -> Table:
    """Return what was found on servers as a table; errors in the place of facts."""
    shown = table(
        ("server", "state", "login", "interpreters", "disk free", "clock"),
        fold=("state", "interpreters"),
    )
    for server, found in zip(servers, results, strict=True):
        if isinstance(found, CroniumError):
            words = safe(f"{found.type}: {found}. {found.user_hint}", "red")
            shown.add_row(safe(server.name), words)
            continue
        versions = ", ".join(
            f"{name} {version or '–'}" for name, version in found.interpreters.items()
        )
        late = abs(found.clock_offset) >= LARGE_OFFSET
        shown.add_row(
            safe(server.name),
            Text("ok", "green"),
            Text(f"{found.took * 1000:.0f} ms"),
            safe(versions),
            Text("?" if found.disk_free is None else f"{found.disk_free / GIB:.1f} GB"),
            Text(f"{found.clock_offset:+.1f} s", "yellow" if late else ""),
        )
    return shown


async def _check_all(
    settings: "Settings", servers: Sequence[ServerSpec]
) -> "list[Found]":
    free = asyncio.Semaphore(CHECKED_AT_ONCE)
    async with ssh_calls.engine(settings) as engine:

        async def one(server: ServerSpec) -> "Found":
            async with free:
                try:
                    return await engine.check(server)
                except CroniumError as error:
                    return error

        return list(await asyncio.gather(*(one(server) for server in servers)))


def _check_json(server: ServerSpec, found: "Found") -> dict[str, Any]:
    if isinstance(found, CroniumError):
        error = found.info.model_dump(mode="json")
        return {"name": server.name, "ok": False, "error": error}
    return {
        "name": server.name,
        "ok": True,
        "interpreters": found.interpreters,
        "diskFreeBytes": found.disk_free,
        "clockOffsetSeconds": found.clock_offset,
        "loginSeconds": found.took,
    }


def _selected(inventory: Inventory, wanted: Sequence[str]) -> list[ServerSpec]:
    found: dict[str, ServerSpec] = {}
    for word in wanted or [EVERY_SERVER]:
        for server in inventory.select(word, "TARGET"):
            found[server.name] = server
    return list(found.values())
