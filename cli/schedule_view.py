"""How schedules are shown to people, and as data."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from rich.text import Text

from cli.terminal import answers, facts, safe, table
from contracts import names
from schedules.times import Moment, moments, show

if TYPE_CHECKING:
    from contracts.schedules import ScheduleSpec
    from schedules.store import Known

SHOWN_TIMES = 5
SHOWN_RUNS = 5
UNITS = ((604_800, "week"), (86_400, "day"), (3_600, "hour"), (60, "minute"))


def print_list(found: "Sequence[Known]") -> None:
    """Print one line for each schedule."""
    shown = table(
        ("Schedule", "When", "Runs", "State", "Next", "Last"),
        fold=("When", "State"),
        cut=("Runs",),
    )
    for known in found:
        info = known.described.info
        following = [] if known.state.paused else info.next_action_times
        recent = info.recent_actions
        shown.add_row(
            safe(known.id),
            safe(when(known.spec) if known.spec else "?"),
            safe(known.spec.target.id if known.spec else "?"),
            safe(state(known)),
            _time(following[0], _zone(known)) if following else "–",
            _time(recent[-1].started_at, _zone(known)) if recent else "–",
        )
    answers().print(shown)


def print_one(known: "Known") -> None:
    """Print all that is known of a schedule."""
    info, zone = known.described.info, _zone(known)
    rows: list[tuple[str, Text]] = [("Schedule", safe(known.id))]
    if known.spec is not None:
        rows += _words(known.spec)
    rows.append(("Project", safe(known.project or "–")))
    rows.append(("State", safe(state(known))))
    if known.state.note and known.state.paused:
        rows.append(("Note", safe(known.state.note)))
    rows.append(("Runs", Text(_counts(known))))
    for run in list(info.recent_actions)[-SHOWN_RUNS:]:
        rows.append(("Last", safe(_run(run, zone))))
    if known.spec is not None and not known.state.paused and not known.spent:
        since = datetime.now(zone)
        for moment in moments(known.spec, since, SHOWN_TIMES):
            rows.append(("Next", safe(_line(moment))))
    answers().print(facts(rows))


def print_moments(spec: "ScheduleSpec", found: Sequence[Moment]) -> None:
    """Print times, with notes where clocks change."""
    for moment in found:
        answers().print(safe(_line(moment)), soft_wrap=True)
    if spec.jitter_seconds:
        answers().print(f"each up to {_span(spec.jitter_seconds)} later (jitter)")


def as_data(known: "Known", *, whole: bool = False) -> dict[str, Any]:
    """Return a schedule for `--json`."""
    info = known.described.info
    data: dict[str, Any] = {
        "id": known.id,
        "project": known.project or None,
        "paused": known.state.paused,
        "note": known.state.note,
        "remainingRuns": (
            known.state.remaining_actions if known.state.limited_actions else None
        ),
        "started": info.num_actions,
        "skipped": info.num_actions_skipped_overlap,
        "missed": info.num_actions_missed_catchup_window,
        "next": [at.isoformat() for at in info.next_action_times],
        "recent": [_run_data(run) for run in info.recent_actions],
    }
    if whole and known.spec is not None:
        data["schedule"] = known.spec.model_dump(mode="json", exclude_defaults=True)
    return data


def when(spec: "ScheduleSpec") -> str:
    """Return in words when a schedule runs."""
    if spec.every_seconds is not None:
        span = _span(spec.every_seconds)
        return f"every {span.removeprefix('1 ')}"
    return f"{'; '.join(spec.cron)} ({spec.timezone})"


def state(known: "Known") -> str:
    """Return in words whether a schedule runs."""
    if known.spent:
        return "done"
    if known.state.paused:
        return "paused"
    if known.state.limited_actions:
        return f"active, {known.state.remaining_actions} left"
    return "active" if known.described.info.next_action_times else "over"


def _words(spec: "ScheduleSpec") -> list[tuple[str, Text]]:
    rows = []
    if spec.description:
        rows.append(("", safe(spec.description)))
    kind = "Event" if spec.event is not None else "Workflow"
    rows.append((kind, safe(f"{spec.target.id} ({spec.target.name})")))
    rows.append(("When", safe(when(spec))))
    if spec.start is not None:
        rows.append(("Starts", safe(show(spec.start, spec.zone))))
    if spec.end is not None:
        rows.append(("Ends", safe(show(spec.end, spec.zone))))
    rules = [f"overlap {spec.overlap}", f"catch-up {_span(spec.catch_up_seconds)}"]
    if spec.jitter_seconds:
        rules.append(f"jitter {_span(spec.jitter_seconds)}")
    if spec.pause_on_failure:
        rules.append("pauses on failure")
    if spec.max_runs is not None:
        rules.append(f"at most {spec.max_runs} runs")
    return [*rows, ("Rules", safe(", ".join(rules)))]


def _counts(known: "Known") -> str:
    info = known.described.info
    text = f"{info.num_actions} started"
    if info.num_actions_skipped_overlap:
        text += f", {info.num_actions_skipped_overlap} skipped (overlap)"
    if info.num_actions_missed_catchup_window:
        text += f", {info.num_actions_missed_catchup_window} missed (catch-up window)"
    return text


def _line(moment: Moment) -> str:
    note = f"  {moment.note}" if moment.note else ""
    return f"{moment.shown}{note}" if moment.runs else f"({moment.shown}{note})"


def _run(run: Any, zone: ZoneInfo) -> str:
    execution = _run_data(run)["executionId"] or ""
    return f"{show(run.started_at.replace(microsecond=0), zone)}  {execution}"


def _run_data(run: Any) -> dict[str, Any]:
    workflow = getattr(run.action, "workflow_id", "")
    first_run = getattr(run.action, "first_execution_run_id", "")
    return {
        "scheduledFor": names.moment_of(workflow),
        "startedAt": run.started_at.isoformat(),
        "executionId": names.execution_of(workflow, first_run),
        "workflowId": workflow,
    }


def _zone(known: "Known") -> ZoneInfo:
    return known.spec.zone if known.spec is not None else ZoneInfo("UTC")


def _time(at: datetime, zone: ZoneInfo) -> str:
    return show(at.replace(microsecond=0), zone)


def _span(seconds: int) -> str:
    for length, unit in UNITS:
        if seconds % length == 0:
            count = seconds // length
            return f"{count} {unit}{'s' * (count != 1)}"
    return f"{seconds} second{'s' * (seconds != 1)}"
