"""What the SDK's strict sandbox would cost a worker for each run."""

import json
import time
from pathlib import Path

from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer

from bench.measures import Row
from worker.sandboxing import workflow_runner
from worker.temporal import data_converter
from workflows import ALL

RECORDED = Path(__file__).parents[1] / "tests/histories/EventWorkflow/success.json"


async def workflow_code(rounds: int) -> Row:
    """Processor time of one run's workflow code, replayed from a recorded history."""
    ours, strict = [await _replayed(rounds, strict=strict) for strict in (False, True)]
    return Row(
        "Workflow code of a run, processor time",
        f"{ours:.0f} ms",
        f"{strict:.0f} ms strict sandbox",
        f"{ours / strict:.2f} ×",
        "–",
        None,
    )


async def _replayed(rounds: int, *, strict: bool) -> float:
    """Return the milliseconds that one replay takes, of so many."""
    text = RECORDED.read_text()
    started = json.loads(text)["events"][0]["workflowExecutionStartedEventAttributes"]
    history = WorkflowHistory.from_json(started["workflowId"], text)
    replayer = Replayer(
        workflows=ALL,
        data_converter=data_converter,
        workflow_runner=workflow_runner(strict=strict),
    )
    # The first imports what both import once.
    await replayer.replay_workflow(history)
    begin = time.process_time()
    for _ in range(rounds):
        await replayer.replay_workflow(history)
    return (time.process_time() - begin) / rounds * 1000
