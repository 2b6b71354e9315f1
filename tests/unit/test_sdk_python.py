"""The helper in Python: what it costs, what it leaves alone, threads and processes."""

import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import sdk
from contracts.events import EventType
from tests.compat.channel import Channel, serving
from tests.compat.script import Bench, Ran

FOLDER = Path(sdk.__file__).parent / "python"
IMPORT_BUDGET = 0.015
"""Seconds of the processor that `from cronium import input` may cost."""


@pytest.fixture
def channel() -> Channel:
    return Channel(input={"region": "eu"}, variables={"N": 0})


@pytest.fixture
def bench(channel: Channel, tmp_path: Path) -> Iterator[Bench]:
    with serving(channel, tmp_path / "api.sock") as address:
        yield Bench(tmp_path, address)


def python(bench: Bench, script: str, **env: str) -> Ran:
    return bench.run(EventType.PYTHON, script, **env)


def test_importing_it_is_cheap() -> None:
    env = {
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": str(FOLDER),
        "CRONIUM_EXECUTION_TOKEN": "t",
        "CRONIUM_EXECUTION_ID": "e",
    }

    def cost(code: str) -> float:
        # Processor time: what other programs take of the machine is left out.
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        # -B: as in a sandbox, whose helper has no compiled files.
        subprocess.run([sys.executable, "-B", "-c", code], env=env, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    pairs = [(cost("from cronium import input"), cost("")) for _ in range(15)]
    added = min(pair[0] for pair in pairs) - min(pair[1] for pair in pairs)
    assert added < IMPORT_BUDGET, f"{added * 1000:.1f} ms"


def test_nothing_is_imported_before_the_first_use(bench: Bench) -> None:
    ran = python(
        bench,
        "import sys\nprint('cronium' in sys.modules, 'json' in sys.modules)\n"
        "cronium.input\nprint('cronium' in sys.modules, 'json' in sys.modules)\n"
        "import cronium as c\nprint(cronium is c, 'input' in dir(cronium))",
    )
    assert (ran.out, ran.err) == ("False False\nTrue False\nTrue True\n", "")


def test_builtins_and_names_of_the_script_are_left_alone(bench: Bench) -> None:
    ran = python(
        bench,
        "import sys, os\n"
        "print(__name__, os.path.basename(__file__), len(sys.argv), input.__module__)\n"
        "cronium = 5\nprint(cronium)\nsys.exit(9)",
    )
    assert (ran.code, ran.out) == (9, "__main__ script.py 1 builtins\n5\n")


def test_what_camel_case_returned_before_is_returned(bench: Bench) -> None:
    ran = python(
        bench,
        "print(cronium.setVariable('A', 1), cronium.set_variable('A', 1))\n"
        "print(cronium.setCondition(1), cronium.set_condition(0))",
    )
    assert ran.out == "True None\nTrue None\n"


def test_errors_have_their_documented_form(bench: Bench) -> None:
    ran = python(
        bench,
        "import pickle\n"
        "from cronium import CroniumAPIError, CroniumError, set_variable, output, log\n"
        "try: set_variable('PATH', 1)\n"
        "except CroniumAPIError as error:\n"
        "    for e in (error, pickle.loads(pickle.dumps(error))):\n"
        "        print(e.status_code, e.message, '|', e)\n"
        "for call in (lambda: output({1, 2}), lambda: output(float('nan')),\n"
        "             lambda: cronium.get_variable(5), lambda: log('loud', 'x'),\n"
        "             lambda: cronium.progress(50)):\n"
        "    try: call()\n"
        "    except CroniumError as error: print(error)\n"
        "try: cronium.get_varable\n"
        "except AttributeError as error: print(error)\n",
    )
    wrong = "400 PATH is no name for a variable | API Error (400): PATH is no name"
    assert ran.err == ""
    assert ran.out.splitlines() == [
        f"{wrong} for a variable",
        f"{wrong} for a variable",
        "output(data): Object of type set is not JSON serializable. Give text, "
        "numbers, True, False, None, lists or dicts.",
        "output(data): Out of range float values are not JSON compliant. Give text, "
        "numbers, True, False, None, lists or dicts.",
        "The name of a variable must be a text; it is 5.",
        "log(level): 'loud' is none of debug, info, warning, error.",
        "progress(fraction): 50 is not within 0 and 1.",
        "module 'cronium' has no attribute 'get_varable'; did you mean 'get_variable'?",
    ]


def test_compare_and_set_tells_who_was_first(bench: Bench, channel: Channel) -> None:
    ran = python(
        bench,
        "from cronium import CroniumAPIError, set_variable\n"
        "set_variable('N', 1, expected=0)\nset_variable('NEW', 1, if_absent=True)\n"
        "for more in ({'expected': 0}, {'if_absent': True}):\n"
        "    try: set_variable('N', 2, **more)\n"
        "    except CroniumAPIError as error: print(error.status_code)\n",
    )
    assert (ran.out, ran.err) == ("409\n409\n", "")
    assert channel.variables == {"N": 1, "NEW": 1}


def test_threads_and_forked_processes_share_it(bench: Bench, channel: Channel) -> None:
    ran = python(
        bench,
        "import os, threading\n"
        "def work():\n    for _ in range(25): cronium.increment_variable('N')\n"
        "work()\n"
        "made = [threading.Thread(target=work) for _ in range(4)]\n"
        "[t.start() for t in made]; [t.join() for t in made]\n"
        "child = os.fork()\nwork()\n"
        "if child: print(os.waitpid(child, 0)[1], cronium.get_variable('N'))\n",
    )
    assert (ran.out, ran.err) == ("0 175\n", "")
    assert channel.connections <= 6


def test_async_calls_run_side_by_side(bench: Bench, channel: Channel) -> None:
    ran = python(
        bench,
        "import asyncio\nfrom cronium import AsyncCronium\n"
        "async def items():\n    yield 1\n    yield {'a': 2}\n"
        "async def main():\n"
        "    async with AsyncCronium() as c:\n"
        "        calls = [c.increment_variable('N') for _ in range(20)]\n"
        "        await asyncio.gather(*calls)\n"
        "        print(await c.get_variable('N'), await c.get_variable('MISSING'))\n"
        "        print([item async for item in c.stream_input()])\n"
        "        await c.stream_output(items())\n"
        "        print(await c.send_email('a', 'b', 'c', cc=['d']))\n"
        "        print(await c.setVariable('N', 0))\n"
        "asyncio.run(main())",
    )
    assert ran.err == ""
    assert ran.out == (
        "20 None\n[{'region': 'eu'}]\n{'sent': True, 'tool': 'email'}\nTrue\n"
    )
    assert channel.output == [1, {"a": 2}]
    assert channel.actions[0]["config"] == {
        "to": ["a"], "subject": "b", "body": "c", "cc": ["d"]
    }  # fmt: skip


def test_debugging_shows_the_calls_and_not_the_token(bench: Bench) -> None:
    ran = python(bench, "cronium.get_variable('N')", CRONIUM_DEBUG="1")
    assert ran.err == "GET /executions/exec_1/variables/N\n"


def test_modules_and_sitecustomize_of_the_user_are_kept(
    bench: Bench, tmp_path: Path
) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "own.py").write_text("value = 3\n")
    (mine / "sitecustomize.py").write_text("import builtins\nbuiltins.mine = 4\n")
    ran = python(
        bench,
        "import own, sitecustomize\n"
        "print(own.value, mine, sitecustomize.__file__, cronium.get_variable('N'))",
        PYTHONPATH=str(mine),
    )
    assert (ran.out, ran.err) == (f"3 4 {mine}/sitecustomize.py 0\n", "")


