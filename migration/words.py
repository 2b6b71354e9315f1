"""The words of Cronium's app: the values that its columns have."""

from enum import StrEnum


class Kind(StrEnum):
    """Type of an event."""

    NODEJS = "NODEJS"
    PYTHON = "PYTHON"
    BASH = "BASH"
    HTTP_REQUEST = "HTTP_REQUEST"
    TOOL_ACTION = "TOOL_ACTION"


class State(StrEnum):
    """Status of an event or a workflow."""

    ACTIVE = "ACTIVE"
    PAUSED = "PAUSED"
    DRAFT = "DRAFT"
    ARCHIVED = "ARCHIVED"


class Place(StrEnum):
    """Where an event runs."""

    LOCAL = "LOCAL"
    REMOTE = "REMOTE"
    LOCAL_AND_REMOTE = "LOCAL_AND_REMOTE"


class Unit(StrEnum):
    """Unit of a time."""

    SECONDS = "SECONDS"
    MINUTES = "MINUTES"
    HOURS = "HOURS"
    DAYS = "DAYS"

    @property
    def seconds(self) -> int:
        """How many seconds one of it has."""
        return {"SECONDS": 1, "MINUTES": 60, "HOURS": 3600, "DAYS": 86_400}[self]

    @property
    def letter(self) -> str:
        """How files write it: `7m`."""
        return self[0].lower()


class Trigger(StrEnum):
    """What starts an event or a workflow."""

    MANUAL = "MANUAL"
    SCHEDULE = "SCHEDULE"
    WEBHOOK = "WEBHOOK"


class Connection(StrEnum):
    """After which end the next one runs, of edges and of conditional actions."""

    ALWAYS = "ALWAYS"
    ON_SUCCESS = "ON_SUCCESS"
    ON_FAILURE = "ON_FAILURE"
    ON_CONDITION = "ON_CONDITION"


class Follow(StrEnum):
    """What a conditional action does."""

    NONE = "NONE"
    SCRIPT = "SCRIPT"
    SEND_MESSAGE = "SEND_MESSAGE"


class Overlap(StrEnum):
    """What a run does that is due while the one before is not over."""

    ALLOW = "ALLOW"
    SKIP = "SKIP"
    QUEUE = "QUEUE"
    CANCEL_PREVIOUS = "CANCEL_PREVIOUS"


class CatchUp(StrEnum):
    """What becomes of runs that were missed."""

    SKIP = "SKIP"
    RUN_ONCE = "RUN_ONCE"
    RUN_ALL = "RUN_ALL"
