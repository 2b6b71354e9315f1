"""From settings to the arguments of the parts."""

from collections.abc import Callable, Mapping
from pathlib import Path

from contracts.http import TlsOptions
from contracts.limits import MIB
from engines.docker import DockerConfig
from engines.http import AddressPolicy, HttpConfig
from engines.http.wire import tls_context
from engines.secret_service import SecretService
from engines.ssh import SshConfig
from engines.tools import ToolConfig
from gateway import tokens
from gateway.keys import SecretFile
from worker.settings import Settings

TOKEN_SECONDS = 3600.0
OWNER_FILE = "egress.lock"


def docker_config(settings: Settings, host: str) -> DockerConfig:
    """Return the Docker engine's configuration."""
    docker = settings.docker
    return DockerConfig(
        run_directory=docker.run_dir,
        socket=docker.socket,
        image=docker.image,
        pull_policy=docker.pull_policy,
        pull_timeout=docker.pull_timeout,
        runtime=docker.runtime,
        slots=docker.slots,
        warm=docker.warm,
        max_memory_mb=docker.max_memory // MIB,
        max_cpus=docker.max_cpus,
        max_pids=docker.max_pids,
        max_tmp_mb=docker.max_tmp // MIB,
        max_timeout=docker.max_timeout,
        egress=docker.egress,
        blocked_networks=docker.blocked_networks,
        egress_pool=docker.egress_pool,
        owner_file=settings.state_dir / OWNER_FILE,
        tmp_exec=docker.tmp_exec,
        api_timeout=docker.api_timeout,
        outage_window=docker.outage_window,
        log_bytes=2 * settings.logs.cap,
        instance=settings.instance,
        host_id=host,
    )


def http_config(settings: Settings) -> HttpConfig:
    """Return the HTTP engine's configuration."""
    http = settings.http
    return HttpConfig(
        addresses=AddressPolicy(http.private_addresses, tuple(http.allowed_hosts)),
        proxy=http.proxy,
        ca_bundle=http.ca_bundle,
        allow_unverified_tls=http.allow_unverified_tls,
        max_body=http.max_body,
        max_timeout=http.max_timeout,
    )


def ssh_config(settings: Settings, owner: str) -> SshConfig:
    """Return the SSH engine's configuration; `owner` is whose its runs are."""
    ssh = settings.ssh
    return SshConfig(
        known_hosts=ssh.known_hosts,
        trust_on_first_use=ssh.trust_on_first_use,
        agent_socket=ssh.agent_socket,
        instance=owner,
        idle_close=ssh.idle_close,
        outage_window=ssh.outage_window,
        output_bytes=ssh.max_output,
    )


def gateway_links(settings: Settings) -> tuple[str, str]:
    """Return the ingest URL and the pattern of the links that people follow."""
    url = settings.gateway.url.rstrip("/")
    public = (settings.gateway.public_url or url).rstrip("/")
    return "ws" + url.removeprefix("http") + "/ingest", public + "/logs/{execution}"


def gateway_secret(settings: Settings) -> str:
    """Return the secret that signs the gateway's tokens."""
    path = settings.gateway.secret_file or settings.state_dir / "gateway.secret"
    return tokens.load_or_create_secret(path)


def ingest_token(settings: Settings, host: str) -> Callable[[], str]:
    """Return a maker of fresh tokens for the relay."""
    return _token(settings, host, tokens.Scope.INGEST)


def service_token(settings: Settings, host: str) -> Callable[[], str]:
    """Return a maker of fresh tokens for the variables of all users."""
    return _token(settings, host, tokens.Scope.SERVICE)


def _token(settings: Settings, host: str, scope: tokens.Scope) -> Callable[[], str]:
    path = settings.gateway.secret_file or settings.state_dir / "gateway.secret"
    # Its key may be replaced while we run.
    secret = SecretFile(gateway_secret(settings), path)

    def mint() -> str:
        return tokens.mint(
            secret.current(),
            scope,
            subject=host,
            lifetime_seconds=TOKEN_SECONDS,
        )

    return mint


def secret_sources(
    settings: Settings,
) -> tuple[Mapping[str, str], list[str], Path | None, SecretService | None]:
    """Return environment, allowed names, directory and service of the secrets."""
    return (
        settings.environment(),
        settings.secrets.env_allow,
        settings.secrets.directory,
        secret_service(settings),
    )


def secret_service(settings: Settings) -> SecretService | None:
    """Return what asks the app for secrets; None when it is not to be asked."""
    secrets, bundle = settings.secrets, settings.http.ca_bundle
    if secrets.url is None:
        return None
    return SecretService(
        secrets.url,
        secrets.token_file,
        timeout=secrets.timeout,
        cache=secrets.cache,
        tls=tls_context(TlsOptions(), None, bundle),
    )


def tool_config(settings: Settings) -> ToolConfig:
    """Return which tools scripts may use."""
    notify = settings.notify
    return ToolConfig(
        email=notify.email_secret,
        slack=notify.slack_secret,
        discord=notify.discord_secret,
        others=notify.tools,
    )
