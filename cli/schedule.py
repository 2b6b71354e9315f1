"""`cronium schedule`: look at schedules, pause them, run them, and fill gaps."""

from pathlib import Path
from typing import Annotated

import typer

from cli import schedule_calls as calls
from cli.options import AsJson, Config, StateDir
from cli.temporal_call import with_client
from contracts.limits import MAX_RUNS
from contracts.schedules import Overlap

MOST_TIMES = 1_000

Id = Annotated[str, typer.Argument(metavar="ID", help="Id of the schedule.")]
Files = Annotated[
    list[Path], typer.Argument(metavar="FILE…", help="YAML with schedules.")
]
Wanted = Annotated[
    str, typer.Argument(metavar="ID|FILE", help="A schedule, or a file with one.")
]
Diff = Annotated[
    bool, typer.Option("--diff", help="Show what would change, and change nothing.")
]
Servers = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Inventory; default servers.yaml.")
]
Project = Annotated[
    str | None, typer.Option(metavar="NAME", help="Only those of this project.")
]
Note = Annotated[str, typer.Option(metavar="TEXT", help="Why; people see it.")]
Runs = Annotated[
    int | None,
    typer.Option(min=1, max=MAX_RUNS, help="How many runs may follow."),
]
OverlapOption = Annotated[
    Overlap | None, typer.Option(help="When one runs; default: as the schedule says.")
]
BackfillOverlap = Annotated[
    Overlap, typer.Option(help="buffer_all: one after the other.")
]
From = Annotated[
    str,
    typer.Option("--from", metavar="TIME", help="First time, in the schedule's zone."),
]
To = Annotated[
    str, typer.Option("--to", metavar="TIME", help="Last time, that one included.")
]
Count = Annotated[
    int, typer.Option("--count", "-n", min=1, max=MOST_TIMES, help="How many.")
]
After = Annotated[
    str | None, typer.Option(metavar="TIME", help="From then on; default now.")
]


def build() -> typer.Typer:
    """Return the group of commands."""
    group = typer.Typer(
        help="Schedules: what runs by itself, and when.",
        no_args_is_help=True,
        rich_markup_mode="rich",
    )
    for name, function in (
        ("apply", apply),
        ("list", list_),
        ("show", show),
        ("next", next_),
        ("pause", pause),
        ("resume", resume),
        ("trigger", trigger),
        ("backfill", backfill),
        ("delete", delete),
    ):
        group.command(name)(function)
    return group


def apply(
    files: Files,
    diff: Diff = False,
    servers: Servers = None,
    config: Config = None,
    state_dir: StateDir = None,
) -> int:
    """Create or change the schedules of some files; others stay as they are.

    Examples:

      cronium schedule apply nightly.yaml
    """
    from cli.schedule_file import read_schedules

    specs = [spec for file in files for spec in read_schedules(file, servers)]
    return with_client(calls.apply, config, state_dir, specs, diff)


def list_(
    project: Project = None,
    as_json: AsJson = False,
    config: Config = None,
    state_dir: StateDir = None,
) -> int:
    """List the schedules with their next and last runs.

    Examples:

      cronium schedule list --project backups
    """
    return with_client(calls.list_all, config, state_dir, project, as_json)


def show(
    id: Id,
    as_json: AsJson = False,
    config: Config = None,
    state_dir: StateDir = None,
) -> int:
    """Show a schedule: when and what, its state, last and next runs.

    Examples:

      cronium schedule show nightly-backup
    """
    return with_client(calls.show, config, state_dir, id, as_json)


def next_(
    wanted: Wanted,
    count: Count = 10,
    after: After = None,
    as_json: AsJson = False,
    config: Config = None,
    state_dir: StateDir = None,
) -> int:
    """Print the next times of a schedule, and those that clocks jump over.

    A file is read without any server.

    Examples:

      cronium schedule next nightly-backup -n 3

      cronium schedule next nightly.yaml --after 2027-03-27
    """
    file = Path(wanted)
    if file.suffix.lower() not in (".yaml", ".yml", ".json") and not file.exists():
        return with_client(
            calls.show_next, config, state_dir, wanted, count, after, as_json
        )
    from cli.schedule_file import read_times

    for spec in read_times(file):
        calls.print_next(spec, count, after, as_json)
    return 0


def pause(
    id: Id,
    note: Note = "paused by hand",
    config: Config = None,
    state_dir: StateDir = None,
) -> int:
    """Start no more runs; those under way go on.

    Examples:

      cronium schedule pause nightly-backup --note "disk is full"
    """
    return with_client(calls.pause, config, state_dir, id, note)


def resume(
    id: Id,
    note: Note = "resumed by hand",
    runs: Runs = None,
    config: Config = None,
    state_dir: StateDir = None,
) -> int:
    """Start runs again, from the next time on.

    Examples:

      cronium schedule resume nightly-backup

      cronium schedule resume trial --runs 3
    """
    return with_client(calls.resume, config, state_dir, id, note, runs)


def trigger(
    id: Id,
    overlap: OverlapOption = None,
    config: Config = None,
    state_dir: StateDir = None,
) -> int:
    """Run it now, once, even when it is paused; prints the execution id.

    Examples:

      cronium logs -f "$(cronium schedule trigger nightly-backup)"
    """
    return with_client(calls.trigger, config, state_dir, id, overlap)


def backfill(
    id: Id,
    start: From,
    end: To,
    overlap: BackfillOverlap = Overlap.BUFFER_ALL,
    config: Config = None,
    state_dir: StateDir = None,
) -> int:
    """Run it for all of its times in a span of the past.

    Examples:

      cronium schedule backfill daily-report --from 2026-11-01 --to 2026-11-07T23:59
    """
    return with_client(calls.backfill, config, state_dir, id, start, end, overlap)


def delete(id: Id, config: Config = None, state_dir: StateDir = None) -> int:
    """Delete a schedule; executions under way go on.

    Examples:

      cronium schedule delete nightly-backup
    """
    return with_client(calls.delete, config, state_dir, id)
