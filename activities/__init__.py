"""The Temporal edge of each engine: heartbeat, cancel, error mapping. Thin."""

from activities.actions import ActionActivities
from activities.admitting import Admitting
from activities.claims import Claims
from activities.container import ContainerActivities
from activities.execution import ExecutionActivities
from activities.graphs import GraphActivities
from activities.http import HttpActivities
from activities.ledger import Ledger
from activities.order import ContainerSessions, ServerSessions
from activities.schedules import settle_schedule
from activities.ssh import SshActivities

__all__ = [
    "ActionActivities",
    "Admitting",
    "Claims",
    "ContainerActivities",
    "ContainerSessions",
    "ExecutionActivities",
    "GraphActivities",
    "HttpActivities",
    "Ledger",
    "ServerSessions",
    "SshActivities",
    "settle_schedule",
]
