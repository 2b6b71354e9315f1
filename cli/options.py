"""Options that several commands share."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from worker.settings import Settings

Config = Annotated[
    Path | None,
    typer.Option(
        "--config", metavar="FILE", help="Settings file; default $CRONIUM_CONFIG."
    ),
]
StateDir = Annotated[
    Path | None,
    typer.Option(
        "--state-dir", metavar="DIR", help="Directory of the local stack's state."
    ),
]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print JSON on stdout and nothing else there.")
]
ExecutionId = Annotated[
    str,
    typer.Argument(metavar="ID", help="Execution id, or the Temporal workflow id."),
]


def load(config: Path | None, state_dir: Path | None = None) -> "Settings":
    """Return the settings for a command.

    Raises:
        SettingsError: See `worker.settings.load_settings`.
    """
    from worker.settings import load_settings

    if state_dir is not None:
        return load_settings(config, state_dir=state_dir)
    return load_settings(config)
