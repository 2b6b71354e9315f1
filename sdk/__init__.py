"""The `cronium` helper that scripts use, and how a run's directory carries it.

Its files lie in python/, node/, bash/ and bin/ and need nothing but the interpreter.
They are put beside the script rather than into an image, so that every image has them
and they are always those of the worker that answers them.
"""

from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

PYTHON = "sdk/python"
NODE = "node_modules/cronium"
"""Where Node.js looks for a package of a script beside it, in both module systems."""
BASH = "sdk/bash"
BIN = "sdk/bin"
COMMANDS = ("input", "output", "getVariable", "setVariable", "event")
HOMES = {"python": PYTHON, "node": NODE, "bash": BASH}
FOR_EDITORS = (".d.ts", ".d.mts", "py.typed")


@cache
def carried() -> dict[str, bytes]:
    """Return the files of the helper by their path in a run's directory."""
    found: dict[str, bytes] = {}
    for folder, home in HOMES.items():
        _collect(files("sdk").joinpath(folder), home, found)
    command = files("sdk").joinpath("bin", "command").read_bytes()
    return found | {f"{BIN}/cronium.{name}": command for name in COMMANDS}


def executable(path: str) -> bool:
    """Return whether a carried file is a command."""
    return path.startswith(BIN)


def environment(directory: str) -> str:
    """Return the sh text that makes the helper known to every interpreter.

    What the user's own environment says of the same is kept and comes second.

    Args:
        directory: Where the script sees its run's directory.
    """
    preload = f"--require={directory}/{NODE}/preload.cjs"
    return (
        f'export PATH="$PATH:{directory}/{BIN}:{directory}/{BASH}"\n'
        f'export PYTHONPATH="{directory}/{PYTHON}${{PYTHONPATH:+:$PYTHONPATH}}"\n'
        f'export NODE_PATH="{directory}/node_modules${{NODE_PATH:+:$NODE_PATH}}"\n'
        f'export NODE_OPTIONS="{preload}${{NODE_OPTIONS:+ $NODE_OPTIONS}}"\n'
        '[ -z "${BASH_ENV:-}" ] || export CRONIUM_USER_BASH_ENV="$BASH_ENV"\n'
        f'export BASH_ENV="{directory}/{BASH}/cronium.sh"\n'
    )


def _collect(folder: Traversable, home: str, found: dict[str, bytes]) -> None:
    for entry in folder.iterdir():
        path = f"{home}/{entry.name}"
        if entry.is_dir():
            if entry.name != "__pycache__":
                _collect(entry, path, found)
        elif not entry.name.endswith(FOR_EDITORS):
            found[path] = entry.read_bytes()
