"""The ways to the places where tries run: containers, servers, HTTP.

A route says which activity takes a try, on which queue, who can go on with it when its
worker is gone, and how people are told that nobody can.
"""

from dataclasses import dataclass

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from contracts import names
    from contracts.events import EventSpec, EventType
    from contracts.runs import (
        RESUME_CONTAINER,
        RESUME_SSH,
        RUN_CONTAINER,
        RUN_HTTP,
        RUN_SSH,
        ActivityStub,
        Admission,
        ResumeRequest,
        RunOutcome,
        RunRequest,
    )
    from contracts.servers import ServerSpec
    from workflows.endings import Lost

Run = ActivityStub[RunRequest, RunOutcome]
Resume = ActivityStub[ResumeRequest, RunOutcome]


@dataclass(frozen=True)
class Route:
    """A container: any host with a free slot takes it, that host alone resumes it."""

    run: Run = RUN_CONTAINER
    resume: Resume | None = RESUME_CONTAINER
    """None: a try leaves nothing behind that could be gone on with."""

    def run_queue(self) -> str | None:
        """Return the queue of first dispatches; None is the workflow's own."""
        return None

    def resume_queue(self, host: str) -> str:
        """Return the queue of those who can go on with a try of a lost host."""
        return names.host_queue(host)

    def resumer(self, host: str, target: str) -> str:
        """Return who goes on, for the summary of the activity."""
        return host

    def resume_wait(self, admission: Admission, left: float) -> float:
        """Return for how many seconds somebody may take a resumption up.

        Args:
            admission: The operator's settings.
            left: What is left of the time for which a lost host is waited for.
        """
        return left

    def unknown(self, lost: Lost, admission: Admission) -> str:
        """Say that nobody knows how a try ended."""
        return (
            f"The outcome of the script is unknown: {lost.why} and did not come back "
            f"within {admission.resume_window_seconds:g} s."
        )

    def left_behind(self, lost: Lost) -> str:
        """Say what a cancel could not reach."""
        return (
            f"on request, but {lost.why}: what runs there is stopped when the "
            "host is back"
        )


@dataclass(frozen=True)
class HttpRoute(Route):
    """A request: a queue of its own, since it needs no Docker host."""

    run: Run = RUN_HTTP
    resume: Resume | None = None

    def run_queue(self) -> str | None:
        """See base class."""
        return names.http_queue(workflow.info().task_queue)

    def unknown(self, lost: Lost, admission: Admission) -> str:
        """See base class."""
        return f"What became of the request is unknown: {lost.why}."


@dataclass(frozen=True)
class SshRoute(Route):
    """A server: the script runs detached, any worker with the credentials goes on."""

    run: Run = RUN_SSH
    resume: Resume | None = RESUME_SSH

    def run_queue(self) -> str | None:
        """See base class."""
        return names.ssh_queue(workflow.info().task_queue)

    def resume_queue(self, host: str) -> str:
        """See base class."""
        return names.ssh_queue(workflow.info().task_queue)

    def resumer(self, host: str, target: str) -> str:
        """See base class."""
        return target

    def resume_wait(self, admission: Admission, left: float) -> float:
        """See base class: full workers are no lost ones, and the script goes on."""
        return max(left, admission.schedule_to_start_seconds)

    def unknown(self, lost: Lost, admission: Admission) -> str:
        """See base class."""
        return (
            f"The outcome of the script is unknown: {lost.why} and no other worker "
            "could go on with it in time."
        )

    def left_behind(self, lost: Lost) -> str:
        """See base class."""
        return (
            f"on request, but {lost.why} and no other worker came: the script may "
            "still run on the server"
        )


CONTAINER, HTTP, SSH = Route(), HttpRoute(), SshRoute()


def route_of(event: EventSpec, server: ServerSpec | None) -> Route:
    """Return the way to a target."""
    if event.type is EventType.HTTP_REQUEST:
        return HTTP
    return CONTAINER if server is None else SSH
