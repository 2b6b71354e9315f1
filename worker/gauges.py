"""What is read each second of a worker's parts, for its metrics."""

import asyncio
import logging
import time

from logstream import Relay, SpoolDirectory
from worker.metrics import WorkerMetrics
from worker.metrics_sdk import SdkMetrics
from worker.readiness import Readiness

logger = logging.getLogger(__name__)

GAUGE_SECONDS = 1.0


class Gauges:
    """Shows how the parts stand.

    Args:
        metrics: Where it is shown.
        readiness: Knows the parts.
        sdk: The SDK's numbers, which must be taken over; None: not counted.
    """

    def __init__(
        self, metrics: WorkerMetrics, readiness: Readiness, sdk: SdkMetrics | None
    ) -> None:
        self._metrics = metrics
        self._readiness = readiness
        self._sdk = sdk
        self._refused = 0
        if sdk is not None:
            metrics.registry.register(sdk)

    async def run(self) -> None:
        """Show it for ever."""
        while True:
            try:
                self.show()
            except Exception:
                # Whatever it is: without them an operator would see old numbers.
                logger.exception("the gauges cannot be read")
            await asyncio.sleep(GAUGE_SECONDS)

    def show(self) -> None:
        """Show it once."""
        metrics, readiness = self._metrics, self._readiness
        if self._sdk is not None:
            self._sdk.drain()
        host = readiness.host
        metrics.active.set(len(host.activities.active) if host else 0)
        metrics.warm.set(host.engine.standby.pool.waiting if host else 0)
        metrics.observe_readiness({**readiness.problems(), **readiness.warnings()})
        self._show_logs(readiness.spools, readiness.relay)

    def _show_logs(self, spools: SpoolDirectory, relay: Relay) -> None:
        metrics = self._metrics
        metrics.relay.set(relay.connected)
        metrics.refused.inc(relay.refused - self._refused)
        self._refused = relay.refused
        metrics.spool.set(spools.bytes_used)
        metrics.unacked.set(spools.unacked_bytes)
        metrics.lag.set(spools.lag_seconds(time.time()))
