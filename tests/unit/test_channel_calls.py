"""The calls of the helper channel, each on a real Unix socket."""

import asyncio
import json
import stat
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from contracts.errors import (
    EngineUnavailable,
    NotANumber,
    RequestRefused,
    SandboxFailed,
    VariablesUnavailable,
)
from contracts.events import EventRequest
from contracts.json_values import same_json
from contracts.limits import CALL_MEMORY_SECONDS
from engines.channel import (
    ChannelLimits,
    ChannelState,
    LogLevel,
    Progress,
    channel_environment,
    event_context,
    new_token,
)
from tests.unit.channel import Channels

VALUES: list[Any] = [
    *(0, -1, 2**63, 10**40, 0.1, 1.0, True, False, None, "", "text"),
    *("ü€𝄞\u0000", [], {}, [1, "a", None], {"a": {"b": [0]}}),
]


@pytest.fixture
async def channels(tmp_path: Path) -> AsyncIterator[Channels]:
    channels = Channels(tmp_path)
    yield channels
    await channels.server.close_all()


async def test_the_input_is_given_as_it_is(channels: Channels) -> None:
    large = json.dumps(["x" * 1000] * 2000).encode()
    for execution, data in (("x1", b"null"), ("x2", b'{"\xc3\xbc": 1}'), ("x3", large)):
        await channels.open(execution, input=data)
        async with channels.client(execution) as http:
            answer = await http.get(f"/executions/{execution}/input")
            assert answer.status_code == 200
            assert answer.headers["content-type"] == "application/json"
            assert answer.json() == {"success": True, "data": json.loads(data)}


async def test_outputs_are_kept_with_their_types_and_the_last_one_counts(
    channels: Channels,
) -> None:
    channel = await channels.open()
    async with channels.client() as http:
        assert channel.state.output is None
        for value in VALUES:
            answer = await http.post("/executions/x1/output", json={"data": value})
            assert answer.json() == {"success": True, "data": None}
            assert channel.state.output is not None
            found = json.loads(channel.state.output)
            assert same_json(found, value)
            assert type(found) is type(value)


async def test_an_output_may_have_256_kib(channels: Channels) -> None:
    channel = await channels.open()
    path = "/executions/x1/output"
    async with channels.client() as http:
        # On its way each of these characters has six bytes, in the output two.
        fits = json.dumps({"data": "ü" * (128 * 1024 - 1)}).encode()
        assert (await http.post(path, content=fits)).status_code == 200
        kept = channel.state.output
        answer = await http.post(path, json={"data": "x" * 256 * 1024})
        assert answer.status_code == 413
        assert answer.json()["error"] == "too_large"
        assert (
            "262146 bytes of JSON, an output may have 262144"
            in (answer.json()["message"])
        )
        assert channel.state.output == kept


@pytest.mark.parametrize("value", VALUES)
async def test_variables_keep_their_types(channels: Channels, value: Any) -> None:
    await channels.open()
    path = "/executions/x1/variables/A"
    async with channels.client() as http:
        answer = await http.put(path, json={"value": value})
        assert answer.json()["success"] is True
        data = json.loads((await http.get(path)).text)["data"]
        assert data["key"] == "A"
        assert same_json(data["value"], value)
        assert type(data["value"]) is type(value)


async def test_variables_belong_to_the_user_of_the_run(channels: Channels) -> None:
    await channels.open("x1")
    await channels.open("x2", user="bob")
    async with channels.client("x1") as one, channels.client("x2") as two:
        await one.put("/executions/x1/variables/A", json={"value": 1})
        answer = await two.get("/executions/x2/variables/A")
        assert (answer.status_code, answer.json()["error"]) == (404, "not_found")
    assert channels.variables.values == {("ann", "A"): 1}


