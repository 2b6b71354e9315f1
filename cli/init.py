"""`cronium init`: write a commented event to begin with."""

import os
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from cli.errors import problem_at
from cli.terminal import note
from contracts.events import EventType

STARTERS = Path(__file__).parent / "starters"
TYPES = {
    EventType.BASH: "a Bash script",
    EventType.PYTHON: "a Python script",
    EventType.NODEJS: "a Node.js script",
    EventType.HTTP_REQUEST: "an HTTP request",
}
KNOWN = ", ".join(TYPES)

Type = Annotated[str | None, typer.Argument(metavar="TYPE", help=f"{KNOWN}.")]
File = Annotated[
    Path | None,
    typer.Argument(metavar="FILE", help="Where to write it; default TYPE-event.yaml."),
]
Force = Annotated[bool, typer.Option("--force", help="Replace a file that is there.")]


def init(type: Type = None, file: File = None, force: Force = False) -> int:
    """Write a small event with comments, ready for `cronium run`.

    Without a type it asks for one on a terminal.

    Examples:

      cronium init bash && cronium run bash-event.yaml

      cronium init python report.yaml

      cronium init http_request check.yaml     (put your own URL into it)
    """
    kind = _kind(type if type is not None else _ask())
    file = file or Path(f"{kind.value.replace('_', '-')}-event.yaml")
    command = f"cronium run {shlex.quote(str(file))}"
    text = (STARTERS / f"{kind.value}.yaml").read_text()
    _write(file, text.replace("cronium run FILE", command), force)
    note(f"wrote {file}: {TYPES[kind]}")
    if kind is EventType.HTTP_REQUEST:
        note(f"next: put your own address into `url`; then: {command}")
    else:
        note(f"next: {command}")
    return 0


def _ask() -> str:
    """Return the type that the person in front wants."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise problem_at("TYPE", f"required; one of {KNOWN}", hint="cronium init bash")
    for kind, words in TYPES.items():
        note(f"  {kind.value:14}{words}")
    answer: str = typer.prompt("Type", default=EventType.BASH.value, err=True)
    return answer


def _kind(text: str) -> EventType:
    try:
        return EventType(text.strip().lower())
    except ValueError:
        raise problem_at("TYPE", f"{text!r} is none of {KNOWN}") from None


def _write(file: Path, text: str, force: bool) -> None:
    if file.suffix.lower() not in (".yaml", ".yml"):
        raise problem_at("FILE", f"{file} must end with .yaml or .yml")
    flags = os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if force else os.O_EXCL)
    try:
        with open(os.open(file, flags, 0o666), "w") as stream:
            stream.write(text)
    except FileExistsError:
        raise problem_at(
            "FILE",
            f"{file} is there already, and was left as it is",
            hint="Name another file, or replace it with --force.",
        ) from None
    except OSError as error:
        raise problem_at("FILE", f"cannot write {file}: {error.strerror}") from None
