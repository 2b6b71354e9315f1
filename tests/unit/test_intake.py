"""Slots of which only a few are asked for at a time."""

import asyncio
import threading
from types import SimpleNamespace
from typing import Any

import pytest
from temporalio.worker import SlotPermit

from worker.intake import Intake

ASKED: Any = SimpleNamespace()


def about(permit: SlotPermit) -> Any:
    return SimpleNamespace(permit=permit)


async def reserve(intake: Intake) -> SlotPermit:
    async with asyncio.timeout(5):
        return await intake.reserve_slot(ASKED)


async def waiting(intake: Intake) -> "asyncio.Task[SlotPermit]":
    """One who asks, and has to wait."""
    task = asyncio.create_task(intake.reserve_slot(ASKED))
    for _ in range(5):
        await asyncio.sleep(0)
    assert not task.done()
    return task


async def test_no_more_are_given_than_may_wait_to_be_begun() -> None:
    intake = Intake(100, ahead=2)
    first, _ = await reserve(intake), await reserve(intake)
    third = await waiting(intake)
    intake.mark_slot_used(about(first))
    await asyncio.wait_for(third, 5)
    await waiting(intake)


async def test_no_more_are_given_than_there_are() -> None:
    intake = Intake(2, ahead=10)
    permits = [await reserve(intake) for _ in range(2)]
    for permit in permits:
        intake.mark_slot_used(about(permit))
    third = await waiting(intake)
    intake.release_slot(about(permits[0]))
    await asyncio.wait_for(third, 5)


async def test_a_poll_that_brought_nothing_gives_its_slot_back() -> None:
    intake = Intake(1, ahead=1)
    intake.release_slot(about(await reserve(intake)))
    permit = await reserve(intake)
    assert intake.try_reserve_slot(ASKED) is None
    intake.mark_slot_used(about(permit))
    intake.release_slot(about(permit))
    assert intake.try_reserve_slot(ASKED) is not None


async def test_who_gives_up_waiting_takes_nobody_s_turn() -> None:
    intake = Intake(1, ahead=1)
    permit = await reserve(intake)
    leaving, staying = await waiting(intake), await waiting(intake)
    intake.release_slot(about(permit))
    # It was its turn, and it has not looked yet.
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    await asyncio.wait_for(staying, 5)


async def test_threads_of_the_sdk_may_give_slots_back() -> None:
    intake = Intake(3, ahead=1)
    given = 0

    async def use() -> None:
        nonlocal given
        for _ in range(50):
            permit = await reserve(intake)
            given += 1

            def end(permit: SlotPermit = permit) -> None:
                intake.mark_slot_used(about(permit))
                intake.release_slot(about(permit))

            thread = threading.Thread(target=end)
            thread.start()
            await asyncio.to_thread(thread.join)

    await asyncio.gather(*(use() for _ in range(8)))
    assert given == 400
