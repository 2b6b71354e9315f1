"""Ways to a server: deadlines, host keys, logins, jump hosts, limits, sharing."""

import asyncio
import base64
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from contracts.errors import CroniumError, RequestRefused, SecretUnavailable
from contracts.server_errors import (
    SshAuthFailed,
    SshAuthTimeout,
    SshBannerTimeout,
    SshBreakerOpen,
    SshConnectFailed,
    SshConnectTimeout,
    SshHostKeyChanged,
    SshHostKeyUnknown,
    SshIdleTimeout,
    SshProtocolError,
    SshTotalTimeout,
)
from contracts.servers import Endpoint, ServerSpec
from engines.ssh import SshEngine, scan
from engines.ssh.breaker import BreakerState
from tests.ssh.conftest import engine_with, run_to_end, spec_of
from tests.ssh.ground import PASSWORD, Ground, Server, key_text, public_text


def local(port: int, **changes: Any) -> ServerSpec:
    fields: dict[str, Any] = {
        "id": "l",
        "name": "loopback",
        "address": "127.0.0.1",
        "port": port,
        "username": "u",
        "credentials": {"password": {"value": "p"}},
        "hostKeys": ["SHA256:" + "A" * 43],
    }
    return ServerSpec.model_validate({**fields, **changes})


@asynccontextmanager
async def listener(answer: bytes, *, pause: float = 0) -> AsyncIterator[int]:
    """A server that says something, byte by byte, and then nothing more."""

    clients: list[asyncio.Task[None] | None] = []

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        clients.append(asyncio.current_task())
        step = 1 if pause else max(1, len(answer))
        for at in range(0, len(answer), step):
            if writer.is_closing():
                return
            writer.write(answer[at : at + step])
            await asyncio.sleep(pause)
        await asyncio.Event().wait()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for client in clients:
            if client is not None:
                client.cancel()


async def refusal(engine: SshEngine, spec: ServerSpec) -> tuple[CroniumError, float]:
    begin = time.monotonic()
    with pytest.raises(CroniumError) as caught:
        await run_to_end(engine, spec, "true")
    return caught.value, time.monotonic() - begin


async def test_a_refused_connection_fails_at_once(
    engine: SshEngine, free_port: int
) -> None:
    error, took = await refusal(engine, local(free_port))
    assert isinstance(error, SshConnectFailed)
    assert took < 9


async def test_an_unknown_name_fails_at_once(engine: SshEngine) -> None:
    error, _ = await refusal(engine, local(22, address="no-such-host.invalid"))
    assert isinstance(error, SshConnectFailed)


async def test_a_black_hole_fails_at_the_connect_deadline(
    engine: SshEngine, ground: Ground
) -> None:
    hole = ground.server()
    hole.cut()
    spec = hole.spec(deadlines={"connectSeconds": 1.5})
    error, took = await refusal(engine, spec)
    assert isinstance(error, SshConnectTimeout)
    assert 1.4 < took < 9


@pytest.mark.parametrize("pause", [0, 0.3])
async def test_silence_or_a_dripping_banner_fails_at_the_banner_deadline(
    pause: float, engine: SshEngine
) -> None:
    answer = b"welcome to the tarpit\r\n" * 20 if pause else b""
    async with listener(answer, pause=pause) as port:
        spec = local(port, deadlines={"bannerSeconds": 1})
        error, took = await refusal(engine, spec)
    assert isinstance(error, SshBannerTimeout)
    assert 0.9 < took < 9


async def test_a_server_that_hangs_after_its_banner_is_a_banner_timeout(
    engine: SshEngine,
) -> None:
    async with listener(b"SSH-2.0-OpenSSH_9.2\r\n") as port:
        error, _ = await refusal(engine, local(port, deadlines={"bannerSeconds": 1}))
    assert isinstance(error, SshBannerTimeout)


