"""`cronium token`: tokens of the gateway, and the key that signs them."""

import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.errors import EXIT_FAILURE, problem_at
from cli.options import AsJson, Config, StateDir, load
from cli.terminal import answers, facts, note, safe

MAX_DAYS = 366
MAX_SUBJECT_LENGTH = 200
TIME = "%Y-%m-%d %H:%M:%S %Z"

ScopeOption = Annotated[
    str,
    typer.Option(
        "--scope", help="service (everything), user, execution, or ingest (workers)."
    ),
]
Subject = Annotated[
    str,
    typer.Option(
        "--subject", "-s", metavar="ID", help="User, execution, service or worker."
    ),
]
Lifetime = Annotated[
    str, typer.Option("--lifetime", metavar="TIME", help="How long it is good: 1h, 7d.")
]
Token = Annotated[
    str, typer.Argument(metavar="TOKEN", help="A token; `-` reads stdin.")
]
Grace = Annotated[
    str,
    typer.Option(metavar="TIME", help="How long tokens of the old key are still good."),
]


def build() -> typer.Typer:
    """Return the group of commands."""
    group = typer.Typer(
        help="Tokens of the gateway: who may see and change what.",
        no_args_is_help=True,
        rich_markup_mode="rich",
    )
    for name, function in (("create", create), ("show", show), ("rotate", rotate)):
        group.command(name)(function)
    return group


def create(
    scope: ScopeOption,
    subject: Subject,
    lifetime: Lifetime = "1h",
    as_json: AsJson = False,
    config: Config = None,
    state_dir: StateDir = None,
) -> int:
    """Print a new token. It needs the gateway's key, which is on its machine.

    Examples:

      cronium token create --scope user --subject ann --lifetime 8h

      cronium token create --scope service --subject web --lifetime 90d
    """
    from gateway.tokens import Scope, mint

    if scope not in list(Scope):
        raise problem_at("--scope", f"expected one of {', '.join(Scope)}")
    seconds = _seconds(lifetime, "--lifetime")
    if not 0 < seconds <= MAX_DAYS * 86_400:
        raise problem_at("--lifetime", f"expected more than 0 and at most {MAX_DAYS}d")
    if not 0 < len(subject) <= MAX_SUBJECT_LENGTH or not subject.isprintable():
        raise problem_at(
            "--subject", f"expected 1 to {MAX_SUBJECT_LENGTH} printable characters"
        )
    secret = _secret(config, state_dir)
    token = mint(secret, Scope(scope), subject=subject, lifetime_seconds=seconds)
    expires = _time(time.time() + seconds)
    if as_json:
        _print_json(
            {
                "token": token,
                "scope": scope,
                "subject": subject,
                "expiresAt": expires.isoformat(),
            }
        )
        return 0
    note(f"{scope} token of {subject}, good until {expires:{TIME}}")
    print(token)
    return 0


def show(token: Token, config: Config = None, state_dir: StateDir = None) -> int:
    """Say what a token is good for; the exit status is 1 when it is for nothing.

    Examples:

      cronium token show - < token.txt
    """
    from gateway.errors import TokenRefused
    from gateway.tokens import verify

    text = sys.stdin.read().strip() if token == "-" else token
    try:
        claims = verify(_secret(config, state_dir), text)
    except TokenRefused as error:
        note(str(error))
        return EXIT_FAILURE
    rows = (
        ("Scope", claims.scope.value),
        ("Subject", claims.subject),
        ("Good until", f"{_time(claims.expires_at):{TIME}}"),
    )
    answers().print(facts((name, safe(value)) for name, value in rows))
    return 0


def rotate(
    grace: Grace = "24h", config: Config = None, state_dir: StateDir = None
) -> int:
    """Put a new key in place of the one that signs tokens, without a restart.

    Tokens that the old key signed are good until their own end, at most for the grace;
    `--grace 0` ends them all within a second. Copies of the key file on other machines
    have to be replaced by the new file within that time.

    Examples:

      cronium token rotate --grace 7d
    """
    from gateway.keys import replace_key

    path = _file(config, state_dir)
    until = replace_key(path, _seconds(grace, "--grace"))
    note(f"{path} has a new key; the old one is good until {_time(until):{TIME}}")
    return 0


def _file(config: Any, state_dir: Any) -> Path:
    from cli.follow import LogUnavailable

    path: Path = load(config, state_dir).gateway.secret_file
    # The gateway makes the key: one that we made would fit nothing.
    if not path.exists():
        raise LogUnavailable(
            f"the gateway's key {path} is not on this machine",
            hint="Set CRONIUM_GATEWAY_SECRET_FILE to a copy of it.",
        )
    return path


def _secret(config: Any, state_dir: Any) -> str:
    from gateway.keys import load_or_create_secret

    return load_or_create_secret(_file(config, state_dir))


def _seconds(text: str, option: str) -> float:
    from worker.units import parse_duration

    try:
        return parse_duration(text)
    except ValueError as error:
        raise problem_at(option, str(error)) from None


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _print_json(value: Any) -> None:
    print(json.dumps(value, ensure_ascii=False, indent=2))
