"""`cronium status`, `list` and `cancel`: look at executions and end them."""

import asyncio
import json
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from cli.errors import EXIT_FAILURE, problem_at
from cli.options import AsJson, Config, ExecutionId, StateDir, load
from cli.outcome import MOST_ROWS, print_links, print_result, status_text
from cli.terminal import answers, facts, note, safe, table
from contracts.names import is_graph
from contracts.results import ExecutionResult, Status, TargetResult

if TYPE_CHECKING:
    from temporalio.client import Client, WorkflowHandle

    from cli.lookup import Row
    from cli.stack import Stack

Limit = Annotated[
    int,
    typer.Option("--limit", "-n", min=1, max=500, help="How many."),
]
StatusOption = Annotated[
    str | None, typer.Option("--status", help="Only these: RUNNING, FAILURE, …")
]


def status(
    execution_id: ExecutionId,
    as_json: AsJson = False,
    config: Config = None,
    state_dir: StateDir = None,
) -> int:
    """Show where an execution stands, or its result.

    Examples:

      cronium status 0199c2ab5e7d4f…

      cronium status ID --json | jq .status
    """
    return _with_client(_status, config, state_dir, execution_id, as_json)


def list_(
    limit: Limit = 20,
    only: StatusOption = None,
    as_json: AsJson = False,
    config: Config = None,
    state_dir: StateDir = None,
) -> int:
    """List the newest executions.

    Examples:

      cronium list --status RUNNING

      cronium list --limit 100 --json
    """
    return _with_client(_list, config, state_dir, limit, _status_word(only), as_json)


def cancel(
    execution_id: ExecutionId, config: Config = None, state_dir: StateDir = None
) -> int:
    """Cancel an execution and wait until its sandbox is gone.

    Examples:

      cronium cancel 0199c2ab5e7d4f…
    """
    return _with_client(_cancel, config, state_dir, execution_id)


def _with_client(work: Any, config: Any, state_dir: Any, *arguments: Any) -> int:
    from temporalio.service import RPCError

    from cli.execution import ExecutionFailed, connect
    from cli.stack import require

    settings = load(config, state_dir)
    stack = require(settings)

    async def working() -> int:
        client = await connect(settings, stack)
        try:
            code: int = await work(client, stack, *arguments)
        except RPCError as error:
            raise ExecutionFailed(f"Temporal: {error.message}") from error
        return code

    return asyncio.run(working())


async def _status(client: "Client", stack: "Stack", wanted: str, as_json: bool) -> int:
    from cli.lookup import event_of, execution_id_of, open_execution, status_of

    handle = await open_execution(client, stack, wanted)
    if is_graph(handle.id):
        from cli.workflow_calls import show_run

        await show_run(stack, handle, as_json)
        return 0
    described = await handle.describe()
    execution_id = execution_id_of(handle)
    links = stack.links(execution_id, handle.id)
    if described.status is None or described.status.name != "RUNNING":
        result = await _result(handle)
        if as_json:
            _print_json(result.model_dump(mode="json"))
        else:
            print_result(answers(), result, links)
        return 0
    rows = await _progress(handle)
    if as_json:
        _print_json(
            {
                "executionId": execution_id,
                "status": (status_of(described) or Status.RUNNING).value,
                "targets": [row.model_dump(mode="json") for row in rows],
            }
        )
        return 0
    shown = [("Status", status_text(Status.RUNNING))]
    shown.append(("Event", safe(event_of(handle.id))))
    shown.append(("Started", Text(_time(described.start_time))))
    shown += [("Target", _target(row)) for row in rows[:MOST_ROWS]]
    if len(rows) > MOST_ROWS:
        over = sum(row.status.final for row in rows)
        shown.append(("Targets", Text(f"{over} of {len(rows)} are over")))
    shown.append(("Execution", Text(execution_id)))
    answers().print(facts(shown))
    print_links(answers(), links)
    return 0


async def _list(
    client: "Client",
    stack: "Stack",
    limit: int,
    only: Status | None,
    as_json: bool,
) -> int:
    from cli.lookup import newest

    rows = await newest(client, limit, only)
    if as_json:
        _print_json([_row_json(row) for row in rows])
        return 0
    shown = table(
        ("Execution", "Event", "Status", "Code", "Started", "Took"), cut=("Event",)
    )
    for row in rows:
        shown.add_row(
            Text(row.execution_id),
            safe(row.event_id),
            status_text(row.status),
            "–" if row.exit_code is None else str(row.exit_code),
            _ago(row.started),
            _took(row),
        )
    if rows:
        answers().print(shown)
    else:
        note("No executions.")
    return 0


async def _cancel(client: "Client", stack: "Stack", wanted: str) -> int:
    from cli.lookup import execution_id_of, open_execution

    handle = await open_execution(client, stack, wanted)
    execution_id = execution_id_of(handle)
    described = await handle.describe()
    if described.status is not None and described.status.name == "RUNNING":
        await handle.cancel()
        note(f"cancelling {execution_id} …")
    else:
        note(f"{execution_id} is over already")
    result = await _result(handle)
    print(f"{execution_id} {result.status.value}", file=sys.stdout)
    # Cancelled as wished, or over before: both leave nothing running.
    return 0 if result.status.final else EXIT_FAILURE


async def _result(
    handle: "WorkflowHandle[Any, ExecutionResult]",
) -> ExecutionResult:
    from temporalio.client import WorkflowFailureError

    from cli.execution import refusal

    try:
        return await handle.result()
    except WorkflowFailureError as error:
        raise refusal(error.cause) from None


async def _progress(
    handle: "WorkflowHandle[Any, ExecutionResult]",
) -> list[TargetResult]:
    """Return where the targets stand; nothing when no worker answers."""
    from temporalio.client import WorkflowQueryFailedError
    from temporalio.service import RPCError

    from cli.lookup import CALL_TIMEOUT

    try:
        rows: list[TargetResult] = await handle.query(
            "progress", result_type=list[TargetResult], rpc_timeout=CALL_TIMEOUT
        )
    except (RPCError, WorkflowQueryFailedError):
        note("no worker answers: what is known is what Temporal has")
        return []
    return rows


def _target(row: TargetResult) -> Text:
    return safe(f"{row.target}: {row.status.value}, try {row.attempts}")


def _row_json(row: "Row") -> dict[str, Any]:
    return {
        "executionId": row.execution_id,
        "eventId": row.event_id,
        "workflowId": row.workflow_id,
        "status": row.status.value,
        "exitCode": row.exit_code,
        "startedAt": row.started.isoformat(),
        "endedAt": row.ended.isoformat() if row.ended else None,
    }


def _status_word(word: str | None) -> Status | None:
    if word is None:
        return None
    try:
        return Status(word.upper())
    except ValueError:
        raise problem_at("--status", f"expected one of {', '.join(Status)}") from None


def _print_json(value: Any) -> None:
    print(json.dumps(value, ensure_ascii=False, indent=2))


def _time(moment: datetime) -> str:
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _ago(moment: datetime) -> str:
    return _short(round((datetime.now(UTC) - moment).total_seconds())) + " ago"


def _took(row: "Row") -> str:
    return _short(((row.ended or datetime.now(UTC)) - row.started).total_seconds())


def _short(seconds: float) -> str:
    """Return a duration in one unit: `1.4s`, `12m`, `3h`, `9d`."""
    for unit, length in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f}{unit}"
    return f"{max(0, seconds):.0f}s" if seconds >= 10 else f"{max(0, seconds):.1f}s"
