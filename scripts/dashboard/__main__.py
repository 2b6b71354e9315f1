"""Make the Grafana dashboard: `python -m scripts.dashboard`.

Rows go from "is it working" to the parts; a panel's description says what to make of
it. Written as Python, since the JSON repeats itself; a test holds the two together.
"""

import json
from pathlib import Path
from typing import Any

from scripts.dashboard.panel import SOURCE, rendered
from scripts.dashboard.services import GATEWAY, TEMPORAL
from scripts.dashboard.worker import HELPERS, JOBS, LOGS, SANDBOXES, SERVERS, WORKING

FILE = Path(__file__).parents[2] / "deploy" / "grafana" / "dashboards" / "cronium.json"
WIDTH, HEIGHT, STAT_HEIGHT = 24, 8, 4
ROWS = {
    "Is it working?": WORKING,
    "Jobs": JOBS,
    "Sandboxes": SANDBOXES,
    "Logs": LOGS,
    "Helpers of scripts": HELPERS,
    "Servers over SSH": SERVERS,
    "Gateway": GATEWAY,
    "Temporal": TEMPORAL,
}


def dashboard() -> dict[str, Any]:
    """Return the dashboard as Grafana reads it."""
    panels: list[dict[str, Any]] = []
    y = 0
    for title, row in ROWS.items():
        panels.append(
            {
                "type": "row",
                "title": title,
                "collapsed": False,
                "gridPos": {"x": 0, "y": y, "w": WIDTH, "h": 1},
                "panels": [],
            }
        )
        y += 1
        stats = row[0].kind == "stat"
        across, height = (8, STAT_HEIGHT) if stats else (3, HEIGHT)
        for index, panel in enumerate(row):
            if index and index % across == 0:
                y += height
            place = {"x": index % across * (WIDTH // across), "y": y}
            panels.append(rendered(panel, {**place, "w": WIDTH // across, "h": height}))
        y += height
    for number, one in enumerate(panels, 1):
        one["id"] = number
    return {
        "uid": "cronium",
        "title": "Cronium",
        "tags": ["cronium"],
        "timezone": "browser",
        "schemaVersion": 39,
        "version": 1,
        "editable": False,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "templating": {"list": [_instances()]},
        "annotations": {"list": [_alerts()]},
        "panels": panels,
    }


def _instances() -> dict[str, Any]:
    return {
        "name": "instance",
        "label": "Worker",
        "type": "query",
        "datasource": SOURCE,
        "query": "label_values(cronium_build_info, instance)",
        "refresh": 2,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
    }


def _alerts() -> dict[str, Any]:
    return {
        "name": "Alerts",
        "datasource": SOURCE,
        "enable": True,
        "expr": 'ALERTS{alertname=~"Cronium.*", alertstate="firing"}',
        "titleFormat": "{{alertname}}",
        "iconColor": "red",
    }


def text() -> str:
    """Return the file's content."""
    return json.dumps(dashboard(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(text())
