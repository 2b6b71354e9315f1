"""Variables: typed, atomic, each user's own; on SQLite and on PostgreSQL."""

import asyncio
import json
import time
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from contracts.json_values import same_json
from contracts.limits import CALL_MEMORY_SECONDS, MAX_VARIABLE_CHARS
from gateway import variables as variables_module
from gateway.schema import variable_replies
from gateway.tokens import Scope
from tests.gateway.conftest import Gateway, Start

ANN = "/api/users/ann/variables"
JSON = {"Content-Type": "application/json"}
VALUES: list[Any] = [
    *(0, 1, -1, 2**63, 10**40, 0.1, 1.0, 1e300, True, False, None, "", "text"),
    *("5", "null", "ü€𝄞\u0000\u2028", [], {}, [1, "a", None], {"a": {"b": [0]}}),
]


@pytest.fixture
async def gateway(start: Start, database_url: str) -> Gateway:
    return await start(database_url=database_url)


async def put(http: httpx.AsyncClient, key: str, value: Any, **more: Any) -> Any:
    return await http.put(f"{ANN}/{key}", json={"value": value, **more})


async def value_of(http: httpx.AsyncClient, key: str) -> Any:
    answer = await http.get(f"{ANN}/{key}")
    return json.loads(answer.text)["value"]


def error_of(answer: httpx.Response) -> str:
    return str(answer.json()["error"]["type"])


async def test_every_json_value_comes_back_as_it_was(gateway: Gateway):
    async with gateway.http() as http:
        for value in VALUES:
            answer = await put(http, "A", value)
            assert answer.status_code == 200
            found = await value_of(http, "A")
            assert type(found) is type(value)
            assert same_json(found, value)
            assert same_json(json.loads(answer.text)["value"], value)


async def test_a_variable_says_its_version_time_and_description(gateway: Gateway):
    async with gateway.http() as http:
        first = (await put(http, "A", 1, description="for tests")).json()
        second = (await put(http, "A", 2)).json()
        third = (await http.post(f"{ANN}/A/increment", json={})).json()
        assert [x["version"] for x in (first, second, third)] == [1, 2, 3]
        assert third["description"] == "for tests"
        assert third["updatedAt"] >= second["updatedAt"] >= first["updatedAt"]
        assert (await http.get(f"{ANN}/A")).json() == third
        assert (await put(http, "A", 2, description="")).json()["description"] == ""


async def test_what_is_not_set_is_404(gateway: Gateway):
    async with gateway.http() as http:
        for key in ("NOPE", "a%2Fb", "..", "%00", "CRONIUM_X", "%F0%9D%84%9E"):
            answer = await http.get(f"{ANN}/{key}")
            assert answer.status_code == 404
        assert error_of(await http.get(f"{ANN}/NOPE")) == "VariableNotFound"


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("CRONIUM_X", "begin with CRONIUM_ are reserved"),
        ("SYSTEM_X", "begin with SYSTEM_ are reserved"),
        ("NODE_ENV", "begin with NODE_ are reserved"),
        ("PATH", "PATH is reserved"),
        ("HOME", "HOME is reserved"),
        ("1A", "not a name"),
        ("A%20B", "not a name"),
        ("A%2FB", "not a name"),
        ("%C3%9C", "not a name"),
        ("A" * 101, "not a name"),
    ],
)
async def test_a_key_that_breaks_a_rule_is_refused_with_the_rule(
    gateway: Gateway, key: str, words: str
):
    async with gateway.http() as http:
        for answer in (
            await put(http, key, 1),
            await http.post(f"{ANN}/{key}/increment", json={}),
            await http.post(f"{ANN}/{key}/append", json={"value": 1}),
        ):
            assert answer.status_code == 422
            assert answer.json()["error"]["type"] == "VariableRefused"
            assert words in answer.json()["error"]["message"]
        assert (await http.delete(f"{ANN}/{key}")).json() == {"deleted": False}


