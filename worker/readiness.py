"""Which parts of a worker do not work, and whether that keeps it from taking runs."""

import asyncio
import logging
from dataclasses import dataclass, field
from datetime import timedelta

from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from logstream import Relay, SpoolDirectory
from worker.codec import KeyRing
from worker.host import ISOLATION, STARTING, DockerHost

logger = logging.getLogger(__name__)

CHECK_SECONDS = 5.0
CALL_SECONDS = 5.0
NO_ANSWER = frozenset(
    {
        RPCStatusCode.UNAVAILABLE,
        RPCStatusCode.DEADLINE_EXCEEDED,
        RPCStatusCode.CANCELLED,
        RPCStatusCode.UNKNOWN,
        # An API key that has expired.
        RPCStatusCode.UNAUTHENTICATED,
    }
)


@dataclass
class Readiness:
    """What `/ready` and the metrics say of the parts.

    Args:
        spools: Where log lines wait.
        relay: Carries them to the gateway.
        ring: The encryption keys.
        runs_scripts: Whether this worker has a Docker host.
    """

    spools: SpoolDirectory
    relay: Relay
    ring: KeyRing
    runs_scripts: bool
    host: DockerHost | None = None
    said: dict[str, str] = field(default_factory=dict)
    """Of parts that have nobody else to ask: `temporal` and `worker`."""

    def problems(self) -> dict[str, str]:
        """Return what keeps this worker from taking runs: part → reason."""
        found = dict(self.said)
        for part, problem in (
            ("spool", self.spools.backlog_problem),
            ("disk", self.spools.disk_problem),
            ("encryption", self.ring.problem),
        ):
            if problem is not None:
                found[part] = problem
        if self.runs_scripts:
            host = self.host
            problem = host.problem if host else STARTING
            if problem is not None:
                found[host.part if host else ISOLATION] = problem
        return found

    def warnings(self) -> dict[str, str]:
        """Return what does not work and keeps no run from being taken."""
        if self.relay.connected:
            return {}
        reason = self.relay.problem or "the connection broke off"
        return {"gateway": f"{reason}; lines wait in the spool"}

    async def watch_temporal(self, client: Client) -> None:
        """Note for ever whether Temporal answers; the SDK itself waits in silence."""
        while True:
            problem = await _problem_of(client)
            if problem is None:
                if self.said.pop("temporal", None):
                    logger.info("Temporal answers again")
            else:
                if "temporal" not in self.said:
                    logger.error("%s", problem)
                self.said["temporal"] = problem
            await asyncio.sleep(CHECK_SECONDS)


async def _problem_of(client: Client) -> str | None:
    limit = timedelta(seconds=CALL_SECONDS)
    try:
        # One slow answer is no outage.
        if await client.service_client.check_health(retry=True, timeout=limit):
            return None
        reason = "is not serving"
    except RPCError as error:
        if error.status not in NO_ANSWER:
            # It answers, even if it does not tell everybody how it is.
            return None
        reason = f"does not answer ({error.status.name})"
    except RuntimeError:
        reason = "does not answer"
    address = client.service_client.config.target_host
    return f"Temporal {reason} at {address}: check the server and TEMPORAL_ADDRESS"
