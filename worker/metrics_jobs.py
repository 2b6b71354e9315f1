"""What is counted of jobs: tries of events, each on one target."""

import re

from prometheus_client import CollectorRegistry, Counter, Histogram

from activities.watching import Watch
from contracts import encryption_errors, server_errors
from contracts.errors import CroniumError, HttpError, ScriptError
from contracts.events import EventType
from contracts.results import Status
from contracts.runs import RunOutcome, RunRequest

# The trees beside the main one, which register themselves by being read.
assert server_errors
assert encryption_errors
# From a short script to the longest that is allowed.
SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200, 86_400)
UNKNOWN = "unknown"
# Words that dashboards of the earlier executor know.
NAMED: dict[str, str] = {
    ScriptError.EXIT_CODE: "non_zero_exit",
    ScriptError.TIMEOUT: "timeout",
    HttpError.TIMEOUT: "timeout",
}
PLACES = ("container", "server", "http")
PHASES = ("setup", "execution", "cleanup")


def place_of(run: RunRequest) -> str:
    """Return where a job runs: in a container, on a server, or as an HTTP request."""
    if run.request.event.type is EventType.HTTP_REQUEST:
        return "http"
    return "container" if run.server is None else "server"


def reason_of(error_type: str) -> str:
    """Return why a job failed, as a label: of a fixed list, whatever the type is.

    Scripts cannot choose it, so the number of series has a bound.
    """
    return _known().get(error_type, UNKNOWN)


def reasons() -> list[str]:
    """Return all values of the label `reason`."""
    return sorted({*_known().values(), UNKNOWN})


def _known() -> dict[str, str]:
    if not _REASONS:
        types = [*ScriptError, *HttpError, *(one.__name__ for one in _tree())]
        for name in types:
            words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", str(name)).lower()
            _REASONS[str(name)] = NAMED.get(name, words)
    return _REASONS


_REASONS: dict[str, str] = {}


def _tree(root: type[CroniumError] = CroniumError) -> list[type[CroniumError]]:
    return [
        found
        for one in root.__subclasses__()
        # Those of gateway, command and worker are no reasons of a job's.
        if one.__module__.startswith("contracts.")
        for found in (one, *_tree(one))
    ]


class JobMetrics(Watch):
    """Counts jobs; the names are those that the earlier executor had.

    Args:
        registry: Where the metrics are kept.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"cronium_{name}", text, labels, registry=registry)

        def histogram(name: str, text: str, *labels: str) -> Histogram:
            return Histogram(
                f"cronium_{name}", text, labels, buckets=SECONDS, registry=registry
            )

        self._received = counter(
            "jobs_received", "Jobs taken from a queue: tries on one target.", "type"
        )
        self._completed = counter("jobs_completed", "Jobs that succeeded.", "type")
        self._failed = counter(
            "jobs_failed",
            "Jobs that failed. `reason` is the error's type in small letters with "
            "underscores; `non_zero_exit`, `timeout`, `unknown`.",
            "type",
            "reason",
        )
        self._cancelled = counter("jobs_cancelled", "Jobs ended on request.", "type")
        self._resumed = counter(
            "jobs_resumed", "Jobs taken over from another worker process.", "type"
        )
        self._duration = histogram(
            "job_duration_seconds", "From pick-up to outcome.", "type"
        )
        self._wait = histogram(
            "job_queue_wait_seconds",
            "How long jobs waited for a slot, by the clock of Temporal's server.",
            "type",
        )
        self._phases = histogram(
            "job_phase_seconds",
            "How long the parts of a job took: `setup`, `execution`, `cleanup`; "
            "`place` is `container`, `server` or `http`.",
            "phase",
            "place",
        )
        self._lines = counter("log_lines", "Lines that jobs wrote.")
        self._dropped = counter("log_lines_dropped", "Lines left out by the log cap.")
        self._begin()

    def _begin(self) -> None:
        """Have series at 0, so that the first of a kind is seen as a step."""
        for kind in EventType:
            for metric in (
                *(self._received, self._completed, self._cancelled, self._resumed),
                *(self._duration, self._wait),
            ):
                metric.labels(kind.value)
            for reason in ("non_zero_exit", "timeout", UNKNOWN):
                self._failed.labels(kind.value, reason)

    def received(self, run: RunRequest, waited: float) -> None:
        """See base class."""
        kind = run.request.event.type.value
        self._received.labels(kind).inc()
        self._wait.labels(kind).observe(waited)

    def resumed(self, run: RunRequest) -> None:
        """See base class."""
        self._resumed.labels(run.request.event.type.value).inc()

    def refused(self, run: RunRequest, error: CroniumError) -> None:
        """See base class."""
        self._failed.labels(run.request.event.type.value, reason_of(error.type)).inc()

    def ended(self, run: RunRequest, outcome: RunOutcome) -> None:
        """See base class."""
        kind, durations = run.request.event.type.value, outcome.durations
        match outcome.status:
            case Status.SUCCESS:
                self._completed.labels(kind).inc()
            case Status.CANCELLED:
                self._cancelled.labels(kind).inc()
            case _:
                word = outcome.error.type if outcome.error else UNKNOWN
                self._failed.labels(kind, reason_of(word)).inc()
        self._lines.inc(outcome.logs.lines)
        self._dropped.inc(outcome.logs.dropped_lines)
        self._duration.labels(kind).observe(durations.total_ms / 1000)
        for phase in PHASES:
            self._phases.labels(phase, place_of(run)).observe(
                getattr(durations, f"{phase}_ms") / 1000
            )
