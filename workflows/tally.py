"""What the rows of the targets come to: status, exit code, output, counts.

Of one target the result is that target's own. Of several it must fit a payload
whatever they say, so outputs and words are cut when there is no room for all.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from contracts.errors import ErrorInfo, ScriptError
    from contracts.fanout import FanOutError
    from contracts.limits import MAX_FANOUT_OUTPUT_BYTES
    from contracts.results import (
        EXIT_CANCELLED,
        EXIT_PARTIAL_BASE,
        LogCounts,
        PhaseDurations,
        Status,
        TargetCounts,
        TargetResult,
    )
    from contracts.wire_text import json_size
    from workflows.endings import total
    from workflows.window import FAILED

MOST_NAMES = 5
SHORT_MESSAGE = 100
SHORT_LINE = 200


def counts_of(rows: Iterable[TargetResult]) -> TargetCounts:
    """Return how many ended in which way."""
    by = Counter(row.status for row in rows)
    return TargetCounts(
        total=by.total(),
        succeeded=by[Status.SUCCESS],
        failed=by[Status.FAILURE],
        timed_out=by[Status.TIMEOUT],
        lost=by[Status.LOST],
        cancelled=by[Status.CANCELLED],
        skipped=by[Status.SKIPPED],
    )


def summary(rows: list[TargetResult], *, cancelled: bool) -> dict[str, Any]:
    """Return what several rows come to, as fields of an execution's result.

    Args:
        rows: In the order of the event's list.
        cancelled: Whether somebody cancelled the execution.
    """
    counts = counts_of(rows)
    status = _status(counts, cancelled)
    failed = [row for row in rows if row.status in FAILED]
    conditions = [
        row.condition
        for row in rows
        if row.status is Status.SUCCESS and row.condition is not None
    ]
    return {
        "status": status,
        "exit_code": _exit_code(status, failed),
        "durations": _longest(rows),
        "condition": conditions[0] if conditions else None,
        "error": _error(status, counts, failed),
        "logs": _all_logs(rows),
        "attempts": max(row.attempts for row in rows),
        "counts": counts,
    }


def gather_outputs(
    rows: list[TargetResult], omitted: Iterable[str]
) -> dict[str, Any] | None:
    """Return the output of a fan-out: map, default, and who was left out.

    Args:
        rows: In the order of the event's list, with their outputs.
        omitted: Whose outputs had no room already.
    """
    said = [row for row in rows if row.output is not None]
    missing = set(omitted)
    good = [row for row in said if row.status is Status.SUCCESS]
    if not said and not missing:
        return None
    default = good[0].output if good else None
    kept, more = keep_outputs(said, MAX_FANOUT_OUTPUT_BYTES - json_size(default))
    return {
        "default": default,
        "servers": kept,
        "omitted": [row.target for row in rows if row.target in missing.union(more)],
    }


def keep_outputs(
    rows: Iterable[TargetResult], room: int
) -> tuple[dict[str, Any], list[str]]:
    """Return the outputs that fit, and the names of those that do not.

    Small ones behind a large one still have their place.
    """
    kept: dict[str, Any] = {}
    omitted: list[str] = []
    for row in rows:
        if row.output is None:
            continue
        size = json_size(row.output) + json_size(row.target) + 2
        if size > room:
            omitted.append(row.target)
        else:
            room -= size
            kept[row.target] = row.output
    return kept, omitted


def fit(rows: list[TargetResult], room: int) -> list[TargetResult]:
    """Return the rows with as many of their words as there is room for.

    Args:
        rows: Without outputs.
        room: Bytes of JSON for all of them. First go all but the last lines of logs,
            then these too, then hints and the ends of messages.
    """
    for shorten in (_whole, _one_line, _no_lines, _few_words, _type_alone):
        short = [shorten(row) for row in rows]
        if sum(len(row.model_dump_json().encode()) + 1 for row in short) <= room:
            break
    return short


def _whole(row: TargetResult) -> TargetResult:
    return row


def _one_line(row: TargetResult) -> TargetResult:
    return _with_lines(row, [line[:SHORT_LINE] for line in row.logs.last_lines[-1:]])


def _no_lines(row: TargetResult) -> TargetResult:
    return _with_lines(row, [])


def _few_words(row: TargetResult) -> TargetResult:
    return _with_message(_no_lines(row), SHORT_MESSAGE)


def _type_alone(row: TargetResult) -> TargetResult:
    return _with_message(_no_lines(row), 0)


def _with_lines(row: TargetResult, lines: list[str]) -> TargetResult:
    logs = row.logs.model_copy(update={"last_lines": lines})
    return row.model_copy(update={"logs": logs})


def _with_message(row: TargetResult, most: int) -> TargetResult:
    if row.error is None:
        return row
    short = {"message": row.error.message[:most], "hint": ""}
    return row.model_copy(update={"error": row.error.model_copy(update=short)})


def _status(counts: TargetCounts, cancelled: bool) -> Status:
    if cancelled and counts.cancelled:
        return Status.CANCELLED
    if counts.succeeded == counts.total:
        return Status.SUCCESS
    return Status.PARTIAL if counts.succeeded else Status.FAILURE


def _exit_code(status: Status, failed: list[TargetResult]) -> int | None:
    match status:
        case Status.SUCCESS:
            return 0
        case Status.CANCELLED:
            return EXIT_CANCELLED
        case Status.PARTIAL:
            return EXIT_PARTIAL_BASE + len(failed)
    codes = {row.exit_code for row in failed}
    return codes.pop() if len(codes) == 1 else None


def _error(
    status: Status, counts: TargetCounts, failed: list[TargetResult]
) -> ErrorInfo | None:
    if status is Status.SUCCESS:
        return None
    if status is Status.CANCELLED:
        return ErrorInfo(
            type=ScriptError.CANCELLED,
            message=f"The run was cancelled; {counts.succeeded} of {counts.total} "
            "servers had succeeded.",
        )
    names = ", ".join(row.target for row in failed[:MOST_NAMES])
    more = f" and {len(failed) - MOST_NAMES} more" if len(failed) > MOST_NAMES else ""
    apart = {
        "timed out": counts.timed_out,
        "lost": counts.lost,
        "stopped": counts.cancelled,
        "not begun": counts.skipped,
    }
    words = [f"{number} {word}" for word, number in apart.items() if number]
    return ErrorInfo(
        type=FanOutError.SERVERS_FAILED,
        message=f"{len(failed)} of {counts.total} servers failed"
        + (f" ({', '.join(words)})" if words else "")
        + (f": {names}{more}." if failed else "."),
    )


def _longest(rows: list[TargetResult]) -> PhaseDurations:
    return PhaseDurations(
        setup_ms=max(row.durations.setup_ms for row in rows),
        execution_ms=max(row.durations.execution_ms for row in rows),
        cleanup_ms=max(row.durations.cleanup_ms for row in rows),
    )


def _all_logs(rows: list[TargetResult]) -> LogCounts:
    logs = LogCounts()
    for row in rows:
        logs = total(logs, row.logs)
    return logs.model_copy(update={"last_lines": []})
