"""A map as a node: here when it is short, in a part of its own when it is long."""

from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from contracts.errors import ErrorInfo
    from contracts.graph_nodes import MapNode
    from contracts.graph_parts import MapOrder, MapTally
    from contracts.graph_results import GraphError
    from contracts.limits import MAX_MAP_ITEMS
    from contracts.results import Status
    from workflows.graphs.events import act, fields_of, targets_of
    from workflows.graphs.expressions import reads_of
    from workflows.graphs.items import ItemEnd, Items, RunItem
    from workflows.graphs.job import Fields, Job, NodeFailed, event_request, value_of
    from workflows.graphs.parts import run_graph_part, run_map_part
    from workflows.target import Place

# So many items share the history of the whole graph.
MAX_ITEMS_HERE = 100


async def run_map(job: Job, node: MapNode) -> Fields:
    """Run what is to be done for each item."""
    order = _order(job, node)
    if len(order.items) > MAX_ITEMS_HERE:
        return await run_map_part(job, order)

    def changed() -> None:
        counts = items.tally.counts
        job.update(counts=counts)

    run_item = item_runner(job, order)
    items = Items(node, order.items, run_item, MapTally(), changed, job.brake)
    await items.run(len(order.items))
    return items.result()


def item_runner(job: Job, order: MapOrder) -> RunItem:
    """Return what runs one item, as the node says."""
    node = order.node

    async def run_item(index: int, item: Any) -> ItemEnd:
        place = f"{job.place}[{index}]"
        try:
            value = item
            if node.input is not None:
                data = {**order.data, "item": item, "index": index}
                value = value_of(node.input, data, f"nodes.{node.id}[{index}].input")
            if node.workflow is not None:
                fields = await run_graph_part(job, node.workflow, value, place)
            else:
                assert order.event is not None
                request = event_request(job, order.event, value)
                targets = targets_of(
                    job, request, Place(place, order.earlier), lambda: None
                )
                await targets.run()
                found = targets.result()
                fields = fields_of(found, several=False)
                await act(request, found, job.run.admission, place)
        except NodeFailed as failure:
            return ItemEnd(Status.FAILURE, error=failure.info)
        return ItemEnd(
            fields["status"], fields["output"], fields["error"], fields["logs"]
        )

    return run_item


def _order(job: Job, node: MapNode) -> MapOrder:
    items = job.value(node.items, "items")
    if not isinstance(items, list):
        raise NodeFailed(
            ErrorInfo(
                type=GraphError.EXPRESSION,
                message=f"nodes.{node.id}.items: expected a list",
                hint="Write an expression that gives one: `{{ input.files }}`.",
            )
        )
    if len(items) > MAX_MAP_ITEMS:
        raise NodeFailed(
            ErrorInfo(
                type=GraphError.EXPRESSION,
                message=f"nodes.{node.id}.items: {len(items)} items, at most "
                f"{MAX_MAP_ITEMS} are possible",
                hint="Let one item stand for several.",
            )
        )
    reads = reads_of(node.input)
    data = {key: job.data[key] for key in sorted(reads.roots & job.data.keys())}
    return MapOrder(
        node=node,
        event=job.spec.event_of(node) if node.event is not None else None,
        items=items,
        data=data,
        earlier=job.earlier,
    )
