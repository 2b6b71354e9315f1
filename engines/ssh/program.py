"""The text that is sent to servers, and the commands that are given to it."""

import hashlib
import secrets
from functools import cache
from importlib.resources import files

import sdk
from contracts.limits import KIB
from contracts.server_errors import SshServerRefused
from engines.places import SandboxSpec
from engines.scripts import (
    INTERPRETERS,
    MODULE,
    MODULE_CHECK,
    environment_file,
    may_be_module,
    quoted,
)

# Room for what is written later: pids, times, the first lines of output.
SPARE_KIB = 192


def header(mark: str, boot_id: str, *, one_stream: bool) -> str:
    """Return what is sent first: the settings, then all functions."""
    settings = f"M={quoted(mark)}\nBOOT={quoted(boot_id)}\n"
    return f"{settings}ONE={'1' if one_stream else ''}\n{_text('remote.sh')}"


def command(word: str, *arguments: str | int) -> str:
    """Return one line that calls a function of the program."""
    return " ".join((word, *(quoted(str(argument)) for argument in arguments))) + "\n"


def make(spec: SandboxSpec, instance: str, directory: str) -> str:
    """Return the lines that make a run's directory with everything in it.

    Raises:
        SshServerRefused: A file holds a NUL byte, which no shell can write.
    """
    parts = {
        "keep": _text("keep.sh"),
        "launch": _text("launch.sh"),
        INTERPRETERS[spec.event_type][1]: spec.script,
        "environment": environment_file(spec.env),
        "helper.sh": sdk.environment("$CRONIUM_RUN_DIR"),
    }
    contents = {
        name: text.encode("utf-8", "surrogatepass") for name, text in parts.items()
    }
    contents.update(spec.documents)
    if may_be_module(spec.event_type, spec.script):
        contents[MODULE] = contents[INTERPRETERS[spec.event_type][1]]
        contents["check"] = MODULE_CHECK.encode()
    size = sum(len(data) // KIB + 4 for data in contents.values()) + SPARE_KIB
    lines = command("make", spec.run_key, size, instance, directory)
    lines += "".join(_put(name, data) for name, data in contents.items())
    return lines + command("made", _helper_version())


def give_helper() -> str:
    """Return the lines that bring the scripts' helper to a server that has it not."""
    lines = "".join(
        _put(f"helper/{name}", data) for name, data in sdk.carried().items()
    )
    return lines + command("helped", _helper_version())


def begin(spec: SandboxSpec, limit: int, directory: str) -> str:
    """Return the line that starts the script, if nobody did."""
    interpreter, script = INTERPRETERS[spec.event_type]
    return command("begin", spec.run_key, limit, interpreter, script, directory)


def _put(name: str, data: bytes) -> str:
    if b"\0" in data:
        raise SshServerRefused(f"{name} holds a NUL byte and cannot be sent")
    # Quoted, so the shell changes nothing in it; random, so no line of it ends it.
    end = f"end-{secrets.token_hex(16)}"
    text = data.decode("utf-8", "surrogateescape")
    return f"put {quoted(name)} <<'{end}'\n{text.removesuffix(chr(10))}\n{end}\n"


@cache
def _helper_version() -> str:
    digest = hashlib.sha256()
    for name, data in sorted(sdk.carried().items()):
        digest.update(f"{name} {len(data)} ".encode() + data)
    return digest.hexdigest()[:16]


@cache
def _text(name: str) -> str:
    lines = files(__package__).joinpath(name).read_text().splitlines()
    kept = [line.strip() for line in lines]
    return "".join(f"{line}\n" for line in kept if line and not line.startswith("#"))
