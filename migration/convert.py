"""The whole way from the text of an export to the texts of files."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

import yaml

from migration.context import Context, Options
from migration.credentials import without_known
from migration.events import EventConverter
from migration.export import read_export
from migration.notes import Sort, report
from migration.servers import convert_servers
from migration.variables import FILE as VARIABLES
from migration.variables import variables_of
from migration.workflows import WorkflowConverter

REPORT = "MIGRATION.md"
# Long texts stay in one line: folded ones are hard to edit.
WIDTH = 100_000


@dataclass
class Migration:
    """What a migration gives: documents until the reader has tried them, then texts."""

    context: Context
    extra: dict[str, str] = field(default_factory=dict)
    """Files that are no YAML of ours."""

    @property
    def documents(self) -> dict[str, str]:
        """Path → text of the YAML files."""
        context = self.context
        return {
            path: _text(data, context.heads.get(path, ""))
            for path, data in context.files.items()
        }

    def reject(self, path: str, reason: str) -> None:
        """Take back a file that our own reader refuses."""
        self.context.files.pop(path, None)
        self.context.notes.add(Sort.LEFT_OUT, path, reason)

    def texts(self) -> dict[str, str]:
        """Return path → text of all files, the report among them."""
        found = {**self.documents, **self.extra}
        found[REPORT] = self._report()
        return found

    def _report(self) -> str:
        context = self.context
        folders = Counter(str(PurePosixPath(path).parent) for path in context.files)
        counts = [
            f"{folders[kind]} of {len(context.export.of(kind))} {kind}"
            for kind in ("events", "workflows")
        ]
        counts.append(f"{folders['schedules']} schedules")
        kept = len(context.server_names)
        counts.append(f"{kept} of {len(context.export.of('servers'))} servers")
        for table, rows in sorted(context.export.ignored.items()):
            if rows:
                counts.append(f"table {table}: {rows} rows, not needed here")
        text = report(context.notes, context.vault.needed, counts)
        return str(without_known(text, context.vault, set()))


def migrate(text: str, options: Options) -> Migration:
    """Return what an export becomes.

    Raises:
        ExportInvalid: With everything that is wrong with the export, by path.
    """
    # Names of files are given before every credential is known: hence twice.
    known = _converted(text, options, [])[0].vault.values
    context, variables = _converted(text, options, known)
    _sweep(context)
    migration = Migration(context)
    if variables is not None:
        migration.extra[VARIABLES] = str(without_known(variables, context.vault, set()))
    return migration


def _converted(
    text: str, options: Options, known: list[str]
) -> tuple[Context, str | None]:
    """Return what an export becomes, and the script that sets its variables."""
    export = read_export(text)
    context = Context(export, options, known)
    convert_servers(context)
    EventConverter(context).convert()
    WorkflowConverter(context).convert()
    variables = variables_of(context)
    export.check()
    return context, variables


def _sweep(context: Context) -> None:
    """Look once more for each known credential in everything that is written."""
    for path, data in context.files.items():
        found: set[str] = set()
        context.files[path] = without_known(data, context.vault, found)
        head = without_known(context.heads.get(path, ""), context.vault, found)
        context.heads[path] = head
        for name in sorted(found):
            context.notes.add(
                Sort.DO,
                path,
                f"a credential stood in it: look for REMOVED_SECRET_{name}",
            )


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as they are read."""


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    lines = text.split("\n")
    plain = all(line == line.rstrip() for line in lines) and "\t" not in text
    style = "|" if len(lines) > 1 and plain else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)


def _text(data: dict[str, Any], head: str) -> str:
    comment = "".join(f"# {line}\n" for line in head.split("\n") if line.strip())
    printable = "".join(c for c in comment if c == "\n" or c.isprintable())
    body = yaml.dump(
        data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=WIDTH
    )
    return printable + body