async def test_every_call_of_variables(channels: Channels) -> None:
    await channels.open()
    base = "/executions/x1/variables"
    async with channels.client() as http:

        async def data(method: str, path: str, **options: Any) -> Any:
            answer = await http.request(method, base + path, **options)
            assert answer.status_code == 200, answer.text
            return answer.json()["data"]

        assert await data("POST", "/N/increment") == {"key": "N", "value": 1}
        by = {"by": 2.5}
        found = await data("POST", "/N/increment", json=by)
        assert found == {"key": "N", "value": 3.5}
        more = {"value": "a", "separator": ","}
        await data("POST", "/S/append", json=more)
        assert (await data("POST", "/S/append", json=more))["value"] == "a,a"
        assert await data("GET", "?prefix=N") == {"variables": {"N": 3.5}}
        assert await data("GET", "") == {"variables": {"N": 3.5, "S": "a,a"}}
        assert await data("DELETE", "/N") == {"deleted": True}
        assert await data("DELETE", "/N") == {"deleted": False}
        await data("PUT", "/C", json={"value": None, "ifAbsent": True})
        await data("PUT", "/C", json={"value": 2, "expected": None})
        for condition in ({"ifAbsent": True}, {"expected": 1}, {"expected": None}):
            answer = await http.put(f"{base}/C", json={"value": 3, **condition})
            assert (answer.status_code, answer.json()["error"]) == (409, "conflict")


async def test_idempotency_keys_reach_the_store(channels: Channels) -> None:
    await channels.open()
    async with channels.client() as http:
        for method, path, body in (
            ("POST", "/N/increment", {}),
            ("POST", "/S/append", {"value": "a"}),
            ("PUT", "/A", {"value": 1}),
        ):
            await http.request(
                method,
                f"/executions/x1/variables{path}",
                json=body,
                headers={"Idempotency-Key": f"k{method}{path[1]}"},
            )
        assert channels.variables.once == ["kPOSTN", "kPOSTS", "kPUTA"]
        answer = await http.post(
            "/executions/x1/variables/N/increment",
            headers={"Idempotency-Key": "k" * 101},
        )
        assert answer.status_code == 400


async def test_the_condition_is_kept(channels: Channels) -> None:
    channel = await channels.open()
    path = "/executions/x1/condition"
    async with channels.client() as http:
        assert (await http.get(path)).json()["data"] == {"condition": None}
        for condition in (True, False):
            await http.post(path, json={"condition": condition})
            assert (await http.get(path)).json()["data"] == {"condition": condition}
            assert channel.state.condition is condition


async def test_logs_and_progress_are_handed_on(channels: Channels) -> None:
    seen: list[Any] = []
    channel = await channels.open(
        on_log=lambda *line: seen.append(line), on_progress=seen.append
    )
    async with channels.client() as http:
        for path, body in (
            ("logs", {"level": "WARN", "message": "ü\nx", "fields": {"n": [1]}}),
            ("logs", {"message": ""}),
            ("progress", {"fraction": 0.5, "text": "half"}),
            ("progress", {"fraction": 1}),
        ):
            answer = await http.post(f"/executions/x1/{path}", json=body)
            assert answer.json() == {"success": True, "data": None}
    assert seen == [
        (LogLevel.WARNING, "ü\nx", {"n": [1]}),
        (LogLevel.INFO, "", {}),
        Progress(0.5, "half"),
        Progress(1.0),
    ]
    assert channel.state.progress == Progress(1.0)


async def test_the_context_has_the_names_of_old_and_new_helpers(
    channels: Channels,
) -> None:
    event = {"id": "e1", "name": "E", "type": "bash", "script": "x", "tags": ["t"]}
    request = EventRequest.model_validate(
        {"executionId": "x1", "event": event, "user": "ann", "trigger": "schedule"}
    )
    context = event_context(request, attempt=2, max_attempts=3, started_at=0.0)
    await channels.open(context=context)
    async with channels.client() as http:
        found = (await http.get("/executions/x1/context")).json()["data"]
    assert found == {
        "id": "e1",
        "eventId": "e1",
        "name": "E",
        "eventName": "E",
        "type": "bash",
        "eventType": "bash",
        "userId": "ann",
        "executionId": "x1",
        "trigger": "schedule",
        "attempt": 2,
        "maxAttempts": 3,
        "startTime": "1970-01-01T00:00:00+00:00",
        "tags": ["t"],
        "runLocation": "LOCAL",
        "successCount": 0,
        "failureCount": 0,
        "server": None,
        "metadata": {},
    }


