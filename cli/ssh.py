"""`cronium ssh`: look at a server before anybody has vouched for it."""

import asyncio
import json
from typing import Annotated

import typer

from cli import ssh_calls
from cli.errors import problem_at
from cli.options import AsJson
from cli.terminal import answers, note, safe, table

Host = Annotated[str, typer.Argument(metavar="HOST[:PORT]", help="Whose keys.")]
Port = Annotated[int, typer.Option(min=1, max=65535, help="Port of its sshd.")]


def build() -> typer.Typer:
    """Return the group of commands."""
    group = typer.Typer(help="Servers over SSH.", no_args_is_help=True)

    @group.callback()
    def _group() -> None:
        """Servers over SSH."""

    group.command("scan")(scan)
    return group


def scan(host: Host, port: Port = 22, as_json: AsJson = False) -> int:
    """Show the keys of a server, for approval; nothing is sent and nothing is kept.

    Compare a fingerprint with what the server's console says (`ssh-keygen -lf
    /etc/ssh/ssh_host_ed25519_key.pub`), then put its key into `hostKeys`.

    Examples:

      cronium ssh scan 10.0.0.11

      cronium ssh scan bastion.example.com:2222 --json
    """
    address, port = place_of(host, port)
    keys = asyncio.run(ssh_calls.scan(address, port))
    if as_json:
        rows = [
            {"algorithm": k.algorithm, "fingerprint": k.fingerprint, "hostKey": k.line}
            for k in keys
        ]
        print(json.dumps(rows, indent=2))
        return 0
    shown = table(("algorithm", "fingerprint", "hostKeys"), fold=("hostKeys",))
    for key in keys:
        shown.add_row(safe(key.algorithm), safe(key.fingerprint), safe(key.line))
    answers().print(shown)
    note("Anybody may have answered: compare a fingerprint on the server's console.")
    return 0


def place_of(host: str, port: int = 22) -> tuple[str, int]:
    """Return address and port of `host`, `host:port`, `[IPv6]:port` or bare IPv6.

    Raises:
        InvalidRequest: It is none of these.
    """
    if host.startswith("["):
        address, bracket, rest = host[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise problem_at("HOST", "expected host, host:port or [IPv6]:port")
        given = rest[1:]
    elif host.count(":") == 1:
        address, _, given = host.partition(":")
    else:
        address, given = host, ""
    if not address or (given and not (given.isdigit() and 0 < int(given) < 65536)):
        raise problem_at("HOST", "expected host, host:port or [IPv6]:port")
    return address, int(given) if given else port
