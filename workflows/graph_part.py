"""`GraphPart`: a graph inside a node, the items of a long map, or many servers."""

import asyncio
from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from contracts import names
    from contracts.graph_nodes import EventNode, MapNode
    from contracts.graph_parts import (
        BRAKE_WORD,
        BrakeWord,
        MapOrder,
        PartRequest,
        PartResult,
    )
    from contracts.graphs import GraphSpec
    from contracts.limits import MAX_PART_ITEMS
    from contracts.shards import ShardReport
    from workflows.endings import cancelling
    from workflows.graphs import picture, results
    from workflows.graphs.brake import Brake
    from workflows.graphs.events import act, fields_of
    from workflows.graphs.items import Items
    from workflows.graphs.job import Job, event_request
    from workflows.graphs.maps import item_runner
    from workflows.graphs.orders import Steered
    from workflows.graphs.run import GraphRun
    from workflows.pacing import Pacer
    from workflows.plan import plan_of
    from workflows.sharded import ShardedTargets
    from workflows.target import Place


@workflow.defn(name=names.GRAPH_PART_WORKFLOW)
class GraphPart(Steered):
    """Runs one part; a cancel ends it with a result as well."""

    @workflow.init
    def __init__(self, part: PartRequest) -> None:
        self._part = part
        self._graph: GraphRun | None = None
        self._stale = False
        self._targets: ShardedTargets | None = None
        if part.graph is not None:
            self._graph = GraphRun(
                part.graph, part.run, part.input, self._show, paused=part.paused
            )
        self._brake = self._graph.brake if self._graph else Brake(on=part.paused)

    @workflow.run
    async def run(self, part: PartRequest) -> PartResult:
        """Run the part.

        Args:
            part: One of a graph, the items of a map, and an event.
        """
        if part.map is not None:
            return await self._run_map(part.map)
        if self._graph is None:
            return await self._run_event()
        graph = self._graph
        await graph.run()
        await workflow.wait_condition(workflow.all_handlers_finished)
        status, output, error = results.outcome_of(graph, part.run, part.input)
        rows = list(graph.rows.values())
        return PartResult(
            status=status,
            output=output,
            error=error,
            logs=results.logs_of(rows),
        )

    @workflow.signal(name=names.SHARD_REPORT)
    def shard_report(self, report: ShardReport) -> None:
        """Hear how far a part of a large fan-out is."""
        if self._targets is not None:
            self._targets.take(report)

    @workflow.signal(name=BRAKE_WORD)
    def brake_word(self, word: BrakeWord) -> None:
        """Hear that the run is paused, or goes on."""
        if self._graph is not None:
            self._graph.pause(paused=word.on)
        else:
            self._brake.set(on=word.on)

    def _graph_at_work(self) -> GraphRun | None:
        return self._graph

    async def _run_map(self, order: MapOrder) -> PartResult:
        job = self._job(order.node, {})
        items = Items(
            order.node,
            order.items,
            item_runner(job, order),
            order.tally,
            lambda: workflow.set_current_details(_counted(items)),
            self._brake,
        )
        await items.run(MAX_PART_ITEMS)
        if not items.over and not cancelling():
            rest = order.model_copy(update={"tally": items.tally})
            fields = {"map": rest, "paused": self._brake.on}
            workflow.continue_as_new(self._part.model_copy(update=fields))
        return PartResult(**items.result())

    async def _run_event(self) -> PartResult:
        part = self._part
        assert part.event is not None
        node = EventNode(id="event", event=part.event)
        request = event_request(self._job(node, part.input), part.event, part.input)
        place = Place(part.run.place, part.earlier)
        self._targets = ShardedTargets(
            request, plan_of(request), part.run.admission, lambda: None, place
        )
        await self._targets.run()
        found = self._targets.result()
        name = place.node if not place.earlier else f"{place.node}~{place.earlier}"
        rows = await act(request, found, part.run.admission, name)
        return PartResult(**fields_of(found, several=True), actions=rows)

    def _job(self, node: EventNode | MapNode, value: Any) -> Job:
        spec = GraphSpec.model_construct(id="part", name="part", nodes=[node])
        return Job(
            spec=spec,
            node=node,
            run=self._part.run.model_copy(update={"place": ""}),
            place=self._part.run.place,
            data={},
            input=value,
            update=lambda **fields: None,
            pacer=Pacer(),
            brake=self._brake,
        )

    def _show(self) -> None:
        """Show the state once, however much changes in this activation."""
        if not self._stale:
            self._stale = True
            asyncio.get_running_loop().call_soon(self._refresh)

    def _refresh(self) -> None:
        self._stale = False
        assert self._part.graph is not None
        assert self._graph is not None
        workflow.set_current_details(
            picture.state_of(self._part.graph, self._graph.rows)
        )


def _counted(items: Items) -> str:
    counts = items.tally.counts
    return f"{counts.succeeded}/{counts.total} items succeeded"
