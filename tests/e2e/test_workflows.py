"""`cronium workflow` as a user has it: the page's YAML, the examples, all commands."""

import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.conftest import Cronium

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "workflows.md").read_text()
BLOCKS = re.findall(r"^```yaml workflow\n(.*?)^```", PAGE, re.M | re.S)
EXAMPLES = ROOT / "examples" / "workflows"
ON_SERVERS = {"rollout.yaml"}
"""What `tests/ssh/test_graphs_on_servers.py` runs."""
QUICK = {"type": "bash", "script": "true", "network": "none"}


def title(body: str) -> str:
    return str(yaml.safe_load(body)["name"]).replace(" ", "-")


def result_of(done: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def ends(result: dict[str, Any]) -> dict[str, str]:
    return {row["node"]: row["status"] for row in result["nodes"]}


@pytest.fixture
def written(tmp_path: Path) -> Callable[[dict[str, Any]], str]:
    """Writes a workflow into a file and returns its name."""

    def write(graph: dict[str, Any]) -> str:
        file = tmp_path / "graph.yaml"
        file.write_text(yaml.safe_dump({"name": "test", **graph}, sort_keys=False))
        return str(file)

    return write


def begun(cronium: Cronium, *arguments: str) -> str:
    done = cronium("workflow", "run", *arguments, "--detach")
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def until(
    cronium: Cronium, execution: str, reached: Callable[[dict[str, Any]], bool]
) -> dict[str, Any]:
    """The command is all that a user has: there is no event to wait for."""
    limit = time.monotonic() + 90
    while time.monotonic() < limit:
        done = cronium("workflow", "show", execution, "--json")
        if done.returncode == 0 and reached(found := result_of(done)):
            return found
        time.sleep(0.2)
    raise AssertionError(done.stdout + done.stderr)


def is_over(found: dict[str, Any]) -> bool:
    return bool(found["status"] != "RUNNING")


def waits_at(node: str) -> Callable[[dict[str, Any]], bool]:
    return lambda found: ends(found).get(node) == "RUNNING"


@pytest.mark.parametrize("body", BLOCKS, ids=title)
def test_the_workflows_of_the_page_run(
    body: str, cronium: Cronium, tmp_path: Path
) -> None:
    file = tmp_path / "graph.yaml"
    file.write_text(body)
    assert cronium("workflow", "check", str(file)).returncode == 0
    execution = begun(cronium, str(file), "--input", '{"size": 5}')
    if "kind: approval" in body:
        until(cronium, execution, waits_at("ok"))
        said = cronium("workflow", "approve", execution, "ok", "--why", "the page")
        assert said.returncode == 0, said.stderr
    result = until(cronium, execution, is_over)
    assert result["status"] == "SUCCESS", result
    assert {row["status"] for row in result["nodes"]} <= {"SUCCESS", "SKIPPED"}


def test_the_page_shows_every_kind_of_node() -> None:
    kinds = {
        node.get("kind", "event")
        for body in BLOCKS
        for node in yaml.safe_load(body)["nodes"].values()
    }
    assert kinds == {"event", "wait", "approval", "map", "switch", "workflow"}


def test_no_example_is_left_out() -> None:
    there = {file.name for file in EXAMPLES.iterdir()}
    assert there == {"backup.yaml", "pipeline.yaml"} | ON_SERVERS


def test_the_pipeline_counts_and_decides(cronium: Cronium) -> None:
    for limit, size in ((900, "normal"), (500, "large")):
        given = json.dumps({"parts": 6, "limit": limit})
        done = cronium(
            "workflow", "run", str(EXAMPLES / "pipeline.yaml"), "--input", given,
            "--json",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert result_of(done)["output"] == {"sum": 790, "size": size}


def test_the_backup_is_checked_and_its_failure_is_told(cronium: Cronium) -> None:
    file = str(EXAMPLES / "backup.yaml")
    good = cronium("workflow", "run", file, "--json")
    assert good.returncode == 0, good.stderr
    assert result_of(good)["output"]["entries"] > 10
    bad = cronium(
        "workflow", "run", file, "--input", '{"folders": ["/nowhere"]}', "--json"
    )
    assert bad.returncode == 1
    assert ends(result_of(bad)) == {
        "pack": "SUCCESS", "check": "FAILURE", "alert": "SUCCESS",
    }  # fmt: skip
    said = json.loads(cronium("var", "get", "LAST_BACKUP_PROBLEM").stdout)
    assert said["failed"] == "check"


def test_lines_stand_behind_the_names_of_their_nodes(
    cronium: Cronium, written: Callable[[dict[str, Any]], str]
) -> None:
    echo = {"type": "bash", "script": "echo from $0; cronium_input", "network": "none"}
    nodes = {"left": {"event": echo}, "right": {"event": echo, "after": "left"}}
    done = cronium("workflow", "run", written({"nodes": nodes}), "--input", '"x"')
    assert done.returncode == 0, done.stderr
    names = {line.partition("|")[0].strip() for line in done.stdout.splitlines()}
    assert names == {"left", "right"}
    assert "left: SUCCESS" in done.stderr
    execution = done.stderr.partition("Execution")[2].split()[0]
    stored = cronium("logs", execution, "-f", "--json").stdout.splitlines()
    assert {json.loads(line)["target"] for line in stored} == {"left", "right"}
    assert execution in cronium("list", "--json").stdout
    assert cronium("status", execution).returncode == 0


def test_a_failed_run_is_run_again_from_where_it_failed(
    cronium: Cronium, written: Callable[[dict[str, Any]], str]
) -> None:
    count = "cronium.output(cronium.increment_variable('%s'))"
    nodes = {
        "first": {"event": {"type": "python", "script": count % "RERUN_FIRST"}},
        "second": {
            "after": "first",
            "event": {
                "type": "python",
                "script": "if cronium.increment_variable('RERUN_SECOND') < 2: exit(4)",
            },
        },
        "third": {"after": "second", "event": QUICK},
    }
    file = written({"nodes": nodes})
    failed = cronium("workflow", "run", file, "--json")
    assert failed.returncode == 1
    result = result_of(failed)
    assert ends(result) == {
        "first": "SUCCESS", "second": "FAILURE", "third": "SKIPPED",
    }  # fmt: skip
    plan = cronium("workflow", "rerun", result["executionId"], "--dry-run")
    assert "event, as before" in plan.stdout
    again = cronium("workflow", "rerun", result["executionId"], "--json")
    assert again.returncode == 0, again.stderr
    second = result_of(again)
    assert second["rerunOf"] == result["executionId"]
    assert second["nodes"][0]["reusedFrom"] == result["executionId"]
    assert cronium("var", "get", "RERUN_FIRST").stdout.strip() == "1"
    nodes["third"]["event"] = {**QUICK, "script": "echo edited"}
    edited = cronium(
        "workflow", "rerun", second["executionId"], "--file", written({"nodes": nodes}),
        "--json",
    )  # fmt: skip
    rows = result_of(edited)["nodes"]
    assert [bool(row["reusedFrom"]) for row in rows] == [True, True, False]


def test_a_run_is_steered_from_the_command_line(
    cronium: Cronium, written: Callable[[dict[str, Any]], str]
) -> None:
    nodes: dict[str, Any] = {
        "long": {"event": {**QUICK, "script": "sleep 300"}},
        "inner": {
            "kind": "workflow",
            "workflow": {"nodes": {"ok": {"kind": "approval"}}},
        },
        "end": {"after": ["long", "inner"], "event": QUICK},
    }
    execution = begun(cronium, written({"nodes": nodes}))
    until(cronium, execution, waits_at("long"))
    until(cronium, execution, waits_at("inner"))

    def say(*words: str) -> None:
        done = cronium("workflow", words[0], execution, *words[1:])
        assert done.returncode == 0, done.stderr

    say("pause")
    say("skip", "long", "--why", "no time")
    say("approve", "inner/ok")
    refused = cronium("workflow", "approve", execution, "end")
    assert refused.returncode == 1
    assert "end is no approval" in refused.stderr
    colours = cronium("workflow", "graph", execution).stdout
    assert "classDef" in colours
    say("resume")
    result = until(cronium, execution, is_over)
    assert ends(result) == {"long": "SKIPPED", "inner": "SUCCESS", "end": "SUCCESS"}
    (said,) = result["nodes"][0]["decisions"]
    assert (said["verdict"], said["why"]) == ("skipped", "no time")
    over = cronium("workflow", "pause", execution)
    assert over.returncode == 1
    assert "the run is over" in over.stderr


def test_a_run_is_cancelled(
    cronium: Cronium, written: Callable[[dict[str, Any]], str]
) -> None:
    nodes = {"long": {"event": {**QUICK, "script": "sleep 300"}}}
    execution = begun(cronium, written({"nodes": nodes}))
    until(cronium, execution, waits_at("long"))
    done = cronium("workflow", "cancel", execution)
    assert done.stdout.split() == [execution, "CANCELLED"]


def test_a_wrong_file_is_refused_with_every_place(
    cronium: Cronium, written: Callable[[dict[str, Any]], str]
) -> None:
    nodes = {
        "a": {"event": QUICK, "input": "{{ nodes.b.output }}"},
        "b": {"event": QUICK, "after": "a", "input": ["{{ input.x | nope }}"]},
    }
    done = cronium("workflow", "run", written({"nodes": nodes}))
    assert done.returncode == 2
    assert "nodes[0].input: b does not come before this node" in done.stderr
    assert "nodes[1].input[0]: no filter is named nope" in done.stderr
    loop = {"a": {"event": QUICK, "after": "b"}, "b": {"event": QUICK, "after": "a"}}
    done = cronium("workflow", "check", written({"nodes": loop}))
    assert done.returncode == 2
    assert "there is a cycle: a → b → a" in done.stderr


def test_an_id_of_an_event_is_told_from_one_of_a_workflow(cronium: Cronium) -> None:
    execution = cronium("run", "-c", "true", "--detach").stdout.strip()
    done = cronium("workflow", "show", execution)
    assert done.returncode == 1
    assert "is an event's execution" in done.stderr


def test_real_scripts_join_once_try_again_and_follow_conditions(
    cronium: Cronium, written: Callable[[dict[str, Any]], str]
) -> None:
    def python(script: str, **event: Any) -> dict[str, Any]:
        return {
            "event": {"type": "python", "network": "none", "script": script, **event}
        }

    count = "n = cronium.increment_variable('%s')\n"
    nodes = {
        "first": python("cronium.output({'deep': [1, {'x': None}]})"),
        "flaky": {
            **python(
                count % "E2E_TRIES" + "if n < 3: exit(3)\ncronium.set_condition(True)",
                retries=2,
                backoff={"initialSeconds": 0.1},
            ),
            "after": "first",
        },
        "right": {**python("cronium.output(cronium.input())"), "after": "first"},
        "join": {
            **python(count % "E2E_JOINS" + "cronium.output(cronium.input()['nodes'])"),
            "after": ["flaky", "right"],
        },
        "yes": {**python("pass"), "after": {"flaky": "on_condition"}},
        "no": {**python("pass"), "after": {"flaky": "on_condition_false"}},
        "never": {**python("pass"), "after": {"first": "on_failure"}},
        "behind": {**python("pass"), "after": "never"},
    }
    done = cronium("workflow", "run", written({"nodes": nodes}), "--json")
    assert done.returncode == 0, done.stderr
    result = result_of(done)
    skipped = {"no", "never", "behind"}
    assert ends(result) == {
        name: "SKIPPED" if name in skipped else "SUCCESS" for name in nodes
    }
    rows = {row["node"]: row for row in result["nodes"]}
    assert rows["flaky"]["attempts"] == 3
    deep = {"deep": [1, {"x": None}]}
    assert rows["join"]["output"] == {"flaky": None, "right": deep}
    for name, value in (("E2E_TRIES", "3"), ("E2E_JOINS", "1")):
        assert cronium("var", "get", name).stdout.strip() == value
    # What is not reached is known as soon as the node before it has ended.
    assert rows["never"]["endedAt"] is None
