"""Output that hurts: floods, endless lines, bytes of every kind."""

import asyncio
import base64
import resource
from pathlib import Path
from typing import Any

import pytest

from contracts.results import Status
from tests.stack import Stack, event

MIB = 1 << 20
PAGE_SECONDS = 30.0


def rss() -> int:
    """Memory of this process, which holds worker and gateway, in bytes."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


class Whole:
    """Checks page by page that all numbers are there, dropped ones accounted for."""

    def __init__(self) -> None:
        self.entries = self.written = 0

    def add(self, lines: list[dict[str, Any]]) -> None:
        for line in lines:
            self.entries += 1
            assert line["seq"] == self.entries
            if line["stream"] == "stdout":
                assert line["streamSeq"] == self.written + max(1, line["dropped"])
                self.written = line["streamSeq"]


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("python3 -c 'print(\"\\n\" * 999_999)'", 0),
        ("head -c 200M /dev/zero | tr '\\0' x", 0),
        ("yes | head -n 200000", 0),
    ],
    ids=["a million empty lines", "200 MB without newline", "yes as fast as it can"],
)
async def test_a_flood_neither_fails_the_run_nor_fills_the_worker(
    script: str, code: int, stack: Stack
) -> None:
    before = rss()
    highest = before

    async def watch() -> None:
        nonlocal highest
        while True:
            highest = max(highest, rss())
            await asyncio.sleep(0.05)

    watching = asyncio.ensure_future(watch())
    result = await stack.run(event(script, resources={"memoryMb": 256, "cpus": 1}))
    whole = Whole()
    # A thousand pages take a slow machine its time; standing still is a fault.
    async with asyncio.timeout(PAGE_SECONDS) as limit:
        async for page in stack.pages(result.execution_id):
            whole.add(page)
            limit.reschedule(asyncio.get_running_loop().time() + PAGE_SECONDS)
    watching.cancel()
    assert result.exit_code == code
    assert whole.written == result.logs.lines
    assert whole.entries == result.logs.stored
    growth = (highest - before) / MIB
    print(f"{result.logs.bytes / MIB:.0f} MB written, memory grew by {growth:.0f} MB")
    # Worker, gateway and this reader are one process here.
    assert growth < 250


async def test_every_byte_comes_through_as_it_was(stack: Stack) -> None:
    written = (
        b"plain\n\x00nul\n\xff\xfe bad\n\x1b[31mred\x1b[0m \x1b]0;title\x07\n"
        b"over\rwrite\n" + "ü€😀".encode() + b"\n" + bytes(range(11, 256)) + b"\nend"
    )
    encoded = base64.b64encode(written).decode()
    result = await stack.run(event(f"echo {encoded} | base64 -d"))
    lines = await stack.logs(result.execution_id)
    seen = b"\n".join(
        base64.b64decode(line["raw"]) if line["raw"] else line["text"].encode()
        for line in lines
        if line["stream"] == "stdout"
    )
    assert seen == written
    assert result.logs.bytes == len(written)


async def test_two_megabytes_of_noise_end_well(stack: Stack) -> None:
    result = await stack.run(event("head -c 2M /dev/urandom"))
    assert result.status is Status.SUCCESS
    assert result.logs.bytes == 2 * MIB
    whole = Whole()
    whole.add(await stack.logs(result.execution_id))
    assert whole.written == result.logs.lines


async def test_not_one_line_of_many_short_runs_is_lost(stack: Stack) -> None:
    async def once(number: int) -> bool:
        result = await stack.run(event(f"printf 'run {number}'"))
        lines = await stack.logs(result.execution_id, timeout=60)
        out = [line["text"] for line in lines if line["stream"] == "stdout"]
        return out == [f"run {number}"]

    assert all(await asyncio.gather(*(once(number) for number in range(60))))


async def test_a_secret_is_masked_wherever_it_goes(
    stack: Stack,
) -> None:
    planted = "planted-4d1f-secret"
    assert stack.settings.secrets.directory is not None
    (stack.settings.secrets.directory / "API_TOKEN").write_text(planted + "\n")
    script = (
        "printf %s ${TOKEN:0:5}; sleep 0.3; echo ${TOKEN:5}; echo -n $TOKEN | base64; "
        "echo $TOKEN >&2; exit 3"
    )
    handle = await stack.start(
        event(script, env=[{"name": "TOKEN", "secret": "API_TOKEN"}])
    )
    result = await handle.result()
    lines = await stack.logs(result.execution_id)
    history = (await handle.fetch_history()).to_json()
    forms = (planted, base64.b64encode(planted.encode()).decode())
    for place in (str(lines), str(result), history):
        for form in forms:
            assert form not in place
    assert [line["text"] for line in lines if line["stream"] == "stdout"] == [
        "***",
        "***",
    ]
