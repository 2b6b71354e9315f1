"""The `cronium` command: its groups, and the one place where it ends.

A command is imported when it is the one that was typed, and imports what it needs when
it is called: most of what a command line takes is to load our own code.
"""

import gc
import sys
from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any, cast

import typer
from typer.exceptions import TyperException

from cli.errors import EXIT_CANCELLED, report
from contracts.errors import CroniumError
from worker.exit import leave

Place = tuple[str, str]
"""A module of ours, and what of it is a command or makes a group of them."""

APP_HELP = """Run scripts durably in hardened containers, with live logs.

  cronium demo                         five examples, one after the other

  cronium run examples/hello.sh        run a script and watch it

  cronium init python                  write an event of your own to begin with

  cronium dev                          the whole local stack in one terminal
"""


# Of what is imported nearly all stays. To look for garbage among it after each 700
# objects, as is usual, takes an eighth of a worker's start.
YOUNG_OBJECTS = 50_000


def build(only: str = "") -> typer.Typer:
    """Return the command with its subcommands.

    Args:
        only: The one subcommand that is needed; any other word: all of them.
    """
    app = typer.Typer(
        name="cronium",
        help=APP_HELP,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
        context_settings={"help_option_names": ["-h", "--help"]},
        # With this it takes subcommands even if it knows only one.
        callback=lambda: None,
    )
    for panel, commands in COMMANDS.items():
        for name in _chosen(commands, only):
            app.command(name, rich_help_panel=panel)(_function(*commands[name]))
    for panel, groups in GROUPS.items():
        for name in _chosen(groups, only):
            group = _function(*groups[name])()
            app.add_typer(group, name=name, rich_help_panel=panel)
    return app


COMMANDS: dict[str, dict[str, Place]] = {
    "Run": {
        "init": ("cli.init", "init"),
        "run": ("cli.run", "run"),
        "logs": ("cli.logs", "logs"),
        "status": ("cli.executions", "status"),
        "list": ("cli.executions", "list_"),
        "cancel": ("cli.executions", "cancel"),
        "apply": ("cli.apply", "apply"),
        "migrate": ("cli.migrate", "migrate"),
    },
    "Local stack": {
        "dev": ("cli.dev", "dev"),
        "down": ("cli.dev", "down"),
        "demo": ("cli.demo", "demo"),
        "doctor": ("cli.doctor", "doctor"),
    },
    "Servers": {
        "worker": ("cli.servers", "worker"),
        "gateway": ("cli.servers", "gateway"),
        "guard": ("cli.guard", "guard"),
    },
}
GROUPS: dict[str, dict[str, Place]] = {
    "Run": {
        "workflow": ("cli.workflow", "build"),
        "var": ("cli.variables", "build"),
        "schedule": ("cli.schedule", "build"),
        "hook": ("cli.hooks", "build"),
    },
    "Servers": {
        "token": ("cli.tokens", "build"),
        "keys": ("cli.keys", "build"),
        "codec": ("cli.codec", "build"),
    },
    "Servers over SSH": {
        "server": ("cli.server", "build"),
        "ssh": ("cli.ssh", "build"),
    },
}


def run_command(arguments: list[str]) -> int:
    """Run one command line; return its exit status. Users see no traceback."""
    try:
        command = build(arguments[0] if arguments else "")
        code: Any = command(arguments, prog_name="cronium", standalone_mode=False)
    except CroniumError as error:
        return report(error)
    except TyperException as error:
        from typer.rich_utils import rich_format_error

        # All that typer raises for a wrong command line are of this narrower kind.
        rich_format_error(cast(Any, error))
        return error.exit_code
    except typer.Exit as error:
        return error.exit_code
    except SystemExit as error:
        # Shell completion ends this way.
        return error.code if isinstance(error.code, int) else 0
    except (KeyboardInterrupt, typer.Abort):
        return EXIT_CANCELLED
    except BrokenPipeError:
        return 0
    return code if isinstance(code, int) else 0


def main() -> None:
    """Run the command line of this process and end the process."""
    gc.set_threshold(YOUNG_OBJECTS)
    leave(run_command(sys.argv[1:]))


def _chosen(commands: dict[str, Place], only: str) -> Iterable[str]:
    """Return the name that is asked for, all of them when it is nowhere."""
    if any(only in panel for panel in (*COMMANDS.values(), *GROUPS.values())):
        return [only] if only in commands else []
    return commands


def _function(module: str, name: str) -> Callable[..., Any]:
    function: Callable[..., Any] = getattr(import_module(module), name)
    return function


if __name__ == "__main__":
    main()
