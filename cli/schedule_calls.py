"""What `cronium schedule` does with a Temporal client."""

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from cli.errors import EXIT_FAILURE, problem_at
from cli.terminal import note
from contracts.schedules import Overlap

if TYPE_CHECKING:
    from temporalio.client import Client

    from contracts.schedules import ScheduleSpec
    from worker.settings import Settings


async def apply(
    client: "Client", settings: "Settings", specs: "list[ScheduleSpec]", diff: bool
) -> int:
    """Create or change schedules, or show what would change."""
    from cli.apply import carry_out, show_steps
    from schedules import Schedules
    from schedules.plan import plan

    schedules = Schedules(client, settings.temporal.task_queue)
    steps = await plan(schedules, specs, None)
    show_steps(steps, details=diff)
    if diff:
        return 0
    return EXIT_FAILURE if await carry_out(client, settings, steps, "") else 0


async def list_all(
    client: "Client", settings: "Settings", project: str | None, as_json: bool
) -> int:
    """Print the schedules of a project, or all."""
    from cli.schedule_view import as_data, print_list
    from schedules import Schedules

    found = await Schedules(client, settings.temporal.task_queue).all(project)
    if as_json:
        _print_json([as_data(known) for known in found])
    elif found:
        print_list(found)
    else:
        note("No schedules.")
    return 0


async def show(client: "Client", settings: "Settings", id: str, as_json: bool) -> int:
    """Print one schedule."""
    from cli.schedule_view import as_data, print_one
    from schedules import Schedules

    known = await Schedules(client, settings.temporal.task_queue).find(id)
    if as_json:
        _print_json(as_data(known, whole=True))
    else:
        print_one(known)
    return 0


async def show_next(
    client: "Client",
    settings: "Settings",
    id: str,
    count: int,
    after: str | None,
    as_json: bool,
) -> int:
    """Print the next times of a schedule that Temporal has."""
    print_next(await _spec(client, settings, id), count, after, as_json)
    return 0


async def pause(client: "Client", settings: "Settings", id: str, why: str) -> int:
    """Pause a schedule."""
    from schedules import Schedules

    await Schedules(client, settings.temporal.task_queue).pause(id, why)
    note(f"{id} is paused")
    return 0


async def resume(
    client: "Client", settings: "Settings", id: str, why: str, runs: int | None
) -> int:
    """Resume a schedule."""
    from schedules import Schedules

    await Schedules(client, settings.temporal.task_queue).resume(id, why, runs)
    note(f"{id} goes on")
    return 0


async def trigger(
    client: "Client", settings: "Settings", id: str, overlap: Overlap | None
) -> int:
    """Run a schedule now; print the execution's id."""
    from schedules import Schedules

    done = await Schedules(client, settings.temporal.task_queue).trigger(id, overlap)
    if done.execution_id is not None:
        print(done.execution_id)
        return 0
    if done.skipped:
        note("skipped: a run is under way (--overlap allow_all runs it beside that)")
        return EXIT_FAILURE
    note("asked for; it begins when the run that is under way is over")
    return 0


async def backfill(
    client: "Client",
    settings: "Settings",
    id: str,
    start: str,
    end: str,
    overlap: Overlap,
) -> int:
    """Run a schedule for a span of the past."""
    from schedules import Schedules

    spec = await _spec(client, settings, id)
    first, last = _instant(start, spec, "--from"), _instant(end, spec, "--to")
    if last < first:
        raise problem_at("--to", "before --from")
    schedules = Schedules(client, settings.temporal.task_queue)
    count = await schedules.backfill(id, first, last, overlap)
    note(f"{id}: {count} run{'s' * (count != 1)} asked for")
    return 0


async def delete(client: "Client", settings: "Settings", id: str) -> int:
    """Delete a schedule."""
    from schedules import Schedules

    await Schedules(client, settings.temporal.task_queue).delete(id)
    note(f"{id} is deleted")
    return 0


async def _spec(client: "Client", settings: "Settings", id: str) -> "ScheduleSpec":
    from contracts.schedule_errors import ScheduleRefused
    from schedules import Schedules

    known = await Schedules(client, settings.temporal.task_queue).find(id)
    if known.spec is None:
        raise ScheduleRefused(
            f"schedule {id} was made by another version",
            hint="Apply its file again.",
        )
    return known.spec


def print_next(
    spec: "ScheduleSpec", count: int, after: str | None, as_json: bool
) -> None:
    """Print the next times of a schedule."""
    from cli.schedule_view import print_moments
    from schedules.times import moments

    since = _instant(after, spec, "--after") if after else datetime.now(UTC)
    found = moments(spec, since, count)
    if as_json:
        _print_json(
            [
                {
                    "at": m.at.isoformat(),
                    "shown": m.shown,
                    "runs": m.runs,
                    "note": m.note,
                }
                for m in found
            ]
        )
    elif found:
        print_moments(spec, found)
    else:
        note(f"{spec.id} does not run any more.")


def _instant(text: str, spec: "ScheduleSpec", option: str) -> datetime:
    try:
        value = datetime.fromisoformat(text)
    except ValueError:
        raise problem_at(
            option, "expected a time such as 2026-11-01 or 2026-11-01T02:30+01:00"
        ) from None
    aware = value if value.tzinfo else value.replace(tzinfo=spec.zone)
    return aware.astimezone(UTC)


def _print_json(value: Any) -> None:
    print(json.dumps(value, ensure_ascii=False, indent=2))
