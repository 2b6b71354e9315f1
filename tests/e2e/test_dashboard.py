"""Rules and dashboard, with a real Prometheus that scrapes a stack at work."""

import json
import re
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from cli.record import StackRecord
from gateway.metrics import Metrics
from tests.conftest import pick_port
from tests.e2e.conftest import Cronium
from worker.metrics import WorkerMetrics

ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "build" / "prometheus" / "usr" / "bin" / "prometheus"
DASHBOARD = ROOT / "deploy" / "grafana" / "dashboards" / "cronium.json"
RULES = ROOT / "deploy" / "prometheus" / "rules"
SECONDS = 60.0
# Series that only trouble brings, or a part that this stack does not use: query → why.
ONLY_ON_TROUBLE = {
    "Servers left alone": "no server has failed",
    "Requests that failed": "Temporal refused nothing",
    "Workflow tasks that failed": "no workflow task has failed",
    "Webhooks": "no webhook was called",
}
# Of the SDK, which makes a metric when it counts the first time.
SDK_ON_TROUBLE = {
    "temporal_request_failure_total": {"operation", "status_code"},
    "temporal_workflow_task_execution_failed_total": {"workflow_type"},
}
SCRIPT = """
cronium_input >/dev/null
cronium_progress 0.5 half
cronium_set_variable observed 1
cronium_get_variable observed
cronium_output '{"a": 1}'
echo seen
"""
# Answered with 400: no name of a variable has a blank.
REFUSED = "cronium_set_variable 'a b' 1; true"


@dataclass
class Prometheus:
    """A running Prometheus."""

    url: str

    def query(self, expression: str) -> list[dict[str, Any]]:
        answer = httpx.get(
            f"{self.url}/api/v1/query", params={"query": expression}, timeout=10
        )
        assert answer.status_code == 200, f"{expression}: {answer.text}"
        return list(answer.json()["data"]["result"])

    def until(self, expression: str) -> list[dict[str, Any]]:
        """Return the series of a query once there is one; [] when none comes."""
        deadline = time.monotonic() + SECONDS
        while not (found := self.query(expression)) and time.monotonic() < deadline:
            time.sleep(0.2)
        return found


@pytest.fixture(scope="module")
def stack(state: Path) -> StackRecord:
    return StackRecord.model_validate_json((state / "dev.json").read_text())


