"""`cronium codec`: the codec server for Temporal's web UI, and tokens for it."""

from typing import TYPE_CHECKING, Annotated

import typer

from cli.errors import EXIT_FAILURE
from cli.options import Config, StateDir, load
from cli.terminal import note

if TYPE_CHECKING:
    from worker.codec.access import Access
    from worker.settings import Settings

Hours = Annotated[
    float, typer.Option("--hours", min=0.1, max=24 * 90, help="How long it is good.")
]
Whose = Annotated[
    str, typer.Option("--name", metavar="NAME", help="Who is to use it, for the log.")
]


def build() -> typer.Typer:
    """Return the group of commands."""
    group = typer.Typer(
        help="Let Temporal's web UI and command show encrypted payloads.",
        no_args_is_help=True,
        rich_markup_mode="rich",
    )
    group.command("serve")(serve)
    group.command("token")(token)
    return group


def serve(config: Config = None, state_dir: StateDir = None) -> int:
    """Run the codec server until SIGTERM.

    Examples:

      CRONIUM_CODEC_ORIGINS=https://temporal.example.org cronium codec serve
    """
    from cli.keys import settings_with_keys
    from worker.codec import KeyRing
    from worker.codec.serving import run_server
    from worker.logging import configure

    settings = load(config, state_dir)
    configure(settings.log_format, settings.log_level)
    ring = KeyRing(settings_with_keys(settings))
    access = _access(settings)
    started = run_server(ring, access, settings.codec.host, settings.codec.port)
    return 0 if started else EXIT_FAILURE


def token(
    hours: Hours = 12.0,
    name: Whose = "web-ui",
    config: Config = None,
    state_dir: StateDir = None,
) -> int:
    """Print a token that the codec server takes.

    Examples:

      temporal workflow show -w ID --codec-endpoint http://127.0.0.1:8781
        --codec-auth "Bearer $(cronium codec token)"
    """
    from gateway.tokens import Scope, mint
    from worker.compose import gateway_secret

    settings = load(config, state_dir)
    secret = gateway_secret(settings)
    lifetime = hours * 3600
    print(mint(secret, Scope.CODEC, subject=name, lifetime_seconds=lifetime))
    note(f"good for {hours:g} h")
    return 0


def _access(settings: "Settings") -> "Access":
    from worker.codec.access import Access
    from worker.compose import gateway_secret

    return Access(
        secret=lambda: gateway_secret(settings),
        origins=tuple(settings.codec.origins),
        trust_own_user=settings.codec.trust_own_user,
    )
