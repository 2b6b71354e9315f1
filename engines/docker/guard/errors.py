"""What the guard says when it refuses."""

from contracts.errors import CroniumError


class CallRefused(CroniumError):
    """The guard of the Docker socket does not let this call through."""

    hint = (
        "It lets through what a worker with the same settings does. When it was ours, "
        "give guard and worker the same CRONIUM_ variables."
    )
