"""Durable logic: deterministic code that imports the contracts alone."""

from workflows.event import EventWorkflow
from workflows.gate import Gate
from workflows.graph import GraphWorkflow
from workflows.graph_part import GraphPart
from workflows.shard import FanOutShard

__all__ = ["ALL", "EventWorkflow", "FanOutShard", "Gate", "GraphPart", "GraphWorkflow"]

ALL = (EventWorkflow, FanOutShard, GraphWorkflow, GraphPart, Gate)
"""Every workflow that a worker runs."""
