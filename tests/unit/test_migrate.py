"""`cronium migrate`: what an export becomes, read again by the readers of `apply`."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cli.declared import Declared, read_directory
from cli.main import run_command
from contracts.actions import EventAction, MessageAction
from contracts.http import JsonBody
from engines.rendering import environment
from migration.convert import REPORT

EXAMPLE = Path(__file__).parents[2] / "examples" / "migration" / "export.json"
Migrate = Callable[..., int]


@pytest.fixture
def export() -> dict[str, Any]:
    data: dict[str, Any] = json.loads(EXAMPLE.read_text())
    return data


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.fixture
def migrate(tmp_path: Path, out: Path) -> Migrate:
    def run(export: Any, *more: str) -> int:
        file = tmp_path / "export.json"
        file.write_text(export if isinstance(export, str) else json.dumps(export))
        return run_command(["migrate", str(file), "--out", str(out), *more])

    return run


def contents(directory: Path) -> dict[str, str]:
    return {
        str(file.relative_to(directory)): file.read_text()
        for file in sorted(directory.rglob("*"))
        if file.is_file()
    }


@pytest.fixture
def declared(export: dict[str, Any], migrate: Migrate, out: Path) -> Declared:
    assert migrate(export, "--timezone", "Europe/Berlin") == 0
    return read_directory(out)


def test_all_that_is_written_is_read_by_apply(declared: Declared) -> None:
    assert set(declared.events) == {
        "nightly-report", "publish", "disk-check", "tell-the-team",
    }  # fmt: skip
    assert set(declared.graphs) == {"morning", "on-call"}
    assert set(declared.schedules) == {"nightly-report", "disk-check", "morning"}
    assert declared.servers == 2


def test_an_event_keeps_what_it_is(declared: Declared) -> None:
    event = declared.events["nightly-report"]
    assert (event.name, event.type, event.retries) == ("Nightly report", "python", 2)
    assert event.timeout_seconds == 120
    assert event.tags == ["report", "sales"]
    assert event.script is not None
    assert 'os.environ["TIER"]' in event.script
    env = {var.name: (var.value, var.secret) for var in event.env}
    assert env == {
        "TIER": ("blue", None),
        "DB_PASSWORD": (None, "NIGHTLY_REPORT_DB_PASSWORD"),
        "REGION": (None, "NIGHTLY_REPORT_REGION"),
    }


def test_conditional_actions_follow_the_event(declared: Declared) -> None:
    start, message = declared.events["nightly-report"].actions
    assert isinstance(start, EventAction)
    assert (start.when, start.spec.id) == ("on_success", "publish")
    assert isinstance(message, MessageAction)
    assert message.when == "on_failure"
    assert message.targets[0].secret == "NIGHTLY_REPORT_TOOL_9_URL"


def test_a_message_says_what_it_said_in_the_app(declared: Declared) -> None:
    _, message = declared.events["nightly-report"].actions
    assert isinstance(message, MessageAction)
    data = {
        "event": {"name": "Nightly report"},
        "status": "FAILURE",
        "duration": 90_000,
        "error": {"message": "exit code 3"},
    }
    text = environment().from_string(message.body).render(data)
    assert text.startswith("Nightly report ended with FAILURE after 1")
    assert text.endswith(": exit code 3")


def test_a_request_keeps_its_parts_and_loses_its_credentials(
    declared: Declared,
) -> None:
    http = declared.events["publish"].http
    assert http is not None
    assert http.url == (
        "https://api.example.com/reports?tier=blue"
        "&api_key={{ secrets.PUBLISH_QUERY_API_KEY }}"
    )
    assert [(one.name, one.value, one.secret) for one in http.headers] == [
        ("Content-Type", "application/json", None),
        ("Authorization", None, "PUBLISH_AUTHORIZATION"),
    ]
    assert isinstance(http.body, JsonBody)
    assert http.body.content == {
        "channel": "sales",
        "password": {"secret": "PUBLISH_BODY_PASSWORD"},
    }


def test_every_7_minutes_is_every_7_minutes(declared: Declared) -> None:
    schedule = declared.schedules["nightly-report"]
    assert schedule.every_seconds == 420
    assert schedule.max_runs == 60
    assert schedule.paused is False


def test_a_cron_expression_of_six_fields_loses_its_seconds(declared: Declared) -> None:
    schedule = declared.schedules["disk-check"]
    assert schedule.cron == ["30 2 * * *"]
    assert schedule.timezone == "Europe/Berlin"


def test_an_event_that_needs_a_hand_first_does_not_start(declared: Declared) -> None:
    # Its script had a credential written into it.
    assert declared.schedules["disk-check"].paused is True


def test_servers_are_those_of_the_inventory(declared: Declared) -> None:
    first, second = declared.events["disk-check"].servers
    assert (first.name, first.address, first.username) == (
        "web-1", "192.0.2.14", "deploy",
    )  # fmt: skip
    assert first.host_keys == ["SHA256:LT2ZD1ILGOH7SxbEFybo8eOVLM9+AxRcCDxUQv8FE94"]
    assert first.credentials.key is not None
    assert first.credentials.key.secret == "SERVER_WEB_1_KEY"
    assert second.port == 2222
    assert second.credentials.password is not None


def test_a_workflow_keeps_nodes_edges_and_schedule(declared: Declared) -> None:
    graph = declared.graphs["morning"]
    after = {
        node.id: [(edge.node, edge.when.value) for edge in node.after]
        for node in graph.nodes
    }
    assert after == {
        "nightly-report": [],
        "publish": [("nightly-report", "on_success")],
        "tell-the-team": [("nightly-report", "on_failure")],
    }
    schedule = declared.schedules["morning"]
    assert schedule.workflow == graph
    assert schedule.paused is True


def secrets_of(export: dict[str, Any]) -> list[str]:
    text = json.dumps(export)
    planted = [word.strip('\\"') for word in text.replace("&", " ").split()]
    found = [
        word
        for part in planted
        for word in part.replace("=", " ").replace(":", " ").split()
        if word.startswith("example-")
    ]
    return [*found, "ZXhhbXBsZSBvZiBhIGtleSB0aGF0IGlzIG5vbmU="]


def test_no_file_has_a_secret_and_the_report_names_each(
    export: dict[str, Any], migrate: Migrate, out: Path
) -> None:
    planted = {word.split("\\")[0].rstrip('",}') for word in secrets_of(export)}
    assert len(planted) >= 9, planted
    assert migrate(export) == 0
    files = contents(out)
    for value in planted:
        assert [path for path, text in files.items() if value in text] == [], value
    named = {
        word
        for path, text in files.items()
        if path.endswith(".yaml")
        for word in text.replace("}}", " ").replace("secrets.", " ").split()
        if word.isupper() and "_" in word and f"`{word}`" in files[REPORT]
    }
    assert "SERVER_WEB_1_KEY" in named
    assert "PUBLISH_QUERY_API_KEY" in named


@pytest.mark.parametrize(
    ("script", "secret"),
    [
        ("export DB_PASSWORD='sw0rdf1sh'", "sw0rdf1sh"),
        ('client = login(token="abcdef123456")', "abcdef123456"),
        ("const apiKey = 'k-9-k-9-k-9';", "k-9-k-9-k-9"),
        ("mysql --password=hunter22 -e 'select 1'", "hunter22"),
        ("curl -H 'Authorization: Bearer abcdef.ghijkl-1234'", "abcdef.ghijkl-1234"),
        ("git clone https://me:letme1n@git.example.com/x", "letme1n"),
        ("KEY = 'ghp_abcdefghijklmnopqrstuvwxyz0123456789'", "ghp_abcdef"),
        ("aws_id = 'AKIAABCDEFGHIJKLMNOP'", "AKIAABCDEFGHIJKLMNOP"),
        ("curl -u me:letmein https://example.com", "letmein"),
    ],
    ids=[
        "shell", "argument", "javascript", "option", "header", "url", "github", "aws",
        "login",
    ],
)  # fmt: skip
def test_credentials_in_scripts_are_taken_out(
    script: str, secret: str, migrate: Migrate, out: Path
) -> None:
    event = {"id": 1, "name": "a", "type": "BASH", "content": script}
    assert migrate({"events": [event]}) == 0
    assert not any(secret in text for text in contents(out).values())
    (env,) = read_directory(out).events["a"].env
    assert env.secret == env.name
    assert f"environment variable {env.name}" in (out / REPORT).read_text()


@pytest.mark.parametrize(
    "script",
    [
        'password = os.environ["PASSWORD"]',
        "TOKEN=$(cat /run/token)",
        "echo password: see the manual",
        "key = compute_key(value)",
        "const token = process.env.TOKEN;",
    ],
    ids=["python", "shell", "prose", "call", "javascript"],
)
def test_scripts_without_credentials_stay_as_they_are(
    script: str, migrate: Migrate, out: Path
) -> None:
    event = {"id": 1, "name": "a", "type": "BASH", "content": script}
    assert migrate({"events": [event]}) == 0
    assert read_directory(out).events["a"].script == script


def test_a_credential_of_one_place_is_found_in_every_other(
    export: dict[str, Any], migrate: Migrate, out: Path
) -> None:
    export["events"][0]["description"] = "connects with example-db-password"
    export["workflows"][0]["name"] = "uses example-root-password"
    assert migrate(export) == 0
    files = contents(out)
    for value in ("example-db-password", "example-root-password"):
        assert not any(value in text for text in files.values())


def test_a_second_migration_changes_nothing(
    export: dict[str, Any], migrate: Migrate, out: Path, capsys: Any
) -> None:
    migrate(export)
    before = contents(out)
    times = {file: file.stat().st_mtime_ns for file in out.rglob("*.yaml")}
    assert migrate(export) == 0
    assert contents(out) == before
    assert {file: file.stat().st_mtime_ns for file in out.rglob("*.yaml")} == times
    assert "nothing changed" in capsys.readouterr().err


def test_a_file_that_was_edited_is_not_replaced(
    export: dict[str, Any], migrate: Migrate, out: Path, capsys: Any
) -> None:
    migrate(export)
    edited = out / "events" / "publish.yaml"
    edited.write_text(edited.read_text() + "# ours\n")
    before = contents(out)
    export["events"][0]["name"] = "Another name"
    assert migrate(export) == 1
    assert "events/publish.yaml" in capsys.readouterr().err
    assert contents(out) == before
    assert migrate(export, "--force") == 0
    assert "# ours" not in edited.read_text()


def test_files_of_others_are_not_replaced(
    export: dict[str, Any], migrate: Migrate, out: Path
) -> None:
    out.mkdir()
    (out / "servers.yaml").write_text("servers: []\n")
    assert migrate(export) == 1
    assert contents(out) == {"servers.yaml": "servers: []\n"}


def test_what_the_export_has_no_more_is_removed_unless_it_was_edited(
    export: dict[str, Any], migrate: Migrate, out: Path, capsys: Any
) -> None:
    migrate(export)
    edited = out / "events" / "tell-the-team.yaml"
    edited.write_text(edited.read_text() + "# ours\n")
    less = copy.deepcopy(export)
    less["events"] = [one for one in less["events"] if one["id"] == 1]
    del less["workflows"], less["workflow_nodes"], less["workflow_connections"]
    less["conditional_actions"] = []
    less["event_servers"] = []
    assert migrate(less) == 0
    assert not (out / "events" / "publish.yaml").exists()
    assert edited.exists()
    assert "kept" in capsys.readouterr().err


BROKEN: list[tuple[str, Any, str]] = [
    ("not JSON", "{'a': 1}", "not valid JSON (line 1, column 2)"),
    ("no tables", "[]", "expected an object of tables"),
    ("nothing", {"logs": []}, "no events, servers or workflows"),
    ("no list", {"events": {}}, "events: expected a list"),
    ("no row", {"events": ["x"]}, "events[0]: expected a row"),
    ("no type", {"events": [{"id": 1}]}, "events[0].type: required"),
    (
        "type",
        {"events": [{"id": 1, "type": "RUBY"}]},
        "events[0].type: expected one of NODEJS, PYTHON",
    ),
    (
        "no script",
        {"events": [{"id": 1, "type": "BASH"}]},
        "events[0].content: required",
    ),
    (
        "timeout",
        {"events": [{"id": 1, "type": "BASH", "content": "x", "timeoutValue": "5"}]},
        "events[0].timeoutValue: expected a whole number",
    ),
    (
        "twice",
        {"events": [{"id": 1, "type": "BASH", "content": "x"}] * 2},
        "events[1].id: events[0] has the same id",
    ),
    (
        "headers",
        {
            "events": [
                {
                    "id": 1,
                    "type": "HTTP_REQUEST",
                    "httpUrl": "https://example.com",
                    "httpHeaders": [{"key": 1}],
                }
            ]
        },
        "events[0].httpHeaders[0]: expected {key, value}",
    ),
    (
        "start",
        {
            "events": [
                {
                    "id": 1,
                    "type": "BASH",
                    "content": "x",
                    "triggerType": "SCHEDULE",
                    "startTime": "soon",
                }
            ]
        },
        "events[0].startTime: expected a time",
    ),
    (
        "node",
        {"workflows": [{"id": 1, "nodes": [{"id": 2, "eventId": 3}]}]},
        "workflows[0].nodes[0].eventId: no event of the export has this id",
    ),
    (
        "server",
        {
            "events": [
                {
                    "id": 1,
                    "type": "BASH",
                    "content": "x",
                    "runLocation": "REMOTE",
                    "serverId": 9,
                }
            ]
        },
        "events[0].serverId: no server of the export has this id",
    ),
    (
        "action",
        {
            "events": [{"id": 1, "type": "BASH", "content": "x"}],
            "conditionalActions": [{"id": 1, "type": "SCRIPT"}],
        },
        "conditionalActions[0].alwaysEventId: expected exactly one of",
    ),
]


@pytest.mark.parametrize(
    ("export", "message"),
    [case[1:] for case in BROKEN],
    ids=[case[0] for case in BROKEN],
)
def test_a_wrong_export_is_refused_with_the_place(
    export: Any, message: str, migrate: Migrate, out: Path, capsys: Any
) -> None:
    assert migrate(export) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "export.json" in error
    assert "Traceback" not in error
    assert not out.exists()


def test_an_error_does_not_repeat_what_is_in_the_export(
    migrate: Migrate, capsys: Any
) -> None:
    event = {"id": 1, "type": "s3cret-value", "content": ["s3cret-value"]}
    assert migrate({"events": [event], "servers": "s3cret-value"}) == 2
    assert "s3cret-value" not in capsys.readouterr().err


def test_a_zone_that_does_not_exist_is_refused(
    export: dict[str, Any], migrate: Migrate, out: Path
) -> None:
    assert migrate(export, "--timezone", "Europe/Nowhere") == 2
    assert not out.exists()


def test_events_that_start_each_other_in_a_circle_lose_one_start(
    migrate: Migrate, out: Path
) -> None:
    events = [
        {
            "id": number,
            "name": f"e{number}",
            "type": "BASH",
            "content": "true",
            "conditionalActions": [
                {
                    "type": "ON_SUCCESS",
                    "action": "SCRIPT",
                    "details": {"targetEventId": 3 - number},
                }
            ],
        }
        for number in (1, 2)
    ]
    assert migrate({"events": events}) == 0
    declared = read_directory(out)
    assert sum(len(event.actions) for event in declared.events.values()) == 1
    assert "circle" in (out / REPORT).read_text()


def test_a_workflow_with_a_cycle_is_left_out_and_the_rest_is_written(
    export: dict[str, Any], migrate: Migrate, out: Path
) -> None:
    back = {
        "id": 9,
        "workflow_id": 17,
        "source_node_id": 32,
        "target_node_id": 31,
        "connection_type": "ALWAYS",
    }
    export["workflow_connections"].append(back)
    assert migrate(export) == 0
    declared = read_directory(out)
    assert set(declared.graphs) == {"on-call"}
    # Without the workflow its schedule would have nothing to run.
    assert set(declared.schedules) == {"nightly-report", "disk-check"}
    assert "workflows/morning.yaml" in (out / REPORT).read_text()


def test_a_remote_event_without_a_server_never_runs_in_a_container(
    export: dict[str, Any], migrate: Migrate, out: Path
) -> None:
    for server in export["servers"]:
        server["is_archived"] = True
    assert migrate(export) == 0
    assert "disk-check" not in read_directory(out).events


def test_paused_holds_every_schedule(
    export: dict[str, Any], migrate: Migrate, out: Path
) -> None:
    assert migrate(export, "--paused") == 0
    schedules = read_directory(out).schedules.values()
    assert all(schedule.paused for schedule in schedules)


def test_users_of_one_export_stay_apart(
    export: dict[str, Any], migrate: Migrate, out: Path
) -> None:
    export["workflows"][0]["user_id"] = "u-2"
    assert migrate(export) == 0
    schedules = read_directory(out).schedules
    assert schedules["nightly-report"].user == "u-1"
    assert schedules["morning"].user == "u-2"


def test_columns_may_have_the_names_of_the_app_or_of_the_database(
    export: dict[str, Any], migrate: Migrate, out: Path, tmp_path: Path
) -> None:
    def camel(value: Any) -> Any:
        if isinstance(value, list):
            return [camel(item) for item in value]
        if isinstance(value, dict):
            return {_camel(key): camel(item) for key, item in value.items()}
        return value

    def _camel(name: str) -> str:
        first, *rest = name.split("_")
        return first + "".join(word.capitalize() for word in rest)

    assert migrate(export) == 0
    before = contents(out)
    assert migrate({"tables": camel(export)}) == 0
    assert contents(out) == before


def test_the_yaml_is_plain_enough_to_be_edited(
    export: dict[str, Any], migrate: Migrate, out: Path
) -> None:
    assert migrate(export) == 0
    text = (out / "events" / "nightly-report.yaml").read_text()
    assert text.startswith("# Sales of the day\nid: nightly-report\n")
    assert "script: |\n" in text
    assert yaml.safe_load(text)["env"]["TIER"] == "blue"


ODD = [
    None, True, -1, 0, 10**12, 1.5, "", "x", "\0", "{{", "[", "é" * 200, [], [1], {},
    {"a": {"b": 1}}, "https://[", "2026-13-01", "DAYS", "SCHEDULE", "REMOTE",
]  # fmt: skip
PLACES = [
    (table, index, field)
    for table, rows in json.loads(EXAMPLE.read_text()).items()
    for index, row in enumerate(rows)
    for field in row
]


@settings(
    max_examples=120,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    changes=st.lists(
        st.tuples(st.sampled_from(PLACES), st.sampled_from(ODD)), min_size=1, max_size=3
    )
)
def test_whatever_a_field_holds_it_is_written_or_refused_with_its_place(
    changes: list[tuple[tuple[str, int, str], Any]], tmp_path_factory: Any
) -> None:
    export = json.loads(EXAMPLE.read_text())
    for (table, index, field), value in changes:
        export[table][index][field] = value
    directory = tmp_path_factory.mktemp("export")
    (directory / "export.json").write_text(json.dumps(export))
    out = directory / "out"
    code = run_command(["migrate", str(directory / "export.json"), "--out", str(out)])
    assert code in (0, 2)
    assert out.exists() == (code == 0)
    if code == 0:
        read_directory(out)
