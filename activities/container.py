"""`run_container`: one try in one sandbox, under Temporal's eyes."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import orjson
from temporalio import activity
from temporalio.client import AsyncActivityCancelledError, Client
from temporalio.service import RPCError

from activities.failures import application_error
from activities.session import Session
from contracts import names
from contracts.errors import (
    CroniumError,
    EngineUnavailable,
    LogStorageFull,
    StaleAttempt,
    WorkerDraining,
)
from contracts.runs import RUN_CONTAINER, RunOutcome, RunRequest
from engines.docker import DockerEngine, SandboxSpec
from engines.secrets import SecretStore
from logstream import Redactor, RunLog, SpoolDirectory

logger = logging.getLogger(__name__)

CLAIM_SECONDS = 20.0
# Output appears as it is written, and the sandbox's root is read-only.
BASE_ENV = {"PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"}


@dataclass
class ContainerActivities:
    """The activities of one Docker host.

    Args:
        engine: Makes the sandboxes.
        spools: Where log lines are kept until the gateway has them.
        secrets: Resolves references in the environment.
        client: Temporal, for the claim that must be durable before the start.
        host: Id of this host.
        heartbeat_interval: Seconds between two signs of life.
        log_cap: Bytes of log kept per try.
        not_ready: Returns why this host takes no runs, or None.
        observe: Told each outcome, for the metrics.
    """

    engine: DockerEngine
    spools: SpoolDirectory
    secrets: SecretStore
    client: Client
    host: str
    heartbeat_interval: float
    log_cap: int
    not_ready: Callable[[], str | None] = lambda: None
    observe: Callable[[RunOutcome], None] = lambda _: None
    active: dict[str, Session] = field(default_factory=dict)

    def claimed(self) -> frozenset[str]:
        """Return the run keys of the sandboxes that somebody is working on."""
        return frozenset(self.active)

    @activity.defn(name=RUN_CONTAINER.name)
    async def run_container(self, run: RunRequest) -> RunOutcome:
        """Run one try; its outcome is a result, whatever the exit code.

        Raises:
            ApplicationError: The script was not started; `type` says why.
        """
        try:
            session = self._session(run)
        except CroniumError as error:
            raise application_error(error) from error
        self.active[run.run_key] = session
        try:
            outcome = await self._supervise(session)
        except CroniumError as error:
            raise application_error(error) from error
        finally:
            del self.active[run.run_key]
        self.observe(outcome)
        return outcome

    async def _supervise(self, session: Session) -> RunOutcome:
        token = activity.info().task_token

        async def claim() -> None:
            # A plain heartbeat is queued; this call returns when the server has it.
            handle = self.client.get_async_activity_handle(task_token=token)
            try:
                await asyncio.wait_for(
                    handle.heartbeat(session.progress()), CLAIM_SECONDS
                )
            except AsyncActivityCancelledError:
                session.stop()
            except (TimeoutError, RPCError) as error:
                raise StaleAttempt(
                    "Temporal did not confirm that this host owns the try"
                ) from error

        working = asyncio.ensure_future(session.run(claim))
        beating = asyncio.ensure_future(self._beat(session))
        draining = False
        try:
            await asyncio.shield(working)
        except asyncio.CancelledError:
            details = activity.cancellation_details()
            draining = details is not None and details.worker_shutdown
            session.stop()
            # Finished first, so that the container is gone when the run is.
            await asyncio.wait([working])
        finally:
            beating.cancel()
        if draining:
            raise WorkerDraining("the worker was stopped while the script ran")
        return working.result()

    async def _beat(self, session: Session) -> None:
        while True:
            activity.heartbeat(session.progress())
            await asyncio.sleep(self.heartbeat_interval)

    def _session(self, run: RunRequest) -> Session:
        problem = self.not_ready()
        if problem is not None:
            raise EngineUnavailable(f"this host takes no runs: {problem}")
        if self.spools.full:
            raise LogStorageFull
        plain, secret = self._environment(run)
        log = RunLog(
            execution_id=run.request.execution_id,
            target=run.target,
            attempt=run.attempt,
            spool=self.spools.open(run.run_key),
            redactor=Redactor(secret.values()),
            cap_bytes=self.log_cap,
        )
        spec = self._spec(run, {**BASE_ENV, **plain, **secret, **_own_env(run)})
        return Session(run, spec, self.engine, log, self.host)

    def _environment(self, run: RunRequest) -> tuple[dict[str, str], dict[str, str]]:
        plain, secret = {}, {}
        for var in run.request.event.env:
            if var.secret is not None:
                secret[var.name] = self.secrets.resolve(var.secret)
            else:
                plain[var.name] = var.value or ""
        return plain, secret

    def _spec(self, run: RunRequest, env: dict[str, str]) -> SandboxSpec:
        event, request = run.request.event, run.request
        return SandboxSpec(
            run_key=run.run_key,
            event_type=event.type,
            script=event.script or "",
            resources=event.resources,
            network=event.network,
            image=event.image or self.engine.config.image,
            env=env,
            documents={
                "input.json": orjson.dumps(request.input),
                "event.json": orjson.dumps(_event_document(run)),
            },
            labels={
                names.LABEL_RUN_KEY: run.run_key,
                names.LABEL_EXECUTION: request.execution_id,
                names.LABEL_EVENT: event.id,
                names.LABEL_TARGET: run.target,
                names.LABEL_TRY: str(run.attempt),
                names.LABEL_ROLE: "run",
            },
        )


def _own_env(run: RunRequest) -> dict[str, str]:
    event = run.request.event
    return {
        "CRONIUM_EXECUTION_ID": run.request.execution_id,
        "CRONIUM_EVENT_ID": event.id,
        "CRONIUM_EVENT_NAME": event.name,
        "CRONIUM_ATTEMPT": str(run.attempt),
        "CRONIUM_RUN_DIR": names.RUN_DIRECTORY,
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
    }
