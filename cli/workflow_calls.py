"""What the commands of workflows share: starting a run, and finding one again."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.options import load
from cli.terminal import answers, note, notes

if TYPE_CHECKING:
    from temporalio.client import Client, WorkflowHandle

    from cli.stack import Stack
    from contracts.graphs import GraphRequest, GraphResult
    from worker.settings import Settings

# Of a `WorkflowHandle[Any, GraphResult]`.
Handle = Any
Work = Callable[["Client", "Stack", Any], Awaitable[int]]


def start(
    request: "GraphRequest",
    dry_run: bool,
    detach: bool,
    lines: bool,
    as_json: bool,
    config: Path | None,
    state_dir: Path | None,
) -> int:
    """Start a run and watch it, or show what would run; return the exit status."""
    from cli.graph_outcome import print_plan
    from cli.stack import find_or_start

    if dry_run:
        if as_json:
            print_json(request.workflow.model_dump(mode="json", exclude_defaults=True))
        else:
            print_plan(answers(), request)
        return 0
    settings = load(config, state_dir)
    stack = find_or_start(settings, config)
    if detach:
        return asyncio.run(_detach(settings, stack, request))
    return asyncio.run(_attend(settings, stack, request, lines, as_json))


async def _detach(settings: "Settings", stack: "Stack", request: "GraphRequest") -> int:
    from cli.graph_execution import start_graph

    execution = await start_graph(settings, stack, request, note)
    for title, link in execution.links(private=sys.stderr.isatty()).items():
        note(f"{title}: {link}")
    print(request.execution_id)
    return 0


async def _attend(
    settings: "Settings",
    stack: "Stack",
    request: "GraphRequest",
    lines: bool,
    as_json: bool,
) -> int:
    from cli.graph_execution import start_graph, stopping
    from cli.graph_outcome import exit_status_of, print_graph_result
    from cli.graph_tree import News, Tree, watch
    from cli.lines import LinePrinter

    execution = await start_graph(settings, stack, request, note)
    console = notes()
    if console.is_terminal and not lines and not as_json:
        with Tree(request.workflow, console) as tree:
            watching = asyncio.ensure_future(watch(execution.handle, tree.show))
            result = await execution.attend(tree)
            await stopping(watching)
            tree.show(result.nodes)
    else:
        # With --json, stdout has the result alone.
        printer = LinePrinter(
            sys.stderr.buffer if as_json else None, colours=not console.no_color
        )
        news = News(note)
        watching = asyncio.ensure_future(watch(execution.handle, news.show))
        result = await execution.attend(printer)
        await stopping(watching)
        news.show(result.nodes)
    if as_json:
        print_json(result.model_dump(mode="json"))
    else:
        console.print()
        links = execution.links(private=console.is_terminal)
        print_graph_result(console, result, links)
    return exit_status_of(result)


def with_run(
    execution_id: str, config: Path | None, state_dir: Path | None, work: Work
) -> int:
    """Do something with a run; return the exit status."""
    from temporalio.service import RPCError

    from cli.execution import ExecutionFailed, connect
    from cli.graph_execution import find_graph
    from cli.stack import require

    settings = load(config, state_dir)
    stack = require(settings)

    async def working() -> int:
        client = await connect(settings, stack)
        try:
            handle = await find_graph(client, stack, execution_id)
            return await work(client, stack, handle)
        except RPCError as error:
            raise ExecutionFailed(f"Temporal: {error.message}") from error

    return asyncio.run(working())


async def result_of(handle: "WorkflowHandle[Any, GraphResult]") -> "GraphResult":
    """Return the result of a run that is over.

    Raises:
        InvalidRequest: It was refused.
        ExecutionFailed: It has none.
    """
    from temporalio.client import WorkflowFailureError

    from cli.execution import refusal

    try:
        return await handle.result()
    except WorkflowFailureError as error:
        raise refusal(error.cause) from None


async def show_run(stack: "Stack", handle: Handle, as_json: bool) -> None:
    """Print where the nodes of a run stand, or how they ended."""
    from cli.graph_execution import describe_running
    from cli.graph_outcome import nodes_table, print_graph_result
    from cli.lookup import execution_id_of
    from contracts.graph_results import NodeResult

    execution = execution_id_of(handle)
    if not await describe_running(handle):
        result = await result_of(handle)
        if as_json:
            print_json(result.model_dump(mode="json"))
        else:
            links = stack.links(execution, handle.id)
            print_graph_result(answers(), result, links)
        return
    rows = await handle.query("progress", result_type=list[NodeResult])
    if as_json:
        told = [row.model_dump(mode="json") for row in rows]
        print_json({"executionId": execution, "status": "RUNNING", "nodes": told})
    else:
        answers().print(nodes_table(rows))


def print_json(value: Any) -> None:
    """Print a value on stdout."""
    print(json.dumps(value, ensure_ascii=False, indent=2))
