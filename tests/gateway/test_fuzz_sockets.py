"""Frames that nobody thought of, on both WebSockets."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from gateway.config import GatewayConfig
from gateway.tokens import Scope
from tests.gateway.conftest import SECRET, batch, record
from tests.gateway.threaded import Threaded, threaded

PATIENCE = 30.0
LAST_ID = 2**53 - 17
LINES = 40
FUZZED = settings(
    max_examples=120,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)

VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**70), 2**70),
        st.floats(),
        st.text(max_size=20),
        st.sampled_from(
            ["", "\0", "x" * 300, "\ud800", "stdout", "lines", "execution", "SUCCESS"]
        ),
        st.sampled_from([-1, 0, 2**31, 2**53, 2**63, 1e308, float("nan")]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.text(max_size=8), inner, max_size=4),
    ),
    max_leaves=6,
)
FIELDS = st.sampled_from(
    [
        *batch("f", 1, "a", raw={}, data={}, dispatch=1, dropped=0),
        *record("f", "RUNNING", result=None),
        "unknown",
    ]
)


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """A good message with some fields replaced, removed or added."""
    good = draw(
        st.sampled_from(
            [
                batch("f", 1, "a", "b"),
                batch("f", 3, "c", stream="log", data={"0": {"level": "info"}}),
                batch("f", 9, "…", dropped=4),
                record("f", "RUNNING"),
                record("f", "SUCCESS", stored=2),
            ]
        )
    )
    changed = dict(good)
    for field, value in draw(st.dictionaries(FIELDS, VALUES, max_size=3)).items():
        changed[field] = value
    for field in draw(st.sets(FIELDS, max_size=1)):
        changed.pop(field, None)
    message: dict[str, Any] = {"id": draw(st.integers(1, 50)), "record": changed}
    for field in draw(st.sets(st.sampled_from(["id", "record", "more"]), max_size=1)):
        message[field] = draw(VALUES)
    return json.dumps(message)


FRAMES = st.one_of(
    mutated(),
    VALUES.map(json.dumps),
    st.text(max_size=50).filter(lambda text: not _surrogates(text)),
    st.binary(max_size=50),
    st.just("[" * 3000),
)


def _surrogates(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)


@pytest.fixture(params=["sqlite", "postgresql"], scope="module")
def gateway(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Threaded]:
    """A gateway with one whole log, once on each kind of database."""
    directory: Path = tmp_path_factory.mktemp("fuzz")
    url = f"sqlite:///{directory}/logs.db"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres").new_database()
    config = GatewayConfig(url, SECRET, port=0, requests_per_minute=0)
    with threaded(config) as running:
        with ingest(running) as socket:
            lines = [f"line {number}" for number in range(1, LINES + 1)]
            for number, sent in enumerate(
                (batch("done", 1, *lines), record("done", "SUCCESS", stored=LINES)), 1
            ):
                socket.send(json.dumps({"id": number, "record": sent}))
            _answered(socket, 2)
        yield running


def ingest(running: Threaded) -> ClientConnection:
    """Connect as a worker does."""
    return connect(
        f"ws://127.0.0.1:{running.port}/ingest",
        additional_headers={"Authorization": f"Bearer {running.token(Scope.INGEST)}"},
        proxy=None,
    )


def _answered(socket: ClientConnection, last: int) -> list[dict[str, Any]]:
    """Return the replies up to the one for the message `last`."""
    replies: list[dict[str, Any]] = []
    while not replies or replies[-1]["id"] != last:
        replies.append(json.loads(socket.recv(timeout=PATIENCE)))
    return replies


def _log(running: Threaded, execution: str) -> list[dict[str, Any]]:
    headers = {"Authorization": f"Bearer {running.token()}"}
    path = f"{running.url}/api/executions/{execution}/logs?limit=5000"
    answer = httpx.get(path, headers=headers, trust_env=False)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["lines"]
    return found


def test_a_worker_that_sends_anything_is_answered_and_goes_on(
    gateway: Threaded,
) -> None:
    """Each frame is stored or refused by name; what comes after it is stored."""
    counted = 0

    @FUZZED
    @given(frames=st.lists(FRAMES, min_size=1, max_size=8))
    def fuzz(frames: list[str | bytes]) -> None:
        nonlocal counted
        counted += 1
        with ingest(gateway) as socket:
            for frame in frames:
                socket.send(frame)
            good = batch("good", counted, f"number {counted}")
            socket.send(json.dumps({"id": LAST_ID, "record": good}))
            replies = _answered(socket, LAST_ID)
            assert replies[-1]["type"] == "ack"
            for reply in replies:
                assert reply["type"] in ("ack", "refused")
                assert (reply["type"] == "refused") is bool(reply["reason"])
                # A reason names the place and no content.
                assert len(reply["reason"]) < 500

    fuzz()
    found = _log(gateway, "good")
    assert [line["text"] for line in found] == [
        f"number {number}" for number in range(1, counted + 1)
    ]
    assert [line["seq"] for line in found] == list(range(1, counted + 1))
    if any(e == "f" for e in _executions(gateway)):
        seqs = [line["seq"] for line in _log(gateway, "f")]
        assert seqs == list(range(1, len(seqs) + 1))


def _executions(running: Threaded) -> list[str]:
    headers = {"Authorization": f"Bearer {running.token()}"}
    path = f"{running.url}/api/executions?limit=500"
    answer = httpx.get(path, headers=headers, trust_env=False)
    assert answer.status_code == 200, answer.text
    return [found["executionId"] for found in answer.json()["executions"]]


PRINTABLE = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=30)
TOKENS = st.one_of(
    st.sampled_from(["service", "user:ann", "user:bob", "execution:done", "ingest"]),
    st.sampled_from(["", "none", "a.b.c"]),
    PRINTABLE,
)


@st.composite
def opened(draw: st.DrawFn) -> dict[str, Any]:
    """How a viewer comes."""
    return {
        "execution": draw(
            st.sampled_from(["done", "done", "done", "nobody", "f"])
            | st.text(max_size=9)
        ),
        "from_seq": draw(st.none() | st.integers(-5, LINES + 5) | PRINTABLE),
        "token": draw(TOKENS),
        "place": draw(st.sampled_from(["header", "query", "subprotocol"])),
        "frames": draw(
            st.lists(
                st.text(max_size=30).filter(lambda t: not _surrogates(t))
                | st.binary(max_size=30),
                max_size=4,
            )
        ),
    }


def _token(running: Threaded, wish: str) -> str:
    scope, _, subject = wish.partition(":")
    return running.token(Scope(scope), subject) if scope in list(Scope) else wish


def _viewer(running: Threaded, come: dict[str, Any]) -> ClientConnection:
    token = _token(running, come["token"])
    path = f"/executions/{quote(come['execution'], safe='')}/logs?"
    if come["from_seq"] is not None:
        path += f"fromSeq={quote(str(come['from_seq']), safe='')}&"
    options: dict[str, Any] = {"proxy": None}
    # What is no token of HTTP cannot be sent there by any client.
    plain = token and all(c.isalnum() or c in "._-" for c in token)
    if come["place"] == "subprotocol" and plain:
        options["subprotocols"] = ["cronium", f"bearer.{token}"]
    elif come["place"] == "query":
        path += f"token={quote(token, safe='')}"
    else:
        options["additional_headers"] = {"Authorization": f"Bearer {token}"}
    return connect(f"ws://127.0.0.1:{running.port}{path}", **options)


def _seen(
    socket: ClientConnection, frames: list[str | bytes], seconds: float
) -> tuple[Any, int]:
    """Return the messages and the close code; 0 when it goes on waiting."""
    found = []
    # The gateway may have said everything and closed before the viewer spoke:
    # what it said is still there to be read.
    with contextlib.suppress(ConnectionClosed):
        for frame in frames:
            socket.send(frame)
    try:
        while True:
            found.append(json.loads(socket.recv(timeout=seconds)))
    except ConnectionClosed as closed:
        return found, closed.rcvd.code if closed.rcvd else 1006
    except TimeoutError:
        return found, 0


def _visit(running: Threaded, come: dict[str, Any]) -> tuple[list[Any], int]:
    # Only an execution that nobody has heard of is waited for, on purpose.
    patient = come["execution"] == "done" and come["token"] != "user:bob"
    try:
        with _viewer(running, come) as socket:
            return _seen(socket, come["frames"], PATIENCE if patient else 0.15)
    except InvalidStatus as refused:
        return [], refused.response.status_code


GOOD = ("service", "user:ann", "execution:done")


def test_a_viewer_sees_its_lines_or_a_code_however_it_comes(gateway: Threaded) -> None:
    codes: set[int] = set()

    @FUZZED
    @given(come=opened())
    def fuzz(come: dict[str, Any]) -> None:
        found, code = _visit(gateway, come)
        codes.add(code)
        # The numbers below 1000 are answers to the handshake.
        assert code in (0, 1000, 4401, 4404, 400, 403, 404), (come, code)
        lines = [line for m in found if m["type"] == "lines" for line in m["lines"]]
        if come["token"] not in GOOD:
            assert lines == [], come
        elif come["execution"] == "done":
            first = _first(come["from_seq"])
            assert code == 1000, come
            assert [x["seq"] for x in lines] == list(range(first, LINES + 1)), come
            assert found[-1] | {"lastSeq": LINES, "complete": True} == found[-1]

    fuzz()
    assert codes >= {0, 1000, 4401}


def _first(wish: Any) -> int:
    text = "" if wish is None else str(wish).strip()[:16]
    return max(1, int(text)) if text.isascii() and text.isdigit() else 1


def test_the_gateway_is_well_afterwards(gateway: Threaded) -> None:
    assert httpx.get(f"{gateway.url}/ready", trust_env=False).status_code == 200
