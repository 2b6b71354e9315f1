"""The text that is sent to servers, and the commands that are given to it."""

import hashlib
import json
from functools import cache
from importlib.resources import files

import sdk
from contracts.events import EventType
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
    contents = {
        INTERPRETERS[spec.event_type][1]: _encoded(spec.script),
        "environment": _encoded(environment_file(spec.env)),
        **spec.documents,
    }
    if may_be_module(spec.event_type, spec.script):
        contents[MODULE] = contents[INTERPRETERS[spec.event_type][1]]
        contents["check"] = MODULE_CHECK.encode()
    labels = json.dumps(spec.labels)
    size = sum(len(data) // KIB + 4 for data in contents.values()) + SPARE_KIB
    size += len(labels) // KIB
    lines = command("make", spec.run_key, size, instance, directory, labels)
    lines += "".join(_put(name, data) for name, data in contents.items())
    return lines + command("made", helper_version(), _modules(spec))


def give_helper(spec: SandboxSpec) -> str:
    """Return the lines that bring the helper to a server that has it not."""
    lines = "".join(_put(f"helper/{name}", data) for name, data in _kept().items())
    return lines + command("helped", helper_version(), _modules(spec))


def begin(spec: SandboxSpec, limit: int, directory: str, *, channel: bool) -> str:
    """Return the line that starts the script, if nobody did.

    Args:
        spec: What to start.
        limit: Bytes of output after which it is stopped.
        directory: Where it starts; "" is the home directory.
        channel: Whether it may expect a way back to the worker.
    """
    interpreter, script = INTERPRETERS[spec.event_type]
    return command(
        "begin",
        spec.run_key,
        limit,
        interpreter,
        script,
        directory,
        helper_version(),
        "1" if channel else "",
    )


def _modules(spec: SandboxSpec) -> str:
    return "1" if spec.event_type is EventType.NODEJS else ""


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _put(name: str, data: bytes) -> str:
    if b"\0" in data:
        raise SshServerRefused(f"{name} holds a NUL byte and cannot be sent")
    return command("put", name, data.decode("utf-8", "surrogateescape"))


@cache
def _kept() -> dict[str, bytes]:
    """Everything that a server keeps for later runs, by name."""
    return {
        **sdk.carried(),
        "keep": _text("keep.sh").encode(),
        # The second argument of whoever reads it: a variable might be the user's.
        "helper.sh": sdk.environment("$2").encode(),
    }


@cache
def helper_version() -> str:
    """Return what tells our helper from one that another version left there."""
    digest = hashlib.sha256()
    for name, data in sorted(_kept().items()):
        digest.update(f"{name} {len(data)} ".encode() + data)
    return digest.hexdigest()[:16]


@cache
def _text(name: str) -> str:
    lines = files(__package__).joinpath(name).read_text().splitlines()
    kept = [line.strip() for line in lines]
    return "".join(f"{line}\n" for line in kept if line and not line.startswith("#"))
