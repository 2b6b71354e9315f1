"""What Temporal stores is encrypted, and keys can be changed while runs go on."""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import docker
import pytest
from google.protobuf.message import Message
from temporalio.api.common.v1 import Payload
from temporalio.client import (
    Client,
    Interceptor,
    OutboundInterceptor,
    WorkflowFailureError,
    WorkflowHandle,
)
from temporalio.common import HeaderCodecBehavior
from temporalio.exceptions import ApplicationError
from temporalio.worker import Replayer

from contracts import names
from contracts.encryption_errors import EncryptionKeyMissing
from contracts.results import ExecutionResult, Status
from tests.conftest import pick_port
from tests.stack import Stack, event, running_stack
from tests.temporal.test_event_workflow import execution_of, wait_for_line
from worker.app import WorkerApp
from worker.codec import EncryptionCodec, Key, KeyFile, KeyRing
from worker.codec.keys import read_keys, write_keys
from worker.codec.payloads import is_encrypted, key_id_of
from worker.codec.survey import keys_in_use
from worker.sandboxing import workflow_runner
from worker.settings import load_settings
from worker.temporal import connect, encrypting_converter, ring_of
from workflows import EventWorkflow, FanOutShard

PLANTED, MARK = "planted-in-the-input", b"mark-in-the-header"
CORE_WORDS = {
    "seq", "attempt", "activity_id", "activity_type", "complete_time", "backoff",
    "original_schedule_time", "activation_index",
}  # fmt: skip


def keep(file: Path, *keys: Key) -> None:
    """Write a key file; the last key writes."""
    write_keys(file, KeyFile(active=keys[-1].id, keys=list(keys)))


def payloads_in(message: Message) -> Iterator[Payload]:
    """Yield every payload of a message, however deep."""
    if isinstance(message, Payload):
        yield message
        return
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        if field.message_type.GetOptions().map_entry:
            inner = [item for item in value.values() if isinstance(item, Message)]
        else:
            inner = list(value) if not isinstance(value, Message) else [value]
        # Search attributes are there to be searched: they are plain on purpose.
        if field.name != "search_attributes":
            for item in inner:
                yield from payloads_in(item)


@pytest.fixture(scope="module")
async def encrypted(
    docker_client: docker.APIClient, temporal_binary: str, tmp_path_factory: Any
) -> AsyncIterator[Stack]:
    directory = tmp_path_factory.mktemp("encrypted")
    file = directory / "keys.json"
    keep(file, Key.generate("first"))
    more = {"encryption": {"keys_file": file}}
    async with running_stack(
        directory, temporal_binary, docker_client, more=more
    ) as running:
        yield running


@pytest.fixture
async def keys_file(encrypted: Stack) -> AsyncIterator[Path]:
    """The stack's key file; it is as before afterwards."""
    file = encrypted.settings.encryption.keys_file
    assert file is not None
    before = read_keys(file)
    yield file
    write_keys(file, before)
    for ring in (encrypted.app.ring, ring_of(encrypted.client)):
        await until(partial(writes_with, ring, before.active))


async def until(condition: Callable[[], bool], seconds: float = 90) -> None:
    """Return when something is so."""
    async with asyncio.timeout(seconds):
        while True:
            if condition():
                return
            await asyncio.sleep(0.05)


def writes_with(ring: KeyRing, key_id: str) -> bool:
    return ring.active is not None and ring.active.id == key_id


async def test_every_payload_of_a_run_is_encrypted(encrypted: Stack) -> None:
    script = f"echo {PLANTED}; sleep 3; exit 3"
    handle = await encrypted.start(
        event(script, retries=1, name=PLANTED, backoff={"initialSeconds": 0}),
        input={"secret": PLANTED},
    )
    beating: list[Payload] = []
    async with asyncio.timeout(60):
        while not beating:
            described = (await handle.describe()).raw_description
            for pending in described.pending_activities:
                beating += pending.heartbeat_details.payloads
            await asyncio.sleep(0.1)
    result = await handle.result()
    assert (result.status, result.exit_code) == (Status.FAILURE, 3)
    assert result.logs.last_lines == [PLANTED]
    lines = await encrypted.logs(await execution_of(handle))
    assert PLANTED in [line["text"] for line in lines]
    raw = [item async for item in handle.fetch_history_events()]
    found = [*beating, *(p for item in raw for p in payloads_in(item))]
    assert len(found) > 10
    # What the SDK's core notes of its own local activities: numbers, times, a name.
    plain = [json.loads(item.data) for item in found if not is_encrypted(item)]
    assert {word for item in plain for word in item} <= CORE_WORDS
    sealed = [payload for payload in found if is_encrypted(payload)]
    assert {key_id_of(payload) for payload in sealed} == {"first"}
    whole = b"".join(item.SerializeToString() for item in raw)
    assert PLANTED.encode() not in whole
    assert b"exit 3" not in whole


