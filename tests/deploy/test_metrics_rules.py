"""Rules, alerts and dashboard: read by promtool, in step with code and pages."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.metrics import Metrics
from scripts.dashboard.__main__ import FILE, text
from tests.deploy.compose import ROOT
from worker.metrics import WorkerMetrics

RULES = ROOT / "deploy" / "prometheus" / "rules"
CASES = ROOT / "tests" / "deploy" / "alerts.yml"
PROMTOOL = ROOT / "build" / "prometheus" / "usr" / "bin" / "promtool"
PAGE = ROOT / "docs" / "observability.md"
GRAFANA = ROOT / "deploy" / "grafana"
# Of Prometheus itself.
BUILT_IN = {"up", "ALERTS"}
NAME = re.compile(r"\b(?:cronium|temporal)_[a-z0-9_]+\b")


def promtool(*words: str) -> subprocess.CompletedProcess[str]:
    if not PROMTOOL.exists():
        pytest.fail("promtool is missing: run `make test-setup`", pytrace=False)
    return subprocess.run([str(PROMTOOL), *words], capture_output=True, text=True)


def rules() -> list[dict[str, Any]]:
    return [
        rule
        for file in sorted(RULES.glob("*.yml"))
        for group in yaml.safe_load(file.read_text())["groups"]
        for rule in group["rules"]
    ]


ALERTS = [rule for rule in rules() if "alert" in rule]


def known_metrics() -> set[str]:
    """Names of ours as in a scrape; those of the SDK are seen in a real one."""
    found = set()
    for registry in (WorkerMetrics().registry, Metrics().registry):
        for names in registry._collector_to_names.values():
            found |= set(names)
    return found


def test_promtool_takes_the_rules() -> None:
    done = promtool("check", "rules", *map(str, RULES.glob("*.yml")))
    assert done.returncode == 0, done.stdout + done.stderr


def test_alerts_fire_on_their_trouble_and_not_when_all_is_well() -> None:
    done = promtool("test", "rules", str(CASES))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("cronium_log_lag_seconds > 60", "cronium_log_lag_seconds > 6000"),
        ("cronium_log_lag_seconds > 60", "cronium_log_lag_seconds >= 0"),
    ],
    ids=["never", "always"],
)
def test_an_alert_that_was_broken_is_found(
    before: str, after: str, tmp_path: Path
) -> None:
    copy = tmp_path / "rules"
    shutil.copytree(RULES, copy)
    alerts = copy / "alerts.yml"
    assert before in alerts.read_text()
    alerts.write_text(alerts.read_text().replace(before, after))
    cases = tmp_path / "alerts.yml"
    cases.write_text(
        CASES.read_text().replace("../../deploy/prometheus/rules", str(copy))
    )
    assert promtool("test", "rules", str(cases)).returncode != 0


def test_each_alert_has_a_case_in_which_it_fires() -> None:
    fired = set(re.findall(r'alertname="(\w+)"', CASES.read_text()))
    assert fired == {rule["alert"] for rule in ALERTS}


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_an_alert_says_what_to_do_and_where_it_is_explained(
    rule: dict[str, Any],
) -> None:
    notes = rule["annotations"]
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert {"summary", "action", "runbook"} == set(notes)
    page, _, anchor = notes["runbook"].partition("#")
    assert ROOT / page == PAGE
    assert anchor == rule["alert"].lower()
    assert f"\n### {rule['alert']}\n" in PAGE.read_text()


def test_the_page_has_no_alert_that_is_gone() -> None:
    named = re.findall(r"^### (Cronium\w+)$", PAGE.read_text(), re.MULTILINE)
    assert named == [rule["alert"] for rule in ALERTS]


def test_rules_and_dashboard_ask_for_metrics_that_there_are() -> None:
    asked = {name for rule in rules() for name in NAME.findall(rule["expr"])}
    asked |= set(NAME.findall(FILE.read_text()))
    ours = {name for name in asked if name.startswith("cronium_")}
    assert len(ours) > 30
    assert ours - known_metrics() == set()


def test_the_dashboard_is_what_the_code_makes() -> None:
    assert FILE.read_text() == text(), "run: python -m scripts.dashboard"


def test_recorded_series_that_are_asked_for_are_recorded() -> None:
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    text_of_all = "\n".join([FILE.read_text(), *(rule["expr"] for rule in ALERTS)])
    assert set(re.findall(r"\bcronium:[a-z0-9_:]+", text_of_all)) == recorded


def test_grafana_finds_dashboard_and_source() -> None:
    provisioning = GRAFANA / "provisioning"
    sources = yaml.safe_load(
        (provisioning / "datasources" / "prometheus.yml").read_text()
    )["datasources"]
    providers = yaml.safe_load(
        (provisioning / "dashboards" / "cronium.yml").read_text()
    )["providers"]
    dashboard = json.loads(FILE.read_text())
    panels = [panel for panel in dashboard["panels"] if panel["type"] != "row"]

    assert {panel["datasource"]["uid"] for panel in panels} == {sources[0]["uid"]}
    compose = yaml.safe_load((ROOT / "docker-compose.temporal.yml").read_text())
    mounted = compose["services"]["grafana"]["volumes"]
    folder = providers[0]["options"]["path"]
    assert f"./deploy/grafana/dashboards:{folder}:ro" in mounted
    assert (
        "./deploy/prometheus:/etc/prometheus:ro"
        in (compose["services"]["prometheus"]["volumes"])
    )
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(
        dashboard["panels"]
    )
    for panel in panels:
        assert panel["description"], panel["title"]
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24, panel["title"]
