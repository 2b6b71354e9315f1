"""`cronium guard`: stands between workers and the Docker socket."""

import asyncio
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.errors import problem_at
from cli.options import Config, load

if TYPE_CHECKING:
    from worker.settings import Settings

LISTEN = Path("/run/cronium-guard/docker.sock")

Listen = Annotated[Path, typer.Option(metavar="SOCKET", help="Where workers find it.")]


def guard(listen: Listen = LISTEN, config: Config = None) -> int:
    """Let workers do with Docker what they need, and nothing else.

    It uses the same settings as they do; `docker.socket` is the daemon's here.

    Examples:

      cronium guard --listen /run/cronium-guard/docker.sock

      CRONIUM_DOCKER_SOCKET=/run/cronium-guard/docker.sock cronium worker
    """
    from worker.logging import configure

    settings = load(config)
    configure(settings.log_format, settings.log_level)
    asyncio.run(_serve(settings, listen))
    return 0


async def _serve(settings: "Settings", listen: Path) -> None:
    from engines.docker import DockerEngine
    from engines.docker.guard import Guard
    from worker.compose import docker_config

    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    engine = DockerEngine(docker_config(settings, "guard"))
    server = Guard(engine)
    try:
        await server.open(listen)
    except OSError as error:
        raise problem_at("--listen", f"{error.strerror}: {listen}") from None
    try:
        await stop.wait()
    finally:
        await server.close()
        engine.close()
