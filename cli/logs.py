"""`cronium logs`: the log of an execution, whole or as it comes."""

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote

import typer

from cli.errors import EXIT_FAILURE, Interrupted, NotFound
from cli.follow import LogFollower, LogUnavailable, token
from cli.lines import LinePrinter
from cli.options import Config, ExecutionId, StateDir, load
from cli.terminal import below_interrupt, note, notes
from contracts.logs import LogLine
from contracts.names import execution_of

if TYPE_CHECKING:
    from cli.stack import Stack

PAGE_LINES = 1_000

Follow = Annotated[
    bool, typer.Option("--follow", "-f", help="Go on until the execution is over.")
]
FromSeq = Annotated[
    int, typer.Option("--from-seq", min=1, help="Number of the first line.")
]
JsonLines = Annotated[
    bool, typer.Option("--json", help="One JSON object per line, with its numbers.")
]
Link = Annotated[
    bool,
    typer.Option("--link", help="Print the address of the log page, with a token."),
]


class LeftUnread(Interrupted):
    """The user no longer follows a log."""

    def __init__(self, execution_id: str) -> None:
        super().__init__(
            below_interrupt("no longer following: this does not end the execution"),
            hint=f"`cronium cancel {execution_id}` does.",
        )


def logs(
    execution_id: ExecutionId,
    follow: Follow = False,
    from_seq: FromSeq = 1,
    as_json: JsonLines = False,
    link: Link = False,
    config: Config = None,
    state_dir: StateDir = None,
) -> int:
    """Show the log of an execution.

    Examples:

      cronium logs 0199c2ab5e7d4f… | grep ERROR

      cronium logs -f ID --json | jq -r .text

      cronium logs ID --link
    """
    from cli.stack import require

    stack = require(load(config, state_dir))
    wanted = execution_of(execution_id) or execution_id
    if link:
        # The fragment never leaves the browser, so no server log has the token.
        print(f"{stack.links(wanted, '')['Logs']}#token={token(stack, wanted)}")
        return 0
    printer = None if as_json else LinePrinter(colours=not notes().no_color)
    try:
        return asyncio.run(_show(stack, wanted, follow, from_seq, printer))
    except KeyboardInterrupt:
        if not follow:
            raise
        raise LeftUnread(wanted) from None
    finally:
        if printer is not None:
            printer.close()


async def _show(
    stack: "Stack",
    execution_id: str,
    follow: bool,
    from_seq: int,
    printer: LinePrinter | None,
) -> int:
    # Asked first in both cases: following waits for ids that nobody knows (yet).
    pages = _stored(stack, execution_id, from_seq)
    async for lines in pages:
        if not _print(lines, printer):
            return 0
        from_seq = lines[-1].seq + 1
    if not follow:
        return 0
    follower = LogFollower(stack, execution_id, from_seq)
    async for lines in follower.batches():
        if not _print(lines, printer):
            return 0
    if follower.end is not None and not follower.end.complete:
        note("some lines have not arrived: the worker still holds them")
        return EXIT_FAILURE
    return 0


async def _stored(
    stack: "Stack", execution_id: str, from_seq: int
) -> AsyncIterator[list[LogLine]]:
    """Yield what the gateway has now, page by page.

    Raises:
        NotFound: It does not know the execution.
        LogUnavailable: It does not answer, or refuses.
    """
    import httpx

    from cli.http import http_client

    url = f"{stack.gateway}/api/executions/{quote(execution_id, safe='')}/logs"
    headers = {"Authorization": f"Bearer {token(stack, execution_id)}"}
    async with http_client(stack.gateway, 30.0) as http:
        while True:
            parameters = {"fromSeq": from_seq, "limit": PAGE_LINES}
            try:
                answer = await http.get(url, params=parameters, headers=headers)
            except httpx.HTTPError as error:
                raise LogUnavailable(
                    f"the gateway does not answer at {stack.gateway}",
                    hint="Start it with `cronium dev` or `cronium gateway`.",
                ) from error
            if answer.status_code == 404:
                raise await _unknown(stack, execution_id)
            if not answer.is_success:
                raise LogUnavailable(f"the gateway refused ({answer.status_code})")
            page = answer.json()
            if not page["lines"]:
                return
            yield [LogLine.model_validate(line) for line in page["lines"]]
            from_seq = page["nextSeq"]


async def _unknown(stack: "Stack", execution_id: str) -> NotFound:
    import httpx

    from cli.follow import service_token
    from cli.http import http_client
    from cli.lookup import unknown

    headers = {"Authorization": f"Bearer {service_token(stack)}"}
    try:
        async with http_client(stack.gateway, 5.0) as http:
            answer = await http.get(
                f"{stack.gateway}/api/executions",
                params={"limit": 500},
                headers=headers,
            )
            known = [item["executionId"] for item in answer.json()["executions"]]
    except (httpx.HTTPError, ValueError, KeyError):
        known = []
    return unknown(execution_id, known)


def _print(lines: list[LogLine], printer: LinePrinter | None) -> bool:
    """Print lines; return whether anybody still reads."""
    if printer is not None:
        printer.print(lines)
        return not printer.reader_gone
    try:
        for line in lines:
            print(line.model_dump_json(), flush=True)
    except BrokenPipeError:
        return False
    return True
