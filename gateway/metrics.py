"""The gateway's numbers for Prometheus, one registry per app."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_COMMIT_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)


class Metrics:
    """Counters and gauges of one gateway."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.lines_stored = Counter(
            "cronium_gateway_lines_stored",
            "Log lines stored, without those sent again.",
            registry=self.registry,
        )
        self.records_refused = Counter(
            "cronium_gateway_records_refused",
            "Ingest records that could not be stored as they were.",
            registry=self.registry,
        )
        self.ingest_connections = Gauge(
            "cronium_gateway_ingest_connections",
            "Workers that are connected to send lines.",
            registry=self.registry,
        )
        self.viewers = Gauge(
            "cronium_gateway_viewers",
            "Viewers that are connected.",
            registry=self.registry,
        )
        self.cut_offs = Counter(
            "cronium_gateway_viewer_cut_offs",
            "Viewers that were too slow and were cut off.",
            registry=self.registry,
        )
        self.hook_calls = Counter(
            "cronium_gateway_hook_calls",
            "Calls of webhooks: started, duplicate, or the type of the refusal.",
            ["outcome"],
            registry=self.registry,
        )
        self.tokens_refused = Counter(
            "cronium_gateway_tokens_refused",
            "Requests and connections without a good token.",
            registry=self.registry,
        )
        self.ready = Gauge(
            "cronium_gateway_ready",
            "1 when a part works: `database`, `writer`, `storage`.",
            ["part"],
            registry=self.registry,
        )
        self._measure_requests()
        self.commit_seconds = Histogram(
            "cronium_gateway_commit_seconds",
            "Duration of one group commit.",
            buckets=_COMMIT_BUCKETS,
            registry=self.registry,
        )

    def _measure_requests(self) -> None:
        self.requests = Counter(
            "cronium_api_requests",
            "Requests to the gateway, by the pattern of their address.",
            ["endpoint", "method"],
            registry=self.registry,
        )
        self.request_seconds = Histogram(
            "cronium_api_request_duration_seconds",
            "How long they took, to the end of the answer.",
            ["endpoint", "method"],
            registry=self.registry,
        )
        self.request_errors = Counter(
            "cronium_api_errors",
            "Those answered with 400 or more; `code` is the status.",
            ["endpoint", "method", "code"],
            registry=self.registry,
        )
