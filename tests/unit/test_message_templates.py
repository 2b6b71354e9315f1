"""Templates of messages: what they can say, and what they cannot do."""

import time
from typing import Any

import pytest

from contracts.deliveries import MessageOrder
from contracts.errors import TemplateInvalid
from contracts.events import EventSpec
from contracts.results import (
    ExecutionResult,
    LogCounts,
    PhaseDurations,
    Status,
    TargetResult,
)
from engines.messages import check_messages, render_message
from engines.templates import Template, check_syntax, render
from tests.stack import event

RESULT = ExecutionResult(
    execution_id="x1",
    event_id="nightly",
    event_name="Nightly <backup>",
    status=Status.FAILURE,
    exit_code=3,
    durations=PhaseDurations(execution_ms=61_500, total_ms=3_725_000),
    output={"items": [1, 2], "who": "Ada"},
    condition=True,
    logs=LogCounts(lines=2, last_lines=["one", "two"]),
    attempts=2,
    targets=[TargetResult(target="local", status=Status.FAILURE, host="h1")],
)


def order(**fields: Any) -> MessageOrder:
    action = {"kind": "message", "targets": [{"secret": "CHAT"}], "body": "b", **fields}
    return MessageOrder(
        action=action,  # type: ignore[arg-type]
        event_type="bash",
        tags=["db"],
        user="u1",
        trigger="schedule",
        input={"region": "north"},
        result=RESULT,
        finished_at=1_700_000_000.0,
        logs_url="https://c.example/logs/x1",
    )


async def text(template: str, limit: int = 1000, **context: Any) -> str:
    return (await render({"body": Template(template, limit)}, context))["body"]


async def problem(template: str, **context: Any) -> str:
    with pytest.raises(TemplateInvalid) as caught:
        await text(template, **context)
    return str(caught.value)


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{{ event.name }}/{{ event.id }}/{{ event.type }}/{{ event.tags[0] }}",
         "Nightly <backup>/nightly/bash/db"),
        ("{{ execution.id }} {{ execution.trigger }} {{ execution.attempts }}",
         "x1 schedule 2"),
        ("{{ status }} {{ exitCode }} {{ condition }}", "FAILURE 3 True"),
        ("{{ duration | formatDuration }}, {{ executionTime | formatDuration }}",
         "1 h 02 m 05 s, 1 m 01 s"),
        ("{{ finishedAt | formatTime }} {{ finishedAt | formatTime('%H:%M') }}",
         "2023-11-14 22:13:20 UTC 22:13"),
        ("{{ output.items }} {{ output.who }}", "[1, 2] Ada"),
        ("{{ output | json }}", '{"items": [1, 2], "who": "Ada"}'),
        ("{{ input.region }} {{ variables.SEEN }}", "north 7"),
        ("{{ logs.lastLines | join('; ') }} {{ logs.url }}",
         "one; two https://c.example/logs/x1"),
        ("{% if error %}bad{% else %}no error{% endif %}", "no error"),
        ("{% for row in targets %}{{ row.target }}@{{ row.host }}{% endfor %}",
         "local@h1"),
        ("{{ variables.NONE | default('-') }}", "-"),
    ],
)  # fmt: skip
async def test_a_template_reads_the_execution(template: str, expected: str) -> None:
    _, body = await render_message(order(body=template), {"SEEN": 7})
    assert body == expected


async def test_a_subject_is_made_up_when_there_is_none() -> None:
    subject, _ = await render_message(order(), {})
    assert subject == "Nightly <backup>: FAILURE"


async def test_html_escapes_values_and_nothing_else_does() -> None:
    body = "<b>{{ event.name }}</b>"
    _, html = await render_message(order(body=body, format="html"), {})
    _, markdown = await render_message(order(body=body, format="markdown"), {})
    assert html == "<b>Nightly &lt;backup&gt;</b>"
    assert markdown == "<b>Nightly <backup></b>"


