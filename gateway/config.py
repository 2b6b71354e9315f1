"""What an operator can set about the gateway."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class GatewayConfig:
    """Settings of one gateway process; times are seconds unless the name says days."""

    database_url: str
    """`sqlite+aiosqlite:///path/logs.db` or `postgresql+asyncpg://…`."""
    secret: str = field(repr=False)
    """Signs the tokens; at least 32 bytes. See `gateway.tokens`."""
    host: str = "127.0.0.1"
    port: int = 8780
    """0 takes a free port."""
    cors_origins: tuple[str, ...] = ()
    """Origins whose pages may call the API, such as `https://app.example.com`."""
    retention_days: float = 30
    """Executions that nothing happened to for this long are deleted; 0 keeps all."""
    viewer_buffer_lines: int = 20_000
    """How far a blocked viewer may fall behind before it is cut off."""
    send_timeout: float = 10.0
    """How long one message to a viewer may wait for the viewer's network."""
