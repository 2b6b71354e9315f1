"""From a request to a session: environment, secrets, documents, labels, log."""

import asyncio
import shutil
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from activities.dialogue import Dialogue, Reports
from activities.hooks import Hooks
from activities.output import Output
from activities.session import Session
from contracts import names
from contracts.runs import RunRequest
from contracts.wire_text import json_bytes
from engines.channel import (
    ChannelRun,
    ChannelServer,
    channel_environment,
    event_context,
    new_token,
)
from engines.channel.run import ToolAction
from engines.docker import DockerEngine
from engines.places import Engine, SandboxSpec
from engines.secrets import SecretStore
from engines.ssh import SshEngine, SshPlace
from logstream import Redactor, RunLog, SpoolDirectory

TOKEN_NAME = "CRONIUM_EXECUTION_TOKEN"
UNREACHABLE = {
    "CRONIUM_NO_CHANNEL": "a script that runs as another user (runAs) has none"
}
# Output appears as it is written, and the sandbox's root is read-only.
BASE_ENV = {"PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"}


@dataclass(frozen=True, slots=True)
class SessionFactory(ABC):
    """Makes the sessions of one worker.

    Args:
        spools: Where log lines are kept until the gateway has them.
        secrets: Resolves references in the environment.
        host: Id of this host.
        log_cap: Bytes of log kept per run.
        channels: Opens the channel that each script talks through.
        states: Directory for what scripts say, out of every sandbox's reach.
        window: Seconds within which a worker may still come for a run whose own went
            away; the script's calls wait for it.
        tool_action: Does what scripts ask of the operator's tools; None: nothing.
    """

    spools: SpoolDirectory
    secrets: SecretStore
    host: str
    log_cap: int
    channels: ChannelServer
    states: Path
    window: float
    tool_action: ToolAction | None = None

    @abstractmethod
    def place(self, run: RunRequest) -> Engine:
        """Return where a run's sandbox is made."""

    @abstractmethod
    def socket_directory(self, run: RunRequest) -> Path:
        """Return the directory in which a run's channel listens on this host."""

    @abstractmethod
    async def given(self, run: RunRequest) -> dict[str, str]:
        """Return the variables that a script was started with; none when it is gone."""

    @abstractmethod
    def forget(self, run_key: str) -> None:
        """Remove what was made on this host beside a run's sandbox."""

    @property
    @abstractmethod
    def image(self) -> str:
        """The image of events that name none."""

    async def open(
        self, run: RunRequest, workflow: tuple[str, str], hooks: Hooks, *, resume: bool
    ) -> Session:
        """Return a session that has not begun.

        Args:
            run: What to run.
            workflow: Id and run id of the workflow that wants it.
            hooks: Whom the session tells what it did.
            resume: Whether the script may run already.

        Raises:
            SecretUnavailable: A named secret does not exist here.
        """
        # A script that runs already was given what is in its directory, whatever the
        # secrets' names mean by now: that is what must be masked.
        given = await self.given(run) if resume else {}
        plain, secret = await asyncio.to_thread(self._environment, run, given)
        # A script that runs already has its token.
        token = "" if resume else new_token()
        env = {
            **BASE_ENV,
            **plain,
            **secret,
            **_own_env(run),
            **self._channel_env(run, token),
        }
        known = token or given.get(TOKEN_NAME, "")
        redactor = Redactor([*secret.values(), known])
        spool = self.spools.open(run.run_key)

        def open_log() -> RunLog:
            return RunLog(
                execution_id=run.request.execution_id,
                target=run.target,
                attempt=run.attempt,
                dispatch=run.dispatch,
                spool=spool,
                redactor=redactor,
                cap_bytes=self.log_cap,
            )

        spec, output = self._spec(run, workflow, env), Output(open_log)
        dialogue = self._dialogue(run, token, output)
        place = self.place(run)
        return Session(run, spec, place, output, dialogue, self.host, hooks)

    def _channel_env(self, run: RunRequest, token: str) -> dict[str, str]:
        return (
            channel_environment(token, self.window) if _reachable(run) else UNREACHABLE
        )

    def _dialogue(self, run: RunRequest, token: str, output: Output) -> Dialogue:
        reports = Reports(output.say)
        context = event_context(
            run.request,
            attempt=run.attempt,
            max_attempts=run.max_attempts,
            started_at=time.time(),
        )
        return Dialogue(
            self.channels,
            ChannelRun(
                execution_id=run.request.execution_id,
                user=run.request.user,
                token=token,
                state_file=self.states / f"{run.run_key}.json",
                input=json_bytes(run.request.input),
                context=context,
                on_log=reports.log,
                on_progress=reports.advance,
                tool_action=self.tool_action,
            ),
            self.socket_directory(run),
            reports,
        )

    def _environment(
        self, run: RunRequest, given: dict[str, str]
    ) -> tuple[dict[str, str], dict[str, str]]:
        plain, secret = {}, {}
        for var in run.request.event.env:
            if var.secret is None:
                plain[var.name] = var.value or ""
            elif var.name in given:
                secret[var.name] = given[var.name]
            else:
                secret[var.name] = self.secrets.resolve(var.secret)
        return plain, secret

    def _spec(
        self, run: RunRequest, workflow: tuple[str, str], env: dict[str, str]
    ) -> SandboxSpec:
        event, request = run.request.event, run.request
        return SandboxSpec(
            run_key=run.run_key,
            event_type=event.type,
            script=event.script or "",
            resources=event.resources,
            network=event.network,
            image=event.image or self.image,
            env=env,
            documents={
                "input.json": json_bytes(request.input),
                "event.json": json_bytes(_event_document(run)),
            },
            labels={
                names.LABEL_RUN_KEY: run.run_key,
                names.LABEL_EXECUTION: request.execution_id,
                names.LABEL_EVENT: event.id,
                names.LABEL_TARGET: run.target,
                names.LABEL_TRY: str(run.attempt),
                names.LABEL_DISPATCH: str(run.dispatch),
                names.LABEL_WORKFLOW: workflow[0],
                names.LABEL_WORKFLOW_RUN: workflow[1],
                names.LABEL_ROLE: "run",
            },
        )


