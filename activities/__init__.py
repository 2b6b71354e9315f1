"""The Temporal edge of each engine: heartbeat, cancel, error mapping. Thin."""

from activities.claims import Claims
from activities.container import ContainerActivities
from activities.execution import ExecutionActivities
from activities.http import HttpActivities
from activities.ledger import Ledger
from activities.order import SessionFactory

__all__ = [
    "Claims",
    "ContainerActivities",
    "ExecutionActivities",
    "HttpActivities",
    "Ledger",
    "SessionFactory",
]
