"""Start an execution, show its lines as they come, and wait for its result."""

import asyncio
import contextlib
import signal
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from cli.errors import Interrupted, InvalidRequest
from cli.follow import LogFollower, LogUnavailable, token
from cli.terminal import below_interrupt
from contracts import names
from contracts.errors import (
    CeilingExceeded,
    CroniumError,
    ErrorInfo,
    InlineSecretRefused,
    RequestRefused,
    SecretUnavailable,
    TemplateInvalid,
)
from contracts.events import EventRequest
from contracts.graph_events import events_of
from contracts.graphs import GraphRequest, GraphResult
from contracts.inline_secrets import refuse_inline_secrets
from contracts.logs import LogLine
from contracts.results import EXIT_CANCELLED, ExecutionResult, Status
from contracts.validation import Problem

if TYPE_CHECKING:
    from temporalio.client import Client, WorkflowHandle

    from cli.stack import Stack
    from worker.settings import Settings

# After the result, lines may still be on their way through the gateway.
FIRST_LINE_SECONDS = 2.0
MORE_LINES_SECONDS = 20.0
RETRY_SECONDS = 1.0
REFUSALS = frozenset(
    {
        names.PAYLOAD_ERROR_TYPE,
        RequestRefused.__name__,
        CeilingExceeded.__name__,
        InlineSecretRefused.__name__,
        SecretUnavailable.__name__,
        TemplateInvalid.__name__,
    }
)
CONNECT_SECONDS = 10.0


class ExecutionFailed(CroniumError):
    """The execution ended without a result."""


class LeftRunning(Interrupted):
    """The user no longer waits for the execution."""

    def __init__(self, execution_id: str) -> None:
        super().__init__(
            below_interrupt(f"no longer waiting for {execution_id}"),
            hint=f"`cronium logs -f {execution_id}` goes on showing its log.",
        )


class Printer(Protocol):
    """Shows the lines of a log."""

    def print(self, lines: Iterable[LogLine]) -> None:
        """Show some lines."""

    def close(self) -> None:
        """Show that there are no more."""


Result = TypeVar("Result")


@dataclass(slots=True)
class Execution(Generic[Result]):
    """One execution that was started.

    Args:
        execution_id: Which one.
        handle: Its workflow.
        stack: Where it runs.
        say: Takes remarks for the person in front.
        cancelled: Makes the result of one that was cancelled before it began.
    """

    execution_id: str
    handle: "WorkflowHandle[Any, Result]"
    stack: "Stack"
    say: Callable[[str], None]
    cancelled: Callable[[], Result]

    def links(self, *, private: bool) -> dict[str, str]:
        """Return where a person can look at it.

        Args:
            private: Whether only that person sees the links: then they open the log
                without asking for a token.
        """
        found = self.stack.links(self.execution_id, self.handle.id)
        with contextlib.suppress(LogUnavailable):
            if private:
                secret = token(self.stack, self.execution_id)
                found["Logs"] += f"#token={secret}"
        return found

    async def attend(self, printer: Printer) -> Result:
        """Print the lines live and return the result; Ctrl-C cancels the run.

        Raises:
            InvalidRequest: The worker refused the request.
            ExecutionFailed: There is no result.
            LeftRunning: Ctrl-C was pressed twice.
        """
        left = asyncio.Event()
        result = asyncio.ensure_future(self._result())
        follower = LogFollower(self.stack, self.execution_id)
        viewing = asyncio.ensure_future(_print_all(follower, printer))
        leaving = asyncio.ensure_future(left.wait())
        try:
            with self._interrupts(left):
                await asyncio.wait(
                    (result, leaving), return_when=asyncio.FIRST_COMPLETED
                )
                if not result.done():
                    raise LeftRunning(self.execution_id)
                found = result.result()
                await self._last_lines(viewing, follower, left)
                return found
        finally:
            for task in (result, viewing, leaving):
                task.cancel()
            await asyncio.gather(result, viewing, leaving, return_exceptions=True)

    @contextlib.contextmanager
    def _interrupts(self, left: asyncio.Event) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        tasks: list[asyncio.Future[None]] = []

        def on_interrupt() -> None:
            if tasks:
                left.set()
                return
            self.say(
                below_interrupt("cancelling, press Ctrl-C again to leave it running")
            )
            tasks.append(asyncio.ensure_future(self._cancel()))

        loop.add_signal_handler(signal.SIGINT, on_interrupt)
        try:
            yield
        finally:
            loop.remove_signal_handler(signal.SIGINT)

    async def _cancel(self) -> None:
        from temporalio.service import RPCError

        try:
            await self.handle.cancel()
        except RPCError as error:
            self.say(f"cannot cancel: {error.message}")

    async def _last_lines(
        self,
        viewing: "asyncio.Future[None]",
        follower: LogFollower,
        left: asyncio.Event,
    ) -> None:
        """Give the lines that are still on their way the time to come."""
        waiting, seen = 0.0, 0
        while not viewing.done() and not left.is_set():
            if follower.next_seq > seen:
                waiting, seen = 0.0, follower.next_seq
            limit = MORE_LINES_SECONDS if follower.connected else FIRST_LINE_SECONDS
            if waiting >= limit:
                break
            await asyncio.wait((viewing,), timeout=0.1)
            waiting += 0.1
        problem = _problem(viewing, follower)
        if problem:
            self.say(f"{problem}; later: cronium logs {self.execution_id}")

    async def _result(self) -> Result:
        from temporalio.client import WorkflowFailureError
        from temporalio.exceptions import is_cancelled_exception
        from temporalio.service import RPCError, RPCStatusCode

        passing = (RPCStatusCode.UNAVAILABLE, RPCStatusCode.DEADLINE_EXCEEDED)
        told = False
        while True:
            try:
                return await self.handle.result()
            except WorkflowFailureError as error:
                if is_cancelled_exception(error.cause):
                    return self.cancelled()
                raise refusal(error.cause) from None
            except RPCError as error:
                if error.status not in passing:
                    raise ExecutionFailed(f"Temporal: {error.message}") from None
            if not told:
                self.say("Temporal does not answer; the run goes on, waiting for it")
                told = True
            await asyncio.sleep(RETRY_SECONDS)