def _reachable(run: RunRequest) -> bool:
    """Whether a script can reach its channel: not one that runs as somebody else.

    sshd makes the socket as who logged in, where the other user cannot go. Without the
    variable the helper takes input and event from its files, and says so of the rest.
    """
    return run.server is None or run.server.run_as is None


def _own_env(run: RunRequest) -> dict[str, str]:
    event = run.request.event
    return {
        "CRONIUM_EXECUTION_ID": run.request.execution_id,
        "CRONIUM_EVENT_ID": event.id,
        "CRONIUM_EVENT_NAME": event.name,
        "CRONIUM_ATTEMPT": str(run.attempt),
        "CRONIUM_RUN_DIR": names.RUN_DIRECTORY,
        **_scheduled(run, "CRONIUM_SCHEDULED_FOR"),
    }


def _event_document(run: RunRequest) -> dict[str, Any]:
    event, request = run.request.event, run.request
    return {
        "id": event.id,
        "name": event.name,
        "type": event.type,
        "executionId": request.execution_id,
        "userId": request.user,
        "trigger": request.trigger,
        "attempt": run.attempt,
        "maxAttempts": run.max_attempts,
        "tags": event.tags,
        **_scheduled(run, "scheduledFor"),
    }


def _scheduled(run: RunRequest, name: str) -> dict[str, str]:
    """The time that a scheduled run stands for, which a backfill puts in the past."""
    moment = run.request.scheduled_for
    return {name: moment} if moment else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerSessions(SessionFactory):
    """Makes the sessions of one Docker host.

    Args:
        engine: Makes the containers.
    """

    engine: DockerEngine

    def place(self, run: RunRequest) -> Engine:
        """See base class."""
        return self.engine

    def socket_directory(self, run: RunRequest) -> Path:
        """See base class."""
        return self.engine.directories.parent / run.run_key

    def forget(self, run_key: str) -> None:
        """See base class."""
        # The directory goes with the container.

    async def given(self, run: RunRequest) -> dict[str, str]:
        """See base class."""
        return self.engine.directories.environment(run.run_key)

    @property
    def image(self) -> str:
        """See base class."""
        return self.engine.config.image


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSessions(SessionFactory):
    """Makes the sessions of scripts on servers.

    Args:
        engine: Reaches the servers.
        sockets: Directory for the sockets that servers' calls are brought to.
    """

    engine: SshEngine
    sockets: Path

    def place(self, run: RunRequest) -> SshPlace:
        """See base class."""
        assert run.server is not None, "only runs on servers come here"
        return self.engine.place(run.server, self.sockets)

    def socket_directory(self, run: RunRequest) -> Path:
        """See base class."""
        directory = self.sockets / run.run_key
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        return directory

    def forget(self, run_key: str) -> None:
        """See base class."""
        shutil.rmtree(self.sockets / run_key, ignore_errors=True)

    async def given(self, run: RunRequest) -> dict[str, str]:
        """See base class."""
        return await self.place(run).environment(run.run_key)

    @property
    def image(self) -> str:
        """See base class."""
        return ""
