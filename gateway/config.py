"""What an operator can set about the gateway."""

from dataclasses import dataclass, field
from pathlib import Path

from gateway.hooks_start import Starts


@dataclass(frozen=True)
class GatewayConfig:
    """Settings of one gateway process; times are seconds unless the name says days."""

    database_url: str
    """`sqlite+aiosqlite:///path/logs.db` or `postgresql+asyncpg://…`."""
    secret: str = field(repr=False)
    """Signs the tokens; at least 32 bytes. See `gateway.tokens`."""
    secret_file: Path | None = None
    """Where the secret stands; a new key in it is used without a restart."""
    host: str = "127.0.0.1"
    port: int = 8780
    """0 takes a free port."""
    public_url: str = ""
    """Where senders of webhooks reach the gateway; empty: addresses without a host."""
    trusted_proxies: tuple[str, ...] = ()
    """Addresses and ranges whose `X-Forwarded-For` and `-Proto` are believed."""
    requests_per_minute: int = 1200
    """Of one user or execution token's subject, a sixth of them at once; 0: no limit.
    Services and workers are not counted."""
    cors_origins: tuple[str, ...] = ()
    """Origins whose pages may call the API, such as `https://app.example.com`."""
    retention_days: float = 30
    """Executions that nothing happened to for this long are deleted; 0 keeps all."""
    viewer_buffer_lines: int = 20_000
    """How far a blocked viewer may fall behind before it is cut off."""
    send_timeout: float = 10.0
    """How long one message to a viewer may wait for the viewer's network."""
    starts: Starts | None = field(default=None, repr=False)
    """What webhooks start executions with; None: they answer that they cannot."""
