"""Settings of what stays secret: where secrets come from, keys, the codec server."""

from pathlib import Path

from pydantic import Field

from worker.settings_groups import Group, Port
from worker.units import Duration


class SecretSettings(Group):
    """Where the worker finds the values of named secrets."""

    env_allow: list[str] = Field(
        [], description="Variables (names or globs) that may be given out as secrets"
    )
    directory: Path | None = Field(
        None, description="Directory with one file per secret"
    )
    url: str | None = Field(
        None,
        pattern=r"^https?://[^\s?#@]+$",
        description="Address that is asked for `<url>/<NAME>` when neither directory "
        "nor variables have a secret; see docs/encryption.md",
    )
    token_file: Path | None = Field(
        None, description="File with the service token that is sent to `secrets.url`"
    )
    timeout: Duration = Field(
        5.0, gt=0, le=60, description="Limit of one question to `secrets.url`"
    )
    cache: Duration = Field(
        60.0,
        ge=0,
        le=3600,
        description="How long an answer of `secrets.url` is kept in memory; 0: not",
    )


class EncryptionSettings(Group):
    """Encryption of what Temporal stores."""

    keys_file: Path | None = Field(
        None,
        description="File of encryption keys; unset: what Temporal stores is plain "
        "text, and credentials in requests are refused",
    )


class CodecSettings(Group):
    """The codec server, which lets Temporal's web UI and command show plain text."""

    host: str = Field("127.0.0.1", description="Address the codec server listens on")
    port: Port = Field(8781, description="Port of the codec server; 0 is any free one")
    origins: list[str] = Field(
        [],
        description="Origins of web UIs that may use it, as `https://ui.example.org`",
    )
    trust_own_user: bool = Field(
        False,
        description="Whether processes of the same user on this machine need no token; "
        "`cronium dev` sets it for the browser",
    )
