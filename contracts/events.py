"""What a user asks for: one event, its environment, limits and retries."""

from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import (
    Field,
    StringConstraints,
    field_serializer,
    field_validator,
    model_validator,
)

from contracts import limits, names
from contracts.actions import Action, EventAction, depth_and_count
from contracts.base import WireModel
from contracts.fanout import FanOut, Target, most_targets, name_of
from contracts.http import HttpRequestSpec
from contracts.identity import Identifier, Tag
from contracts.schedule_link import Scheduled
from contracts.servers import ServerSpec
from contracts.wire_text import json_size, utf8_size

# Assigning these makes dash, which starts every script, stop or change its meaning.
SHELL_OWNED_NAMES = frozenset({"OPTIND", "PPID", "IFS", "PS4"})


class EventType(StrEnum):
    """What kind of work an event is."""

    BASH = "bash"
    PYTHON = "python"
    NODEJS = "nodejs"
    HTTP_REQUEST = "http_request"


class Network(StrEnum):
    """What a script may reach."""

    NONE = "none"
    EGRESS = "egress"


class Trigger(StrEnum):
    """Who started an execution."""

    MANUAL = "manual"
    API = "api"
    SCHEDULE = "schedule"
    WEBHOOK = "webhook"
    WORKFLOW = "workflow"
    ACTION = "action"


class EnvVar(WireModel):
    """One environment variable: a plain value, or the name of a secret."""

    name: Annotated[
        str, StringConstraints(max_length=255, pattern=names.ENV_NAME_PATTERN)
    ]
    value: str | None = None
    secret: (
        Annotated[
            str, StringConstraints(max_length=255, pattern=names.SECRET_NAME_PATTERN)
        ]
        | None
    ) = None
    """Name of a secret that the worker resolves at the last moment."""

    @field_validator("name")
    @classmethod
    def _not_reserved(cls, name: str) -> str:
        if name.startswith(names.RESERVED_ENV_PREFIX):
            raise ValueError("names that begin with CRONIUM_ are set by the executor")
        if name in SHELL_OWNED_NAMES:
            raise ValueError(f"{name} belongs to the shell: choose another name")
        return name

    @field_validator("value")
    @classmethod
    def _fits_linux(cls, value: str | None) -> str | None:
        if value is None:
            return value
        if "\0" in value:
            raise ValueError("an environment value cannot hold a NUL character")
        if utf8_size(value) > limits.MAX_ENV_VALUE_BYTES:
            raise ValueError(
                f"a value may have at most {limits.MAX_ENV_VALUE_BYTES} bytes: "
                "pass larger data as input"
            )
        return value

    @model_validator(mode="after")
    def _value_or_secret(self) -> Self:
        if (self.value is None) == (self.secret is None):
            raise ValueError("give either `value` or `secret`, and not both")
        return self


class Backoff(WireModel):
    """The wait between tries: initial, then times factor, up to a maximum."""

    initial_seconds: float = Field(1.0, ge=0, le=3600)
    factor: float = Field(2.0, ge=1, le=10)
    max_seconds: float = Field(60.0, ge=0, le=86_400)

    def delay(self, failures: int) -> float:
        """Return the wait in seconds after the given number (≥ 1) of failed tries."""
        wait: float = self.initial_seconds * self.factor ** (failures - 1)
        return min(wait, self.max_seconds)


