"""What is generated is up to date, and refuses what the executor refuses."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from contracts.events import EventRequest
from contracts.validation import problems_of
from scripts import make_contracts
from tests.typescript.conftest import CLIENT, checked

ASK = """
import { problemsOf, validators } from "@cronium/client";
import { readFileSync } from "node:fs";
const { schema, values } = JSON.parse(readFileSync(0, "utf8"));
const all = values.map((value) => problemsOf(validators[schema], value));
console.log(JSON.stringify(all));
"""
EVENT = {"id": "e", "name": "E", "type": "bash", "script": "true"}
SERVER = {
    "id": "s",
    "name": "s",
    "address": "10.0.0.1",
    "username": "root",
    "credentials": {"password": {"secret": "PW"}},
}


def order(**fields: Any) -> dict[str, Any]:
    return {"executionId": "x", "event": {**EVENT, **fields}}


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


GOOD: dict[str, Any] = {
    "least": order(),
    "null for what is not given": order(image=None, http=None),
    "all of resources": order(
        resources={"memoryMb": 64, "cpus": 1.5, "pids": 8, "tmpMb": 1}
    ),
    "emoji count once": order(name="🙂" * 100),
    "a server": order(targets=[SERVER, "by-name"]),
    "a share": order(
        targets=[SERVER], fanOut={"forks": "25%", "serial": [1, "20%"], "canary": 2}
    ),
    "overrides": order(targets=[SERVER], fanOut={"overrides": {"s": {"retries": 1}}}),
    "an event after it": order(
        actions=[{"kind": "event", "event": {**EVENT, "id": "next"}}]
    ),
    "a message": order(
        actions=[{"kind": "message", "targets": [{"secret": "CHAT"}], "body": "hi"}]
    ),
    "a request": {
        "executionId": "x",
        "event": {
            "id": "h",
            "name": "H",
            "type": "http_request",
            "http": {
                "url": "https://app.example.com",
                "headers": [{"name": "A", "value": "b"}],
                "body": {"kind": "json", "content": {"a": [1, None]}},
                "auth": {"kind": "bearer", "token": {"secret": "T"}},
            },
        },
    },
    "any input": {**order(), "input": {"a": [1, 2.5, None, True, "ä"]}},
    "deep input": {**order(), "input": nested(99)},
}
BAD: dict[str, Any] = {
    "nothing": {},
    "an id with a space": order(id="a b"),
    "an empty name": order(name=""),
    "a long name": order(name="🙂" * 101),
    "an unknown type": order(type="perl"),
    "a misspelt field": order(timeoutSecond=1),
    "no timeout": order(timeoutSeconds=0),
    "a long timeout": order(timeoutSeconds=86_401),
    "many retries": order(retries=11),
    "half a retry": order(retries=0.5),
    "a bad variable": order(env=[{"name": "A", "value": "1"}, {"name": "2"}]),
    "an unknown network": order(network="all"),
    "too many tags": order(tags=["t"] * 21),
    "no targets": order(targets=[]),
    "a target without an address": order(
        targets=[{k: v for k, v in SERVER.items() if k != "address"}]
    ),
    "a port": order(targets=[{**SERVER, "port": 70_000}]),
    "an unknown kind of action": order(actions=[{"kind": "page"}]),
    "an action in an action": order(
        actions=[{"kind": "event", "event": {**EVENT, "retries": 99}}]
    ),
    "a message without a body": order(
        actions=[{"kind": "message", "targets": [{"url": "json://h"}]}]
    ),
    "a redirect too many": order(http={"url": "http://h", "redirects": 21}),
    "a body of no kind": order(http={"url": "http://h", "body": {"kind": "xml"}}),
    "two things": order(id="", retries=-1),
    "a bad trigger": {**order(), "trigger": "chance"},
    "a priority": {**order(), "priority": 6},
    "too deep an input": {**order(), "input": nested(101)},
}


def asked(client: Path, values: list[Any]) -> list[list[dict[str, str]]]:
    done = subprocess.run(
        ["node", "--input-type=module", "-e", ASK],
        cwd=client,
        input=json.dumps({"schema": "EventRequest", "values": values}),
        capture_output=True,
        text=True,
        check=True,
    )
    found: list[list[dict[str, str]]] = json.loads(done.stdout)
    return found


def test_the_contracts_for_clients_are_up_to_date() -> None:
    written = make_contracts.FILE.read_text()
    assert written == make_contracts.text(), "run `make client`"


def test_the_typescript_of_the_contracts_is_up_to_date(tmp_path: Path) -> None:
    checked("npm", "run", "--silent", "generate", str(tmp_path), cwd=CLIENT)
    made = {file.name: file.read_text() for file in tmp_path.iterdir()}
    generated = CLIENT / "src" / "generated"
    kept = {file.name: file.read_text() for file in generated.iterdir()}
    assert kept == made, "run `make client`"


def test_what_the_executor_takes_the_client_takes(client: Path) -> None:
    for value in GOOD.values():
        EventRequest.model_validate(value)
    found = asked(client, list(GOOD.values()))
    assert dict(zip(GOOD, found, strict=True)) == {name: [] for name in GOOD}


def paths_of_executor(value: Any) -> list[str]:
    with pytest.raises(ValidationError) as caught:
        EventRequest.model_validate(value)
    paths = [problem.path for problem in problems_of(caught.value, EventRequest)]
    # Of an action the executor also says of which kind it is.
    return [re.sub(r"(actions\[\d+]\.)[a-z]+\.", r"\1", path) for path in paths]


def test_what_the_client_refuses_the_executor_refuses_at_the_same_place(
    client: Path,
) -> None:
    found = asked(client, list(BAD.values()))
    for (name, value), problems in zip(BAD.items(), found, strict=True):
        paths = [problem["path"] for problem in problems]
        assert paths, name
        # Rules over several fields are the executor's alone: it may find more.
        theirs = paths_of_executor(value)
        assert paths == [path for path in theirs if path in paths], name


def test_no_value_is_echoed(client: Path) -> None:
    secret = "s3cr3t-value"
    values = [
        order(**{field: secret})
        for field in ("type", "retries", "env", "network", "targets", "actions", "http")
    ]
    values.append(order(env=[{"name": f"bad {secret}", "value": 1}]))
    assert secret not in json.dumps(asked(client, values))
