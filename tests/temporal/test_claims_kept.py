"""A host drops what it knows of a run last, so that nothing of the run is left over."""

import os
from pathlib import Path

import pytest

from activities.claims import Claims
from activities.ledger import Entry, Ledger
from tests.temporal.scripted import Scripted


class Died(Exception):
    """Stands for a process that is killed at this line."""


async def test_a_death_while_a_run_is_forgotten_leaves_it_to_the_next_worker(
    server: Scripted, tmp_path: Path
) -> None:
    ledger = Ledger(tmp_path)
    ledger.write(
        Entry(
            run_key="k",
            workflow_id="of nobody",
            workflow_run="",
            activity_id="a",
            start_id="s",
        )
    )
    # Long ago: what was only just claimed is left alone.
    os.utime(tmp_path / "k.json", (0, 0))
    forgotten: list[str] = []

    def forget(key: str) -> None:
        forgotten.append(key)
        if len(forgotten) == 1:
            raise Died

    async def status(_: str) -> None:
        return None

    claims = Claims(server.client, ledger, status, "host", forget)
    with pytest.raises(Died):
        await claims.forget_settled(frozenset)
    await claims.forget_settled(frozenset)
    assert forgotten == ["k", "k"]
    assert list(ledger.entries()) == []
