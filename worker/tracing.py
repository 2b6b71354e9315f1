"""OpenTelemetry traces: from whoever starts an execution to the calls of its script.

Off unless `CRONIUM_TRACING_ENDPOINT` is set: nothing of it is even imported then. The
SDK's own interceptor carries the trace through Temporal in a header that clients in
other languages know as well, and adds nothing to what a workflow decides.
"""

import functools
import time
from collections.abc import Mapping
from typing import Any

from contracts.errors import CroniumError
from engines.channel.watching import CallWatch
from worker.settings import child_environment

SERVICE = "cronium"
PARENT = "TRACEPARENT"
STATE = "TRACESTATE"
NANOSECONDS = 1_000_000_000


class TracingUnavailable(CroniumError):
    """Traces are asked for, and what makes them is not installed."""

    hint = (
        "Install the extra `otel` (pip install 'cronium-executor[otel]'), or unset "
        "CRONIUM_TRACING_ENDPOINT."
    )


def interceptors(endpoint: str | None) -> list[Any]:
    """Return what a Temporal client is to be given for traces; [] when they are off.

    Args:
        endpoint: Address of an OTLP/HTTP collector, without `/v1/traces`.

    Raises:
        TracingUnavailable: The packages are not installed.
    """
    return [] if endpoint is None else [_begin(endpoint)]


def traced(watch: CallWatch, endpoint: str | None) -> CallWatch:
    """Return a watch that also makes a span of each helper call, if traces are on."""
    return watch if endpoint is None else TracedCalls(watch)


class TracedCalls(CallWatch):
    """Makes a span of each call.

    Its parent is the activity that opened the channel: its context goes with the
    channel's socket into whatever answers there.

    Args:
        watch: Told of each call as well.
    """

    def __init__(self, watch: CallWatch) -> None:
        self._watch = watch

    def answered(self, call: str, status: int, seconds: float) -> None:
        """See base class."""
        from opentelemetry import trace

        self._watch.answered(call, status, seconds)
        end = time.time_ns()
        span = trace.get_tracer(SERVICE).start_span(
            f"Helper:{call}",
            start_time=end - int(seconds * NANOSECONDS),
            attributes={"http.response.status_code": status},
        )
        if status >= 400:
            span.set_status(trace.StatusCode.ERROR)
        span.end(end)


@functools.cache
def _begin(endpoint: str) -> Any:
    """Begin to send spans, once in a process; they are flushed at its end."""
    try:
        from opentelemetry import trace
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import (
            OTLPSpanExporter,
        )
        from opentelemetry.sdk.resources import SERVICE_NAME, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from temporalio.contrib.opentelemetry import TracingInterceptor
    except ImportError as error:
        raise TracingUnavailable(
            f"traces are asked for, but {error.name} is not installed"
        ) from None
    environment = child_environment()
    named = environment.get("OTEL_SERVICE_NAME", SERVICE)
    provider = TracerProvider(resource=Resource.create({SERVICE_NAME: named}))
    address = f"{endpoint.rstrip('/')}/v1/traces"
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(address)))
    trace.set_tracer_provider(provider)
    _follow(environment)
    return TracingInterceptor(trace.get_tracer(SERVICE))


def _follow(environment: Mapping[str, str]) -> None:
    """Go on with the trace of whoever started this process, as a pipeline may."""
    from opentelemetry import context
    from opentelemetry.trace.propagation.tracecontext import (
        TraceContextTextMapPropagator,
    )

    carrier = {
        name.lower(): environment[name]
        for name in (PARENT, STATE)
        if name in environment
    }
    context.attach(TraceContextTextMapPropagator().extract(carrier))
