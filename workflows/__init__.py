"""Durable logic: deterministic code that imports the contracts alone."""

from workflows.event import EventWorkflow

__all__ = ["EventWorkflow"]
