"""HTTP events through the whole stack: workflow, activity, log, result."""

import asyncio
from typing import Any

from contracts.results import ExecutionResult, Status
from tests.http_servers import ok, serving
from tests.stack import Stack, event

TOKEN = "s3cr3t-t0k3n-of-http"


def http_event(url: str, **fields: Any) -> dict[str, Any]:
    http = {"url": url, **fields.pop("http", {})}
    return event(None, type="http_request", http=http, **fields)


async def test_an_http_event_gives_the_answer_as_output(stack: Stack) -> None:
    assert stack.settings.secrets.directory is not None
    (stack.settings.secrets.directory / "HTTP_TOKEN").write_text(TOKEN)
    async with serving(ok(b'{"n": 3}', "Content-Type: application/json")) as server:
        handle = await stack.start(
            http_event(
                server.url + "/{{ input.region }}",
                http={
                    "method": "POST",
                    "body": {"kind": "json", "content": {"a": 1}},
                    "auth": {"kind": "bearer", "token": {"secret": "HTTP_TOKEN"}},
                },
            ),
            input={"region": "north"},
        )
        result: ExecutionResult = await handle.result()
    assert (result.status, result.exit_code) == (Status.SUCCESS, 0), result.error
    assert result.output["status"] == 200
    assert result.output["json"] == {"n": 3}
    assert server.seen[0].target == "/north"
    lines = [line["text"] for line in await stack.logs(result.execution_id)]
    assert f"> POST {server.url}/north" in lines
    history = (await handle.fetch_history()).to_json()
    assert TOKEN not in history + "".join(lines) + str(result)


async def test_an_answer_that_is_no_success_is_kept_and_tried_again(
    stack: Stack,
) -> None:
    async with serving(ok(b"not now", status="503 Service Unavailable")) as server:
        result = await stack.run(http_event(server.url, retries=1))
    assert (result.status, result.exit_code, result.attempts) == ("FAILURE", 1, 2)
    assert result.output["status"] == 503
    assert result.output["body"] == "not now"
    assert result.error is not None
    assert result.error.type == "HttpStatus"


async def test_a_private_address_is_refused_unless_it_is_allowed(stack: Stack) -> None:
    result = await stack.run(http_event("http://169.254.169.254/latest"))
    assert result.status is Status.FAILURE
    assert result.error is not None
    assert result.error.type == "HttpAddressRefused"


async def test_a_cancelled_request_ends_at_once(stack: Stack) -> None:
    asked = asyncio.Event()

    async def stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        await reader.read()
        writer.close()

    server = await asyncio.start_server(stall, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    handle = await stack.start(http_event(f"http://127.0.0.1:{port}/", retries=3))
    await asyncio.wait_for(asked.wait(), 20)
    await handle.cancel()
    async with asyncio.timeout(10):
        result: ExecutionResult = await handle.result()
    assert (result.status, result.exit_code) == (Status.CANCELLED, -2)
    server.close()
