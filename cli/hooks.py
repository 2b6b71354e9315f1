"""`cronium hook`: webhooks, by which calls of others start events."""

import asyncio
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.text import Text

from cli.errors import EXIT_FAILURE, InvalidRequest, problem_at
from cli.options import AsJson, Config, StateDir, load
from cli.terminal import answers, facts, note, safe, table
from contracts import hooks as contract
from contracts.hooks import HookSpec
from contracts.limits import MAX_INPUT_BYTES
from contracts.names import ID_PATTERN
from contracts.validation import problems_of

TEST_SECONDS = 30.0

Id = Annotated[str, typer.Argument(metavar="ID", help="Id of the hook.")]
File = Annotated[
    Path,
    typer.Argument(metavar="FILE", help="Event, workflow (.yaml, .json) or script."),
]
NewId = Annotated[
    str | None, typer.Option("--id", metavar="ID", help="Default: the event's id.")
]
User = Annotated[str, typer.Option("--user", "-u", help="Whose executions they are.")]
Priority = Annotated[int, typer.Option(help="1 is first, 5 last.")]
Signatures = Annotated[
    list[contract.HookSignature] | None,
    typer.Option(
        "--signature", help="How calls are signed; repeatable. Default cronium."
    ),
]
AllowFrom = Annotated[
    list[str] | None,
    typer.Option(metavar="ADDRESS", help="Address or range; repeatable. Default any."),
]
Rate = Annotated[int, typer.Option("--per-minute", metavar="N", help="Calls taken.")]
MaxBody = Annotated[
    str | None, typer.Option(metavar="SIZE", help="Largest body, such as 64KB.")
]
Tolerance = Annotated[
    str | None, typer.Option(metavar="TIME", help="How old a call may be: 30s, 5m.")
]
PassHeader = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME", help="Header for the input; repeatable."),
]
Off = Annotated[bool, typer.Option("--off", help="Take no calls for now.")]
Replace = Annotated[
    bool,
    typer.Option("--replace", help="Change a hook that is there; same secret."),
]
Target = Annotated[
    list[str] | None, typer.Option(metavar="TARGET", help="As of `cronium run`.")
]
Servers = Annotated[
    Path | None, typer.Option(metavar="FILE", help="As of `cronium run`.")
]
Grace = Annotated[
    str, typer.Option(metavar="TIME", help="How long the old secret is still taken.")
]
Data = Annotated[
    str, typer.Option("--data", metavar="TEXT|@FILE", help="The body to send.")
]
ContentType = Annotated[str, typer.Option(metavar="TYPE", help="What the body is.")]


def build() -> typer.Typer:
    """Return the group of commands."""
    group = typer.Typer(
        help="Webhooks: signed calls of others start events.",
        no_args_is_help=True,
        rich_markup_mode="rich",
    )
    for name, function in (
        ("add", add),
        ("list", list_),
        ("show", show),
        ("rotate", rotate),
        ("delete", delete),
        ("test", try_),
    ):
        group.command(name)(function)
    return group