CHUNKED = """
import socket
from cronium._channel import Connection
ours, theirs = socket.socketpair()
theirs.sendall(
    b"HTTP/1.1 200 OK\\r\\ntransfer-encoding: Chunked\\r\\n\\r\\n"
    b"3;x=y\\r\\nabc\\r\\n2\\r\\nde\\r\\n0\\r\\n\\r\\n"
    b"HTTP/1.0 404 No\\r\\nContent-Length: 2\\r\\n\\r\\nno"
    b"HTTP/1.1 200 OK\\r\\nContent-Length: 5\\r\\n\\r\\ncut"
)
theirs.shutdown(socket.SHUT_WR)
connection = Connection(ours)
print(connection.exchange(b"1"), connection.exchange(b"2"))
for _ in range(2):
    try: connection.exchange(b"3")
    except ConnectionResetError as error: print(error)
"""


def test_answers_in_chunks_and_answers_cut_short_are_understood(bench: Bench) -> None:
    ran = python(bench, CHUNKED)
    assert (ran.out, ran.err) == (
        "(200, b'abcde', True) (404, b'no', False)\n"
        "the connection was closed inside an answer\n"
        "the connection was closed before an answer\n",
        "",
    )


def test_outside_of_a_run_importing_works_and_a_call_says_what_is_missing() -> None:
    code = "import cronium\ntry: cronium.Cronium()\nexcept Exception as e: print(e)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(FOLDER)},
        capture_output=True,
        text=True,
    )
    assert done.stdout.startswith("CRONIUM_EXECUTION_TOKEN and CRONIUM_EXECUTION_ID")
