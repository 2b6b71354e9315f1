"""A Temporal that wants certificates or an API key, as clusters and Temporal Cloud do.

A server of TLS in front of the development server checks the client's certificate, and
an observer of HTTP/2 between the two writes down what each call carries.
"""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import h2.config
import h2.connection
import h2.events
import pytest
import trustme
from temporalio.testing import WorkflowEnvironment

from tests.caller import event
from tests.chaos.wire import CHUNK, Reader, Writer, both
from tests.stack import request_of
from worker.settings import load_settings
from worker.temporal import TemporalUnavailable, connect

NAME = "temporal.example"
KEY = "key-of-the-tests-0123456789"


@dataclass
class Cluster:
    """A Temporal behind TLS."""

    port: int
    authority: Path
    certificate: Path
    key: Path
    stranger: Path
    clients: list[str] = field(default_factory=list)
    """Whom the certificates belonged to."""
    headers: list[dict[str, str]] = field(default_factory=list)
    """What calls carried besides their message."""

    @property
    def tls(self) -> dict[str, str]:
        """The standard variables for it, as an operator sets them."""
        return {
            "TEMPORAL_ADDRESS": f"127.0.0.1:{self.port}",
            "TEMPORAL_TLS": "true",
            "TEMPORAL_TLS_SERVER_CA_CERT_PATH": str(self.authority),
            "TEMPORAL_TLS_SERVER_NAME": NAME,
        }

    @property
    def mutual(self) -> dict[str, str]:
        """The same, with a certificate of our own."""
        return {
            **self.tls,
            "TEMPORAL_TLS_CLIENT_CERT_PATH": str(self.certificate),
            "TEMPORAL_TLS_CLIENT_KEY_PATH": str(self.key),
        }


@pytest.fixture(scope="module")
async def behind(temporal_binary: str) -> AsyncIterator[int]:
    """The port of a development server."""
    async with await WorkflowEnvironment.start_local(
        dev_server_existing_path=temporal_binary
    ) as env:
        yield int(env.client.service_client.config.target_host.rsplit(":")[-1])


