"""Scripts talk back from real sandboxes: output, condition, variables, progress."""

import asyncio

import pytest

from tests.stack import Stack, event

SCRIPTS = {
    "python": """
import cronium
data = cronium.input()
cronium.set_variable("SEEN_PYTHON", data["n"])
cronium.log("warning", "half way", {"step": 1})
cronium.progress(0.5, "copying")
cronium.set_condition(True)
seen = cronium.get_variable("SEEN_PYTHON")
cronium.output({"n": seen + 1, "who": cronium.event()["id"]})
""",
    "nodejs": """
const data = cronium.input();
cronium.setVariable("SEEN_NODE", data.n);
cronium.log("warning", "half way", { step: 1 });
cronium.progress(0.5, "copying");
cronium.setCondition(true);
cronium.output({ n: cronium.getVariable("SEEN_NODE") + 1, who: cronium.event().id });
""",
    "bash": """
n=$(cronium_input | jq .n)
cronium_set_variable SEEN_BASH "$n"
cronium_log warning "half way" '{"step": 1}'
cronium_progress 0.5 copying
cronium_set_condition yes
next=$(( $(cronium_get_variable SEEN_BASH) + 1 ))
cronium_output "{\\"n\\": $next, \\"who\\": \\"$(cronium_event_field id)\\"}"
""",
}


@pytest.mark.parametrize("kind", SCRIPTS)
async def test_a_script_gives_back_output_condition_log_and_progress(
    kind: str, stack: Stack
) -> None:
    result = await stack.run(event(SCRIPTS[kind], type=kind), input={"n": 41})
    lines = await stack.logs(result.execution_id)
    assert result.status == "SUCCESS", [line["text"] for line in lines]
    assert result.output == {"n": 42, "who": "test"}
    assert result.condition is True
    said = [line for line in lines if line["stream"] == "log"]
    assert [line["text"] for line in said] == ["WARNING half way step=1", "50% copying"]
    assert [line["data"] for line in said] == [
        {"level": "warning", "fields": {"step": 1}},
        {"progress": {"fraction": 0.5, "text": "copying"}},
    ]
    assert len(lines) == result.logs.stored
    assert [line["seq"] for line in lines] == list(range(1, len(lines) + 1))


async def test_two_hundred_increments_from_twenty_sandboxes_end_at_two_hundred(
    stack: Stack,
) -> None:
    script = "for i in $(seq 10); do cronium_increment_variable SHARED_COUNT; done"
    runs = [stack.run(event(script), user="counter") for _ in range(20)]
    results = await asyncio.gather(*runs)
    assert {result.status for result in results} == {"SUCCESS"}
    read = "cronium.output(cronium.getVariable('SHARED_COUNT'))"
    result = await stack.run(event(read, type="nodejs"), user="counter")
    assert result.output == 200


async def test_variables_of_another_user_are_out_of_reach(stack: Stack) -> None:
    await stack.run(event("cronium_set_variable MINE 1"), user="u-one")
    script = "import cronium\ncronium.output([cronium.get_variable('MINE')])"
    result = await stack.run(event(script, type="python"), user="u-two")
    assert result.output == [None]


async def test_the_counter_keeps_its_type_over_executions(stack: Stack) -> None:
    script = """
import cronium
count = cronium.get_variable("RUNS") or 0
cronium.set_variable("RUNS", count + 1)
cronium.output({"count": count, "missing": cronium.get_variable("NEVER_SET")})
"""
    outputs = [
        (await stack.run(event(script, type="python"), user="u-counter")).output
        for _ in range(3)
    ]
    assert outputs == [{"count": n, "missing": None} for n in range(3)]


@pytest.mark.parametrize(
    ("said", "condition"),
    [("true", True), ("false", False), ("yes", True), ("1", True)],
)
async def test_a_condition_is_what_the_script_says(
    said: str, condition: bool, stack: Stack
) -> None:
    result = await stack.run(event(f"cronium_set_condition {said}"))
    assert result.condition is condition


async def test_an_output_above_the_cap_is_refused_with_both_numbers(
    stack: Stack,
) -> None:
    script = "import cronium\ncronium.output('x' * 300_000)"
    result = await stack.run(event(script, type="python"))
    assert (result.status, result.output) == ("FAILURE", None)
    assert "262144" in " ".join(result.logs.last_lines)


async def test_the_token_of_a_run_is_in_no_log_and_no_history(stack: Stack) -> None:
    result = await stack.run(event("echo token $CRONIUM_EXECUTION_TOKEN"))
    lines = await stack.logs(result.execution_id)
    assert "token ***" in [line["text"] for line in lines]
    assert result.logs.last_lines == ["token ***"]
