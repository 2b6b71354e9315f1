"""When events and workflows run by themselves: files of `schedules/`."""

import re
from datetime import UTC, datetime
from typing import Any

from contracts import limits
from contracts.cron import parse_cron
from migration.context import Context, Document
from migration.notes import Subject
from migration.rows import Row
from migration.words import CatchUp, Overlap, State, Trigger, Unit

OVERLAPS = {
    Overlap.ALLOW: "allow_all",
    Overlap.SKIP: "skip",
    Overlap.QUEUE: "buffer_one",
    Overlap.CANCEL_PREVIOUS: "cancel_other",
}
DAY = 86_400
# The app's job priorities, 0 (low) to 3 (critical); ours are 1 (first) to 5.
PRIORITIES = {0: 4, 1: 3, 2: 2, 3: 1}


def convert_schedule(
    context: Context, row: Row, kind: str, target: str, subject: Subject, hold: bool
) -> None:
    """Add the schedule of an event or a workflow, when it has one.

    Args:
        context: The migration.
        row: The event or the workflow.
        kind: `event` or `workflow`: the field that names what runs.
        target: Its id here.
        subject: Where notes go.
        hold: Whether it is paused because something must be done before.
    """
    if row.choice("triggerType", Trigger, Trigger.MANUAL) is not Trigger.SCHEDULE:
        return
    state = row.choice("status", State, State.DRAFT)
    if state is State.ARCHIVED:
        subject.left_out("its schedule: it is archived")
        return
    times = _times(context, row, subject)
    if times is None:
        return
    name = context.schedule_names.new(target, kind)
    document: Document = {"id": name, **times, **_rules(row, subject)}
    paused = context.options.paused or hold or state is not State.ACTIVE
    document |= _runs(row, subject)
    document["paused"] = paused or document.get("paused", False)
    if paused and state is State.ACTIVE:
        subject.do(f"`cronium schedule resume {name}` when it may run")
    document["user"] = context.user_of(row)
    document[kind] = target
    context.files[f"schedules/{name}.yaml"] = document


def _times(context: Context, row: Row, subject: Subject) -> dict[str, Any] | None:
    zone = row.text("timezone") or context.options.timezone
    if not row.text("timezone"):
        subject.changed(
            f"the app knew no time zone and took its server's: it is {zone} now "
            "(`cronium migrate --timezone` says another one)"
        )
    times: dict[str, Any] = {}
    if row.text("customSchedule").strip():
        cron = _cron(row.text("customSchedule"), subject)
        if cron is None:
            return None
        times |= {"cron": cron, "timezone": zone}
    else:
        number = row.number("scheduleNumber", 1, least=1)
        unit = row.choice("scheduleUnit", Unit, Unit.MINUTES)
        times |= _interval(number, unit, zone, subject)
    start = _instant(row, "startTime")
    if start is not None:
        times["startAt"] = start
        if "cron" in times:
            subject.changed("no run at startTime itself: the first one is after it")
    return times


def _cron(text: str, subject: Subject) -> str | None:
    fields = text.split()
    if len(fields) == 6 and fields[0] in ("0", "00"):
        fields = fields[1:]
        subject.changed("cron without its first field, the seconds, which was 0")
    cron = " ".join(fields)
    try:
        parse_cron(cron)
    except ValueError as error:
        subject.left_out(f"its schedule: the cron expression is refused: {error}")
        return None
    return cron


def _interval(number: int, unit: Unit, zone: str, subject: Subject) -> dict[str, Any]:
    if unit is Unit.DAYS and number == 1:
        return {"cron": "0 0 * * *", "timezone": zone}
    seconds = number * unit.seconds
    if seconds > limits.MAX_EVERY_SECONDS:
        subject.changed(f"every {limits.MAX_EVERY_SECONDS} s, which is the most")
        return {"every": f"{limits.MAX_EVERY_SECONDS}s", "timezone": zone}
    if unit is Unit.SECONDS and number not in (15, 30):
        subject.changed(f"really every {number} s: the app ran it once a minute")
    elif (unit is Unit.MINUTES and 60 % number) or (unit is Unit.HOURS and 24 % number):
        subject.changed(
            f"really every {number} {unit.lower()}: the app began anew with each "
            f"{'hour' if unit is Unit.MINUTES else 'day'}"
        )
    elif unit is Unit.DAYS:
        subject.changed(
            f"every {number} days from 1970-01-01T00:00Z or `startAt` on: the app went "
            "by the day of the week"
        )
    return {"every": f"{number}{unit.letter}", "timezone": zone}


def _rules(row: Row, subject: Subject) -> dict[str, Any]:
    rules: dict[str, Any] = {}
    if row.data.get("overlapPolicy") is None:
        rules["overlap"] = "skip"
    else:
        overlap = row.choice("overlapPolicy", Overlap, Overlap.SKIP)
        rules["overlap"] = OVERLAPS[overlap]
    policy = row.choice("catchupPolicy", CatchUp, CatchUp.SKIP)
    if row.data.get("catchupPolicy") is not None:
        grace = row.number("misfireGraceS", 60)
        seconds = DAY if policy is not CatchUp.SKIP else grace
        seconds = max(limits.MIN_CATCH_UP_SECONDS, seconds)
        seconds = min(limits.MAX_CATCH_UP_SECONDS, seconds)
        rules["catchUp"] = f"{seconds}s"
        if policy is not CatchUp.SKIP:
            subject.changed(
                f"catch-up {policy}: runs missed in the last day are made up for, by "
                "the rule of `overlap`"
            )
    priority = row.number("priority", 1)
    if row.data.get("priority") is not None and priority in PRIORITIES:
        rules["priority"] = PRIORITIES[priority]
    return rules


def _runs(row: Row, subject: Subject) -> dict[str, Any]:
    most, done = row.number("maxExecutions", 0), row.number("executionCount", 0)
    if not most:
        return {}
    if done >= most:
        subject.changed(f"paused: all of its {most} runs were made in the app")
        return {"maxRuns": min(most, limits.MAX_RUNS), "paused": True}
    if done:
        subject.changed(f"{done} of {most} runs were made in the app: the rest remains")
    return {"maxRuns": min(most - done, limits.MAX_RUNS)}


def _instant(row: Row, field: str) -> str | None:
    """Return a time in UTC; the database keeps them without a zone, in UTC."""
    text = row.text(field).strip()
    if not text:
        return None
    try:
        value = datetime.fromisoformat(re.sub(r"Z$", "+00:00", text))
    except ValueError:
        row.wrong(field, "expected a time such as 2026-01-31T06:00:00Z")
        return None
    value = value if value.tzinfo else value.replace(tzinfo=UTC)
    return value.astimezone(UTC).replace(microsecond=0).isoformat()
