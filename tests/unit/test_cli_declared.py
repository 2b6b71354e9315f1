"""A directory of YAML: all that is wrong at once, with file, line and a way out."""

from collections.abc import Callable
from pathlib import Path

import pytest

from cli.declared import read_directory
from cli.errors import InvalidRequest
from cli.schedule_file import read_schedules
from cli.yaml_document import read_documents

Write = Callable[..., Path]
EVENT = "id: backup\ntype: bash\nscript: echo hi\n"
SCHEDULE = "every: 7m\nevent: backup\n"


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def put(**files: str) -> Path:
        for name, text in files.items():
            file = tmp_path / name.replace("__", "/")
            file.parent.mkdir(parents=True, exist_ok=True)
            suffix = "" if "." in file.name else ".yaml"
            file.with_name(file.name + suffix).write_text(text)
        return tmp_path

    return put


def wrong(directory: Path) -> list[str]:
    with pytest.raises(InvalidRequest) as caught:
        read_directory(directory)
    return [
        f"{one.path}: {one.message}".replace(f"{directory}/", "")
        for one in caught.value.problems
    ]


def test_events_schedules_workflows_and_servers_are_told_apart(write: Write) -> None:
    directory = write(
        events__backup=EVENT,
        schedules__often=SCHEDULE,
        schedules__nightly=(
            "cron: 30 2 * * *\ntimezone: Europe/Berlin\njitter: 90s\ncatchUp: 1h\n"
            "event: {type: python, script: 'print(1)'}\n"
            "---\nid: weekly\ncron: '@weekly'\nworkflow: two\n"
        ),
        workflows__two=(
            "id: two\nname: Two\nnodes:\n  a: {event: {id: a, name: a, type: bash, "
            "script: 'true'}}\n"
        ),
        servers="servers: [{name: web-1, address: 10.0.0.1, username: x, "
        "credentials: {key: {secret: K}}}]\n",
        cronium="project: backups\n",
    )
    found = read_directory(directory)
    assert found.project == "backups"
    assert set(found.events) == {"backup"}
    assert set(found.graphs) == {"two"}
    assert found.servers == 1
    often, nightly = found.schedules["often"], found.schedules["nightly"]
    assert (often.every_seconds, often.event) == (420, found.events["backup"])
    assert (nightly.jitter_seconds, nightly.catch_up_seconds) == (90, 3600)
    assert nightly.event is not None
    assert nightly.event.id == "nightly"
    assert found.schedules["weekly"].workflow == found.graphs["two"]


def test_targets_are_looked_up_in_the_directorys_inventory(write: Write) -> None:
    directory = write(
        hosts="servers: [{name: web-1, address: 10.0.0.1, username: x, groups: [web], "
        "credentials: {key: {secret: K}}}]\n",
        restart="every: 1h\nevent: {type: bash, script: id, targets: ['group:web']}\n",
    )
    event = read_directory(directory).schedules["restart"].event
    assert event is not None
    assert [server.name for server in event.servers] == ["web-1"]


def test_every_problem_of_every_file_is_told_with_its_line(write: Write) -> None:
    directory = write(
        a_event=EVENT + "retries: 99\nenv:\n  - name: A\n    value: x\n    valu: y\n",
        b_broken="every: [1\n",
        c_unknown="hello: world\n",
        d_kind="kind: shedule\nevery: 5m\n",
        e_schedule=(
            "id: e\ncron: 61 * * * *\ntimezone: Mars/Base\n"
            "event:\n  type: bash\n  script: 'true'\n  timeoutSeconds: soon\n"
        ),
        f_list="- 1\n",
        g_twice="every: 5m\nevery: 6m\n",
        h_duration="every: sometimes\nevent: {type: bash, script: 'true'}\n",
    )
    found = wrong(directory)
    for expected in (
        "a_event.yaml:4: retries: Input should be less than or equal to 10",
        "a_event.yaml:8: env[0].valu: unknown field (did you mean value?)",
        "b_broken.yaml:2:1: not valid YAML",
        "c_unknown.yaml:1: what this is cannot be told",
        "d_kind.yaml:1: kind: expected one of servers, schedule, workflow, event (did "
        "you mean schedule?)",
        "e_schedule.yaml:7: event.timeoutSeconds: Input should be a valid number",
        "f_list.yaml:1: expected fields",
        "g_twice.yaml:2: every: is there twice, in line 1 as well",
        "h_duration.yaml:1: every: expected a duration such as 30s, 5m",
    ):
        assert any(line.startswith(expected) for line in found), (expected, found)


def test_times_and_zone_are_told_together_when_the_event_is_right(
    write: Write,
) -> None:
    directory = write(
        e="cron:\n  - 0 1 * * *\n  - 61 * * * *\ntimezone: Mars/Base\n"
        "event: {type: bash, script: 'true'}\n"
    )
    assert [line.split(": ")[:2] for line in wrong(directory)] == [
        ["e.yaml:3", "cron[1]"],
        ["e.yaml:4", "timezone"],
    ]


def test_an_event_that_is_not_there_is_named_with_those_that_are(
    write: Write,
) -> None:
    directory = write(backup=EVENT, nightly="cron: '@daily'\nevent: bakup\n")
    assert wrong(directory) == [
        "nightly.yaml:2: event: no event of the directory has this id; known: backup"
    ]


