"""How workflow code is kept deterministic: the SDK's sandbox, strict or fast.

The strict sandbox imports all of `workflows` anew for each run and refuses what would
not come out the same at a replay, such as the clock. That costs several times the
processor time of a run (docs/performance.md), and memory while the run is cached. Our
tests run every workflow and each recorded history in it; a worker runs the same code,
imported once.
"""

from temporalio.worker.workflow_sandbox import (
    SandboxedWorkflowRunner,
    SandboxRestrictions,
)

# The latter makes spans where traces are on, and nothing else.
PURE = ("contracts", "opentelemetry")
TESTED = ("workflows",)


def workflow_runner(*, strict: bool = False) -> SandboxedWorkflowRunner:
    """Return what runs workflow code.

    Args:
        strict: Whether to look at all that workflow code does.
    """
    imported_once = PURE if strict else (*PURE, *TESTED)
    return SandboxedWorkflowRunner(
        restrictions=SandboxRestrictions.default.with_passthrough_modules(
            *imported_once
        )
    )
