"""Events with actions through a whole stack: sandbox, worker, gateway and receivers."""

import json
from pathlib import Path

import pytest
from temporalio.client import WorkflowFailureError
from temporalio.exceptions import ApplicationError

from contracts import names
from contracts.results import ExecutionResult, Status
from tests.http_servers import ok, serving
from tests.stack import Stack, event


def secret(stack: Stack, name: str, value: str) -> None:
    directory = stack.settings.secrets.directory
    assert isinstance(directory, Path)
    (directory / name).write_text(value)


async def test_an_event_tells_and_starts_what_follows(stack: Stack) -> None:
    async with serving(ok()) as receiver:
        secret(stack, "CHAT", f"json://127.0.0.1:{receiver.port}")
        handle = await stack.start(
            event(
                "echo up; exit 3",
                actions=[
                    {
                        "kind": "message",
                        "when": "on_failure",
                        "targets": [{"secret": "CHAT"}],
                        "body": "{{ exitCode }} {{ logs.lastLines[-1] }} {{ logs.url }}"
                        "{{ variables }}",
                    },
                    {"kind": "event", "when": "always", "event": event("echo next")},
                ],
            )
        )
        result: ExecutionResult = await handle.result()
    assert result.status is Status.FAILURE
    started, sent = result.actions
    assert (started.status, sent.status) == (Status.SUCCESS, Status.SUCCESS), result
    assert json.loads(receiver.seen[0].body)["message"].startswith("3 up http")
    assert started.execution_id is not None
    child = stack.client.get_workflow_handle(
        names.workflow_id("test", started.execution_id), result_type=ExecutionResult
    )
    assert (await child.result()).status is Status.SUCCESS
    lines = await stack.logs(started.execution_id)
    assert "next" in [line["text"] for line in lines]


async def test_a_callback_goes_where_http_events_may_go(stack: Stack) -> None:
    secret(stack, "KEY", "k")
    async with serving(ok()) as receiver:
        port = receiver.port
        actions = [
            {"kind": "callback", "url": f"http://{host}:{port}", "secret": "KEY"}
            for host in ("127.0.0.1", "127.0.0.2")
        ]
        result = await stack.run(event("true", actions=actions))
    allowed, refused = result.actions
    assert (allowed.status, allowed.http_status) == (Status.SUCCESS, 200)
    assert refused.error is not None
    assert "has a loopback address" in refused.error.message
    assert receiver.connections == 1


async def test_a_script_sends_with_a_tool_of_the_operator(stack: Stack) -> None:
    async with serving(ok()) as receiver:
        secret(stack, "SLACK", receiver.url)
        script = (
            "cronium_send_slack_message '#ops' 'from a script'\n"
            "cronium_send_email ada@example.org S B\n"
        )
        result = await stack.run(event(script))
    lines = "\n".join(line["text"] for line in await stack.logs(result.execution_id))
    assert json.loads(receiver.seen[0].body) == {
        "channel": "#ops",
        "text": "from a script",
    }
    assert "no tool named 'email' is set up here; there is: slack" in lines


async def test_a_template_that_is_none_is_refused_at_the_start(stack: Stack) -> None:
    bad = {"kind": "message", "targets": [{"secret": "CHAT"}], "body": "{{#if x}}"}
    with pytest.raises(WorkflowFailureError) as caught:
        await stack.run(event("true", actions=[bad]))
    cause = caught.value.cause
    assert isinstance(cause, ApplicationError)
    assert cause.type == "TemplateInvalid"
    assert cause.message.startswith("event.actions[0].body: line 1:")
