"""`make histories`: play every path on a real Temporal server and keep its history.

Recorded once and replayed for ever: a change of workflow code that cannot go on with a
history is one that breaks the runs of users who upgrade. Record anew only what no
released version can have written.
"""

import argparse
import asyncio
import json
import re
import sys
from pathlib import Path
from typing import Any

from tests.replay.paths import PATHS
from tests.temporal.scripted import scripted_server
from worker.exit import leave

HISTORIES = Path(__file__).parents[1] / "histories"
# Where it was recorded is nobody's business.
PRIVATE = {
    "stackTrace": "",
    "identity": "worker",
    "workerInstanceKey": "",
    "binaryChecksum": "",
}
# A worker's own queue is named after its process and machine.
STICKY_QUEUE = re.compile(r"^\d+@.*")


def file_of(workflow: str, path: str) -> Path:
    """Return where the history of a path is kept."""
    return HISTORIES / workflow / f"{path}.json"


def without_place(data: Any) -> Any:
    """Return a history without the machine it was recorded on."""
    if isinstance(data, dict):
        return {
            key: PRIVATE[key] if key in PRIVATE else without_place(value)
            for key, value in data.items()
        }
    if isinstance(data, list):
        return [without_place(item) for item in data]
    return STICKY_QUEUE.sub("sticky", data) if isinstance(data, str) else data


async def record(only: list[str], again: bool) -> None:
    """Play the paths that are not recorded yet, those that are named, or all."""
    binary = Path(sys.executable).parent / "temporal"
    async with scripted_server(str(binary)) as server:
        for workflow, paths in PATHS.items():
            for name, play in paths.items():
                file = file_of(workflow, name)
                if name not in only and (only or (file.exists() and not again)):
                    continue
                handle = await play(server)
                history = json.loads((await handle.fetch_history()).to_json())
                file.parent.mkdir(parents=True, exist_ok=True)
                text = json.dumps(without_place(history), indent=1, sort_keys=True)
                file.write_text(text + "\n")
                print(f"{workflow}/{name}: {len(history['events'])} events", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="paths to record anew")
    parser.add_argument("--all", action="store_true", help="record all anew")
    arguments = parser.parse_args()
    asyncio.run(record(arguments.names, arguments.all))
    leave(0)
