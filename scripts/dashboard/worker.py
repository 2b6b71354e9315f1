"""What a worker does: jobs, sandboxes, logs, helpers, servers."""

from scripts.dashboard.panel import ON, RATE, Panel, quantile, quantiles, rate, stat

WORKING = [
    stat(
        "Workers that answer",
        "none",
        "Below the number of your hosts: one is down. Scripts go on meanwhile.",
        f'sum(up{{job="cronium-worker", {ON}}})',
        limits=(1,),
        bad_below=True,
    ),
    stat(
        "Gateways that answer",
        "none",
        "0: nobody sees logs; workers keep the lines.",
        'sum(up{job="cronium-gateway"})',
        limits=(1,),
        bad_below=True,
    ),
    stat(
        "Parts that do not work",
        "none",
        "Which ones: the table beside; why: the worker's /ready.",
        f'count(cronium_ready{{part!="worker", {ON}}} == 0) or vector(0)',
        limits=(1, 1),
    ),
    stat(
        "Alerts",
        "none",
        "Alerts of ours that fire now.",
        'count(ALERTS{alertname=~"Cronium.*", alertstate="firing"}) or vector(0)',
        limits=(1, 1),
    ),
    stat(
        "Jobs that fail",
        "percentunit",
        "Of the last five minutes; most are the scripts' own affair.",
        "cronium:jobs_failed:ratio5m",
        limits=(0.2, 0.5),
    ),
    stat(
        "Wait for a slot, p95",
        "s",
        "Long: start another host, or raise the slots.",
        "cronium:job_queue_wait_seconds:p95_5m",
        limits=(10, 60),
    ),
    stat(
        "Log lag",
        "s",
        "Age of the oldest line that is not stored.",
        f"max(cronium_log_lag_seconds{{{ON}}})",
        limits=(10, 60),
    ),
    stat(
        "Slots taken",
        "percentunit",
        "Of the fullest host.",
        "max(cronium:job_slots_used:ratio)",
        limits=(0.8, 1),
    ),
]
JOBS = [
    Panel(
        "Jobs",
        "ops",
        "Tries a second on one target each: taken, and how they ended.",
        {
            "received": rate("cronium_jobs_received_total"),
            "completed": rate("cronium_jobs_completed_total"),
            "failed": rate("cronium_jobs_failed_total"),
            "cancelled": rate("cronium_jobs_cancelled_total"),
            "resumed": rate("cronium_jobs_resumed_total"),
        },
    ),
    Panel(
        "Failures by reason",
        "ops",
        "non_zero_exit and timeout are the scripts'; engine_, host_, ssh_ are ours.",
        {"{{reason}}": rate("cronium_jobs_failed_total", "reason") + " > 0"},
        stack=True,
    ),
    Panel(
        "Received by type",
        "ops",
        "What is run.",
        {"{{type}}": rate("cronium_jobs_received_total", "type")},
        stack=True,
    ),
    Panel(
        "Wait for a slot",
        "s",
        "From Temporal's queue to a worker, by the server's clock.",
        quantiles("cronium_job_queue_wait_seconds"),
    ),
    Panel(
        "Duration",
        "s",
        "From pick-up to outcome.",
        quantiles("cronium_job_duration_seconds"),
    ),
    Panel(
        "Parts of a worker",
        "none",
        "1: works. 0 names what keeps jobs away; without `gateway` they go on.",
        {"{{instance}} {{part}}": f"min by (instance, part) (cronium_ready{{{ON}}})"},
        kind="state-timeline",
    ),
]
SANDBOXES = [
    Panel(
        "Slots",
        "none",
        "Containers under way, and how many there may be.",
        {
            "{{instance}} active": f"cronium_jobs_active{{{ON}}}",
            "{{instance}} slots": f"cronium_job_slots{{{ON}}}",
        },
    ),
    Panel(
        "Phases, p95",
        "s",
        "Setup is ours, execution the script's.",
        {
            "{{place}} {{phase}}": quantile(
                0.95, "cronium_job_phase_seconds", "place, phase"
            )
        },
    ),
    Panel(
        "Calls of the Docker Engine, p95",
        "s",
        "Which call makes setup slow.",
        {
            "{{operation}}": quantile(
                0.95, "cronium_sandbox_operation_seconds", "operation"
            )
        },
    ),
    Panel(
        "Sandboxes started in advance",
        "ops",
        "Missed often: raise CRONIUM_DOCKER_WARM, or images and limits differ much.",
        {
            "{{outcome}}": rate("cronium_warm_sandboxes_total", "outcome"),
            "waiting": f"sum(cronium_warm_sandboxes_waiting{{{ON}}})",
        },
    ),
]
LOGS = [
    Panel(
        "Lag",
        "s",
        "Age of the oldest line that the gateway has not stored.",
        {"{{instance}}": f"cronium_log_lag_seconds{{{ON}}}"},
        limits=(10, 60),
    ),
    Panel(
        "Spool",
        "bytes",
        "At the limit no new job is taken.",
        {
            "{{instance}} on disk": f"cronium_spool_bytes{{{ON}}}",
            "{{instance}} not stored": f"cronium_spool_unacked_bytes{{{ON}}}",
            "{{instance}} limit": f"cronium_spool_limit_bytes{{{ON}}}",
        },
    ),
    Panel(
        "Lines",
        "ops",
        "Written by jobs that ended, left out by the cap, stored by the gateway.",
        {
            "written": rate("cronium_log_lines_total"),
            "left out": rate("cronium_log_lines_dropped_total"),
            "stored": f"sum(rate(cronium_gateway_lines_stored_total{RATE}))",
            "refused": rate("cronium_relay_records_refused_total"),
        },
    ),
    Panel(
        "Connected to the gateway",
        "none",
        "0: lines wait in the spool.",
        {"{{instance}}": f"cronium_relay_connected{{{ON}}}"},
    ),
]
HELPERS = [
    Panel(
        "Helper calls",
        "ops",
        "What scripts ask for.",
        {"{{call}}": rate("cronium_helper_calls_total", "call")},
        stack=True,
    ),
    Panel(
        "Helper calls refused",
        "ops",
        "429: too many a minute; 503: the gateway is away.",
        {
            "{{call}} {{outcome}}": rate(
                "cronium_helper_calls_total", "call, outcome", 'outcome!="ok"'
            )
        },
    ),
    Panel(
        "Helper calls, p95",
        "s",
        "Variables go to the gateway, all else stays in the worker.",
        {"{{call}}": quantile(0.95, "cronium_helper_call_seconds", "call")},
    ),
]
SERVERS = [
    Panel(
        "Servers by breaker",
        "none",
        "open: failed too often, left alone; half-open: tried again.",
        {"{{state}}": f"sum by (state) (cronium_ssh_servers{{{ON}}})"},
        stack=True,
    ),
    Panel(
        "Servers left alone",
        "none",
        "Run `cronium server check` for these.",
        {"{{server}}": f"max by (server) (cronium_ssh_breaker_open{{{ON}}})"},
        kind="bargauge",
    ),
    Panel(
        "Connections",
        "none",
        "To servers; and servers on which something may have been left.",
        {
            "connections": f"sum(cronium_ssh_connections{{{ON}}})",
            "to sweep": f"sum(cronium_ssh_servers_to_sweep{{{ON}}})",
        },
    ),
]