async def test_a_failure_is_stored_without_its_words(encrypted: Stack) -> None:
    handle = await encrypted.start(
        event("true", env=[{"name": "A", "secret": "NO_SUCH_" + "X" * 20}])
    )
    result = await handle.result()
    assert result.error is not None
    assert "NO_SUCH_" in result.error.message
    raw = [item async for item in handle.fetch_history_events()]
    failure = next(
        item.activity_task_failed_event_attributes.failure
        for item in raw
        if item.HasField("activity_task_failed_event_attributes")
    )
    assert failure.message == "Encoded failure"
    assert is_encrypted(failure.encoded_attributes)
    assert failure.application_failure_info.type == "SecretUnavailable"
    assert b"NO_SUCH_" not in b"".join(item.SerializeToString() for item in raw)


class Tracing(Interceptor):
    """Sends a header along, as tracing does."""

    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:
        return _Outbound(next)


class _Outbound(OutboundInterceptor):
    async def start_workflow(self, input: Any) -> WorkflowHandle[Any, Any]:
        header = Payload(metadata={"encoding": b"json/plain"}, data=b'"%s"' % MARK)
        input.headers = {**input.headers, "trace": header}
        return await super().start_workflow(input)


async def test_headers_are_encrypted(encrypted: Stack) -> None:
    client = Client(**{**encrypted.client.config(), "interceptors": [Tracing()]})
    handle = await replace(encrypted, client=client).start(event("true"))
    assert (await handle.result()).status is Status.SUCCESS
    events = [item async for item in handle.fetch_history_events()]
    fields = events[0].workflow_execution_started_event_attributes.header.fields
    assert is_encrypted(fields["trace"])
    (opened,) = await EncryptionCodec(encrypted.app.ring).decode([fields["trace"]])
    assert MARK in opened.data
    assert MARK not in b"".join(item.SerializeToString() for item in events)


async def test_a_refused_request_says_where_although_it_is_encrypted(
    encrypted: Stack,
) -> None:
    handle = await encrypted.start(event("true", timeoutSeconds=-1))
    with pytest.raises(WorkflowFailureError) as caught:
        await handle.result()
    cause = caught.value.cause
    assert isinstance(cause, ApplicationError)
    assert cause.type == names.PAYLOAD_ERROR_TYPE
    assert "event.timeoutSeconds" in json.dumps(cause.details)


async def test_keys_are_changed_while_a_run_goes_on(
    encrypted: Stack, keys_file: Path
) -> None:
    first, second = read_keys(keys_file).keys[0], Key.generate("second")
    old = await encrypted.start(event("echo old"))
    assert (await old.result()).status is Status.SUCCESS
    between = await encrypted.start(event("echo begun; sleep 8; echo done"))
    await wait_for_line(encrypted, await execution_of(between), "begun")
    keep(keys_file, first, second)
    rings = [encrypted.app.ring, ring_of(encrypted.client)]
    for ring in rings:
        await until(partial(writes_with, ring, "second"))
    new = await encrypted.start(event("echo new"))
    assert (await new.result()).status is Status.SUCCESS
    assert (await between.result()).logs.last_lines == ["begun", "done"]
    assert (await old.result()).logs.last_lines == ["old"], "old runs stay readable"
    assert await key_ids(old) == {"first"}
    assert await key_ids(between) == {"first", "second"}
    assert await key_ids(new) == {"second"}
    # Without the first key its runs cannot be read any more, and the others can.
    keep(keys_file, second)
    await until(lambda: not any(ring.has("first") for ring in rings))
    with pytest.raises(EncryptionKeyMissing, match="first is not here"):
        await old.result()
    assert (await new.result()).logs.last_lines == ["new"]
    assert encrypted.app.problems() == {}, "nobody needs the first key"


