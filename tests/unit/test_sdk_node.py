"""The helper in Node.js: values, promises, modules, a process that is left alone."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.events import EventType
from engines.scripts import MODULE_HINT
from tests.compat.channel import Channel, serving
from tests.compat.script import Bench, Ran


@pytest.fixture
def channel() -> Channel:
    return Channel(
        input={"region": "eu", "list": [1]},
        variables={"N": 0, "E": "", "F": False, "Z": None, "T": "t", "L": [1, 2]},
    )


@pytest.fixture
def bench(channel: Channel, tmp_path: Path) -> Iterator[Bench]:
    with serving(channel, tmp_path / "api.sock") as address:
        yield Bench(tmp_path, address)


def node(bench: Bench, script: str, **env: str) -> Ran:
    return bench.run(EventType.NODEJS, script, **env)


CHECK = "const assert = require('assert');\n"
PLAIN = [
    'cronium.input().region === "eu"',
    "cronium.getVariable('N') === 0",
    "cronium.getVariable('N') + 1 === 1",
    "cronium.getVariable('E') === ''",
    "cronium.getVariable('F') === false",
    "cronium.getVariable('Z') === null",
    "cronium.getVariable('MISSING') === null",
    "typeof cronium.getVariable('T') === 'string'",
    "Object.getOwnPropertyNames(cronium.input()).join() === 'region,list'",
    "Array.isArray(cronium.getVariable('L'))",
    "cronium.setVariable('X', undefined) === true && cronium.getVariable('X') === null",
    "cronium.setCondition(1) === true",
    "cronium.output(1) === undefined",
    "typeof (5).then === 'undefined' && typeof ''.then === 'undefined'",
]


@pytest.mark.parametrize("expression", PLAIN)
def test_the_global_gives_plain_values(expression: str, bench: Bench) -> None:
    ran = node(bench, f"{CHECK}assert({expression})")
    assert (ran.code, ran.err) == (0, "")


HYBRID = """
const { input, getVariable, setVariable, output, CroniumAPIError } = require('cronium');
(async () => {
  // objects: plain and awaitable at once
  const held = input();
  assert.strictEqual(held.region, 'eu');
  assert.deepStrictEqual(held, { region: 'eu', list: [1] });
  assert.deepStrictEqual(Object.keys(held), ['region', 'list']);
  assert.strictEqual(JSON.stringify(held), '{"region":"eu","list":[1]}');
  assert.deepStrictEqual({ ...held }, { region: 'eu', list: [1] });
  held.more = 1;
  const awaited = await held;
  assert.strictEqual('then' in awaited, false);
  assert.strictEqual(awaited.more, 1);
  assert.strictEqual(await (async () => awaited)(), awaited);
  const list = getVariable('L');
  assert(Array.isArray(list) && list.length === 2);
  assert.deepStrictEqual([...list], [1, 2]);
  assert.deepStrictEqual(await list, [1, 2]);
  // the rest: real promises that stand for their value in sums, texts and JSON
  const rest = { N: 0, E: '', F: false, Z: null, T: 't', NO: null };
  for (const [key, value] of Object.entries(rest)) {
    const found = getVariable(key);
    assert(found instanceof Promise);
    assert.strictEqual(await found, value);
    assert.strictEqual(await getVariable(key).then((v) => v).finally(() => 9), value);
    assert.strictEqual(JSON.stringify({ found }), JSON.stringify({ found: value }));
  }
  assert.strictEqual(getVariable('N') + 1, 1);
  assert.strictEqual(`${getVariable('T')}!`, 't!');
  await setVariable('COPY', getVariable('N'));
  assert.strictEqual(await getVariable('COPY'), 0);
  assert.strictEqual(await setVariable('COPY', 1), undefined);
  const all = await Promise.all([input(), getVariable('N'), getVariable('Z')]);
  assert.deepStrictEqual(all, [{ region: 'eu', list: [1] }, 0, null]);
  // errors are rejections
  const error = await setVariable('PATH', 1).catch((e) => e);
  assert(error instanceof CroniumAPIError && error instanceof Error);
  assert.strictEqual(error.statusCode, 400);
  assert.strictEqual(error.name, 'CroniumAPIError');
  await assert.rejects(getVariable(), /name of a variable must be a text/);
  await assert.rejects(output(1n), /output\\(data\\): .*BigInt/);
  console.log('all');
})();
"""


def test_what_is_imported_gives_promises_that_can_be_used_at_once(bench: Bench) -> None:
    ran = node(bench, CHECK + HYBRID)
    assert (ran.code, ran.out, ran.err) == (0, "all\n", "")


def test_an_error_that_nobody_handles_ends_the_script(bench: Bench) -> None:
    for script in ("cronium.setVariable('PATH', 1)", "require('cronium').output(1n)"):
        ran = node(bench, script)
        assert ran.code == 1
        assert "Cronium" in ran.err


def test_a_script_of_its_own_names_is_left_alone(bench: Bench) -> None:
    ran = node(
        bench,
        "const cronium = 1; function input() { return 2 }\n"
        "console.log(cronium, input(), Object.keys(globalThis).includes('cronium'));",
    )
    assert (ran.out, ran.err) == ("1 2 false\n", "")
    ran = node(bench, "cronium = 5; console.log(cronium, typeof globalThis.cronium)")
    assert ran.out == "5 number\n"


def test_nothing_is_loaded_and_no_thread_is_started_before_the_first_call(
    bench: Bench,
) -> None:
    ran = node(
        bench,
        "const path = require('path'), fs = require('fs');\n"
        "const files = () => Object.keys(require.cache)"
        ".filter((f) => f.includes('cronium')).map((f) => path.basename(f));\n"
        "const threads = () => fs.readdirSync('/proc/self/task').length;\n"
        "const before = threads();\n"
        "console.log(files().join()); typeof cronium; console.log(files().join());\n"
        "console.log(threads() - before); cronium.input();\n"
        "console.log(threads() - before > 0);",
    )
    assert ran.out == (
        "preload.cjs\npreload.cjs,global.js,client.js,channel.js,errors.js\n0\ntrue\n"
    )


def test_the_thread_does_not_keep_the_process_alive(bench: Bench) -> None:
    ran = node(
        bench,
        "cronium.getVariable('N'); process.on('exit', () => console.log('exit'));"
        "setTimeout(() => console.log('timer'), 50); process.exitCode = 7;",
    )
    assert (ran.code, ran.out, ran.err) == (7, "timer\nexit\n", "")


def test_many_calls_use_one_connection(bench: Bench, channel: Channel) -> None:
    ran = node(bench, "for (let i = 0; i < 50; i++) cronium.incrementVariable('N')")
    assert (ran.code, channel.variables["N"], channel.connections) == (0, 50, 1)


def test_workers_and_child_processes_of_the_script_have_the_helper(
    bench: Bench, channel: Channel
) -> None:
    ran = node(
        bench,
        "const { Worker } = require('worker_threads');\n"
        "const code = 'cronium.incrementVariable(\"N\")';\n"
        "require('child_process').execFileSync(process.execPath, ['-e', code]);\n"
        "new Worker(code, { eval: true }).on('exit', (end) => console.log(end));",
    )
    assert (ran.out, ran.err, channel.variables["N"]) == ("0\n", "", 2)


def test_argv_filename_and_the_arguments_of_node_stay_as_they_were(
    bench: Bench,
) -> None:
    ran = node(
        bench,
        "console.log(process.argv.length, __filename === process.argv[1],"
        " require.main === module, process.execArgv.length, this === module.exports)",
    )
    assert ran.out == "2 true true 0 true\n"


def test_options_of_the_user_s_environment_are_kept(
    bench: Bench, tmp_path: Path
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "own.js").write_text("module.exports = 3;")
    (tmp_path / "first.js").write_text("global.first = 1;")
    ran = node(
        bench,
        "console.log(first, require('own'), cronium.getVariable('N'))",
        NODE_OPTIONS=f"--require={tmp_path}/first.js",
        NODE_PATH=f"{tmp_path}/mine",
    )
    assert (ran.out, ran.err) == ("1 3 0\n", "")


@pytest.mark.parametrize(
    ("script", "hint"),
    [
        ("import fs from 'fs';", True),
        ("import{a}from'b'", True),
        ("  export const a = 1;", True),
        ("const a = await b();", True),
        ("await b();", True),
        ("const a = require('a'); a();", False),
        ("async function f() {\n  await g();\n}\nf();", False),
        ("import('x').then(f)", False),
    ],
)
def test_the_hint_of_a_module_is_seen(script: str, hint: bool) -> None:
    assert bool(MODULE_HINT.search(script)) is hint


@pytest.mark.parametrize(
    "script",
    [
        "const text = `\nimport fs from 'fs';\n`;\nconsole.log(typeof __filename)",
        "const f = async () => await 1;\nconsole.log(typeof module && 'string')",
        "#!/usr/bin/env node\nconst g = async () => await 1; console.log('string')",
        "if (1) { console.log('string'); return }\nconst f = async () => await 1;",
    ],
)
def test_a_script_that_is_commonjs_runs_as_that(script: str, bench: Bench) -> None:
    ran = node(bench, script)
    assert (ran.code, ran.out, ran.err) == (0, "string\n", "")


def test_a_module_has_what_modules_have(bench: Bench) -> None:
    ran = node(
        bench,
        "import { readFileSync } from 'fs';\n"
        "const { region } = await cronium.input();\n"
        "const { sep } = require('path');\n"
        "console.log(region, sep, typeof __filename, typeof readFileSync);\n"
        "process.exitCode = 3;",
    )
    assert (ran.code, ran.out, ran.err) == (3, "eu / undefined function\n", "")
