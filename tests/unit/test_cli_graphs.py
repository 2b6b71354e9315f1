"""Workflow files and the live tree, without a stack."""

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console

from cli.errors import InvalidRequest
from cli.graph_file import graph_of_file, request_of_graph
from cli.graph_outcome import exit_status_of, print_plan
from cli.graph_schema import graph_schema
from cli.graph_tree import News, Tree
from cli.main import run_command
from contracts.graph_nodes import EventNode
from contracts.graph_results import GraphResult, NodeCounts, NodeResult
from contracts.graphs import GraphSpec
from contracts.logs import LogLine
from contracts.results import Status

EVENT = {"type": "bash", "script": "true"}
GRAPH: dict[str, Any] = {
    "nodes": {"build": {"event": EVENT}, "test": {"event": EVENT, "after": "build"}}
}


def write(directory: Path, name: str, data: Any) -> Path:
    file = directory / name
    file.write_text(yaml.safe_dump(data, sort_keys=False))
    return file


def problems(file: Path) -> str:
    with pytest.raises(InvalidRequest) as failure:
        graph_of_file(file)
    return "\n".join(f"{p.path}: {p.message}" for p in failure.value.problems)


def row(node: str, status: str, **fields: Any) -> NodeResult:
    return NodeResult(node=node, kind="event", status=Status(status), **fields)  # type: ignore[arg-type]


def test_a_file_gives_its_name_to_the_graph(tmp_path: Path) -> None:
    spec = graph_of_file(write(tmp_path, "my deploy.yaml", GRAPH))
    assert (spec.id, spec.name) == ("my-deploy", "my deploy")


def test_events_scripts_and_graphs_may_stand_in_other_files(tmp_path: Path) -> None:
    (tmp_path / "say.py").write_text("print(1)")
    write(
        tmp_path,
        "say.yaml",
        {"type": "python", "scriptFile": "say.py", "env": {"A": 1}},
    )
    write(tmp_path, "inner.yaml", {"nodes": {"x": {"eventFile": "say.yaml"}}})
    outer = {
        "events": {"named": {"type": "python", "scriptFile": "say.py"}},
        "nodes": {
            "a": {"eventFile": "say.py"},
            "b": {"eventFile": "say.yaml", "after": "a"},
            "c": {"event": "named"},
            "d": {"kind": "workflow", "workflowFile": "inner.yaml"},
        },
    }
    spec = graph_of_file(write(tmp_path, "outer.yaml", outer))
    b = spec.by_id["b"]
    assert isinstance(b, EventNode)
    event = spec.event_of(b)
    assert (event.type, event.script, event.env[0].value) == ("python", "print(1)", "1")
    assert spec.events["named"].script == "print(1)"


def test_files_that_name_each_other_are_refused(tmp_path: Path) -> None:
    loop = {"nodes": {"a": {"kind": "workflow", "workflowFile": "loop.yaml"}}}
    assert "perhaps in a circle" in problems(write(tmp_path, "loop.yaml", loop))


def test_everything_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    nodes = {
        "a": {"event": {"type": "bash"}},
        "b": {"event": EVENT, "retry": 3},
        "c": {"kind": "map", "event": EVENT},
    }
    found = problems(write(tmp_path, "wrong.yaml", {"nodes": nodes}))
    assert "nodes[0].event: script: an event of type bash needs a script" in found
    assert "nodes[1].retry: unknown field (did you mean retries?)" in found
    assert "nodes[2].items: required, but missing" in found


def test_a_file_that_is_missing_is_named_with_its_place(tmp_path: Path) -> None:
    nodes = {"a": {"eventFile": "gone.yaml"}}
    found = problems(write(tmp_path, "graph.yaml", {"nodes": nodes}))
    assert found.startswith("nodes.a: cannot read ")


def test_the_apps_form_is_taken_from_a_file(tmp_path: Path) -> None:
    stored = {
        "name": "Orders",
        "events": [{"id": 7, "name": "Fetch", **EVENT}],
        "nodes": [{"id": "n1", "eventId": 7}, {"id": "n2", "eventId": 7}],
        "edges": [
            {"sourceNodeId": "n1", "targetNodeId": "n2", "connectionType": "ON_FAILURE"}
        ],
    }
    for event in stored["events"]:
        event["id"] = str(event["id"])  # type: ignore[index]
    file = tmp_path / "orders.json"
    file.write_text(json.dumps(stored))
    spec = graph_of_file(file)
    assert [str(edge) for edge in spec.by_id["n2"].after] == ["n1 (on_failure)"]