async def key_ids(handle: WorkflowHandle[Any, Any]) -> set[str]:
    return {
        key_id_of(payload)
        async for item in handle.fetch_history_events()
        for payload in payloads_in(item)
        if is_encrypted(payload)
    }


async def test_an_encrypted_history_is_replayed_with_its_key_alone(
    encrypted: Stack,
) -> None:
    handle = await encrypted.start(event("echo again"))
    await handle.result()
    history = await handle.fetch_history()

    async def replayed(ring: KeyRing) -> Exception | None:
        replayer = Replayer(
            workflows=[EventWorkflow, FanOutShard],
            data_converter=encrypting_converter(ring),
            header_codec_behavior=HeaderCodecBehavior.CODEC,
            workflow_runner=workflow_runner(strict=True),
        )
        done = await replayer.replay_workflow(history, raise_on_replay_failure=False)
        return done.replay_failure

    assert await replayed(encrypted.app.ring) is None
    assert await replayed(KeyRing(None)) is not None


@contextlib.asynccontextmanager
async def worker_on(
    stack: Stack, directory: Path, queue: str, keys: Path | None, role: str = "all"
) -> AsyncIterator[WorkerApp]:
    """A second worker, on a queue of its own; ready or not."""
    base = stack.settings
    settings = load_settings(
        state_dir=directory,
        role=role,
        instance=base.instance,
        host_id=f"{queue}-{directory.name}",
        temporal={"address": base.temporal.address, "task_queue": queue},
        gateway={
            "url": base.gateway.url,
            "secret_file": base.gateway.secret_file,
        },
        docker={"run_dir": directory / "run", "slots": 2},
        worker={"health_port": pick_port(), "drain_timeout": 2},
        encryption={"keys_file": keys},
    )
    stop, app = asyncio.Event(), WorkerApp(settings)
    working = asyncio.ensure_future(app.serve(stop))
    try:
        yield app
    finally:
        stop.set()
        await asyncio.wait_for(working, 60)


async def start_on(stack: Stack, queue: str, script: str) -> WorkflowHandle[Any, Any]:
    execution = f"x-{queue}"
    return await stack.client.start_workflow(
        names.EVENT_WORKFLOW,
        {"executionId": execution, "event": event(script)},
        id=names.workflow_id("test", execution),
        task_queue=queue,
        result_type=ExecutionResult,
    )


async def problem_of(app: WorkerApp, part: str) -> str:
    await until(lambda: part in app.problems())
    return app.problems()[part]


async def test_a_worker_without_keys_takes_nothing_and_harms_nothing(
    encrypted: Stack, tmp_path: Path, keys_file: Path
) -> None:
    handle = await start_on(encrypted, "keyless", "echo in the end")
    async with worker_on(encrypted, tmp_path / "w", "keyless", None) as app:
        problem = await problem_of(app, "encryption")
        assert "no key first here" in problem
    described = await handle.describe()
    assert described.status is not None
    assert described.status.name == "RUNNING"
    assert described.history_length == 2, "no worker has touched it"
    assert await keys_in_use(encrypted.client) >= {"first"}
    async with worker_on(encrypted, tmp_path / "w", "keyless", keys_file):
        assert (await handle.result()).logs.last_lines == ["in the end"]


async def test_a_worker_with_an_old_file_stops_no_run_for_good(
    encrypted: Stack, tmp_path: Path, keys_file: Path
) -> None:
    """The workflow worker cannot read: its tasks fail and are tried again."""
    own = tmp_path / "own.json"
    keep(own, Key.generate("another"))
    async with worker_on(encrypted, tmp_path / "w", "old-file", own) as app:
        await until(lambda: not app.problems())
        handle = await start_on(encrypted, "old-file", "echo in the end")
        assert "no key first here" in await problem_of(app, "encryption")
        described = await handle.describe()
        assert described.status is not None
        assert described.status.name == "RUNNING"
        write_keys(own, read_keys(keys_file))
        assert (await handle.result()).logs.last_lines == ["in the end"]
        assert app.problems() == {}


