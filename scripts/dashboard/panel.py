"""One panel of the dashboard, and the queries that panels are made of."""

from dataclasses import dataclass
from typing import Any

SOURCE = {"type": "prometheus", "uid": "prometheus"}
ON = 'instance=~"$instance"'
RATE = "[$__rate_interval]"
INSTANT = ("stat", "bargauge")


@dataclass(frozen=True)
class Panel:
    """One panel: title, unit, what it means, and queries with their legends."""

    title: str
    unit: str
    text: str
    queries: dict[str, str]
    """Legend → expression."""
    kind: str = "timeseries"
    limits: tuple[float, ...] = ()
    """From where on it is yellow, and red."""
    bad_below: bool = False
    """Red below the limit instead of above it."""
    stack: bool = False


def rate(metric: str, by: str = "", where: str = "") -> str:
    """Return the rate of a counter, summed."""
    chosen = ", ".join(part for part in (ON, where) if part)
    return f"sum by ({by}) (rate({metric}{{{chosen}}}{RATE}))"


def quantile(share: float, metric: str, by: str = "", where: str = "") -> str:
    """Return a quantile of a histogram."""
    labels = ", ".join(part for part in ("le", by) if part)
    return f"histogram_quantile({share}, {rate(f'{metric}_bucket', labels, where)})"


def quantiles(metric: str, where: str = "") -> dict[str, str]:
    """Return median and the slow end of a histogram."""
    return {
        f"p{share * 100:g}": quantile(share, metric, where=where)
        for share in (0.5, 0.95, 0.99)
    }


def stat(title: str, unit: str, text: str, query: str, **more: Any) -> Panel:
    """Return a panel with one number."""
    return Panel(title, unit, text, {"": query}, kind="stat", **more)


def rendered(panel: Panel, place: dict[str, int]) -> dict[str, Any]:
    """Return a panel at a place of the grid, as Grafana reads it."""
    defaults: dict[str, Any] = {"unit": panel.unit, "thresholds": _thresholds(panel)}
    if panel.kind == "timeseries":
        custom: dict[str, Any] = {"fillOpacity": 10, "showPoints": "never"}
        if panel.stack:
            custom |= {"stacking": {"mode": "normal"}, "fillOpacity": 40}
        defaults["custom"] = custom
    elif panel.kind == "stat":
        defaults["color"] = {"mode": "thresholds"}
    elif panel.kind == "state-timeline":
        defaults["mappings"] = _STATES
    return {
        "type": panel.kind,
        "title": panel.title,
        "description": panel.text,
        "datasource": SOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": _options(panel),
        "targets": [
            {
                "refId": chr(ord("A") + number),
                "datasource": SOURCE,
                "expr": expression,
                "legendFormat": legend,
                "instant": panel.kind in INSTANT,
                "range": panel.kind not in INSTANT,
            }
            for number, (legend, expression) in enumerate(panel.queries.items())
        ],
    }


_STATES = [
    {
        "type": "value",
        "options": {
            "0": {"text": "does not work", "color": "red", "index": 0},
            "1": {"text": "works", "color": "green", "index": 1},
        },
    }
]


def _options(panel: Panel) -> dict[str, Any]:
    if panel.kind == "stat":
        return {
            "colorMode": "background",
            "graphMode": "none",
            "reduceOptions": {"calcs": ["lastNotNull"]},
        }
    if panel.kind == "timeseries":
        return {
            "legend": {"displayMode": "list", "placement": "bottom"},
            "tooltip": {"mode": "multi", "sort": "desc"},
        }
    return {}


def _thresholds(panel: Panel) -> dict[str, Any]:
    if panel.bad_below:
        colours = ["red", "green"]
    else:
        colours = ["green", "yellow", "red"] if panel.limits else ["green"]
    starts: list[float | None] = [None, *panel.limits]
    steps = [
        {"color": colour, "value": start}
        for colour, start in zip(colours, starts, strict=False)
    ]
    return {"mode": "absolute", "steps": steps}