async def test_lower_case_keys_of_older_scripts_are_taken(gateway: Gateway):
    async with gateway.http() as http:
        for key in ("last_run", "A", "_x", "a.b-c", "path", "A" * 100, "PATHS"):
            assert (await put(http, key, 1)).status_code == 200
        hint = (await put(http, "1", 1)).json()["error"]["hint"]
        assert "A_NAME_LIKE_THIS" in hint
        assert "lower case" in hint


async def test_a_value_may_have_10000_characters_of_json(gateway: Gateway):
    async with gateway.http() as http:
        fits = "ü" * (MAX_VARIABLE_CHARS - 2)
        assert (await put(http, "A", fits)).status_code == 200
        answer = await put(http, "A", fits + "x")
        assert answer.status_code == 422
        assert "10001 characters" in answer.json()["error"]["message"]
        answer = await http.post(f"{ANN}/A/append", json={"value": "x"})
        assert answer.status_code == 422
        assert await value_of(http, "A") == fits


@pytest.mark.parametrize(
    "body",
    [
        '{"value": NaN}',
        '{"value": [Infinity]}',
        '{"value": 1e999}',
        '{"value": "\\ud800"}',
        '{"value": {"\\udc00": 1}}',
        '{"value": ' + "[" * 150 + "]" * 150 + "}",
    ],
)
async def test_what_other_parsers_could_not_read_is_refused(
    gateway: Gateway, body: str
):
    async with gateway.http() as http:
        for answer in (
            await http.put(f"{ANN}/A", content=body, headers=JSON),
            await http.post(f"{ANN}/A/append", content=body, headers=JSON),
        ):
            assert answer.status_code == 422
            assert answer.json()["error"]["message"].startswith("value: ")
        assert (await http.get(f"{ANN}/A")).status_code == 404


async def test_a_body_that_is_no_request_is_refused(gateway: Gateway):
    deep = '{"value":' + "[" * 100_000
    async with gateway.http() as http:
        for body in ("", "{", "[]", '{"wert": 1}', '{"value": 1, "x": 2}', deep):
            answer = await http.put(f"{ANN}/A", content=body, headers=JSON)
            assert answer.status_code in (400, 422)
        huge = await http.put(f"{ANN}/A", content=b" " * 3_000_000, headers=JSON)
        assert huge.status_code == 413
        for by in ('"1"', "true", "null", "NaN", "1e999"):
            path = f"{ANN}/A/increment"
            body = f'{{"by": {by}}}'
            answer = await http.post(path, content=body, headers=JSON)
            assert answer.status_code == 422


async def test_200_increments_at_once_end_at_exactly_200(gateway: Gateway):
    async with gateway.http(timeout=60) as http:
        answers = await asyncio.gather(
            *(http.post(f"{ANN}/N/increment", json={}) for _ in range(200))
        )
        assert sorted(a.json()["value"] for a in answers) == list(range(1, 201))
        assert (await http.get(f"{ANN}/N")).json()["version"] == 200


async def test_two_gateways_on_one_database_lose_no_increment(
    start: Start, database_url: str
):
    one = await start(database_url=database_url)
    two = await start(database_url=database_url)
    async with one.http(timeout=60) as first, two.http(timeout=60) as second:
        answers = await asyncio.gather(
            *(
                http.post(f"{ANN}/N/increment", json={})
                for _ in range(100)
                for http in (first, second)
            )
        )
    assert sorted(a.json()["value"] for a in answers) == list(range(1, 201))


async def test_increments_add_numbers_of_both_kinds(gateway: Gateway):
    async with gateway.http() as http:
        for by, total in ((5, 5), (-7, -2), (0.5, -1.5), (1.5, 0.0), (2**70, 2.0**70)):
            answer = await http.post(f"{ANN}/N/increment", json={"by": by})
            assert answer.json()["value"] == total
        await put(http, "N", 1e308)
        answer = await http.post(f"{ANN}/N/increment", json={"by": 1e308})
        assert (answer.status_code, error_of(answer)) == (422, "VariableRefused")
        assert await value_of(http, "N") == 1e308


