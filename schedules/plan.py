"""What applying schedules would do: compared with what Temporal has, said as a diff."""

import asyncio
import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import yaml

from contracts.schedule_errors import ScheduleForeign, ScheduleNotFound
from contracts.schedules import ScheduleSpec
from schedules.store import AT_ONCE, Known, Schedules

MASK = "***"
# Of a server's credentials: a name of a secret is none itself.
SECRET_FIELDS = frozenset({"value"})


class Act(StrEnum):
    """What is done with one schedule."""

    CREATE = "create"
    UPDATE = "update"
    REFRESH = "refresh"
    """The same words, but Temporal has other times or policies."""
    DELETE = "delete"
    NONE = "unchanged"


@dataclass(frozen=True)
class Step:
    """One schedule of a plan."""

    act: Act
    id: str
    before: ScheduleSpec | None = None
    after: ScheduleSpec | None = None

    def diff(self) -> list[str]:
        """Return the change as lines of a unified diff, without values of secrets."""
        return [
            line.rstrip("\n")
            for line in difflib.unified_diff(
                _lines(self.before), _lines(self.after), "before", "after", n=3
            )
        ][2:]


async def plan(
    schedules: Schedules,
    wanted: Sequence[ScheduleSpec],
    project: str | None,
    *,
    prune: bool = False,
) -> list[Step]:
    """Return what has to be done, in order of the ids.

    Args:
        schedules: Where.
        wanted: What shall be there.
        project: Whose they are; None takes each as whose it is.
        prune: Whether schedules of the project that are not wanted are deleted.

    Raises:
        ScheduleForeign: One that is wanted belongs to another project.
    """
    limit = asyncio.Semaphore(AT_ONCE)

    async def look(spec: ScheduleSpec) -> Step:
        async with limit:
            return await _step(schedules, spec, project)

    steps = list(await asyncio.gather(*(look(spec) for spec in wanted)))
    if prune and project:
        ids = {spec.id for spec in wanted}
        steps += [
            Step(Act.DELETE, known.id, before=known.spec)
            for known in await schedules.all(project)
            if known.id not in ids
        ]
    return sorted(steps, key=lambda step: step.id)


async def perform(schedules: Schedules, step: Step, project: str) -> None:
    """Do one step."""
    if step.act is Act.DELETE:
        await schedules.delete(step.id)
    elif step.after is not None and step.act is Act.CREATE:
        await schedules.create(step.after, project)
    elif step.after is not None and step.act is not Act.NONE:
        await schedules.update(step.after)


async def _step(schedules: Schedules, spec: ScheduleSpec, project: str | None) -> Step:
    try:
        known = await schedules.find(spec.id)
    except ScheduleNotFound:
        return Step(Act.CREATE, spec.id, after=spec)
    if project is not None and known.project != project:
        owner = f"project {known.project}" if known.project else "no project"
        raise ScheduleForeign(f"schedule {spec.id} belongs to {owner}")
    return Step(_act(schedules, known, spec), spec.id, known.spec, spec)


def _act(schedules: Schedules, known: Known, spec: ScheduleSpec) -> Act:
    same = known.spec is not None and _words(known.spec) == _words(spec)
    if not same or spec.paused not in (None, known.state.paused):
        return Act.UPDATE
    return Act.REFRESH if schedules.drifted(known, spec) else Act.NONE


def _words(spec: ScheduleSpec) -> dict[str, Any]:
    return spec.model_dump(mode="json", exclude={"paused"})


def _lines(spec: ScheduleSpec | None) -> list[str]:
    if spec is None:
        return []
    shown = spec.model_dump(mode="json", exclude_defaults=True)
    text = yaml.safe_dump(_masked(shown), sort_keys=False, allow_unicode=True)
    return text.splitlines(keepends=True)


def _masked(value: Any, inside: Iterable[str] = ()) -> Any:
    """Return a value without what may be a secret in a server's credentials."""
    path = tuple(inside)
    if isinstance(value, dict):
        return {key: _masked(item, (*path, str(key))) for key, item in value.items()}
    if isinstance(value, list):
        return [_masked(item, path) for item in value]
    if "credentials" in path and path[-1] in SECRET_FIELDS:
        return MASK
    return value
