"""The page of metrics: what worker and gateway give to Prometheus."""

from prometheus_client import CollectorRegistry

from gateway.metrics import Metrics
from scripts.pages.rest import cell
from worker.metrics import WorkerMetrics

HEAD = """# Metrics

What `/metrics` of worker and gateway has, made from the registries themselves.
"""


def metric_page() -> str:
    """Return the page."""
    sections = {"Worker": WorkerMetrics().registry, "Gateway": Metrics().registry}
    return HEAD + "".join(
        f"\n## {name}\n\n| Name | Kind | Labels | What it is |\n|---|---|---|---|\n"
        + "".join(_rows(registry))
        for name, registry in sections.items()
    )


def _rows(registry: CollectorRegistry) -> list[str]:
    rows = []
    # Metrics with labels have no sample before they are used; their description has.
    for collector in list(registry._collector_to_names):
        named = getattr(collector, "_labelnames", ())
        labels = ", ".join(f"`{one}`" for one in named)
        for metric in getattr(collector, "describe", list)():
            name = metric.name + ("_total" if metric.type == "counter" else "")
            what = cell(metric.documentation)
            rows.append(f"| `{name}` | {metric.type} | {labels} | {what} |\n")
    return rows