@pytest.mark.parametrize("value", [None, True, "5", [1], {}])
async def test_only_numbers_are_incremented(gateway: Gateway, value: Any):
    async with gateway.http() as http:
        await put(http, "N", value)
        answer = await http.post(f"{ANN}/N/increment", json={})
        assert (answer.status_code, error_of(answer)) == (409, "NotANumber")
        assert same_json(await value_of(http, "N"), value)


async def test_appending_makes_strings_and_lists_longer(gateway: Gateway):
    async def append(key: str, value: Any, **more: Any) -> Any:
        body = {"value": value, **more}
        return (await http.post(f"{ANN}/{key}/append", json=body)).json()["value"]

    async with gateway.http() as http:
        assert await append("S", "a", separator=", ") == "a"
        assert await append("S", "b", separator=", ") == "a, b"
        assert await append("S", "c") == "a, bc"
        assert await append("L", {"n": 1}) == [{"n": 1}]
        assert await append("L", [2]) == [{"n": 1}, [2]]
        await put(http, "E", "")
        assert await append("E", "x", separator="\n") == "x"


@pytest.mark.parametrize(
    ("value", "added"), [(1, "a"), (None, "a"), ({}, 1), ("a", 1), (True, True)]
)
async def test_nothing_else_can_be_appended(gateway: Gateway, value: Any, added: Any):
    async with gateway.http() as http:
        await put(http, "S", value)
        answer = await http.post(f"{ANN}/S/append", json={"value": added})
        assert (answer.status_code, error_of(answer)) == (409, "NotAppendable")


async def test_appends_at_once_are_all_there(gateway: Gateway):
    async with gateway.http(timeout=60) as http:
        await asyncio.gather(
            *(http.post(f"{ANN}/L/append", json={"value": n}) for n in range(50))
        )
        assert sorted(await value_of(http, "L")) == list(range(50))


async def test_compare_and_set_writes_only_when_the_value_is_the_expected_one(
    gateway: Gateway,
):
    async with gateway.http() as http:
        answer = await put(http, "A", 1, expected=None)
        assert (answer.status_code, error_of(answer)) == (409, "VariableConflict")
        assert (await put(http, "A", {"x": [1]}, ifAbsent=True)).status_code == 200
        assert (await put(http, "A", 2, ifAbsent=True)).status_code == 409
        assert (await put(http, "A", 2, expected={"x": [True]})).status_code == 409
        assert (await put(http, "A", None, expected={"x": [1.0]})).status_code == 200
        assert (await put(http, "A", 3, expected=False)).status_code == 409
        assert (await put(http, "A", 3, expected=None)).status_code == 200
        assert (await put(http, "A", 4, expectedVersion=2)).status_code == 409
        assert (await put(http, "A", 4, expectedVersion=3)).status_code == 200
        assert await value_of(http, "A") == 4


async def test_of_many_that_compare_and_set_at_once_one_wins(gateway: Gateway):
    async with gateway.http(timeout=60) as http:
        for key, condition in (("A", {"ifAbsent": True}), ("B", {"expected": 0})):
            await put(http, "B", 0)
            answers = await asyncio.gather(
                *(put(http, key, n + 1, **condition) for n in range(20))
            )
            codes = sorted(answer.status_code for answer in answers)
            assert codes == [200] + [409] * 19
            winner = next(a for a in answers if a.status_code == 200)
            assert await value_of(http, key) == winner.json()["value"]


