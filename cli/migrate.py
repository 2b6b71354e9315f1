"""`cronium migrate`: from an export of Cronium's app to files that `apply` takes."""

import tempfile
from pathlib import Path
from typing import Annotated
from zoneinfo import available_timezones

import typer

from cli.errors import InvalidRequest, problem_at
from cli.event_file import read_text
from cli.migrate_files import Written, write_files
from cli.terminal import note
from contracts.limits import MIB
from contracts.validation import Problem
from migration.context import Options
from migration.convert import REPORT, Migration
from migration.convert import migrate as convert
from migration.export import ExportInvalid
from migration.notes import Sort

MAX_EXPORT_BYTES = 64 * MIB

Source = Annotated[
    Path, typer.Argument(metavar="EXPORT.json", help="The app's tables, as JSON.")
]
Out = Annotated[Path, typer.Option("--out", help="Where to write; it is made.")]
Force = Annotated[
    bool, typer.Option("--force", help="Replace files that were edited since.")
]
Zone = Annotated[
    str,
    typer.Option("--timezone", help="Of schedules that name none: the app's server's."),
]
Paused = Annotated[
    bool, typer.Option("--paused", help="Write every schedule paused, for a cut-over.")
]
User = Annotated[
    str,
    typer.Option("--user", help="Whose they are, when the export has one user only."),
]


def migrate(
    source: Source,
    out: Out = Path("migrated"),
    timezone: Zone = "UTC",
    paused: Paused = False,
    user: User = "local",
    force: Force = False,
) -> int:
    """Write events, workflows, schedules and servers of Cronium's app as files.

    MIGRATION.md says what changed and why, what is left to do, and which secrets to
    provide. No file has a credential in it. Nothing is started: `cronium apply` does.

    Examples:

      cronium migrate export.json

      cronium migrate export.json --out jobs --timezone Europe/Berlin --paused

      cronium apply jobs --diff
    """
    if timezone not in available_timezones():
        raise problem_at("--timezone", "expected an IANA name such as Europe/Berlin")
    text = read_text(source, "EXPORT.json", MAX_EXPORT_BYTES)
    try:
        migration = convert(text, Options(timezone, paused, user))
    except ExportInvalid as error:
        raise InvalidRequest(
            [_placed(source, problem) for problem in error.problems], hint=error.hint
        ) from None
    _try_out(migration)
    _tell(out, write_files(out, migration.texts(), force), migration)
    return 0


def _placed(source: Path, problem: Problem) -> Problem:
    path = f"{source}: {problem.path}" if problem.path else str(source)
    return Problem(path=path, message=problem.message)


def _try_out(migration: Migration) -> None:
    """Read everything as `cronium apply` would; take back what it refuses."""
    from cli.declared import read_directory

    while documents := migration.documents:
        with tempfile.TemporaryDirectory() as name:
            directory = Path(name).resolve()
            for path, text in documents.items():
                (directory / path).parent.mkdir(exist_ok=True)
                (directory / path).write_text(text)
            try:
                read_directory(directory)
            except InvalidRequest as error:
                refused = _refused(error, directory, documents)
                for path, reason in refused.items():
                    migration.reject(path, reason)
                continue
        return


def _refused(
    error: InvalidRequest, directory: Path, documents: dict[str, str]
) -> dict[str, str]:
    """Return the files that problems are about, with what is wrong."""
    found: dict[str, str] = {}
    for problem in error.problems:
        for path in documents:
            if problem.path.startswith((f"{directory / path}:", f"{directory / path}")):
                rest = problem.path.removeprefix(str(directory / path))
                message = problem.message.replace(f"{directory}/", "")
                found.setdefault(path, f"refused here: {rest.lstrip(':')} {message}")
    if not found:
        raise error
    return found


def _tell(out: Path, written: Written, migration: Migration) -> None:
    for word in ("new", "changed", "removed"):
        if paths := getattr(written, word):
            note(f"{word}: {len(paths)} files in {out}")
    if written.same and not (written.new or written.changed or written.removed):
        note(f"nothing changed: {len(written.same)} files in {out} are up to date")
    for path in written.kept:
        note(f"kept, though it is not in the export any more: {out / path} was edited")
    notes = migration.context.notes
    left_out, to_do = len(notes.of(Sort.LEFT_OUT)), len(notes.of(Sort.DO))
    secrets = len(migration.context.vault.needed)
    note(f"{secrets} secrets to provide, {to_do} things to do, {left_out} left out")
    note(f"next: read {out / REPORT}; then: cronium apply {out} --diff")
