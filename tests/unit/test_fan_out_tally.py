"""What many rows come to, and that they fit a payload whatever they say."""

import pytest

from contracts.errors import ErrorInfo
from contracts.limits import MAX_TARGETS, MIB
from contracts.results import (
    ExecutionResult,
    LogCounts,
    PhaseDurations,
    Status,
    TargetResult,
)
from workflows.fanout import result_of
from workflows.tally import keep_outputs

LONG = PhaseDurations(
    setup_ms=99_999, execution_ms=9_999_999, cleanup_ms=99_999, total_ms=9_999_999
)


def talkative(number: int, output: object = None) -> TargetResult:
    return TargetResult(
        target=f"{number:04d}" + "n" * 96,
        status=Status.FAILURE,
        exit_code=255,
        durations=LONG,
        output=output,
        error=ErrorInfo(type="SshHostKeyUnknown", message="ü" * 1000, hint="h" * 300),
        logs=LogCounts(
            lines=99_999, bytes=9_999_999, stored=99_999, last_lines=["x" * 4000]
        ),
        attempts=3,
        host="h" * 40,
    )


def rows(*statuses: str, output: object = None) -> list[TargetResult]:
    return [
        TargetResult(
            target=f"s{number}",
            status=Status(status),
            exit_code={"SUCCESS": 0, "FAILURE": 3, "TIMEOUT": -1}.get(status),
            output=output,
        )
        for number, status in enumerate(statuses)
    ]


@pytest.mark.parametrize("output", [None, "x" * 2000])
def test_the_most_servers_with_the_longest_words_fit_a_payload(output: object) -> None:
    many = [talkative(number, output) for number in range(MAX_TARGETS)]
    result = ExecutionResult(
        execution_id="x" * 100,
        event_id="e" * 100,
        event_name="e" * 100,
        **result_of(many, [], cancelled=False),
    )
    size = len(result.model_dump_json().encode())
    print(f"{MAX_TARGETS} failed servers: {size} bytes")
    assert size < 2 * MIB - 64 * 1024
    assert {row.error.type for row in result.targets if row.error} == {
        "SshHostKeyUnknown"
    }


def test_where_there_is_room_nothing_is_cut() -> None:
    few = [talkative(number) for number in range(100)]
    assert result_of(few, [], cancelled=False)["targets"] == few


@pytest.mark.parametrize(
    ("statuses", "cancelled", "status", "code"),
    [
        (["SUCCESS", "SUCCESS"], False, "SUCCESS", 0),
        (["SUCCESS", "FAILURE", "TIMEOUT", "LOST"], False, "PARTIAL", 103),
        (["SUCCESS", "SKIPPED"], False, "PARTIAL", 100),
        (["FAILURE", "FAILURE"], False, "FAILURE", 3),
        (["FAILURE", "TIMEOUT"], False, "FAILURE", None),
        (["TIMEOUT", "TIMEOUT"], False, "FAILURE", -1),
        (["FAILURE", "SKIPPED", "CANCELLED"], False, "FAILURE", 3),
        (["LOST", "LOST"], False, "FAILURE", None),
        (["SUCCESS", "CANCELLED"], True, "CANCELLED", -2),
        (["SUCCESS", "SUCCESS"], True, "SUCCESS", 0),
        (["SUCCESS", "FAILURE"], True, "PARTIAL", 101),
    ],
)
def test_rows_come_to_a_status(
    statuses: list[str], cancelled: bool, status: str, code: int | None
) -> None:
    found = result_of(rows(*statuses), [], cancelled=cancelled)
    assert (found["status"], found["exit_code"]) == (status, code)


def test_small_outputs_behind_a_large_one_have_their_place() -> None:
    three = rows("SUCCESS", "SUCCESS", "SUCCESS", output="x" * 30)
    three[1] = three[1].model_copy(update={"output": "x" * 500})
    kept, omitted = keep_outputs(three, 100)
    assert (set(kept), omitted) == ({"s0", "s2"}, ["s1"])


def test_the_default_is_of_the_first_that_succeeded_with_an_output() -> None:
    some = rows("FAILURE", "SUCCESS", "SUCCESS", output=1)
    some[1] = some[1].model_copy(update={"output": None})
    output = result_of(some, [], cancelled=False)["output"]
    assert output == {"default": 1, "servers": {"s0": 1, "s2": 1}, "omitted": []}
    assert result_of(rows("SUCCESS", "FAILURE"), [], cancelled=False)["output"] is None
