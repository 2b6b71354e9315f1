"""`run_container` and `resume_container`: scripts in containers of this host."""

from temporalio import activity

from activities.scripts import ScriptActivities
from contracts.runs import (
    RESUME_CONTAINER,
    RUN_CONTAINER,
    ResumeRequest,
    RunOutcome,
    RunRequest,
)


class ContainerActivities(ScriptActivities):
    """The activities of one Docker host."""

    @activity.defn(name=RUN_CONTAINER.name)
    async def run_container(self, run: RunRequest) -> RunOutcome:
        """Run one script in a container."""
        return await self.run(run)

    @activity.defn(name=RESUME_CONTAINER.name)
    async def resume_container(self, order: ResumeRequest) -> RunOutcome:
        """Go on with a script in a container of this host."""
        return await self.resume(order)
