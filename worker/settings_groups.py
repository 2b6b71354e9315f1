"""The groups of settings: one class per mapping of the file, with meaning and default.

Each default is what a single machine with the whole executor on it needs.
"""

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    FilePath,
)

from contracts import limits, names
from worker.units import Duration, Size

# Prefix lengths of address ranges; the larger one has room for a single small network.
WIDEST_POOL, LEAST_POOL = 8, 26
Port = Annotated[int, Field(ge=0, le=65_535)]


def _networks(values: list[str]) -> list[str]:
    for value in values:
        try:
            ipaddress.ip_network(value)
        except ValueError:
            raise ValueError("expected address ranges such as 169.254.0.0/16") from None
    return values


def _pools(values: list[str]) -> list[str]:
    for value in values:
        try:
            fits = _is_pool(ipaddress.IPv4Network(value))
        except ValueError:
            fits = False
        if not fits:
            raise ValueError(
                f"expected private IPv4 ranges of /{WIDEST_POOL} to /{LEAST_POOL}, "
                "such as 10.213.0.0/16"
            )
    return values


def _is_pool(pool: ipaddress.IPv4Network) -> bool:
    if pool.is_global or pool.is_loopback or pool.is_link_local or pool.is_multicast:
        return False
    return WIDEST_POOL <= pool.prefixlen <= LEAST_POOL and not pool.is_reserved


Pools = Annotated[list[str], AfterValidator(_pools)]


def _networks_or_hosts(values: list[str]) -> list[str]:
    for value in values:
        if "/" in value:
            _networks([value])
        elif not re.fullmatch(r"[A-Za-z0-9*_.:-]+", value):
            raise ValueError("expected address ranges and names such as *.example.org")
    return values


