"""How a result looks to a person."""

import json
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.terminal import facts, safe, table
from contracts.results import (
    ActionResult,
    ExecutionResult,
    Status,
    TargetCounts,
    TargetResult,
)

SHOWN_CHARS = 1_000
MOST_ROWS = 20
STYLES = {
    Status.SUCCESS: "bold green",
    Status.RUNNING: "bold cyan",
    Status.PENDING: "cyan",
    Status.CANCELLED: "bold yellow",
    Status.PARTIAL: "bold yellow",
    Status.SKIPPED: "dim",
}


def status_text(status: Status) -> Text:
    """Return a status in its colour."""
    return Text(status.value, STYLES.get(status, "bold red"))


def print_result(
    console: Console, result: ExecutionResult, links: dict[str, str]
) -> None:
    """Print everything a person wants to know of a result.

    Args:
        console: Where to.
        result: The result.
        links: Where to look further: name → URL.
    """
    console.print(result_table(result))
    if result.counts is not None:
        console.print(servers_table(result.targets))
    print_links(console, links)


def print_links(console: Console, links: dict[str, str]) -> None:
    """Print links whole, however narrow the terminal: they are there to be copied."""
    for name, url in links.items():
        # Aligned with the tables above.
        console.print(Text.assemble((f"{name:<11}", "bold"), url), soft_wrap=True)


def result_table(result: ExecutionResult) -> Table:
    """Return a result as a table of facts."""
    rows = [
        ("Status", status_text(result.status)),
        ("Event", safe(result.event_name)),
        ("Exit code", _number(result.exit_code)),
        ("Attempts", _number(result.attempts)),
        ("Time", Text(_phases(result))),
        ("Log", Text(_log(result))),
    ]
    if result.counts is not None:
        rows.append(("Servers", Text(counts_text(result.counts))))
        if result.output is not None:
            said = len(result.output["servers"]) + len(result.output["omitted"])
            rows.append(("Outputs", Text(f"of {said} servers; --json shows them")))
    elif result.output is not None:
        rows.append(("Output", safe(_output(result.output))))
    if result.condition is not None:
        rows.append(("Condition", Text(str(result.condition).lower())))
    if result.error is not None:
        rows.append(("Error", safe(f"{result.error.type}: {result.error.message}")))
        if result.error.hint:
            rows.append(("Hint", safe(result.error.hint)))
    rows += [(f"Action {row.index + 1}", _action(row)) for row in result.actions]
    rows.append(("Execution", Text(result.execution_id)))
    return facts(rows)


def counts_text(counts: TargetCounts) -> str:
    """Return in one line how servers ended."""
    words = {
        "succeeded": counts.succeeded,
        "failed": counts.failed,
        "timed out": counts.timed_out,
        "lost": counts.lost,
        "cancelled": counts.cancelled,
        "skipped": counts.skipped,
    }
    told = [f"{number} {word}" for word, number in words.items() if number]
    return f"{counts.total}: {', '.join(told)}"


def servers_table(rows: Sequence[TargetResult]) -> Table:
    """Return a row per server; of many, only those that did not succeed."""
    shown = list(rows)
    title = None
    if len(rows) > MOST_ROWS:
        bad = [row for row in rows if row.status is not Status.SUCCESS]
        # What failed is of more interest than what was not begun because of it.
        bad.sort(key=lambda row: row.status in (Status.SKIPPED, Status.CANCELLED))
        shown = bad[:MOST_ROWS]
        title = f"{len(shown)} of the {len(bad)} that did not succeed"
    made = table(
        ("server", "status", "exit", "script ms", "total ms", "tries", "error"),
        title=title,
        fold=("error",),
    )
    for row in shown:
        error = row.error
        made.add_row(
            safe(row.target),
            status_text(row.status),
            _number(row.exit_code),
            Text(str(row.durations.execution_ms)),
            Text(str(row.durations.total_ms)),
            Text(str(row.attempts)),
            safe(f"{error.type}: {error.message}" if error else ""),
        )
    return made


def _action(row: ActionResult) -> Text:
    done = f" {row.kind} ({row.when})"
    if row.error is not None:
        done += f": {row.error.message}"
    elif row.execution_id is not None:
        done += f": started {row.execution_id}"
    elif row.notified is not None:
        done += f": {row.notified} notified"
    elif row.http_status is not None:
        done += f": answered with {row.http_status}"
    return Text.assemble(status_text(row.status), safe(done))


def _output(value: Any) -> str:
    """Return an output as JSON: it may be pasted as the next event's input."""
    text = json.dumps(value, ensure_ascii=False)
    if len(text) > SHOWN_CHARS:
        return text[:SHOWN_CHARS] + " … (cut here; --json has all of it)"
    return text


def _number(value: int | None) -> Text:
    return Text("–" if value is None else str(value))


def _phases(result: ExecutionResult) -> str:
    took = result.durations
    return (
        f"{took.total_ms} ms (setup {took.setup_ms}, execution {took.execution_ms}, "
        f"cleanup {took.cleanup_ms})"
    )


def _log(result: ExecutionResult) -> str:
    counts = result.logs
    unit = "line" if counts.lines == 1 else "lines"
    text = f"{counts.lines} {unit}, {counts.bytes} bytes"
    if counts.dropped_lines:
        text += f", {counts.dropped_lines} of them dropped at the cap"
    return text
