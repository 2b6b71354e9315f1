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
from contracts.results import (
    ExecutionResult,
    LogCounts,
    PhaseDurations,
    Status,
    TargetResult,
)

__all__ = [
    "Backoff",
    "CroniumError",
    "EnvVar",
    "ErrorInfo",
    "EventRequest",
    "EventSpec",
    "EventType",
    "ExecutionResult",
    "LogCounts",
    "Network",
    "PhaseDurations",
    "Resources",
    "ScriptError",
    "Status",
    "TargetResult",
    "Trigger",
]
