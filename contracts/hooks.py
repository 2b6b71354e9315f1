"""Webhooks: what a sender's call starts, and whose calls are taken.

A hook has a key, which is in its address, and a secret, which signs its calls; the
gateway makes both. The body of a call becomes the input of the event.
"""

import ipaddress
import re
from datetime import datetime
from enum import StrEnum
from itertools import chain
from typing import Annotated, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from contracts.base import WireModel
from contracts.events import EventSpec
from contracts.graph_events import events_of
from contracts.graphs import GraphSpec
from contracts.identity import Identifier
from contracts.inline_secrets import inline_secrets
from contracts.limits import KIB, MAX_INPUT_BYTES

DEFAULT_HOOK_BODY_BYTES = 256 * KIB
DEFAULT_TOLERANCE_SECONDS = 300
MIN_TOLERANCE_SECONDS, MAX_TOLERANCE_SECONDS = 10, 3600
DEFAULT_CALLS_PER_MINUTE = 60
MAX_CALLS_PER_MINUTE = 6000
MAX_NETWORKS = 100
MAX_PASSED_HEADERS = 20
DEFAULT_GRACE_SECONDS = 86_400
MAX_GRACE_SECONDS = 30 * 86_400
# Headers that prove who calls: a script has no business with them.
PRIVATE_HEADERS = frozenset(
    {
        "authorization",
        "cookie",
        "proxy-authorization",
        "x-cronium-signature",
        "x-hub-signature",
        "x-hub-signature-256",
    }
)

HeaderName = Annotated[
    str,
    StringConstraints(
        min_length=1,
        max_length=100,
        pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$",
        to_lower=True,
    ),
]


class HookSignature(StrEnum):
    """How calls may be signed; see `contracts.signatures`."""

    CRONIUM = "cronium"
    """Time and body: a call is worth nothing minutes later."""
    GITHUB = "github"
    """The body alone, as GitHub, Gitea and others do."""


class HookSpec(WireModel):
    """One hook: what it starts and which calls it takes."""

    id: Identifier
    event: EventSpec | None = None
    """What each call starts. Its targets must be written out: the gateway knows no
    inventory."""
    workflow: GraphSpec | None = None
    """Or a graph of events, instead of one."""
    user: Identifier = "local"
    """Whose executions they are."""
    priority: int = Field(3, ge=1, le=5)
    """1 is first, 5 last; passed to Temporal."""
    enabled: bool = True
    """False: calls are answered as if there were no such hook."""
    signatures: list[HookSignature] = Field(
        default=[HookSignature.CRONIUM], min_length=1, max_length=2
    )
    """Forms of signature that are taken, any of them."""
    tolerance_seconds: int = Field(
        DEFAULT_TOLERANCE_SECONDS, ge=MIN_TOLERANCE_SECONDS, le=MAX_TOLERANCE_SECONDS
    )
    """How far a call's time may be from the gateway's, both ways."""
    allow_from: list[str] = Field(default=[], max_length=MAX_NETWORKS)
    """Addresses and ranges that calls may come from; empty is any."""
    calls_per_minute: int = Field(
        DEFAULT_CALLS_PER_MINUTE, ge=1, le=MAX_CALLS_PER_MINUTE
    )
    """More than these, a tenth of them at once, are told to come later."""
    max_body_bytes: int = Field(DEFAULT_HOOK_BODY_BYTES, ge=0, le=MAX_INPUT_BYTES)
    pass_headers: list[HeaderName] = Field(default=[], max_length=MAX_PASSED_HEADERS)
    """With names here the input is `{"body": …, "headers": {…}}`, not the body alone.
    Headers are not signed: what a script does must not rest on them alone."""

    @field_validator("allow_from")
    @classmethod
    def _networks(cls, values: list[str]) -> list[str]:
        for number, value in enumerate(values):
            try:
                ipaddress.ip_network(value.strip())
            except ValueError:
                raise ValueError(
                    f"[{number}] is no address or range: expected one such as "
                    "192.0.2.7, 192.0.2.0/24 or 2001:db8::/32"
                ) from None
        return [value.strip() for value in values]

    @field_validator("signatures")
    @classmethod
    def _differ(cls, values: list[HookSignature]) -> list[HookSignature]:
        if len(set(values)) < len(values):
            raise ValueError("a form is given twice")
        return values

    @field_validator("pass_headers")
    @classmethod
    def _harmless(cls, values: list[str]) -> list[str]:
        for number, value in enumerate(values):
            if value in PRIVATE_HEADERS:
                raise ValueError(f"[{number}] proves who calls and is not passed on")
        return values

    @model_validator(mode="after")
    def _starts_one_thing(self) -> Self:
        if (self.event is None) == (self.workflow is None):
            raise ValueError("give either `event` or `workflow`, and not both")
        return self

    @model_validator(mode="after")
    def _targets_are_written_out(self) -> Self:
        targets = self.event.targets if self.event else None
        for number, target in enumerate(targets or []):
            if isinstance(target, str):
                raise ValueError(
                    f"event.targets[{number}]: expected a server's description; "
                    "`cronium hook add` puts those of the inventory in"
                )
        return self

    @model_validator(mode="after")
    def _holds_no_credential(self) -> Self:
        # The gateway keeps what a hook starts as it is, whatever Temporal encrypts.
        events = [("event", self.event)] if self.event is not None else []
        if self.workflow is not None:
            events += events_of(self.workflow, "workflow")
        for path in chain.from_iterable(inline_secrets(e, p) for p, e in events):
            raise ValueError(
                f"{path}: a credential would be kept readable; expected the name of a "
                "secret"
            )
        return self

    @property
    def burst(self) -> int:
        """How many calls may come at once."""
        return max(1, self.calls_per_minute // 10)


class HookInfo(WireModel):
    """One hook as its owner sees it; the secret is not shown again."""

    hook: HookSpec
    url: str
    """Where calls go. Treat it as private, although the secret is what protects."""
    created_at: datetime
    updated_at: datetime
    secrets: int
    """Valid secrets: two while one is being replaced."""


class HookCreated(HookInfo):
    """A hook with its new secret, which is shown this once."""

    secret: str


class HookPage(WireModel):
    """All hooks in order of their ids."""

    hooks: list[HookInfo]


class RotateHook(WireModel):
    """How a secret is replaced."""

    grace_seconds: int = Field(DEFAULT_GRACE_SECONDS, ge=0, le=MAX_GRACE_SECONDS)
    """How long the one before is still taken; 0 is not at all."""


class SignHook(WireModel):
    """A body to be signed as a sender would."""

    body: str = Field(max_length=MAX_INPUT_BYTES)


class SignedHook(WireModel):
    """What a sender has to send."""

    url: str
    headers: dict[str, str]


class HookDeleted(WireModel):
    """Whether there was something to delete."""

    deleted: bool


class HookAccepted(WireModel):
    """The answer to a call that was taken: 202."""

    execution_id: Identifier
    workflow_id: str
    duplicate: bool = False
    """The call came before; nothing was started anew."""
    links: dict[str, str]
    """`execution` (REST) and `logs` (a page); both want a token."""


def is_allowed(address: str, networks: list[str]) -> bool:
    """Return whether an address is in one of the networks; none at all is any."""
    if not networks:
        return True
    try:
        found = ipaddress.ip_address(re.sub(r"%.*", "", address))
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return any((mapped or found) in ipaddress.ip_network(n) for n in networks)
