"""From a request to a session: environment, secrets, documents, labels, log."""

from dataclasses import dataclass
from typing import Any

import orjson

from activities.output import Output
from activities.session import Hooks, Session
from contracts import names
from contracts.runs import RunRequest
from engines.docker import DockerEngine, SandboxSpec
from engines.secrets import SecretStore
from logstream import Redactor, RunLog, SpoolDirectory

# Output appears as it is written, and the sandbox's root is read-only.
BASE_ENV = {"PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"}


@dataclass(frozen=True, slots=True)
class SessionFactory:
    """Makes the sessions of one host.

    Args:
        engine: Makes the sandboxes.
        spools: Where log lines are kept until the gateway has them.
        secrets: Resolves references in the environment.
        host: Id of this host.
        log_cap: Bytes of log kept per run.
    """

    engine: DockerEngine
    spools: SpoolDirectory
    secrets: SecretStore
    host: str
    log_cap: int

    def open(self, run: RunRequest, hooks: Hooks, *, resume: bool) -> Session:
        """Return a session that has not begun.

        Args:
            run: What to run.
            hooks: Whom the session tells what it did.
            resume: Whether the script may run already.

        Raises:
            SecretUnavailable: A named secret does not exist here.
        """
        plain, secret = self._environment(run, resume=resume)
        env = {**BASE_ENV, **plain, **secret, **_own_env(run)}
        redactor = Redactor(secret.values())
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

        output = Output(open_log)
        return Session(run, self._spec(run, env), self.engine, output, self.host, hooks)

    def _environment(
        self, run: RunRequest, *, resume: bool
    ) -> tuple[dict[str, str], dict[str, str]]:
        # A script that runs already was given what is in its directory, whatever the
        # secrets' names mean by now: that is what must be masked.
        given = self.engine.directories.environment(run.run_key) if resume else {}
        plain, secret = {}, {}
        for var in run.request.event.env:
            if var.secret is None:
                plain[var.name] = var.value or ""
            elif var.name in given:
                secret[var.name] = given[var.name]
            else:
                secret[var.name] = self.secrets.resolve(var.secret)
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
                names.LABEL_DISPATCH: str(run.dispatch),
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
