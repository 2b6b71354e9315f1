"""Descriptions of servers: what is accepted, what is refused, what is never told."""

from typing import Any

import pytest
from pydantic import ValidationError

from contracts.server_errors import ENGINE_AWAY_TYPES
from contracts.servers import ServerSpec
from contracts.validation import problems_of, sentence

PLANTED = "planted-7f3a-secret"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMpq8YSkW8zvGk0dnvLjTFjJ9zpcS2l9yzF2QqMgBvTX"


def server(**changes: Any) -> dict[str, Any]:
    return {
        "id": "s1",
        "name": "Web 1",
        "address": "web1.example.org",
        "username": "deploy",
        "credentials": {"key": {"secret": "DEPLOY_KEY"}},
        **changes,
    }


def refusal(**changes: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        ServerSpec.model_validate(server(**changes))
    text = sentence(problems_of(caught.value, ServerSpec))
    assert PLANTED not in text + str(caught.value) + repr(caught.value)
    return text


def test_the_least_that_is_needed_has_sound_defaults() -> None:
    spec = ServerSpec.model_validate(server())
    assert (spec.port, spec.host_keys, spec.pty, spec.run_as) == (22, [], False, None)
    deadlines = spec.deadlines
    assert deadlines.connect_seconds < deadlines.total_seconds


def test_everything_comes_back_from_json_as_it_was() -> None:
    spec = ServerSpec.model_validate(
        server(
            hostKeys=[KEY, KEY + " root@web1", "SHA256:" + "a" * 43],
            jump=[
                {
                    "address": "10.0.0.1",
                    "username": "hop",
                    "credentials": {"password": {"value": PLANTED}},
                }
            ],
            runAs={"user": "app", "password": {"secret": "SUDO"}},
            workingDirectory="/srv/app",
            algorithms={"kex": ["diffie-hellman-group14-sha1"]},
            tags=["web"],
            groups=["eu"],
        )
    )
    assert ServerSpec.model_validate_json(spec.model_dump_json()) == spec
    assert '"hostKeys"' in spec.model_dump_json()
    assert PLANTED not in repr(spec)
    assert PLANTED not in str(spec)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"address": "-oProxyCommand=id"}, "address"),
        ({"address": "a b"}, "address"),
        ({"username": "-l root"}, "username"),
        ({"port": 0}, "port"),
        ({"credentials": {}}, "at least one of"),
        ({"credentials": {"key": {}}}, "either `secret`"),
        ({"credentials": {"key": {"secret": "A", "value": PLANTED}}}, "not both"),
        ({"credentials": {"passphrase": {"value": PLANTED}, "agent": True}}, "a `key`"),
        ({"credentials": {"key": PLANTED}}, "credentials.key"),
        ({"credentials": {"token": PLANTED}}, "unknown field"),
        ({"hostKeys": [PLANTED]}, "SHA256:"),
        ({"hostKeys": ["MD5:aa:bb"]}, "SHA256:"),
        ({"hostKeys": [KEY + "\nssh-rsa AAAA"]}, "hostKeys"),
        ({"workingDirectory": "relative"}, "workingDirectory"),
        ({"workingDirectory": "/a\nb"}, "workingDirectory"),
        ({"algorithms": {"ciphers": ["a,b"]}}, "algorithms.ciphers"),
        ({"deadlines": {"connectSeconds": 0}}, "connectSeconds"),
        ({"runAs": {"user": "a b"}}, "runAs.user"),
        ({"hostKey": KEY}, "did you mean hostKeys"),
    ],
)
def test_a_wrong_description_is_refused_by_name(
    changes: dict[str, Any], words: str
) -> None:
    assert words in refusal(**changes)


def test_the_types_of_absence_are_all_of_ssh_that_may_pass() -> None:
    assert {
        "EngineUnavailable",
        "SshBreakerOpen",
        "SshIdleTimeout",
    } <= ENGINE_AWAY_TYPES
    assert "SshAuthFailed" not in ENGINE_AWAY_TYPES