def _origins(values: list[str]) -> list[str]:
    for value in values:
        if not re.fullmatch(r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?", value):
            raise ValueError(
                "expected origins such as https://app.example.com: scheme, host and "
                "port alone, without `*`, path or a slash at the end"
            )
    return [value.lower() for value in values]


def derived(text: str) -> dict[str, Any]:
    """Return what the reference says of a default that follows from other keys."""
    return {"default": text}


class Group(BaseModel):
    """A group of settings: one mapping of the file."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class TemporalSettings(Group):
    """Which Temporal service; all else is read by `temporalio.envconfig`."""

    address: str | None = Field(
        None, description="Temporal's `host:port`; unset: TEMPORAL_ADDRESS or profile"
    )
    namespace: str | None = Field(None, description="Temporal namespace")
    task_queue: str = Field(
        names.TASK_QUEUE, description="Queue that executions are started on"
    )


class DockerSettings(Group):
    """The Docker host and what a sandbox may ask of it."""

    socket: str = Field(
        "/var/run/docker.sock", description="Unix socket of the Docker Engine"
    )
    image: str = Field(names.RUNNER_IMAGE, description="Image of events without one")
    pull_policy: Literal["missing", "always", "never"] = Field(
        "missing", description="When images are pulled"
    )
    pull_timeout: Duration = Field(300.0, gt=0, description="Limit of one image pull")
    runtime: str | None = Field(
        None, description="OCI runtime, such as `runsc`; unset: the daemon's default"
    )
    slots: int = Field(10, ge=1, le=1000, description="Sandboxes at the same time")
    warm: int = Field(
        2,
        ge=0,
        le=100,
        description="Sandboxes that wait, started, for the next run of the same image, "
        "limits and network; 0: each run starts its own",
    )
    max_memory: Size = Field(2 << 30, description="Ceiling of `resources.memoryMb`")
    max_cpus: float = Field(2.0, gt=0, description="Ceiling of `resources.cpus`")
    max_pids: int = Field(1000, ge=1, description="Ceiling of `resources.pids`")
    max_tmp: Size = Field(512 << 20, description="Ceiling of `resources.tmpMb`")
    max_timeout: Duration = Field(
        86_400.0, gt=0, description="Ceiling of `timeoutSeconds`"
    )
    run_dir: Path = Field(
        Path(),
        description="Directory of the runs' files; best on a tmpfs",
        json_schema_extra=derived(
            "`/run/cronium` for root, else `$XDG_RUNTIME_DIR/cronium`; with another "
            "`state_dir` one of its own"
        ),
    )
    egress: Literal["filtered", "unfiltered", "off"] = Field(
        "filtered",
        description="Network of scripts: `filtered` blocks metadata addresses and "
        "the host, `unfiltered` leaves that to your firewall, `off` allows none",
    )
    blocked_networks: Annotated[list[str], AfterValidator(_networks)] = Field(
        ["169.254.0.0/16", "100.100.100.200/32", "192.0.0.192/32"],
        description="Address ranges that scripts may not reach",
    )
    egress_pool: Pools = Field(
        list(limits.EGRESS_POOL),
        min_length=1,
        description="Private address ranges, the preferred one first, that the network "
        "of scripts takes a small part of (/26 for up to 26 slots, else larger); what "
        "Docker networks, routes or addresses of the host use is left out",
    )
    tmp_exec: bool = Field(False, description="Whether files in /tmp may be executed")
    api_timeout: Duration = Field(
        60.0, gt=0, description="Limit of one call to the Docker Engine"
    )
    outage_window: Duration = Field(
        300.0,
        gt=0,
        description="How long a Docker Engine that went away while scripts ran is "
        "waited for",
    )
    ping_interval: Duration = Field(
        5.0,
        gt=0,
        description="Time between two checks that the Docker Engine answers; also the "
        "limit of one",
    )
    janitor_interval: Duration = Field(
        60.0, gt=0, description="Time between searches for left-over sandboxes"
    )


class HttpSettings(Group):
    """HTTP requests: where they may go, and what they may ask for."""

    slots: int = Field(50, ge=1, le=1000, description="Requests at the same time")
    private_addresses: Literal["refuse", "allow"] = Field(
        "refuse",
        description="Whether requests may go to loopback and private addresses; "
        "link-local and metadata addresses need `http.allowed_hosts` in any case",
    )
    allowed_hosts: Annotated[list[str], AfterValidator(_networks_or_hosts)] = Field(
        [],
        description="Exceptions: address ranges, host names, `*.example.org`",
    )
    proxy: str | None = Field(
        None,
        pattern=r"^https?://[^\s]+$",
        description="URL of the proxy all requests go through; it must keep a policy "
        "of its own, since it looks names up itself",
    )
    ca_bundle: FilePath | None = Field(
        None, description="PEM file of authorities that are trusted besides the usual"
    )
    allow_unverified_tls: bool = Field(
        True, description="Whether an event may ask for `tls.verify: false`"
    )
    max_body: Size = Field(
        limits.MAX_HTTP_BODY_BYTES,
        le=limits.MAX_HTTP_BODY_BYTES,
        description="Ceiling of `http.maxBodyBytes`",
    )
    max_timeout: Duration = Field(
        3600.0, gt=0, description="Ceiling of a request's `timeoutSeconds`"
    )


class LogSettings(Group):
    """How much of a log is kept, and where it waits for the gateway."""

    cap: Size = Field(
        16 << 20, description="Log kept per execution: head and tail, middle dropped"
    )
    spool_max: Size = Field(
        2 << 30, description="Disk space for lines the gateway has not yet stored"
    )
    min_free: Size = Field(
        64 << 20, description="Free disk space below which no new run is taken"
    )


class GatewaySettings(Group):
    """The gateway: where it listens, what it stores, how others reach it."""

    url: str = Field(
        "http://127.0.0.1:8780", description="Where workers and the command reach it"
    )
    public_url: str | None = Field(
        None, description="Where people's browsers reach it; unset: `gateway.url`"
    )
    host: str = Field("127.0.0.1", description="Address the gateway listens on")
    port: Port = Field(8780, description="Port the gateway listens on; 0 is any free")
    database_url: str = Field(
        "",
        description="SQLAlchemy URL of its database",
        json_schema_extra=derived("`sqlite+aiosqlite:///<state_dir>/gateway.db`"),
    )
    database_password_file: FilePath | None = Field(
        None, description="File with the password that `gateway.database_url` lacks"
    )
    secret_file: Path = Field(
        Path(),
        description="File with the key that signs tokens; made when missing",
        json_schema_extra=derived("`<state_dir>/gateway.secret`"),
    )
    cors_origins: Annotated[list[str], AfterValidator(_origins)] = Field(
        [],
        description="Origins of web pages that may call the gateway and open its "
        "WebSockets",
    )
    trusted_proxies: Annotated[list[str], AfterValidator(_networks)] = Field(
        [],
        description="Addresses and ranges of proxies whose `X-Forwarded-For` and "
        "`X-Forwarded-Proto` are believed",
    )
    requests_per_minute: int = Field(
        1200,
        ge=0,
        description="Requests of one user or execution token's subject, a sixth of "
        "them at once; 0 is no limit",
    )
    retention_days: int = Field(
        30, ge=0, description="Days that logs and records are kept; 0 keeps them"
    )


class WorkerSettings(Group):
    """The worker's health endpoints and its times."""

    health_host: str = Field(
        "127.0.0.1", description="Address of /health, /ready and /metrics"
    )
    health_port: Port = Field(9464, description="Port of these; 0 is any free port")
    heartbeat_interval: Duration = Field(
        1.0,
        gt=0,
        description="Time between signs of life of a run; with more than 150 runs on a "
        "host longer, up to a third of the timeout",
    )
    heartbeat_timeout: Duration = Field(
        10.0, gt=0, description="After this long without one a worker counts as dead"
    )
    resume_window: Duration = Field(
        300.0,
        gt=0,
        description="How long a host that stopped answering is waited for, before its "
        "runs are LOST or, when idempotent, run again elsewhere",
    )
    drain_timeout: Duration = Field(
        10.0, description="Longest time that handing runs over may take after SIGTERM"
    )
    standby: bool = Field(
        False,
        description="Whether to wait while another worker uses the state directory, "
        "and to take over when it leaves",
    )
    schedule_to_start: Duration = Field(
        3600.0, gt=0, description="How long a run may wait for a free slot"
    )
    setup_timeout: Duration = Field(
        600.0, gt=0, description="How long image pull and sandbox creation may take"
    )


def _named(value: Any) -> Any:
    """Take `pager=PAGER_URL`, as a variable has it, as a mapping."""
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        pairs = [item.partition("=") for item in value]
        if all(name and secret for name, _, secret in pairs):
            return {name.strip(): secret.strip() for name, _, secret in pairs}
        raise ValueError("expected tools and their secrets as pager=PAGER_URL")
    return value


SecretName = Annotated[str, Field(pattern=names.SECRET_NAME_PATTERN)]


class SshSettings(Group):
    """Servers over SSH: how they are trusted and how long they are waited for."""

    slots: int = Field(
        200, ge=1, le=2000, description="Scripts on servers at the same time"
    )
    known_hosts: Path | None = Field(
        None,
        description="File of trusted host keys, as OpenSSH's; servers with a pinned "
        "key need none",
    )
    trust_on_first_use: bool = Field(
        False,
        description="Whether the key of an unknown server is believed and kept in "
        "`ssh.known_hosts`",
    )
    agent_socket: Path | None = Field(
        None, description="Socket of the SSH agent that servers may name"
    )
    idle_close: Duration = Field(
        300.0, gt=0, description="Time after which an unused connection is closed"
    )
    outage_window: Duration = Field(
        900.0,
        gt=0,
        description="How long a server that went away while a script ran is waited for",
    )
    max_output: Size = Field(
        256 << 20,
        description="A script that writes more to the server's disk is stopped",
    )


class NotifySettings(Group):
    """Tools that scripts may send messages with; addresses are secrets by name."""

    email_secret: SecretName | None = Field(
        None,
        description="Secret with the mail server of the tool `email`: "
        "`smtps://user:password@host?from=cronium@example.org`",
    )
    slack_secret: SecretName | None = Field(
        None, description="Secret with the webhook or Apprise URL of the tool `slack`"
    )
    discord_secret: SecretName | None = Field(
        None, description="Secret with the webhook or Apprise URL of the tool `discord`"
    )
    tools: Annotated[dict[str, SecretName], BeforeValidator(_named)] = Field(
        {}, description="More tools: name → secret with an Apprise URL (`pager=PAGER`)"
    )


class AuditSettings(Group):
    """Who ran what, where, with which secrets; who read which log."""

    log: str = Field(
        "off",
        min_length=1,
        description="Where the lines of the audit log go: a file, `stdout` or `off`; "
        "see docs/observability.md",
    )


class TracingSettings(Group):
    """OpenTelemetry traces; needs the extra `otel`."""

    endpoint: str | None = Field(
        None,
        pattern=r"^https?://[^\s/]+(/\S*)?$",
        description="Where traces go: an OTLP/HTTP collector such as "
        "`http://localhost:4318`; unset: there are none. The standard `OTEL_…` "
        "variables say the rest: headers, sampler, name of the service",
    )
