"""Traces are off until they are asked for, and then they must be there."""

import builtins
import subprocess
import sys
from typing import Any

import pytest

from engines.channel.watching import CallWatch
from worker.settings import load_settings
from worker.tracing import TracingUnavailable, interceptors, traced


def test_nothing_of_it_is_read_while_it_is_off() -> None:
    watch = CallWatch()
    assert interceptors(None) == []
    assert traced(watch, None) is watch
    look = (
        "import sys, worker.main; from worker.tracing import interceptors;"
        "interceptors(None); print('opentelemetry.sdk' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True)
    assert said.stdout == "False\n", said.stderr


def test_packages_that_are_missing_are_named_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = builtins.__import__

    def refusing(name: str, *rest: Any) -> Any:
        if name.startswith("opentelemetry.sdk"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", refusing)
    with pytest.raises(TracingUnavailable, match=r"opentelemetry\.sdk") as missing:
        interceptors("http://127.0.0.1:1")
    assert "cronium-executor[otel]" in missing.value.user_hint


@pytest.mark.parametrize("endpoint", ["localhost:4318", "grpc://x", "http://", "a b"])
def test_an_address_that_is_none_is_refused(endpoint: str) -> None:
    with pytest.raises(Exception, match=r"tracing\.endpoint"):
        load_settings(tracing={"endpoint": endpoint})
