"""`cronium demo`: five examples that show what the executor does."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from rich.rule import Rule
from rich.text import Text

from cli.errors import EXIT_FAILURE
from cli.event_file import RunOptions, request_of_file
from cli.lines import LinePrinter
from cli.options import Config, StateDir, load
from cli.outcome import status_text
from cli.run import execute, new_execution_id
from cli.terminal import notes, table
from contracts.results import ExecutionResult, Status

if TYPE_CHECKING:
    from cli.stack import Stack
    from worker.settings import Settings

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


class Scene(NamedTuple):
    """One example and how it should end."""

    file: str
    title: str
    status: Status
    attempts: int = 1


SCENES = (
    Scene("hello.sh", "a Bash script", Status.SUCCESS),
    Scene("hello.py", "a Python script", Status.SUCCESS),
    Scene("hello.js", "a Node.js script", Status.SUCCESS),
    Scene("flaky.yaml", "a script that fails and is tried again", Status.FAILURE, 3),
    Scene("timeout.yaml", "a script that ignores its time limit", Status.TIMEOUT),
)


def demo(config: Config = None, state_dir: StateDir = None) -> int:
    """Run five examples: three languages, a retry and a timeout.

    Starts a local stack in the background when there is none.
    """
    from cli.stack import find_or_start

    settings = load(config, state_dir)
    stack = find_or_start(settings, config)
    return asyncio.run(_play(settings, stack))


async def _play(settings: "Settings", stack: "Stack") -> int:
    console = notes()
    played: list[tuple[Scene, ExecutionResult]] = []
    for scene in SCENES:
        console.print()
        console.print(Rule(Text(f"{scene.file}: {scene.title}"), align="left"))
        request = request_of_file(
            EXAMPLES / scene.file,
            RunOptions(input='{"name": "Cronium"}'),
            new_execution_id(),
        )
        printer = LinePrinter(colours=not console.no_color)
        played.append((scene, await execute(settings, stack, request, printer)))
    _summary(played, stack)
    return 0 if all(_as_expected(*pair) for pair in played) else EXIT_FAILURE


def _as_expected(scene: Scene, result: ExecutionResult) -> bool:
    return (result.status, result.attempts) == (scene.status, scene.attempts)


def _summary(played: list[tuple[Scene, ExecutionResult]], stack: "Stack") -> None:
    console = notes()
    shown = table(
        ("Example", "Status", "Tries", "Exit code", "Time", "As expected"),
        title="Summary",
    )
    for scene, result in played:
        expected = _as_expected(scene, result)
        shown.add_row(
            scene.file,
            status_text(result.status),
            str(result.attempts),
            str(result.exit_code),
            f"{result.durations.total_ms} ms",
            Text("yes", "green") if expected else Text("no", "bold red"),
        )
    console.print()
    console.print(shown)
    last = played[-1][1].execution_id
    if stack.ui:
        console.print(f"Temporal web UI:  {stack.ui}", style="bold")
    console.print(f"Logs of the last: cronium logs {last}", soft_wrap=True)
    console.print(f"Gateway and API:  {stack.gateway}/docs")
    if stack.ui:
        console.print("The stack stays for the next run; `cronium down` stops it.")