async def test_a_peer_that_is_no_ssh_server_is_named(engine: SshEngine) -> None:
    async with listener(b"SSH-1.5-ancient\r\n") as port:
        error, _ = await refusal(engine, local(port))
    assert isinstance(error, SshProtocolError)


def write(file: Path, text: str) -> None:
    file.write_text(text)


def read(file: Path) -> str:
    return file.read_text()


def mode_of(file: Path) -> int:
    return file.stat().st_mode & 0o777


class Hanging(asyncssh.SSHServer):
    """Takes a password and never says what it thinks of it."""

    seen: list[str] = []

    def begin_auth(self, username: str) -> bool:
        self.seen.append(username)
        return True

    def password_auth_supported(self) -> bool:
        return True

    async def validate_password(self, username: str, password: str) -> bool:
        await asyncio.sleep(3600)
        return False


async def test_a_login_without_an_answer_fails_at_the_auth_deadline(
    engine: SshEngine,
) -> None:
    key = asyncssh.generate_private_key("ssh-ed25519")
    async with asyncssh.listen(
        "127.0.0.1", 0, server_factory=Hanging, server_host_keys=[key]
    ) as server:
        spec = local(
            server.get_port(),
            hostKeys=[public_text(key)],
            deadlines={"authSeconds": 1},
        )
        error, took = await refusal(engine, spec)
    assert isinstance(error, SshAuthTimeout)
    assert 0.9 < took < 9


async def test_everything_together_has_a_deadline_too(engine: SshEngine) -> None:
    async with listener(b"") as port:
        error, took = await refusal(engine, local(port, deadlines={"totalSeconds": 1}))
    assert isinstance(error, SshTotalTimeout)
    assert took < 9


async def test_a_server_that_stops_answering_is_an_idle_timeout(
    engine: SshEngine, ground: Ground
) -> None:
    server = ground.server()
    server.run("sh", "-c", "mv /bin/sh /bin/was-sh; printf '#!/bin/was-sh\\nexec sleep"
               " 600\\n' > /bin/sh; chmod 755 /bin/sh")  # fmt: skip
    error, took = await refusal(engine, server.spec(deadlines={"idleSeconds": 1}))
    assert isinstance(error, SshIdleTimeout)
    assert took < 20


async def test_a_changed_host_key_is_refused_before_any_login(
    engine: SshEngine,
) -> None:
    Hanging.seen.clear()
    key, other = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
    async with asyncssh.listen(
        "127.0.0.1", 0, server_factory=Hanging, server_host_keys=[key]
    ) as server:
        for pin in (public_text(other), other.get_fingerprint()):
            spec = local(server.get_port(), hostKeys=[pin])
            error, _ = await refusal(engine, spec)
            assert isinstance(error, SshHostKeyChanged)
            assert not error.retryable
    assert Hanging.seen == []


async def test_a_changed_host_key_of_another_kind_is_changed_too(
    engine: SshEngine, server: Server
) -> None:
    other = asyncssh.generate_private_key("ecdsa-sha2-nistp256")
    error, _ = await refusal(engine, server.spec(hostKeys=[public_text(other)]))
    assert isinstance(error, SshHostKeyChanged)
    assert server.run("sh", "-c", "true") == ""


async def test_a_fingerprint_is_pin_enough_whatever_its_kind(
    engine: SshEngine, ground: Ground
) -> None:
    key = asyncssh.generate_private_key("ssh-rsa", key_size=2048)
    server = ground.server(host_key=key)
    ran = await run_to_end(
        engine, server.spec(hostKeys=[key.get_fingerprint()]), "echo in"
    )
    assert ran.output.out == "in\n"


async def test_an_unknown_host_key_is_refused_and_shown(
    engine: SshEngine, server: Server
) -> None:
    error, _ = await refusal(engine, server.spec(hostKeys=[]))
    assert isinstance(error, SshHostKeyUnknown)
    assert server.host_key.get_fingerprint() in str(error)


