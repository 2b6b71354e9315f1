"""Every call of the helper in every language, by a script whose worker has died."""

import asyncio
import secrets
from dataclasses import dataclass

import pytest

from contracts.events import EventType
from contracts.results import ExecutionResult
from tests.caller import event
from tests.chaos.plant import Plant, Run
from tests.chaos.scripts import Numbered
from tests.compat.channel import EVENT
from tests.compat.product import check_after, chosen, ended, given, left
from tests.compat.steps import Case

# As many as have room at once.
GROUP = 18
READY, GO = "ready", "GO"
# Seconds: longer than the helpers would wait if nobody told them how long.
LONG_AWAY = 35.0
# Each says that it runs, and goes on when a variable tells it to, which it removes: the
# calls that ask for it are under way while the worker dies.
WAITING = {
    EventType.PYTHON: f"""
import cronium as _c, time as _t
print("{READY}")
while not _c.variable_exists("{GO}"):
    _t.sleep(0.2)
_c.delete_variable("{GO}")
""",
    EventType.NODEJS: f"""
{{
  const c = globalThis.cronium;
  console.log("{READY}");
  while (!c.variableExists("{GO}"))
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
  c.deleteVariable("{GO}");
}}
""",
    EventType.BASH: f"""
echo {READY}
until cronium_variable_exists {GO}; do sleep 0.2; done
cronium_delete_variable {GO}
""",
}


@dataclass
class Begun:
    """A case under way."""

    case: Case
    user: str
    run: Run


def groups() -> list[list[Case]]:
    cases = chosen()
    return [cases[at : at + GROUP] for at in range(0, len(cases), GROUP)]


async def begin(plant: Plant, case: Case) -> Begun:
    user = "compat-" + secrets.token_hex(4)
    await given(plant.caller, user, case.before)
    body = event(
        WAITING[case.language] + case.script, type=case.language, id=EVENT["id"]
    )
    handle = await plant.caller.start(body, input=case.input, user=user)
    return Begun(case, user, Run(handle, Numbered()))


async def says_ready(plant: Plant, begun: Begun) -> None:
    async for page in plant.caller.pages(begun.run.execution):
        if any(line["text"] == READY for line in page):
            return


async def ends_as_promised(plant: Plant, begun: Begun) -> None:
    case = begun.case
    result: ExecutionResult = await plant.result(begun.run)
    lines = await plant.caller.logs(begun.run.execution)
    out = [li["text"] + "\n" for li in lines if li["stream"] == "stdout"]
    err = [li["text"] for li in lines if li["stream"] == "stderr"]
    wanted = f"{READY}\n{ended(case.stdout)}"
    assert (result.exit_code, err, "".join(out)) == (0, [], wanted), case.id
    await check_after(case, result, lines, await left(plant.caller, begun.user))


@pytest.mark.parametrize("number", range(len(groups())))
async def test_every_call_works_after_the_death_of_the_worker(
    number: int, plant: Plant
) -> None:
    cases = groups()[number]
    begun = await asyncio.gather(*(begin(plant, case) for case in cases))
    async with asyncio.timeout(90):
        await asyncio.gather(*(says_ready(plant, one) for one in begun))
    plant.worker.kill()
    if number == 0:  # which has all the languages
        await asyncio.sleep(LONG_AWAY)
    await plant.worker.start()
    await asyncio.gather(*(given(plant.caller, one.user, {GO: True}) for one in begun))
    await asyncio.gather(*(ends_as_promised(plant, one) for one in begun))
