"""A worker that hangs while it leaves is ended, and says where it hung."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HANGS = """
import asyncio, logging, time
from worker.leaving import leaves_after

async def polls_for_ever():
    await asyncio.Event().wait()

async def main():
    timer = leaves_after(0.5, asyncio.get_running_loop())
    working = asyncio.create_task(polls_for_ever())
    timer.start()
    await asyncio.sleep(0)
    {how}

logging.basicConfig(format="%(message)s")
asyncio.run(main())
print("left by itself")
"""


def left(how: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", HANGS.format(how=how)],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=Path(__file__).parents[2],
        env={"PATH": os.defpath},
    )


@pytest.mark.parametrize(
    "how", ["await working", "time.sleep(600)"], ids=["a task", "the loop"]
)
def test_whatever_hangs_the_process_ends(how: str) -> None:
    done = left(how)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("not done 0.5 s after the signal: leaving now")
    assert "polls_for_ever:6 > Event.wait:" in done.stderr


def test_who_is_done_in_time_is_left_alone() -> None:
    done = left("timer.cancel(); await asyncio.sleep(1)")
    assert (done.returncode, done.stdout, done.stderr) == (0, "left by itself\n", "")
