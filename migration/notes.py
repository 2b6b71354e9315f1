"""What is said about a migration: what to do, what changed, what was left out."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum


class Sort(StrEnum):
    """What a note asks of its reader."""

    DO = "do"
    """Something must be done before it works."""
    CHANGED = "changed"
    """It works, in another way than in the app."""
    LEFT_OUT = "left out"
    """It has no file."""


@dataclass(frozen=True)
class Note:
    """One thing to know."""

    sort: Sort
    where: str
    text: str


@dataclass
class Notes:
    """All notes, in the order of the export; each is there once."""

    all: list[Note] = field(default_factory=list)

    def add(self, sort: Sort, where: str, text: str) -> None:
        """Keep a note."""
        note = Note(sort, where, text)
        if note not in self.all:
            self.all.append(note)

    def of(self, sort: Sort) -> list[Note]:
        """Return the notes of a sort."""
        return [note for note in self.all if note.sort is sort]


@dataclass(frozen=True)
class Subject:
    """What notes are about: one row, by its name."""

    where: str
    notes: Notes

    def do(self, text: str) -> None:
        """Say what must be done."""
        self.notes.add(Sort.DO, self.where, text)

    def changed(self, text: str) -> None:
        """Say what is different."""
        self.notes.add(Sort.CHANGED, self.where, text)

    def left_out(self, text: str) -> None:
        """Say what has no file, and why."""
        self.notes.add(Sort.LEFT_OUT, self.where, text)


ALWAYS = (
    "A retry is an extra try after a failed one, and really happens; conditional "
    "actions fire once, after the last try.",
    "`timeoutSeconds` limits the script alone; setting up the sandbox does not count.",
    "An interval is counted from a fixed time and never begins anew at a full hour or "
    "day: every 7 minutes is every 7 minutes.",
    "Scripts run without root, with a read-only file system, and with 512 MB of memory "
    "unless `resources` says more.",
    "The output of an event is the input of the one that its action starts.",
    "What comes after a branch that was not taken is skipped at once.",
    "Runs, logs and counters of the past are not in these files.",
)


def report(notes: Notes, secrets: dict[str, str], counts: Iterable[str]) -> str:
    """Return the report as a page of Markdown."""
    lines = ["# Migration from Cronium's app", "", *(f"- {count}" for count in counts)]
    lines += ["", "## To do", ""]
    if secrets:
        lines.append(
            "- Provide the secrets below, on each worker: a file of the name in the "
            "directory of `CRONIUM_SECRETS_DIRECTORY`, or a variable that the worker's "
            "settings allow."
        )
    lines += [f"- {note.where}: {note.text}" for note in notes.of(Sort.DO)]
    lines += ["- Look at what would start: `cronium apply . --diff`; then without it."]
    if secrets:
        lines += ["", "## Secrets to provide", "", "| Name | What it is |", "|---|---|"]
        lines += [f"| `{name}` | {_cell(what)} |" for name, what in secrets.items()]
    for title, sort in (("Changed", Sort.CHANGED), ("Left out", Sort.LEFT_OUT)):
        if found := notes.of(sort):
            lines += ["", f"## {title}", "", "| Where | What and why |", "|---|---|"]
            lines += [f"| {_cell(n.where)} | {_cell(n.text)} |" for n in found]
    lines += ["", "## Different for all", "", *(f"- {text}" for text in ALWAYS)]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
