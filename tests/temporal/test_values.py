"""Values that are odd, but JSON: they go in, through the log and out as they are."""

import pytest

from tests.stack import Stack, event

LARGE = 2**70


@pytest.mark.parametrize(
    "value",
    [LARGE, -LARGE, [1e300, 5e-324], "\0\u2028😀", {"": {"a b": [None]}}],
    ids=["large", "negative", "floats", "odd letters", "odd keys"],
)
async def test_a_value_goes_in_and_comes_out_as_it_is(
    value: object, stack: Stack
) -> None:
    script = """
import cronium
value = cronium.input()
cronium.log("info", "seen", {"value": value})
cronium.set_variable("ODD", value)
cronium.output(cronium.get_variable("ODD"))
"""
    result = await stack.run(event(script, type="python"), input=value)
    assert result.status == "SUCCESS", result
    assert result.output == value
    lines = await stack.logs(result.execution_id)
    said = [line["data"] for line in lines if line["stream"] == "log"]
    assert said == [{"level": "info", "fields": {"value": value}}]
    assert [line["seq"] for line in lines] == list(range(1, len(lines) + 1))