async def test_tool_actions_are_done_by_the_worker(channels: Channels) -> None:
    async def act(tool: str, action: str, config: dict[str, Any]) -> Any:
        match tool:
            case "email":
                return {"sent": [action, config]}
            case "refuses":
                raise RequestRefused("no such list", hint="Name another.")
            case "away":
                raise EngineUnavailable
        raise KeyError("a secret")

    await channels.open(tool_action=act)
    path = "/tool-actions/execute"
    async with channels.client() as http:
        for name in ("config", "params"):
            body = {"tool": "email", "action": "send", name: {"to": "a"}}
            answer = await http.post(path, json=body)
            assert answer.json()["data"] == {"sent": ["send", {"to": "a"}]}
        for tool, status, word in (
            ("refuses", 400, "RequestRefused"),
            ("away", 503, "unavailable"),
            ("breaks", 500, "internal"),
        ):
            answer = await http.post(path, json={"tool": tool, "action": "x"})
            assert (answer.status_code, answer.json()["error"]) == (status, word)
            assert "secret" not in answer.text
        answer = await http.post(path, json={"tool": "refuses", "action": "x"})
        assert answer.json()["message"] == "no such list Name another."


async def test_a_tool_action_that_is_asked_for_again_is_done_once(
    channels: Channels,
) -> None:
    done: list[str] = []

    async def act(tool: str, action: str, config: dict[str, Any]) -> Any:
        done.append(config["to"])
        return {"number": len(done)}

    async def send(of: Channels, to: str, key: str) -> Any:
        body = {"tool": "email", "action": "send", "config": {"to": to}}
        headers = {"Idempotency-Key": key} if key else {}
        async with of.client() as http:
            answer = await http.post(
                "/tool-actions/execute", json=body, headers=headers
            )
        return answer.json()["data"]["number"]

    first = await channels.open(tool_action=act)
    assert [await send(channels, "a", "k1") for _ in range(2)] == [1, 1]
    assert await send(channels, "b", "k2") == 2
    await channels.server.close(first)
    # The answer was lost with the worker; the next one knows what was sent.
    again = Channels(channels.directory)
    await again.open(token="", tool_action=act)
    assert await send(again, "a", "k1") == 1
    assert await send(again, "c", "") == 3
    for number in range(20):
        await send(again, "d", f"n{number}")
    assert await send(again, "a", "k1") == 24
    await again.server.close_all()
    assert done == ["a", "b", "c", *["d"] * 20, "a"]


async def test_without_tool_actions_it_is_said(channels: Channels) -> None:
    await channels.open()
    async with channels.client() as http:
        body = {"tool": "email", "action": "send", "config": {}}
        answer = await http.post("/tool-actions/execute", json=body)
        assert answer.status_code == 404
        assert "not available" in answer.json()["message"]


@pytest.mark.parametrize(
    ("method", "path", "body", "words"),
    [
        ("POST", "output", {}, "data: required, but missing"),
        ("POST", "condition", {"condition": 1}, "condition: expected true or false"),
        ("POST", "condition", {}, "condition: required"),
        ("POST", "progress", {"fraction": 1.5}, "fraction: expected a number from"),
        ("POST", "progress", {"fraction": True}, "fraction: expected a number from"),
        ("POST", "progress", {"text": 5}, "text: expected a string"),
        ("POST", "logs", {"level": "info"}, "message: required"),
        ("POST", "logs", {"message": 5}, "message: expected a string"),
        ("POST", "logs", {"message": "", "level": "odd"}, "level: expected one of"),
        ("POST", "logs", {"message": "", "fields": [1]}, "fields: expected an object"),
        ("PUT", "variables/A", {}, "value: required"),
        ("PUT", "variables/A", {"value": 1, "ifAbsent": 1}, "ifAbsent: expected"),
        ("PUT", "variables/A", {"value": "x" * 9_999}, "value: 10001 characters"),
        ("PUT", "variables/CRONIUM_A", {"value": 1}, "CRONIUM_ are reserved"),
        ("PUT", "variables/a%2Fb", {"value": 1}, "key: not a name"),
        ("PUT", "variables/%2e%2e", {"value": 1}, "key: not a name"),
        ("POST", "variables/A/increment", {"by": "1"}, "by: expected a number"),
        ("POST", "variables/A/append", {}, "value: required"),
    ],
)
async def test_a_wrong_body_is_refused_by_the_name_of_its_field(
    channels: Channels, method: str, path: str, body: Any, words: str
) -> None:
    channel = await channels.open()
    before = channel.state
    async with channels.client() as http:
        answer = await http.request(method, f"/executions/x1/{path}", json=body)
        assert answer.status_code == 400
        assert words in answer.json()["message"]
    assert channel.state == before
    assert channels.variables.values == {}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "data: required"),
        (b"{", "body: not valid JSON"),
        (b'{"data": NaN}', "NaN is not a JSON number"),
        (b'{"data": 1e999}', "data: NaN and Infinity"),
        (b'{"data": "\\ud800"}', "data: character 1 is half of a character"),
        (b"\xff\xfe{}", "body: not valid UTF-8"),
        (b"[]", "body: expected a JSON object"),
        (b'{"data": ' + b"[" * 150 + b"]" * 150 + b"}", "data: nested more than 100"),
        (b'{"data":' + b"[" * 500_000, "body: nested more than 100"),
        (b'{"data":' + b"9" * 5000 + b"}", "body: "),
    ],
)
async def test_what_is_not_json_is_refused_with_the_problem(
    channels: Channels, body: bytes, words: str
) -> None:
    channel = await channels.open()
    async with channels.client() as http:
        answer = await http.post("/executions/x1/output", content=body)
        assert answer.status_code == 400
        assert answer.json()["error"] == "bad_request"
        assert words in answer.json()["message"]
    assert channel.state.output is None


