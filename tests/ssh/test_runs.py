"""Scripts on real servers: languages, data, odd shells, other users, ends."""

import hashlib
import json
import random
import secrets
import time

import pytest

from contracts.errors import ScriptError
from contracts.events import EventSpec, EventType
from contracts.logs import Stream
from contracts.server_errors import SshServerRefused
from engines.places import SandboxRunsAlready
from engines.ssh import SshEngine
from tests.ssh.conftest import Output, begun, engine_with, run_to_end, spec_of
from tests.ssh.ground import PASSWORD, Ground, Server


def event() -> EventSpec:
    return EventSpec.model_validate(
        {"id": "e", "name": "e", "type": "bash", "script": "true"}
    )


@pytest.mark.parametrize(
    ("kind", "script"),
    [
        (EventType.BASH, "echo out; echo err >&2; exit 7"),
        (
            EventType.PYTHON,
            "import sys; print('out'); print('err', file=sys.stderr); sys.exit(7)",
        ),
        (EventType.NODEJS, "console.log('out'); console.error('err'); process.exit(7)"),
    ],
)
async def test_each_language_keeps_streams_apart_and_its_exit_code(
    kind: EventType, script: str, engine: SshEngine, server: Server
) -> None:
    ran = await run_to_end(engine, server.spec(), script, event_type=kind)
    assert (ran.end.code, ran.output.out, ran.output.err) == (7, "out\n", "err\n")


async def test_node_scripts_may_be_modules_of_either_kind(
    engine: SshEngine, server: Server
) -> None:
    for script in (
        "import { sep } from 'node:path';\nconsole.log(await sep)",
        "const { sep } = require('path'); // import x from 'y'\nconsole.log(sep)",
    ):
        ran = await run_to_end(
            engine, server.spec(), script, event_type=EventType.NODEJS
        )
        assert (ran.end.code, ran.output.out) == (0, "/\n"), ran.output.err


@pytest.mark.parametrize("user", ["plain", "noisy", "csh", "fish", "dash"])
async def test_the_login_shell_does_not_matter(
    user: str, engine: SshEngine, server: Server
) -> None:
    spec = server.spec(user)
    ran = await run_to_end(engine, spec, "printf 'a\\0b'; printf x >&2; exit 3")
    assert (ran.end.code, ran.output.out, ran.output.err) == (3, "a\0b", "x")
    assert server.run("ls", f"/home/{user}/.cronium/runs").strip() == ""


async def test_a_first_line_arrives_before_the_script_ends(
    engine: SshEngine, server: Server
) -> None:
    sandbox, output = await begun(engine, server.spec(), "echo first; sleep 30")
    await output.until("first")
    assert not sandbox.exited.done()
    await engine.place(server.spec()).remove(sandbox)


async def test_every_byte_comes_once_and_in_order(
    engine: SshEngine, server: Server
) -> None:
    script = (
        "import sys, hashlib, random\n"
        "data = random.Random(7).randbytes(8 << 20)\n"
        "for at in range(0, len(data), 77777):\n"
        "    sys.stdout.buffer.write(data[at:at + 77777])\n"
        "    sys.stdout.buffer.flush()\n"
        "    sys.stderr.buffer.write(data[at:at + 10])\n"
        "    sys.stderr.buffer.flush()\n"
    )
    ran = await run_to_end(engine, server.spec(), script, event_type=EventType.PYTHON)
    data = random.Random(7).randbytes(8 << 20)
    marks = b"".join(data[at : at + 10] for at in range(0, len(data), 77777))
    assert ran.output.data[Stream.STDOUT] == data
    assert ran.output.data[Stream.STDERR] == marks


async def test_environment_and_documents_are_data(
    engine: SshEngine, server: Server
) -> None:
    env = {
        "PLAIN": "a b",
        "QUOTES": 'it\'s "$(id)" `id` $HOME \\ !',
        "LINES": "one\ntwo\n",
        "UNICODE": "grüße ☃",
        "LONG": "x" * 100_000,
    }
    document = json.dumps({"text": "it's $HOME\n'EOF'\nend", "n": 1}).encode()
    script = (
        "import json, os\n"
        "names = ['PLAIN', 'QUOTES', 'LINES', 'UNICODE', 'LONG']\n"
        "read = open(os.environ['CRONIUM_RUN_DIR'] + '/input.json').read()\n"
        "print(json.dumps([{n: os.environ[n] for n in names}, json.loads(read)]))\n"
    )
    ran = await run_to_end(
        engine,
        server.spec(),
        script,
        event_type=EventType.PYTHON,
        env=env,
        documents={"input.json": document},
    )
    assert json.loads(ran.output.out) == [env, json.loads(document)]