def add(
    file: File,
    id: NewId = None,
    user: User = "local",
    priority: Priority = 3,
    signature: Signatures = None,
    allow_from: AllowFrom = None,
    per_minute: Rate = contract.DEFAULT_CALLS_PER_MINUTE,
    max_body: MaxBody = None,
    tolerance: Tolerance = None,
    pass_header: PassHeader = None,
    off: Off = False,
    replace: Replace = False,
    target: Target = None,
    servers: Servers = None,
    as_json: AsJson = False,
    config: Config = None,
    state_dir: StateDir = None,
) -> int:
    """Make a webhook that starts an event or workflow; its secret is shown this once.

    Examples:

      cronium hook add deploy.yaml --user ann

      cronium hook add ci.sh --signature github --pass-header X-GitHub-Event
    """
    identifier, started = _started(file, target or (), servers)
    given: dict[str, Any] = {
        "signatures": signature,
        "allowFrom": allow_from,
        "passHeaders": pass_header,
        "maxBodyBytes": _size(max_body),
        "toleranceSeconds": _seconds(tolerance, "--tolerance"),
    }
    fields = {
        "id": id or identifier,
        **started,
        "user": user,
        "priority": priority,
        "enabled": not off,
        "callsPerMinute": per_minute,
        **{name: value for name, value in given.items() if value is not None},
    }
    try:
        spec = HookSpec.model_validate(fields)
    except ValidationError as error:
        raise InvalidRequest(problems_of(error, HookSpec)) from None
    body = spec.model_dump(mode="json")
    if replace:
        found = _call("PUT", f"/{spec.id}", config, state_dir, json=body)
        note(f"{spec.id} is changed; address and secret are as they were")
    else:
        found = _call("POST", "", config, state_dir, json=body)
    return _print_secret(found, as_json)


def _started(
    file: Path, targets: Sequence[str], servers: Path | None
) -> tuple[str, dict[str, Any]]:
    """Return the id of what a file describes, and the field that holds it."""
    from cli.event_file import (
        EVENT_SUFFIXES,
        RunOptions,
        read_mapping,
        request_of_file,
    )
    from cli.graph_file import graph_of_file

    if file.suffix.lower() in EVENT_SUFFIXES and "nodes" in read_mapping(file, "file"):
        if targets:
            raise problem_at("--target", "a workflow's events name their own targets")
        graph = graph_of_file(file, servers)
        return graph.id, {"workflow": graph}
    options = RunOptions(targets=targets, servers=servers)
    event = request_of_file(file, options, "unused").event
    return event.id, {"event": event}


def list_(
    as_json: AsJson = False, config: Config = None, state_dir: StateDir = None
) -> int:
    """List webhooks.

    Examples:

      cronium hook list

      cronium hook list --json | jq -r '.[].url'
    """
    found = _call("GET", "", config, state_dir)["hooks"]
    if as_json:
        _print_json(found)
        return 0
    if not found:
        note("No webhooks.")
        return 0
    shown = table(("Hook", "Starts", "User", "State", "Signed", "From"), fold=("From",))
    for item in found:
        hook = item["hook"]
        shown.add_row(
            Text(hook["id"]),
            Text((hook["workflow"] or hook["event"])["id"]),
            Text(hook["user"]),
            "on" if hook["enabled"] else "off",
            Text(", ".join(hook["signatures"])),
            Text(", ".join(hook["allowFrom"]) or "any"),
        )
    answers().print(shown)
    return 0


def show(
    id: Id, as_json: AsJson = False, config: Config = None, state_dir: StateDir = None
) -> int:
    """Show a webhook with its address; secrets are not shown again.

    Examples:

      cronium hook show deploy
    """
    found = _call("GET", _place(id), config, state_dir)
    if as_json:
        _print_json(found)
    else:
        answers().print(facts(_rows(found)))
    return 0


def rotate(
    id: Id,
    grace: Grace = "24h",
    as_json: AsJson = False,
    config: Config = None,
    state_dir: StateDir = None,
) -> int:
    """Give a webhook a new secret; the old one is taken for a while longer.

    Examples:

      cronium hook rotate deploy --grace 1h
    """
    body = {"graceSeconds": _seconds(grace, "--grace")}
    found = _call("POST", f"{_place(id)}/rotate", config, state_dir, json=body)
    return _print_secret(found, as_json)


def delete(id: Id, config: Config = None, state_dir: StateDir = None) -> int:
    """Delete a webhook; the exit status is 1 when there was none.

    Examples:

      cronium hook delete deploy
    """
    if _call("DELETE", _place(id), config, state_dir)["deleted"]:
        note(f"{id} is deleted; its address and secret are worth nothing now")
        return 0
    note(f"there is no hook {id}")
    return EXIT_FAILURE


