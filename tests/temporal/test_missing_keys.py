"""A worker that cannot read what it is sent costs time, and no try of anything.

What the SDK says then is played by a scripted host; real workers with real key files
are in test_encryption.
"""

from typing import Any

from temporalio.exceptions import ApplicationError

from contracts.encryption_errors import EncryptionKeyMissing
from contracts.results import Status
from contracts.runs import RunOutcome, RunRequest
from tests.temporal.scripted import (
    SUCCEEDS,
    Script,
    Scripted,
    arrives,
    vanishes,
)
from tests.temporal.test_actions import callback
from workflows.patience import OTHER_ENGINE_TRIES


async def cannot_read(what: Any) -> Any:
    """Fail as the SDK does when the codec raises."""
    missing = EncryptionKeyMissing("the encryption key k9 is not here")
    below = ApplicationError(str(missing), type=missing.type)
    raise ApplicationError("Failed decoding arguments") from below


async def cannot_read_run(run: RunRequest) -> RunOutcome:
    outcome: RunOutcome = await cannot_read(run)
    return outcome


async def test_a_run_is_sent_out_again_until_somebody_can_read_it(
    server: Scripted,
) -> None:
    # More often than other trouble of an engine is forgiven.
    locked = [cannot_read_run] * (OTHER_ENGINE_TRIES + 1)
    result, _ = await server.play(Script(run=[*locked, SUCCEEDS]))
    assert result.status is Status.SUCCESS
    assert result.targets[0].attempts == 1, "no try of the event is used up"


async def test_a_resumption_is_asked_for_again(server: Scripted) -> None:
    script = Script(
        run=[vanishes], resume=[cannot_read_run, SUCCEEDS], resume_window=30
    )
    result, _ = await server.play(script)
    assert result.status is Status.SUCCESS
    assert len(script.resumes) == 2


async def test_an_action_is_done_when_its_worker_can_read_it(server: Scripted) -> None:
    script = Script(run=[SUCCEEDS], hand=[cannot_read, arrives])
    result, _ = await server.play(script, actions=[callback("always", retries=0)])
    assert [row.status for row in result.actions] == [Status.SUCCESS]
    assert len(script.handed) == 2
