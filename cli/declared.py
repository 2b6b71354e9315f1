"""What a directory of YAML declares: events, graphs, servers, and schedules of them.

Everything is read and checked before anything is done, and all problems of all files
are told at once.
"""

import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from pydantic import Field, ValidationError

from cli.errors import InvalidRequest, problem_at
from cli.event_file import slug
from cli.inventory import read_inventory
from cli.schedule_file import event_of, graph_of, schedule_of
from cli.yaml_document import Document, read_documents
from contracts.base import WireModel
from contracts.events import EventSpec, EventType
from contracts.graphs import GraphSpec
from contracts.identity import Identifier
from contracts.schedules import ScheduleSpec
from contracts.validation import Problem, problems_of

PROJECT_FILE = "cronium.yaml"
SUFFIXES = frozenset({".yaml", ".yml"})
# By these words a document without `kind` is known; the first that fits counts.
TOLD_BY = {
    "servers": {"servers"},
    "schedule": {"cron", "every", "everySeconds", "every_seconds"},
    "workflow": {"nodes"},
    "event": {"script", "scriptFile", "script_file", "http", "type"},
}
EVENT = EventSpec(id="wrong", name="wrong", type=EventType.BASH, script="true")
GRAPH = GraphSpec.model_validate(
    {"id": "wrong", "name": "wrong", "nodes": {"one": {"event": EVENT}}}
)
Spec = TypeVar("Spec", EventSpec, GraphSpec, ScheduleSpec)


class Project(WireModel):
    """The file `cronium.yaml`: whose a directory's schedules are."""

    project: Identifier = Field(max_length=64)


@dataclass
class Declared:
    """What a directory has, by id."""

    project: str | None = None
    """What `cronium.yaml` says; None when there is no such file."""
    events: dict[str, EventSpec] = field(default_factory=dict)
    graphs: dict[str, GraphSpec] = field(default_factory=dict)
    schedules: dict[str, ScheduleSpec] = field(default_factory=dict)
    servers: int = 0


def read_directory(directory: Path, servers: Path | None = None) -> Declared:
    """Return what a directory declares, those below it included.

    Args:
        directory: Where.
        servers: An inventory elsewhere; None is that of the directory, or none.

    Raises:
        InvalidRequest: With everything that is wrong in any of its files.
    """
    reader = _Reader()
    found = Declared(project=reader.project(directory))
    documents = reader.documents(directory)
    inventory = servers or reader.inventory(documents)
    if inventory is not None:
        found.servers = reader.count(inventory)
    reader.collect(
        documents["event"], found.events, lambda one: event_of(one, inventory), EVENT
    )
    reader.collect(
        documents["workflow"],
        found.graphs,
        lambda one: graph_of(one, inventory),
        GRAPH,
    )
    reader.collect(
        documents["schedule"],
        found.schedules,
        lambda one: schedule_of(one, inventory, found.events, found.graphs),
    )
    if reader.problems:
        raise InvalidRequest(
            reader.problems, hint="Nothing was applied: correct all of these first."
        )
    return found


class _Reader:
    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self._places: dict[tuple[int, str], Document] = {}

    def project(self, directory: Path) -> str | None:
        file = directory / PROJECT_FILE
        if not file.exists():
            return None
        try:
            document = read_documents(file)[0]
            return Project.model_validate(document.data).project
        except InvalidRequest as error:
            self.problems += error.problems
        except IndexError:
            self.problems += problem_at(str(file), "expected `project: NAME`").problems
        except ValidationError as error:
            self.problems += [
                document.problem(problem.path, problem.message)
                for problem in problems_of(error, Project)
            ]
        return None

    def documents(self, directory: Path) -> dict[str, list[Document]]:
        found: dict[str, list[Document]] = {kind: [] for kind in TOLD_BY}
        for file in files_of(directory):
            try:
                documents = read_documents(file)
            except InvalidRequest as error:
                self.problems += error.problems
                continue
            for document in documents:
                kind = self._kind(document)
                if kind is not None:
                    found[kind].append(document)
        return found

    def inventory(self, documents: dict[str, list[Document]]) -> Path | None:
        there = documents["servers"]
        for document in there[1:]:
            message = f"one inventory is enough, and {there[0].file} is one"
            self.problems.append(document.problem("servers", message))
        return there[0].file if there else None

    def count(self, inventory: Path) -> int:
        try:
            return len(read_inventory(inventory).servers)
        except InvalidRequest as error:
            self.problems += error.problems
            return 0

    def collect(
        self,
        documents: Iterable[Document],
        into: dict[str, Spec],
        read: Callable[[Document], Spec],
        instead: Spec | None = None,
    ) -> None:
        """Read documents; put `instead` in the place of those that are wrong.

        A schedule that names one of these is not wrong itself.
        """
        for document in documents:
            try:
                spec = read(document)
            except InvalidRequest as error:
                self.problems += error.problems
                name = document.data.get("id", slug(document.file.stem))
                if instead is not None and isinstance(name, str):
                    into.setdefault(name, instead)
                continue
            other = self._places.setdefault((id(into), spec.id), document)
            if other is not document:
                place = f"{other.file}:{other.line('id')}"
                message = f"{spec.id[:100]} is there twice, in {place} as well"
                self.problems.append(document.problem("id", message))
            into[spec.id] = spec

    def _kind(self, document: Document) -> str | None:
        data = document.data
        if "kind" in data:
            if data["kind"] in TOLD_BY:
                return str(data["kind"])
            known = ", ".join(TOLD_BY)
            close = difflib.get_close_matches(str(data["kind"]), TOLD_BY, n=1)
            guess = f" (did you mean {close[0]}?)" if close else ""
            message = f"expected one of {known}{guess}"
            self.problems.append(document.problem("kind", message))
            return None
        for kind, words in TOLD_BY.items():
            if words & data.keys():
                return kind
        message = (
            "what this is cannot be told: a schedule has `every` or `cron`, a workflow "
            "`nodes`, an event `type`, an inventory `servers`; or say `kind: …`"
        )
        self.problems.append(document.problem("", message))
        return None


def files_of(directory: Path) -> list[Path]:
    """Return the YAML files of a directory and those below it; hidden ones are not.

    Raises:
        InvalidRequest: It is no directory.
    """
    if not directory.is_dir():
        raise problem_at(str(directory), "expected a directory with YAML files")
    return [
        file
        for file in sorted(directory.rglob("*"))
        if file.suffix.lower() in SUFFIXES
        and file != directory / PROJECT_FILE
        and not any(part.startswith(".") for part in file.relative_to(directory).parts)
    ]
