"""The paths through every workflow, each as something that can be run and recorded."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from temporalio.client import WorkflowHandle

from contracts.errors import (
    DeliveryFailed,
    DeliveryRefused,
    EngineUnavailable,
    SandboxInterrupted,
    ScriptNotStarted,
    WorkerDraining,
)
from contracts.limits import MAX_CHAIN_DEPTH
from contracts.results import Status
from tests.stack import event
from tests.temporal.scripted import (
    FAILS,
    SUCCEEDS,
    TIMES_OUT,
    Script,
    Scripted,
    arrives,
    bounces,
    ends,
    never_arrives,
    raises,
    runs_until_cancelled,
    vanishes,
)

Path = Callable[[Scripted], Awaitable[WorkflowHandle[Any, Any]]]
QUICK = {"backoff": {"initialSeconds": 0.1}}
INTERRUPTED = ends(Status.FAILURE, 137, error=SandboxInterrupted().info)


def played(script: Callable[[], Script], **options: Any) -> Path:
    async def path(server: Scripted) -> WorkflowHandle[Any, Any]:
        _, handle = await server.play(script(), **options)
        return handle

    return path


def cancelled(script: Callable[[], Script], **options: Any) -> Path:
    async def path(server: Scripted) -> WorkflowHandle[Any, Any]:
        told = script()
        async with server.following(told):
            handle = await server.start(told, **options)
            await told.called.wait()
            await handle.cancel()
            await asyncio.wait_for(handle.result(), 30)
        return handle

    return path


async def cancelled_in_back_off(server: Scripted) -> WorkflowHandle[Any, Any]:
    told = Script(run=[FAILS])
    async with server.following(told):
        handle = await server.start(told, retries=1, backoff={"initialSeconds": 60})
        async with asyncio.timeout(30):
            while "FAILURE" not in str(await handle.query("progress")):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        await handle.cancel()
        await asyncio.wait_for(handle.result(), 30)
    return handle


CALLBACK = {"kind": "callback", "url": "https://a.example/hook", "secret": "KEY"}
MESSAGE = {"kind": "message", "targets": [{"secret": "CHAT"}], "body": "{{ status }}"}
ACTIONS = [
    {**MESSAGE, "when": "on_condition"},
    {**CALLBACK, "when": "on_failure"},
    {"kind": "event", "when": "on_success", "event": event("true")},
    {**MESSAGE, "when": "on_success"},
    {**CALLBACK, "when": "always"},
]
GOES_ON = ends(Status.SUCCESS, 0, condition=True, output={"n": 1})


def cancelled_in_actions(statuses: list[str], script: Callable[[], Script]) -> Path:
    """Cancel once the rows of the actions stand as told."""

    async def path(server: Scripted) -> WorkflowHandle[Any, Any]:
        told = script()
        async with server.following(told):
            handle = await server.start(told, actions=ACTIONS)
            async with asyncio.timeout(30):
                while [  # noqa: ASYNC110
                    row["status"] for row in await handle.query("actions")
                ] != statuses:
                    await asyncio.sleep(0.05)
            await handle.cancel()
            await asyncio.wait_for(handle.result(), 30)
        return handle

    return path


EVENT_PATHS: dict[str, Path] = {
    "success": played(lambda: Script(run=[SUCCEEDS])),
    "failure": played(lambda: Script(run=[FAILS])),
    "retry": played(lambda: Script(run=[FAILS, FAILS, SUCCEEDS]), retries=2, **QUICK),
    "timeout": played(lambda: Script(run=[TIMES_OUT])),
    "cancel": cancelled(lambda: Script(run=[runs_until_cancelled])),
    "cancel-in-back-off": cancelled_in_back_off,
    "cancel-lost": cancelled(
        lambda: Script(run=[vanishes], resume=[ends(Status.CANCELLED, -2)])
    ),
    "engine-trouble": played(
        lambda: Script(run=[raises(EngineUnavailable(), started=False), SUCCEEDS])
    ),
    "resume": played(lambda: Script(run=[vanishes], resume=[vanishes, SUCCEEDS])),
    "drain": played(
        lambda: Script(run=[raises(WorkerDraining(), started=True)], resume=[FAILS])
    ),
    "lost": played(lambda: Script(run=[vanishes]), answers=False),
    "lost-idempotent": played(
        lambda: Script(run=[vanishes, SUCCEEDS]), answers=False, idempotent=True
    ),
    "not-started": played(
        lambda: Script(
            run=[raises(WorkerDraining(), started=False), SUCCEEDS],
            resume=[raises(ScriptNotStarted())],
        )
    ),
    "actions": played(lambda: Script(run=[GOES_ON, SUCCEEDS]), actions=ACTIONS),
    "actions-failing": played(
        lambda: Script(
            run=[FAILS],
            hand=[bounces(DeliveryFailed()), arrives, bounces(DeliveryRefused())],
        ),
        actions=ACTIONS,
    ),
    "actions-chain-ends": played(
        lambda: Script(run=[SUCCEEDS]), actions=ACTIONS, chain_depth=MAX_CHAIN_DEPTH
    ),
    "actions-cancel": cancelled_in_actions(
        ["RUNNING", "PENDING", "PENDING"],
        lambda: Script(run=[SUCCEEDS], hand=[never_arrives]),
    ),
    "actions-held-up": cancelled_in_actions(
        ["RUNNING", "SUCCESS", "RUNNING"],
        lambda: Script(run=[SUCCEEDS, SUCCEEDS], hand=[never_arrives, never_arrives]),
    ),
    "actions-after-cancel": cancelled(
        lambda: Script(run=[runs_until_cancelled]), actions=ACTIONS
    ),
    "interrupted": played(lambda: Script(run=[INTERRUPTED, SUCCEEDS]), idempotent=True),
}
PATHS: dict[str, dict[str, Path]] = {"EventWorkflow": EVENT_PATHS}
