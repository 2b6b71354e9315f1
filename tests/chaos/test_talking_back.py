"""Deaths and deploys while scripts talk back: each call counts once, no word lost."""

import asyncio
import random

import pytest

from contracts.events import EventType
from tests.caller import event
from tests.chaos.conftest import long_only, rounds
from tests.chaos.plant import JANITOR_INTERVAL, Plant
from tests.chaos.truth import complain, entries, nothing_left, wrong_containers
from tests.chaos.wire import until

CALLS = 120
# The ledger is asked about 5 s after an end, at the next round of the janitor.
LEDGER_SECONDS = 10.0 + 4 * JANITOR_INTERVAL
# Each counts, keeps what it counted, and says in the end what it saw.
SCRIPTS = {
    EventType.PYTHON: """
import cronium, time
cronium.set_condition(True)
for number in range(1, {calls} + 1):
    seen = cronium.increment_variable("{name}")
    assert seen == number, (seen, number)
    cronium.output({{"seen": seen}})
    cronium.progress(number / {calls}, f"{{number}} of {calls}")
    cronium.log("info", "counted", {{"n": number}})
    print(number)
    time.sleep(0.03)
""",
    EventType.NODEJS: """
cronium.setCondition(true);
for (let number = 1; number <= {calls}; number++) {{
  const seen = cronium.incrementVariable("{name}");
  if (seen !== number) throw new Error(`${{seen}} instead of ${{number}}`);
  cronium.output({{ seen }});
  cronium.log("info", "counted", {{ n: number }});
  console.log(number);
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 30);
}}
""",
    EventType.BASH: """
set -e
cronium_set_condition true
for ((number = 1; number <= {calls}; number++)); do
  seen=$(cronium_increment_variable {name})
  test "$seen" = "$number"
  cronium_output "{{\\"seen\\": $seen}}"
  cronium_log info counted "{{\\"n\\": $number}}"
  echo "$number"
  sleep 0.02
done
""",
}


@pytest.mark.parametrize(
    ("language", "deploys"),
    [
        *(pytest.param(lang, False, id=f"{lang} killed") for lang in SCRIPTS),
        *(
            pytest.param(
                lang,
                True,
                id=f"{lang} deployed",
                marks=() if lang is EventType.PYTHON else long_only,
            )
            for lang in SCRIPTS
        ),
    ],
)
@pytest.mark.parametrize("round_number", rounds(1, 3))
async def test_every_call_counts_once_whatever_becomes_of_the_worker(
    round_number: int,
    language: EventType,
    deploys: bool,
    plant: Plant,
    dice: random.Random,
) -> None:
    name = f"COUNT_{language}_{deploys}_{round_number}"
    script = SCRIPTS[language].format(calls=CALLS, name=name)
    handle = await plant.caller.start(event(script, type=language), user="counter")
    execution = handle.id.rpartition(":")[2]
    await plant.watch.saw("start", execution)
    for _ in range(2):
        await asyncio.sleep(dice.uniform(0.5, 2))
        if deploys:
            await plant.worker.stop()
        else:
            plant.worker.kill()
        await plant.worker.start()
    result = await handle.result()
    log = await plant.caller.logs(execution)
    problems = wrong_containers(plant, execution)
    if result.exit_code != 0:
        problems.append(f"the script did not end well: {result.logs.last_lines}")
    if (result.output, result.condition) != ({"seen": CALLS}, True):
        problems.append(f"it gave back {result.output} and {result.condition}")
    counted = [
        line["data"]["fields"]["n"]
        for line in log
        if line["stream"] == "log" and "fields" in line["data"]
    ]
    # A line whose answer was lost with the worker is said again: twice, never not.
    if sorted(set(counted)) != list(range(1, CALLS + 1)) or counted != sorted(counted):
        problems.append(f"structured lines: {counted}")
    if len(counted) > CALLS + 2:
        problems.append(f"{len(counted)} structured lines for {CALLS} calls")
    await complain(plant, execution, problems)
    await nothing_left(plant)
    await until(
        lambda: not entries(plant.state / "runs"), LEDGER_SECONDS, "an empty ledger"
    )
