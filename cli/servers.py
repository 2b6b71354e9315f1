"""`cronium worker` and `cronium gateway`: one long-lived process each."""

from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import Config, load

if TYPE_CHECKING:
    from gateway.config import GatewayConfig
    from worker.settings import Settings

Role = Annotated[
    str | None,
    typer.Option(help="all, workflow, host or gateway; default $CRONIUM_ROLE."),
]


def worker(config: Config = None, role: Role = None) -> int:
    """Run a worker until SIGTERM; it drains and ends with status 0.

    Examples:

      cronium worker

      CRONIUM_DOCKER_SLOTS=20 cronium worker --role host
    """
    from worker.settings import load_settings

    settings = load_settings(config, role=role) if role else load(config)
    if settings.role == "gateway":
        return _serve(settings)
    from worker.main import run_worker

    return run_worker(settings)


def gateway(config: Config = None) -> int:
    """Run the gateway: it stores logs and shows them live.

    Examples:

      CRONIUM_GATEWAY_PORT=8080 cronium gateway
    """
    return _serve(load(config))


def gateway_config(settings: "Settings") -> "GatewayConfig":
    """Return the gateway's own form of our settings."""
    from gateway.config import GatewayConfig
    from gateway.tokens import load_or_create_secret
    from worker.starts import TemporalStarts

    settings.state_dir.mkdir(parents=True, exist_ok=True)
    return GatewayConfig(
        database_url=_database_url(settings),
        secret=load_or_create_secret(settings.gateway.secret_file),
        secret_file=settings.gateway.secret_file,
        host=settings.gateway.host,
        port=settings.gateway.port,
        public_url=settings.gateway.public_url or settings.gateway.url,
        trusted_proxies=tuple(settings.gateway.trusted_proxies),
        requests_per_minute=settings.gateway.requests_per_minute,
        cors_origins=tuple(settings.gateway.cors_origins),
        retention_days=settings.gateway.retention_days,
        starts=TemporalStarts(settings),
    )


def _database_url(settings: "Settings") -> str:
    file = settings.gateway.database_password_file
    if file is None:
        return settings.gateway.database_url
    from gateway.database import with_password

    return with_password(settings.gateway.database_url, file.read_text().strip())


def _serve(settings: "Settings") -> int:
    import uvloop

    from gateway.server import serve
    from worker.audit import write_audit
    from worker.logging import configure

    configure(settings.log_format, settings.log_level)
    write_audit(settings.audit.log)
    uvloop.run(serve(gateway_config(settings)))
    return 0
