"""The runner image holds its tools, and they really work under the seccomp profile."""

import subprocess
import sys
from pathlib import Path

import docker
import pytest

from contracts.events import EventType
from contracts.names import RUNNER_IMAGE
from images import build
from tests.docker.conftest import RunScript

PYTHON = {
    "threads": (
        "import threading\nseen = []\n"
        "made = [threading.Thread(target=seen.append, args=(i,)) for i in range(4)]\n"
        "[t.start() for t in made]\n[t.join() for t in made]\nassert len(seen) == 4"
    ),
    "subprocess": (
        "import subprocess\n"
        "assert subprocess.check_output(['bash', '-c', 'echo hi']) == b'hi\\n'"
    ),
    "multiprocessing": (
        "import multiprocessing as m\n"
        "with m.Pool(2) as pool:\n    assert pool.map(abs, [-1, -2]) == [1, 2]"
    ),
    "asyncio": (
        "import asyncio\n"
        "async def main():\n"
        "    p = await asyncio.create_subprocess_exec('true')\n"
        "    assert await p.wait() == 0\n"
        "    served = asyncio.Event()\n"
        "    async def serve(r, w):\n        w.close()\n        served.set()\n"
        "    s = await asyncio.start_server(serve, '127.0.0.1', 0)\n"
        "    await asyncio.open_connection(*s.sockets[0].getsockname())\n"
        "    await served.wait()\n"
        "asyncio.run(main())"
    ),
    "ssl and mmap": (
        "import ssl, mmap\nassert ssl.create_default_context().get_ca_certs()\n"
        "mmap.mmap(-1, 4096).write(b'x')"
    ),
    "fifo": "import os, stat\nos.mkfifo('/tmp/f')\nassert os.path.exists('/tmp/f')",
}
NODE = {
    "worker_threads": (
        "const {Worker} = require('worker_threads');"
        "new Worker(\"require('worker_threads').parentPort.postMessage(1)\","
        "{eval: true}).on('message', () => console.log('ok'));"
    ),
    "child_process": (
        "console.log(require('child_process').execSync('echo ok').toString().trim())"
    ),
    "fs": (
        "const fs = require('fs'); fs.writeFileSync('/tmp/a', 'ok');"
        "fs.promises.readFile('/tmp/a').then(b => console.log(b.toString()));"
    ),
    "net": (
        "const net = require('net');"
        "const s = net.createServer(c => c.end('ok')).listen(0, '127.0.0.1', () =>"
        "net.connect(s.address().port, '127.0.0.1')"
        ".on('data', d => { console.log(d.toString()); s.close(); }));"
    ),
}
BASH = {
    "pipes": "test \"$(printf '3\\n1\\n' | sort | head -1)\" = 1",
    "job control": "set -m; sleep 5 & kill %1; wait; true",
    "jq": 'test "$(echo \'{"a": 2}\' | jq .a)" = 2',
    "tar": "echo x > a; tar cf b.tar a; rm a; tar xf b.tar; test -s a",
    "awk": "test \"$(echo 1 2 | awk '{print $1 + $2}')\" = 3",
    "shuffling": 'test "$(seq 9 | sort -R | sort -n | tr -d "\\n")" = 123456789',
    "process lists": "ps -o comm= -p $$ | grep -q bash",
    "here documents and arrays": 'a=(1 2); read -r b <<< "${a[1]}"; test "$b" = 2',
    "timeout": "timeout 0.1 sleep 9; test $? = 124",
    "curl": 'echo x > a; test "$(curl -s file:///tmp/a)" = x',
    "time zones": 'test "$(TZ=Asia/Tokyo date -d @0 +%H)" = 09',
}


def test_the_image_asks_for_nothing_special(docker_client: docker.APIClient) -> None:
    image = docker_client.inspect_image(RUNNER_IMAGE)
    config = image["Config"]
    assert (config["User"], config["WorkingDir"]) == ("1000:1000", "/tmp")
    assert (config.get("Entrypoint"), config["Cmd"]) == (None, ["bash"])
    assert not config.get("Volumes")
    assert not config.get("ExposedPorts")
    assert image["Size"] < 300e6


def test_the_image_is_made_from_the_inputs_of_this_checkout(
    docker_client: docker.APIClient,
) -> None:
    labels = docker_client.inspect_image(RUNNER_IMAGE)["Config"]["Labels"]
    assert labels[build.LABEL] == build.inputs(), "run `make images`"


def test_an_image_that_is_up_to_date_is_not_built_again() -> None:
    done = subprocess.run(
        [sys.executable, build.__file__], capture_output=True, text=True, timeout=10
    )
    assert done.stdout == f"images: {RUNNER_IMAGE} is up to date\n", done.stderr


def test_every_change_of_the_dockerfile_asks_for_a_new_image(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    changed = tmp_path / "Dockerfile"
    changed.write_text(build.DOCKERFILE.read_text() + "ENV A=b\n")
    before = build.inputs()
    monkeypatch.setattr(build, "DOCKERFILE", changed)
    assert build.inputs() != before


@pytest.mark.parametrize(
    "tool", ["bash", "python3", "node", "curl", "jq", "ps", "tini", "tar", "awk"]
)
async def test_the_tool_is_there(tool: str, run_script: RunScript) -> None:
    assert (await run_script(f"command -v {tool}")).end.code == 0


async def test_scripts_run_as_the_image_s_own_user(run_script: RunScript) -> None:
    ran = await run_script("id -u; id -g; id -un; pwd; echo $LANG")
    assert ran.stdout.split() == ["1000", "1000", "cronium", "/tmp", "C.UTF-8"]


async def test_no_file_raises_its_rights(run_script: RunScript) -> None:
    ran = await run_script("find / -xdev -perm /6000 -type f 2>/dev/null; echo done")
    assert ran.stdout == "done\n"


async def test_nothing_that_only_people_read_is_shipped(run_script: RunScript) -> None:
    ran = await run_script("find /usr/share/man /var/lib/apt/lists -type f; echo done")
    assert ran.stdout == "done\n"


@pytest.mark.parametrize("what", PYTHON)
async def test_python_can(what: str, run_script: RunScript) -> None:
    ran = await run_script(PYTHON[what], event_type=EventType.PYTHON)
    assert ran.end.code == 0, ran


@pytest.mark.parametrize("what", NODE)
async def test_node_can(what: str, run_script: RunScript) -> None:
    ran = await run_script(NODE[what], event_type=EventType.NODEJS)
    assert (ran.end.code, ran.stdout) == (0, "ok\n"), ran


@pytest.mark.parametrize("what", BASH)
async def test_bash_can(what: str, run_script: RunScript) -> None:
    ran = await run_script("cd /tmp\n" + BASH[what])
    assert ran.end.code == 0, ran