async def test_a_missing_name_is_told_with_field_line_and_the_next_best() -> None:
    with pytest.raises(TemplateInvalid) as caught:
        await render_message(order(subject="{{ staus }}"), {})
    assert str(caught.value) == (
        "subject: line 1: `staus` is not known (did you mean `status`?)"
    )
    with pytest.raises(TemplateInvalid) as caught:
        await render_message(order(body="one\n{{ output.whom }}"), {})
    assert str(caught.value) == (
        "body: line 2: `whom` is not there (did you mean `who`?)"
    )


async def test_a_long_text_is_cut_and_says_so() -> None:
    made = await text("{% for i in range(9000) %}ab{% endfor %}", limit=100)
    assert made.startswith("ab" * 50)
    assert made.endswith("[cut here: the message is longer than 100 characters]")
    assert len(made) < 200


@pytest.mark.parametrize(
    "template",
    [
        "{% for i in range(99999) %}{% for j in range(99999) %}"
        "{% endfor %}{% endfor %}",
        "{{ 9 ** (9 ** (9 ** 9)) }}",
    ],
)
async def test_a_template_that_does_not_end_is_ended(template: str) -> None:
    began = time.monotonic()
    said = await problem(template)
    assert "takes more than 2 s" in said
    assert time.monotonic() - began < 20


@pytest.mark.parametrize(
    "template",
    [
        "{{ '%s' | format('a' * 10 ** 9) }}",
        "{{ '{:2000000000}'.format(1) }}",
        "{% set n = namespace(x='ab') %}"
        "{% for i in range(60) %}{% set n.x = n.x ~ n.x %}{% endfor %}{{ n.x }}",
    ],
)
async def test_a_template_that_wants_all_memory_gets_none(template: str) -> None:
    assert "512 MiB" in await problem(template)


@pytest.mark.parametrize(
    "template",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ x.__init__.__globals__ }}",
        "{{ cycler.__init__.__globals__.os }}",
        "{{ '{0.__class__}'.format(x) }}",
        "{{ (x | map(attribute='__class__') | list)[0].__subclasses__() }}",
        "{% include '/etc/passwd' %}",
        "{% import 'os' as os %}{{ os }}",
    ],
)
async def test_a_template_does_not_reach_python(template: str) -> None:
    assert "root:" not in await problem(template, x=[{"a": 1}])


async def test_a_template_cannot_change_what_the_next_one_reads() -> None:
    assert "unsafe" in await problem("{{ x.append(1) }}", x=[])


@pytest.mark.parametrize("text", ["{{#if x}}y{{/if}}", "{{# each x }}"])
def test_handlebars_is_told_from_jinja(text: str) -> None:
    with pytest.raises(TemplateInvalid, match=r"f: line 1: .*this is Handlebars"):
        check_syntax(text, "f")


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("a\n{{ b", "f: line 2: "),
        ("{% if x %}", "f: line 1: "),
        ("{{ x | formatDurations }}", "f: line 1: no filter named 'formatDurations'"),
        ("{{ x is nice }}", "f: line 1: no test named 'nice'"),
        ("{{ " + "(" * 5000 + "x" + ")" * 5000 + " }}", "f: it is nested too deep"),
    ],
)
def test_a_broken_template_is_found_before_anything_runs(
    template: str, said: str
) -> None:
    with pytest.raises(TemplateInvalid) as caught:
        check_syntax(template, "f")
    assert str(caught.value).startswith(said)


def test_checking_evaluates_nothing() -> None:
    began = time.monotonic()
    check_syntax("{{ 'a' * 10 ** 12 }}{{ 9 ** (9 ** (9 ** 9)) }}", "f")
    assert time.monotonic() - began < 2


def test_templates_of_nested_events_are_checked_too() -> None:
    bad = {"kind": "message", "targets": [{"secret": "C"}], "body": "{{"}
    inner = {"kind": "event", "event": event("true", actions=[bad])}
    spec = EventSpec.model_validate(event("true", actions=[inner]))
    with pytest.raises(TemplateInvalid, match=r"^event\.actions.0..event\.actions"):
        check_messages(spec)


async def test_wrong_use_of_a_filter_is_told() -> None:
    said = await problem("{{ 'x' | formatDuration }}")
    assert said == "body: line 1: formatDuration needs a number of milliseconds"
    assert "formatTime needs" in await problem("{{ true | formatTime }}")
