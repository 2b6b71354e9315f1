"""The text that the Temporal web UI shows for a running or finished execution."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from contracts.events import EventRequest
    from contracts.results import ActionResult, TargetResult
    from contracts.runs import Admission
    from contracts.shards import ShardReport

HEADER = (
    "| target | status | try | exit | script ms | host |\n|---|---|---|---|---|---|"
)
ACTIONS_HEADER = "| action | when | status | tries | done |\n|---|---|---|---|---|"
MAX_ROWS = 100
MAX_ERRORS = 20
MAX_CELL = 80


def markdown(
    request: EventRequest,
    rows: list[TargetResult],
    admission: Admission,
    actions: list[ActionResult],
    standing: ShardReport | None = None,
) -> str:
    """Return the state as Markdown: event, targets, errors, log link, actions."""
    event = request.event
    lines = [
        f"**{_plain(event.name)}** ({event.type}), execution `{request.execution_id}`"
    ]
    if admission.logs_url:
        lines.append(f"[Live log]({admission.logs_url})")
    if standing is not None:
        lines.append(f"\n{progress_line(standing, len(rows))}")
    lines.append("")
    lines += table(rows, event.retries + 1)
    if actions:
        lines += ["", ACTIONS_HEADER, *(_action(row) for row in actions)]
        lines += [
            f"\naction {row.index + 1}: {_plain(row.error.message, 500)}"
            for row in actions
            if row.error is not None
        ]
    return "\n".join(lines)


def progress_line(standing: ShardReport, total: int) -> str:
    """Return how far a fan-out is, in one line."""
    return (
        f"{standing.done}/{total} done, {standing.failed} failed, "
        f"{standing.running} running"
    )


def table(rows: list[TargetResult], tries: int) -> list[str]:
    """Return the first rows as lines of Markdown, and the first errors below them."""
    lines = [HEADER, *(_row(row, tries) for row in rows[:MAX_ROWS])]
    if len(rows) > MAX_ROWS:
        lines.append(f"\n… and {len(rows) - MAX_ROWS} more")
    wrong = [row for row in rows[:MAX_ROWS] if row.error is not None]
    lines += [
        f"\n{_plain(row.target)}: {_plain(row.error.message, 500)}"
        for row in wrong[:MAX_ERRORS]
        if row.error is not None
    ]
    return lines


def _action(row: ActionResult) -> str:
    done = ""
    if row.execution_id is not None:
        done = f"started {row.execution_id}"
    elif row.notified is not None:
        done = f"{row.notified} notified"
    elif row.http_status is not None:
        done = f"HTTP {row.http_status}"
    name = f"{row.index + 1} {row.kind}"
    cells = (name, row.when, row.status, str(row.attempts), done)
    return "| " + " | ".join(_plain(cell) for cell in cells) + " |"


def _row(row: TargetResult, tries: int) -> str:
    code = "" if row.exit_code is None else str(row.exit_code)
    cells = (
        _plain(row.target),
        row.status,
        f"{row.attempts}/{tries}",
        code,
        str(row.durations.execution_ms or ""),
        _plain(row.host or ""),
    )
    return "| " + " | ".join(cells) + " |"


def _plain(text: str, limit: int = MAX_CELL) -> str:
    """Return text that Markdown leaves as it is."""
    safe = "".join("\\" + c if c in "\\|[]()<>*_`#" else c for c in text[:limit])
    return " ".join(safe.split())
