"""The audit log: names of secrets and never values, a closed file, silence when off."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.audit import AuditKind, audit, audited, logger, secret_names
from contracts.events import EventSpec
from contracts.servers import ServerSpec
from tests.caller import event
from worker.audit import OFF, STDOUT, AuditUnavailable, write_audit

VALUE = "v4lue-of-a-secret"


@pytest.fixture(autouse=True)
def off_again() -> Iterator[None]:
    yield
    write_audit(OFF)


def test_nothing_is_written_until_somebody_asks(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.DEBUG):
        audit(AuditKind.LOG_READ, execution_id="x1")
    assert not audited()
    assert caplog.records == []
    assert capfd.readouterr() == ("", "")


def test_lines_go_into_a_file_that_only_its_owner_reads(tmp_path: Path) -> None:
    file = tmp_path / "audit.jsonl"
    write_audit(str(file))
    audit(AuditKind.LOG_READ, execution_id="x\n1", user="ü")
    line = json.loads(file.read_text())
    assert line.pop("time").endswith("Z")
    assert line == {"kind": "logRead", "executionId": "x\n1", "user": "ü"}
    assert len(file.read_text().splitlines()) == 1
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_file_that_was_moved_away_is_made_anew(tmp_path: Path) -> None:
    file = tmp_path / "audit.jsonl"
    write_audit(str(file))
    audit(AuditKind.LOG_READ, execution_id="before")
    file.rename(tmp_path / "audit.jsonl.1")
    audit(AuditKind.LOG_READ, execution_id="after")
    assert '"after"' in file.read_text()
    assert '"before"' in (tmp_path / "audit.jsonl.1").read_text()
    assert file.stat().st_mode & 0o777 == 0o600


def test_lines_go_to_standard_output_when_told_so(
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_audit(STDOUT)
    audit(AuditKind.LOG_READ, execution_id="x1")
    assert json.loads(capsys.readouterr().out)["executionId"] == "x1"


def test_a_place_that_cannot_be_written_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(AuditUnavailable, match=r"nowhere/audit\.jsonl") as caught:
        write_audit(str(tmp_path / "nowhere" / "audit.jsonl"))
    assert "CRONIUM_AUDIT_LOG" in caught.value.user_hint
    assert logger.handlers == []


def test_secrets_of_an_event_are_named_and_never_told() -> None:
    spec = EventSpec.model_validate(
        event(
            f"echo {{{{ secrets.NOT_READ }}}} {VALUE}",
            env=[
                {"name": "A", "secret": "OF_ENV"},
                {"name": "B", "value": VALUE},
                {"name": "C", "value": "{{ secrets.NO_TEMPLATE }}"},
            ],
            actions=[
                {"kind": "message", "body": "x", "targets": [{"secret": "OF_CHAT"}]},
                {"kind": "callback", "url": "https://example.com", "secret": "OF_CALL"},
                {
                    "kind": "event",
                    "event": event("x", env=[{"name": "A", "secret": "OF_OTHER"}]),
                },
            ],
        )
    )
    assert secret_names(spec) == ["OF_CALL", "OF_CHAT", "OF_ENV"]


def test_secrets_of_a_request_are_those_that_the_engine_reads() -> None:
    spec = EventSpec.model_validate(
        event(
            None,
            type="http_request",
            http={
                "method": "POST",
                "url": "https://example.com/{{ secrets.OF_URL }}?a={{input.x}}",
                "headers": [
                    {"name": "X-A", "secret": "OF_HEADER"},
                    {"name": "X-B", "value": "k {{ secrets['OF.INDEX'] }}"},
                    {"name": "X-C", "value": VALUE},
                ],
                "auth": {"kind": "bearer", "token": {"secret": "OF_AUTH"}},
                "tls": {"caSecret": "OF_TLS"},
                "body": {
                    "kind": "json",
                    "content": {
                        "a": [{"secret": "OF_BODY"}],
                        # With a neighbour it is data of the author's own.
                        "b": {"secret": VALUE, "more": 1},
                        "c": {"secret": f"{VALUE} is no name"},
                    },
                },
            },
        )
    )
    assert secret_names(spec) == [
        *("OF.INDEX", "OF_AUTH", "OF_BODY"),
        *("OF_HEADER", "OF_TLS", "OF_URL"),
    ]


def test_secrets_of_a_server_are_named_and_inline_ones_left_out() -> None:
    server = ServerSpec.model_validate(
        {
            "id": "s1",
            "name": "web",
            "address": "192.0.2.1",
            "username": "deploy",
            "credentials": {
                "key": {"secret": "DEPLOY_KEY"},
                "password": {"value": VALUE},
            },
            "jump": [
                {
                    "address": "192.0.2.2",
                    "username": "j",
                    "credentials": {"password": {"secret": "JUMP"}},
                }
            ],
        }
    )
    assert secret_names([server]) == ["DEPLOY_KEY", "JUMP"]
