"""The compatibility suite through the real worker: every call, language and type.

One style for each language: that all styles mean the same is shown where the suite runs
against a channel in memory. Here the worker's own channel, the gateway's store, the log
way and the typed result take part, and there is no network.
"""

import secrets

import pytest

from tests.compat.channel import EVENT
from tests.compat.product import check_after, chosen, ended, given, left
from tests.compat.steps import Case
from tests.stack import Stack, event


@pytest.mark.parametrize("case", chosen(), ids=lambda case: case.id)
async def test_the_script_runs_as_promised(case: Case, stack: Stack) -> None:
    user = "compat-" + secrets.token_hex(4)
    await given(stack, user, case.before)
    body = event(case.script, type=case.language, id=EVENT["id"])
    result = await stack.run(body, input=case.input, user=user)
    lines = await stack.logs(result.execution_id)
    out = [li["text"] + "\n" for li in lines if li["stream"] == "stdout"]
    err = [li["text"] for li in lines if li["stream"] == "stderr"]
    assert (result.exit_code, err, "".join(out)) == (0, [], ended(case.stdout))
    await check_after(case, result, lines, await left(stack, user))


SHOW_EVENT = {
    "python": "import cronium\ncronium.output(cronium.event())",
    "nodejs": "cronium.output(cronium.event())",
    "bash": "cronium_event | cronium_output",
}


@pytest.mark.parametrize("language", SHOW_EVENT)
async def test_the_event_has_all_fields_in_both_spellings(
    language: str, stack: Stack
) -> None:
    body = event(SHOW_EVENT[language], type=language, tags=["a", "b"], retries=2)
    result = await stack.run(body, user="ann", trigger="schedule")
    assert result.status == "SUCCESS", result
    found = result.output
    assert set(found) == set(EVENT)
    assert found["id"] == found["eventId"] == "test"
    assert found["name"] == found["eventName"] == "a test"
    assert found["type"] == found["eventType"] == language
    assert found["executionId"] == result.execution_id
    assert (found["userId"], found["trigger"], found["tags"]) == (
        *("ann", "schedule"),
        ["a", "b"],
    )
    assert (found["attempt"], found["maxAttempts"]) == (1, 3)
    assert (found["runLocation"], found["server"]) == ("LOCAL", None)
