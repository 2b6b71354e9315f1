"""The numbers of Temporal's SDK, in the same scrape as ours.

The SDK's core could listen on a port of its own. Instead it hands each update over in a
buffer, which is emptied here: one endpoint, no second port, and a bound on what labels
may hold. The core's runtime is one per process and must be made before any client.
"""

import bisect
import logging
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from prometheus_client import Metric
from prometheus_client.registry import Collector
from temporalio.runtime import (
    BUFFERED_METRIC_KIND_COUNTER,
    BUFFERED_METRIC_KIND_GAUGE,
    BufferedMetricUpdate,
    LogForwardingConfig,
    LoggingConfig,
    MetricBuffer,
    MetricBufferDurationFormat,
    Runtime,
    TelemetryConfig,
    TelemetryFilter,
)

# An execution makes about sixty; this is read each second. Its room is taken at once.
BUFFER_UPDATES = 20_000
LABELS = frozenset(
    {
        *("namespace", "task_queue", "operation", "status_code", "failure_reason"),
        *("workflow_type", "activity_type", "worker_type", "poller_type"),
        *("cause", "nexus_service", "nexus_operation", "resource_type"),
    }
)
# Clients may ask for workflows by any name; beyond so many values of a label there is
# one for the rest.
MAX_VALUES = 100
OTHER = "other"
BUCKETS = (
    0.001,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1,
    2.5,
    5,
    10,
    60,
    300,
    3600,
)

Key = tuple[tuple[str, str], ...]


@dataclass
class _Family:
    """One metric: its values by labels."""

    kind: str
    text: str
    values: dict[Key, float] = field(default_factory=dict)
    sums: dict[Key, float] = field(default_factory=dict)
    counts: dict[Key, list[int]] = field(default_factory=dict)

    def add(self, key: Key, value: float) -> None:
        if self.kind == "counter":
            self.values[key] = self.values.get(key, 0.0) + value
        elif self.kind == "gauge":
            self.values[key] = value
        else:
            counts = self.counts.setdefault(key, [0] * (len(BUCKETS) + 1))
            counts[bisect.bisect_left(BUCKETS, value)] += 1
            self.sums[key] = self.sums.get(key, 0.0) + value

    def metric(self, name: str) -> Metric:
        found = Metric(name, self.text, self.kind)
        suffix = "_total" if self.kind == "counter" else ""
        for key, value in self.values.items():
            found.add_sample(name + suffix, dict(key), value)
        for key, counts in self.counts.items():
            labels, sofar = dict(key), 0
            for limit, count in zip((*BUCKETS, math.inf), counts, strict=True):
                sofar += count
                bound = "+Inf" if limit == math.inf else f"{float(limit)}"
                found.add_sample(name + "_bucket", {**labels, "le": bound}, sofar)
            found.add_sample(name + "_count", labels, sofar)
            found.add_sample(name + "_sum", labels, self.sums[key])
        return found


class SdkMetrics(Collector):
    """Adds up what the SDK reports.

    Args:
        retrieve: Returns the updates since the last time.
    """

    def __init__(self, retrieve: Callable[[], Sequence[BufferedMetricUpdate]]) -> None:
        self._retrieve = retrieve
        self._families: dict[str, _Family] = {}
        self._seen: dict[str, set[str]] = {}

    def drain(self) -> None:
        """Take over the updates; often enough that none is dropped."""
        for update in self._retrieve():
            name, kind = _named(update)
            family = self._families.get(name)
            if family is None:
                text = update.metric.description or "Of Temporal's SDK."
                family = self._families[name] = _Family(kind, text)
            family.add(self._key(update), update.value)

    def collect(self) -> Iterator[Metric]:
        """See base class."""
        self.drain()
        for name, family in list(self._families.items()):
            yield family.metric(name)

    def describe(self) -> Iterator[Metric]:
        """Say nothing when registered: what there will be is the SDK's choice."""
        return iter(())

    def _key(self, update: BufferedMetricUpdate) -> Key:
        return tuple(
            sorted(
                (name, self._bounded(name, str(value)))
                for name, value in update.attributes.items()
                if name in LABELS
            )
        )

    def _bounded(self, name: str, value: str) -> str:
        seen = self._seen.setdefault(name, set())
        if value not in seen:
            if len(seen) >= MAX_VALUES:
                return OTHER
            seen.add(value)
        return value


def _named(update: BufferedMetricUpdate) -> tuple[str, str]:
    """Return name and kind as Prometheus has them, with the unit in the name."""
    metric = update.metric
    unit = {"s": "_seconds", "bytes": "_bytes"}.get(metric.unit or "", "")
    name = metric.name + ("" if metric.name.endswith(unit) else unit)
    if metric.kind == BUFFERED_METRIC_KIND_COUNTER:
        return name.removesuffix("_total"), "counter"
    return name, "gauge" if metric.kind == BUFFERED_METRIC_KIND_GAUGE else "histogram"


def begin_runtime() -> SdkMetrics:
    """Make this process's runtime of the SDK; return its numbers.

    The core's own log goes through Python's, and only what matters of it. To be called
    once, before the first client.
    """
    buffer = MetricBuffer(BUFFER_UPDATES, MetricBufferDurationFormat.SECONDS)
    forwarding = LogForwardingConfig(logging.getLogger("temporal"))
    quiet = TelemetryFilter(core_level="WARN", other_level="ERROR")
    Runtime.set_default(
        Runtime(
            telemetry=TelemetryConfig(
                logging=LoggingConfig(filter=quiet, forwarding=forwarding),
                metrics=buffer,
            )
        )
    )
    return SdkMetrics(buffer.retrieve_updates)
