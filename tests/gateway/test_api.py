"""REST: who sees what, and whether it is all there."""

import base64
import re
import time

import pytest
import sqlalchemy as sa

from gateway.retention import Retention
from gateway.schema import executions, lines, streams
from gateway.tokens import Scope, mint
from tests.gateway.conftest import (
    SECRET,
    Gateway,
    Start,
    batch,
    numbered,
    record,
    until,
)


async def test_the_list_is_newest_first_and_has_pages(gateway: Gateway):
    await gateway.store(*(record(f"x{n}", "RUNNING") for n in range(5)))
    await gateway.store(record("x9", "SUCCESS", stored=0, user="bob"))
    page = (await gateway.get("/api/executions?limit=4")).json()
    assert [e["executionId"] for e in page["executions"]] == ["x9", "x4", "x3", "x2"]
    rest = await gateway.get(f"/api/executions?limit=4&before={page['nextBefore']}")
    assert [e["executionId"] for e in rest.json()["executions"]] == ["x1", "x0"]
    assert rest.json()["nextBefore"] is None
    for query in ("status=SUCCESS", "user=bob"):
        found = (await gateway.get(f"/api/executions?{query}")).json()["executions"]
        assert [e["executionId"] for e in found] == ["x9"]


async def test_a_user_lists_only_their_own_executions(gateway: Gateway):
    await gateway.store(record("a", "RUNNING"), record("b", "RUNNING", user="bob"))
    for query, scope, subject, expected in (
        ("", Scope.USER, "ann", ["a"]),
        ("?user=bob", Scope.USER, "ann", []),
        ("", Scope.EXECUTION, "b", ["b"]),
    ):
        answer = await gateway.get(
            f"/api/executions{query}", headers=gateway.headers(scope, subject)
        )
        assert [e["executionId"] for e in answer.json()["executions"]] == expected


@pytest.mark.parametrize("path", ["", "/logs", "/log.txt"])
async def test_another_users_execution_answers_like_an_unknown_one(
    gateway: Gateway, path: str
):
    await gateway.store(record("x", "RUNNING"), batch("x", 1, "private"))
    for headers in (
        gateway.headers(Scope.USER, "bob"),
        gateway.headers(Scope.EXECUTION, "y"),
    ):
        theirs = await gateway.get(f"/api/executions/x{path}", headers=headers)
        unknown = await gateway.get(f"/api/executions/nope{path}", headers=headers)
        assert theirs.status_code == unknown.status_code == 404
        assert theirs.content == unknown.content
    mine = gateway.headers(Scope.USER, "ann")
    answer = await gateway.get(f"/api/executions/x{path}", headers=mine)
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "token",
    [
        "",
        "nonsense",
        mint(SECRET, Scope.SERVICE, subject="s", lifetime_seconds=-5),
        mint("another secret " * 4, Scope.SERVICE, subject="s"),
        mint(SECRET, Scope.INGEST, subject="w"),
    ],
)
async def test_a_request_without_a_good_token_is_refused_with_401(
    gateway: Gateway, token: str
):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    answer = await gateway.get("/api/executions", headers=headers)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert answer.json()["error"]["type"] == "TokenRefused"
    assert not token or token not in answer.text


async def test_log_pages_lead_to_the_end(gateway: Gateway):
    await gateway.store(numbered("x", 1, 700), record("x", "SUCCESS", stored=700))
    first = (await gateway.get("/api/executions/x/logs?limit=600")).json()
    assert (len(first["lines"]), first["nextSeq"], first["complete"]) == (
        600,
        601,
        False,
    )
    last = (await gateway.get("/api/executions/x/logs?fromSeq=601")).json()
    assert (len(last["lines"]), last["nextSeq"], last["complete"]) == (100, 701, True)
    assert last["status"] == "SUCCESS"


async def test_log_pages_can_be_filtered(gateway: Gateway):
    await gateway.store(
        batch("x", 1, "a"),
        batch("x", 1, "b", stream="stderr"),
        batch("x", 1, "c", target="web1"),
        batch("x", 1, "d", attempt=2),
    )
    for query, expected in (
        ("stream=stderr", ["b"]),
        ("target=web1", ["c"]),
        ("attempt=2", ["d"]),
        ("target=local&stream=stdout&attempt=1", ["a"]),
        ("target=none", []),
    ):
        page = (await gateway.get(f"/api/executions/x/logs?{query}")).json()
        assert [line["text"] for line in page["lines"]] == expected
        assert page["nextSeq"] == 5


async def test_a_page_of_long_lines_is_shorter_than_asked(gateway: Gateway):
    async with gateway.worker() as worker:
        for first in range(1, 601, 30):
            await worker.send(batch("x", first, *["y" * 60_000] * 30))
        await worker.answered()
    page = (await gateway.get("/api/executions/x/logs?limit=5000")).json()
    assert page["nextSeq"] == len(page["lines"]) + 1 < 600
    assert len(await gateway.log("x")) == 600