class Resources(WireModel):
    """What a sandbox may use. Memory includes /tmp, which is kept in memory."""

    memory_mb: int = Field(
        limits.DEFAULT_MEMORY_MB, ge=limits.MIN_MEMORY_MB, le=limits.MAX_MEMORY_MB
    )
    cpus: float = Field(limits.DEFAULT_CPUS, ge=limits.MIN_CPUS, le=limits.MAX_CPUS)
    pids: int = Field(limits.DEFAULT_PIDS, ge=limits.MIN_PIDS, le=limits.MAX_PIDS)
    tmp_mb: int = Field(
        limits.DEFAULT_TMP_MB, ge=limits.MIN_TMP_MB, le=limits.MAX_TMP_MB
    )

    @model_validator(mode="before")
    @classmethod
    def _shrink_default_tmp(cls, data: Any) -> Any:
        # Someone who asks for 64 MB of memory must not have to know about /tmp.
        if not isinstance(data, dict) or {"tmpMb", "tmp_mb"} & set(data):
            return data
        memory = data.get("memoryMb", data.get("memory_mb"))
        if isinstance(memory, int) and memory // 2 < limits.DEFAULT_TMP_MB:
            return {**data, "tmpMb": max(limits.MIN_TMP_MB, memory // 2)}
        return data

    @model_validator(mode="after")
    def _tmp_below_memory(self) -> Self:
        if self.tmp_mb >= self.memory_mb:
            raise ValueError(
                f"tmpMb ({self.tmp_mb}) must be smaller than memoryMb "
                f"({self.memory_mb}): /tmp is kept in memory"
            )
        return self


class EventSpec(WireModel):
    """One event: a script or a request, and all that decides how it is run."""

    id: Identifier
    name: Annotated[
        str, StringConstraints(min_length=1, max_length=limits.MAX_NAME_LENGTH)
    ]
    type: EventType
    script: str | None = None
    http: HttpRequestSpec | None = None
    """The request of an event of type http_request."""
    env: list[EnvVar] = Field(default=[], max_length=limits.MAX_ENV_ENTRIES)
    timeout_seconds: float = Field(
        limits.DEFAULT_TIMEOUT_SECONDS, gt=0, le=limits.MAX_TIMEOUT_SECONDS
    )
    """Limit of the script alone, counted from its start; setup does not eat it."""
    grace_seconds: float = Field(
        limits.DEFAULT_GRACE_SECONDS, ge=0, le=limits.MAX_GRACE_SECONDS
    )
    """Time between TERM and KILL on timeout and cancel."""
    retries: int = Field(0, ge=0, le=limits.MAX_RETRIES)
    """Extra tries after a failed one: 2 means that a failing script runs 3 times."""
    backoff: Backoff = Backoff()
    resources: Resources = Resources()
    network: Network = Network.EGRESS
    image: (
        Annotated[
            str,
            StringConstraints(
                min_length=1,
                max_length=limits.MAX_IMAGE_LENGTH,
                pattern=r"^[A-Za-z0-9][A-Za-z0-9._/:@-]*$",
            ),
        ]
        | None
    ) = None
    """Image to run in; None is the operator's default image."""
    tags: list[Tag] = Field(default=[], max_length=limits.MAX_TAGS)
    idempotent: bool = False
    """Whether the script may be run again when its host is lost in the middle."""
    targets: list[Target] | None = Field(
        None, min_length=1, max_length=limits.MAX_TARGETS
    )
    """Servers to run on, inline or by name; None is one container. Names are those of
    an inventory and must be replaced before the start. Image, network and resources
    are those of containers and mean nothing on a server."""
    fan_out: FanOut | None = None
    """How the run spreads over the targets; None is all defaults."""
    actions: list[Action] = Field(default=[], max_length=limits.MAX_ACTIONS)
    """What happens once, after the last try."""

    @field_validator("actions")
    @classmethod
    def _actions_end(cls, actions: list[Action]) -> list[Action]:
        depth, count = depth_and_count(actions)
        if depth > limits.MAX_ACTION_NESTING:
            raise ValueError(
                f"actions may be nested at most {limits.MAX_ACTION_NESTING} deep, "
                f"these are {depth}"
            )
        if count > limits.MAX_NESTED_ACTIONS:
            raise ValueError(
                f"there may be at most {limits.MAX_NESTED_ACTIONS} actions in all, "
                f"nested ones included, these are {count}"
            )
        return actions

    @field_validator("targets")
    @classmethod
    def _targets_differ(cls, targets: list[Target] | None) -> list[Target] | None:
        seen: dict[str, int] = {}
        for index, target in enumerate(targets or []):
            name = name_of(target)
            if not name.isprintable():
                raise ValueError("the name of a server must be printable")
            if utf8_size(name) > limits.MAX_TARGET_NAME_BYTES:
                raise ValueError(
                    f"a server's name may have {limits.MAX_TARGET_NAME_BYTES} bytes"
                )
            if name in seen:
                raise ValueError(f"[{index}] has the name of [{seen[name]}]")
            seen[name] = index
        return targets

    @field_serializer("targets")
    def _targets_short(self, targets: list[Target] | None) -> list[Any] | None:
        # A thousand servers fit a payload only without what is as usual.
        if targets is None:
            return None
        return [
            target
            if isinstance(target, str)
            else target.model_dump(mode="json", exclude_defaults=True)
            for target in targets
        ]

    @field_validator("script")
    @classmethod
    def _script_size(cls, script: str | None) -> str | None:
        if script is None:
            return script
        size = utf8_size(script)
        if size > limits.MAX_SCRIPT_BYTES:
            raise ValueError(
                f"a script may have at most {limits.MAX_SCRIPT_BYTES} bytes, "
                f"this one has {size}"
            )
        if "\0" in script:
            raise ValueError("a script cannot hold a NUL character")
        return script

    @field_validator("env")
    @classmethod
    def _env_size(cls, env: list[EnvVar]) -> list[EnvVar]:
        total = sum(len(var.name) + len((var.value or "").encode()) + 2 for var in env)
        if total > limits.MAX_ENV_TOTAL_BYTES:
            raise ValueError(
                f"all variables together may have at most "
                f"{limits.MAX_ENV_TOTAL_BYTES} bytes, these have {total}"
            )
        seen: set[str] = set()
        for var in env:
            if var.name in seen:
                raise ValueError(f"{var.name} is given twice")
            seen.add(var.name)
        return env

    @model_validator(mode="after")
    def _type_has_its_parts(self) -> Self:
        if self.type is EventType.HTTP_REQUEST:
            if self.http is None:
                raise ValueError("http: an event of type http_request needs a request")
            if self.script is not None:
                raise ValueError("script: an event of type http_request has none")
            if self.targets is not None:
                raise ValueError("targets: an event of type http_request has none")
            return self
        if self.http is not None:
            raise ValueError("http: only an event of type http_request has a request")
        if not self.script or not self.script.strip():
            raise ValueError(f"script: an event of type {self.type} needs a script")
        return self

    @model_validator(mode="after")
    def _fan_out_has_targets(self) -> Self:
        if self.fan_out is None:
            return self
        if self.targets is None:
            raise ValueError("fanOut: needs `targets`, which are missing")
        # Names of an inventory may stand for many; they are checked once resolved.
        if all(isinstance(target, ServerSpec) for target in self.targets):
            known = {name_of(target) for target in self.targets}
            for number, name in enumerate(self.fan_out.overrides, 1):
                if name not in known:
                    raise ValueError(
                        f"fanOut.overrides: the name of number {number} is no target's"
                    )
        return self

    @property
    def servers(self) -> list[ServerSpec]:
        """The targets that are written out."""
        return [
            target for target in self.targets or [] if isinstance(target, ServerSpec)
        ]

    @property
    def may_repeat(self) -> bool:
        """Whether a try that was lost in the middle may be made again.

        True when the event says so, and for requests of the methods that HTTP defines
        as idempotent (RFC 9110, 9.2.2).
        """
        return self.idempotent or (self.http is not None and self.http.idempotent)


EventAction.model_rebuild(_types_namespace={"EventSpec": EventSpec})
EventSpec.model_rebuild(force=True)


class EventRequest(Scheduled):
    """One execution of one event: the only argument of `EventWorkflow`."""

    event: EventSpec
    input: Any = None
    """Any JSON value; the script reads it from /run/cronium/input.json."""
    trigger: Trigger = Trigger.MANUAL
    user: Identifier = "local"
    """Whose execution it is; decides who may read its logs."""
    priority: int = Field(3, ge=1, le=5)
    """1 is first, 5 last; passed to Temporal."""
    chain_depth: int = Field(0, ge=0)
    """How many events started each other before this one; 0 is the first."""

    @field_validator("input")
    @classmethod
    def _input_size(cls, value: Any) -> Any:
        size = json_size(value)
        if size > limits.MAX_INPUT_BYTES:
            raise ValueError(
                f"input may have at most {limits.MAX_INPUT_BYTES} bytes of JSON, "
                f"this one has {size}: put large data where the script can fetch it"
            )
        return value

    @model_validator(mode="after")
    def _targets_fit_history(self) -> Self:
        targets = len(self.event.targets or [])
        if targets > 1 and targets > (most := most_targets(self.order_bytes)):
            raise ValueError(
                f"event.targets: script, env and input have {self.order_bytes} bytes "
                f"and are sent to each server, so that {most} servers are the most, "
                f"not {targets}: put large data where the script can fetch it"
            )
        return self

    @property
    def order_bytes(self) -> int:
        """Size of what every target is sent: script, environment and input."""
        env = sum(len(var.name) + utf8_size(var.value or "") for var in self.event.env)
        return utf8_size(self.event.script or "") + env + json_size(self.input)
