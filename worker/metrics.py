"""What the worker counts, in the form of Prometheus."""

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
