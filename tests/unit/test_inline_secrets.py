"""Credentials in an event itself: which fields count, and how they are refused."""

from typing import Any

import pytest

from contracts.errors import InlineSecretRefused
from contracts.events import EventSpec
from contracts.inline_secrets import inline_secrets, refuse_inline_secrets

PLANTED = "planted-secret"
INLINE = {"value": PLANTED}
NAMED = {"secret": "NAME"}


def script(**fields: Any) -> dict[str, Any]:
    return {"id": "e", "name": "e", "type": "bash", "script": "true", **fields}


def http(**fields: Any) -> dict[str, Any]:
    request = {"url": "https://example.org", **fields}
    return {"id": "e", "name": "e", "type": "http_request", "http": request}


def server(credentials: dict[str, Any], **fields: Any) -> dict[str, Any]:
    endpoint = {"address": "10.0.0.1", "username": "u", "credentials": credentials}
    return {"id": "s", "name": "s", **endpoint, **fields}


def on(*targets: Any) -> dict[str, Any]:
    return script(targets=list(targets))


def does(**action: Any) -> dict[str, Any]:
    return script(actions=[action])


def message(url: str) -> dict[str, Any]:
    return does(kind="message", body="b", targets=[{"url": url}])


def callback(**header: Any) -> dict[str, Any]:
    return does(kind="callback", url="https://a.b", secret="K", headers=[header])


KEY = {"key": INLINE}
JUMP = {"address": "10.0.0.2", "username": "u", "credentials": {"password": INLINE}}
FOUND = [
    (on(server({"password": INLINE})), ["targets[0].credentials.password.value"]),
    (on(server({"password": NAMED}), server({**KEY, "passphrase": INLINE}, name="t")),
     ["targets[1].credentials.key.value", "targets[1].credentials.passphrase.value"]),
    (on(server({"key": NAMED}, jump=[JUMP])),
     ["targets[0].jump[0].credentials.password.value"]),
    (on(server({"key": NAMED}, runAs={"user": "root", "password": INLINE})),
     ["targets[0].runAs.password.value"]),
    (http(auth={"kind": "bearer", "token": PLANTED}), ["http.auth.token.value"]),
    (http(auth={"kind": "basic", "username": "u", "password": PLANTED}),
     ["http.auth.password.value"]),
    (http(headers={"X-A": "1", "Authorization": f"Bearer {PLANTED}"}),
     ["http.headers[1].value"]),
    (http(headers={"cookie": PLANTED, "X-API-Key": PLANTED}),
     ["http.headers[0].value", "http.headers[1].value"]),
    (message(f"slack://{PLANTED}/b/c"), ["actions[0].targets[0].url"]),
    (message(f"jsons://u:{PLANTED}@example.org"), ["actions[0].targets[0].url"]),
    (callback(name="Authorization", value=PLANTED), ["actions[0].headers[0].value"]),
    (does(kind="event", event=does(kind="event", event=on(server(KEY)))),
     ["actions[0].event.actions[0].event.targets[0].credentials.key.value"]),
]  # fmt: skip
HARMLESS = [
    script(env=[{"name": "A", "value": "b"}]),
    on("web-1", server({"password": NAMED})),
    on(server({"key": NAMED, "certificate": INLINE})),
    on(server({"agent": True})),
    http(auth={"kind": "bearer", "token": NAMED}),
    http(auth={"kind": "bearer", "token": "{{ secrets.TOKEN }}"}),
    http(auth={"kind": "basic", "username": "u", "password": NAMED}),
    http(headers={"Authorization": "Bearer {{ secrets.TOKEN }}", "Accept": "a/b"}),
    message("json://example.org/path"),
    does(kind="message", body="b", targets=[NAMED]),
    callback(name="X-Api-Key", secret="NAME"),
]


@pytest.mark.parametrize(("event", "paths"), FOUND, ids=[",".join(p) for _, p in FOUND])
def test_a_credential_is_found_by_its_path(
    event: dict[str, Any], paths: list[str]
) -> None:
    spec = EventSpec.model_validate(event)
    assert list(inline_secrets(spec)) == [f"event.{path}" for path in paths]
    with pytest.raises(InlineSecretRefused) as caught:
        refuse_inline_secrets(spec)
    assert f"event.{paths[0]}" in str(caught.value)
    assert PLANTED not in str(caught.value)
    assert "CRONIUM_ENCRYPTION_KEYS_FILE" in caught.value.user_hint


@pytest.mark.parametrize("event", HARMLESS, ids=range(len(HARMLESS)))
def test_names_and_plain_data_are_no_credentials(event: dict[str, Any]) -> None:
    refuse_inline_secrets(EventSpec.model_validate(event))


def test_a_thousand_credentials_make_one_short_message() -> None:
    servers = [
        server({"password": INLINE}, name=f"s{number}") for number in range(1000)
    ]
    with pytest.raises(InlineSecretRefused, match="and 995 more"):
        refuse_inline_secrets(EventSpec.model_validate(on(*servers)))
