"""Settings of every process of ours, from a YAML file and `CRONIUM_*` variables.

The only place where the environment is read. Variables win over the file, the file over
the defaults. How to reach Temporal, beyond address and namespace, is left to
`temporalio.envconfig`. `python -m worker.settings` prints the table of all keys.
"""

import ipaddress
import os
import secrets
from collections.abc import Mapping
from contextvars import ContextVar
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from contracts import names
from worker.settings_sources import (
    SettingsError,
    Variables,
    explain,
    read_yaml,
    reference,
    warn_of_unknown,
)
from worker.units import Duration, Size

__all__ = ["Settings", "SettingsError", "load_settings", "settings_reference"]

ENV_PREFIX = "CRONIUM_"
CONFIG_VARIABLE = "CRONIUM_CONFIG"
CONFIG_FILES = (Path("cronium.yaml"), Path("/etc/cronium/cronium.yaml"))

Port = Annotated[int, Field(ge=0, le=65_535)]


def _networks(values: list[str]) -> list[str]:
    for value in values:
        try:
            ipaddress.ip_network(value)
        except ValueError:
            raise ValueError("expected address ranges such as 169.254.0.0/16") from None
    return values


def _derived(text: str) -> dict[str, Any]:
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
        json_schema_extra=_derived(
            "`/run/cronium` for root, else `$XDG_RUNTIME_DIR/cronium`"
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
    tmp_exec: bool = Field(False, description="Whether files in /tmp may be executed")
    api_timeout: Duration = Field(
        60.0, gt=0, description="Limit of one call to the Docker Engine"
    )
    janitor_interval: Duration = Field(
        60.0, gt=0, description="Time between searches for left-over sandboxes"
    )


class LogSettings(Group):
    """How much of a log is kept, and where it waits for the gateway."""

    cap: Size = Field(
        16 << 20, description="Log kept per execution: head and tail, middle dropped"
    )
    spool_max: Size = Field(
        2 << 30, description="Disk space for lines the gateway has not yet stored"
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
        json_schema_extra=_derived("`sqlite+aiosqlite:///<state_dir>/gateway.db`"),
    )
    secret_file: Path = Field(
        Path(),
        description="File with the key that signs tokens; made when missing",
        json_schema_extra=_derived("`<state_dir>/gateway.secret`"),
    )
    cors_origins: list[str] = Field(
        [], description="Origins of web pages that may call the gateway"
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
        1.0, gt=0, description="Time between signs of life of a run"
    )
    heartbeat_timeout: Duration = Field(
        15.0, gt=0, description="After this long without one a worker counts as dead"
    )
    drain_timeout: Duration = Field(
        10.0, description="Time to hand runs over after SIGTERM"
    )
    schedule_to_start: Duration = Field(
        3600.0, gt=0, description="How long a run may wait for a free slot"
    )
    setup_timeout: Duration = Field(
        600.0, gt=0, description="How long image pull and sandbox creation may take"
    )


class SecretSettings(Group):
    """Where the worker finds the values of named secrets."""

    env_allow: list[str] = Field(
        [], description="Variables (names or globs) that may be given out as secrets"
    )
    directory: Path | None = Field(
        None, description="Directory with one file per secret"
    )


class Settings(BaseSettings):
    """All settings; every key has a default."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX,
        env_nested_delimiter="_",
        env_nested_max_split=1,
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
    )

    state_dir: Path = Field(
        Path(),
        description="Directory for everything that must survive a restart",
        json_schema_extra=_derived(
            "`/var/lib/cronium` for root, else `~/.local/state/cronium`"
        ),
    )
    role: Literal["all", "workflow", "host", "gateway"] = Field(
        "all", description="What this worker process does"
    )
    instance: str = Field(
        "default",
        pattern=names.ID_PATTERN,
        max_length=40,
        description="Keeps several executors on one Docker host apart",
    )
    host_id: str | None = Field(
        None,
        pattern=names.ID_PATTERN,
        max_length=60,
        description="Stable name of this host; unset: random, kept in `state_dir`",
    )
    log_format: Literal["auto", "console", "json"] = Field(
        "auto", description="Form of our own log; `auto` is console on a terminal"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least level of our own log"
    )
    temporal: TemporalSettings = TemporalSettings()
    docker: DockerSettings = DockerSettings()
    logs: LogSettings = LogSettings()
    gateway: GatewaySettings = GatewaySettings()
    worker: WorkerSettings = WorkerSettings()
    secrets: SecretSettings = SecretSettings()

    @model_validator(mode="before")
    @classmethod
    def _derive_paths(cls, data: Any) -> Any:
        """Fill in the defaults that follow from other keys."""
        if not isinstance(data, dict):
            return data
        state = Path(data.get("state_dir") or _default_state_dir()).expanduser()
        state = state.absolute()
        run = _default_run_dir(state, str(data.get("instance", "default")))
        return {
            **data,
            "state_dir": state,
            "docker": _filled(data.get("docker"), run_dir=run),
            "gateway": _filled(
                data.get("gateway"),
                database_url=f"sqlite+aiosqlite:///{state}/gateway.db",
                secret_file=state / "gateway.secret",
            ),
        }

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return the sources, the strongest first."""
        return (
            init_settings,
            Variables(settings_cls),
            InitSettingsSource(settings_cls, init_kwargs=_file_content.get() or {}),
        )

    def resolve_host_id(self) -> str:
        """Return this host's stable id; the first call on a host makes it up.

        Raises:
            OSError: The state directory cannot be written.
        """
        if self.host_id:
            return self.host_id
        file = self.state_dir / "host-id"
        if file.exists():
            return file.read_text().strip()
        self.state_dir.mkdir(parents=True, exist_ok=True)
        fresh = self.state_dir / f".host-id.{os.getpid()}"
        fresh.write_text(secrets.token_hex(6) + "\n")
        try:
            # Linking fails when the name is taken: of two processes one wins.
            os.link(fresh, file)
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
        return file.read_text().strip()


_file_content: ContextVar[dict[str, Any] | None] = ContextVar(
    "settings_file", default=None
)


def load_settings(config: Path | None = None, **overrides: Any) -> Settings:
    """Read the settings.

    Args:
        config: The YAML file; None is `$CRONIUM_CONFIG`, `./cronium.yaml` or
            `/etc/cronium/cronium.yaml`, whichever is there.
        overrides: Values that win over file and environment; groups as mappings.

    Raises:
        SettingsError: The file cannot be read, or a value does not fit; the message
            names the key as it was typed and never has the value.
    """
    file = _find_config(config)
    token = _file_content.set(read_yaml(file) if file else {})
    try:
        settings = Settings(**overrides)
    except ValidationError as error:
        raise explain(error, Settings, file, os.environ) from None
    finally:
        _file_content.reset(token)
    warn_of_unknown(Settings, os.environ, {CONFIG_VARIABLE})
    return settings


def child_environment(**changes: str) -> dict[str, str]:
    """Return the environment for a process that we start."""
    return {**os.environ, **changes}


def environment() -> Mapping[str, str]:
    """Return this process's own variables, for the source of secrets."""
    return os.environ


def _find_config(config: Path | None) -> Path | None:
    if config is not None:
        return config
    named = os.environ.get(CONFIG_VARIABLE)
    if named:
        return Path(named)
    return next((file for file in CONFIG_FILES if file.is_file()), None)


def _default_state_dir() -> Path:
    if os.geteuid() == 0:
        return Path("/var/lib/cronium")
    return Path.home() / ".local/state/cronium"


def _default_run_dir(state: Path, instance: str) -> Path:
    # A neighbour's janitor must not find our runs beside its own.
    name = "cronium" if instance == "default" else f"cronium-{instance}"
    if os.geteuid() == 0:
        return Path("/run") / name
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    return Path(runtime) / name if runtime else state / "run"


def _filled(group: Any, **defaults: Any) -> Any:
    if group is None:
        return defaults
    if not isinstance(group, dict):
        return group
    given = {key: value for key, value in group.items() if value is not None}
    return {**defaults, **given}


def settings_reference() -> str:
    """Return all keys as a Markdown table."""
    return reference(Settings)


if __name__ == "__main__":
    print(settings_reference())