async def test_a_script_of_a_megabyte_arrives_whole(
    engine: SshEngine, server: Server
) -> None:
    script = "sum=$(sha256sum < $0); echo ${sum%% *}\n" + "# 0123456789\n" * 75_000
    ran = await run_to_end(engine, server.spec(), script)
    assert ran.output.out.strip() == hashlib.sha256(script.encode()).hexdigest()


async def test_nothing_of_a_run_is_readable_by_others_or_in_the_process_list(
    engine: SshEngine, server: Server
) -> None:
    word = "s3cret-" + secrets.token_hex(8)
    sandbox, output = await begun(
        engine, server.spec(), "umask; echo up; sleep 60", env={"TOKEN": word}
    )
    await output.until("up")
    assert word not in server.run("ps", "axeww", user="other")
    assert word not in server.run("ps", "-eo", "args")
    assert server.run("stat", "-c", "%a", "/home/plain/.cronium/runs") == "700\n"
    directory = f"/home/plain/.cronium/runs/{sandbox.run_key}"
    assert server.run("find", directory, "-not", "-type", "l", "-perm", "/077") == ""
    denied = server.run("ls", "/home/plain/.cronium/runs", user="other")
    assert "denied" in denied
    # The script itself keeps the account's own mask.
    assert output.out.startswith("0022")
    await engine.place(server.spec()).remove(sandbox)


async def test_the_working_directory_is_entered_or_named(
    engine: SshEngine, server: Server
) -> None:
    ran = await run_to_end(engine, server.spec(workingDirectory="/var/tmp"), "pwd")
    assert ran.output.out == "/var/tmp\n"
    ran = await run_to_end(engine, server.spec(), "pwd")
    assert ran.output.out == "/home/plain\n"
    with pytest.raises(SshServerRefused, match="/not/there"):
        await run_to_end(engine, server.spec(workingDirectory="/not/there"), "pwd")
    assert server.run("ls", "/home/plain/.cronium/runs").strip() == ""


async def test_a_missing_interpreter_is_named(
    engine: SshEngine, server: Server
) -> None:
    place = engine.place(server.spec())
    ran = await run_to_end(engine, server.spec(), "true", env={"PATH": "/nowhere"})
    error = place.judge(event(), ran.end, ran.output.err.splitlines())
    assert ran.end.code == 127
    assert error.type == ScriptError.INTERPRETER_MISSING
    assert "bash" in error.message


@pytest.mark.parametrize("user", ["sudoer", "nopass"])
async def test_a_script_runs_as_another_user_by_sudo(
    user: str, engine: SshEngine, server: Server
) -> None:
    spec = server.spec(user, runAs={"user": "other", "password": {"secret": "SUDO"}})
    ran = await run_to_end(
        engine, spec, "id -un; echo $HOME; cat /proc/$PPID/cmdline | tr '\\0' ' '"
    )
    assert ran.output.out.startswith("other\n/home/other\n")
    assert PASSWORD not in ran.output.out + server.run("ps", "-eo", "args")
    assert server.run("ls", "/home/other/.cronium/runs").strip() == ""


@pytest.mark.parametrize(
    ("user", "password", "words"),
    [
        ("sudoer", "wrong", "does not accept the password"),
        ("sudoer", None, "asks for a password"),
        ("plain", PASSWORD, "not in the sudoers"),
        ("needtty", PASSWORD, "tty"),
    ],
)
async def test_sudo_that_says_no_is_explained(
    user: str, password: str | None, words: str, engine: SshEngine, server: Server
) -> None:
    secret = {"password": {"value": password}} if password else {}
    spec = server.spec(user, runAs={"user": "root", **secret})
    with pytest.raises(SshServerRefused, match=words) as caught:
        await run_to_end(engine, spec, "id")
    assert "wrong" not in str(caught.value).replace("wrong password", "")
    if user == "needtty":
        assert "pty" in caught.value.user_hint


async def test_a_sudo_that_wants_a_terminal_gets_one(
    engine: SshEngine, server: Server
) -> None:
    spec = server.spec(
        "needtty", pty=True, runAs={"user": "root", "password": {"secret": "SUDO"}}
    )
    ran = await run_to_end(
        engine, spec, "id -un; printf 'a\\nb\\r\\0\\377'; echo err >&2; exit 4"
    )
    assert ran.output.data[Stream.STDOUT] == b"root\na\nb\r\0\xff"
    assert (ran.end.code, ran.output.err) == (4, "err\n")


