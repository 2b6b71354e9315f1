"""What the workflow does when a host dies, drains, comes back or stays away."""

import asyncio
import time

import pytest

from contracts.errors import (
    EngineUnavailable,
    HostLost,
    HostNotReady,
    ImageMissing,
    LogStorageFull,
    SandboxInterrupted,
    ScriptNotStarted,
    WorkerDraining,
)
from contracts.results import Status
from tests.temporal.scripted import (
    FAILS,
    SUCCEEDS,
    Script,
    Scripted,
    dies_before_the_claim,
    ends,
    raises,
    runs_until_cancelled,
    vanishes,
)

DRAINS = raises(WorkerDraining(), started=True)


@pytest.mark.parametrize("leaves", [vanishes, DRAINS])
async def test_a_lost_host_that_answers_goes_on_with_the_run(
    leaves: object, server: Scripted
) -> None:
    script = Script(run=[leaves], resume=[FAILS])  # type: ignore[list-item]
    result, _ = await server.play(script)
    assert (result.status, result.exit_code, result.attempts) == (Status.FAILURE, 3, 1)
    assert len(script.runs) == 1
    assert script.resumes[0].run == script.runs[0]
    assert script.resumes[0].progress.lines == 3
    assert result.logs.stored == 11  # the resumed log counts from its beginning


async def test_a_host_may_be_lost_again_and_again(server: Scripted) -> None:
    script = Script(run=[vanishes], resume=[vanishes, DRAINS, vanishes, SUCCEEDS])
    result, _ = await server.play(script)
    assert (result.status, len(script.runs), len(script.resumes)) == ("SUCCESS", 1, 4)


async def test_a_host_that_stays_away_means_lost(server: Scripted) -> None:
    script = Script(run=[vanishes])
    result, _ = await server.play(script, answers=False, retries=3)
    assert (result.status, result.exit_code, len(script.runs)) == ("LOST", None, 1)
    assert result.error is not None
    assert result.error.type == "HostLost"
    assert "h1 stopped answering" in result.error.message
    assert "within 1 s" in result.error.message
    assert result.error.hint
    assert result.targets[0].host == "h1"
    assert result.logs.last_lines == ["three"]


async def test_an_idempotent_event_runs_again_elsewhere(server: Scripted) -> None:
    script = Script(run=[vanishes, SUCCEEDS])
    result, _ = await server.play(script, answers=False, idempotent=True)
    first, second = script.runs
    assert (result.status, result.attempts) == ("SUCCESS", 1)
    assert (first.dispatch, second.dispatch) == (1, 2)
    assert first.run_key != second.run_key
    # Of the lost run what was last heard of counts, so that no line is missed.
    assert result.logs.stored == 4 + 11


async def test_a_host_that_knows_of_no_start_lets_it_be_sent_out_again(
    server: Scripted,
) -> None:
    script = Script(
        run=[raises(WorkerDraining(), started=False), SUCCEEDS],
        resume=[raises(ScriptNotStarted())],
    )
    result, _ = await server.play(script)
    assert (result.status, len(script.runs)) == ("SUCCESS", 2)


async def test_a_host_that_finds_nothing_left_means_lost(server: Scripted) -> None:
    script = Script(run=[vanishes], resume=[raises(HostLost("no container"))])
    result, _ = await server.play(script)
    assert result.status == "LOST"
    assert result.error is not None
    assert result.error.message == "no container"


async def test_a_worker_that_dies_before_its_claim_has_started_nothing(
    server: Scripted,
) -> None:
    script = Script(run=[dies_before_the_claim, SUCCEEDS])
    result, _ = await server.play(script)
    assert (result.status, len(script.runs), script.resumes) == ("SUCCESS", 2, [])


async def test_an_engine_that_is_away_after_the_start_is_waited_for(
    server: Scripted,
) -> None:
    away = EngineUnavailable("Docker does not answer")
    script = Script(
        run=[raises(away, started=True)],
        resume=[raises(away), raises(away, started=True), SUCCEEDS],
        resume_window=20,
    )
    result, _ = await server.play(script)
    assert (result.status, len(script.runs), len(script.resumes)) == ("SUCCESS", 1, 3)


async def test_an_engine_that_stays_away_after_the_start_means_lost(
    server: Scripted,
) -> None:
    away = raises(EngineUnavailable(), started=True)
    script = Script(run=[away], resume=[away] * 50)
    result, _ = await server.play(script, retries=2)
    assert (result.status, len(script.runs)) == ("LOST", 1)


async def test_a_host_that_was_back_and_died_again_is_waited_for_anew(
    server: Scripted,
) -> None:
    # Each death is noticed only when the window is over: it is that short here, and
    # with a worker for everything it is over when no worker ran the workflow meanwhile.
    script = Script(run=[vanishes], resume=[dies_before_the_claim, SUCCEEDS])
    result, _ = await server.play(script)
    assert (result.status, len(script.runs), len(script.resumes)) == ("SUCCESS", 1, 2)


async def test_a_run_that_takes_its_host_down_each_time_is_lost_in_the_end(
    server: Scripted,
) -> None:
    script = Script(run=[vanishes], resume=[dies_before_the_claim] * 50)
    result, _ = await server.play(script)
    assert (result.status, len(script.runs)) == ("LOST", 1)
    assert 4 <= len(script.resumes) < 10


@pytest.mark.parametrize("error", [EngineUnavailable(), LogStorageFull()])
async def test_trouble_before_the_start_is_tried_again(
    error: EngineUnavailable, server: Scripted
) -> None:
    script = Script(run=[raises(error), raises(error, started=False), SUCCEEDS])
    result, _ = await server.play(script)
    assert (result.status, result.attempts, len(script.runs)) == ("SUCCESS", 1, 3)
    assert len({run.run_key for run in script.runs}) == 3
    # Notices that were written before the trouble are part of the log.
    assert result.logs.stored == 4 + 11


