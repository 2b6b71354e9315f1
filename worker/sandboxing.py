"""How workflow code is kept deterministic: the SDK's sandbox, strict or fast.

The strict sandbox imports all of `workflows` anew for each run and refuses what would
not come out the same at a replay, such as the clock. That costs several times the
processor time of a run (docs/performance.md), and memory while the run is cached. Our
tests run every workflow and each recorded history in it; a worker runs the same code,
imported once.
"""

from dataclasses import dataclass
from typing import Any

from temporalio.worker import WorkflowInstance, WorkflowInstanceDetails
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
    return _Runner(
        restrictions=SandboxRestrictions.default.with_passthrough_modules(
            *imported_once
        )
    )


@dataclass(frozen=True)
class _Runner(SandboxedWorkflowRunner):
    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        return Remembering(super().create_instance(det))


class Remembering(WorkflowInstance):
    """A workflow that is asked once for what concerns all payloads of a command.

    The SDK enters the sandbox four times for each payload of each command, in the event
    loop that scripts need as well, to learn whose it is. Nothing changes that but an
    activation.

    Args:
        workflow: Who knows.
    """

    def __init__(self, workflow: WorkflowInstance) -> None:
        self._workflow = workflow
        self._contexts: dict[Any, Any] = {}
        self._stores: dict[Any, Any] = {}

    def activate(self, act: Any) -> Any:
        """See base class."""
        self._contexts.clear()
        self._stores.clear()
        return self._workflow.activate(act)

    def get_serialization_context(self, command_info: Any) -> Any:
        """See base class."""
        if command_info not in self._contexts:
            found = self._workflow.get_serialization_context(command_info)
            self._contexts[command_info] = found
        return self._contexts[command_info]

    def get_external_store_context(self, command_info: Any) -> Any:
        """See base class."""
        if command_info not in self._stores:
            found = self._workflow.get_external_store_context(command_info)
            self._stores[command_info] = found
        return self._stores[command_info]

    def get_info(self) -> Any:
        """See base class."""
        return self._workflow.get_info()

    def get_thread_id(self) -> int | None:
        """See base class."""
        return self._workflow.get_thread_id()
