"""What `cronium doctor` looks at, one function per row or group of rows."""

import contextlib
import re
import shutil
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from contracts.errors import CroniumError

if TYPE_CHECKING:
    from cli.stack import Stack
    from engines.docker import DockerEngine
    from worker.settings import Settings

# Container escapes were fixed in these.
SAFE_ENGINE, SAFE_RUNC = (29, 7), (1, 2, 8)
LEAST_PYTHON = (3, 11)
WARN_FREE_BYTES, LEAST_FREE_BYTES = 5 << 30, 1 << 30
CLOCK_SECONDS = 5.0
KEY_DAYS = 365


class Verdict(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Check:
    """One row."""

    name: str
    verdict: Verdict
    detail: str
    hint: str = ""


async def all_checks(
    settings: "Settings", stack: "Stack | None"
) -> AsyncIterator[Check]:
    """Yield the rows in order, each as soon as it is known."""
    yield python()
    yield Check("Settings", Verdict.OK, f"state in {settings.state_dir}")
    yield disk(settings.state_dir)
    yield encryption(settings.encryption.keys_file)
    async for check in docker_checks(settings):
        yield check
    async for check in stack_checks(settings, stack):
        yield check


def python() -> Check:
    """Check the interpreter."""
    version = ".".join(map(str, sys.version_info[:3]))
    good = sys.version_info[:2] >= LEAST_PYTHON
    hint = "" if good else "Install Python 3.11 or newer."
    return Check("Python", Verdict.OK if good else Verdict.FAIL, version, hint)


def disk(state_dir: Path) -> Check:
    """Check the room for state and logs."""
    place = state_dir
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    detail = f"{free / (1 << 30):.1f} GB free at {place}"
    if free >= WARN_FREE_BYTES:
        return Check("Disk", Verdict.OK, detail)
    verdict = Verdict.WARN if free >= LEAST_FREE_BYTES else Verdict.FAIL
    return Check("Disk", verdict, detail, "Free space, or move CRONIUM_STATE_DIR.")


def encryption(keys_file: Path | None) -> Check:
    """Check the keys that encrypt what Temporal stores."""
    from worker.codec.keys import read_keys

    if keys_file is None:
        return Check("Encryption", Verdict.OK, "off: Temporal stores plain text")
    try:
        found = read_keys(keys_file)
    except CroniumError as error:
        return failed("Encryption", error)
    active = found.find(found.active)
    made = active.created if active else None
    detail = f"{found.active} writes, {len(found.keys)} can be read"
    if made is not None and (datetime.now(UTC) - made).days > KEY_DAYS:
        hint = "`cronium keys rotate` makes a new one; the old one stays and reads."
        return Check(
            "Encryption", Verdict.WARN, f"{detail}; made {made:%Y-%m-%d}", hint
        )
    return Check("Encryption", Verdict.OK, detail)


async def docker_checks(settings: "Settings") -> AsyncIterator[Check]:
    """Check the daemon, the image, every rule of the sandbox, and egress."""
    from engines.docker import DockerEngine
    from worker.compose import docker_config

    engine = DockerEngine(docker_config(settings, "doctor"))
    try:
        try:
            version = await engine.version()
        except CroniumError as error:
            yield failed("Docker", error)
            return
        for check in versions(version):
            yield check
        image = await _tried(
            "Runner image",
            lambda: engine.images.ensure(settings.docker.image),
            settings.docker.image,
        )
        yield image
        if image.verdict is Verdict.OK:
            async for check in _proof(engine):
                yield check
        yield await _egress(engine, settings.docker.egress)
        # A worker that uses the network keeps it.
        with contextlib.suppress(CroniumError):
            await engine.network.retire()
    finally:
        engine.close()


def versions(version: dict[str, Any]) -> list[Check]:
    """Judge what the daemon says of itself."""
    named = {part["Name"].lower(): part for part in version.get("Components") or []}
    runc = str(named.get("runc", {}).get("Version", ""))
    return [
        _at_least("Docker Engine", str(version.get("Version", "")), SAFE_ENGINE),
        _at_least("runc", runc, SAFE_RUNC),
    ]


def _at_least(name: str, found: str, wanted: tuple[int, ...]) -> Check:
    numbers = tuple(int(part) for part in re.findall(r"\d+", found)[: len(wanted)])
    if not numbers:
        return Check(name, Verdict.WARN, "version unknown")
    if numbers >= wanted:
        return Check(name, Verdict.OK, found)
    least = ".".join(map(str, wanted))
    return Check(
        name,
        Verdict.WARN,
        found,
        f"Below {least}, where container escapes were fixed: update it before you "
        "run scripts of people you do not trust.",
    )


async def _proof(engine: "DockerEngine") -> AsyncIterator[Check]:
    try:
        from engines.docker.proof import prove

        rows = await prove(engine)
    except CroniumError as error:
        yield failed("Sandbox", error)
        return
    for row in rows:
        verdict = Verdict.OK if row.ok else Verdict.FAIL
        hint = "" if row.ok else "The worker refuses to run scripts on this host."
        yield Check(f"Sandbox: {row.name}", verdict, row.detail, hint)


async def _egress(engine: "DockerEngine", policy: str) -> Check:
    if policy == "off":
        hint = "Events need `network: none`."
        return Check("Egress network", Verdict.WARN, "switched off", hint)
    check = await _tried("Egress network", engine.network.ensure, policy)
    if check.verdict is Verdict.OK and policy == "unfiltered":
        hint = "Your own firewall must keep scripts from metadata addresses."
        return Check(check.name, Verdict.WARN, policy, hint)
    return check


async def stack_checks(
    settings: "Settings", stack: "Stack | None"
) -> AsyncIterator[Check]:
    """Check Temporal, its search attributes, the gateway, and the clocks."""
    if stack is None:
        yield Check(
            "Stack",
            Verdict.WARN,
            "none is configured or running",
            "Start one with `cronium dev`, then these can be checked too.",
        )
        return
    temporal = await _temporal(settings, stack)
    yield temporal
    if temporal.verdict is Verdict.OK:
        yield await _attributes(settings, stack)
    from cli.readiness import http_problem

    problem = await http_problem(f"{stack.gateway}/ready")
    yield Check(
        "Gateway",
        Verdict.FAIL if problem else Verdict.OK,
        problem or stack.gateway,
        "Start it with `cronium dev` or `cronium gateway`." if problem else "",
    )
    if not problem:
        yield await _clock(stack)


async def _temporal(settings: "Settings", stack: "Stack") -> Check:
    from worker.temporal import connect

    try:
        client = await connect(settings, stack.temporal, stack.namespace, patience=3)
    except CroniumError as error:
        return failed("Temporal", error)
    where = client.service_client.config.target_host
    return Check("Temporal", Verdict.OK, f"{where}, namespace {client.namespace}")


async def _attributes(settings: "Settings", stack: "Stack") -> Check:
    from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
    from temporalio.service import RPCError

    from worker.temporal import SEARCH_ATTRIBUTES, connect

    name = "Search attributes"
    try:
        client = await connect(settings, stack.temporal, stack.namespace, patience=3)
        listed = await client.operator_service.list_search_attributes(
            ListSearchAttributesRequest(namespace=client.namespace)
        )
    except (CroniumError, RPCError) as error:
        return Check(name, Verdict.WARN, f"cannot be listed: {error}")
    missing = sorted(set(SEARCH_ATTRIBUTES) - set(listed.custom_attributes))
    if missing:
        hint = "A worker registers them where it may; runs go on without them."
        return Check(name, Verdict.WARN, "missing: " + ", ".join(missing), hint)
    return Check(name, Verdict.OK, f"all {len(SEARCH_ATTRIBUTES)} are registered")


async def _clock(stack: "Stack") -> Check:
    """Compare our clock with the gateway's: tokens live by it."""
    import httpx

    from cli.http import http_client

    began = time.time()
    async with http_client(stack.gateway, 3) as http:
        try:
            answer = await http.get(f"{stack.gateway}/ready")
            theirs = parsedate_to_datetime(answer.headers["date"])
        except (httpx.HTTPError, KeyError, ValueError) as error:
            return Check("Clock", Verdict.WARN, f"unknown: {type(error).__name__}")
    here = datetime.fromtimestamp((began + time.time()) / 2, UTC)
    # The header has whole seconds: half of one is no difference.
    apart = abs((here - theirs).total_seconds() - 0.5)
    if apart <= CLOCK_SECONDS:
        return Check("Clock", Verdict.OK, "agrees with the gateway's")
    return Check(
        "Clock",
        Verdict.FAIL,
        f"{apart:.0f} s apart from the gateway's",
        "Run a time service such as chrony on both machines.",
    )


async def _tried(
    name: str, attempt: Callable[[], Awaitable[None]], detail: str
) -> Check:
    try:
        await attempt()
    except CroniumError as error:
        return failed(name, error)
    return Check(name, Verdict.OK, detail)


def failed(name: str, error: CroniumError) -> Check:
    """Return the row of an error."""
    return Check(name, Verdict.FAIL, str(error), error.user_hint)
