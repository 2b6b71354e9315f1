"""The text that the Temporal web UI shows for a running or finished execution."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from contracts.events import EventRequest
    from contracts.results import TargetResult
    from contracts.runs import Admission

HEADER = (
    "| target | status | try | exit | script ms | host |\n|---|---|---|---|---|---|"
)
MAX_ROWS = 100
MAX_CELL = 80


def markdown(
    request: EventRequest, rows: list[TargetResult], admission: Admission
) -> str:
    """Return the state as Markdown: event, a row per target, errors, log link."""
    event = request.event
    lines = [
        f"**{_plain(event.name)}** ({event.type}), execution `{request.execution_id}`"
    ]
    if admission.logs_url:
        lines.append(f"[Live log]({admission.logs_url})")
    lines.append("")
    lines.append(HEADER)
    lines += [_row(row, event.retries + 1) for row in rows[:MAX_ROWS]]
    for row in rows[:MAX_ROWS]:
        if row.error is not None:
            lines.append(f"\n{_plain(row.target)}: {_plain(row.error.message, 500)}")
    return "\n".join(lines)


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
