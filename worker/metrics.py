"""What the worker counts, in the form of Prometheus."""

from collections import Counter as Counted
from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from contracts.runs import RunOutcome

# From a short script to the longest that is allowed.
SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200, 86_400)


class WorkerMetrics:
    """One registry per worker, so that tests can run several in one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.runs = Counter(
            "cronium_runs",
            "Tries that ended, by status.",
            ["status"],
            registry=self.registry,
        )
        self.phases = Histogram(
            "cronium_run_phase_seconds",
            "How long the phases of a try took.",
            ["phase"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self.lines = Counter(
            "cronium_log_lines", "Lines that scripts wrote.", registry=self.registry
        )
        self.dropped = Counter(
            "cronium_log_lines_dropped",
            "Lines left out by the log cap.",
            registry=self.registry,
        )
        self.resumed = Counter(
            "cronium_runs_resumed",
            "Running scripts taken over from another worker process.",
            registry=self.registry,
        )
        self.active = Gauge(
            "cronium_runs_active", "Sandboxes under way.", registry=self.registry
        )
        self.slots = Gauge(
            "cronium_run_slots",
            "Sandboxes that may be under way at once.",
            registry=self.registry,
        )
        self.spool = Gauge(
            "cronium_spool_bytes",
            "Log bytes kept until the gateway has them.",
            registry=self.registry,
        )
        self.relay = Gauge(
            "cronium_relay_connected",
            "1 when the gateway is connected.",
            registry=self.registry,
        )

        self.ssh_connections = Gauge(
            "cronium_ssh_connections",
            "Connections to servers.",
            registry=self.registry,
        )
        self.ssh_servers = Gauge(
            "cronium_ssh_servers",
            "Servers by state of their breaker: closed, open, half-open.",
            ["state"],
            registry=self.registry,
        )
        self.ssh_breaker = Gauge(
            "cronium_ssh_breaker_open",
            "1 for each server that is left alone, 0.5 while it is tried again; the "
            "others have no series.",
            ["server"],
            registry=self.registry,
        )
        self.ssh_due = Gauge(
            "cronium_ssh_servers_to_sweep",
            "Servers on which something may have been left.",
            registry=self.registry,
        )

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
        for state in ("closed", "open", "half-open"):
            self.ssh_servers.labels(state).set(counted[state])
        # Thousands of healthy servers need no series each.
        self.ssh_breaker.clear()
        for server, state in breakers.items():
            if state != "closed":
                self.ssh_breaker.labels(server).set(1 if state == "open" else 0.5)

    def observe(self, outcome: RunOutcome) -> None:
        """Count a try that ended."""
        self.runs.labels(outcome.status).inc()
        self.lines.inc(outcome.logs.lines)
        self.dropped.inc(outcome.logs.dropped_lines)
        phases = outcome.durations
        for name, value in (
            ("setup", phases.setup_ms),
            ("execution", phases.execution_ms),
            ("cleanup", phases.cleanup_ms),
        ):
            self.phases.labels(name).observe(value / 1000)
