"""A host drops what it knows of a run last, so that nothing of the run is left over."""

import os
from pathlib import Path

import pytest
from temporalio.client import (
    Client,
    DescribeWorkflowInput,
    Interceptor,
    OutboundInterceptor,
    WorkflowExecutionDescription,
)

from activities.claims import Claims
from activities.ledger import Entry, Ledger
from tests.temporal.scripted import Scripted


class Died(Exception):
    """Stands for a process that is killed at this line."""


class Questions(Interceptor, OutboundInterceptor):
    """Counts how often Temporal is asked about which workflow."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:
        self.next = next
        return self

    async def describe_workflow(
        self, input: DescribeWorkflowInput
    ) -> WorkflowExecutionDescription:
        self.asked.append(input.id)
        return await super().describe_workflow(input)


def note(ledger: Ledger, path: Path, key: str, workflow: str) -> None:
    """Write an entry long ago: what was only just claimed is left alone."""
    ledger.write(
        Entry(
            run_key=key,
            workflow_id=workflow,
            workflow_run="",
            activity_id="a",
            start_id="s",
        )
    )
    os.utime(path / f"{key}.json", (0, 0))


async def status(_: str) -> None:
    return None


async def test_a_death_while_a_run_is_forgotten_leaves_it_to_the_next_worker(
    server: Scripted, tmp_path: Path
) -> None:
    ledger = Ledger(tmp_path)
    note(ledger, tmp_path, "k", "of nobody")
    forgotten: list[str] = []

    def forget(key: str) -> None:
        forgotten.append(key)
        if len(forgotten) == 1:
            raise Died

    claims = Claims(server.client, ledger, status, "host", forget)
    with pytest.raises(Died):
        await claims.forget_settled(frozenset)
    await claims.forget_settled(frozenset)
    assert forgotten == ["k", "k"]
    assert list(ledger.entries()) == []


async def test_all_runs_of_a_workflow_that_is_closed_are_forgotten_at_one_question(
    server: Scripted, tmp_path: Path
) -> None:
    ledger, questions = Ledger(tmp_path), Questions()
    for number in range(50):
        note(ledger, tmp_path, f"k{number}", f"shard {number % 2}")
    client = Client(
        server.client.service_client,
        namespace=server.client.namespace,
        interceptors=[questions],
    )
    forgotten: list[str] = []
    claims = Claims(client, ledger, status, "host", forgotten.append)
    await claims.forget_settled(frozenset)
    assert len(forgotten) == 50
    assert sorted(questions.asked) == ["shard 0", "shard 1"]
