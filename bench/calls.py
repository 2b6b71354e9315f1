"""What the helpers cost a script: a call, in each language, and the import in Python.

Everything is measured by the script itself, inside of a sandbox without network.
"""

from typing import Any

from bench.local import Local
from bench.measures import Row, percentile

P50_MS, P99_MS, IMPORT_MS = 5.0, 25.0, 15.0
# Two that the worker answers by itself and two that go on to the gateway's database.
PYTHON = """
import json, time
calls = [
    lambda: cronium.input(),
    lambda: cronium.progress(0.5),
    lambda: cronium.get_variable("BENCH"),
    lambda: cronium.increment_variable("BENCH"),
]
for call in calls:
    call()
took = []
for number in range(%d):
    begin = time.perf_counter()
    calls[number %% 4]()
    took.append((time.perf_counter() - begin) * 1000)
cronium.output(took)
"""
NODEJS = """
const calls = [
  () => cronium.input(),
  () => cronium.progress(0.5),
  () => cronium.getVariable("BENCH"),
  () => cronium.incrementVariable("BENCH"),
];
for (const call of calls) call();
const took = [];
for (let number = 0; number < %d; number += 1) {
  const begin = process.hrtime.bigint();
  calls[number %% 4]();
  took.push(Number(process.hrtime.bigint() - begin) / 1e6);
}
cronium.output(took);
"""
BASH = """
calls=(cronium_input "cronium_progress 0.5" "cronium_get_variable BENCH"
  "cronium_increment_variable BENCH")
for call in "${calls[@]}"; do $call >/dev/null; done
took=()
for ((number = 0; number < %d; number++)); do
  begin=${EPOCHREALTIME/[.,]/}
  ${calls[number %% 4]} >/dev/null
  took+=($((${EPOCHREALTIME/[.,]/} - begin)))
done
cronium_output "$(printf '%%s\\n' "${took[@]}" | jq -cs 'map(. / 1000)')"
"""
SCRIPTS = {"python": PYTHON, "nodejs": NODEJS, "bash": BASH}
NAMES = {"python": "Python", "nodejs": "Node.js", "bash": "Bash"}
# Both interpreters find the same directory; only one of them asks it for something.
IMPORT = """
import os, subprocess, sys, time
plain = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
took = {True: [], False: []}
for number in range(2 * %d + 2):
    ours = bool(number %% 2)
    code = "import cronium; cronium.input" if ours else "pass"
    begin = time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", code], env=os.environ if ours else plain, check=True
    )
    if number >= 2:
        took[ours].append((time.perf_counter() - begin) * 1000)
cronium.output([took[True], took[False]])
"""


async def call_latency(local: Local, kind: str, calls: int) -> Row:
    """How long a script waits for a call, at most 900 of them (the rate limit)."""
    took = await _output(local, SCRIPTS[kind] % calls, kind)
    p50, p99 = percentile(took, 0.5), percentile(took, 0.99)
    return Row(
        f"Helper call in {NAMES[kind]}, p50 / p99 of {len(took)}",
        f"{p50:.1f} / {p99:.1f} ms",
        "–",
        "–",
        f"≤ {P50_MS:g} / {P99_MS:g} ms",
        p50 <= P50_MS and p99 <= P99_MS,
    )


async def import_cost(local: Local, rounds: int) -> Row:
    """What `import cronium` and a first use add to the start of Python."""
    ours, plain = await _output(local, IMPORT % rounds, "python")
    with_us, without = percentile(ours, 0.5), percentile(plain, 0.5)
    return Row(
        "Start of Python with the helper, p50",
        f"{with_us:.0f} ms",
        f"{without:.0f} ms without it",
        f"{with_us - without:+.0f} ms",
        f"≤ {IMPORT_MS:g} ms",
        with_us - without <= IMPORT_MS,
    )


async def _output(local: Local, script: str, kind: str) -> Any:
    result = await (await local.start(script, type=kind)).result()
    if result.output is None:
        raise SystemExit(f"the script of the measurement failed: {result.error}")
    return result.output