async def start(
    settings: "Settings",
    stack: "Stack",
    request: EventRequest,
    say: Callable[[str], None],
) -> Execution[ExecutionResult]:
    """Start `EventWorkflow`; the same execution id is started once.

    Raises:
        TemporalUnavailable: Nobody answers.
        ExecutionFailed: Temporal refused the start.
        InvalidRequest: A credential is in the request, and nothing is encrypted here.
    """
    workflow_id = names.workflow_id(request.event.id, request.execution_id)
    handle = await launch(
        settings, stack, names.EVENT_WORKFLOW, request, workflow_id, say
    )
    return Execution(
        request.execution_id, handle, stack, say, lambda: _cancelled(request)
    )


async def launch(
    settings: "Settings",
    stack: "Stack",
    workflow: str,
    request: EventRequest | GraphRequest,
    workflow_id: str,
    say: Callable[[str], None],
) -> "WorkflowHandle[Any, Any]":
    """Start a workflow once, and return its handle.

    Raises:
        TemporalUnavailable: Nobody answers.
        ExecutionFailed: Temporal refused the start.
    """
    from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
    from temporalio.exceptions import WorkflowAlreadyStartedError
    from temporalio.service import RPCError

    from workflows.priorities import priority_of

    if settings.encryption.keys_file is None:
        # Before Temporal has it: what is stored there once, stays.
        _refuse_inline_secrets(request)
    client = await connect(settings, stack)
    links = stack.links(request.execution_id, workflow_id)
    result_type: type[Any] = ExecutionResult
    title = ""
    if isinstance(request, GraphRequest):
        result_type, title = GraphResult, request.workflow.name
    else:
        title = request.event.name
    try:
        handle: WorkflowHandle[Any, Any] = await client.start_workflow(
            workflow,
            request,
            id=workflow_id,
            task_queue=settings.temporal.task_queue,
            result_type=result_type,
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            static_summary=title,
            static_details=f"[Log of this execution]({links['Logs']})",
            priority=priority_of(request),
        )
    except WorkflowAlreadyStartedError:
        say("this execution id was started before: showing that execution")
        handle = client.get_workflow_handle(workflow_id, result_type=result_type)
    except RPCError as error:
        raise ExecutionFailed(f"Temporal refused the start: {error.message}") from None
    return handle


async def connect(settings: "Settings", stack: "Stack") -> "Client":
    """Return a client of the stack's Temporal server.

    Raises:
        TemporalUnavailable: Nobody answers.
    """
    from worker.temporal import connect as connect_temporal

    return await connect_temporal(
        settings, stack.temporal, stack.namespace, patience=CONNECT_SECONDS
    )


def _refuse_inline_secrets(request: EventRequest | GraphRequest) -> None:
    found = (
        events_of(request.workflow, "workflow")
        if isinstance(request, GraphRequest)
        else [("event", request.event)]
    )
    try:
        for path, event in found:
            refuse_inline_secrets(event, path)
    except InlineSecretRefused as error:
        problem = Problem(path="", message=str(error))
        raise InvalidRequest([problem], hint=error.user_hint) from None


def refusal(cause: BaseException | None) -> CroniumError:
    """Return why a workflow has no result: as problems when it was refused."""
    from temporalio.exceptions import ApplicationError

    if not isinstance(cause, ApplicationError) or cause.type not in REFUSALS:
        return ExecutionFailed(f"the execution ended without a result: {cause}")
    hints = [detail for detail in cause.details if isinstance(detail, str)]
    problems = [
        Problem(path=str(item.get("path", "")), message=str(item["message"]))
        for detail in cause.details
        if isinstance(detail, list)
        for item in detail
        if isinstance(item, dict) and "message" in item
    ]
    return InvalidRequest(
        problems or [Problem(path="", message=cause.message)], hint="".join(hints)
    )


def _cancelled(request: EventRequest) -> ExecutionResult:
    return ExecutionResult(
        execution_id=request.execution_id,
        event_id=request.event.id,
        event_name=request.event.name,
        status=Status.CANCELLED,
        exit_code=EXIT_CANCELLED,
        error=ErrorInfo(type="Cancelled", message="cancelled before it began"),
    )


async def _print_all(follower: LogFollower, printer: Printer) -> None:
    async for lines in follower.batches():
        # In a thread: a reader that pauses must not stop us from hearing Ctrl-C.
        await asyncio.to_thread(printer.print, lines)
    printer.close()


def _problem(viewing: "asyncio.Future[None]", follower: LogFollower) -> str:
    """Return why not every line was shown, or ""."""
    error = viewing.exception() if viewing.done() else None
    if isinstance(error, LogUnavailable):
        return f"live lines were not available: {error}"
    if error is not None:
        return f"live lines broke off: {type(error).__name__}"
    if not follower.connected:
        return "live lines were not available: the gateway does not answer"
    if follower.end is None or not follower.end.complete:
        return "some lines have not arrived yet"
    return ""
