"""A sandbox that goes away while a worker takes its script over."""

import pytest

from activities.scripts import _or_lost
from contracts.errors import EngineUnavailable, HostLost, SandboxFailed
from contracts.runs import RunOutcome


async def test_a_sandbox_that_is_gone_says_nothing_of_how_its_script_ended() -> None:
    async def taking_over() -> RunOutcome:
        raise SandboxFailed("the container c was removed by somebody else")

    with pytest.raises(HostLost) as caught:
        await _or_lost(taking_over())
    assert caught.value.info.message == (
        "the container c was removed by somebody else, and nobody here has seen how "
        "its script ended"
    )
    assert not caught.value.info.retryable
    assert caught.value.info.hint


async def test_a_daemon_that_is_away_may_come_back() -> None:
    async def taking_over() -> RunOutcome:
        raise EngineUnavailable("Docker does not answer")

    with pytest.raises(EngineUnavailable):
        await _or_lost(taking_over())
