"""What a worker counts, in the form of Prometheus: one registry per worker.

Labels have a bounded number of values: types, reasons, names of calls. No id of an
execution and no text that a user wrote is one.
"""

from collections import Counter as Counted
from collections.abc import Mapping
from importlib.metadata import version

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from engines.channel.watching import CallWatch
from engines.docker.watching import EngineWatch
from worker.metrics_jobs import JobMetrics

CALL_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 30)
OPERATION_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
PARTS = (
    *("temporal", "gateway", "docker", "isolation"),
    *("disk", "spool", "encryption", "worker"),
)
BREAKERS = ("closed", "open", "half-open")


class SandboxMetrics(EngineWatch):
    """Counts what is asked of the Docker Engine."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._operations = Histogram(
            "cronium_sandbox_operation_seconds",
            "Calls for sandboxes: `create` (with `pull` and network in it), `pull`, "
            "`start`, `remove`; those that failed as well.",
            ["operation"],
            buckets=OPERATION_SECONDS,
            registry=registry,
        )
        self._warm = Counter(
            "cronium_warm_sandboxes",
            "Jobs that found a sandbox started in advance (`taken`), or did not "
            "(`missed`).",
            ["outcome"],
            registry=registry,
        )
        for outcome in ("taken", "missed"):
            self._warm.labels(outcome)

    def took(self, operation: str, seconds: float) -> None:
        """See base class."""
        self._operations.labels(operation).observe(seconds)

    def adopted(self, *, warm: bool) -> None:
        """See base class."""
        self._warm.labels("taken" if warm else "missed").inc()


class HelperMetrics(CallWatch):
    """Counts what scripts ask of their helpers."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._calls = Counter(
            "cronium_helper_calls",
            "Calls of scripts' helpers. `outcome` is `ok`, or the status of the "
            "refusal.",
            ["call", "outcome"],
            registry=registry,
        )
        self._seconds = Histogram(
            "cronium_helper_call_seconds",
            "How long they took.",
            ["call"],
            buckets=CALL_SECONDS,
            registry=registry,
        )

    def answered(self, call: str, status: int, seconds: float) -> None:
        """See base class."""
        outcome = "ok" if status < 300 else str(status)
        self._calls.labels(call, outcome).inc()
        self._seconds.labels(call).observe(seconds)


class WorkerMetrics:
    """Everything of one worker, so that tests can run several in one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.jobs = JobMetrics(self.registry)
        self.sandboxes = SandboxMetrics(self.registry)
        self.helpers = HelperMetrics(self.registry)

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(f"cronium_{name}", text, labels, registry=self.registry)

        self.active = gauge("jobs_active", "Jobs under way in containers.")
        self.slots = gauge("job_slots", "Jobs that may be under way in containers.")
        self.warm = gauge("warm_sandboxes_waiting", "Sandboxes started in advance.")
        self.spool = gauge("spool_bytes", "Bytes of log on the worker's disk.")
        self.unacked = gauge(
            "spool_unacked_bytes", "Bytes of log that the gateway has not stored."
        )
        self.lag = gauge(
            "log_lag_seconds",
            "Age of the oldest line that the gateway has not stored; 0: none waits.",
        )
        self.relay = gauge("relay_connected", "1 when the gateway is connected.")
        self.spool_limit = gauge(
            "spool_limit_bytes", "At so many bytes of log no new job is taken."
        )
        self.refused = Counter(
            "cronium_relay_records_refused",
            "Records that the gateway would not store.",
            registry=self.registry,
        )
        self._ready = gauge(
            "ready",
            "1 when a part works; all but `gateway` must, to take jobs.",
            "part",
        )
        self.ssh_connections = gauge("ssh_connections", "Connections to servers.")
        self.ssh_servers = gauge(
            "ssh_servers",
            "Servers by state of their breaker: closed, open, half-open.",
            "state",
        )
        self.ssh_breaker = gauge(
            "ssh_breaker_open",
            "1 for each server that is left alone, 0.5 while it is tried again; the "
            "others have no series.",
            "server",
        )
        self.ssh_due = gauge(
            "ssh_servers_to_sweep", "Servers on which something may have been left."
        )
        for state in BREAKERS:
            self.ssh_servers.labels(state)
        build = gauge("build_info", "Always 1; the version of the executor.", "version")
        build.labels(version("cronium-executor")).set(1)

    def observe_readiness(self, problems: Mapping[str, str]) -> None:
        """Show which parts work."""
        for part in PARTS:
            self._ready.labels(part).set(part not in problems)

    def observe_servers(
        self, breakers: Mapping[str, str], connections: int, due: int
    ) -> None:
        """Show how the servers stand.

        Args:
            breakers: State of the breaker, by server.
            connections: How many there are.
            due: On how many servers something may have been left.
        """
        self.ssh_connections.set(connections)
        self.ssh_due.set(due)
        counted = Counted(breakers.values())
        for state in BREAKERS:
            self.ssh_servers.labels(state).set(counted[state])
        # Thousands of healthy servers need no series each.
        self.ssh_breaker.clear()
        for server, state in breakers.items():
            if state != "closed":
                self.ssh_breaker.labels(server).set(1 if state == "open" else 0.5)
