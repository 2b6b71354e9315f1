"""Durable logic: deterministic code that imports the contracts alone."""

from workflows.event import EventWorkflow
from workflows.shard import FanOutShard

__all__ = ["EventWorkflow", "FanOutShard"]