def test_a_schedule_of_an_event_that_is_wrong_is_read_all_the_same(
    write: Write,
) -> None:
    directory = write(
        backup="id: backup\ntype: bash\n",
        a="every: 7x\nevent: backup\n",
        b="every: 7m\nevent: backup\n",
        flow="id: flow\nname: F\nnodes: {}\n",
        c="every: 7m\nworkflow: flow\ntimezone: Mars/Base\n",
    )
    places = [":".join(line.split(":")[:2]) for line in wrong(directory)]
    assert places == ["backup.yaml:1", "flow.yaml:3", "a.yaml:1", "c.yaml:3"]


def test_two_of_one_id_are_refused_with_both_places(write: Write) -> None:
    directory = write(backup=EVENT, a="id: x\n" + SCHEDULE, b="\n\nid: x\n" + SCHEDULE)
    (problem,) = wrong(directory)
    assert problem.startswith("b.yaml:3: id: x is there twice, in ")
    assert problem.endswith("a.yaml:1 as well")


def test_scripts_and_events_in_other_files_are_put_in(write: Write) -> None:
    directory = write(
        **{"scripts__job.sh": "echo from a file\n"},
        jobs__job="type: bash\nscriptFile: ../scripts/job.sh\n",
        nightly="cron: '@daily'\neventFile: jobs/job.yaml\n",
    )
    event = read_directory(directory).schedules["nightly"].event
    assert event is not None
    assert event.script == "echo from a file\n"


def test_a_graph_has_its_events_in_other_files_too(write: Write) -> None:
    directory = write(
        jobs__job="id: job\ntype: bash\nscript: 'true'\n",
        flow="nodes:\n  one: {eventFile: jobs/job.yaml}\n",
        nightly="cron: '@daily'\nworkflow: flow\n",
        inline="every: 5m\nworkflow:\n  name: I\n  nodes:\n    one: {eventFile: "
        "jobs/job.yaml}\n",
    )
    found = read_directory(directory).schedules
    for id in ("nightly", "inline"):
        graph = found[id].workflow
        assert graph is not None
        assert graph.event_of(graph.nodes[0]).id == "job"


def test_what_is_wrong_with_a_graph_is_told_with_its_line(write: Write) -> None:
    directory = write(
        flow="name: F\nnodes:\n  one:\n    event: {id: e, name: e, type: bash, "
        "script: 'true', retries: 99}\n",
    )
    (problem,) = wrong(directory)
    assert problem.startswith("flow.yaml:4: nodes"), problem


def test_items_of_a_map_are_found_as_those_of_a_list_are(write: Write) -> None:
    directory = write(a="type: bash\nscript: x\nenv:\n  GOOD: 1\n  1BAD: 2\n")
    (problem,) = wrong(directory)
    assert problem.startswith("a.yaml:5: env[1].name: ")


def test_a_script_that_is_missing_is_told_with_the_line_that_names_it(
    write: Write,
) -> None:
    directory = write(
        nightly="cron: '@daily'\nevent:\n  type: bash\n  scriptFile: none.sh\n"
    )
    (problem,) = wrong(directory)
    assert problem.startswith("nightly.yaml:4: event.scriptFile: cannot read ")


def test_hidden_files_are_not_looked_at(write: Write) -> None:
    directory = write(backup=EVENT)
    (directory / ".github").mkdir()
    (directory / ".github" / "ci.yml").write_text("on: push\n")
    assert set(read_directory(directory).events) == {"backup"}


def test_what_is_no_directory_is_said(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_directory(tmp_path / "none")
    assert "expected a directory" in caught.value.problems[0].message


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("prject: x\n", 1, "unknown field (did you mean project?)"),
        ("\nproject: 'no spaces'\n", 2, "pattern"),
        ("project: [\n", 2, "not valid YAML"),
    ],
)
def test_a_project_file_that_is_wrong_is_told(
    text: str, line: int, said: str, write: Write
) -> None:
    found = wrong(write(cronium=text))
    assert any(
        one.startswith(f"cronium.yaml:{line}") and said in one for one in found
    ), found


def test_aliases_do_not_make_a_small_file_huge(write: Write) -> None:
    bomb = "a: &a [1,1,1,1,1,1,1,1,1,1]\n"
    for before, name in zip("abcdef", "bcdefg", strict=True):
        bomb += f"{name}: &{name} [{','.join([f'*{before}'] * 10)}]\n"
    file = write(bomb=bomb) / "bomb.yaml"
    with pytest.raises(InvalidRequest) as caught:
        read_documents(file)
    assert "more than 200000 values" in caught.value.problems[0].message


def test_an_alias_of_itself_is_refused(write: Write) -> None:
    file = write(loop="a: &a\n  b: *a\n") / "loop.yaml"
    with pytest.raises(InvalidRequest) as caught:
        read_documents(file)
    assert "contains itself" in caught.value.problems[0].message


def test_no_value_is_echoed(write: Write) -> None:
    word = "do-not-echo-this"
    directory = write(
        a=f"every: {word}\nevent: {{type: bash, script: 'true'}}\n",
        b=f"cron: {word}\ntimezone: {word}\nevent: {{type: {word}, script: x}}\n",
        c=f"every: 5m\nevent: {{type: bash, script: x, env: {{A: {{value: 1, s: "
        f"{word}}}}}}}\n",
    )
    assert word not in "\n".join(wrong(directory))


def test_a_file_may_have_several_schedules(write: Write) -> None:
    file = write(
        many="id: a\nevery: 5m\nevent: {type: bash, script: 'true'}\n---\n"
        "id: b\nevery_seconds: 5\nevent: {type: bash, script: 'true'}\n---\n"
    )
    specs = read_schedules(file / "many.yaml", None)
    assert [(spec.id, spec.every_seconds) for spec in specs] == [("a", 300), ("b", 5)]
