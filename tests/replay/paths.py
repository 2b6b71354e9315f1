"""The paths through every workflow, each as something that can be run and recorded."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from temporalio.client import WorkflowHandle

from contracts import names
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
from contracts.server_errors import SshConnectFailed
from tests.replay.graph_paths import GATE_PATHS, GRAPH_PATHS, PART_PATHS
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
    servers,
    takes,
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


async def scheduled(server: Scripted) -> WorkflowHandle[Any, Any]:
    """As Temporal starts it for a schedule, one that is gone when the run is over."""
    body = {
        "event": event("true"),
        "trigger": "schedule",
        "schedule": {"id": "night", "pauseOnFailure": True, "maxRuns": 3},
    }
    async with server.following(Script(run=[FAILS])):
        handle = await server.client.start_workflow(
            names.EVENT_WORKFLOW,
            body,
            id=names.workflow_id("test", "night-2026-11-26T02:00:00Z"),
            task_queue=server.queue,
        )
        await asyncio.wait_for(handle.result(), 30)
    return handle


EVENT_PATHS: dict[str, Path] = {
    "scheduled": scheduled,
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


def part(index: int, path: Path) -> Path:
    """Of a fan-out that is played, the history of one part is meant."""

    async def played(server: Scripted) -> WorkflowHandle[Any, Any]:
        whole = await path(server)
        return server.client.get_workflow_handle(names.shard_id(whole.id, index))

    return played


LATE_FAILURE = takes(0.5, Status.FAILURE, 3)
FAN_OUT_PATHS: dict[str, Path] = {
    "fan-out": played(
        lambda: Script(at={"s0002": [FAILS, SUCCEEDS], "s0004": [TIMES_OUT]}),
        targets=servers(5),
        retries=1,
        fanOut={"forks": 2, "serial": [1, 3], "order": "random"},
        execution_id="fan-out",
        **QUICK,
    ),
    "fan-out-stagger": played(
        lambda: Script(), targets=servers(3), fanOut={"staggerSeconds": 0.2}
    ),
    "fan-out-canary": played(
        lambda: Script(at={"s0001": [FAILS]}), targets=servers(3), fanOut={"canary": 1}
    ),
    "fan-out-max-failures": played(
        lambda: Script(at={"s0001": [FAILS], "s0002": [takes(0.3)]}),
        targets=servers(4),
        fanOut={"maxFailures": 0, "forks": 2},
    ),
    "fan-out-fail-fast": played(
        lambda: Script(at={"s0001": [LATE_FAILURE]}, otherwise=runs_until_cancelled),
        targets=servers(4),
        fanOut={"onFailure": "fail_fast", "forks": 2},
    ),
    "fan-out-cancel": cancelled(
        lambda: Script(otherwise=runs_until_cancelled),
        targets=servers(4),
        fanOut={"forks": 2},
    ),
    "server-away": played(
        lambda: Script(at={"s0001": [raises(SshConnectFailed("refused"))] * 4}),
        targets=servers(1),
    ),
    "server-away-for-good": played(
        lambda: Script(at={"s0001": [raises(SshConnectFailed("refused"))] * 4}),
        targets=[servers(1)[0] | {"deadlines": {"unreachableSeconds": 5}}],
    ),
    "fan-out-server-away": played(
        lambda: Script(at={"s0001": [raises(SshConnectFailed("refused"))] * 3}),
        targets=servers(2),
    ),
    "fan-out-resume": played(
        lambda: Script(at={"s0002": [vanishes]}, resume=[SUCCEEDS]),
        answers=False,
        targets=servers(2),
    ),
}
PARTS: dict[str, Path] = {
    "parts": played(
        lambda: Script(at={"s0101": [FAILS]}),
        targets=servers(105),
        fanOut={"canary": 2, "forks": 70},
    ),
    "parts-max-failures": played(
        lambda: Script(at={"s0003": [FAILS]}, otherwise=takes(0.05)),
        targets=servers(103),
        fanOut={"maxFailures": 0, "forks": 4},
    ),
    "parts-fail-fast": played(
        lambda: Script(at={"s0003": [LATE_FAILURE]}, otherwise=runs_until_cancelled),
        targets=servers(103),
        fanOut={"onFailure": "fail_fast", "forks": 55},
    ),
    "parts-cancel": cancelled(
        lambda: Script(otherwise=runs_until_cancelled),
        targets=servers(103),
        fanOut={"forks": 55},
    ),
}
SHARD_PATHS: dict[str, Path] = {
    "canary": part(0, PARTS["parts"]),
    "max-failures": part(0, PARTS["parts-max-failures"]),
    "fail-fast": part(1, PARTS["parts-fail-fast"]),
    "cancel": part(0, PARTS["parts-cancel"]),
}
PATHS: dict[str, dict[str, Path]] = {
    "EventWorkflow": {**EVENT_PATHS, **FAN_OUT_PATHS, **PARTS},
    "FanOutShard": SHARD_PATHS,
    "GraphWorkflow": GRAPH_PATHS,
    "GraphPart": PART_PATHS,
    "Gate": GATE_PATHS,
}
