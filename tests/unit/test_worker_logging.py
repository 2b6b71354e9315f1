"""What an operator reads in the worker's log when an activity fails."""

import asyncio
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from temporalio import activity
from temporalio.exceptions import ApplicationError

from worker.logging import configure


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    filters = activity.logger.base_logger.filters[:]
    yield
    root.handlers[:], activity.logger.base_logger.filters[:] = handlers, filters
    root.setLevel(level)


def line_of(error: BaseException, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """Return what is logged when an activity ends with this error."""
    configure("json", "info")
    configure("json", "info")  # as often as one likes
    try:
        raise error
    except (Exception, asyncio.CancelledError):
        activity.logger.warning("Completing activity as failed", exc_info=True)
    (line,) = capsys.readouterr().err.splitlines()
    return dict(json.loads(line))


def test_a_failure_that_was_foreseen_is_one_line_with_its_words(
    capsys: pytest.CaptureFixture[str],
) -> None:
    error = ApplicationError("no TCP connection within 2 s: 100%", type="SshTimeout")
    line = line_of(error, capsys)
    assert line["event"].endswith("as failed: no TCP connection within 2 s: 100%")
    assert line["error_type"] == "SshTimeout"
    assert "exception" not in line


def test_an_activity_that_was_given_up_needs_no_traceback(
    capsys: pytest.CaptureFixture[str],
) -> None:
    line = line_of(asyncio.CancelledError("Activity cancelled"), capsys)
    assert line["event"].endswith("as failed: Activity cancelled")
    assert line["error_type"] == "CancelledError"
    assert "exception" not in line


def test_what_nobody_foresaw_keeps_its_traceback(
    capsys: pytest.CaptureFixture[str],
) -> None:
    line = line_of(ZeroDivisionError("at 3 a.m."), capsys)
    (found,) = line["exception"]
    assert found["exc_type"] == "ZeroDivisionError"
    assert found["frames"]