async def test_a_call_sent_again_with_its_key_is_applied_once(gateway: Gateway):
    async with gateway.http() as http:
        again = {"headers": {"Idempotency-Key": "k1"}}
        for path, body in (("N/increment", {"by": 2}), ("S/append", {"value": "x"})):
            again = {"headers": {"Idempotency-Key": path}}
            one = await http.post(f"{ANN}/{path}", json=body, **again)
            await http.post(f"{ANN}/{path}", json=body)
            two = await http.post(f"{ANN}/{path}", json=body, **again)
            assert one.status_code == 200
            assert two.json() == one.json()
        assert await value_of(http, "N") == 4
        assert await value_of(http, "S") == "xx"
        again = {"headers": {"Idempotency-Key": "cas"}}
        body = {"value": 9, "expected": 4}
        codes = [
            (await http.put(f"{ANN}/N", json=body, **again)).status_code
            for _ in range(2)
        ]
        assert codes == [200, 200]
        again = {"headers": {"Idempotency-Key": "gone"}}
        found = [(await http.delete(f"{ANN}/N", **again)).json() for _ in range(2)]
        assert found == [{"deleted": True}] * 2


async def test_the_same_call_at_the_same_moment_is_applied_once(gateway: Gateway):
    async with gateway.http(timeout=60) as http:
        again = {"headers": {"Idempotency-Key": "k"}}
        answers = await asyncio.gather(
            *(http.post(f"{ANN}/N/increment", json={}, **again) for _ in range(20))
        )
        assert {a.json()["value"] for a in answers} == {1}
        assert (await http.get(f"{ANN}/N")).json()["version"] == 1


async def test_a_key_of_another_call_is_refused(gateway: Gateway):
    async with gateway.http() as http:
        again = {"headers": {"Idempotency-Key": "k"}}
        await http.post(f"{ANN}/N/increment", json={}, **again)
        for path, body in (("N/increment", {"by": 2}), ("M/increment", {})):
            answer = await http.post(f"{ANN}/{path}", json=body, **again)
            assert (answer.status_code, error_of(answer)) == (409, "VariableConflict")
        other = "/api/users/bob/variables/N/increment"
        assert (await http.post(other, json={}, **again)).json()["value"] == 1


async def test_a_call_that_failed_may_succeed_when_it_is_sent_again(gateway: Gateway):
    async with gateway.http() as http:
        again = {"headers": {"Idempotency-Key": "k"}}
        await put(http, "N", "text")
        answer = await http.post(f"{ANN}/N/increment", json={}, **again)
        assert answer.status_code == 409
        await put(http, "N", 1)
        answer = await http.post(f"{ANN}/N/increment", json={}, **again)
        assert answer.json()["value"] == 2


