"""What the SDK asks a workflow about payloads, it asks once until something happens."""

from typing import Any

from temporalio.worker import WorkflowInstance

from worker.sandboxing import Remembering


class Asked(WorkflowInstance):
    """Answers with how often it was asked, whatever about."""

    def __init__(self) -> None:
        self.times = 0

    def activate(self, act: Any) -> Any:
        """See base class."""
        return ("did", act)

    def _answer(self, about: Any) -> Any:
        self.times += 1
        return (about, self.times)

    get_serialization_context = get_external_store_context = _answer

    def get_info(self) -> Any:
        """See base class."""
        return "info"

    def get_thread_id(self) -> int | None:
        """See base class."""
        return 7


def test_a_command_s_payloads_share_an_answer() -> None:
    asked = Asked()
    workflow = Remembering(asked)
    first = workflow.get_serialization_context(("activity", 1))
    assert first == workflow.get_serialization_context(("activity", 1))
    assert workflow.get_serialization_context(("activity", 2)) == (("activity", 2), 2)
    assert workflow.get_serialization_context(None) == (None, 3)
    assert workflow.get_external_store_context(("activity", 1)) == (("activity", 1), 4)
    assert workflow.get_external_store_context(("activity", 1)) == (("activity", 1), 4)
    assert asked.times == 4


def test_that_nobody_s_is_remembered_as_well() -> None:
    class Nobody(Asked):
        def get_serialization_context(self, command_info: Any) -> Any:
            """See base class."""
            self.times += 1

    asked = Nobody()
    workflow = Remembering(asked)
    assert workflow.get_serialization_context(None) is None
    assert workflow.get_serialization_context(None) is None
    assert asked.times == 1


def test_an_activation_makes_it_ask_again() -> None:
    asked = Asked()
    workflow = Remembering(asked)
    before = (
        workflow.get_serialization_context(1),
        workflow.get_external_store_context(1),
    )
    assert workflow.activate("that") == ("did", "that")
    after = (
        workflow.get_serialization_context(1),
        workflow.get_external_store_context(1),
    )
    assert (before, after) == (((1, 1), (1, 2)), ((1, 3), (1, 4)))


def test_the_rest_is_the_workflow_s_own() -> None:
    workflow = Remembering(Asked())
    assert (workflow.get_info(), workflow.get_thread_id()) == ("info", 7)
