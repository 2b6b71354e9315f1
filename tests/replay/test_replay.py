"""Recorded histories go through today's workflow code, without any server."""

import inspect
import json
import re
import socket
from pathlib import Path

import pytest
import temporalio.workflow
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer, WorkflowReplayResult
from temporalio.workflow import NondeterminismError

import workflows
from contracts import names
from tests.replay.paths import PATHS
from tests.replay.record import HISTORIES, file_of, without_place
from worker.sandboxing import workflow_runner
from worker.temporal import data_converter

RECORDED = sorted(HISTORIES.rglob("*.json"))


def defined() -> dict[str, type]:
    """Every workflow of the package, by the name that clients start it with."""
    found = {}
    for value in vars(workflows).values():
        definition = inspect.isclass(
            value
        ) and temporalio.workflow._Definition.from_class(value)
        if definition:
            found[str(definition.name)] = value
    return found


def replayer(*, strict: bool = True) -> Replayer:
    return Replayer(
        workflows=list(defined().values()),
        data_converter=data_converter,
        workflow_runner=workflow_runner(strict=strict),
    )


async def replay(
    history: WorkflowHistory, *, strict: bool = True
) -> WorkflowReplayResult:
    return await replayer(strict=strict).replay_workflow(
        history, raise_on_replay_failure=False
    )


def read(file: Path) -> WorkflowHistory:
    text = file.read_text()
    started = json.loads(text)["events"][0]["workflowExecutionStartedEventAttributes"]
    # Ids of child workflows are made of it.
    return WorkflowHistory.from_json(started["workflowId"], text)


@pytest.mark.parametrize("strict", [True, False], ids=["strict", "as workers do"])
@pytest.mark.parametrize("file", RECORDED, ids=lambda f: f"{f.parent.name}/{f.stem}")
async def test_a_recorded_history_is_replayed(file: Path, strict: bool) -> None:
    result = await replay(read(file), strict=strict)
    assert result.replay_failure is None, (
        f"{file.stem}: {result.replay_failure}\nSee docs/changing-workflows.md."
    )


def test_every_workflow_has_histories_of_all_its_paths() -> None:
    assert set(defined()) == set(PATHS)
    missing = [
        f"{workflow}/{path}"
        for workflow, paths in PATHS.items()
        for path in paths
        if not file_of(workflow, path).exists()
    ]
    assert missing == [], "record them with `make histories`"


def test_the_paths_that_matter_are_there() -> None:
    wanted = {
        "success",
        "retry",
        "timeout",
        "cancel",
        "resume",
        "lost",
        "drain",
        "actions",
    }
    assert wanted <= set(PATHS[names.EVENT_WORKFLOW])


def test_no_history_says_where_it_was_recorded() -> None:
    for file in RECORDED:
        history = json.loads(file.read_text())
        assert history == without_place(history), file
        assert socket.gethostname() not in re.findall(r"[\w.-]+", file.read_text())


async def test_a_history_of_other_code_is_refused() -> None:
    file = file_of(names.EVENT_WORKFLOW, "retry")
    events = json.loads(file.read_text())
    for item in events["events"]:
        scheduled = item.get("activityTaskScheduledEventAttributes")
        if scheduled:
            scheduled["activityId"] = "another"
    changed = WorkflowHistory.from_json("changed", json.dumps(events))
    result = await replay(changed)
    assert isinstance(result.replay_failure, NondeterminismError)
