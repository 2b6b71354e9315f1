"""What people may say to a graph that runs: each order is checked, then taken."""

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from contracts.errors import ErrorInfo
    from contracts.gates import GATE_WORD, GateWord
    from contracts.graph_nodes import ApprovalNode, BaseNode
    from contracts.graph_parts import Decision, NodeOrder, Steering
    from contracts.graph_results import GraphError, NodeResult
    from contracts.results import Status
    from workflows.graphs.job import Fields
    from workflows.graphs.pauses import decided
    from workflows.graphs.progress import BAD, Phase
    from workflows.graphs.run import GraphRun


class Orders:
    """Takes orders for one graph.

    Args:
        graph: The graph.
    """

    def __init__(self, graph: GraphRun) -> None:
        self._graph = graph

    def check_decision(self, said: Decision) -> None:
        """Refuse a yes or no that no node waits for."""
        node = self._node(said.node)
        if not isinstance(node, ApprovalNode):
            raise refusal(f"{said.node} is no approval")
        job = self._graph.jobs.get(said.node)
        if self._graph.rows[said.node].status is not Status.RUNNING or job is None:
            raise refusal(f"{said.node} is not waiting: {self._standing(said.node)}")
        if job.decision is not None:
            raise refusal(f"{said.node} was decided already, by {job.decision.by}")
        if node.approvers and said.by not in node.approvers:
            raise refusal(f"{said.by} may not decide on {said.node}")

    def decide(self, said: Decision) -> None:
        """Take a yes or no."""
        verdict = "approved" if said.approved else "rejected"
        self._note(said.node, verdict, said.by, said.why)
        self._graph.jobs[said.node].decision = said

    def check_skip(self, order: NodeOrder) -> None:
        """Refuse to skip a node that has ended, but for one that failed."""
        self._node(order.node)
        ended = self._graph.progress.phase(order.node) is Phase.ENDED
        if ended and not self._has_failed(order.node):
            raise refusal(f"{order.node} has ended: {self._standing(order.node)}")
        if self._graph.is_ending:
            raise refusal("the run is over or about to end")

    def skip(self, order: NodeOrder) -> None:
        """Skip a node: one that runs is stopped, one that failed counts as skipped."""
        name = order.node
        if self._has_failed(name):
            self._reopen(name)
        self._note(name, "skipped", order.by, order.why)
        fields: Fields = {
            "status": Status.SKIPPED,
            "error": ErrorInfo(
                type=GraphError.SKIPPED_BY_HAND, message=f"{order.by} skipped it."
            ),
            "passes": order.passes,
        }
        if name in self._graph.tasks:
            self._graph.stop(name, fields)
        else:
            self._graph.settle(name, fields)

    def check_retry(self, order: NodeOrder) -> None:
        """Refuse to run a node again that has not failed."""
        self._node(order.node)
        if not self._has_failed(order.node):
            raise refusal(f"{order.node} has not failed: {self._standing(order.node)}")
        if self._graph.is_ending:
            raise refusal("the run is over: start it again with `rerun`")

    def retry(self, order: NodeOrder) -> None:
        """Let a failed node run again, and what was skipped because of it."""
        self._reopen(order.node)
        self._graph.rounds[order.node] = self._graph.rounds.get(order.node, 0) + 1
        self._note(order.node, "retried", order.by, order.why)

    def _has_failed(self, name: str) -> bool:
        return self._graph.rows[name].status in BAD

    def _reopen(self, node: str) -> None:
        for name in self._graph.progress.reopen(node):
            row = self._graph.rows[name]
            self._graph.rows[name] = NodeResult(
                node=name, kind=row.kind, decisions=row.decisions, logs=row.logs
            )

    def pause(self) -> None:
        """Begin no other node; those that run go on."""
        self._graph.pause(paused=True)

    def resume(self) -> None:
        """Begin nodes again; a run that is held ends."""
        self._graph.pause(paused=False)

    def _node(self, name: str) -> BaseNode:
        node = self._graph.nodes.get(name)
        if node is None:
            known = ", ".join(list(self._graph.nodes)[:20])
            raise refusal(f"no node has the id {name} (known: {known})")
        return node

    def _standing(self, name: str) -> str:
        return f"it stands at {self._graph.rows[name].status}"

    def _note(self, name: str, verdict: str, by: str, why: str) -> None:
        said = [*self._graph.rows[name].decisions, decided(verdict, by, why)]
        self._graph.update(name, decisions=said)


class Steered:
    """The handlers of a workflow that runs a graph."""

    def _graph_at_work(self) -> GraphRun | None:
        raise NotImplementedError

    def _orders(self) -> Orders:
        graph = self._graph_at_work()
        if graph is None:
            raise refusal("this part of the run has no nodes")
        return Orders(graph)

    @workflow.query
    def progress(self) -> list[NodeResult]:
        """Return where each node stands, without outputs."""
        graph = self._graph_at_work()
        rows = graph.rows.values() if graph else ()
        return [row.model_copy(update={"output": None}) for row in rows]

    @workflow.signal(name=GATE_WORD)
    def gate_word(self, word: GateWord) -> None:
        """Hear what the gate of a concurrency key says."""
        graph = self._graph_at_work()
        if graph is not None:
            graph.gates.take(word)

    @workflow.update
    def decide(self, said: Decision) -> None:
        """Say yes or no to a node that waits for it."""
        self._orders().decide(said)

    @decide.validator
    def _may_decide(self, said: Decision) -> None:
        self._orders().check_decision(said)

    @workflow.update
    def skip_node(self, order: NodeOrder) -> None:
        """Skip a node that has not ended; one that runs is stopped."""
        self._orders().skip(order)

    @skip_node.validator
    def _may_skip(self, order: NodeOrder) -> None:
        self._orders().check_skip(order)

    @workflow.update
    def retry_node(self, order: NodeOrder) -> None:
        """Let a node that failed run again."""
        self._orders().retry(order)

    @retry_node.validator
    def _may_retry(self, order: NodeOrder) -> None:
        self._orders().check_retry(order)

    @workflow.update
    def pause(self, said: Steering) -> None:
        """Begin no other node; those that run go on."""
        self._orders().pause()

    @workflow.update
    def resume(self, said: Steering) -> None:
        """Begin nodes again; a run that is held because of a failure ends."""
        self._orders().resume()


def refusal(message: str) -> ApplicationError:
    """Return the refusal of an update, with the reason that people see."""
    return ApplicationError(message, type="OrderRefused", non_retryable=True)
