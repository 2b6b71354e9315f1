"""Where requests may go: by address, after resolution, before anything is sent."""

import asyncio
import ipaddress
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import anyio
import pytest

from engines.http import AddressPolicy, HttpConfig
from engines.http.addresses import kind_of
from tests.http_servers import (
    LOOPBACK,
    Sent,
    Server,
    event_of,
    ok,
    redirect,
    send,
    serving,
)

NOBODY = HttpConfig(addresses=AddressPolicy())


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("127.0.0.1", "loopback"),
        ("127.255.0.9", "loopback"),
        ("::1", "loopback"),
        ("0.0.0.0", "unspecified"),
        ("::", "unspecified"),
        ("0.1.2.3", "reserved"),
        ("10.0.0.1", "private"),
        ("172.16.0.1", "private"),
        ("172.31.255.255", "private"),
        ("192.168.1.1", "private"),
        ("100.64.0.1", "private"),
        ("169.254.169.254", "link-local"),
        ("fe80::1", "link-local"),
        ("fc00::1", "private"),
        ("fd12:3456::1", "private"),
        ("fd00:ec2::254", "metadata"),
        ("100.100.100.200", "metadata"),
        ("192.0.0.192", "metadata"),
        ("224.0.0.1", "multicast"),
        ("ff02::1", "multicast"),
        ("255.255.255.255", "reserved"),
        ("240.0.0.1", "reserved"),
        ("192.0.2.1", "reserved"),
        ("198.18.0.1", "reserved"),
        ("::ffff:127.0.0.1", "loopback"),
        ("::ffff:10.0.0.1", "private"),
        ("::ffff:169.254.169.254", "link-local"),
        ("::127.0.0.1", "tunnelled"),
        ("64:ff9b::7f00:1", "loopback"),
        ("64:ff9b::a9fe:a9fe", "link-local"),
        ("64:ff9b:1::a00:1", "tunnelled"),
        ("2002:7f00:1::", "tunnelled"),
        ("2001:0:1::", "tunnelled"),
        ("fec0::1", "tunnelled"),
        ("2001:db8::1", "reserved"),
        ("8.8.8.8", None),
        ("172.32.0.1", None),
        ("100.128.0.1", None),
        ("::ffff:8.8.8.8", None),
        ("64:ff9b::808:808", None),
        ("2606:4700::1111", None),
    ],
)
def test_each_address_has_its_kind(address: str, kind: str | None) -> None:
    assert kind_of(ipaddress.ip_address(address)) == kind


@pytest.mark.parametrize(
    ("policy", "host", "address", "refused"),
    [
        (AddressPolicy(), "a", "10.0.0.1", True),
        (AddressPolicy("allow"), "a", "10.0.0.1", False),
        (AddressPolicy("allow"), "a", "::1", False),
        (AddressPolicy("allow"), "a", "169.254.169.254", True),
        (AddressPolicy("allow"), "a", "fd00:ec2::254", True),
        (AddressPolicy("allow"), "a", "0.0.0.0", True),
        (AddressPolicy(allowed=("10.0.0.0/8",)), "a", "10.9.9.9", False),
        (AddressPolicy(allowed=("10.0.0.0/8",)), "a", "::ffff:10.9.9.9", False),
        (AddressPolicy(allowed=("10.0.0.0/8",)), "a", "192.168.0.1", True),
        (AddressPolicy(allowed=("169.254.0.0/16",)), "a", "169.254.1.1", False),
        (AddressPolicy(allowed=("in.example",)), "IN.example.", "10.0.0.1", False),
        (AddressPolicy(allowed=("*.example",)), "a.example", "10.0.0.1", False),
        (AddressPolicy(allowed=("*.example",)), "example.org", "10.0.0.1", True),
        (AddressPolicy(), "a", "fe80::1%eth0", True),
    ],
)
def test_the_operator_s_choice_decides(
    policy: AddressPolicy, host: str, address: str, refused: bool
) -> None:
    assert (policy.refusal(host, address) is not None) is refused


Connects = list[tuple[str, int]]


