"""Both sides say the same of the hours in which clocks change."""

import json
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from schedules.clocks import changes
from schedules.compiled import YEARS
from tests.typescript.conftest import checked

NOW = datetime(2026, 6, 1, tzinfo=UTC)
ZONES = [
    "Europe/Berlin", "America/New_York", "America/Havana", "Australia/Lord_Howe",
    "Atlantic/Azores", "Africa/Cairo", "Asia/Kolkata", "Asia/Kathmandu", "UTC",
    "America/Sao_Paulo", "Pacific/Chatham",
]  # fmt: skip
SCRIPT = f"""
import {{ hoursOfChange }} from "./dist/esm/clocks.js";
const now = new Date({json.dumps(NOW.isoformat())});
const found = {json.dumps(ZONES)}.map((zone) => [zone, [...hoursOfChange(zone, now)]]);
console.log(JSON.stringify(Object.fromEntries(found)));
"""


@pytest.fixture(scope="module")
def told(client: Path) -> dict[str, list[int]]:
    said = checked("node", "--input-type=module", "--eval", SCRIPT, cwd=client)
    found: dict[str, list[int]] = json.loads(said)
    return found


@pytest.mark.parametrize("zone", ZONES)
def test_the_hours_around_changes_are_the_same(
    zone: str, told: dict[str, list[int]]
) -> None:
    begin = datetime(NOW.year - 1, 1, 1, tzinfo=UTC)
    known = changes(ZoneInfo(zone), begin, begin.replace(year=begin.year + YEARS))
    expected = {hour.hour for change in known for hour in change.hours()}
    assert set(told[zone]) == expected