async def test_the_download_has_the_exact_bytes(gateway: Gateway):
    odd = b"\xff\xfe caf\xe9"
    await gateway.store(
        batch("x", 1, "grün", "\ufffd", raw={"1": base64.b64encode(odd).decode()}),
        numbered("x", 3, 1000),
    )
    answer = await gateway.get("/api/executions/x/log.txt")
    rest = b"".join(b"%d\n" % n for n in range(3, 1003))
    assert answer.content == "grün\n".encode() + odd + b"\n" + rest
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="x.log.txt"'
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_a_download_name_cannot_break_out_of_its_header(gateway: Gateway):
    await gateway.store(batch('a"; x=".exe', 1, "a"))
    answer = await gateway.get("/api/executions/a%22;%20x=%22.exe/log.txt")
    name = 'attachment; filename="a___x__.exe.log.txt"'
    assert answer.headers["Content-Disposition"] == name


async def test_openapi_is_valid_and_every_operation_is_described(gateway: Gateway):
    document = (await gateway.get("/openapi.json")).json()
    assert document["openapi"].startswith("3.")
    text = str(document)
    for name in re.findall(r"#/components/schemas/(\w+)", text):
        assert name in document["components"]["schemas"]
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert operation["summary"], path
            assert operation["tags"], path
            assert {"200", "201", "202"} & set(operation["responses"]), path
    answers = document["paths"]["/api/executions/{execution_id}"]["get"]["responses"]
    assert {"200", "401", "404"} <= set(answers)
    assert (await gateway.get("/docs")).status_code == 200


async def test_errors_have_one_shape(gateway: Gateway):
    for path, status in (
        ("/nowhere", 404),
        ("/api/executions?limit=SECRET", 422),
        ("/api/executions/none", 404),
    ):
        answer = await gateway.get(path)
        assert answer.status_code == status
        assert set(answer.json()["error"]) == {"type", "message", "hint"}
        assert "SECRET" not in answer.text


async def test_an_unforeseen_error_says_nothing_about_the_inside(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
):
    async def broken(_: str) -> None:
        raise LookupError("inside")

    monkeypatch.setattr(gateway.services.reads, "find", broken)
    answer = await gateway.get("/api/executions/x/logs")
    assert answer.status_code == 500
    assert "inside" not in answer.text
    assert answer.json()["error"]["hint"]


async def test_health_names_the_part_that_fails(gateway: Gateway):
    assert (await gateway.get("/live")).json() == {"status": "ok"}
    assert (await gateway.get("/health")).json()["status"] == "ok"
    assert (await gateway.get("/ready")).status_code == 200
    async with gateway.services.database.writer.begin() as connection:
        await connection.execute(sa.text("ALTER TABLE executions RENAME TO gone"))
    answer = await gateway.get("/ready")
    assert answer.status_code == 503
    assert answer.json()["error"]["message"].startswith("database:")
    await gateway.services.intake.stop()
    checks = (await gateway.get("/health")).json()["checks"]
    assert checks["writer"] == "the writer has ended"


async def test_metrics_count_lines_and_connections(gateway: Gateway):
    async with gateway.worker() as worker, gateway.viewer("x") as socket:
        await worker.store(numbered("x", 1, 7), numbered("x", 1, 7))
        await socket.recv()
        text = (await gateway.get("/metrics")).text
    for line in (
        "cronium_gateway_lines_stored_total 7.0",
        "cronium_gateway_ingest_connections 1.0",
        "cronium_gateway_viewers 1.0",
        "cronium_gateway_viewer_cut_offs_total 0.0",
    ):
        assert line in text
    assert "cronium_gateway_commit_seconds_count" in text


async def test_only_configured_origins_may_call(start: Start):
    gateway = await start(cors_origins=("https://app.example.com",))
    for origin, allowed in (("https://app.example.com", True), ("https://evil", False)):
        headers = gateway.headers() | {"Origin": origin}
        answer = await gateway.get("/api/executions", headers=headers)
        assert ("Access-Control-Allow-Origin" in answer.headers) is allowed


async def test_old_executions_are_deleted_with_their_lines(gateway: Gateway):
    await gateway.store(numbered("old", 1, 5000), record("old", "SUCCESS", stored=5000))
    await gateway.store(numbered("new", 1, 10))
    services = gateway.services
    async with services.database.writer.begin() as connection:
        old = executions.c.execution_id == "old"
        past = time.time() - 31 * 86_400
        await connection.execute(
            sa.update(executions).where(old).values(updated_at=past)
        )
    sweep = Retention(services.database, services.store, 30).sweep
    assert await sweep() == 1
    assert (await gateway.get("/api/executions/old")).status_code == 404
    assert len(await gateway.log("new")) == 10
    async with services.database.reader.connect() as connection:
        for table, expected in ((lines, 10), (streams, 1), (executions, 1)):
            query = sa.select(sa.func.count()).select_from(table)
            assert (await connection.execute(query)).scalar() == expected
    await gateway.store(numbered("old", 1, 3))
    assert [line["seq"] for line in await gateway.log("old")] == [1, 2, 3]
    assert await sweep() == 0


async def test_a_gateway_that_starts_deletes_what_is_old(start: Start):
    first = await start()
    await first.store(numbered("x", 1, 3))
    second = await start(retention_days=1e-9)

    async def gone() -> bool:
        return (await second.get("/api/executions/x")).status_code == 404

    await until(gone)
