"""`cronium workflow approve|pause|skip|…`: say something to a run that is not over."""

import getpass
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.options import Config, ExecutionId, StateDir
from cli.terminal import note
from cli.workflow_calls import Handle, result_of, with_run

if TYPE_CHECKING:
    from temporalio.client import Client

    from cli.stack import Stack

Node = Annotated[
    str, typer.Argument(metavar="NODE", help="Id of the node; inner ones: outer/inner.")
]
By = Annotated[str | None, typer.Option(help="Who says so; default: your user name.")]
Why = Annotated[str, typer.Option("--why", metavar="TEXT", help="The reason.")]


def approve(
    execution_id: ExecutionId,
    node: Node,
    why: Why = "",
    by: By = None,
    config: Config = None,
    state_dir: StateDir = None,
) -> int:
    """Say yes to a node that waits for it.

    Examples:

      cronium workflow approve ID release --why "tests are green"
    """
    told = {"approved": True, "by": _who(by), "why": why}
    return _tell(execution_id, config, state_dir, "decide", node, told, "approved")


def reject(
    execution_id: ExecutionId,
    node: Node,
    why: Why = "",
    by: By = None,
    config: Config = None,
    state_dir: StateDir = None,
) -> int:
    """Say no to a node that waits for an approval.

    Examples:

      cronium workflow reject ID release --why "too late today"
    """
    told = {"approved": False, "by": _who(by), "why": why}
    return _tell(execution_id, config, state_dir, "decide", node, told, "rejected")


def pause(
    execution_id: ExecutionId, config: Config = None, state_dir: StateDir = None
) -> int:
    """Begin no other node and no other item of a map; those that run go on.

    Examples:

      cronium workflow pause ID
    """
    told = {"by": _who(None)}
    return _tell(execution_id, config, state_dir, "pause", None, told, "paused")


def resume(
    execution_id: ExecutionId, config: Config = None, state_dir: StateDir = None
) -> int:
    """Go on with a run that is paused; end one that is held after a failure.

    Examples:

      cronium workflow resume ID
    """
    told = {"by": _who(None)}
    return _tell(execution_id, config, state_dir, "resume", None, told, "resumed")


def skip(
    execution_id: ExecutionId,
    node: Node,
    why: Why = "",
    stop: Annotated[
        bool, typer.Option("--stop", help="Skip what only comes after it as well.")
    ] = False,
    by: By = None,
    config: Config = None,
    state_dir: StateDir = None,
) -> int:
    """Skip a node that has not ended; a script that runs is stopped.

    Examples:

      cronium workflow skip ID upload --why "done by hand"
    """
    told = {"by": _who(by), "why": why, "passes": not stop}
    return _tell(execution_id, config, state_dir, "skip_node", node, told, "skipped")


def retry(
    execution_id: ExecutionId,
    node: Node,
    why: Why = "",
    by: By = None,
    config: Config = None,
    state_dir: StateDir = None,
) -> int:
    """Let a node that failed run again, in a run that is not over.

    Examples:

      cronium workflow retry ID upload
    """
    told = {"by": _who(by), "why": why}
    return _tell(execution_id, config, state_dir, "retry_node", node, told, "retried")


def cancel(
    execution_id: ExecutionId, config: Config = None, state_dir: StateDir = None
) -> int:
    """Cancel a run, and wait until everything that runs is stopped.

    Examples:

      cronium workflow cancel ID
    """

    async def work(client: "Client", stack: "Stack", handle: Handle) -> int:
        from cli.graph_execution import describe_running
        from cli.lookup import execution_id_of

        execution = execution_id_of(handle)
        if await describe_running(handle):
            await handle.cancel()
            note(f"cancelling {execution} …")
        else:
            note(f"{execution} is over already")
        result = await result_of(handle)
        print(f"{execution} {result.status.value}")
        return 0

    return with_run(execution_id, config, state_dir, work)


def _tell(
    execution_id: str,
    config: Path | None,
    state_dir: Path | None,
    update: str,
    node: str | None,
    fields: dict[str, Any],
    done: str,
) -> int:
    async def work(client: "Client", stack: "Stack", handle: Handle) -> int:
        from cli.graph_execution import need_node, tell

        path = need_node(node) if node is not None else None
        await tell(client, handle, update, path, **fields)
        print(f"{node or execution_id} {done}")
        return 0

    return with_run(execution_id, config, state_dir, work)


def _who(by: str | None) -> str:
    """Return who gives an order, as an id."""
    if by is None:
        by = re.sub(r"[^A-Za-z0-9._-]", "-", getpass.getuser()).strip("-._") or "local"
    return by
