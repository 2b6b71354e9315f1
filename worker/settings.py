"""Settings of every process of ours, from a YAML file and `CRONIUM_*` variables.

The only place where the environment is read. Variables win over the file, the file over
the defaults. How to reach Temporal, beyond address and namespace, is left to
`temporalio.envconfig`. `python -m worker.settings` prints the table of all keys.
"""

import hashlib
import os
import secrets
from collections.abc import Mapping
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from contracts import names
from worker.settings_groups import (
    AuditSettings,
    DockerSettings,
    GatewaySettings,
    HttpSettings,
    LogSettings,
    NotifySettings,
    SshSettings,
    TemporalSettings,
    TracingSettings,
    WorkerSettings,
    derived,
)
from worker.settings_secrets import (
    CodecSettings,
    EncryptionSettings,
    SecretSettings,
)
from worker.settings_sources import (
    SettingsError,
    Variables,
    explain,
    read_yaml,
    reference,
    warn_of_unknown,
)

__all__ = ["Settings", "SettingsError", "load_settings", "settings_reference"]

ENV_PREFIX = "CRONIUM_"
CONFIG_VARIABLE = "CRONIUM_CONFIG"
CONFIG_FILES = (Path("cronium.yaml"), Path("/etc/cronium/cronium.yaml"))


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
        json_schema_extra=derived(
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
    http: HttpSettings = HttpSettings()
    ssh: SshSettings = SshSettings()
    logs: LogSettings = LogSettings()
    gateway: GatewaySettings = GatewaySettings()
    worker: WorkerSettings = WorkerSettings()
    secrets: SecretSettings = SecretSettings()
    encryption: EncryptionSettings = EncryptionSettings()
    codec: CodecSettings = CodecSettings()
    notify: NotifySettings = NotifySettings()
    audit: AuditSettings = AuditSettings()
    tracing: TracingSettings = TracingSettings()

    @model_validator(mode="before")
    @classmethod
    def _derive_paths(cls, data: Any) -> Any:
        """Fill in the defaults that follow from other keys."""
        if not isinstance(data, dict):
            return data
        state = Path(data.get("state_dir") or _default_state_dir()).expanduser()
        state = state.absolute()
        run = _default_run_dir(state)
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

    def environment(self) -> Mapping[str, str]:
        """Return this process's own variables, for the source of secrets."""
        return os.environ

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


def _default_run_dir(state: Path) -> Path:
    # A neighbour's janitor must not find our runs beside its own, and what is kept
    # apart on one host has its own state directory.
    name = "cronium"
    if state != _default_state_dir():
        name += "-" + hashlib.sha256(str(state).encode()).hexdigest()[:8]
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
