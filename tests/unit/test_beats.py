"""How often a run shows that it is alive, by how many a host has."""

import pytest

from activities.scripts import BEATS_PER_SECOND, beat_pause


@pytest.mark.parametrize(
    ("runs", "timeout", "seconds"),
    [(1, 10, 1), (150, 10, 1), (300, 10, 2), (500, 10, 10 / 3), (500, 3, 1), (9, 0, 1)],
)
def test_many_runs_share_what_temporal_is_sent(
    runs: int, timeout: float, seconds: float
) -> None:
    assert beat_pause(1.0, runs, timeout) == pytest.approx(seconds)


def test_three_signs_of_life_fit_into_a_timeout_however_many_there_are() -> None:
    assert beat_pause(1.0, 100 * BEATS_PER_SECOND, 10.0) * 3 <= 10.0
