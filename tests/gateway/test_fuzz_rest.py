"""Requests that nobody thought of, made from the API's own description."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    ignored_auth,
    response_schema_conformance,
    status_code_conformance,
)

from gateway.app import create_app
from gateway.config import GatewayConfig
from tests.gateway.conftest import SECRET
from tests.gateway.hooks import hook_spec, sign
from tests.gateway.threaded import Threaded, threaded
from worker.settings import load_settings
from worker.starts import TemporalStarts

EXAMPLES = 15
CHECKS: list[Any] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    ignored_auth,
]
FUZZED = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(params=["sqlite", "postgresql"], scope="module")
def gateway(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    temporal: str,
) -> Iterator[Threaded]:
    """A gateway with Temporal behind it, once on each kind of database."""
    directory: Path = tmp_path_factory.mktemp("fuzz")
    url = f"sqlite:///{directory}/logs.db"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres").new_database()
    starts = TemporalStarts(load_settings(temporal={"address": temporal}))
    with threaded(GatewayConfig(url, SECRET, port=0, starts=starts)) as running:
        yield running


def client(running: Threaded) -> httpx.Client:
    """Return a client with a service's token."""
    headers = {"Authorization": f"Bearer {running.token()}"}
    return httpx.Client(base_url=running.url, headers=headers, trust_env=False)


def prepare(running: Threaded) -> tuple[str, str]:
    """See to it that the known names exist; return a hook's path and secret."""
    with client(running) as http:
        http.delete("/api/hooks/h1")
        made = http.post("/api/hooks", json=hook_spec(callsPerMinute=6000)).json()
        place = "/api/users/ann/variables/A"
        assert http.put(place, json={"value": 1}).status_code == 200
    return made["url"], made["secret"]


API = schemathesis.openapi.from_dict(
    create_app(GatewayConfig("sqlite:///never-opened", SECRET)).openapi()
)
OPERATIONS = [
    (method.upper(), path)
    for path, methods in API.raw_schema["paths"].items()
    for method in methods
]


# Nothing in these can be wrong.
SIMPLE = {"/health", "/live", "/ready", "/metrics", "/logs/{execution_id}"}
CASES = [
    (method, path, mode)
    for method, path in OPERATIONS
    for mode in GenerationMode
    if mode is GenerationMode.POSITIVE or path not in SIMPLE
]
KNOWN = {"user": "ann", "key": "A", "hook": "h1"}


@pytest.mark.parametrize(
    ("method", "path", "mode"), CASES, ids=lambda part: getattr(part, "value", part)
)
def test_whatever_is_sent_is_answered_as_described(
    gateway: Threaded, method: str, path: str, mode: GenerationMode
) -> None:
    operation = API[path][method]
    headers = {"Authorization": f"Bearer {gateway.token()}"}
    prepare(gateway)

    @FUZZED
    @given(case=operation.as_strategy(generation_mode=mode), known=st.booleans())
    def fuzz(case: schemathesis.Case, known: bool) -> None:
        if known:
            # Else nearly every answer would be that there is no such thing.
            for name in KNOWN.keys() & case.path_parameters.keys():
                case.path_parameters[name] = KNOWN[name]
        case.call_and_validate(
            base_url=gateway.url, headers=headers, checks=CHECKS, timeout=30
        )

    fuzz()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
BODIES = st.one_of(
    st.binary(max_size=300),
    st.text(max_size=300).map(lambda text: text.encode("utf-8", "surrogatepass")),
    JSON.map(lambda value: json.dumps(value).encode()),
    st.integers(1, 5_000).map(lambda depth: b"[" * depth + b"]" * depth),
)
TYPES = st.one_of(
    st.sampled_from(
        [
            "application/json",
            "application/x-www-form-urlencoded",
            "text/plain",
            "text/plain; charset=utf-16",
            'application/json; charset="',
            "application/json; charset*=utf-8''%ff",
            "multipart/form-data",
            "/",
        ]
    ),
    st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=30),
)


def test_a_signed_call_is_taken_or_refused_whatever_its_body(
    gateway: Threaded,
) -> None:
    path, secret = prepare(gateway)
    number = iter(range(10**6))

    with client(gateway) as http:

        @settings(FUZZED, max_examples=200)
        @given(body=BODIES, kind=TYPES, key=st.booleans())
        def fuzz(body: bytes, kind: str, key: bool) -> None:
            now = int(time.time())
            headers = {
                "X-Cronium-Timestamp": str(now),
                "X-Cronium-Signature": sign(secret, now, body),
                "Content-Type": kind,
            }
            if key:
                headers["Idempotency-Key"] = f"k{next(number)}"
            answer = http.post(path, content=body, headers=headers)
            seen.add(answer.status_code)
            if answer.status_code != 202:
                assert answer.json()["error"]["hint"], answer.text

        seen: set[int] = set()
        fuzz()
    assert seen <= {202, 400, 409, 415, 422}
    assert {202, 400, 415} <= seen


def test_the_gateway_is_well_afterwards(gateway: Threaded) -> None:
    assert httpx.get(f"{gateway.url}/ready", trust_env=False).status_code == 200
