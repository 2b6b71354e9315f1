"""The Temporal edge of each engine: heartbeat, cancel, error mapping. Thin."""

from activities.container import ContainerActivities
from activities.execution import ExecutionActivities

__all__ = ["ContainerActivities", "ExecutionActivities"]
