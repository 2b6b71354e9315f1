"""A server that is reached over SSH: where it is, how it is known, how to log in.

Secrets are named, and the worker resolves the names at the last moment. A value may
also stand in the request itself; that is meant for payloads that are encrypted.
"""

import re
from typing import Annotated, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from contracts import names
from contracts.base import WireModel
from contracts.identity import Identifier, Tag
from contracts.limits import KIB, MAX_NAME_LENGTH, MAX_TAGS

MAX_SECRET_CHARS = 64 * KIB
MAX_JUMPS = 4
# A server of flesh and blood is up again after a reboot within some minutes.
UNREACHABLE_SECONDS = 300.0
MAX_UNREACHABLE_SECONDS = 86_400.0
MAX_HOST_KEYS = 16
# The field separators of known_hosts, user@host and command lines stay out.
ADDRESS_PATTERN = r"^[A-Za-z0-9_:][A-Za-z0-9._:%-]*$"
USER_PATTERN = r"^[A-Za-z0-9_][A-Za-z0-9_.@\\-]*\$?$"
ALGORITHM_PATTERN = r"^[a-z0-9][A-Za-z0-9@.-]*$"
FINGERPRINT = re.compile(r"SHA256:[A-Za-z0-9+/]{43}=?")
PUBLIC_KEY = re.compile(r"[a-z0-9][a-z0-9@.-]+ [A-Za-z0-9+/]{16,}={0,3}( [^\r\n]*)?")

Address = Annotated[
    str, StringConstraints(min_length=1, max_length=253, pattern=ADDRESS_PATTERN)
]
UserName = Annotated[
    str, StringConstraints(min_length=1, max_length=64, pattern=USER_PATTERN)
]
Algorithm = Annotated[
    str, StringConstraints(min_length=1, max_length=64, pattern=ALGORITHM_PATTERN)
]
Seconds = Annotated[float, Field(gt=0, le=3600)]


class SecretText(WireModel):
    """A secret: its name on the worker, or, in encrypted requests, the value itself."""

    secret: (
        Annotated[
            str, StringConstraints(max_length=255, pattern=names.SECRET_NAME_PATTERN)
        ]
        | None
    ) = None
    """Name of a secret that the worker resolves at the last moment."""
    value: str | None = Field(None, max_length=MAX_SECRET_CHARS, repr=False)
    base64: bool = False
    """Whether the text is base64 of what is meant; usual for keys in one line."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.value is None) == (self.secret is None):
            raise ValueError("give either `secret` (a name) or `value`, and not both")
        return self


class Credentials(WireModel):
    """What a login may use; everything given is offered, keys before the password."""

    key: SecretText | None = None
    """A private key in OpenSSH or PEM form."""
    passphrase: SecretText | None = None
    """Opens the key when it is encrypted."""
    certificate: SecretText | None = None
    """An OpenSSH user certificate for the key."""
    password: SecretText | None = None
    agent: bool = False
    """Whether to ask the worker's SSH agent; the operator must have named one."""

    @model_validator(mode="after")
    def _enough(self) -> Self:
        if not (self.key or self.password or self.agent):
            raise ValueError("give at least one of `key`, `password` and `agent`")
        if self.key is None:
            for name in ("passphrase", "certificate"):
                if getattr(self, name) is not None:
                    raise ValueError(f"`{name}` belongs to a `key`, which is missing")
        return self


class Algorithms(WireModel):
    """Old algorithms that are allowed for this server besides the modern ones."""

    kex: list[Algorithm] = Field(default=[], max_length=16)
    ciphers: list[Algorithm] = Field(default=[], max_length=16)
    macs: list[Algorithm] = Field(default=[], max_length=16)
    host_keys: list[Algorithm] = Field(default=[], max_length=16)


class Deadlines(WireModel):
    """How long each step may take, in seconds; every one has an error of its own."""

    connect_seconds: Seconds = 10.0
    """Name resolution and TCP, or the channel through a jump host."""
    banner_seconds: Seconds = 10.0
    """From TCP to the end of the key exchange, in which the host key is checked."""
    auth_seconds: Seconds = 15.0
    idle_seconds: Seconds = 30.0
    """How long an answer on a live connection may take."""
    total_seconds: Seconds = 60.0
    """Everything until the server can be used: waiting for a turn, tries, jumps."""
    unreachable_seconds: float | None = Field(None, ge=0, le=MAX_UNREACHABLE_SECONDS)
    """How long a server that cannot be reached is tried again before a script began.
    None: `UNREACHABLE_SECONDS` when it is the only one, else three tries in a row."""


class Endpoint(WireModel):
    """One sshd and how to log in to it."""

    address: Address
    """Host name or IP address."""
    port: int = Field(22, ge=1, le=65_535)
    username: UserName
    credentials: Credentials = Field(repr=False)
    host_keys: list[str] = Field(default=[], max_length=MAX_HOST_KEYS)
    """Pinned: `ssh-ed25519 AAAA…` or `SHA256:…`. Empty: known_hosts decides."""
    algorithms: Algorithms = Algorithms()

    @field_validator("host_keys")
    @classmethod
    def _are_keys(cls, pins: list[str]) -> list[str]:
        for pin in pins:
            if not (FINGERPRINT.fullmatch(pin) or PUBLIC_KEY.fullmatch(pin)):
                raise ValueError(
                    "a host key is written `ssh-ed25519 AAAA…`, as in a .pub file, or "
                    "`SHA256:…`, as `ssh-keygen -l` prints it"
                )
        return pins


class RunAs(WireModel):
    """Another user of the server to run scripts as, by sudo."""

    user: UserName = "root"
    password: SecretText | None = Field(None, repr=False)
    """The login user's password for sudo; None: sudo asks for none."""


class ServerSpec(Endpoint):
    """A server on which scripts run."""

    id: Identifier
    name: Annotated[str, StringConstraints(min_length=1, max_length=MAX_NAME_LENGTH)]
    jump: list[Endpoint] = Field(default=[], max_length=MAX_JUMPS)
    """Hosts to go through; the first is dialled first."""
    working_directory: (
        Annotated[str, StringConstraints(max_length=4096, pattern=r"^/[^\x00\r\n]*$")]
        | None
    ) = None
    """Where scripts start; None is the home directory."""
    run_as: RunAs | None = None
    pty: bool = False
    """Whether to ask for a terminal, for a sudo that insists on one. Scripts run
    detached in any case and have none."""
    deadlines: Deadlines = Deadlines()
    tags: list[Tag] = Field(default=[], max_length=MAX_TAGS)
    groups: list[Tag] = Field(default=[], max_length=MAX_TAGS)
