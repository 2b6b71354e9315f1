"""`cronium dev` and `cronium down`: the local stack."""

import asyncio
import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.panel import Panel
from rich.text import Text

from cli import record
from cli.errors import EXIT_CANCELLED, StackFailed
from cli.options import Config, StateDir, load
from cli.record import StackRecord
from cli.terminal import facts, note, notes

if TYPE_CHECKING:
    from worker.settings import Settings

DOWN_SECONDS = 90.0
READY_SECONDS = 120.0
COLOURS = {"temporal": "35", "gateway": "36", "worker": "32", "cronium": "1"}

Background = Annotated[
    bool,
    typer.Option("--background", "-b", help="Return when everything answers."),
]
TemporalPort = Annotated[int | None, typer.Option(help="Temporal's port.")]
UiPort = Annotated[int | None, typer.Option(help="Port of Temporal's web UI.")]
GatewayPort = Annotated[int | None, typer.Option(help="The gateway's port.")]
LogTo = Annotated[str, typer.Option(hidden=True)]


def dev(
    background: Background = False,
    state_dir: StateDir = None,
    config: Config = None,
    temporal_port: TemporalPort = None,
    ui_port: UiPort = None,
    gateway_port: GatewayPort = None,
    log_to: LogTo = "",
) -> int:
    """Start Temporal with its web UI, the gateway and a worker on this machine.

    The usual ports are taken when they are free, else others; state is kept in a
    directory across restarts. Ctrl-C stops everything, the worker first.

    Examples:

      cronium dev

      cronium dev --background && cronium run examples/hello.sh && cronium down
    """
    settings = load(config, state_dir)
    ports = {
        "temporal": temporal_port,
        "ui": ui_port,
        "gateway": gateway_port,
    }
    if background:
        return _in_background(settings, config, ports)
    return _in_foreground(settings, config, ports, log_to)


def down(state_dir: StateDir = None, config: Config = None) -> int:
    """Stop the local stack that runs in the background.

    Its state stays: the next `cronium dev` goes on with it.
    """
    state = load(config, state_dir).state_dir
    if not record.is_held(state):
        note(f"No local stack runs with {state}.")
        return 0
    running = record.read(state)
    if running is not None:
        os.kill(running.pid, signal.SIGTERM)
    deadline = time.monotonic() + DOWN_SECONDS
    with notes().status("Stopping worker, gateway and Temporal …"):
        while record.is_held(state):
            if time.monotonic() > deadline:
                raise StackFailed(
                    f"the stack still runs after {DOWN_SECONDS:g} s",
                    hint=f"See {state / 'dev.log'}; a second `cronium down` kills it.",
                )
            time.sleep(0.05)
    note("Stopped.")
    return 0


def _in_background(
    settings: "Settings", config: Path | None, ports: dict[str, int | None]
) -> int:
    from cli.stack import start_background

    running = record.read(settings.state_dir)
    if running is not None:
        note("The local stack runs already.")
    else:
        options = ["--config", str(config)] if config else []
        for name, port in ports.items():
            options += [f"--{name}-port", str(port)] if port else []
        running = start_background(settings, options)
    notes().print(_panel(running, settings.state_dir, "`cronium down` stops it"))
    return 0


def _in_foreground(
    settings: "Settings",
    config: Path | None,
    ports: dict[str, int | None],
    log_to: str,
) -> int:
    from cli.supervisor import Supervisor

    with record.hold(settings.state_dir):
        supervisor = Supervisor(settings, ports, config, log_to, say)
        say("cronium", f"state in {settings.state_dir}")

        async def announce() -> None:
            await _announce(supervisor.record, settings.state_dir)

        clean = asyncio.run(supervisor.run(announce))
        say("cronium", "stopped" if clean else "killed")
    return 0 if clean else EXIT_CANCELLED


async def _announce(stack: StackRecord, state: Path) -> None:
    from cli.readiness import Readiness

    readiness = Readiness(stack)
    while not await readiness.wait(READY_SECONDS):
        for part, why in readiness.waiting.items():
            say("cronium", f"{part} is not ready: {why}")
    if sys.stdout.isatty():
        notes().print(_panel(stack, state, "Ctrl-C stops it"))
    else:
        say("cronium", f"ready: web UI {stack.ui}, gateway {stack.gateway}")


def say(name: str, line: str) -> None:
    """Print one line of a part with its name in front."""
    prefix = f"{name:<8} |"
    if sys.stdout.isatty():
        prefix = f"\x1b[{COLOURS.get(name, '0')}m{prefix}\x1b[0m"
    try:
        print(prefix, line, flush=True)
    except OSError:
        # The terminal has gone; the parts must still be stopped in order.
        return


def _panel(stack: StackRecord, state: Path, how_to_stop: str) -> Panel:
    rows = [
        ("Temporal web UI", stack.ui),
        ("Temporal", stack.temporal),
        ("Gateway", f"{stack.gateway}/docs"),
        ("Worker", f"{stack.worker}/ready"),
        ("State", str(state)),
        *([("Log", stack.log)] if stack.log else []),
        ("Try", "cronium run -c 'echo hello'"),
    ]
    table = facts((name, Text(value)) for name, value in rows)
    return Panel(
        table, title="Cronium is ready", subtitle=Text(how_to_stop), expand=False
    )
