"""What a worker counts, and that its labels have a bounded number of values."""

from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from temporalio.runtime import (
    BUFFERED_METRIC_KIND_COUNTER,
    BUFFERED_METRIC_KIND_GAUGE,
    BUFFERED_METRIC_KIND_HISTOGRAM,
)

from contracts.errors import ErrorInfo, HostNotReady, ScriptError
from contracts.results import LogCounts, PhaseDurations, Status
from contracts.runs import RunOutcome, RunRequest
from tests.caller import event
from worker.metrics import WorkerMetrics
from worker.metrics_jobs import UNKNOWN, reason_of, reasons
from worker.metrics_sdk import MAX_VALUES, OTHER, SdkMetrics


def run_of(**fields: Any) -> RunRequest:
    request = {"executionId": "secret-execution-id", "event": event(**fields)}
    return RunRequest.model_validate(
        {
            "request": request,
            "target": "local",
            "attempt": 1,
            "maxAttempts": 1,
            "runKey": "k1",
        }
    )


def outcome(status: Status, error: str | None = None) -> RunOutcome:
    return RunOutcome(
        status=status,
        error=error and ErrorInfo(type=error, message="private words"),
        durations=PhaseDurations(setup_ms=500, execution_ms=1000, total_ms=1500),
        logs=LogCounts(lines=7, dropped_lines=2),
    )


def values(registry: CollectorRegistry, name: str) -> dict[str, float]:
    """The series of a metric that are not 0, by the values of their labels."""
    families = text_string_to_metric_families(generate_latest(registry).decode())
    return {
        ",".join(sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
        if sample.name == name and sample.value
    }


def test_jobs_are_counted_by_how_they_ended() -> None:
    metrics = WorkerMetrics()
    jobs, run = metrics.jobs, run_of(script="true")
    for ending in (
        outcome(Status.SUCCESS),
        outcome(Status.FAILURE, ScriptError.EXIT_CODE),
        outcome(Status.TIMEOUT, ScriptError.TIMEOUT),
        outcome(Status.FAILURE, ScriptError.OUT_OF_MEMORY),
        outcome(Status.FAILURE, "OfAnotherVersion"),
        outcome(Status.CANCELLED, ScriptError.CANCELLED),
    ):
        jobs.received(run, 2.0)
        jobs.ended(run, ending)
    jobs.received(run, 2.0)
    jobs.refused(run, HostNotReady("private words"))

    assert values(metrics.registry, "cronium_jobs_received_total") == {"bash": 7}
    assert values(metrics.registry, "cronium_jobs_completed_total") == {"bash": 1}
    assert values(metrics.registry, "cronium_jobs_cancelled_total") == {"bash": 1}
    assert values(metrics.registry, "cronium_jobs_failed_total") == {
        f"{reason},bash": 1
        for reason in (
            *("non_zero_exit", "timeout", "out_of_memory"),
            *("unknown", "host_not_ready"),
        )
    }
    waited = values(metrics.registry, "cronium_job_queue_wait_seconds_sum")
    assert waited == {"bash": 14}
    phases = values(metrics.registry, "cronium_job_phase_seconds_sum")
    assert phases == {"setup,container": 3.0, "execution,container": 6.0}
    assert values(metrics.registry, "cronium_log_lines_total") == {"": 42}
    text = generate_latest(metrics.registry).decode()
    assert "private" not in text
    assert "secret-execution-id" not in text


def test_no_type_of_an_error_makes_a_reason_of_its_own() -> None:
    for word in ("", "x" * 1000, "Robert'); DROP", "ScriptFailed "):
        assert reason_of(word) == UNKNOWN
    assert reason_of("SshHostKeyChanged") == "ssh_host_key_changed"
    assert reason_of("EncryptionKeyMissing") == "encryption_key_missing"
    assert {*map(reason_of, ScriptError)} <= set(reasons())
    assert len(reasons()) < 100


def update(name: str, kind: int, value: float, unit: str = "", **labels: Any) -> Any:
    metric = SimpleNamespace(name=name, kind=kind, unit=unit or None, description="d")
    return SimpleNamespace(metric=metric, value=value, attributes=labels)


def test_the_numbers_of_the_sdk_are_added_up_as_prometheus_has_them() -> None:
    batches = [
        [
            update("temporal_request", BUFFERED_METRIC_KIND_COUNTER, 2, operation="A"),
            update(
                "temporal_request_latency",
                BUFFERED_METRIC_KIND_HISTOGRAM,
                0.03,
                "s",
                operation="A",
                service_name="core",
            ),
            update("temporal_slots", BUFFERED_METRIC_KIND_GAUGE, 5),
        ],
        [
            update("temporal_request", BUFFERED_METRIC_KIND_COUNTER, 1, operation="A"),
            update("temporal_slots", BUFFERED_METRIC_KIND_GAUGE, 3),
            update(
                "temporal_request_latency",
                BUFFERED_METRIC_KIND_HISTOGRAM,
                7200,
                "s",
                operation="A",
            ),
        ],
    ]
    sdk = SdkMetrics(lambda: batches.pop(0) if batches else [])
    registry = CollectorRegistry()
    registry.register(sdk)
    sdk.drain()
    lines = generate_latest(registry).decode().splitlines()
    assert 'temporal_request_total{operation="A"} 3.0' in lines
    assert "temporal_slots 3.0" in lines
    name = "temporal_request_latency_seconds"
    assert f'{name}_bucket{{le="0.025",operation="A"}} 0.0' in lines
    assert f'{name}_bucket{{le="0.05",operation="A"}} 1.0' in lines
    assert f'{name}_bucket{{le="+Inf",operation="A"}} 2.0' in lines
    assert f'{name}_sum{{operation="A"}} 7200.03' in lines
    assert list(text_string_to_metric_families("\n".join(lines) + "\n"))


def test_names_that_clients_make_up_do_not_make_series_without_end() -> None:
    updates = [
        update("temporal_x", BUFFERED_METRIC_KIND_COUNTER, 1, workflow_type=f"w{n}")
        for n in range(MAX_VALUES + 500)
    ]
    sdk = SdkMetrics(lambda: [updates.pop()] if updates else [])
    registry = CollectorRegistry()
    registry.register(sdk)
    while updates:
        sdk.drain()
    found = values(registry, "temporal_x_total")
    assert len(found) == MAX_VALUES + 1
    assert found[OTHER] == 500


@pytest.mark.parametrize(
    ("problems", "failing"),
    [({}, set()), ({"disk": "full", "gateway": "away"}, {"disk", "gateway"})],
    ids=["none", "two"],
)
def test_readiness_is_shown_by_part(
    problems: dict[str, str], failing: set[str]
) -> None:
    metrics = WorkerMetrics()
    metrics.observe_readiness(problems)
    families = text_string_to_metric_families(
        generate_latest(metrics.registry).decode()
    )
    shown = {
        sample.labels["part"]: sample.value
        for family in families
        for sample in family.samples
        if sample.name == "cronium_ready"
    }
    assert {part for part, value in shown.items() if not value} == failing
    assert "full" not in generate_latest(metrics.registry).decode()
