"""`cronium run`: run an event, a script or code, and show it live."""

import asyncio
import json
import secrets
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.errors import exit_status, problem_at
from cli.event_file import RunOptions, request_of_code, request_of_file
from cli.lines import LinePrinter
from cli.options import AsJson, Config, StateDir, load
from cli.outcome import print_result
from cli.terminal import note, notes
from contracts.events import EventRequest

if TYPE_CHECKING:
    from cli.stack import Stack
    from contracts.results import ExecutionResult
    from worker.settings import Settings

File = Annotated[
    Path | None,
    typer.Argument(metavar="FILE", help="Event (.yaml, .json) or script."),
]
Code = Annotated[
    str | None, typer.Option("-c", metavar="CODE", help="Script given as text.")
]
Type = Annotated[str | None, typer.Option(help="bash, python or nodejs.")]
Name = Annotated[str | None, typer.Option(help="Name that people see.")]
Input = Annotated[
    str | None,
    typer.Option("--input", metavar="JSON|@FILE", help="Input of the script."),
]
Env = Annotated[
    list[str] | None,
    typer.Option("--env", "-e", metavar="NAME=VALUE", help="Variable; repeatable."),
]
SecretEnv = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME[=SECRET]", help="Variable with a secret that the worker knows."
    ),
]
Timeout = Annotated[
    str | None, typer.Option(metavar="TIME", help="Limit of each try: 30s, 5m, 1h30m.")
]
Retries = Annotated[int | None, typer.Option(help="Extra tries after a failed one.")]
NetworkOption = Annotated[str | None, typer.Option("--network", help="egress or none.")]
Image = Annotated[str | None, typer.Option(help="Image to run in.")]
Target = Annotated[
    list[str] | None,
    typer.Option(
        metavar="TARGET",
        help="Server to run on: NAME, group:G, tag:T, all, or user@host[:port]; "
        "repeatable.",
    ),
]
Servers = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Inventory of servers; default servers.yaml."),
]
Detach = Annotated[
    bool, typer.Option("--detach", "-d", help="Print the execution id and return.")
]
NewId = Annotated[
    str | None,
    typer.Option("--execution-id", metavar="ID", help="Id of the execution."),
]


def run(
    file: File = None,
    code: Code = None,
    type: Type = None,
    name: Name = None,
    input: Input = None,
    env: Env = None,
    secret_env: SecretEnv = None,
    timeout: Timeout = None,
    retries: Retries = None,
    network: NetworkOption = None,
    image: Image = None,
    target: Target = None,
    servers: Servers = None,
    as_json: AsJson = False,
    detach: Detach = False,
    execution_id: NewId = None,
    config: Config = None,
    state_dir: StateDir = None,
) -> int:
    """Run a script in a sandbox, or on servers, and show its lines live.

    Ends with 0 on success, with the script's own code when it fails, 124 on timeout,
    130 when cancelled, 2 when the request is refused; with 100 + n, at most 255, when
    n of several servers failed.

    Examples:

      cronium run examples/hello.sh

      cronium run -c 'print(6 * 7)' --type python

      cronium run event.yaml --input '{"name": "Ada"}' --env MODE=fast --timeout 30s

      cronium run deploy.sh --target group:web --target root@10.0.0.9

      id=$(cronium run --detach backup.sh) && cronium logs -f "$id"
    """
    options = RunOptions(
        type=type,
        name=name,
        input=input,
        env=env or (),
        secret_env=secret_env or (),
        timeout=_seconds(timeout),
        retries=retries,
        network=network,
        image=image,
        targets=target or (),
        servers=servers,
    )
    request = _request(file, code, options, execution_id or new_execution_id())
    settings = load(config, state_dir)

    from cli.stack import find_or_start

    stack = find_or_start(settings, config)
    if detach:
        return asyncio.run(_detach(settings, stack, request))
    return asyncio.run(_attend(settings, stack, request, as_json))


def new_execution_id() -> str:
    """Return a fresh id; later ones sort after earlier ones."""
    return f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(10)}"


async def execute(
    settings: "Settings",
    stack: "Stack",
    request: EventRequest,
    printer: LinePrinter,
    *,
    table: bool = True,
) -> "ExecutionResult":
    """Run a request, print its lines, and a table of its result on stderr.

    Raises:
        CroniumError: It was refused, or there is no result.
    """
    from cli.execution import start

    execution = await start(settings, stack, request, note)
    result = await execution.attend(printer)
    if table:
        console = notes()
        console.print()
        links = execution.links(private=console.is_terminal)
        print_result(console, result, links)
    return result


async def _attend(
    settings: "Settings", stack: "Stack", request: EventRequest, as_json: bool
) -> int:
    # With --json, stdout has the result alone.
    stdout = sys.stderr.buffer if as_json else None
    printer = LinePrinter(
        stdout,
        colours=not notes().no_color,
        names=[server.name for server in request.event.servers],
    )
    result = await execute(settings, stack, request, printer, table=not as_json)
    if as_json:
        print(json.dumps(result.model_dump(mode="json"), ensure_ascii=False, indent=2))
    return exit_status(result)


async def _detach(settings: "Settings", stack: "Stack", request: EventRequest) -> int:
    from cli.execution import start

    execution = await start(settings, stack, request, note)
    for title, link in execution.links(private=sys.stderr.isatty()).items():
        note(f"{title}: {link}")
    print(request.execution_id)
    return 0


def _request(
    file: Path | None, code: str | None, options: RunOptions, execution_id: str
) -> EventRequest:
    if (file is None) == (code is None):
        raise problem_at("", "give either a FILE or -c CODE")
    if file is not None:
        return request_of_file(file, options, execution_id)
    assert code is not None
    return request_of_code(code, options, execution_id)


def _seconds(text: str | None) -> float | None:
    from worker.units import parse_duration

    if text is None:
        return None
    try:
        return parse_duration(text)
    except ValueError as error:
        raise problem_at("--timeout", str(error)) from None
