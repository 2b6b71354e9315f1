"""How a change of a schedule is told."""

from schedules.plan import Act, Step
from tests.caller import event
from tests.schedules import schedule

SERVER = {
    "id": "a", "name": "a", "address": "10.0.0.1", "username": "x",
    "credentials": {"password": {"value": "open sesame"}},
}  # fmt: skip


def test_a_diff_has_the_lines_that_change_and_some_around() -> None:
    before, after = schedule(everySeconds=60), schedule(everySeconds=90)
    found = Step(Act.UPDATE, "nightly", before, after).diff()
    assert [line for line in found if line[0] in "+-"] == [
        "-everySeconds: 60",
        "+everySeconds: 90",
    ]


def test_a_new_one_is_told_whole_and_one_that_goes_as_well() -> None:
    spec = schedule(everySeconds=60)
    made = Step(Act.CREATE, "nightly", after=spec).diff()
    gone = Step(Act.DELETE, "nightly", before=spec).diff()
    assert {line[0] for line in made[1:]} == {"+"}
    assert [line[1:] for line in gone[1:]] == [line[1:] for line in made[1:]]


def test_values_of_credentials_are_masked_and_names_of_secrets_are_not() -> None:
    named = {**SERVER, "name": "b", "credentials": {"password": {"secret": "DB_PASS"}}}
    spec = schedule(everySeconds=60, event=event("true", targets=[SERVER, named]))
    said = "\n".join(Step(Act.CREATE, "nightly", after=spec).diff())
    assert "sesame" not in said
    assert "***" in said
    assert "DB_PASS" in said