@pytest.fixture(params=[True, False], ids=["certificates", "no certificates"])
async def cluster(
    request: pytest.FixtureRequest, behind: int, tmp_path: Path
) -> AsyncIterator[Cluster]:
    authority, other = trustme.CA(), trustme.CA()
    made = Cluster(0, *(tmp_path / name for name in ("ca", "cert", "key", "other")))
    authority.cert_pem.write_to_path(str(made.authority))
    issued = authority.issue_cert("worker.example", common_name="worker")
    issued.cert_chain_pems[0].write_to_path(str(made.certificate))
    issued.private_key_pem.write_to_path(str(made.key))
    other.issue_cert("worker.example").private_key_and_cert_chain_pem.write_to_path(
        str(made.stranger)
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(NAME).configure_cert(context)
    authority.configure_trust(context)
    context.set_alpn_protocols(["h2"])
    if request.param:
        context.verify_mode = ssl.CERT_REQUIRED

    async def carry(reader: Reader, writer: Writer) -> None:
        certificate = writer.get_extra_info("peercert") or {}
        for (name, value), *_ in certificate.get("subject", ()):
            if name == "commonName":
                made.clients.append(value)
        far = await asyncio.open_connection("127.0.0.1", behind)
        with contextlib.suppress(OSError):
            await both(observed(reader, far[1], made), plain(far[0], writer))

    server = await asyncio.start_server(carry, "127.0.0.1", 0, ssl=context)
    made.port = server.sockets[0].getsockname()[1]
    yield made
    server.close()


async def observed(source: Reader, sink: Writer, cluster: Cluster) -> None:
    watch = h2.connection.H2Connection(
        h2.config.H2Configuration(client_side=False, header_encoding="utf-8")
    )
    watch.initiate_connection()
    while chunk := await source.read(CHUNK):
        for seen in watch.receive_data(chunk):
            if isinstance(seen, h2.events.RequestReceived):
                cluster.headers.append(dict(seen.headers or []))
        sink.write(chunk)
        await sink.drain()
    sink.close()


async def plain(source: Reader, sink: Writer) -> None:
    while chunk := await source.read(CHUNK):
        sink.write(chunk)
        await sink.drain()
    sink.close()


@pytest.fixture
def variables(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("CRONIUM_TEMPORAL_ADDRESS", "TEMPORAL_ADDRESS", "TEMPORAL_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


async def call(tmp_path: Path, patience: float = 20) -> None:
    """Connect as our processes do, and start an execution."""
    client = await connect(load_settings(state_dir=tmp_path), patience=patience)
    await client.start_workflow(
        "EventWorkflow",
        request_of(**event("true")),
        id=f"event:test:{tmp_path.name}",
        task_queue="nobody",
    )


@pytest.mark.parametrize("cluster", [True], indirect=True)
async def test_a_cluster_that_wants_a_certificate_gets_ours(
    cluster: Cluster, variables: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in cluster.mutual.items():
        variables.setenv(name, value)

    await call(tmp_path)

    assert set(cluster.clients) == {"worker"}
    assert any(h[":path"].endswith("StartWorkflowExecution") for h in cluster.headers)


@pytest.mark.parametrize("cluster", [True], indirect=True)
@pytest.mark.parametrize("kind", ["none", "of a stranger"])
async def test_a_cluster_that_wants_a_certificate_turns_others_away(
    cluster: Cluster, variables: pytest.MonkeyPatch, tmp_path: Path, kind: str
) -> None:
    given = cluster.tls
    if kind != "none":
        given = {
            **cluster.mutual,
            "TEMPORAL_TLS_CLIENT_CERT_PATH": str(cluster.stranger),
            "TEMPORAL_TLS_CLIENT_KEY_PATH": str(cluster.stranger),
        }
    for name, value in given.items():
        variables.setenv(name, value)

    with pytest.raises(TemporalUnavailable):
        await call(tmp_path, patience=1)

    assert cluster.clients == []
    assert cluster.headers == []


async def test_a_server_that_is_not_vouched_for_is_told_nothing(
    cluster: Cluster, variables: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    given = {**cluster.mutual, "TEMPORAL_TLS_SERVER_NAME": "another.example"}
    for name, value in given.items():
        variables.setenv(name, value)

    with pytest.raises(TemporalUnavailable):
        await call(tmp_path, patience=1)

    assert cluster.headers == []


@pytest.mark.parametrize("cluster", [False], indirect=True)
async def test_an_api_key_goes_along_with_each_call(
    cluster: Cluster, variables: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in {**cluster.tls, "TEMPORAL_API_KEY": KEY}.items():
        variables.setenv(name, value)

    await call(tmp_path)

    assert {h.get("authorization") for h in cluster.headers} == {f"Bearer {KEY}"}


@pytest.mark.parametrize("cluster", [True], indirect=True)
async def test_a_profile_file_says_the_same(
    cluster: Cluster, variables: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "temporal.toml"
    file.write_text(
        f'[profile.production]\naddress = "127.0.0.1:{cluster.port}"\n'
        f'namespace = "default"\napi_key = "{KEY}"\n'
        f'[profile.production.tls]\nserver_name = "{NAME}"\n'
        f'server_ca_cert_path = "{cluster.authority}"\n'
        f'client_cert_path = "{cluster.certificate}"\n'
        f'client_key_path = "{cluster.key}"\n'
    )
    variables.setenv("TEMPORAL_CONFIG_FILE", str(file))
    variables.setenv("TEMPORAL_PROFILE", "production")

    await call(tmp_path)

    assert set(cluster.clients) == {"worker"}
    assert {h.get("authorization") for h in cluster.headers} == {f"Bearer {KEY}"}
