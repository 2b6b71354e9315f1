"""How nodes end that did not run to an end of their own."""

from contracts.errors import ErrorInfo, ScriptError
from contracts.graph_nodes import Edge
from contracts.graph_results import GraphError
from contracts.graphs import Reuse
from contracts.results import EXIT_CANCELLED, EXIT_TIMEOUT, Status
from workflows.graphs.job import Fields

HISTORY_FULL = ErrorInfo(
    type=GraphError.HISTORY_FULL,
    message="The run has come to the size at which Temporal ends it, so nothing else "
    "is begun.",
    hint="Pass large data by its address, or put parts of the graph into nodes of "
    "kind workflow, which have histories of their own.",
)


def reused(earlier: Reuse) -> Fields:
    """Return the end of an earlier run."""
    return {
        "status": earlier.status,
        "output": earlier.output,
        "condition": earlier.condition,
        "case": earlier.case,
        "reused_from": earlier.execution_id,
    }


def cancelled(why: str) -> Fields:
    """Return the end of a node that was cancelled.

    Args:
        why: Such as `on request`.
    """
    error = ErrorInfo(type=ScriptError.CANCELLED, message=f"It was cancelled {why}.")
    return {"status": Status.CANCELLED, "exit_code": EXIT_CANCELLED, "error": error}


def timed_out(seconds: float) -> Fields:
    """Return the end of a node that took too long."""
    error = ErrorInfo(
        type=GraphError.NODE_TIMEOUT,
        message=f"The node took longer than {seconds:g} s (timeoutSeconds).",
    )
    return {"status": Status.TIMEOUT, "exit_code": EXIT_TIMEOUT, "error": error}


def not_reached(edge: Edge | None) -> Fields:
    """Return the end of a node that can no longer run."""
    why = f"the edge from {edge} does not fire" if edge else "nothing leads to it"
    error = ErrorInfo(
        type=GraphError.NOT_REACHED, message=f"{why[0].upper()}{why[1:]}."
    )
    return {"status": Status.SKIPPED, "error": error}
