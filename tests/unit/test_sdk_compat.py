"""The compatibility suite on this machine: every name, style and type."""

from pathlib import Path

import pytest

from tests.compat.cases import CASES
from tests.compat.channel import Channel, serving
from tests.compat.script import Bench
from tests.compat.steps import Case


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_the_script_runs_as_promised(case: Case, tmp_path: Path) -> None:
    channel = Channel(input=case.input, variables=dict(case.before))
    with serving(channel, tmp_path / "api.sock") as address:
        ran = Bench(tmp_path, address).run(case.language, case.script)
    assert (ran.code, ran.err, ran.out) == (0, "", case.stdout)
    assert {name: getattr(channel, name) for name in case.after} == case.after
