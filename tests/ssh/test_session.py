"""The same session that drives containers drives servers: log, result, take-over."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from activities.dialogue import Dialogue, Reports
from activities.hooks import DetachedError, Hooks
from activities.output import Output
from activities.session import Session
from contracts.errors import HostLost, ScriptNotStarted
from contracts.results import Status
from contracts.runs import RunOutcome, RunProgress, RunRequest
from engines.channel import ChannelRun, ChannelServer, new_token
from engines.channel.run import channel_environment
from engines.ssh import SshEngine
from logstream import Redactor, RunLog, SpoolDirectory
from tests.ssh.conftest import engine_with, spec_of
from tests.ssh.ground import Server
from tests.unit.channel import MemoryVariables


@dataclass
class Worker:
    """What one worker process has; another one on the same directory takes over."""

    engine: SshEngine
    server: Server
    directory: Path
    token: str
    key: str = "k" * 32
    released: list[Any] = field(default_factory=list)

    def session(self, script: str, *, resume: bool = False, **event: Any) -> Session:
        run = RunRequest.model_validate(
            {
                "request": {
                    "executionId": "x1",
                    "event": {
                        "id": "e1",
                        "name": "e1",
                        "type": "bash",
                        "script": script,
                        **event,
                    },
                },
                "target": "s1",
                "attempt": 1,
                "maxAttempts": 1,
                "runKey": self.key,
            }
        )
        spools = SpoolDirectory(self.directory / "spool")
        spool = spools.open(self.key)

        def open_log() -> RunLog:
            return RunLog(
                execution_id="x1",
                target="s1",
                attempt=1,
                spool=spool,
                redactor=Redactor([self.token]),
            )

        channels = self.directory / "channels"
        (channels / self.key).mkdir(parents=True, exist_ok=True)
        output = Output(open_log)
        reports = Reports(output.say)
        known = ChannelRun(
            execution_id="x1",
            user="local",
            token="" if resume else self.token,
            state_file=self.directory / "state.json",
            input=b'{"n": 41}',
            on_log=reports.log,
            on_progress=reports.advance,
        )
        dialogue = Dialogue(
            ChannelServer(MemoryVariables()), known, channels / self.key, reports
        )
        self.output = output
        hooks = Hooks(
            started=lambda: None,
            settled=lambda outcome: None,
            release=self.released.append,
        )
        spec = spec_of(
            script,
            run_key=self.key,
            env={"CRONIUM_EXECUTION_ID": "x1", **channel_environment(self.token, 0)},
        )
        place = self.engine.place(self.server.spec(), channels)
        return Session(run, spec, place, output, dialogue, "h1", hooks)  # type: ignore[arg-type]


async def claim() -> None:
    """Nobody else wants the run."""


@pytest.fixture
def worker(engine: SshEngine, server: Server, tmp_path: Path) -> Worker:
    return Worker(engine, server, tmp_path, new_token())


async def ended(worker: Worker, outcome: RunOutcome) -> RunOutcome:
    for sandbox in worker.released:
        await worker.engine.place(worker.server.spec()).remove(sandbox)
    left = worker.server.run("ls", "/home/plain/.cronium/runs")
    assert worker.key not in left
    return outcome


async def test_a_script_runs_talks_and_returns_a_result(worker: Worker) -> None:
    script = (
        "echo one; echo two >&2; n=$(cronium.input | python3 -c "
        "'import json, sys; print(json.load(sys.stdin)[\"n\"] + 1)')\n"
        "echo '{\"answer\": '$n'}' | cronium.output >/dev/null; echo three"
    )
    outcome = await ended(worker, await worker.session(script).run(claim))
    assert (outcome.status, outcome.exit_code) == (Status.SUCCESS, 0), outcome.logs
    assert outcome.output == {"answer": 42}
    assert outcome.logs.lines == 3
    assert outcome.durations.setup_ms > 0


async def test_a_script_that_runs_too_long_is_timed_out(worker: Worker) -> None:
    session = worker.session("sleep 341", timeoutSeconds=1, graceSeconds=1)
    outcome = await ended(worker, await session.run(claim))
    assert (outcome.status, outcome.exit_code) == (Status.TIMEOUT, -1)
    assert worker.server.processes("sleep 341") == []


async def test_a_cancelled_script_is_gone(worker: Worker) -> None:
    session = worker.session("echo up; sleep 342", graceSeconds=1)
    running = asyncio.ensure_future(session.run(claim))
    await until(lambda: session.progress().lines == 1)
    session.stop()
    outcome = await ended(worker, await running)
    assert (outcome.status, outcome.exit_code) == (Status.CANCELLED, -2)
    assert worker.server.processes("sleep 342") == []


async def test_the_next_worker_goes_on_with_every_line_once(worker: Worker) -> None:
    script = (
        "for n in $(seq 1 30); do echo $n; sleep 0.1; done\n"
        "echo '\"late\"' | cronium.output >/dev/null; exit 3"
    )
    session = worker.session(script)
    running = asyncio.ensure_future(session.run(claim))
    await until(lambda: session.progress().lines >= 5)
    session.detach()
    with pytest.raises(DetachedError):
        await running
    progress = session.progress()
    await worker.engine.close()
    worker.engine = engine_with()
    again = worker.session(script, resume=True)
    outcome = await ended(worker, await again.resume(progress, was_started=True))
    assert (outcome.status, outcome.exit_code) == (Status.FAILURE, 3)
    assert outcome.output == "late"
    assert outcome.logs.lines == 30
    await worker.engine.close()
    assert lines_in(worker.directory / "spool") == [str(n) for n in range(1, 31)]


@pytest.mark.parametrize("was_started", [True, False])
async def test_the_log_of_a_run_of_which_nothing_is_left_ends(
    worker: Worker, was_started: bool
) -> None:
    """It would lie on the disk, whole at the gateway, until somebody looked for it."""
    session = worker.session("true", resume=True)
    nothing = RunProgress(host="h1", sandbox="", phase="setup")
    with pytest.raises(HostLost if was_started else ScriptNotStarted):
        await session.resume(nothing, was_started=was_started)
    assert SpoolDirectory(worker.directory / "spool").spools[worker.key].completed


def lines_in(directory: Path) -> list[str]:
    """What the script wrote to stdout, as it lies in the spool."""
    spool, found = SpoolDirectory(directory).spools["k" * 32], []
    for _, payload in spool.read(0, 1 << 20):
        batch = json.loads(payload or b"{}")  # an empty record says: complete
        if batch.get("stream") == "stdout":
            found += batch["lines"]
    return found


async def until(true: Callable[[], bool], seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.05)
