"""The words both sides speak: requests, results, errors, names and limits.

Pure data: pydantic and the standard library only, so that workflows, clients and
engines can all import it.
"""

from contracts.errors import CroniumError, ErrorInfo, ScriptError
from contracts.events import (
    Backoff,
    EnvVar,
    EventRequest,
    EventSpec,
    EventType,
    Network,
    Resources,
    Trigger,
)
from contracts.fanout import FanOut, OnFailure, Order, TargetOverride
from contracts.results import (
    ExecutionResult,
    LogCounts,
    PhaseDurations,
    Status,
    TargetCounts,
    TargetResult,
)
from contracts.servers import ServerSpec

__all__ = [
    "Backoff",
    "CroniumError",
    "EnvVar",
    "ErrorInfo",
    "EventRequest",
    "EventSpec",
    "EventType",
    "ExecutionResult",
    "FanOut",
    "LogCounts",
    "Network",
    "OnFailure",
    "Order",
    "PhaseDurations",
    "Resources",
    "ScriptError",
    "ServerSpec",
    "Status",
    "TargetCounts",
    "TargetOverride",
    "TargetResult",
    "Trigger",
]