async def test_a_host_with_an_old_file_leaves_the_run_waiting_until_it_has_the_key(
    encrypted: Stack, tmp_path: Path, keys_file: Path
) -> None:
    own, old = tmp_path / "own.json", read_keys(keys_file)
    write_keys(own, old)
    queue = "old-host"
    async with (
        worker_on(encrypted, tmp_path / "w", queue, keys_file, "workflow") as first,
        worker_on(encrypted, tmp_path / "h", queue, own, "host") as host,
    ):
        await until(lambda: not first.problems() and not host.problems())
        keep(keys_file, *old.keys, Key.generate("second"))
        for ring in (first.ring, ring_of(encrypted.client)):
            await until(partial(writes_with, ring, "second"))
        handle = await start_on(encrypted, queue, "echo in the end")
        assert "no key second here" in await problem_of(host, "encryption")
        details = await waiting_for(handle)
        assert "the encryption key second is not here" in details
        write_keys(own, read_keys(keys_file))
        assert (await handle.result()).logs.last_lines == ["in the end"]
        assert host.problems() == {}


async def waiting_for(handle: WorkflowHandle[Any, Any]) -> str:
    """Return what a run says that it is waiting for."""
    async with asyncio.timeout(60):
        while True:
            rows = await handle.query("progress", result_type=list[dict[str, Any]])
            found = json.dumps(rows)
            if "EncryptionKeyMissing" in found:
                return found
            await asyncio.sleep(0.1)


SERVER = {
    "id": "s1",
    "name": "s1",
    "address": "127.0.0.1",
    "username": "u",
    "credentials": {"password": {"value": PLANTED}},
}


async def refusal_of(handle: WorkflowHandle[Any, Any]) -> ApplicationError:
    with pytest.raises(WorkflowFailureError) as caught:
        await handle.result()
    assert isinstance(caught.value.cause, ApplicationError)
    return caught.value.cause


async def test_without_keys_a_credential_in_a_request_is_refused(stack: Stack) -> None:
    cause = await refusal_of(await stack.start(event("true", targets=[SERVER])))
    assert cause.type == "InlineSecretRefused"
    assert cause.non_retryable
    assert "event.targets[0].credentials.password.value" in cause.message
    assert PLANTED not in cause.message
    assert "change that credential" in str(cause.details[0])


async def test_a_worker_with_keys_refuses_a_credential_that_came_as_plain_text(
    encrypted: Stack,
) -> None:
    keyless = replace(
        encrypted,
        client=await connect(
            encrypted.settings, ring=KeyRing(None), namespace="default"
        ),
    )
    handle = await keyless.start(event("true", targets=[SERVER]))
    with pytest.raises(EncryptionKeyMissing, match="has no keys"):
        await handle.result()
    readable = encrypted.client.get_workflow_handle(handle.id)
    assert (await refusal_of(readable)).type == "InlineSecretRefused"
    plain = await keyless.start(event("echo plain requests run"))
    result = encrypted.client.get_workflow_handle(plain.id, result_type=ExecutionResult)
    assert (await result.result()).logs.last_lines == ["plain requests run"]


async def test_a_key_that_runs_still_need_is_not_removed(
    encrypted: Stack, keys_file: Path
) -> None:
    command = Path(sys.executable).with_name("cronium")
    kept = {k: v for k, v in os.environ.items() if not k.startswith("CRONIUM_")}
    env = {
        **kept,
        "CRONIUM_STATE_DIR": str(encrypted.settings.state_dir),
        "CRONIUM_TEMPORAL_ADDRESS": str(encrypted.settings.temporal.address),
        "CRONIUM_ENCRYPTION_KEYS_FILE": str(keys_file),
    }

    async def remove() -> tuple[int, str]:
        asking = await asyncio.create_subprocess_exec(
            command, "keys", "remove", "first", env=env, stderr=subprocess.PIPE
        )
        _, said = await asking.communicate()
        return asking.returncode or 0, said.decode()

    handle = await encrypted.start(event("echo begun; sleep 600"))
    await wait_for_line(encrypted, await execution_of(handle), "begun")
    keep(keys_file, read_keys(keys_file).keys[0], Key.generate("second"))
    code, said = await remove()
    assert code == 1
    assert "executions run that were begun with first" in said
    await handle.cancel()
    assert (await handle.result()).status is Status.CANCELLED
    assert await remove() == (0, said_when_gone("first"))
    assert [key.id for key in read_keys(keys_file).keys] == ["second"]


def said_when_gone(key_id: str) -> str:
    return f"{key_id} is gone; histories that it wrote cannot be read any more\n"
