"""The one way our processes end."""

import subprocess
import sys

import pytest

from worker.settings import child_environment


def ended(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=30,
        # Buffered, so that something is left to be flushed at the end.
        env=child_environment(PYTHONUNBUFFERED=""),
    )


@pytest.mark.parametrize("before", ["", "import temporalio.client\n"])
def test_output_and_exit_handlers_come_before_the_end(before: str) -> None:
    done = ended(
        f"{before}import atexit\nfrom worker.exit import leave\n"
        "atexit.register(lambda: print('written down'))\n"
        "print('said', end=' ')\nleave(7)\n"
    )
    assert (done.returncode, done.stdout, done.stderr) == (7, "said written down\n", "")


def test_a_reader_that_has_gone_changes_no_exit_status() -> None:
    done = ended(
        "import os, sys\nfrom worker.exit import leave\n"
        "reading, writing = os.pipe(); os.dup2(writing, 1); os.close(writing)\n"
        "os.close(reading)\nprint('x')\nleave(3)\n"
    )
    assert (done.returncode, done.stderr) == (3, "")