async def test_long_log_messages_are_refused(channels: Channels) -> None:
    await channels.open()
    async with channels.client() as http:
        path = "/executions/x1/logs"
        fits = {"message": "x" * 64 * 1024}
        assert (await http.post(path, json=fits)).status_code == 200
        for body in (
            {"message": "x" * 64 * 1024 + "x"},
            {"message": "", "fields": {"f": "x" * 16 * 1024}},
        ):
            answer = await http.post(path, json=body)
            assert (answer.status_code, answer.json()["error"]) == (413, "too_large")


async def test_errors_of_the_store_have_their_words(channels: Channels) -> None:
    await channels.open()
    path = "/executions/x1/variables/A/increment"
    async with channels.client() as http:
        channels.variables.problem = NotANumber("it is a list.")
        answer = await http.post(path)
        assert (answer.status_code, answer.json()["error"]) == (409, "not_a_number")
        channels.variables.problem = VariablesUnavailable("no answer.")
        answer = await http.post(path)
        assert (answer.status_code, answer.json()["error"]) == (503, "unavailable")
        assert answer.headers["retry-after"] == "1"


async def test_what_a_script_said_outlives_the_worker(
    channels: Channels, tmp_path: Path
) -> None:
    first = await channels.open()
    async with channels.client() as http:
        await http.post("/executions/x1/output", json={"data": {"ü": 2**70}})
        await http.post("/executions/x1/condition", json={"condition": False})
        await http.post("/executions/x1/progress", json={"fraction": 0.3})
    said = first.state
    # No farewell, as if the worker had been killed: another one starts beside it.
    later = Channels(tmp_path)
    again = await later.server.open(later.run(token=""), later.path())
    assert again.state == said
    async with later.client() as http:
        answer = await http.get("/executions/x1/condition")
        assert answer.json()["data"] == {"condition": False}
    assert (await later.server.close(again)) == said
    assert json.loads(said.output or "") == {"ü": 2**70}
    ChannelState.remove(later.run().state_file)
    assert ChannelState.load(later.run().state_file) == ChannelState()


async def test_the_saved_state_is_closed_to_others_and_has_no_token(
    channels: Channels,
) -> None:
    token = new_token()
    await channels.open(token=token)
    file = channels.run().state_file
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert token not in file.read_text()
    assert [entry.name for entry in file.parent.iterdir()] == [file.name]


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"output": 1}', "\x00"])
async def test_a_broken_state_is_an_empty_one(channels: Channels, text: str) -> None:
    file = channels.run().state_file
    file.parent.mkdir(parents=True)
    file.write_text(text)
    channel = await channels.open(token="")
    assert channel.state == ChannelState()
    async with channels.client() as http:
        assert (await http.get("/executions/x1/input")).status_code == 401


async def test_an_output_that_cannot_be_kept_is_not_taken(channels: Channels) -> None:
    channel = await channels.open()
    file = channels.run().state_file
    file.unlink()
    file.parent.rmdir()
    file.parent.write_text("a file where the directory should be")
    async with channels.client() as http:
        answer = await http.post("/executions/x1/output", json={"data": 1})
        assert (answer.status_code, answer.json()["error"]) == (503, "unavailable")
    assert channel.state.output is None


