"""Whether a server can be used: login, interpreters, disk, clock."""

import re
import time
from dataclasses import dataclass
from importlib.resources import files

from engines.ssh.account import Account
from engines.ssh.answers import explain
from engines.ssh.shell import Answered

VERSION = re.compile(r"\d+(?:\.\d+)+")


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found on a server. Its key has been verified by then."""

    took: float
    """Seconds until a command could be given."""
    interpreters: dict[str, str | None]
    """Version by name; None when it is not there."""
    disk_free: int | None
    """Bytes where runs are kept; None when the server does not say."""
    clock_offset: float
    """Seconds that its clock is ahead of ours, as exact as the way is short."""


async def check(account: Account) -> Checked:
    """Log in and look.

    Raises:
        SshUnavailable: The server cannot be reached now.
        SshRefused: It cannot be used like this.
    """
    began = time.monotonic()
    shell = await account.open()
    took = time.monotonic() - began
    try:
        asked = time.time()
        clock = await shell.ask('say CLOCK "$(wall)"\n', account.patience)
        between = (asked + time.time()) / 2
        script = files(__package__).joinpath("check.sh").read_text()
        found = await shell.answers(script, "CHECKED", account.patience)
    except Answered as answer:
        raise explain(answer, account.place) from None
    finally:
        await shell.close()
    tools: dict[str, str | None] = {}
    disk = None
    for word, *rest in found:
        if word == "TOOL":
            version = VERSION.search(" ".join(rest[1:]))
            tools[rest[0]] = version[0] if version else ("?" if rest[1:] else None)
        elif word == "DISK" and rest and rest[0].isdigit():
            disk = int(rest[0]) * 1024
    return Checked(took, tools, disk, float(clock[1]) - between)