@pytest.fixture
def connects(monkeypatch: pytest.MonkeyPatch) -> Connects:
    """Every TCP connection that is asked for; those elsewhere than here fail."""
    asked: Connects = []
    real: Callable[..., Any] = anyio.connect_tcp

    async def watch(remote_host: str, remote_port: int, **more: Any) -> Any:
        asked.append((remote_host, remote_port))
        if remote_host != "127.0.0.1":
            raise OSError(113, "no packet leaves this test")
        return await real(remote_host, remote_port, **more)

    monkeypatch.setattr(anyio, "connect_tcp", watch)
    return asked


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serving(ok()) as made:
        yield made


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{port}/", "http://localhost:{port}/", "http://[::1]:{port}/",
        "http://0.0.0.0:{port}/", "http://2130706433:{port}/", "http://0x7f.1:{port}/",
        "http://127.1:{port}/", "http://[::]:{port}/",
        "http://[::ffff:127.0.0.1]:{port}/", "http://[64:ff9b::7f00:1]:{port}/",
        "http://169.254.169.254/latest/meta-data/", "http://10.0.0.1/",
    ],
)  # fmt: skip
async def test_a_private_address_is_refused_in_every_spelling_without_a_connect(
    url: str, server: Server, connects: Connects
) -> None:
    sent = await send(event_of(url.format(port=server.port)), config=NOBODY)
    assert sent.error == "HttpAddressRefused"
    assert sent.end.error is not None
    assert not sent.end.error.retryable
    assert "http.allowed_hosts" in sent.end.error.hint
    assert (connects, server.connections) == ([], 0)


@pytest.mark.parametrize(
    "to", ["http://169.254.169.254/", "http://[fd00:ec2::254]/", "http://10.0.0.1/x"]
)
async def test_a_redirect_to_a_private_address_is_refused_without_a_connect(
    to: str, connects: Connects
) -> None:
    async with serving(redirect(to)) as first:
        sent = await send(event_of(first.url))
    assert sent.error == "HttpAddressRefused"
    assert connects == [("127.0.0.1", first.port)]
    assert sent.end.response.status == 302
    assert sent.end.response.redirects[0].url == to


async def answered_by(
    monkeypatch: pytest.MonkeyPatch, answers: list[list[str]], event: Any, config: Any
) -> tuple[Sent, int]:
    """Send with a name server of the test's own; return how often it was asked."""
    loop, asked = asyncio.get_running_loop(), 0

    async def lookup(host: str, port: int, **_: Any) -> list[Any]:
        nonlocal asked
        addresses = answers[min(asked, len(answers) - 1)]
        asked += 1
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, port)) for a in addresses
        ]

    monkeypatch.setattr(loop, "getaddrinfo", lookup)
    return await send(event, config=config), asked


async def test_a_name_is_asked_once_and_the_checked_address_is_connected_to(
    monkeypatch: pytest.MonkeyPatch, server: Server, connects: Connects
) -> None:
    # The second answer is what a rebinding name server would give.
    sent, asked = await answered_by(
        monkeypatch,
        [["127.0.0.1"], ["10.0.0.1"]],
        event_of(f"http://rebind.example:{server.port}/"),
        HttpConfig(addresses=LOOPBACK),
    )
    assert (sent.error, asked) == (None, 1)
    assert connects == [("127.0.0.1", server.port)]
    assert server.seen[0].one("host") == f"rebind.example:{server.port}"


async def test_each_redirect_is_looked_up_and_checked_anew(
    monkeypatch: pytest.MonkeyPatch, connects: Connects
) -> None:
    async with serving(redirect("/again")) as server:
        sent, asked = await answered_by(
            monkeypatch,
            [["127.0.0.1"], ["10.0.0.1"]],
            event_of(f"http://rebind.example:{server.port}/"),
            HttpConfig(addresses=LOOPBACK),
        )
    assert (sent.error, asked) == ("HttpAddressRefused", 2)
    assert connects == [("127.0.0.1", server.port)]


async def test_one_private_address_among_public_ones_refuses_the_name(
    monkeypatch: pytest.MonkeyPatch, connects: Connects
) -> None:
    sent, _ = await answered_by(
        monkeypatch,
        [["8.8.8.8", "10.0.0.1"]],
        event_of("http://mixed.example/"),
        NOBODY,
    )
    assert (sent.error, connects) == ("HttpAddressRefused", [])


async def test_the_next_address_is_tried_when_one_does_not_answer(
    monkeypatch: pytest.MonkeyPatch, server: Server, connects: Connects
) -> None:
    sent, _ = await answered_by(
        monkeypatch,
        [["127.0.0.9", "127.0.0.1"]],
        event_of(f"http://two.example:{server.port}/"),
        HttpConfig(addresses=AddressPolicy("allow")),
    )
    assert sent.error is None
    assert connects == [("127.0.0.9", server.port), ("127.0.0.1", server.port)]


async def test_a_slow_name_server_is_a_timeout_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def never(*_: Any, **__: Any) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", never)
    event = event_of("http://slow.example/", timeouts={"connectSeconds": 0.2})
    sent = await send(event, config=NOBODY)
    assert sent.error == "HttpTimeout"
    assert "the name server" in str(sent.end.error)