async def test_a_host_that_is_not_ready_holds_a_run_up_for_seconds_at_most(
    server: Scripted,
) -> None:
    script = Script(run=[raises(HostNotReady("Docker hangs"))] * 4 + [SUCCEEDS])
    begin = time.monotonic()
    result, _ = await server.play(script)
    assert (result.status, len(script.runs)) == ("SUCCESS", 5)
    assert time.monotonic() - begin < 20  # 1 + 2 + 3 + 3 s, and some of overhead


async def test_trouble_that_does_not_pass_is_a_failure(server: Scripted) -> None:
    script = Script(run=[raises(ImageMissing("no such image"))])
    result, _ = await server.play(script)
    assert (result.status, len(script.runs)) == ("FAILURE", 1)
    assert result.error is not None
    assert result.error.type == "ImageMissing"


@pytest.mark.parametrize(("idempotent", "runs"), [(False, 1), (True, 2)])
async def test_a_script_that_the_engine_took_down_runs_again_only_if_it_may(
    idempotent: bool, runs: int, server: Scripted
) -> None:
    down = ends(Status.FAILURE, 137, error=SandboxInterrupted().info)
    script = Script(run=[down, SUCCEEDS])
    result, _ = await server.play(script, idempotent=idempotent)
    assert len(script.runs) == runs
    assert result.status == ("SUCCESS" if idempotent else "FAILURE")


async def test_retries_cover_a_script_that_the_engine_took_down(
    server: Scripted,
) -> None:
    down = ends(Status.FAILURE, 137, error=SandboxInterrupted().info)
    script = Script(run=[down, SUCCEEDS])
    result, _ = await server.play(script, retries=1)
    assert (result.status, result.attempts) == ("SUCCESS", 2)


async def test_a_cancel_stops_a_run_whose_worker_died(server: Scripted) -> None:
    script = Script(run=[vanishes], resume=[ends(Status.CANCELLED, -2)])
    async with server.following(script):
        handle = await server.start(script, retries=2)
        await script.called.wait()
        await handle.cancel()
        result = await asyncio.wait_for(handle.result(), 30)
    assert result.status == "CANCELLED"
    assert [order.cancel for order in script.resumes] == [True]


async def test_a_cancel_does_not_wait_long_for_a_host_that_is_away(
    server: Scripted,
) -> None:
    script = Script(run=[vanishes], resume_window=3600)
    async with server.following(script, answers=False):
        handle = await server.start(script)
        async with asyncio.timeout(30):
            while "waiting for it" not in str(await handle.query("progress")):  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        await handle.cancel()
        # The host is back just in time: it is told to stop the run.
        script.resume = [runs_until_cancelled]
        async with server.host_back(script):
            result = await asyncio.wait_for(handle.result(), 30)
    assert (result.status, len(script.resumes)) == ("CANCELLED", 1)


async def test_a_cancel_ends_though_the_host_never_comes_back(
    server: Scripted,
) -> None:
    script = Script(run=[vanishes], resume_window=2)
    async with server.following(script, answers=False):
        handle = await server.start(script, idempotent=True)
        await script.called.wait()
        await handle.cancel()
        result = await asyncio.wait_for(handle.result(), 30)
    assert (result.status, result.exit_code, len(script.runs)) == ("CANCELLED", -2, 1)
    assert result.error is not None
    assert "stopped when the host is back" in result.error.message


async def test_a_cancel_of_a_running_script_is_its_own_end(server: Scripted) -> None:
    script = Script(run=[runs_until_cancelled])
    async with server.following(script):
        handle = await server.start(script, retries=3)
        await script.called.wait()
        await handle.cancel()
        result = await asyncio.wait_for(handle.result(), 30)
    assert (result.status, len(script.runs)) == ("CANCELLED", 1)


async def test_a_cancel_that_comes_as_the_script_fails_starts_no_other_try(
    server: Scripted,
) -> None:
    async def fails_when_cancelled(run: object) -> object:
        with_outcome = runs_until_cancelled(run)  # type: ignore[arg-type]
        await with_outcome
        return await FAILS(run)  # type: ignore[arg-type]

    script = Script(run=[fails_when_cancelled, SUCCEEDS])  # type: ignore[list-item]
    async with server.following(script):
        handle = await server.start(script, retries=3)
        await script.called.wait()
        await handle.cancel()
        result = await asyncio.wait_for(handle.result(), 30)
    assert (result.status, len(script.runs)) == ("FAILURE", 1)


@pytest.mark.parametrize(("method", "runs"), [("GET", 2), ("POST", 1)])
async def test_a_request_that_was_sent_is_sent_again_only_if_it_may_be(
    method: str, runs: int, server: Scripted
) -> None:
    script = Script(run=[vanishes, SUCCEEDS])
    http = {"method": method, "url": "http://127.0.0.1/"}
    result, _ = await server.play(script, http=http)
    assert (len(script.runs), script.resumes) == (runs, [])
    assert result.status == ("SUCCESS" if method == "GET" else "LOST")
    if result.error is not None:
        assert "became of the request" in result.error.message


async def test_a_request_that_was_not_sent_is_sent_elsewhere(server: Scripted) -> None:
    script = Script(run=[raises(WorkerDraining(), started=False), SUCCEEDS])
    http = {"method": "POST", "url": "http://127.0.0.1/"}
    result, _ = await server.play(script, http=http)
    assert (result.status, len(script.runs)) == ("SUCCESS", 2)