async def test_a_socket_is_replaced_without_a_moment_that_refuses(
    channels: Channels, tmp_path: Path
) -> None:
    await channels.open()
    refused: list[Exception] = []
    done = asyncio.Event()

    async def call() -> int:
        calls = 0
        while not done.is_set():
            try:
                async with channels.client() as http:
                    answer = await http.get("/executions/x1/input")
                    assert answer.status_code == 200
                    calls += 1
            except Exception as error:
                refused.append(error)
        return calls

    calling = asyncio.ensure_future(call())
    for _ in range(20):
        again = Channels(tmp_path)
        await again.server.open(again.run(token=""), again.path())
        await asyncio.sleep(0.01)
    done.set()
    assert await calling > 0
    assert refused == []


async def test_closing_removes_the_own_socket_and_no_other(channels: Channels) -> None:
    first = await channels.open()
    path = channels.path()
    assert stat.S_IMODE(path.stat().st_mode) == 0o666
    second = await channels.open()
    await channels.server.close(first)
    assert path.exists()
    async with channels.client() as http:
        assert (await http.get("/executions/x1/input")).status_code == 200
    await channels.server.close(second)
    assert not path.exists()
    assert list(path.parent.iterdir()) == []


async def test_a_call_under_way_is_finished_when_the_channel_closes(
    channels: Channels,
) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def act(*_: Any) -> str:
        begun.set()
        await go_on.wait()
        return "done"

    channel = await channels.open(tool_action=act)
    async with channels.client() as http:
        body = {"tool": "t", "action": "a"}
        calling = asyncio.ensure_future(http.post("/tool-actions/execute", json=body))
        await begun.wait()
        closing = asyncio.ensure_future(channels.server.close(channel))
        await asyncio.sleep(0)
        go_on.set()
        assert (await calling).json()["data"] == "done"
        await closing


async def test_a_channel_that_cannot_be_opened_says_why(channels: Channels) -> None:
    run = channels.run()
    with pytest.raises(SandboxFailed, match="No such file or directory"):
        await channels.server.open(run, channels.directory / "missing" / "api.sock")
    (channels.directory / "state").mkdir(exist_ok=True)
    run = channels.run(state_file=channels.path() / "x" / "state.json")
    channels.path().touch()
    with pytest.raises(SandboxFailed, match="Not a directory"):
        await channels.server.open(run, channels.path("x2"))


async def test_a_directory_with_a_long_name_is_no_problem(channels: Channels) -> None:
    path = channels.path("x" * 100).parent / ("y" * 100) / "api.sock"
    path.parent.mkdir()
    await channels.server.open(channels.run(), path)
    assert path.is_socket()


async def test_the_environment_says_where_the_channel_is() -> None:
    assert channel_environment("t", 300.5) == {
        "CRONIUM_SOCKET": "/run/cronium/api.sock",
        "CRONIUM_EXECUTION_TOKEN": "t",
        "CRONIUM_OUTAGE_SECONDS": "331",
    }


async def test_no_call_is_made_again_when_the_gateway_does_not_know_it_any_more() -> (
    None
):
    longest = float(channel_environment("t", 10**6)["CRONIUM_OUTAGE_SECONDS"])
    late = CALL_MEMORY_SECONDS - longest - ChannelLimits().call_seconds
    assert late > 0


async def test_a_call_costs_little_more_than_its_request(channels: Channels) -> None:
    await channels.open(limits=ChannelLimits(calls_per_minute=100_000))
    acts: dict[str, tuple[str, str, Any, int]] = {
        "nothing": ("GET", "nothing", None, 404),
        "variable": ("GET", "variables/A", None, 200),
        "output": ("POST", "output", {"data": {"n": 1}}, 200),
    }
    times: dict[str, list[float]] = {name: [] for name in acts}
    async with channels.client() as http:
        await http.put("/executions/x1/variables/A", json={"value": 1})
        for _ in range(200):
            for name, (method, path, body, status) in acts.items():
                begin = time.perf_counter()
                answer = await http.request(method, f"/executions/x1/{path}", json=body)
                times[name].append(time.perf_counter() - begin)
                assert answer.status_code == status
    medians = {name: sorted(taken)[100] * 1000 for name, taken in times.items()}
    print({name: f"{median:.2f} ms" for name, median in medians.items()})
    assert max(medians.values()) < 4 * medians["nothing"]
