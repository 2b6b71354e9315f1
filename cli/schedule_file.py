"""A schedule as people write it, made into the contract's form.

Times may be written as `every: 7m`, `jitter: 30s` and `catchUp: 10m`, and the event may
be one of the same directory, by its id, or in a file beside this one.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from cli.errors import InvalidRequest
from cli.event_file import EVENT_FILE, EVENT_SUFFIXES, event_fields, slug
from cli.targets import resolve
from cli.yaml_document import Document, read_documents
from contracts.events import EventSpec
from contracts.graphs import GraphSpec
from contracts.limits import MAX_NAME_LENGTH, MAX_SCHEDULE_ID_LENGTH
from contracts.schedules import ScheduleSpec
from contracts.validation import Problem, problems_of

DURATIONS = {
    "every": ("every_seconds", "everySeconds"),
    "jitter": ("jitter_seconds", "jitterSeconds"),
    "catchUp": ("catch_up_seconds", "catchUpSeconds"),
    "catch_up": ("catch_up_seconds", "catchUpSeconds"),
}
NOTHING = {"type": "bash", "script": "true"}
Target = TypeVar("Target", EventSpec, GraphSpec)
Model = TypeVar("Model", bound=BaseModel)


def event_of(document: Document, servers: Path | None) -> EventSpec:
    """Return the event that a document is.

    Raises:
        InvalidRequest: With everything that is wrong.
    """
    return _event(document, document.data, "", document.file.stem, servers)


def graph_of(document: Document, servers: Path | None) -> GraphSpec:
    """Return the graph that a document is.

    Raises:
        InvalidRequest: With everything that is wrong.
    """
    return _graph(document, document.data, "", servers)


def schedule_of(
    document: Document,
    servers: Path | None,
    events: Mapping[str, EventSpec] | None = None,
    graphs: Mapping[str, GraphSpec] | None = None,
) -> ScheduleSpec:
    """Return the schedule that a document is.

    Args:
        document: What was read.
        servers: The inventory of the event's targets; None is `servers.yaml`, if it is
            there.
        events: The events of the same directory, by id.
        graphs: Its graphs, by id.

    Raises:
        InvalidRequest: With everything that is wrong.
    """
    given = dict(document.data)
    given.pop("kind", None)
    given.setdefault("id", slug(document.file.stem)[:MAX_SCHEDULE_ID_LENGTH])
    problems = _durations(document, given)
    stem = str(given["id"])
    try:
        _put_in_event(document, given, stem, servers, events or {})
    except InvalidRequest as error:
        problems += error.problems
    try:
        if isinstance(given.get("workflow"), str):
            given["workflow"] = _named(document, "workflow", given, graphs or {})
        elif isinstance(given.get("workflow"), dict):
            inner = {"id": stem, **given["workflow"]}
            given["workflow"] = _graph(document, inner, "workflow", servers)
    except InvalidRequest as error:
        problems += error.problems
    if problems:
        raise InvalidRequest(problems)
    return _valid(document, "", ScheduleSpec, given)


def read_schedules(file: Path, servers: Path | None) -> list[ScheduleSpec]:
    """Return the schedules of one file, which name no events of others by id.

    Raises:
        InvalidRequest: With everything that is wrong.
    """
    return [schedule_of(one, servers) for one in read_documents(file)]


def read_times(file: Path) -> list[ScheduleSpec]:
    """Return the schedules of a file for their times alone.

    What they run may be named and stand in other files: it does not matter here.

    Raises:
        InvalidRequest: With everything that is wrong with the rest.
    """
    targets = {"event", "workflow", *EVENT_FILE}
    found = []
    for document in read_documents(file):
        times = {k: v for k, v in document.data.items() if k not in targets}
        whole = replace(document, data={**times, "event": NOTHING})
        found.append(schedule_of(whole, None))
    return found


def _durations(document: Document, given: dict[str, Any]) -> list[Problem]:
    """Replace durations by numbers of seconds; return what is none."""
    from worker.units import parse_duration

    problems = []
    for word, (name, alias) in DURATIONS.items():
        if word not in given:
            continue
        if name in given or alias in given:
            message = f"give either `{word}` or `{alias}`"
            problems.append(document.problem(word, message))
            continue
        try:
            seconds = parse_duration(given.pop(word))
        except ValueError as error:
            problems.append(document.problem(word, str(error)))
            continue
        given[alias] = int(seconds) if seconds.is_integer() else seconds
    return problems


def _put_in_event(
    document: Document,
    given: dict[str, Any],
    stem: str,
    servers: Path | None,
    events: Mapping[str, EventSpec],
) -> None:
    name = next((word for word in EVENT_FILE if word in given), None)
    if name is not None:
        file = given.pop(name)
        if "event" in given:
            raise _wrong(document, name, "give either `event` or `eventFile`")
        given["event"] = _event_beside(document, name, file, servers)
    elif isinstance(given.get("event"), str):
        given["event"] = _named(document, "event", given, events)
    elif isinstance(given.get("event"), dict):
        given["event"] = _event(document, given["event"], "event", stem, servers)


def _event_beside(
    document: Document, field: str, name: Any, servers: Path | None
) -> EventSpec:
    if not isinstance(name, str) or not name:
        raise _wrong(document, field, "expected the name of a file")
    file = document.file.parent / name
    if file.suffix.lower() not in EVENT_SUFFIXES:
        raise _wrong(document, field, "expected an event in a .yaml or .json file")
    documents = read_documents(file)
    if len(documents) != 1:
        raise _wrong(document, field, "expected a file with one event")
    return event_of(documents[0], servers)


def _named(
    document: Document,
    field: str,
    given: Mapping[str, Any],
    known: Mapping[str, Target],
) -> Target:
    found = known.get(given[field])
    if found is None:
        names = ", ".join(sorted(known))
        message = f"no {field} of the directory has this id; known: {names}"
        if not known:
            message = (
                f"there is no {field} beside it that could be named: apply a directory "
                f"with it, or write the {field} here"
            )
        raise _wrong(document, field, message)
    return found


def _event(
    document: Document,
    data: dict[str, Any],
    path: str,
    stem: str,
    servers: Path | None,
) -> EventSpec:
    try:
        event = event_fields(data, document.file)
        event.pop("kind", None)
        resolve(event, (), servers)
    except InvalidRequest as error:
        raise InvalidRequest(
            [_placed(document, problem, path) for problem in error.problems]
        ) from None
    event.setdefault("id", slug(stem))
    event.setdefault("name", stem[:MAX_NAME_LENGTH])
    return _valid(document, path, EventSpec, event)


def _graph(
    document: Document, data: dict[str, Any], path: str, servers: Path | None
) -> GraphSpec:
    from cli.graph_file import graph_of_data

    whole = {name: value for name, value in data.items() if name != "kind"}
    try:
        return graph_of_data(whole, document.file, servers)
    except InvalidRequest as error:
        raise InvalidRequest(
            [
                document.problem(_joined(path, problem.path), problem.message)
                for problem in error.problems
            ]
        ) from None


def _placed(document: Document, problem: Problem, path: str) -> Problem:
    """Return a problem of an event, whose paths begin with `event`, with its line."""
    inner = problem.path
    for begin in ("event.", "event"):
        if inner.startswith(begin):
            inner = inner.removeprefix(begin)
            break
    else:
        return problem  # Of another file, the inventory's for one.
    return document.problem(_joined(path, inner), problem.message)


def _valid(
    document: Document, path: str, model: type[Model], data: dict[str, Any]
) -> Model:
    try:
        return model.model_validate({k: v for k, v in data.items() if k != "kind"})
    except ValidationError as error:
        raise InvalidRequest(
            [
                document.problem(_joined(path, problem.path), problem.message)
                for problem in problems_of(error, model)
            ]
        ) from None


def _joined(path: str, inner: str) -> str:
    return f"{path}.{inner}" if path and inner else path or inner


def _wrong(document: Document, path: str, message: str) -> InvalidRequest:
    return InvalidRequest([document.problem(path, message)])
