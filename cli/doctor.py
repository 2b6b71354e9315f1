"""`cronium doctor`: is this machine fit to run scripts, and does the stack answer?"""

import asyncio
import json
from typing import TYPE_CHECKING

from rich.text import Text

from cli.checks import Check, Verdict, all_checks, failed
from cli.errors import EXIT_FAILURE
from cli.options import AsJson, Config, StateDir, load
from cli.terminal import answers, notes, safe, table
from contracts.errors import CroniumError

if TYPE_CHECKING:
    from worker.settings import Settings

MARKS = {
    Verdict.OK: Text("ok", "green"),
    Verdict.WARN: Text("warn", "bold yellow"),
    Verdict.FAIL: Text("FAIL", "bold red"),
}


def doctor(
    config: Config = None, state_dir: StateDir = None, as_json: AsJson = False
) -> int:
    """Check this machine and the stack; ends with 1 when a check fails.

    The sandbox rows are not read from settings: each is an attempt to break one rule
    from inside a throw-away container.
    """
    try:
        settings = load(config, state_dir)
    except CroniumError as error:
        checks = [failed("Settings", error)]
    else:
        checks = asyncio.run(_run(settings))
    if as_json:
        rows = [
            {"name": c.name, "verdict": c.verdict, "detail": c.detail, "hint": c.hint}
            for c in checks
        ]
        print(json.dumps(rows, ensure_ascii=False, indent=2))
    else:
        _print(checks)
    bad = any(check.verdict is Verdict.FAIL for check in checks)
    return EXIT_FAILURE if bad else 0


async def _run(settings: "Settings") -> list[Check]:
    from cli.stack import find

    found: list[Check] = []
    with notes().status("Checking …") as spinner:
        async for check in all_checks(settings, find(settings)):
            found.append(check)
            spinner.update(f"Checking … {check.name}: {check.verdict}")
    return found


def _print(checks: list[Check]) -> None:
    shown = table(("Check", "", "Found", "What to do"), fold=("Found", "What to do"))
    for check in checks:
        shown.add_row(
            Text(check.name), MARKS[check.verdict], safe(check.detail), safe(check.hint)
        )
    answers().print(shown)
    counts = dict.fromkeys(Verdict, 0)
    for check in checks:
        counts[check.verdict] += 1
    answers().print(
        f"{counts[Verdict.OK]} ok, {counts[Verdict.WARN]} warnings, "
        f"{counts[Verdict.FAIL]} failed"
    )
