"""`cronium apply`: make the schedules on Temporal those that a directory declares."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from cli.errors import EXIT_FAILURE, lines_of, problem_at
from cli.options import Config, StateDir
from cli.temporal_call import with_client
from cli.terminal import answers, note, safe

if TYPE_CHECKING:
    from temporalio.client import Client

    from cli.declared import Declared
    from schedules.plan import Step
    from worker.settings import Settings

APPLIED_AT_ONCE = 10
STYLES = {
    "create": "green",
    "update": "yellow",
    "refresh": "yellow",
    "delete": "red",
    "unchanged": "dim",
}

Directory = Annotated[
    Path, typer.Argument(metavar="DIR", help="Directory with YAML files.")
]
Prune = Annotated[
    bool,
    typer.Option(help="Delete schedules of this project that the files lack."),
]
Diff = Annotated[
    bool, typer.Option("--diff", help="Show what would change, and change nothing.")
]
ProjectName = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Whose they are; default: see cronium.yaml."),
]
Servers = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Inventory; default: the directory's own."),
]


def apply(
    directory: Directory,
    prune: Prune = False,
    diff: Diff = False,
    project: ProjectName = None,
    servers: Servers = None,
    config: Config = None,
    state_dir: StateDir = None,
) -> int:
    """Apply a directory of events, workflows and schedules as a whole.

    Nothing is done when one file is wrong. Applied again, nothing changes. Ends with 1
    when Temporal refused some of it; the rest is applied then.

    Examples:

      cronium apply schedules/ --diff

      cronium apply schedules/ --prune
    """
    from cli.declared import read_directory

    declared = read_directory(directory, servers)
    name = _project(directory, project, declared.project, prune)
    return with_client(_apply, config, state_dir, declared, name, prune, diff)


def show_steps(steps: "Sequence[Step]", *, details: bool) -> None:
    """Print what a plan does, one line for each schedule, with or without diffs."""
    console = answers()
    for step in steps:
        line = Text(f"{step.act.value:<10}", STYLES[step.act.value])
        console.print(line.append(safe(step.id)))
        for change in step.diff() if details else ():
            style = {"+": "green", "-": "red"}.get(change[:1], "dim")
            console.print(Text("    ").append(safe(change, style)), soft_wrap=True)


async def carry_out(
    client: "Client", settings: "Settings", steps: "Sequence[Step]", project: str
) -> int:
    """Do the steps, a few at a time; return how many Temporal refused."""
    from temporalio.service import RPCError

    from contracts.errors import CroniumError
    from schedules.plan import perform
    from schedules.store import Schedules

    schedules = Schedules(client, settings.temporal.task_queue)
    limit = asyncio.Semaphore(APPLIED_AT_ONCE)

    async def do(step: "Step") -> str:
        async with limit:
            try:
                await perform(schedules, step, project)
            except CroniumError as error:
                return "; ".join(lines_of(error)).removeprefix("error: ")
            except RPCError as error:
                return f"Temporal: {error.message}"
        return ""

    failures = await asyncio.gather(*(do(step) for step in steps))
    for step, failure in zip(steps, failures, strict=True):
        if failure:
            note(f"error: {step.id}: {failure}")
    return sum(map(bool, failures))


async def _apply(
    client: "Client",
    settings: "Settings",
    declared: "Declared",
    project: str,
    prune: bool,
    diff: bool,
) -> int:
    from schedules.plan import Act, plan
    from schedules.store import Schedules

    schedules = Schedules(client, settings.temporal.task_queue)
    wanted = list(declared.schedules.values())
    steps = await plan(schedules, wanted, project, prune=prune)
    show_steps(steps, details=diff)
    failed = 0
    if not diff:
        failed = await carry_out(client, settings, steps, project)
    _sum_up(declared, project, sum(step.act is not Act.NONE for step in steps), diff)
    return EXIT_FAILURE if failed else 0


def _sum_up(declared: "Declared", project: str, changes: int, diff: bool) -> None:
    counts = {
        "schedule": len(declared.schedules),
        "event": len(declared.events),
        "workflow": len(declared.graphs),
        "server": declared.servers,
    }
    read = ", ".join(
        f"{count} {word}{'s' * (count != 1)}" for word, count in counts.items() if count
    )
    would = "would change" if diff else "changed"
    note(f"Project {project}: {read or 'nothing declared'}; {changes} {would}.")


def _project(
    directory: Path, option: str | None, written: str | None, prune: bool
) -> str:
    import re

    from cli.event_file import slug
    from contracts.names import ID_PATTERN

    if option is not None and not re.fullmatch(ID_PATTERN, option):
        raise problem_at("--project", "expected letters, digits, `.`, `_` and `-`")
    name = option or written
    if name is None and prune:
        # Two directories of one name would delete each other's schedules.
        raise problem_at(
            "--prune",
            "deletes what the project no longer has, but the project has no name",
            hint="Write `project: NAME` into cronium.yaml beside the files, or give "
            "--project NAME.",
        )
    return name or slug(directory.resolve().name)
