"""The export as a whole: which tables there are, and how rows belong together.

Tables and columns may have the names of the database (`env_vars`, `event_id`) or those
of the app (`envVars`, `eventId`). Rows that belong to others may be tables of their own
or stand inside of these: `envVars` of an event, `nodes` and `edges` of a workflow.
"""

import json
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from pydantic.alias_generators import to_camel

from contracts.errors import RequestRefused
from contracts.validation import Problem
from migration.rows import NEVER_NAMED, Row, rows_of

TABLES = {
    "events": "events",
    "envVars": "envVars",
    "eventServers": "eventServers",
    "conditionalActions": "actions",
    "conditionalEvents": "actions",
    "servers": "servers",
    "serverGroups": "groups",
    "serverGroupMembers": "members",
    "workflows": "workflows",
    "workflowNodes": "nodes",
    "workflowConnections": "edges",
    "workflowEdges": "edges",
    "userVariables": "variables",
    "variables": "variables",
}


class ExportInvalid(RequestRefused):
    """The export cannot be read; every problem has its path."""

    hint = "Correct the export, or make it anew; nothing was written."

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("the export is not valid")
        self.problems = problems


@dataclass
class Export:
    """The tables, by what is in them."""

    tables: dict[str, list[Row]]
    ignored: dict[str, int] = field(default_factory=dict)
    """Tables that mean nothing here: how many rows they have."""
    problems: list[Problem] = field(default_factory=list)

    def of(self, table: str) -> list[Row]:
        """Return the rows of a table."""
        return self.tables.get(table, [])

    def by(self, table: str, column: str) -> dict[str, list[Row]]:
        """Return the rows of a table by what they belong to."""
        found: dict[str, list[Row]] = defaultdict(list)
        for row in self.of(table):
            found[row.identity(column)].append(row)
        return found

    def check(self) -> None:
        """Refuse the export when something of it is wrong.

        Raises:
            ExportInvalid: With everything that was found up to now.
        """
        if self.problems:
            raise ExportInvalid(self.problems)


def read_export(text: str) -> Export:
    """Return the tables of an export.

    Raises:
        ExportInvalid: It is not JSON, or not of tables.
    """
    data = _tables(text)
    export = Export({})
    for name, rows in data.items():
        table = TABLES.get(to_camel(name))
        short = name[:NEVER_NAMED]
        if not isinstance(rows, list):
            if table is not None:
                message = "expected a list of rows"
                export.problems.append(Problem(path=short, message=message))
        elif table is None:
            export.ignored[short] = len(rows)
        else:
            found = rows_of(rows, short, export.problems)
            export.tables.setdefault(table, []).extend(found)
    for table in ("events", "servers", "workflows"):
        _check_ids(export.of(table))
    if not any(export.of(table) for table in ("events", "servers", "workflows")):
        known = ", ".join(sorted(TABLES))
        message = f"no events, servers or workflows in it; known tables: {known}"
        export.problems.append(Problem(path="", message=message))
    export.check()
    return export


def _check_ids(rows: list[Row]) -> None:
    seen: dict[str, str] = {}
    for row in rows:
        identity = row.identity()
        if identity in seen:
            row.wrong("id", f"{seen[identity]} has the same id")
        seen.setdefault(identity, row.path)


def _tables(text: str) -> dict[str, Any]:
    try:
        data = json.loads(text)
    except RecursionError:
        raise ExportInvalid([Problem(path="", message="nested too deep")]) from None
    except ValueError as error:
        place = (
            f"line {getattr(error, 'lineno', 1)}, column {getattr(error, 'colno', 1)}"
        )
        message = f"not valid JSON ({place})"
        raise ExportInvalid([Problem(path="", message=message)]) from None
    if isinstance(data, dict) and isinstance(data.get("tables"), dict):
        data = data["tables"]
    if not isinstance(data, dict):
        message = 'expected an object of tables, such as {"events": [...]}'
        raise ExportInvalid([Problem(path="", message=message)])
    return data