async def test_a_run_is_started_once_however_often_it_is_made(
    engine: SshEngine, server: Server
) -> None:
    place = engine.place(server.spec())
    spec = spec_of("echo once >> ~/starts; sleep 60")
    never = await place.create(spec)
    assert await never.status() == "created"
    sandbox = await place.create(spec)
    output = Output()
    await sandbox.attach(output.take)
    await sandbox.start()
    assert await sandbox.status() == "running"
    with pytest.raises(SandboxRunsAlready):
        await place.create(spec)
    # The first handle's start comes late and finds the script running.
    await never.attach(output.take)
    await never.start()
    assert server.run("cat", "/home/plain/starts") == "once\n"
    await place.remove(sandbox)
    assert await sandbox.status() is None
    never.detach()
    server.run("rm", "/home/plain/starts")


async def test_a_script_that_floods_the_disk_is_stopped(server: Server) -> None:
    engine = engine_with(output_bytes=3 << 20)
    spec = server.spec()
    ran = await run_to_end(engine, spec, "while :; do printf '%4096s' x; done")
    error = engine.place(spec).judge(event(), ran.end, [])
    assert ran.end.flooded
    assert error.type == ScriptError.OUTPUT_LIMIT
    assert "3 MB" in error.message
    await engine.close()


@pytest.mark.parametrize("where", ["noexec", "home-full", "home-read-only"])
async def test_odd_file_systems_do_not_stop_a_script(
    where: str, engine: SshEngine, ground: Ground
) -> None:
    small = "rw,noexec,nosuid,size=4m"
    tmpfs = {"noexec": {"/tmp": small, "/home": small}}.get(
        where, {"/home/plain": "rw,size=64k"}
    )
    server = ground.server(tmpfs=tmpfs)
    if where == "home-full":
        server.run("sh", "-c", "chmod 777 /home/plain; cat /dev/zero > /home/plain/f")
    if where == "home-read-only":
        server.run("chown", "root", "/home/plain")
    ran = await run_to_end(engine, server.spec(), "echo fine; exit 5")
    assert (ran.end.code, ran.output.out) == (5, "fine\n")


async def test_a_full_disk_is_said_before_anything_runs(
    engine: SshEngine, ground: Ground
) -> None:
    places = ("/home", "/tmp", "/var/tmp")
    server = ground.server(tmpfs=dict.fromkeys(places, "rw,mode=1777,size=64k"))
    server.run("sh", "-c", "mkdir /home/plain; chown plain /home/plain")
    for path in places:
        server.run("sh", "-c", f"cat /dev/zero > {path}/filler")
    with pytest.raises(SshServerRefused, match="No space left on device"):
        await run_to_end(engine, server.spec(), "echo fine")


async def test_a_disk_that_fills_up_meanwhile_does_not_hide_the_end(
    engine: SshEngine, ground: Ground
) -> None:
    server = ground.server(tmpfs={"/home/plain": "rw,mode=1777,size=1m"})
    script = "echo up; cat /dev/zero > ~/filler 2>/dev/null; exit 6"
    ran = await run_to_end(engine, server.spec(), script)
    assert (ran.end.code, ran.output.out) == (6, "up\n")


async def test_an_account_without_a_shell_is_explained(
    engine: SshEngine, ground: Ground
) -> None:
    server = ground.server()
    server.run("usermod", "-s", "/usr/sbin/nologin", "other")
    with pytest.raises(SshServerRefused, match="not available"):
        await run_to_end(engine, server.spec("other"), "true")


async def test_times_are_by_our_clock(engine: SshEngine, server: Server) -> None:
    before = time.time()
    ran = await run_to_end(engine, server.spec(), "sleep 0.5")
    started, finished = ran.end.started_at, ran.end.finished_at
    assert started is not None
    assert finished is not None
    assert before - 0.5 <= started <= finished <= time.time() + 0.1
    assert 0.4 <= finished - started < 3


async def test_the_environment_of_a_run_can_be_read_back(
    engine: SshEngine, server: Server
) -> None:
    env = {"A": "it's\nme", "B": ""}
    sandbox, _ = await begun(engine, server.spec(), "sleep 60", env=env)
    place = engine.place(server.spec())
    assert await place.environment(sandbox.run_key) == env
    await place.remove(sandbox)
    assert await place.environment(sandbox.run_key) == {}