def try_(
    id: Id,
    data: Data = "{}",
    content_type: ContentType = "application/json",
    as_json: AsJson = False,
    config: Config = None,
    state_dir: StateDir = None,
) -> int:
    """Call a webhook as a sender would: its event is really started.

    Examples:

      cronium hook test deploy --data '{"ref": "main"}'
    """
    from cli.event_file import read_text

    body = data
    if data.startswith("@"):
        body = read_text(Path(data[1:]), "--data", MAX_INPUT_BYTES)
    signed = _call("POST", f"{_place(id)}/sign", config, state_dir, json={"body": body})
    headers = {**signed["headers"], "Content-Type": content_type}
    answer = asyncio.run(_send(signed["url"], headers, body.encode()))
    if as_json:
        _print_json(answer)
        return 0
    if answer["duplicate"]:
        note("the call was taken before: this is the execution it started")
    for title, link in answer["links"].items():
        note(f"{title}: {link}")
    print(answer["executionId"])
    return 0


async def _send(url: str, headers: dict[str, str], body: bytes) -> Any:
    import httpx

    from cli.gateway import GatewayUnavailable, refusal
    from cli.http import http_client

    try:
        async with http_client(url, TEST_SECONDS) as http:
            answer = await http.post(url, headers=headers, content=body)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise GatewayUnavailable(
            "nobody answers at the hook's address",
            hint="Set CRONIUM_GATEWAY_PUBLIC_URL to where senders reach the gateway.",
        ) from error
    if answer.is_success:
        return answer.json()
    raise refusal(answer)


def _call(method: str, path: str, config: Any, state_dir: Any, **options: Any) -> Any:
    from cli.gateway import call
    from cli.stack import require

    stack = require(load(config, state_dir))
    return asyncio.run(call(stack, method, f"/api/hooks{path}", **options))


def _place(identifier: str) -> str:
    if not re.fullmatch(ID_PATTERN, identifier):
        raise problem_at("ID", "expected letters, digits, `.`, `_` and `-`")
    return f"/{identifier}"


def _rows(found: dict[str, Any]) -> list[tuple[str, Text]]:
    hook = found["hook"]
    kind = "Workflow" if hook["workflow"] else "Event"
    starts = hook["workflow"] or hook["event"]
    rows = [
        ("Hook", hook["id"] + ("" if hook["enabled"] else " (off)")),
        ("Address", found["url"]),
        (kind, f"{starts['name']} ({starts['id']})"),
        ("User", hook["user"]),
        ("Signed", ", ".join(hook["signatures"])),
        ("Tolerance", f"{hook['toleranceSeconds']} s"),
        ("From", ", ".join(hook["allowFrom"]) or "any address"),
        ("Calls", f"{hook['callsPerMinute']} a minute"),
        ("Body", f"at most {hook['maxBodyBytes']} bytes"),
        ("Headers", ", ".join(hook["passHeaders"]) or "none in the input"),
        ("Secrets", f"{found['secrets']} valid"),
    ]
    return [(name, safe(value)) for name, value in rows]


def _print_secret(found: dict[str, Any], as_json: bool) -> int:
    if as_json:
        _print_json(found)
        return 0
    print(f"address: {found['url']}")
    if "secret" in found:
        print(f"secret:  {found['secret']}")
        note("Keep the secret now: it is not shown again.")
    return 0


def _size(text: str | None) -> int | None:
    from worker.units import parse_size

    try:
        return None if text is None else parse_size(text)
    except ValueError as error:
        raise problem_at("--max-body", str(error)) from None


def _seconds(text: str | None, option: str) -> int | None:
    from worker.units import parse_duration

    try:
        return None if text is None else round(parse_duration(text))
    except ValueError as error:
        raise problem_at(option, str(error)) from None


def _print_json(value: Any) -> None:
    print(json.dumps(value, ensure_ascii=False, indent=2))
