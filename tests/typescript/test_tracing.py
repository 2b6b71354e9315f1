"""One trace from a caller in Node.js, or a command, to the calls of the script."""

import http.server
import json
import os
import secrets
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
)

from tests.typescript.conftest import COMMAND, checked, environment, running

SECONDS = 60.0
SCRIPT = "cronium_input >/dev/null; cronium_output 5; echo traced"
START = """
import { Cronium, optionsFromEnvironment } from "./dist/esm/index.js";
const trace = () => ({ traceparent: process.env.TRACEPARENT });
const cronium = new Cronium({ ...optionsFromEnvironment(), trace });
const script = process.env.SCRIPT;
const event = { id: "t", name: "t", type: "bash", network: "none", script };
const run = await cronium.runEvent(event);
console.log((await run.result()).status);
await cronium.close();
"""


@dataclass
class Collector:
    """Takes spans as an OTLP collector does."""

    port: int = 0
    spans: dict[str, list[Any]] = field(default_factory=dict)
    """By trace id, in hexadecimal."""
    news: threading.Condition = field(default_factory=threading.Condition)

    def take(self, body: bytes) -> None:
        told = ExportTraceServiceRequest.FromString(body)
        with self.news:
            for resource in told.resource_spans:
                for scope in resource.scope_spans:
                    for span in scope.spans:
                        self.spans.setdefault(span.trace_id.hex(), []).append(span)
            self.news.notify_all()

    def trace(self, trace_id: str, wanted: set[str]) -> dict[str, Any]:
        """The spans of a trace by name, once these are there."""

        def named() -> dict[str, Any]:
            return {span.name: span for span in self.spans.get(trace_id, [])}

        with self.news:
            came = self.news.wait_for(lambda: wanted <= set(named()), SECONDS)
            assert came, (
                wanted,
                {k: [s.name for s in v] for k, v in self.spans.items()},
            )
            return named()


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    made = Collector()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path == "/v1/traces":
                made.take(body)
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def traced(
    collector: Collector,
    docker_client: docker.APIClient,
    temporal_binary: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[dict[str, str]]:
    """The environment of a stack with traces and encryption."""
    directory = tmp_path_factory.mktemp("traced")
    env = {
        **environment(directory),
        "CRONIUM_TRACING_ENDPOINT": f"http://127.0.0.1:{collector.port}",
        "CRONIUM_ENCRYPTION_KEYS_FILE": str(directory / "keys.json"),
        "CRONIUM_INSTANCE": f"ts-traced-{os.getpid()}",
        "OTEL_BSP_SCHEDULE_DELAY": "200",
    }
    checked(COMMAND, "keys", "generate", cwd=directory, env=env)
    with running(docker_client, directory, env):
        yield env


def caller() -> tuple[str, str, dict[str, str]]:
    """A trace of somebody's: its id, the span's, and the variable that says it."""
    trace_id, span_id = secrets.token_hex(16), secrets.token_hex(8)
    return trace_id, span_id, {"TRACEPARENT": f"00-{trace_id}-{span_id}-01"}


WANTED = {
    "RunWorkflow:EventWorkflow",
    "StartActivity:run_container",
    "RunActivity:run_container",
    "Helper:GET input",
    "Helper:POST output",
}


def ancestors(spans: dict[str, Any], name: str) -> list[str]:
    """The ids of a span's parents, nearest first, as far as they are known."""
    by_id = {span.span_id.hex(): span for span in spans.values()}
    found = []
    span = spans[name]
    while span is not None and span.parent_span_id:
        found.append(span.parent_span_id.hex())
        span = by_id.get(span.parent_span_id.hex())
    return found


def test_a_trace_goes_from_node_to_the_helper_calls(
    client: Path, traced: dict[str, str], collector: Collector
) -> None:
    trace_id, span_id, parent = caller()
    env = {**traced, **parent, "SCRIPT": SCRIPT}
    said = checked("node", "--input-type=module", "--eval", START, cwd=client, env=env)
    assert said.strip() == "SUCCESS"
    spans = collector.trace(trace_id, WANTED)
    for name in ("Helper:GET input", "Helper:POST output"):
        line = ancestors(spans, name)
        assert line[0] == spans["RunActivity:run_container"].span_id.hex(), name
        assert line[-1] == span_id, "and up to whoever called"


def test_a_trace_goes_through_the_command(
    traced: dict[str, str], collector: Collector
) -> None:
    trace_id, span_id, parent = caller()
    words = ("run", "--network", "none", "-c", SCRIPT)
    directory = Path(traced["CRONIUM_STATE_DIR"])
    checked(COMMAND, *words, cwd=directory, env={**traced, **parent})
    spans = collector.trace(trace_id, {*WANTED, "StartWorkflow:EventWorkflow"})
    line = ancestors(spans, "Helper:POST output")
    assert spans["StartWorkflow:EventWorkflow"].span_id.hex() in line
    assert line[-1] == span_id


def test_spans_tell_nothing_of_what_is_run(
    traced: dict[str, str], collector: Collector
) -> None:
    planted = f"v{secrets.token_hex(8)}"
    trace_id, _, parent = caller()
    script = f"cronium_output {json.dumps(planted)}; echo {planted}"
    directory = Path(traced["CRONIUM_STATE_DIR"])
    words = ("run", "--network", "none", "--input", json.dumps(planted), "-c", script)
    checked(COMMAND, *words, cwd=directory, env={**traced, **parent})
    collector.trace(trace_id, {"RunActivity:run_container", "Helper:POST output"})
    assert planted not in str(collector.spans[trace_id])