async def test_remembered_replies_are_pruned(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(variables_module, "_PRUNE_SECONDS", 0.0)
    async with gateway.http() as http:
        for key in ("old", "new"):
            again = {"headers": {"Idempotency-Key": key}}
            await http.post(f"{ANN}/N/increment", json={}, **again)
        async with gateway.services.database.writer.begin() as connection:
            await connection.execute(
                sa.update(variable_replies)
                .where(variable_replies.c.idempotency_key == "old")
                .values(created_at=time.time() - CALL_MEMORY_SECONDS - 1)
            )
        await put(http, "N", 0)
        async with gateway.services.database.reader.connect() as connection:
            left = await connection.execute(
                sa.select(variable_replies.c.idempotency_key)
            )
            assert list(left.scalars()) == ["new"]


async def test_the_list_has_pages_and_a_prefix(gateway: Gateway):
    async with gateway.http() as http:
        for key in ("b", "B", "A_2", "A_1", "a_1", "AB"):
            await put(http, key, key)
        await http.put("/api/users/bob/variables/A_9", json={"value": 9})
        page = (await http.get(ANN)).json()
        keys = [v["key"] for v in page["variables"]]
        assert keys == ["AB", "A_1", "A_2", "B", "a_1", "b"]
        assert page["nextAfter"] is None
        page = (await http.get(f"{ANN}?limit=4")).json()
        rest = (await http.get(f"{ANN}?limit=4&after={page['nextAfter']}")).json()
        assert [v["key"] for v in page["variables"] + rest["variables"]] == keys
        for prefix, expected in (
            ("A_", ["A_1", "A_2"]),
            ("a", ["a_1"]),
            ("A_%25", []),
            ("%00", []),
            ("1", []),
        ):
            page = (await http.get(f"{ANN}?prefix={prefix}")).json()
            assert [v["key"] for v in page["variables"]] == expected


async def test_a_page_of_long_values_is_cut(gateway: Gateway, monkeypatch: Any):
    monkeypatch.setattr(variables_module, "_MAX_PAGE_CHARS", 20)
    async with gateway.http() as http:
        for key in ("A", "B", "C"):
            await put(http, key, "x" * 10)
        seen, after = [], ""
        while after is not None:
            page = (await http.get(f"{ANN}?after={after}")).json()
            seen.append([v["key"] for v in page["variables"]])
            after = page["nextAfter"]
        assert seen == [["A"], ["B"], ["C"]]


async def test_a_deleted_variable_is_gone(gateway: Gateway):
    async with gateway.http() as http:
        await put(http, "A", 1)
        assert (await http.delete(f"{ANN}/A")).json() == {"deleted": True}
        assert (await http.get(f"{ANN}/A")).status_code == 404
        assert (await http.delete(f"{ANN}/A")).json() == {"deleted": False}
        assert (await put(http, "A", 1)).json()["version"] == 1


async def test_a_user_has_a_limited_number_of_variables(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(variables_module, "MAX_VARIABLES_PER_USER", 2)
    async with gateway.http() as http:
        for key in ("A", "B"):
            await put(http, key, 1)
        answer = await put(http, "C", 1)
        assert (answer.status_code, error_of(answer)) == (422, "VariableRefused")
        assert "2 variables" in answer.json()["error"]["message"]
        assert (await put(http, "A", 2)).status_code == 200


async def test_a_users_token_reaches_only_the_users_own_variables(gateway: Gateway):
    await gateway.get("/live")
    async with gateway.http() as http:
        await put(http, "A", 1)
    async with gateway.http(headers=gateway.headers(Scope.USER, "ann")) as http:
        assert await value_of(http, "A") == 1
        assert (await put(http, "A", 2)).status_code == 200
    async with gateway.http(headers=gateway.headers(Scope.USER, "bob")) as http:
        for answer in (
            await http.get(ANN),
            await http.get(f"{ANN}/A"),
            await put(http, "A", 3),
            await http.delete(f"{ANN}/A"),
            await http.post(f"{ANN}/A/increment", json={}),
        ):
            assert (answer.status_code, error_of(answer)) == (404, "VariableNotFound")
    async with gateway.http() as http:
        assert await value_of(http, "A") == 2


@pytest.mark.parametrize("scope", [Scope.INGEST, Scope.EXECUTION, None])
async def test_other_tokens_reach_no_variables(gateway: Gateway, scope: Scope | None):
    headers = gateway.headers(scope, "ann") if scope else {}
    async with gateway.http(headers=headers) as http:
        for answer in (await http.get(ANN), await put(http, "A", 1)):
            assert (answer.status_code, error_of(answer)) == (401, "TokenRefused")


async def test_variables_outlive_the_gateway(start: Start, database_url: str):
    first = await start(database_url=database_url)
    async with first.http() as http:
        await put(http, "A", {"kept": True})
    second = await start(database_url=database_url)
    async with second.http() as http:
        assert await value_of(http, "A") == {"kept": True}


async def test_the_page_of_the_api_describes_variables(start: Start):
    gateway = await start()
    paths = (await gateway.get("/openapi.json")).json()["paths"]
    one = paths["/api/users/{user}/variables/{key}"]
    assert set(one) == {"get", "put", "delete"}
    assert "409" in one["put"]["responses"]
    names = [p["name"] for p in one["put"]["parameters"]]
    assert names == ["user", "key", "idempotency-key"]