@pytest.mark.parametrize("hashed", [False, True])
async def test_known_hosts_decides_when_nothing_is_pinned(
    hashed: bool, server: Server, known_hosts: Path
) -> None:
    write(known_hosts, f"{server.address} {public_text(server.host_key)}\n")
    if hashed:
        keygen = await asyncio.create_subprocess_exec(
            "ssh-keygen", "-q", "-H", "-f", known_hosts,
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        assert await keygen.wait() == 0
        assert server.address not in read(known_hosts)
    engine = engine_with(known_hosts=known_hosts)
    ran = await run_to_end(engine, server.spec(hostKeys=[]), "echo in")
    assert ran.output.out == "in\n"
    await engine.close()
    other = asyncssh.generate_private_key("ssh-ed25519")
    write(known_hosts, f"{server.address} {public_text(other)}\n")
    engine = engine_with(known_hosts=known_hosts)
    error, _ = await refusal(engine, server.spec(hostKeys=[]))
    assert isinstance(error, SshHostKeyChanged)
    line = f"{server.address} {public_text(server.host_key)}\n"
    write(known_hosts, f"{line}@revoked {line}")
    error, _ = await refusal(engine, server.spec(hostKeys=[]))
    assert isinstance(error, SshHostKeyChanged)
    assert "revoked" in str(error)
    await engine.close()


async def test_a_host_certificate_of_a_known_authority_is_enough(
    ground: Ground, known_hosts: Path
) -> None:
    authority, key = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
    server = ground.server(host_key=key)
    certificate = authority.generate_host_certificate(
        key, "host", principals=[server.address]
    )
    text = certificate.export_certificate().decode().strip()
    server.run(
        "sh",
        "-c",
        f"echo '{text}' > /etc/ssh/host_key-cert.pub; "
        "echo 'HostCertificate /etc/ssh/host_key-cert.pub' >> /etc/ssh/sshd_config; "
        "kill -HUP $(pgrep -o sshd)",
    )
    server.wait()
    write(known_hosts, f"@cert-authority * {public_text(authority)}\n")
    engine = engine_with(known_hosts=known_hosts)
    ran = await run_to_end(engine, server.spec(hostKeys=[]), "echo in")
    assert ran.output.out == "in\n"
    await engine.close()
    other = asyncssh.generate_private_key("ssh-ed25519")
    write(known_hosts, f"@cert-authority * {public_text(other)}\n")
    engine = engine_with(known_hosts=known_hosts)
    error, _ = await refusal(engine, server.spec(hostKeys=[]))
    assert isinstance(error, SshHostKeyChanged)
    await engine.close()


async def test_first_use_is_trusted_only_when_the_operator_says_so(
    server: Server, known_hosts: Path
) -> None:
    engine = engine_with(known_hosts=known_hosts, trust_on_first_use=True)
    await run_to_end(engine, server.spec(hostKeys=[]), "true")
    await engine.close()
    assert public_text(server.host_key) in read(known_hosts)
    assert mode_of(known_hosts) == 0o600
    other = asyncssh.generate_private_key("ssh-ed25519")
    write(known_hosts, f"{server.address} {public_text(other)}\n")
    engine = engine_with(known_hosts=known_hosts, trust_on_first_use=True)
    error, _ = await refusal(engine, server.spec(hostKeys=[]))
    assert isinstance(error, SshHostKeyChanged)
    await engine.close()


async def test_an_old_algorithm_is_used_only_when_it_is_named(
    engine: SshEngine, ground: Ground
) -> None:
    server = ground.server("-o", "KexAlgorithms=diffie-hellman-group14-sha1")
    error, _ = await refusal(engine, server.spec())
    assert isinstance(error, SshProtocolError)
    named = {"kex": ["diffie-hellman-group14-sha1"]}
    ran = await run_to_end(engine, server.spec(algorithms=named), "echo in")
    assert ran.output.out == "in\n"
    error, _ = await refusal(engine, server.spec(algorithms={"kex": ["no-such"]}))
    assert "no-such" in str(error)


async def test_every_kind_of_credential_logs_in(
    engine: SshEngine, ground: Ground
) -> None:
    authority = asyncssh.generate_private_key("ssh-ed25519")
    server = ground.server(environment={"USER_CA": public_text(authority)})
    encrypted = ground.user_key.export_private_key(passphrase="open").decode()
    pem = asyncssh.generate_private_key("ssh-rsa", key_size=2048)
    certificate = authority.generate_user_certificate(pem, "u", principals=["plain"])
    in_base64 = base64.b64encode(key_text(ground.user_key).encode()).decode()
    for credentials in (
        {"password": {"value": PASSWORD}},
        {"password": {"secret": "SUDO"}},
        {"key": {"value": encrypted}, "passphrase": {"value": "open"}},
        {"key": {"value": in_base64, "base64": True}},
        {
            "key": {"value": pem.export_private_key("pkcs1-pem").decode()},
            "certificate": {"value": certificate.export_certificate().decode()},
        },
    ):
        ran = await run_to_end(engine, server.spec(credentials=credentials), "echo in")
        assert ran.output.out == "in\n"


async def test_an_agent_of_the_operator_logs_in(
    ground: Ground, server: Server, tmp_path: Path
) -> None:
    socket, key = tmp_path / "agent", tmp_path / "key"
    await asyncio.to_thread(key.touch, 0o600)
    await asyncio.to_thread(key.write_text, key_text(ground.user_key))
    agent = await asyncio.create_subprocess_exec(
        "ssh-agent", "-D", "-a", socket, stdout=asyncio.subprocess.PIPE
    )
    assert agent.stdout is not None
    try:
        await agent.stdout.readline()
        add = await asyncio.create_subprocess_exec(
            "ssh-add", "-q", key, env={"SSH_AUTH_SOCK": str(socket)}
        )
        assert await add.wait() == 0
        engine = engine_with(agent_socket=socket)
        spec = server.spec(credentials={"agent": True})
        ran = await run_to_end(engine, spec, "echo in")
        assert ran.output.out == "in\n"
        await engine.close()
    finally:
        agent.terminate()
        await agent.wait()
    engine = engine_with(agent_socket=socket)
    error, _ = await refusal(engine, spec)
    assert "agent does not answer" in str(error)
    await engine.close()


async def test_the_workers_own_keys_are_never_offered(
    engine: SshEngine, server: Server, ground: Ground, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    own = tmp_path / ".ssh"
    await asyncio.to_thread(own.mkdir)
    await asyncio.to_thread((own / "id_ed25519").write_text, key_text(ground.user_key))
    spec = server.spec(credentials={"password": {"value": "wrong"}})
    error, _ = await refusal(engine, spec)
    assert isinstance(error, SshAuthFailed)


@pytest.mark.parametrize(
    ("credentials", "kind"),
    [
        ({"password": {"value": "wrong"}}, SshAuthFailed),
        ({"password": {"secret": "NO_SUCH"}}, SecretUnavailable),
        ({"agent": True}, RequestRefused),
        ({"key": {"value": "rubbish"}}, RequestRefused),
        ({"key": {"value": "rubbish", "base64": True}}, RequestRefused),
    ],
)
async def test_bad_credentials_are_named_and_never_echoed(
    credentials: dict[str, Any],
    kind: type[CroniumError],
    engine: SshEngine,
    server: Server,
) -> None:
    error, _ = await refusal(engine, server.spec(credentials=credentials))
    assert isinstance(error, kind)
    assert not error.retryable
    assert "rubbish" not in str(error)
    assert "wrong" not in str(error)


async def test_a_wrong_passphrase_is_said(
    engine: SshEngine, server: Server, ground: Ground
) -> None:
    encrypted = ground.user_key.export_private_key(passphrase="open").decode()
    key = {"key": {"value": encrypted}}
    error, _ = await refusal(engine, server.spec(credentials=key))
    assert "passphrase is missing" in str(error)
    both = {**key, "passphrase": {"value": "shut"}}
    error, _ = await refusal(engine, server.spec(credentials=both))
    assert "does not open" in str(error)
    assert "shut" not in str(error)


async def test_a_server_behind_two_jump_hosts_is_reached(
    engine: SshEngine, ground: Ground
) -> None:
    first, second, inner = (ground.server() for _ in range(3))
    # Nobody but the second jump host may reach the inner server.
    inner.firewall("-I", "INPUT", "-i", "eth0", "-j", "DROP")
    inner.firewall("-I", "INPUT", "-s", second.address, "-j", "ACCEPT")
    fields = set(Endpoint.model_fields)
    jump = [hop.spec().model_dump(include=fields) for hop in (first, second)]
    ran = await run_to_end(engine, inner.spec(jump=jump), "echo $SSH_CONNECTION")
    assert ran.output.out.startswith(second.address)
    error, _ = await refusal(engine, inner.spec(deadlines={"connectSeconds": 1}))
    assert isinstance(error, SshConnectTimeout)


async def test_many_servers_behind_one_bastion_share_its_login(ground: Ground) -> None:
    """More than MaxStartups lets in at once: the bastion sees one login."""
    ports = range(2200, 2214)
    options = [word for port in (22, *ports) for word in ("-o", f"Port={port}")]
    inside = ground.server(*options, "-o", "AddressFamily=inet")
    bastion = ground.server("-o", "MaxStartups=10:30:100")
    engine = engine_with()
    jump = bastion.spec().model_dump(
        mode="json", by_alias=True, include={"address", "username", "host_keys"}
    )
    jump["credentials"] = {"key": {"value": key_text(ground.user_key)}}
    ran = await asyncio.gather(
        *(
            run_to_end(engine, inside.spec(port=port, jump=[jump]), f"echo {port}")
            for port in ports
        )
    )
    assert [one.output.out for one in ran] == [f"{port}\n" for port in ports]
    said = ground.client.logs(bastion.container).decode()
    assert said.count("Accepted publickey") == 1
    await engine.close()


async def test_a_second_script_uses_the_connection_of_the_first(
    engine: SshEngine, ground: Ground
) -> None:
    server = ground.server()
    for _ in range(3):
        await run_to_end(engine, server.spec(), "true")
    said = ground.client.logs(server.container).decode()
    assert said.count("Accepted publickey") == 1
    await run_to_end(engine, server.spec("dash"), "true")
    said = ground.client.logs(server.container).decode()
    assert said.count("Accepted publickey") == 2


async def test_a_connection_that_died_unused_is_replaced_without_a_word(
    engine: SshEngine, ground: Ground
) -> None:
    server = ground.server()
    await run_to_end(engine, server.spec(), "true")
    server.hang_up()
    ran = await run_to_end(engine, server.spec(), "echo again")
    assert ran.output.out == "again\n"


async def test_a_connection_nobody_uses_is_closed(ground: Ground) -> None:
    engine = engine_with(idle_close=0.3)
    server = ground.server()
    await run_to_end(engine, server.spec(), "true")
    assert engine.pool.connections() == 1
    async with asyncio.timeout(10):
        await asyncio.to_thread(server.wait_until_gone, "sshd: plain")
    assert engine.pool.connections() == 0
    await engine.close()


async def test_one_session_per_connection_is_enough(
    engine: SshEngine, ground: Ground
) -> None:
    server = ground.server("-o", "MaxSessions=1")
    runs = [run_to_end(engine, server.spec(), f"sleep 1; echo {n}") for n in range(6)]
    ran = await asyncio.gather(*runs)
    assert [one.output.out for one in ran] == [f"{n}\n" for n in range(6)]


async def test_a_server_that_fails_is_left_alone_and_tried_again(
    ground: Ground,
) -> None:
    engine = engine_with(breaker_failures=3, breaker_seconds=1.5, breaker_successes=1)
    server = ground.server()
    server.stop()
    spec = server.spec(deadlines={"connectSeconds": 1})
    for _ in range(3):
        error, _ = await refusal(engine, spec)
        assert isinstance(error, SshConnectFailed | SshConnectTimeout)
    error, took = await refusal(engine, spec)
    assert isinstance(error, SshBreakerOpen)
    assert took < 1
    assert "3 times in a row" in str(error)
    place = f"{server.address}:22"
    assert engine.breakers() == {place: BreakerState.OPEN}
    server.start()
    await asyncio.sleep(1.6)
    assert engine.breakers() == {place: BreakerState.HALF_OPEN}
    await run_to_end(engine, spec, "true")
    assert engine.breakers() == {place: BreakerState.CLOSED}
    await engine.close()


async def test_three_hundred_runs_at_once_stay_below_max_startups(
    ground: Ground,
) -> None:
    server = ground.server("-o", "MaxStartups=10:30:100", "-o", "MaxSessions=5")
    engine = engine_with(channels=5)
    spec = server.spec(deadlines={"totalSeconds": 150, "idleSeconds": 120})
    runs = [run_to_end(engine, spec, f"echo {n}", 150) for n in range(300)]
    ran = await asyncio.gather(*runs)
    assert [one.output.out for one in ran] == [f"{n}\n" for n in range(300)]
    said = ground.client.logs(server.container).decode()
    assert said.count("Accepted publickey") == 60
    await engine.close()


async def test_a_login_that_was_dropped_is_tried_again(ground: Ground) -> None:
    # Somebody else's half-open logins fill the server: each further one is refused
    # with a certainty of nine in ten, until they time out.
    server = ground.server("-o", "MaxStartups=2:90:10", "-o", "LoginGraceTime=2")
    lines = [await asyncio.open_connection(server.address, 22) for _ in range(3)]
    engine = engine_with()
    ran = await run_to_end(engine, server.spec(), "echo in")
    assert ran.output.out == "in\n"
    assert engine.breakers() == {f"{server.address}:22": BreakerState.CLOSED}
    for _, writer in lines:
        writer.close()
    await engine.close()


async def test_a_scan_shows_the_keys_and_sends_no_login(ground: Ground) -> None:
    server = ground.server()
    keys = await scan(server.address)
    assert [key.fingerprint for key in keys] == [server.host_key.get_fingerprint()]
    assert keys[0].line == public_text(server.host_key)
    said = ground.client.logs(server.container).decode()
    assert "Accepted" not in said
    assert "Failed" not in said


async def test_a_scan_of_nothing_says_so(free_port: int) -> None:
    with pytest.raises(SshConnectFailed):
        await scan("127.0.0.1", free_port)
    async with listener(b"") as port:
        with pytest.raises(SshConnectTimeout):
            await scan("127.0.0.1", port, seconds=0.5)


async def test_many_dead_servers_cost_a_healthy_one_nothing(
    engine: SshEngine, server: Server, free_port: int
) -> None:
    """One dead server costs its own deadline and nobody else's time."""
    async with listener(b"") as port:
        dead = [
            local(port, id=f"d{n}", username=f"u{n}", deadlines={"bannerSeconds": 2})
            for n in range(20)
        ]
        gone = [local(free_port, id=f"g{n}", username=f"u{n}") for n in range(200)]
        begin = time.monotonic()
        trying = [
            asyncio.ensure_future(engine.place(one).create(spec_of("true")))
            for one in (*dead, *gone)
        ]
        ran = await run_to_end(engine, server.spec(), "echo in")
        took = time.monotonic() - begin
        errors = await asyncio.gather(*trying, return_exceptions=True)
    assert ran.output.out == "in\n"
    assert took < 5
    kinds = {type(error) for error in errors}
    assert kinds <= {SshBannerTimeout, SshConnectFailed, SshBreakerOpen}
