"""Put the servers of the inventory in the place of the names that an event has."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from cli.errors import problem_at
from cli.inventory import Inventory, read_inventory
from contracts.servers import ServerSpec

PATH = "event"


def resolve(
    event: dict[str, Any],
    wanted: Sequence[str],
    servers: Path | None,
    path: str = PATH,
) -> None:
    """Write the targets of an event out, and those of the events it starts.

    Args:
        event: As it was read; is changed.
        wanted: Targets of the command line, which win over those of the event.
        servers: The inventory; it is read when a name is to be looked up.
        path: Where the event stands.

    Raises:
        InvalidRequest: A target is not known.
    """
    known: list[Inventory] = []

    def inventory() -> Inventory:
        if not known:
            known.append(read_inventory(servers))
        return known[0]

    if wanted:
        event["targets"] = list(wanted)
    _resolve(event, path, inventory, "--target" if wanted else "")


def _resolve(
    event: dict[str, Any], path: str, inventory: Callable[[], Inventory], place: str
) -> None:
    targets = event.get("targets")
    if isinstance(targets, str):
        targets = [targets]
    if isinstance(targets, list):
        event["targets"] = _written_out(targets, inventory, place or f"{path}.targets")
    actions = event.get("actions")
    for index, action in enumerate(actions if isinstance(actions, list) else []):
        if isinstance(action, dict) and isinstance(action.get("event"), dict):
            inner = f"{path}.actions[{index}].event"
            _resolve(action["event"], inner, inventory, "")


def _written_out(
    targets: list[Any], inventory: Callable[[], Inventory], path: str
) -> list[Any]:
    found: list[Any] = []
    named: dict[str, ServerSpec] = {}
    for target in targets:
        if not isinstance(target, str):
            found.append(target)
            continue
        if not target:
            raise problem_at(path, "expected the name of a server")
        for server in inventory().select(target, path):
            # A server of two groups is one target.
            if server.name not in named:
                named[server.name] = server
                found.append(server.model_dump(mode="json", exclude_defaults=True))
    return found
