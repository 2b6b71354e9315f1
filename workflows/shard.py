"""`FanOutShard`: one part of a large fan-out, with a history of its own."""

import asyncio

from temporalio import workflow
from temporalio.exceptions import FailureError

with workflow.unsafe.imports_passed_through():
    from contracts import names
    from contracts.fanout import FanOut
    from contracts.limits import MAX_FANOUT_OUTPUT_BYTES
    from contracts.results import TargetResult
    from contracts.shards import (
        ShardReport,
        ShardRequest,
        ShardResult,
        ShardSteering,
    )
    from workflows import details, tally
    from workflows.fanout import server_run
    from workflows.pacing import Pacer
    from workflows.target import Place
    from workflows.window import Stop, Window

# So many servers end between two reports, unless there is something to act upon.
REPORT_EVERY = 20


@workflow.defn(name=names.SHARD_WORKFLOW)
class FanOutShard:
    """Runs an event on some of its servers; a cancel ends it with a result as well."""

    @workflow.init
    def __init__(self, shard: ShardRequest) -> None:
        self._shard = shard
        event = shard.request.event
        pacer, begin = Pacer(), 0
        place = Place(shard.node, shard.earlier)
        self._runs = [
            server_run(
                shard.request,
                server,
                shard.admission,
                self._show,
                pacer,
                place,
                alone=False,
            )
            for server in event.servers
        ]
        batches = []
        for size in shard.batches:
            batches.append(self._runs[begin : begin + size])
            begin += size
        self._window = Window(
            batches,
            event.fan_out or FanOut(),
            shard.permits,
            shard.max_failures,
            failed_before=shard.failed_before,
            changed=self._give_back,
        )
        self._granted = shard.permits
        self._returned = 0
        self._reported = ShardReport(index=shard.index)
        self._over = False

    @workflow.run
    async def run(self, shard: ShardRequest) -> ShardResult:
        """Run the part.

        Args:
            shard: The order, with as many permits as there are at first.

        Returns:
            A row per server.
        """
        reporting = asyncio.create_task(self._report())
        await self._window.run()
        self._over = True
        if reporting.done():
            reporting.result()
        self._show()
        rows = self.progress()
        kept, omitted = tally.keep_outputs(rows, MAX_FANOUT_OUTPUT_BYTES)
        bare = [row.model_copy(update={"output": None}) for row in rows]
        return ShardResult(
            rows=[
                row.model_copy(update={"output": kept.get(row.target)})
                for row in tally.fit(bare, shard.rows_bytes)
            ],
            omitted=omitted,
        )

    @workflow.query
    def progress(self) -> list[TargetResult]:
        """Return where each server stands."""
        return [run.row for run in self._runs]

    @workflow.signal(name=names.SHARD_STEERING)
    def steer(self, steering: ShardSteering) -> None:
        """Take more permits, or the word to stop."""
        if steering.permits > self._granted:
            self._window.permits += steering.permits - self._granted
            self._granted = steering.permits
        if steering.stop is not None:
            self._window.stop(Stop(steering.stop, steering.abort))
        self._give_back()

    def _give_back(self) -> None:
        spare = self._window.spare
        self._window.permits -= spare
        self._returned += spare

    def _show(self) -> None:
        event = self._shard.request.event
        lines = [details.progress_line(self._standing(), len(self._runs)), ""]
        lines += details.table(self.progress(), event.retries + 1)
        workflow.set_current_details("\n".join(lines))

    def _standing(self) -> ShardReport:
        return ShardReport(
            index=self._shard.index,
            done=self._window.done,
            failed=self._window.failed,
            running=self._window.running,
            returned=self._returned,
        )

    async def _report(self) -> None:
        """Tell the parent how far it is, one report at a time, until it is over."""
        parent = workflow.info().parent
        if parent is None:
            return
        above = workflow.get_external_workflow_handle(
            parent.workflow_id, run_id=parent.run_id
        )
        while True:
            await workflow.wait_condition(lambda: self._over or self._has_news())
            if self._over:
                return
            self._reported = self._standing()
            try:
                await above.signal(names.SHARD_REPORT, self._reported)
            except FailureError:
                # The parent is gone: a cancel is on its way, or nobody waits.
                return

    def _has_news(self) -> bool:
        told, now = self._reported, self._standing()
        return (
            now.failed > told.failed
            or now.returned > told.returned
            or now.done >= told.done + REPORT_EVERY
            or told.running == 0 < now.running
        )
