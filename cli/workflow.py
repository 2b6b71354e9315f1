"""`cronium workflow`: run a graph of events, look at it, and run it again."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.errors import problem_at
from cli.event_file import read_input
from cli.options import AsJson, Config, ExecutionId, StateDir
from cli.workflow_calls import (
    Handle,
    print_json,
    result_of,
    show_run,
    start,
    with_run,
)
from cli.workflow_orders import approve, cancel, pause, reject, resume, retry, skip
from contracts.errors import RequestRefused

if TYPE_CHECKING:
    from temporalio.client import Client

    from cli.stack import Stack
    from contracts.graphs import GraphRequest

File = Annotated[Path, typer.Argument(metavar="FILE", help="Workflow (.yaml, .json).")]
Input = Annotated[
    str | None,
    typer.Option("--input", metavar="JSON|@FILE", help="Input of the workflow."),
]
Servers = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Inventory of servers; default servers.yaml."),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Show what would run; start nothing.")
]
Detach = Annotated[
    bool, typer.Option("--detach", "-d", help="Print the execution id and return.")
]
NewId = Annotated[
    str | None,
    typer.Option("--execution-id", metavar="ID", help="Id of the execution."),
]
Lines = Annotated[
    bool, typer.Option("--lines", help="Print log lines instead of the live tree.")
]


def build() -> typer.Typer:
    """Return the group of commands."""
    app = typer.Typer(
        help="Run graphs of events: workflows.",
        no_args_is_help=True,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    for command in (
        run, check, schema, show, graph, approve, reject, pause, resume, skip, retry,
        rerun, cancel,
    ):  # fmt: skip
        app.command()(command)
    return app


def run(
    file: File,
    input: Input = None,
    servers: Servers = None,
    dry_run: DryRun = False,
    detach: Detach = False,
    lines: Lines = False,
    as_json: AsJson = False,
    execution_id: NewId = None,
    config: Config = None,
    state_dir: StateDir = None,
) -> int:
    """Run a workflow and watch its nodes.

    On a terminal a tree shows each node with its last line; into a pipe go the lines
    themselves, each behind the name of its node. Ends with 0 on success, 1 when a node
    failed and nothing handled it, 124 on timeout, 130 when cancelled, 2 when the
    workflow is refused.

    Examples:

      cronium workflow run deploy.yaml --input '{"version": "1.4"}'

      cronium workflow run deploy.yaml --dry-run

      id=$(cronium workflow run deploy.yaml --detach) && cronium workflow show "$id"
    """
    from cli.graph_file import graph_of_file, request_of_graph
    from cli.run import new_execution_id

    request = request_of_graph(
        graph_of_file(file, servers),
        execution_id=execution_id or new_execution_id(),
        input=read_input(input),
    )
    return start(request, dry_run, detach, lines, as_json, config, state_dir)


def check(file: File, servers: Servers = None, as_json: AsJson = False) -> int:
    """Check a workflow file: shape, expressions, servers. Nothing is started.

    With --json it prints the workflow in its canonical form.

    Examples:

      cronium workflow check deploy.yaml
    """
    from cli.graph_file import graph_of_file

    spec = graph_of_file(file, servers)
    if as_json:
        print_json(spec.model_dump(mode="json", exclude_defaults=True))
    else:
        print(f"{file}: {len(spec.nodes)} nodes, no problems")
    return 0


def schema() -> int:
    """Print the JSON Schema of workflow files, for editors.

    Examples:

      cronium workflow schema > workflow.schema.json
    """
    from cli.graph_schema import graph_schema

    print_json(graph_schema())
    return 0


def show(
    execution_id: ExecutionId,
    as_json: AsJson = False,
    config: Config = None,
    state_dir: StateDir = None,
) -> int:
    """Show where the nodes of a run stand, or how they ended.

    Examples:

      cronium workflow show 0199c2ab5e7d4f…
    """

    async def work(client: "Client", stack: "Stack", handle: Handle) -> int:
        await show_run(stack, handle, as_json)
        return 0

    return with_run(execution_id, config, state_dir, work)


def graph(
    what: Annotated[str, typer.Argument(metavar="FILE|ID", help="Workflow or run.")],
    servers: Servers = None,
    config: Config = None,
    state_dir: StateDir = None,
) -> int:
    """Print the graph as Mermaid text; that of a run with the colours of its statuses.

    Examples:

      cronium workflow graph deploy.yaml

      cronium workflow graph 0199c2ab5e7d4f…
    """
    if Path(what).suffix in (".yaml", ".yml", ".json"):
        from cli.graph_file import graph_of_file
        from workflows.graphs.picture import mermaid

        print(mermaid(graph_of_file(Path(what), servers)))
        return 0

    async def work(client: "Client", stack: "Stack", handle: Handle) -> int:
        print(await handle.query("mermaid", result_type=str))
        return 0

    return with_run(what, config, state_dir, work)


def rerun(
    execution_id: ExecutionId,
    begin: Annotated[
        list[str] | None,
        typer.Option("--from", metavar="NODE", help="Run it anew; repeatable."),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("--file", metavar="FILE", help="The workflow as it is now."),
    ] = None,
    servers: Servers = None,
    dry_run: DryRun = False,
    detach: Detach = False,
    lines: Lines = False,
    as_json: AsJson = False,
    config: Config = None,
    state_dir: StateDir = None,
) -> int:
    """Run a workflow again from where it failed; earlier results are used again.

    What failed and was not handled runs anew, or what --from names, with all that
    comes after it. With --file, nodes that were edited run anew as well.

    Examples:

      cronium workflow rerun ID

      cronium workflow rerun ID --from upload --dry-run

      cronium workflow rerun ID --file deploy.yaml
    """
    found: list[GraphRequest] = []

    async def work(client: "Client", stack: "Stack", handle: Handle) -> int:
        found.append(await _rerun_request(handle, begin or [], file, servers))
        return 0

    with_run(execution_id, config, state_dir, work)
    return start(found[0], dry_run, detach, lines, as_json, config, state_dir)


async def _rerun_request(
    handle: Handle, start: list[str], file: Path | None, servers: Path | None
) -> "GraphRequest":
    from cli.graph_execution import OrderRefused, describe_running, order_of
    from cli.graph_file import graph_of_file, request_of_graph
    from cli.run import new_execution_id
    from workflows.graphs.rerun import reuse_of

    if await describe_running(handle):
        raise OrderRefused(
            "it is not over yet",
            hint="`cronium workflow retry` lets a node of a live run run again.",
        )
    order = await order_of(handle)
    result = await result_of(handle)
    spec = order.workflow if file is None else graph_of_file(file, servers)
    try:
        reuse = reuse_of(spec, order.workflow, result, start)
    except RequestRefused as error:
        raise problem_at("--from", str(error), hint=error.user_hint) from None
    return request_of_graph(
        spec,
        execution_id=new_execution_id(),
        input=order.input,
        user=order.user,
        priority=order.priority,
        reuse=reuse,
        rerun_of=order.execution_id,
    )
