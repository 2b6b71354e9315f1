"""Activities of follow-up actions: one try of a message, one try of a callback.

Temporal's retry policy makes the tries; an error says whether another makes sense and
how long to wait. Secrets are looked up here and are in no history.
"""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from contracts.deliveries import (
    SEND_CALLBACK,
    SEND_MESSAGE,
    CallbackOrder,
    Delivery,
    MessageOrder,
    MessageProgress,
)
from contracts.errors import CroniumError, DeliveryFailed
from contracts.results import Status
from engines.callback import CallbackSender
from engines.messages import render_message
from engines.notify import Notifier

logger = logging.getLogger(__name__)

Variables = Callable[[str], Awaitable[dict[str, Any]]]
"""From a user to the user's variables."""


@dataclass(frozen=True, slots=True)
class ActionActivities:
    """What a worker does for actions.

    Args:
        notifier: Sends messages.
        callbacks: Sends callbacks.
        variables: Reads variables for templates; None leaves them empty.
    """

    notifier: Notifier
    callbacks: CallbackSender
    variables: Variables | None = None

    @activity.defn(name=SEND_MESSAGE.name)
    async def send_message(self, order: MessageOrder) -> Delivery:
        """Send a message to the targets that do not have it yet."""
        try:
            variables = await self._variables_of(order)
            subject, body = await render_message(order, variables)
            return await self._send_to_all(order, subject, body)
        except CroniumError as error:
            raise _failure(error) from None

    @activity.defn(name=SEND_CALLBACK.name)
    async def send_callback(self, order: CallbackOrder) -> Delivery:
        """POST a result."""
        try:
            status = await self.callbacks.send(
                order.action, order.result, order.delivery_id
            )
        except CroniumError as error:
            raise _failure(error) from None
        return Delivery(http_status=status, attempts=activity.info().attempt)

    async def _variables_of(self, order: MessageOrder) -> dict[str, Any]:
        action = order.action
        if self.variables is None or "variables" not in action.subject + action.body:
            return {}
        return await self.variables(order.user)

    async def _send_to_all(
        self, order: MessageOrder, subject: str, body: str
    ) -> Delivery:
        done = _already_done()
        problems: list[CroniumError] = []
        targets = order.action.targets
        good = _is_good(order.result.status)
        for index, target in enumerate(targets):
            if index in done:
                continue
            try:
                await self.notifier.send(
                    target, subject, body, format=order.action.format, good=good
                )
            except CroniumError as error:
                problems.append(error)
            else:
                done.append(index)
            # What follows may fail or die: these are not to get it a second time.
            activity.heartbeat(MessageProgress(done=done))
        if problems:
            # One that is worth another try stands for all.
            problems.sort(key=lambda error: not error.retryable)
            raise _failure(problems[0], _share(len(problems), len(targets)))
        return Delivery(notified=len(done), attempts=activity.info().attempt)


def _already_done() -> list[int]:
    details = activity.info().heartbeat_details
    return list(MessageProgress.model_validate(details[0]).done) if details else []


def _is_good(status: Status) -> bool | None:
    return None if status is Status.CANCELLED else status is Status.SUCCESS


def _share(failed: int, targets: int) -> str:
    return f" ({failed} of {targets} targets failed)" if targets > 1 else ""


def _failure(error: CroniumError, more: str = "") -> ApplicationError:
    info = activity.info()
    logger.warning("%s of %s: %s%s", info.activity_id, info.workflow_id, error, more)
    wait = error.retry_after if isinstance(error, DeliveryFailed) else None
    return ApplicationError(
        str(error) + more,
        error.user_hint,
        info.attempt,
        type=error.type,
        non_retryable=not error.retryable,
        # Receivers that are down are everyday: no stack trace of it in the log.
        category=ApplicationErrorCategory.BENIGN,
        next_retry_delay=None if wait is None else timedelta(seconds=wait),
    )
