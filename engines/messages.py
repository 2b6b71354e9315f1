"""One message of an execution: what its templates may read, and the text they give."""

from typing import Any

from contracts import limits
from contracts.actions import MessageAction, MessageFormat
from contracts.deliveries import MessageOrder
from contracts.events import EventSpec
from contracts.results import TargetResult
from engines.templates import Template, check_syntax, render

SUBJECT = "{{ event.name }}: {{ status }}"


def check_messages(event: EventSpec) -> None:
    """Raise when a template of an event's messages, nested ones too, is none.

    Raises:
        TemplateInvalid: The message names the field.
    """
    _check(event, "event")


def _check(event: EventSpec, path: str) -> None:
    for index, action in enumerate(event.actions):
        place = f"{path}.actions[{index}]"
        if isinstance(action, MessageAction):
            check_syntax(action.subject, f"{place}.subject")
            check_syntax(action.body, f"{place}.body")
        elif action.kind == "event":
            _check(action.spec, f"{place}.event")


async def render_message(
    order: MessageOrder, variables: dict[str, Any]
) -> tuple[str, str]:
    """Return subject and body.

    Raises:
        TemplateInvalid: One of the templates cannot be rendered.
    """
    action = order.action
    texts = await render(
        {
            "subject": Template(action.subject or SUBJECT, limits.MAX_SUBJECT_CHARS),
            "body": Template(
                action.body,
                limits.MAX_MESSAGE_CHARS,
                escape=action.format is MessageFormat.HTML,
            ),
        },
        context_of(order, variables),
    )
    return texts["subject"], texts["body"]


def context_of(order: MessageOrder, variables: dict[str, Any]) -> dict[str, Any]:
    """Return what templates may read; see `contracts.deliveries`."""
    result = order.result
    wire = result.model_dump(mode="json", by_alias=True)
    return {
        "event": {
            "id": result.event_id,
            "name": result.event_name,
            "type": order.event_type,
            "tags": order.tags,
        },
        "execution": {
            "id": result.execution_id,
            "user": order.user,
            "trigger": order.trigger,
            "attempts": result.attempts,
        },
        "status": result.status.value,
        "duration": result.durations.total_ms,
        "executionTime": result.durations.execution_ms,
        "exitCode": result.exit_code,
        "output": wire["output"],
        "error": wire["error"],
        "condition": result.condition,
        "input": order.input,
        "targets": [_target(row) for row in result.targets],
        "variables": variables,
        "logs": {
            "lastLines": result.logs.last_lines,
            "lines": result.logs.lines,
            "url": order.logs_url,
        },
        "finishedAt": order.finished_at,
    }


def _target(row: TargetResult) -> dict[str, Any]:
    shown = {"target", "status", "exit_code", "attempts", "host", "error"}
    return row.model_dump(mode="json", by_alias=True, include=shown)
