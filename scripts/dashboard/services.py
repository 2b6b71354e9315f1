"""What workers depend on: gateway and Temporal."""

from scripts.dashboard.panel import ON, RATE, Panel, quantile, rate

GATEWAY = [
    Panel(
        "Requests",
        "ops",
        "By pattern of the address.",
        {
            "{{method}} {{endpoint}}": "sum by (method, endpoint) "
            f"(rate(cronium_api_requests_total{RATE}))"
        },
        stack=True,
    ),
    Panel(
        "Errors",
        "ops",
        "401: tokens; 429: too many; 5xx: the gateway's own fault.",
        {
            "{{code}} {{endpoint}}": "sum by (code, endpoint) "
            f"(rate(cronium_api_errors_total{RATE}))",
            "tokens refused": f"sum(rate(cronium_gateway_tokens_refused_total{RATE}))",
        },
    ),
    Panel(
        "Requests, p95",
        "s",
        "Slow: look at the database.",
        {
            "{{endpoint}}": "histogram_quantile(0.95, sum by (le, endpoint) "
            f"(rate(cronium_api_request_duration_seconds_bucket{RATE})))"
        },
    ),
    Panel(
        "Group commit",
        "s",
        "One write of many lines.",
        {
            f"p{share * 100:g}": f"histogram_quantile({share}, sum by (le) "
            f"(rate(cronium_gateway_commit_seconds_bucket{RATE})))"
            for share in (0.5, 0.99)
        },
    ),
    Panel(
        "Connections of the gateway",
        "none",
        "Workers that send lines, people who watch, people too slow to watch.",
        {
            "workers": "sum(cronium_gateway_ingest_connections)",
            "viewers": "sum(cronium_gateway_viewers)",
            "cut off": f"sum(rate(cronium_gateway_viewer_cut_offs_total{RATE}))",
        },
    ),
    Panel(
        "Webhooks",
        "ops",
        "started, duplicate, or why a call was refused.",
        {
            "{{outcome}}": "sum by (outcome) "
            f"(rate(cronium_gateway_hook_calls_total{RATE}))"
        },
        stack=True,
    ),
    Panel(
        "Parts of the gateway",
        "none",
        "1: works.",
        {"{{part}}": "min by (part) (cronium_gateway_ready)"},
        kind="state-timeline",
    ),
]
TEMPORAL = [
    Panel(
        "Requests to Temporal, p95",
        "s",
        "Slow: look at Temporal's server and its database.",
        {
            "{{operation}}": quantile(
                0.95, "temporal_request_latency_seconds", "operation"
            )
        },
    ),
    Panel(
        "Requests that failed",
        "ops",
        "By operation and status.",
        {
            "{{operation}} {{status_code}}": rate(
                "temporal_request_failure_total", "operation, status_code"
            )
        },
    ),
    Panel(
        "Free slots of the SDK",
        "none",
        "0 for long: that kind of work waits.",
        {
            "{{task_queue}} {{worker_type}}": "min by (task_queue, worker_type) "
            f"(temporal_worker_task_slots_available{{{ON}}})"
        },
    ),
    Panel(
        "Activities: wait, p95",
        "s",
        "From schedule to start, by queue.",
        {
            "{{task_queue}}": quantile(
                0.95,
                "temporal_activity_schedule_to_start_latency_seconds",
                "task_queue",
            )
        },
    ),
    Panel(
        "Workflow tasks, p95",
        "s",
        "Our own code in workflows.",
        {
            "{{workflow_type}}": quantile(
                0.95,
                "temporal_workflow_task_execution_latency_seconds",
                "workflow_type",
            )
        },
    ),
    Panel(
        "Workflow tasks that failed",
        "ops",
        "Any: a version that cannot go on with what another began.",
        {
            "{{workflow_type}}": rate(
                "temporal_workflow_task_execution_failed_total", "workflow_type"
            )
        },
    ),
    Panel(
        "Workflows",
        "ops",
        "By type, and those in the cache.",
        {
            "{{workflow_type}} completed": rate(
                "temporal_workflow_completed_total", "workflow_type"
            ),
            "cached": f"sum(temporal_sticky_cache_size{{{ON}}})",
        },
    ),
    Panel(
        "Pollers",
        "none",
        "0 of a queue: nobody takes its work.",
        {
            "{{task_queue}} {{poller_type}}": "sum by (task_queue, poller_type) "
            f"(temporal_num_pollers{{{ON}}})"
        },
    ),
]