@pytest.fixture(scope="module")
def prometheus(
    stack: StackRecord, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Prometheus]:
    if not PROMETHEUS.exists():
        pytest.fail("prometheus is missing: run `make test-setup`", pytrace=False)
    directory = tmp_path_factory.mktemp("prometheus")
    config = (ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text()
    for before, after in (
        ("15s", "1s"),
        ("/etc/prometheus/rules", str(RULES)),
        ("127.0.0.1:9464", stack.worker.removeprefix("http://")),
        ("127.0.0.1:8780", stack.gateway.removeprefix("http://")),
    ):
        assert before in config
        config = config.replace(before, after)
    (directory / "prometheus.yml").write_text(config)
    for file in RULES.glob("*.yml"):
        assert "interval: 15s" in file.read_text() or file.name == "alerts.yml"
    port = pick_port()
    with (directory / "log").open("w") as log:
        process = subprocess.Popen(
            [
                str(PROMETHEUS),
                f"--config.file={directory / 'prometheus.yml'}",
                f"--storage.tsdb.path={directory / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=log,
            stderr=log,
        )
    running = Prometheus(f"http://127.0.0.1:{port}")
    try:
        deadline = time.monotonic() + SECONDS
        while not _answers(running):
            assert process.poll() is None, (directory / "log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.1)
        yield running
    finally:
        process.terminate()
        process.wait(20)


def _answers(running: Prometheus) -> bool:
    try:
        return httpx.get(f"{running.url}/-/ready", timeout=2).status_code == 200
    except httpx.HTTPError:
        return False


@pytest.fixture(scope="module")
def observed(
    prometheus: Prometheus, cronium: Cronium, tmp_path_factory: pytest.TempPathFactory
) -> Prometheus:
    """Prometheus, after events of each kind ran while it looked."""
    assert prometheus.until("count(up == 1) == 2")
    directory = tmp_path_factory.mktemp("events")
    for _ in range(3):
        done = cronium("run", "--network", "none", "-c", SCRIPT)
        assert done.returncode == 0, done.stderr
    cronium("run", "--network", "none", "-c", REFUSED)
    assert cronium("run", "-c", "exit 3", "--network", "none").returncode != 0
    request = directory / "request.yaml"
    request.write_text("id: r\nname: r\nhttp: {url: 'http://127.0.0.1:9/x'}\n")
    cronium("run", str(request))
    assert cronium("logs", "no-such-execution").returncode != 0
    return prometheus


def queries() -> list[tuple[str, str]]:
    board = json.loads(DASHBOARD.read_text())
    return [
        (panel["title"], target["expr"])
        for panel in board["panels"]
        for target in panel.get("targets", [])
    ]


def filled(expression: str) -> str:
    """Return a query with Grafana's variables as Grafana would fill them in."""
    return expression.replace("$instance", ".*").replace("$__rate_interval", "1m")


@pytest.mark.parametrize(
    ("title", "expression"),
    [pair for pair in queries() if pair[0] not in ONLY_ON_TROUBLE],
)
def test_a_panel_shows_something(
    title: str, expression: str, observed: Prometheus
) -> None:
    assert observed.until(filled(expression)), f"{title}: {expression}"


@pytest.mark.parametrize(
    ("title", "expression"),
    [pair for pair in queries() if pair[0] in ONLY_ON_TROUBLE],
)
def test_a_panel_for_trouble_asks_for_what_there_can_be(
    title: str, expression: str, observed: Prometheus
) -> None:
    observed.query(filled(expression))
    known = {**labels_of_ours(), **SDK_ON_TROUBLE}
    names = re.findall(r"\b(?:cronium|temporal)_[a-z0-9_]+", expression)
    assert names
    for name in names:
        for grouping in re.findall(r"by \(([^)]*)\)", expression):
            wanted = {word.strip() for word in grouping.split(",")}
            assert wanted <= known[name] | {"instance", "job"}, name


def labels_of_ours() -> dict[str, set[str]]:
    """The labels of each metric of ours, as its registry has them."""
    return {
        name: set(getattr(collector, "_labelnames", ()))
        for registry in (WorkerMetrics().registry, Metrics().registry)
        for collector, names in registry._collector_to_names.items()
        for name in names
    }


def test_rules_are_loaded_and_none_has_an_error(observed: Prometheus) -> None:
    groups = httpx.get(f"{observed.url}/api/v1/rules").json()["data"]["groups"]
    found = [rule for group in groups for rule in group["rules"]]
    assert {rule["type"] for rule in found} == {"alerting", "recording"}
    assert [rule for rule in found if rule.get("lastError")] == []


def test_no_alert_of_parts_fires_while_all_works(observed: Prometheus) -> None:
    names = "Cronium(Worker|Gateway|Part|Spool|Records|Server|WorkflowTasks).*"
    assert observed.query(f'ALERTS{{alertname=~"{names}"}}') == []


def test_one_scrape_has_ours_and_the_sdks_and_no_ids(
    observed: Prometheus, stack: StackRecord, cronium: Cronium
) -> None:
    answer = httpx.get(f"{stack.worker}/metrics")
    families = {
        family.name: family for family in text_string_to_metric_families(answer.text)
    }
    assert {"cronium_jobs_received", "temporal_request_latency_seconds"} <= set(
        families
    )
    assert families["temporal_request"].type == "counter"
    assert families["temporal_request_latency_seconds"].type == "histogram"
    labels = {
        (name, value)
        for family in families.values()
        for sample in family.samples
        for name, value in sample.labels.items()
    }
    assert ("operation", "PollActivityTaskQueue") in labels
    assert ("workflow_type", "EventWorkflow") in labels
    names = {name for name, _ in labels}
    assert not names & {"workflow_id", "run_id", "execution_id", "activity_id", "user"}
    executions = _executions(cronium)
    assert executions
    assert not [pair for pair in labels if any(one in pair[1] for one in executions)]


def _executions(cronium: Cronium) -> list[str]:
    return [row["executionId"] for row in json.loads(cronium("list", "--json").stdout)]
