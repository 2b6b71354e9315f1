"""A server that fails is left alone, probed and taken back."""

import pytest

from contracts.server_errors import SshAuthFailed, SshBreakerOpen, SshConnectFailed
from engines.ssh.breaker import Breaker, BreakerState


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker("db:22", clock=clock)


def fail(breaker: Breaker, times: int = 1) -> None:
    for _ in range(times):
        with pytest.raises(SshConnectFailed), breaker.attempt():
            raise SshConnectFailed("no route")


def succeed(breaker: Breaker) -> None:
    with breaker.attempt():
        pass


def test_five_failures_in_a_row_open_it(breaker: Breaker) -> None:
    fail(breaker, 4)
    succeed(breaker)
    fail(breaker, 4)
    assert breaker.state is BreakerState.CLOSED
    fail(breaker)
    assert breaker.state is BreakerState.OPEN
    with pytest.raises(SshBreakerOpen, match=r"5 times.*in 60 s.*no route"):
        succeed(breaker)


def test_after_a_minute_three_probes_and_two_successes_close_it(
    breaker: Breaker, clock: Clock
) -> None:
    fail(breaker, 5)
    clock.now += 60
    assert breaker.state is BreakerState.HALF_OPEN
    refused = pytest.raises(SshBreakerOpen, match="probes under way")
    with breaker.attempt(), breaker.attempt(), breaker.attempt(), refused:
        succeed(breaker)
    assert breaker.state is BreakerState.CLOSED


def test_one_success_is_not_enough_and_a_failure_opens_it_again(
    breaker: Breaker, clock: Clock
) -> None:
    fail(breaker, 5)
    clock.now += 60
    succeed(breaker)
    assert breaker.state is BreakerState.HALF_OPEN
    fail(breaker)
    assert breaker.state is BreakerState.OPEN
    clock.now += 60
    succeed(breaker)
    assert breaker.state is BreakerState.HALF_OPEN
    succeed(breaker)
    assert breaker.state is BreakerState.CLOSED
    assert breaker.last_error == ""


def test_a_wrong_password_says_nothing_about_the_server(breaker: Breaker) -> None:
    fail(breaker, 4)
    for _ in range(10):
        with pytest.raises(SshAuthFailed), breaker.attempt():
            raise SshAuthFailed
    fail(breaker)
    assert breaker.state is BreakerState.CLOSED


def test_the_open_breaker_of_a_jump_host_is_no_failure_of_the_server(
    breaker: Breaker,
) -> None:
    for _ in range(10):
        with pytest.raises(SshBreakerOpen), breaker.attempt():
            raise SshBreakerOpen
    assert breaker.state is BreakerState.CLOSED
