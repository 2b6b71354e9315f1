"""How long a try waits for an engine, a host or a key that is away."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from contracts.encryption_errors import EncryptionKeyMissing
    from contracts.errors import (
        EngineUnavailable,
        ErrorInfo,
        HostNotReady,
        LogStorageFull,
        SecretsUnavailable,
    )
    from contracts.server_errors import ENGINE_AWAY_TYPES
    from workflows.pacing import history_is_full

# Trouble of the engine before the script began is tried again on any host: after 1, 2,
# 4, 8 … s, at most 30 s apart, so for about four minutes in all.
ENGINE_TRIES = 11
MAX_ENGINE_WAIT = 30.0
# A daemon comes back and a disk is freed; a registry that refuses mostly goes on to.
OTHER_ENGINE_TRIES = 3
PATIENT_TYPES = frozenset({EngineUnavailable().type, SecretsUnavailable().type})
# Nothing is wrong with the run: it waits until an operator has brought the key.
KEY_MISSING = EncryptionKeyMissing().type
# One host among several refuses: the next that takes it may be another, so it is asked
# for again soon, for about four minutes as well.
ELSEWHERE_TYPES = frozenset({HostNotReady().type, LogStorageFull().type})
ELSEWHERE_WAIT = 3.0
ELSEWHERE_TRIES = 80


def is_final(error: ErrorInfo, troubles: int) -> bool:
    """Whether a try is over after so many troubles one after the other."""
    patience = OTHER_ENGINE_TRIES
    if error.type == KEY_MISSING:
        return history_is_full()
    if error.type in ELSEWHERE_TYPES:
        patience = ELSEWHERE_TRIES
    elif error.type in PATIENT_TYPES:
        patience = ENGINE_TRIES
    return not error.retryable or troubles >= patience or history_is_full()


def longest_wait(error: ErrorInfo | None) -> float:
    """Return the most seconds between two times that a try is sent out."""
    elsewhere = error is not None and error.type in ELSEWHERE_TYPES
    return ELSEWHERE_WAIT if elsewhere else MAX_ENGINE_WAIT


def worth_resuming(error: ErrorInfo | None) -> bool:
    """Whether the host had a passing trouble; None is a death without a heartbeat."""
    return error is None or error.type in {*ENGINE_AWAY_TYPES, KEY_MISSING}