def test_a_request_that_is_too_large_is_refused() -> None:
    script = {"type": "bash", "script": "x" * 1_000_000}
    nodes = {name: {"event": script} for name in ("a", "b")}
    spec = GraphSpec.model_validate({"id": "g", "name": "g", "nodes": nodes})
    with pytest.raises(InvalidRequest) as failure:
        request_of_graph(spec, execution_id="e")
    assert "at most 1966080 are possible" in failure.value.problems[0].message


def test_a_dry_run_starts_nothing_and_shows_what_would_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = str(write(tmp_path, "graph.yaml", GRAPH))
    assert run_command(["workflow", "run", file, "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert "build (on_success)" in shown
    assert "nothing was started" in shown
    assert run_command(["workflow", "check", file, "--json"]) == 0
    written = json.loads(capsys.readouterr().out)
    assert GraphSpec.model_validate(written) == graph_of_file(Path(file))
    assert run_command(["workflow", "graph", file]) == 0
    assert capsys.readouterr().out.startswith("flowchart LR")


def test_a_plan_says_what_each_kind_does() -> None:
    nodes = {
        "w": {"kind": "wait", "seconds": 5},
        "ok": {"kind": "approval", "message": "go?"},
        "m": {"kind": "map", "items": [1], "event": EVENT},
        "s": {"kind": "switch", "cases": [{"name": "x", "if": "{{ 1 }}"}]},
        "g": {"kind": "workflow", "workflow": GRAPH},
    }
    spec = GraphSpec.model_validate({"id": "g", "name": "g", "nodes": nodes})
    console = Console(file=io.StringIO(), width=200)
    print_plan(console, request_of_graph(spec, execution_id="e"))
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    for words in ("5.0 s", "go?", "10 at a time", "one of x", "g (2 nodes)"):
        assert words in shown


def test_the_tree_has_a_row_per_node_with_its_last_line() -> None:
    spec = GraphSpec.model_validate({"id": "g", "name": "g", **GRAPH})
    console = Console(file=io.StringIO(), force_terminal=True, width=120)
    line = LogLine(
        seq=1, target="build/web-1", attempt=1, stream="stdout",  # type: ignore[arg-type]
        stream_seq=1, timestamp="2026-01-01T00:00:00Z", text="compiling \x1b[2J",  # type: ignore[arg-type]
    )  # fmt: skip
    with Tree(spec, console) as tree:
        tree.print([line])
        tree.show([row("build", "RUNNING", started_at=1.0)])
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert "build" in shown
    assert "compiling" in shown
    assert "PENDING" in shown
    assert "\x1b[2J" not in shown


def test_news_are_told_once() -> None:
    said: list[str] = []
    news = News(said.append)
    running = row("a", "RUNNING", started_at=1.0)
    news.show([running, row("b", "PENDING")])
    news.show([running, row("b", "PENDING")])
    news.show([row("a", "SUCCESS", started_at=1.0, ended_at=2.5)])
    assert said == ["a: RUNNING", "a: SUCCESS after 1.5 s"]


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ("SUCCESS", 0),
        ("SKIPPED", 0),
        ("FAILURE", 1),
        ("TIMEOUT", 124),
        ("CANCELLED", 130),
    ],
)
def test_the_exit_status_says_how_it_ended(status: str, code: int) -> None:
    result = GraphResult(
        execution_id="e",
        workflow_id="g",
        workflow_name="g",
        status=Status(status),
        counts=NodeCounts(total=0),
    )
    assert exit_status_of(result) == code


ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "workflows.md").read_text()
WRITTEN = [
    *(file.read_text() for file in sorted((ROOT / "examples/workflows").glob("*"))),
    *re.findall(r"^```yaml workflow\n(.*?)^```", PAGE, re.M | re.S),
]


def test_the_schema_for_editors_knows_all_that_page_and_examples_write() -> None:
    schema = graph_schema()
    parts = schema["$defs"]
    graph = parts["GraphSpec"]["properties"]
    for text in WRITTEN:
        data = yaml.safe_load(text)
        assert set(data) <= set(graph)
        for node in data["nodes"].values():
            kind = node.get("kind", "event").title()
            known = parts[f"{kind}Node"]
            assert set(node) <= set(known["properties"])
            assert set(known["required"]) <= set(node)
            if isinstance(node.get("event"), dict):
                assert set(node["event"]) <= set(parts["EventSpec"]["properties"])
    assert {"eventFile", "after"} <= set(parts["EventNode"]["properties"])
    assert "edges" in graph
    # References lead somewhere.
    named = set(re.findall(r'"#/\$defs/(\w+)"', json.dumps(schema)))
    assert named <= set(parts)
