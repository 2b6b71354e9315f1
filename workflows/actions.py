"""What follows an event's last try: which actions fire, in which order, to what end.

Order: all `always`, then `on_success` or `on_failure`, then `on_condition`, each group
in the order of the list. An action that takes long holds the next one up for a few
seconds only: a callback whose receiver is down must not keep an alarm waiting.

A cancel while they are under way stops what has not been done; a message or a callback
that was on its way may still arrive. Started events go on: they are executions of their
own. When the event itself was cancelled, Temporal has no second cancel to give: its
`always` actions run to their end, which their tries and limits bound.
"""

import asyncio
from collections.abc import Callable

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from contracts.actions import (
        Action,
        ActionKind,
        CallbackAction,
        EventAction,
        MessageAction,
        When,
    )
    from contracts.errors import ErrorInfo, ScriptError
    from contracts.events import EventRequest
    from contracts.results import ActionResult, ExecutionResult, Status
    from contracts.runs import Admission
    from workflows.deliveries import ActionFailed, deliver, start_event

HOLD_UP_SECONDS = 10.0
GOOD = frozenset({Status.SUCCESS})
BAD = frozenset({Status.FAILURE, Status.TIMEOUT, Status.LOST, Status.PARTIAL})
CANCELLED = ErrorInfo(
    type=ScriptError.CANCELLED,
    message="The execution was cancelled before the action was done.",
)


def firing(actions: list[Action], result: ExecutionResult) -> list[tuple[int, Action]]:
    """Return the actions that fire after a result, with their places, in order."""
    fire = [When.ALWAYS]
    if result.status in GOOD:
        fire.append(When.ON_SUCCESS)
    if result.status in BAD:
        fire.append(When.ON_FAILURE)
    if result.condition is True and result.status in GOOD | BAD:
        fire.append(When.ON_CONDITION)
    return [
        (index, action)
        for when in fire
        for index, action in enumerate(actions)
        if action.when is when
    ]


class FollowUp:
    """Fires the actions of one execution and keeps the rows that people see.

    Args:
        request: The order.
        result: How it ended.
        admission: What the operator's settings allow.
        changed: Called when a row has changed.
        node: Of which node of a graph; "" when the execution is one event.
    """

    def __init__(
        self,
        request: EventRequest,
        result: ExecutionResult,
        admission: Admission,
        changed: Callable[[], None],
        node: str = "",
    ) -> None:
        self._request = request
        self._result = result
        self._admission = admission
        self._changed = changed
        self._node = node
        self._fired = firing(request.event.actions, result)
        self._rows = {
            index: ActionResult(
                index=index,
                when=action.when,
                kind=ActionKind(action.kind),
                status=Status.PENDING,
            )
            for index, action in self._fired
        }

    @property
    def rows(self) -> list[ActionResult]:
        """A row for each action that fires, in order."""
        return list(self._rows.values())

    async def run(self) -> None:
        """Do all of it. Whatever goes wrong is in the rows; a cancel ends it."""
        tasks: list[asyncio.Task[None]] = []
        try:
            for index, action in self._fired:
                if tasks:
                    await workflow.wait(tasks[-1:], timeout=HOLD_UP_SECONDS)
                tasks.append(asyncio.create_task(self._do(index, action)))
            await workflow.wait(tasks)
        except asyncio.CancelledError:
            for task in tasks:
                task.cancel()
            await workflow.wait(tasks)
        self.cancel()

    def cancel(self) -> None:
        """Mark as cancelled what was not done."""
        for index, row in self._rows.items():
            if not row.status.final:
                self._update(index, status=Status.CANCELLED, error=CANCELLED)

    async def _do(self, index: int, action: Action) -> None:
        self._update(index, status=Status.RUNNING)
        try:
            match action:
                case EventAction():
                    started = await start_event(
                        self._request, self._result, index, action, self._node
                    )
                    changes: dict[str, object] = {
                        "execution_id": started, "attempts": 1,
                    }  # fmt: skip
                case MessageAction() | CallbackAction():
                    delivery = await deliver(
                        self._request,
                        self._result,
                        self._admission,
                        index,
                        action,
                        self._node,
                    )
                    changes = {
                        "notified": delivery.notified,
                        "http_status": delivery.http_status,
                        "attempts": delivery.attempts,
                    }
        except ActionFailed as failure:
            self._update(
                index,
                status=Status.FAILURE,
                error=failure.info,
                attempts=failure.attempts,
            )
        else:
            self._update(index, status=Status.SUCCESS, **changes)

    def _update(self, index: int, **fields: object) -> None:
        self._rows[index] = self._rows[index].model_copy(update=fields)
        self._changed()
